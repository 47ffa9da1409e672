-- luacheck: ignore
-- expect: ESCRIPT too long
return ("a"):rep(20000):gsub("(.-)(.-)(.-)b", "")
