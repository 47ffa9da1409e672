/* lua/sandbox_string.c - the string library, bounded: no function of it can run long inside C,
 * where no limit reaches. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

/* Steps a pattern match may take in the worst case, about a tenth of a second. */
static const double MAX_MATCH_STEPS = 6e7;

/* Upvalue 1 is the library's own function in all wrappers. */
static int call_original(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
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
  parl_sandbox_charge(L, bytes / 64);
  return call_original(L);
}

/* Worst case of the backtracking matcher: each * + - multiplies by the subject's length, each ? by
 * two, a start that is not anchored by the length again, and %b by the length. A '?' or '*' that is
 * a plain character is counted too: the bound is only ever too high. */
static double bound_steps(const char *pattern, size_t n_pattern, size_t n_subject) {
  const double length = (double)n_subject + 1;
  double steps = n_pattern > 0 && pattern[0] == '^' ? 1 : length;
  for (size_t i = 0; i < n_pattern; i++) {
    const char c = pattern[i];
    if (c == '*' || c == '+' || c == '-' || (i > 0 && c == 'b' && pattern[i - 1] == '%'))
      steps *= length;
    else if (c == '?')
      steps *= 2;
  }
  return steps * ((double)n_pattern + 1);
}

static int bounded_match(lua_State *L) {
  size_t n_subject, n_pattern;
  luaL_checklstring(L, 1, &n_subject);
  const char *pattern = luaL_checklstring(L, 2, &n_pattern);
  const bool plain = strpbrk(pattern, "*+-?%") == NULL;
  if (!plain && bound_steps(pattern, n_pattern, n_subject) > MAX_MATCH_STEPS)
    return luaL_error(L, "this pattern could take too long on a text of %I bytes: %s",
                      (LUAI_UACINT)n_subject, pattern);
  if (plain && (double)n_subject * (double)n_pattern > 1e9)
    return luaL_error(L, "the text is too long to search");
  parl_sandbox_charge(L, (double)n_subject + (double)n_pattern);
  return call_original(L);
}

/* Replaces the argument of every %s by its address-free text; refuses %p. */
static int bounded_format(lua_State *L) {
  size_t n;
  const char *format = luaL_checklstring(L, 1, &n);
  int argument = 1;
  for (size_t i = 0; i < n; i++) {
    if (format[i] != '%') continue;
    if (++i < n && format[i] == '%') continue;
    while (i < n && strchr("-+ #0123456789.", format[i]) != NULL && format[i] != '\0') i++;
    argument++;
    if (i < n && format[i] == 'p') return luaL_error(L, "string.format: %%p shows an address");
    if (i < n && format[i] == 's' && argument <= lua_gettop(L)) {
      parl_sandbox_push_text(L, argument);
      lua_replace(L, argument);
    }
  }
  return call_original(L);
}

/* [library] -> [library]. */
static void wrap(lua_State *L, const char *name, lua_CFunction wrapper) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, wrapper, 1);
  lua_setfield(L, -2, name);
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
  wrap(L, "find", bounded_match);
  wrap(L, "match", bounded_match);
  wrap(L, "gmatch", bounded_match);
  wrap(L, "gsub", bounded_match);
  parl_sandbox_make_strict(L, "string");
  parl_freeze_wrap(L, "a library", "copy what you want to change into a local");
  lua_setfield(L, -2, "string");
}
