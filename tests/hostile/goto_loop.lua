-- luacheck: ignore
-- expect: ELIMIT ran longer
::top:: goto top
