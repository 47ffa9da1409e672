-- luacheck: ignore
-- expect: ESCRIPT more than
local t = {}
for i = 1, 1000 do t[i] = ("x"):rep(1000) end
while true do table.concat(t, ("y"):rep(20000)) end
