-- luacheck: ignore
-- expect: ELIMIT ran longer
return ("("):rep(4 << 20):find("%b()%b()")
