-- luacheck: ignore
-- expect: ELIMIT
local s = ("9"):rep(8 << 20)
while true do tonumber(s) tonumber(s, 36) end
