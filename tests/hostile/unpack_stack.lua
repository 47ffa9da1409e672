-- luacheck: ignore
-- expect: ESCRIPT too many
return table.unpack({}, 1, 999999)
