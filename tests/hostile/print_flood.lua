-- luacheck: ignore
-- expect: ELIMIT ran longer
while true do print(("x"):rep(1000)) end
