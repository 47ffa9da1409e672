/* lua/sandbox_table.c - the table library, bounded and deterministic: sort is stable, and works on
 * any comparison function. Frozen tables may be read by all of it and written by none. */
#include <lauxlib.h>

#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum { LOOK_EVERY = 1024 /* items between two looks at the limits */ };

/* Item i of a loop is done. */
static void look(lua_State *L, lua_Integer i) {
  if (i % LOOK_EVERY == 0) parl_sandbox_charge(L, LOOK_EVERY);
}

static void check_count(lua_State *L, lua_Integer first, lua_Integer last) {
  if (first <= last && (lua_Unsigned)last - (lua_Unsigned)first >= PARL_SANDBOX_MAX_ITEMS)
    luaL_error(L, "items %I to %I: more than %d", (LUAI_UACINT)first, (LUAI_UACINT)last,
               PARL_SANDBOX_MAX_ITEMS);
}

static lua_Integer get_length(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, index);
  check_count(L, 1, n);
  return n;
}

/* insert(t, [place,] value) */
static int table_insert(lua_State *L) {
  const lua_Integer n = get_length(L, 1);
  if (lua_gettop(L) == 2) {
    lua_seti(L, 1, n + 1);
    return 0;
  }
  if (lua_gettop(L) != 3) return luaL_error(L, "table.insert takes 2 or 3 arguments");
  const lua_Integer place = luaL_checkinteger(L, 2);
  luaL_argcheck(L, place >= 1 && place <= n + 1, 2, "position out of bounds");
  for (lua_Integer i = n + 1; i > place; i--) {
    look(L, i);
    lua_geti(L, 1, i - 1);
    lua_seti(L, 1, i);
  }
  lua_seti(L, 1, place);
  return 0;
}

/* remove(t [, place]) */
static int table_remove(lua_State *L) {
  const lua_Integer n = get_length(L, 1);
  const lua_Integer place = luaL_optinteger(L, 2, n);
  if (lua_gettop(L) > 1)
    luaL_argcheck(L, (place >= 1 && place <= n + 1) || (n == 0 && place == 0), 2,
                  "position out of bounds");
  lua_geti(L, 1, place);
  for (lua_Integer i = place; i < n; i++) {
    look(L, i);
    lua_geti(L, 1, i + 1);
    lua_seti(L, 1, i);
  }
  if (place <= n) {
    lua_pushnil(L);
    lua_seti(L, 1, n < 1 ? place : n);
  }
  return 1;
}

/* move(from, first, last, place [, to]) */
static int table_move(lua_State *L) {
  const lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  const lua_Integer place = luaL_checkinteger(L, 4);
  const int to = lua_isnoneornil(L, 5) ? 1 : 5;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, to, LUA_TTABLE);
  check_count(L, first, last);
  luaL_argcheck(L, place <= LUA_MAXINTEGER - PARL_SANDBOX_MAX_ITEMS, 4, "too large");
  const lua_Integer n = first <= last ? last - first + 1 : 0;
  const bool forward = place <= first || place > last || !lua_rawequal(L, 1, to);
  for (lua_Integer k = 0; k < n; k++) {
    look(L, k);
    const lua_Integer i = forward ? k : n - 1 - k;
    lua_geti(L, 1, first + i);
    lua_seti(L, to, place + i);
  }
  lua_pushvalue(L, to);
  return 1;
}

/* pack(...) */
static int table_pack(lua_State *L) {
  const int n = lua_gettop(L);
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  for (int i = n; i >= 1; i--) lua_seti(L, 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  return 1;
}

/* unpack(t [, first [, last]]) */
static int table_unpack(lua_State *L) {
  const lua_Integer first = luaL_optinteger(L, 2, 1);
  const lua_Integer last = lua_isnoneornil(L, 3) ? get_length(L, 1) : luaL_checkinteger(L, 3);
  luaL_checktype(L, 1, LUA_TTABLE);
  check_count(L, first, last);
  if (first > last) return 0;
  const int n = (int)(last - first) + 1;
  parl_sandbox_charge(L, n);
  if (!lua_checkstack(L, n)) return luaL_error(L, "too many values to unpack");
  for (int i = 0; i < n; i++) lua_geti(L, 1, first + i);
  return n;
}

/* concat(t [, separator [, first [, last]]]) */
static int table_concat(lua_State *L) {
  size_t n_separator;
  const char *separator = luaL_optlstring(L, 2, "", &n_separator);
  const lua_Integer first = luaL_optinteger(L, 3, 1);
  const lua_Integer last = lua_isnoneornil(L, 4) ? get_length(L, 1) : luaL_checkinteger(L, 4);
  luaL_checktype(L, 1, LUA_TTABLE);
  check_count(L, first, last);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (lua_Integer i = first; i <= last; i++) {
    parl_sandbox_charge(L, 1);
    lua_geti(L, 1, i);
    if (!lua_isstring(L, -1))
      return luaL_error(L, "table.concat: item %I is a %s", (LUAI_UACINT)i, luaL_typename(L, -1));
    luaL_addvalue(&b);
    if (i < last) luaL_addlstring(&b, separator, n_separator);
    if (luaL_bufflen(&b) > PARL_SANDBOX_MAX_STRING)
      return luaL_error(L, "table.concat: more than %d bytes", PARL_SANDBOX_MAX_STRING);
    if (i == LUA_MAXINTEGER) break;
  }
  luaL_pushresult(&b);
  return 1;
}

/* Whether the value at index a comes before the one at b: by the function at index 2, or by <. */
static bool comes_before(lua_State *L, int a, int b) {
  if (lua_isnil(L, 2)) {
    const bool are_texts = lua_type(L, a) == LUA_TSTRING && lua_type(L, b) == LUA_TSTRING;
    parl_sandbox_charge(L, are_texts ? 1 + (double)lua_rawlen(L, a) / 16 : 1);
    if (are_texts && lua_tostring(L, a) == lua_tostring(L, b)) return false; /* the same object */
    return lua_compare(L, a, b, LUA_OPLT);
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  lua_call(L, 2, 1);
  const bool before = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return before;
}

/* Merges from[low..middle) and from[middle..high) into to[low..high); tables at indices. */
static void merge(lua_State *L, int from, int to, lua_Integer low, lua_Integer middle,
                  lua_Integer high) {
  lua_Integer a = low, b = middle;
  for (lua_Integer i = low; i < high; i++) {
    look(L, i);
    bool take_b = a >= middle;
    if (a < middle && b < high) {
      lua_rawgeti(L, from, a);
      lua_rawgeti(L, from, b);
      const int top = lua_gettop(L);
      take_b = comes_before(L, top, top - 1); /* b only if strictly less: stable */
      lua_pop(L, 2);
    }
    lua_rawgeti(L, from, take_b ? b++ : a++);
    lua_rawseti(L, to, i);
  }
}

/* sort(t [, before]): bottom-up merge sort in two scratch tables at indices 3 and 4. */
static int table_sort(lua_State *L) {
  const lua_Integer n = get_length(L, 1);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_createtable(L, (int)n, 0);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    look(L, i);
    lua_geti(L, 1, i);
    lua_rawseti(L, 3, i);
  }
  int from = 3, to = 4;
  for (lua_Integer width = 1; width < n; width *= 2) {
    for (lua_Integer low = 1; low <= n; low += 2 * width) {
      const lua_Integer middle = low + width <= n ? low + width : n + 1;
      const lua_Integer high = low + 2 * width <= n ? low + 2 * width : n + 1;
      merge(L, from, to, low, middle, high);
    }
    const int swap = from;
    from = to;
    to = swap;
  }
  for (lua_Integer i = 1; i <= n; i++) {
    look(L, i);
    lua_rawgeti(L, from, i);
    lua_seti(L, 1, i);
  }
  return 0;
}

void parl_sandbox_open_table(lua_State *L) {
  static const luaL_Reg functions[] = {{"concat", table_concat}, {"insert", table_insert},
                                       {"move", table_move},     {"pack", table_pack},
                                       {"remove", table_remove}, {"sort", table_sort},
                                       {"unpack", table_unpack}, {NULL, NULL}};
  luaL_newlib(L, functions);
  parl_sandbox_make_strict(L, "table");
  parl_freeze_wrap(L, "a library", "copy what you want to change into a local");
  lua_setfield(L, -2, "table");
}
