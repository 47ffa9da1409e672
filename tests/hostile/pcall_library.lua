-- luacheck: ignore
-- expect: ELIMIT ran longer
repeat pcall(pairs) pcall(table.concat, 1) pcall(("").rep) until false
