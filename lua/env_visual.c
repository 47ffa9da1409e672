/* lua/env_visual.c - parl.box_f1, point_f1, polygon_iou, text_score, count_score. */
#include <lauxlib.h>
#include <math.h>

#include "core/utf8.h"
#include "lua/env_internal.h"
#include "lua/sandbox_internal.h"
#include "lua/visual.h"

enum { BOX = 4, POINT = 2, MAX_ROWS = PARL_VISUAL_MAX_ITEMS, FAR = 1000000 };
#define NO_SIGN (INT64_C(1) << 40)

_Static_assert((int)PARL_VISUAL_MAX_CORNERS == (int)PARL_VISUAL_MAX_ITEMS, "both are read so");

/* Reads a list of at most MAX_ROWS lists of `width` numbers, argument `index`; how many. */
static int read_rows(lua_State *L, int index, int width, double *out) {
  luaL_checktype(L, index, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, index);
  if (n > MAX_ROWS)
    luaL_argerror(L, index, lua_pushfstring(L, "%I items; at most %d", (LUAI_UACINT)n, MAX_ROWS));
  parl_sandbox_charge(L, 8.0 * (double)n);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_geti(L, index, i) != LUA_TTABLE)
      luaL_argerror(L, index, lua_pushfstring(L, "item %I is no list", (LUAI_UACINT)i));
    for (int k = 1; k <= width; k++, lua_pop(L, 1)) {
      const bool is_number = lua_geti(L, -1, k) == LUA_TNUMBER;
      const double x = lua_tonumber(L, -1);
      if (!is_number || !(fabs(x) <= FAR))
        luaL_argerror(L, index,
                      lua_pushfstring(L, "item %I must be %d numbers of at most %d", (LUAI_UACINT)i,
                                      width, (int)FAR));
      *out++ = x;
    }
    lua_pop(L, 1);
  }
  return (int)n;
}

static int push_score(lua_State *L, double score) {
  lua_pushnumber(L, score);
  return 1;
}

int parl_env_visual_box_f1(lua_State *L) {
  double found[BOX * MAX_ROWS], due[BOX * MAX_ROWS], score = 0;
  const int n = read_rows(L, 1, BOX, found), m = read_rows(L, 2, BOX, due);
  parl_sandbox_check_done(L, parl_visual_box_f1(found, n, due, m, &score, PARL_SANDBOX_PACE(L)));
  return push_score(L, score);
}

int parl_env_visual_point_f1(lua_State *L) {
  double found[POINT * MAX_ROWS], due[POINT * MAX_ROWS], score = 0;
  const int n = read_rows(L, 1, POINT, found), m = read_rows(L, 2, POINT, due);
  const double scale = luaL_checknumber(L, 3);
  luaL_argcheck(L, scale >= 1e-3 && scale <= FAR, 3, "a scale is 0.001 to 1000000");
  parl_sandbox_check_done(
      L, parl_visual_point_f1(found, n, due, m, scale, &score, PARL_SANDBOX_PACE(L)));
  return push_score(L, score);
}

int parl_env_visual_polygon_iou(lua_State *L) {
  double a[POINT * MAX_ROWS], b[POINT * MAX_ROWS], score = 0;
  const int n = read_rows(L, 1, POINT, a), m = read_rows(L, 2, POINT, b);
  parl_sandbox_check_done(L, parl_visual_polygon_iou(a, n, b, m, &score, PARL_SANDBOX_PACE(L)));
  return push_score(L, score);
}

static _Noreturn void refuse_length(lua_State *L, int index) {
  luaL_argerror(L, index, lua_pushfstring(L, "more than %d signs", (int)PARL_VISUAL_MAX_TEXT));
  __builtin_unreachable(); /* it does not return */
}

/* The signs of UTF-8 as numbers of their bytes; a byte that belongs to none is a sign too. */
static int read_string(lua_State *L, int index, int64_t *out) {
  size_t bytes = 0;
  const unsigned char *s = (const unsigned char *)lua_tolstring(L, index, &bytes);
  int n = 0;
  for (size_t at = 0; at < bytes;) {
    if (n == PARL_VISUAL_MAX_TEXT) refuse_length(L, index);
    const size_t length = parl_utf8_sequence(s + at, bytes - at);
    int64_t sign = length > 0 ? 0 : NO_SIGN;
    for (const size_t end = at + (length > 0 ? length : 1); at < end; at++)
      sign = sign * 256 + s[at];
    out[n++] = sign;
  }
  return n;
}

/* A text or a list of integers (tokens, digits). */
static int read_signs(lua_State *L, int index, int64_t *out) {
  if (lua_type(L, index) == LUA_TSTRING) return read_string(L, index, out);
  luaL_checktype(L, index, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, index);
  if (n > PARL_VISUAL_MAX_TEXT) refuse_length(L, index);
  parl_sandbox_charge(L, 4.0 * (double)n);
  for (lua_Integer i = 1; i <= n; i++, lua_pop(L, 1)) {
    int is_integer = 0;
    lua_geti(L, index, i);
    out[i - 1] = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
      luaL_argerror(L, index, lua_pushfstring(L, "item %I is no integer", (LUAI_UACINT)i));
  }
  return (int)n;
}

int parl_env_visual_text_score(lua_State *L) {
  int64_t found[PARL_VISUAL_MAX_TEXT], due[PARL_VISUAL_MAX_TEXT];
  const int n = read_signs(L, 1, found), m = read_signs(L, 2, due);
  double score = 0;
  parl_sandbox_check_done(L, parl_visual_text(found, n, due, m, &score, PARL_SANDBOX_PACE(L)));
  return push_score(L, score);
}

int parl_env_visual_count_score(lua_State *L) {
  const lua_Integer found = luaL_checkinteger(L, 1), due = luaL_checkinteger(L, 2);
  luaL_argcheck(L, due >= 0, 2, "a count is at least 0");
  return push_score(L, parl_visual_count((double)found, (double)due));
}
