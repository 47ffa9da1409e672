-- luacheck: ignore
-- expect: ESCRIPT string.rep
return (""):rep(1e15)
