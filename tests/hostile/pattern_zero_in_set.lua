-- luacheck: ignore
-- expect: ELIMIT ran longer
local s = ("a\0"):rep(40)
s:match(("[\0a]-"):rep(20) .. "\1")
