-- luacheck: ignore
-- expect: ELIMIT ran longer
return ("a"):rep(60):find(("a?"):rep(60) .. ("a"):rep(60))
