-- luacheck: ignore
-- expect: ELIMIT ran longer
local far, points = 1 << 24, {}
for i = 1, 1024 do points[i] = {i % 2 == 0 and far or -far, i % 3 == 0 and far or -far} end
local i = parl.image(256, 4096)
for _ = 1, 1000000 do i:polygon(points, 1) end
