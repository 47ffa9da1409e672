-- luacheck: ignore
-- expect: OK
local t = {__name = ("x"):rep(1000), __tostring = function(t) return tostring(t) end}
for _ = 1, 1000 do assert(tostring(t) == "table") end
