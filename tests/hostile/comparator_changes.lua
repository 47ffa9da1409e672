-- luacheck: ignore
-- expect: ESCRIPT comparator gives up
local t, n = {5, 4, 3, 2, 1}, 0
table.sort(t, function(a, b)
  n = n + 1
  t[n] = nil
  if n > 3 then error("comparator gives up") end
  return a < b
end)
