/* lua/sandbox_string.c - the string and utf8 libraries, bounded: no function of them can run long
 * inside C, where no hook reaches. What searches is in sandbox_match.c. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum { MAX_FORMAT = 1 << 20 /* bytes of string.format's texts together */ };

/* Upvalue 1 is the library's own function in all wrappers. */
static int call_original(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Bytes of the texts among the values from index 1 on, and one for each value. */
static double weigh(lua_State *L) {
  const int n = lua_gettop(L);
  double sum = n;
  for (int i = 1; i <= n; i++)
    if (lua_type(L, i) == LUA_TSTRING) sum += (double)lua_rawlen(L, i);
  return sum;
}

static void check_texts(lua_State *L) {
  const int n = lua_gettop(L);
  for (int i = 1; i <= n; i++)
    if (lua_type(L, i) == LUA_TSTRING && lua_rawlen(L, i) > PARL_SANDBOX_MAX_STRING)
      luaL_error(L, "a text of %I bytes; at most %d", (LUAI_UACINT)lua_rawlen(L, i),
                 PARL_SANDBOX_MAX_STRING);
}

/* Functions whose work grows with what they are given. */
int parl_sandbox_bound_arguments(lua_State *L) {
  check_texts(L);
  parl_sandbox_charge(L, weigh(L) / 8);
  return call_original(L);
}

/* Functions whose work grows with what they give. */
static int bound_results(lua_State *L) {
  const int n = call_original(L);
  parl_sandbox_charge(L, weigh(L) / 8);
  return n;
}

static int bounded_rep(lua_State *L) {
  size_t n, n_separator = 0;
  luaL_checklstring(L, 1, &n);
  const lua_Integer times = luaL_checkinteger(L, 2);
  luaL_optlstring(L, 3, "", &n_separator);
  const double bytes = (double)times * ((double)n + (double)n_separator);
  if (times > PARL_SANDBOX_MAX_STRING || bytes > PARL_SANDBOX_MAX_STRING)
    return luaL_error(L, "string.rep: %f copies of %I bytes exceed %d", (lua_Number)times,
                      (LUAI_UACINT)(n + n_separator), PARL_SANDBOX_MAX_STRING);
  if (times > 0) parl_sandbox_charge(L, (double)times / 8 + bytes / 64);
  return call_original(L);
}

/* Replaces the argument of every %s by its address-free text; refuses %p. */
static void clean_arguments(lua_State *L, const char *format, size_t n) {
  int argument = 1;
  for (size_t i = 0; i < n; i++) {
    if (format[i] != '%') continue;
    if (++i < n && format[i] == '%') continue;
    while (i < n && strchr("-+ #0123456789.", format[i]) != NULL && format[i] != '\0') i++;
    argument++;
    if (i < n && format[i] == 'p') luaL_error(L, "string.format: %%p shows an address");
    if (i < n && format[i] == 's' && argument <= lua_gettop(L)) {
      parl_sandbox_push_text(L, argument);
      lua_replace(L, argument);
    }
  }
}

static int bounded_format(lua_State *L) {
  size_t n;
  const char *format = luaL_checklstring(L, 1, &n);
  if (weigh(L) - lua_gettop(L) > MAX_FORMAT)
    return luaL_error(L, "string.format: more than %d bytes of text", MAX_FORMAT);
  clean_arguments(L, format, n);
  parl_sandbox_charge(L, weigh(L));
  return call_original(L);
}

/* [library] -> [library]. */
static void wrap(lua_State *L, const char *name, lua_CFunction wrapper) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, wrapper, 1);
  lua_setfield(L, -2, name);
}

static void close_library(lua_State *L, const char *name) {
  parl_sandbox_make_strict(L, name);
  parl_freeze_wrap(L, "a library", "copy what you want to change into a local");
  lua_setfield(L, -2, name);
}

static void open_utf8(lua_State *L) {
  lua_pushcfunction(L, luaopen_utf8);
  lua_call(L, 0, 1);
  wrap(L, "char", parl_sandbox_bound_arguments);
  wrap(L, "codepoint", bound_results);
  wrap(L, "codes", parl_sandbox_bound_arguments);
  wrap(L, "len", parl_sandbox_bound_arguments);
  wrap(L, "offset", parl_sandbox_bound_arguments);
  close_library(L, "utf8");
}

void parl_sandbox_open_string(lua_State *L) {
  static const char *const dropped[] = {"dump", "pack", "packsize", "unpack"};
  lua_pushcfunction(L, luaopen_string); /* sets the metatable of strings, too */
  lua_call(L, 0, 1);
  for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
    lua_pushnil(L);
    lua_setfield(L, -2, dropped[i]);
  }
  wrap(L, "rep", bounded_rep);
  wrap(L, "format", bounded_format);
  wrap(L, "char", parl_sandbox_bound_arguments);
  wrap(L, "upper", parl_sandbox_bound_arguments);
  wrap(L, "lower", parl_sandbox_bound_arguments);
  wrap(L, "reverse", parl_sandbox_bound_arguments);
  wrap(L, "sub", bound_results);
  wrap(L, "byte", bound_results);
  parl_sandbox_open_match(L);
  close_library(L, "string");
  open_utf8(L);
}
