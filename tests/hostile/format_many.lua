-- luacheck: ignore
-- expect: ESCRIPT more than
local s = "x"
while true do s = ("%s%s%s%s"):format(s, s, s, s) end
