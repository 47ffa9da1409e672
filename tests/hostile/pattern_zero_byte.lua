-- luacheck: ignore
-- expect: ELIMIT ran longer
local s = "\0" .. ("a"):rep(60)
s:find("\0" .. ("a*"):rep(16) .. "b")
