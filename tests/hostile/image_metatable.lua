-- luacheck: ignore
-- expect: ESCRIPT a parl.image value
local i = parl.image(1, 1)
i.__index = function() return i end
