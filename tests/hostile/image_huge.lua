-- luacheck: ignore
-- expect: ESCRIPT a side is 1 to 4096
return parl.image(1 << 31, 1 << 31)
