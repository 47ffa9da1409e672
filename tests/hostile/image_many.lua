-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local t = {}
for i = 1, 1000 do t[i] = parl.image(1024, 1024) end
