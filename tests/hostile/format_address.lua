-- luacheck: ignore
-- expect: ESCRIPT address
return ("%p"):format({})
