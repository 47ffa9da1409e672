-- luacheck: ignore
-- expect: ELIMIT ran longer
("a"):rep(40000):find("(.-)%1b")
