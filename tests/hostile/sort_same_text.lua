-- luacheck: ignore
-- expect: OK
local s, t = ("x"):rep(4 << 20), {}
for i = 1, 1000 do t[i] = s end
table.sort(t)
