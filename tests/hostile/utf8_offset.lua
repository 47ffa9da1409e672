-- luacheck: ignore
-- expect: ELIMIT
local s = ("\xe4"):rep(1 << 20)
while true do pcall(utf8.offset, s, 1 << 40) pcall(utf8.len, s, 1, -1, true) end
