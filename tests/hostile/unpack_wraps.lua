-- luacheck: ignore
-- expect: ESCRIPT more than
return table.unpack({}, math.mininteger, math.maxinteger)
