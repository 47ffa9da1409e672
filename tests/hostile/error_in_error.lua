-- luacheck: ignore
-- expect: ESCRIPT second
local _ = pcall(error, {})
error("second")
