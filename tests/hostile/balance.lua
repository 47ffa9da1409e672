-- luacheck: ignore
-- expect: ELIMIT ran longer
return ("("):rep(20000):find("%b()%b()")
