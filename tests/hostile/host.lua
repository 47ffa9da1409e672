-- luacheck: ignore
-- expect: ESCRIPT unknown global 'os'
os.execute("touch /tmp/parl-was-here")
