-- luacheck: ignore
-- expect: ELIMIT ran longer
("x"):rep(1 << 20):gsub("%f[" .. ("%w"):rep(1 << 18) .. "]y", "")
