-- luacheck: ignore
-- expect: ELIMIT
local s = ""
while true do s = s .. utf8.char(0x7FFFFFFF, 0x10FFFF) for _ in utf8.codes(s, true) do end end
