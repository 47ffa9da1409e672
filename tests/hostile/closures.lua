-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local f = function() return 0 end
while true do local g = f f = function() return g() end end
