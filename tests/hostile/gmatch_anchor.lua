-- luacheck: ignore
-- expect: ELIMIT ran longer
for _ in ("^"):rep(60000):gmatch("^.-.-.-b") do end
