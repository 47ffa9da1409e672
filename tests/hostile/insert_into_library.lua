-- luacheck: ignore
-- expect: ESCRIPT read-only
table.insert(string, 1)
