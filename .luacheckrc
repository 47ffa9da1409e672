-- Environments and recipes run in a sandbox: Lua 5.4 without io, os and load, with `parl`.
std = "lua54"
read_globals = { "parl" }
max_line_length = 100
unused_args = false
