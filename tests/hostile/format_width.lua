-- luacheck: ignore
-- expect: ESCRIPT invalid
return ("%1000000d"):format(1)
