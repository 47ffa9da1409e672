-- luacheck: ignore
-- expect: ESCRIPT nil
error(nil)
