-- luacheck: ignore
-- expect: ELIMIT ran longer
local a, b = {}, {}
for i = 1, 64 do a[i], b[i] = {i * 37 % 64, i * 11 % 64}, {i * 29 % 64, i * 13 % 64} end
for _ = 1, 1000000 do parl.polygon_iou(a, b) end
