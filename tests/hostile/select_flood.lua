-- luacheck: ignore
-- expect: ELIMIT
local function count(n, ...)
  if n == 0 then return select("#", ...) end
  return count(n - 1, n, ...)
end
return select(-1, table.unpack({}, 1, 200)), count(1 << 40)
