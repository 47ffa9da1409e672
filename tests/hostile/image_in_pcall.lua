-- luacheck: ignore
-- expect: ELIMIT ran longer
local i = parl.image(1024, 1024)
while true do pcall(i.disc, i, 512, 512, 1 << 24, 3) end
