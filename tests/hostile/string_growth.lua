-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local s = "x"
while true do s = s .. s end
