-- luacheck: ignore
-- expect: ELIMIT ran longer
for _ in function() return 1 end do end
