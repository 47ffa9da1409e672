-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local t = {}
for i = 1, math.huge do t["key" .. i] = i end
