-- luacheck: ignore
-- expect: ELIMIT ran longer
return ("a"):rep(20000):gsub("(.-)(.-)(.-)b", "")
