/* lua/freeze.c - read-only proxies, and the watch over upvalues.
 *
 * Metatable of a proxy: [1] = real table (for unwrap), __index = the same, __newindex, __len;
 * [2] = true, or what is kept, if it is deeply frozen. */
#include "lua/freeze.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/image_object.h"
#include "lua/sandbox_internal.h"

enum { MAX_DEPTH = 100, PLACE_BYTES = 256, MAX_LIST = 128, LOOK_EVERY = 64 };

/* One step of the path to the value being frozen, for errors. */
typedef struct place {
  const struct place *up;
  const char *key; /* NULL: the number below */
  lua_Integer number;
} place;

typedef struct freezer {
  int memo;  /* index of a table: real table or function -> proxy or true */
  int watch; /* index of the list of noted upvalues; 0: plain data only */
  const char *what, *hint;
} freezer;

static void freeze_value(lua_State *L, const freezer *f, const place *at, int depth);

static void format_place(const place *at, const char *root, char *out, size_t n) {
  if (at == NULL) {
    snprintf(out, n, "%s", root);
    return;
  }
  format_place(at->up, root, out, n);
  const size_t used = strlen(out);
  if (at->key)
    snprintf(out + used, n - used, ".%s", at->key);
  else
    snprintf(out + used, n - used, "[%lld]", (long long)at->number);
}

static int refuse_write(lua_State *L) {
  const char *what = lua_touserdata(L, lua_upvalueindex(1));
  const char *hint = lua_touserdata(L, lua_upvalueindex(2));
  if (lua_type(L, 2) == LUA_TSTRING)
    return luaL_error(L, "cannot set '%s': %s is read-only; %s", lua_tostring(L, 2), what, hint);
  return luaL_error(L, "cannot set a field: %s is read-only; %s", what, hint);
}

static int get_length(lua_State *L) {
  if (!parl_freeze_unwrap(L, 1)) return luaL_error(L, "a frozen table is expected");
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
  return 1;
}

/* Pushes the __newindex closure for `what`, one per text, kept in the registry by its address. */
static void push_refusal(lua_State *L, const char *what, const char *hint) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, what) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_pushlightuserdata(L, (void *)what);
  lua_pushlightuserdata(L, (void *)hint);
  lua_pushcclosure(L, refuse_write, 2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, what);
}

void parl_freeze_wrap(lua_State *L, const char *what, const char *hint) {
  luaL_checkstack(L, 6, NULL);
  const int real = lua_gettop(L);
  /* With empty places for a list's items, reading one finds sooner that it is not in the proxy. */
  const lua_Unsigned n = lua_rawlen(L, real);
  lua_createtable(L, n <= MAX_LIST ? (int)n : 0, 0);
  lua_createtable(L, 1, 3);
  lua_pushvalue(L, real);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, real);
  lua_setfield(L, -2, "__index");
  push_refusal(L, what, hint);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, get_length);
  lua_setfield(L, -2, "__len");
  lua_setmetatable(L, -2);
  lua_replace(L, real);
}

bool parl_freeze_unwrap(lua_State *L, int index) {
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  if (lua_rawgeti(L, -1, 1) != LUA_TTABLE) {
    lua_pop(L, 2);
    return false;
  }
  lua_remove(L, -2);
  return true;
}

bool parl_freeze_get_kept(lua_State *L, int index) {
  if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
  const int type = lua_rawgeti(L, -1, 2);
  lua_remove(L, -2);
  if (type == LUA_TNIL) lua_pop(L, 1);
  return type != LUA_TNIL;
}

void parl_freeze_keep(lua_State *L, int index) {
  const bool is_frozen = lua_getmetatable(L, index) != 0;
  PARL_CHECK(is_frozen);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 1);
}

static void refuse_value(lua_State *L, const freezer *f, const place *at, const char *why) {
  char text[PLACE_BYTES];
  format_place(at, f->what, text, sizeof text);
  luaL_error(L, "%s %s", text, why);
}

static place get_key(lua_State *L, int index, const place *up) {
  place p = {.up = up};
  if (lua_type(L, index) == LUA_TSTRING)
    p.key = lua_tostring(L, index);
  else if (lua_isinteger(L, index))
    p.number = lua_tointeger(L, index);
  else
    p.key = luaL_typename(L, index);
  return p;
}

/* Numbers, strings and booleans. */
static bool is_plain(int type) {
  return type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN;
}

static void freeze_members(lua_State *L, const freezer *f, const place *at, int depth, int real) {
  int n = 0;
  for (lua_pushnil(L); lua_next(L, real);) {
    if (n++ % LOOK_EVERY == 0) parl_sandbox_charge(L, LOOK_EVERY);
    if (!is_plain(lua_type(L, -2)))
      refuse_value(L, f, at, "has a key that is neither a string, a number nor a boolean");
    if (is_plain(lua_type(L, -1))) {
      lua_pop(L, 1);
      continue;
    }
    const place here = get_key(L, -2, at);
    freeze_value(L, f, &here, depth + 1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* key, key, frozen */
    lua_rawset(L, real);
  }
}

/* [table] -> [proxy]. The proxy is in the memo before the members are visited: cycles close. */
static void freeze_table(lua_State *L, const freezer *f, const place *at, int depth) {
  lua_pushvalue(L, -1);
  if (lua_rawget(L, f->memo) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  const int real = lua_gettop(L);
  lua_pushvalue(L, real);
  parl_freeze_wrap(L, f->what, f->hint);
  lua_pushboolean(L, 1);
  parl_freeze_keep(L, -2);
  lua_pushvalue(L, real);
  lua_pushvalue(L, -2);
  lua_rawset(L, f->memo);
  freeze_members(L, f, at, depth, real);
  lua_remove(L, real);
}

/* Notes one upvalue, function, index, value, unless another function has it too: [value] -> []. */
static void note_upvalue(lua_State *L, const freezer *f, int function, int i) {
  const void *id = lua_upvalueid(L, function, i);
  const bool seen = lua_rawgetp(L, f->memo, id) != LUA_TNIL;
  lua_pop(L, 1);
  if (seen) {
    lua_pop(L, 1);
    return;
  }
  lua_pushboolean(L, 1);
  lua_rawsetp(L, f->memo, id);
  const lua_Integer n = (lua_Integer)lua_rawlen(L, f->watch);
  lua_rawseti(L, f->watch, n + 3);
  lua_pushinteger(L, i);
  lua_rawseti(L, f->watch, n + 2);
  lua_pushvalue(L, function);
  lua_rawseti(L, f->watch, n + 1);
}

/* A list cannot hold nil: a null pointer, which no script can make, stands for it. */
static void push_noted(lua_State *L) {
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_pushlightuserdata(L, NULL);
}

/* [function] -> [function]. */
static void freeze_function(lua_State *L, const freezer *f, const place *at, int depth) {
  const int function = lua_gettop(L);
  lua_pushvalue(L, function);
  const bool seen = lua_rawget(L, f->memo) != LUA_TNIL;
  lua_pop(L, 1);
  if (lua_iscfunction(L, function) && parl_sandbox_is_iterator(lua_tocfunction(L, function)))
    refuse_value(L, f, at,
                 "is an iterator of pairs or gmatch: it keeps its place from one episode to the "
                 "next; make it where it is used");
  if (seen || lua_iscfunction(L, function)) return;
  lua_pushvalue(L, function);
  lua_pushboolean(L, 1);
  lua_rawset(L, f->memo);
  const char *name;
  for (int i = 1; (name = lua_getupvalue(L, function, i)) != NULL; i++) {
    const place here = {.up = at, .key = name};
    freeze_value(L, f, &here, depth + 1);
    if (lua_istable(L, -1)) {
      lua_pushvalue(L, -1);
      lua_setupvalue(L, function, i);
    }
    push_noted(L);
    note_upvalue(L, f, function, i);
  }
}

/* [value] -> [frozen value]. */
static void freeze_value(lua_State *L, const freezer *f, const place *at, int depth) {
  luaL_checkstack(L, 16, "too deeply nested");
  if (depth > MAX_DEPTH) refuse_value(L, f, at, "is nested too deeply");
  switch (lua_type(L, -1)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
      return;
    case LUA_TTABLE:
      if (lua_getmetatable(L, -1)) {
        lua_pop(L, 1);
        return; /* frozen already */
      }
      freeze_table(L, f, at, depth);
      return;
    case LUA_TFUNCTION:
      if (f->watch != 0) {
        freeze_function(L, f, at, depth);
        return;
      }
      refuse_value(L, f, at, "is a function; only plain data is allowed here");
      return;
    default:
      if (parl_image_object_freeze(L, -1)) return;
      if (f->watch != 0 && lua_type(L, -1) == LUA_TUSERDATA) return;
      refuse_value(L, f, at,
                   "is a userdata (an rng?); only plain data and images are allowed here");
  }
}

void parl_freeze_data(lua_State *L, const char *what, const char *hint) {
  const int value = lua_gettop(L);
  lua_createtable(L, 0, 8);
  lua_insert(L, value);
  const freezer f = {.memo = value, .what = what, .hint = hint};
  freeze_value(L, &f, NULL, 0);
  lua_remove(L, value);
}

void parl_freeze_script(lua_State *L, int watch) {
  const int function = lua_gettop(L);
  /* One memo for all functions of a script: tables that two of them share stay shared. */
  if (lua_rawgetp(L, watch, refuse_write) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, watch, refuse_write);
  }
  lua_insert(L, function);
  const freezer f = {.memo = function,
                     .watch = watch,
                     .what = "the script's data",
                     .hint = "keep what changes in agent.state"};
  freeze_value(L, &f, NULL, 0);
  lua_settop(L, function - 1);
}

static bool is_same(lua_State *L) {
  if (lua_isnil(L, -1)) return lua_islightuserdata(L, -2);
  if (lua_rawequal(L, -1, -2)) return true;
  return lua_type(L, -1) == LUA_TNUMBER && lua_type(L, -2) == LUA_TNUMBER &&
         isnan(lua_tonumber(L, -1)) && isnan(lua_tonumber(L, -2));
}

bool parl_freeze_check(lua_State *L, int watch, char *out, size_t n) {
  const lua_Integer length = (lua_Integer)lua_rawlen(L, watch);
  for (lua_Integer i = 1; i <= length; i += 3) {
    lua_rawgeti(L, watch, i);
    lua_rawgeti(L, watch, i + 1);
    const int place_in_list = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_rawgeti(L, watch, i + 2);
    const char *name = lua_getupvalue(L, -2, place_in_list);
    const bool same = is_same(L);
    lua_pop(L, 2);
    if (!same) {
      lua_Debug about;
      lua_getinfo(L, ">S", &about);
      snprintf(out, n, "variable '%s' of the function at %s:%d", name, about.short_src,
               about.linedefined);
      return false;
    }
    lua_pop(L, 1);
  }
  return true;
}
