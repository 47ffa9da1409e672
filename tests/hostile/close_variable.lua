-- luacheck: ignore
-- expect: ESCRIPT closable
local handle <close> = {}
