-- luacheck: ignore
-- expect: ESCRIPT read-only
string.rep = function() end
