-- luacheck: ignore
-- expect: ESCRIPT more than
return table.concat({}, ",", 1, math.maxinteger)
