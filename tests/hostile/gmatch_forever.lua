-- luacheck: ignore
-- expect: ELIMIT ran longer
while true do for _ in ("aaaa"):gmatch("a*") do end end
