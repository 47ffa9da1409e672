-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local t = {}
while true do t[#t + 1] = {} end
