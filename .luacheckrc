-- luacheck envs: environments run in a sandbox, see lua/sandbox.h.
stds.parl = {
  read_globals = {
    parl = {fields = {"env", "include", "VERSION", tok = {other_fields = true}}},
    "assert", "error", "ipairs", "pairs", "pcall", "print", "select", "tonumber", "tostring",
    "type", "utf8",
    math = {
      fields = {
        "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log",
        "max", "maxinteger", "min", "mininteger", "modf", "pi", "rad", "sin", "sqrt", "tan",
        "tointeger", "type", "ult",
      },
    },
    string = {
      fields = {
        "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep",
        "reverse", "sub", "upper",
      },
    },
    table = {fields = {"concat", "insert", "move", "pack", "remove", "sort", "unpack"}},
  },
}
std = "parl"
max_line_length = 100
unused_args = false -- callbacks have fixed signatures
