-- luacheck: ignore
-- expect: ELIMIT ran longer
while true do end
