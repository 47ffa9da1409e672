-- luacheck: ignore
-- expect: ELIMIT ran longer
for _ = math.mininteger, math.maxinteger do end
