-- luacheck: ignore
-- expect: ESCRIPT unknown global 'coroutine'
while true do coroutine.wrap(function() for _ = 1, 1e6 do end end)() end
