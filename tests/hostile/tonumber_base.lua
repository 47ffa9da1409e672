-- luacheck: ignore
-- expect: ESCRIPT base out of range
return tonumber(("9"):rep(1 << 20), 1 << 30)
