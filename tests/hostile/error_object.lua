-- luacheck: ignore
-- expect: ESCRIPT error object is a table value
error({code = 1})
