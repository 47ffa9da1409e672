-- luacheck: ignore
-- expect: ELIMIT ran longer
local i, s = parl.image(1024, 1024), ("#"):rep(1000)
for _ = 1, 10000000 do i:text(-3000, 0, s, 1, 256) end
