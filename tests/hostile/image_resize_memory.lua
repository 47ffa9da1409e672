-- luacheck: ignore
-- expect: ELIMIT bytes of memory
return parl.image(1, 4096):resize(4096, 1)
