-- luacheck: ignore
-- expect: ESCRIPT unknown global 'io'
io.open("/etc/passwd"):read("a")
