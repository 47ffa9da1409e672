-- luacheck: ignore
-- expect: ESCRIPT
return ("("):rep(200000):find(("("):rep(300000))
