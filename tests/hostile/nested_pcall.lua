-- luacheck: ignore
-- expect: ELIMIT
local function f() return pcall(pcall, f) end
while true do f() end
