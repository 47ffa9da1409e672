-- luacheck: ignore
-- expect: ELIMIT bytes of memory
local t = {}
for i = 1, 64 do t[i] = ("x"):rep(1 << 20) end
return table.concat(t)
