-- lua/kit_check.lua - the argument of a helper that is a script: its keys and their types.
--
-- Part of the program, as the helpers are, which get the function. keys: of each its type, of
-- several those that will do, and whether it is needed.

-- error() at the script: above this function, the helper and the program's own function.
local CALLER <const> = 4

local function check(name, keys, spec)
  for key, value in pairs(spec) do
    local want = keys[key] or error(name .. ": unknown key " .. tostring(key), CALLER)
    if not want[1]:find(type(value), 1, true) then
      error(name .. ": " .. key .. " is a " .. type(value) .. ", not a " .. want[1], CALLER)
    end
  end
  for key, want in pairs(keys) do
    if want[2] and spec[key] == nil then
      error(name .. ": " .. key .. " is missing", CALLER)
    end
  end
end

return check
