-- luacheck: ignore
-- expect: ESCRIPT more than
table.move({}, 1, 1 << 50, 2)
