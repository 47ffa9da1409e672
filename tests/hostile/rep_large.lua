-- luacheck: ignore
-- expect: ESCRIPT string.rep
return ("x"):rep(1 << 40)
