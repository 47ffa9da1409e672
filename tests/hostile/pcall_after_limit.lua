-- luacheck: ignore
-- expect: ELIMIT ran longer
local function again() while not pcall(again) do end while true do end end
again()
