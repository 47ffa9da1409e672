-- luacheck: ignore
-- expect: ELIMIT ran longer
local t = {}
for i = 1, 10000 do t[i] = i end
while true do for _ in pairs(t) do break end end
