-- luacheck: ignore
-- expect: ESCRIPT unknown global 'getmetatable'
getmetatable("").__index = function() while true do end end
