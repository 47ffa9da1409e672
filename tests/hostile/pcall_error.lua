-- luacheck: ignore
-- expect: ELIMIT ran longer
repeat local ok = pcall(error) until false
