-- luacheck: ignore
-- expect: ESCRIPT more than
("%q"):format(("\1"):rep(2 << 20))
