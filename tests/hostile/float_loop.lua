-- luacheck: ignore
-- expect: ELIMIT ran longer
for _ = 1, math.huge do end
