-- luacheck: ignore
-- expect: ELIMIT ran longer
local wide = parl.image(4096, 256)
for _ = 1, 1000000 do wide:resize(256, 256) end
