-- luacheck: ignore
-- expect: ESCRIPT -5 is outside of 0 to
return parl.image(8, 8):disc(0, 0, -5, 0)
