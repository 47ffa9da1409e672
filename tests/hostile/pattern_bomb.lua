-- luacheck: ignore
-- expect: ESCRIPT too long
return ("a"):rep(28):find(("a?"):rep(28) .. ("a"):rep(28))
