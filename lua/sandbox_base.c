/* lua/sandbox_base.c - the globals of a sandbox: what of the base and math libraries is safe.
 *
 * Taken over: assert error ipairs select tonumber type, math without random. Rewritten: pairs
 * (sorted), pcall (cannot swallow a limit), print (kept, not written), tostring (no addresses). */
#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <string.h>

#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum {
  LOOK_EVERY = 1024, /* items between two looks at the limits */
  MAX_KEPT = 64      /* keys of a frozen table that are kept in order */
};

void parl_sandbox_push_text(lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      if (isnan(lua_tonumber(L, index))) { /* its sign means nothing */
        lua_pushliteral(L, "nan");
        return;
      }
      luaL_tolstring(L, index, NULL);
      return;
    case LUA_TSTRING:
    case LUA_TBOOLEAN:
    case LUA_TNIL:
      luaL_tolstring(L, index, NULL);
      return;
    default:
      lua_pushstring(L, luaL_typename(L, index));
  }
}

static int base_tostring(lua_State *L) {
  luaL_checkany(L, 1);
  parl_sandbox_push_text(L, 1);
  return 1;
}

/* Goes to the host, or is kept. */
static int base_print(lua_State *L) {
  const int n = lua_gettop(L);
  parl_sandbox *s = parl_sandbox_of(L);
  parl_text *output = &s->output;
  const bool to_host = s->def.host != NULL && s->def.host->print != NULL;
  if (to_host) parl_text_clear(output); /* an error may have left half a line */
  for (int i = 1; i <= n; i++) {
    size_t bytes;
    parl_sandbox_charge(L, 10);
    parl_sandbox_push_text(L, i);
    const char *text = lua_tolstring(L, -1, &bytes);
    if (output->n + bytes + 1 < PARL_SANDBOX_MAX_OUTPUT) {
      parl_text_append_bytes(output, text, bytes);
      if (i < n || !to_host) parl_text_append_bytes(output, i < n ? "\t" : "\n", 1);
    }
    lua_pop(L, 1);
  }
  if (!to_host) return 0;
  s->def.host->print(s->def.host->context, parl_text_get(output));
  parl_text_clear(output);
  return 0;
}

/* Memory and limits are not a script's to catch: what it would do next depends on the machine. */
static int base_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  const int rc = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  if (rc == LUA_OK) return lua_gettop(L);
  if (rc == LUA_ERRMEM) return lua_error(L);
  if (parl_watchdog_is_stopped(&parl_sandbox_of(L)->watchdog)) parl_sandbox_rethrow(L);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

/* A key of a table, in a form that sorts without calling Lua. */
typedef struct sort_key {
  int type; /* LUA_TNUMBER, LUA_TSTRING or LUA_TBOOLEAN */
  bool is_integer;
  lua_Integer i;
  lua_Number x;
  const char *s; /* borrowed from the table */
  size_t n;
} sort_key;

static int get_rank(int type) {
  return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2;
}

static bool is_before(const sort_key *a, const sort_key *b) {
  if (a->type != b->type) return get_rank(a->type) < get_rank(b->type);
  if (a->type == LUA_TBOOLEAN) return a->i < b->i;
  if (a->type == LUA_TNUMBER) return a->is_integer && b->is_integer ? a->i < b->i : a->x < b->x;
  const int order = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
  return order != 0 ? order < 0 : a->n < b->n;
}

/* The key at index -2 of a traversal. */
static sort_key read_key(lua_State *L) {
  sort_key k = {.type = lua_type(L, -2)};
  switch (k.type) {
    case LUA_TNUMBER:
      k.is_integer = lua_isinteger(L, -2);
      k.i = k.is_integer ? lua_tointeger(L, -2) : 0;
      k.x = lua_tonumber(L, -2);
      return k;
    case LUA_TBOOLEAN:
      k.i = lua_toboolean(L, -2);
      return k;
    case LUA_TSTRING:
      k.s = lua_tolstring(L, -2, &k.n);
      return k;
    default:
      luaL_error(L, "pairs: a %s as a key has no deterministic order", luaL_typename(L, -2));
      return k;
  }
}

static void push_key(lua_State *L, const sort_key *k) {
  if (k->type == LUA_TSTRING)
    lua_pushlstring(L, k->s, k->n);
  else if (k->type == LUA_TBOOLEAN)
    lua_pushboolean(L, k->i != 0);
  else if (k->is_integer)
    lua_pushinteger(L, k->i);
  else
    lua_pushnumber(L, k->x);
}

/* Bottom-up merge sort of n keys; scratch has room for n more. Returns which of the two holds the
 * result. */
static sort_key *sort_keys(lua_State *L, sort_key *keys, sort_key *scratch, size_t n) {
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t low = 0; low < n; low += 2 * width) {
      const size_t middle = low + width < n ? low + width : n;
      const size_t high = low + 2 * width < n ? low + 2 * width : n;
      size_t a = low, b = middle;
      for (size_t i = low; i < high; i++) {
        if (i % LOOK_EVERY == 0) parl_sandbox_charge(L, 0);
        scratch[i] =
            a < middle && (b >= high || !is_before(&keys[b], &keys[a])) ? keys[a++] : keys[b++];
      }
    }
    sort_key *swap = keys;
    keys = scratch;
    scratch = swap;
  }
  return keys;
}

/* Upvalues: list of keys, how many were given, the table. Skips keys that are gone. */
static int pairs_step(lua_State *L) {
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
  for (;;) {
    if (i % LOOK_EVERY == LOOK_EVERY - 1) parl_sandbox_charge(L, 0);
    if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL) return 1;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL) break;
    lua_pop(L, 2);
  }
  lua_pushinteger(L, i);
  lua_replace(L, lua_upvalueindex(2));
  return 2;
}

/* Pushes the sorted list of the keys of the table at 1, which costs 6 instructions a key. */
static void push_sorted_keys(lua_State *L) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
    if (++n % LOOK_EVERY == 0) parl_sandbox_charge(L, 6 * LOOK_EVERY);
  parl_sandbox_charge(L, 6.0 * (double)(n % LOOK_EVERY));
  sort_key *keys = lua_newuserdatauv(L, 2 * n * sizeof *keys, 0);
  size_t i = 0;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (i % LOOK_EVERY == 0) parl_sandbox_charge(L, 0);
    keys[i++] = read_key(L);
  }
  const sort_key *sorted = sort_keys(L, keys, keys + n, n);
  lua_createtable(L, (int)n, 0);
  for (i = 0; i < n; i++) {
    if (i % LOOK_EVERY == 0) parl_sandbox_charge(L, 0);
    push_key(L, &sorted[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* pairs(t): numbers, then strings by bytes, then booleans; the keys are those of the start. The
 * sorted keys of a frozen table that has few are kept with it; charged are they every time. */
static int base_pairs(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const bool may_keep = parl_freeze_get_kept(L, 1), is_kept = may_keep && lua_istable(L, -1);
  lua_pushvalue(L, 1);
  if (parl_freeze_unwrap(L, 1)) lua_replace(L, 1);
  if (is_kept) { /* kept, proxy */
    lua_pushvalue(L, -2);
    parl_sandbox_charge(L, 6.0 * (double)lua_rawlen(L, -1));
  } else { /* true or nothing, proxy */
    const int proxy = lua_gettop(L);
    push_sorted_keys(L);
    if (may_keep && lua_rawlen(L, -1) <= MAX_KEPT) {
      lua_pushvalue(L, -1);
      parl_freeze_keep(L, proxy);
    }
  }
  lua_pushinteger(L, 0);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, pairs_step, 3);
  return 1;
}

bool parl_sandbox_is_iterator(lua_CFunction f) {
  return f == pairs_step || parl_sandbox_is_gmatch(f);
}

static int refuse_random(lua_State *L) {
  return luaL_error(L, "math.random is not repeatable: draw from reset's rng or from agent.rng");
}

/* [globals] -> [globals]. Adds a library that exists already in full at index -1. */
static void add_library(lua_State *L, const char *name, const char *const *dropped) {
  for (; *dropped; dropped++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *dropped);
  }
  parl_sandbox_make_strict(L, name);
  parl_freeze_wrap(L, "a library", "copy what you want to change into a local");
  lua_setfield(L, -2, name);
}

void parl_sandbox_open_base(lua_State *L) {
  static const char *const kept[] = {"assert", "error",    "ipairs", "select",
                                     "type",   "tonumber", NULL};
  /* Of Lua 5.2; some builds of 5.4 have them, some do not. */
  static const char *const old_math[] = {"atan2", "cosh",  "sinh",  "tanh", "pow",
                                         "frexp", "ldexp", "log10", NULL};
  static const luaL_Reg ours[] = {{"pairs", base_pairs},
                                  {"pcall", base_pcall},
                                  {"print", base_print},
                                  {"tostring", base_tostring},
                                  {NULL, NULL}};
  lua_pushcfunction(L, luaopen_base); /* fills the table of globals, which scripts never see */
  lua_call(L, 0, 1);
  for (const char *const *name = kept; *name; name++) {
    lua_getfield(L, -1, *name);
    if (strcmp(*name, "tonumber") == 0) lua_pushcclosure(L, parl_sandbox_bound_arguments, 1);
    lua_setfield(L, -3, *name);
  }
  lua_pop(L, 1);
  luaL_setfuncs(L, ours, 0);
  lua_pushcfunction(L, luaopen_math);
  lua_call(L, 0, 1);
  lua_pushcfunction(L, refuse_random);
  lua_setfield(L, -2, "random");
  lua_pushcfunction(L, refuse_random);
  lua_setfield(L, -2, "randomseed");
  add_library(L, "math", old_math);
}
