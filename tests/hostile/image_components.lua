-- luacheck: ignore
-- expect: ELIMIT
local i = parl.image(1024, 1024)
for y = 0, 1023, 2 do
  for x = 0, 1023, 2 do i:rect(x, y, 1, 1, 1) end
end
for _ = 1, 1000000 do i:components() end
