/* lua/env_rng.c - rng objects: what `reset` gets and agents carry.
 *
 * A draw is a function of (seed, stream, number of the draw), so it does not depend on which other
 * worlds are alive. */
#include <lauxlib.h>

#include "core/seeds.h"
#include "lua/env_internal.h"
#include "lua/sandbox_internal.h"

static void start(parl_rng_object *rng) {
  const uint64_t chance = parl_rng_stream(PARL_PURPOSE_CHANCE, rng->a, rng->b, 0);
  const uint64_t expert = parl_rng_stream(PARL_PURPOSE_EXPERT, rng->a, rng->b, 0);
  rng->chance = (parl_rng_cursor){rng->seed, chance, 0};
  rng->expert = (parl_rng_cursor){rng->seed, expert, 0};
  rng->started = true;
}

parl_rng_cursor *parl_env_get_cursor(lua_State *L, int index) {
  parl_rng_object *rng = lua_touserdata(L, index);
  /* images, the other full userdata that scripts meet, have other sizes; a light one has none */
  if (rng == NULL || lua_rawlen(L, index) != sizeof *rng)
    luaL_error(L, index == 1 ? "call it with a colon: rng:int(1, 6)" : "an rng is expected");
  if (!rng->started) start(rng);
  if (rng->mode == PARL_RNG_CHANCE) return &rng->chance;
  if (rng->mode == PARL_RNG_FORBIDDEN)
    luaL_error(L,
               "no chance here: reset's rng ends with reset, and legal and score must give the "
               "same answer when asked again");
  return &rng->expert;
}

/* rng:int(low, high) */
static int rng_int(lua_State *L) {
  parl_rng_cursor *cursor = parl_env_get_cursor(L, 1);
  const lua_Integer low = luaL_checkinteger(L, 2), high = luaL_checkinteger(L, 3);
  const uint64_t n = (uint64_t)high - (uint64_t)low + 1; /* 0: every integer there is */
  if (low > high)
    return luaL_error(L, "rng:int(%I, %I): the range is empty", (LUAI_UACINT)low,
                      (LUAI_UACINT)high);
  const uint64_t drawn = n == 0 ? parl_rng_next(cursor) : parl_rng_next_below(cursor, n);
  lua_pushinteger(L, (lua_Integer)((uint64_t)low + drawn));
  return 1;
}

/* rng:uniform() in [0, 1) */
static int rng_uniform(lua_State *L) {
  lua_pushnumber(L, parl_rng_next_uniform(parl_env_get_cursor(L, 1)));
  return 1;
}

/* rng:chance(p) */
static int rng_chance(lua_State *L) {
  parl_rng_cursor *cursor = parl_env_get_cursor(L, 1);
  const lua_Number p = luaL_checknumber(L, 2);
  if (!(p >= 0 && p <= 1)) return luaL_error(L, "rng:chance(%f): a probability is 0 to 1", p);
  lua_pushboolean(L, parl_rng_next_uniform(cursor) < p);
  return 1;
}

/* rng:normal() */
static int rng_normal(lua_State *L) {
  lua_pushnumber(L, parl_rng_next_normal(parl_env_get_cursor(L, 1)));
  return 1;
}

static lua_Integer get_list_length(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, 2);
  if (n > PARL_SANDBOX_MAX_ITEMS)
    luaL_error(L, "rng: a list of %I items; at most %d", (LUAI_UACINT)n, PARL_SANDBOX_MAX_ITEMS);
  return n;
}

/* rng:shuffle(list): in place (Fisher-Yates), returns it */
static int rng_shuffle(lua_State *L) {
  parl_rng_cursor *cursor = parl_env_get_cursor(L, 1);
  for (lua_Integer i = get_list_length(L); i > 1; i--) {
    if (i % 64 == 0) parl_sandbox_charge(L, 64);
    const lua_Integer j = (lua_Integer)parl_rng_next_below(cursor, (uint64_t)i) + 1;
    lua_geti(L, 2, i);
    lua_geti(L, 2, j);
    lua_seti(L, 2, i);
    lua_seti(L, 2, j);
  }
  lua_settop(L, 2);
  return 1;
}

/* rng:pick(list) */
static int rng_pick(lua_State *L) {
  parl_rng_cursor *cursor = parl_env_get_cursor(L, 1);
  const lua_Integer n = get_list_length(L);
  if (n < 1) return luaL_error(L, "rng:pick: the list is empty");
  lua_geti(L, 2, (lua_Integer)parl_rng_next_below(cursor, (uint64_t)n) + 1);
  return 1;
}

void parl_env_open_rng(lua_State *L) {
  static const luaL_Reg methods[] = {
#define X(name, type, doc) {#name, rng_##name},
      PARL_RNG_LIST(X)
#undef X
          {NULL, NULL}};
  lua_createtable(L, 0, 1);
  luaL_newlib(L, methods);
  parl_sandbox_make_strict(L, "rng");
  lua_setfield(L, -2, "__index");
}

void parl_env_restart_rng(parl_rng_object *rng, uint64_t seed, uint64_t a, uint64_t b) {
  rng->seed = seed;
  rng->a = a;
  rng->b = b;
  rng->started = false;
  rng->mode = PARL_RNG_CHANCE;
}

parl_rng_object *parl_env_push_rng(lua_State *L, const parl_env *env, uint64_t seed, uint64_t a,
                                   uint64_t b) {
  parl_rng_object *rng = lua_newuserdatauv(L, sizeof *rng, 0);
  parl_env_restart_rng(rng, seed, a, b);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->rng_methods);
  lua_setmetatable(L, -2);
  return rng;
}
