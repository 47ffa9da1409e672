-- luacheck: ignore
-- expect: ESCRIPT more than
return table.unpack({}, 1, 1 << 40)
