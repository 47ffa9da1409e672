-- luacheck: ignore
-- expect: ESCRIPT call it with a colon
local fill = parl.image(1, 1).fill
return fill({width = 1 << 40, height = 1 << 40}, 0)
