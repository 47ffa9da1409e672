-- luacheck: ignore
-- expect: ESCRIPT read-only
pairs = nil
