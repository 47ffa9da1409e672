-- luacheck: ignore
-- expect: ELIMIT
while true do ("%q"):format(("\1"):rep(1 << 19)) end
