-- luacheck: ignore
-- expect: ELIMIT ran longer
local s, t = ("x"):rep(4 << 20), {}
local a, b = s .. "a", s .. "b"
for i = 1, 100000 do t[i] = i % 2 == 0 and a or b end
table.sort(t)
