-- luacheck: ignore
-- expect: ESCRIPT too long
return ("("):rep(20000):find("%b()%b()")
