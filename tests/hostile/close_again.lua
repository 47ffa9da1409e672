-- luacheck: ignore
-- expect: ELIMIT
local t
while true do t = nil for i = 1, 50000 do t = {t} end end
