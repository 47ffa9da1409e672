-- luacheck: ignore
-- expect: ELIMIT
local a, b = ("x"):rep(4 << 20) .. "a", ("x"):rep(4 << 20) .. "b"
while true do if a > b or a == b then return end end
