-- luacheck: ignore
-- expect: ESCRIPT x
error(("x"):rep(1 << 20))
