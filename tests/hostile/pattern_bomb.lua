-- luacheck: ignore
-- expect: ELIMIT ran longer
return ("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(28))
