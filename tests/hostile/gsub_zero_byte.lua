-- luacheck: ignore
-- expect: ELIMIT ran longer
("\0"):rep(200000):gsub("\0-\0-\0-\1", "%0")
