-- luacheck: ignore
-- expect: ESCRIPT no integer representation
return parl.image(8, 8):rect(0 / 0, 0, 1, 1, 0)
