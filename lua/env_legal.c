/* lua/env_legal.c - the callback `legal`: which values make sense for an argument now.
 *
 * It is asked once a token: nothing is allocated, neither in C nor for the lists that it gets. */
#include <lauxlib.h>
#include <string.h>

#include "lua/env_internal.h"
#include "lua/freeze.h"

/* The lists that `legal` sees are the same tables each time: filled before the call, and emptied
 * after it, so that a script which keeps one learns nothing of other agents' turns. */
static void fill_taken(parl_env *env, const int16_t *taken, int n) {
  lua_State *L = env->L;
  if (n == 0) return;
  parl_env_push_ref(env, env->taken_real);
  for (int i = 0; i < n; i++) {
    if (taken != NULL)
      lua_pushinteger(L, taken[i]);
    else
      lua_pushnil(L);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pop(L, 1);
}

/* `list` gets the items of slot s of the call from *next on, or nothing for each of them. */
static void fill_slot(parl_env *env, const parl_call *call, int s, int *next, bool is_clearing) {
  lua_State *L = env->L;
  parl_env_push_ref(env, env->given_list_real[s]);
  for (int i = 1; *next < call->n_values && call->slot[*next] == s; i++, ++*next) {
    if (is_clearing)
      lua_pushnil(L);
    else
      lua_pushinteger(L, call->values[*next]);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
}

/* The call's arguments before slot n_slots: an entry each, for a `many` slot a list. */
static void fill_given(parl_env *env, const parl_tool *signature, const parl_call *call,
                       int n_slots, bool is_clearing) {
  lua_State *L = env->L;
  int next = 0;
  parl_env_push_ref(env, env->given_real);
  for (int s = 0; s < n_slots; s++) {
    const bool is_there = next < call->n_values && call->slot[next] == s;
    if (signature->slots[s].many) {
      fill_slot(env, call, s, &next, is_clearing);
      parl_env_push_ref(env, env->given_list[s]);
    } else {
      lua_pushinteger(L, is_there ? call->values[next++] : 0);
    }
    if (is_clearing || !is_there) {
      lua_pop(L, 1);
      lua_pushnil(L);
    }
    lua_rawseti(L, -2, s + 1);
  }
  lua_pop(L, 1);
}

/* [list of values or nil] -> []. */
static parl_status read_legal(parl_env *env, const parl_family *f, uint8_t *allowed) {
  lua_State *L = env->L;
  const int list = lua_gettop(L);
  if (lua_isnil(L, list)) {
    memset(allowed, 1, (size_t)f->n);
    lua_pop(L, 1);
    return PARL_STATUS_OK;
  }
  if (!lua_istable(L, list)) {
    const char *type = luaL_typename(L, list);
    lua_pop(L, 1);
    return parl_env_breach(env, PARL_ENV_CALLBACK(env, legal), "legal",
                           "must return a list of values or nil, not %s", type);
  }
  memset(allowed, 0, (size_t)f->n);
  if (parl_freeze_unwrap(L, list)) lua_replace(L, list);
  const lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  if (n > PARL_ENV_MAX_VOCABULARY) {
    lua_settop(L, list - 1);
    return parl_env_breach(env, PARL_ENV_CALLBACK(env, legal), "legal",
                           "returned %lld values; at most %d", (long long)n,
                           PARL_ENV_MAX_VOCABULARY);
  }
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, list, i);
    const lua_Integer value = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    if (value < 1 || value > f->n) {
      lua_settop(L, list - 1);
      return parl_env_breach(env, PARL_ENV_CALLBACK(env, legal), "legal",
                             "item %lld is no value of family '%s' (1 to %d)", (long long)i,
                             f->name, f->n);
    }
    allowed[value - 1] = 1;
  }
  lua_pop(L, 1);
  return PARL_STATUS_OK;
}

/* Calls `legal`; its result is at the top. */
static parl_status call_legal(parl_env *env, parl_world world, parl_agent agent, int tool,
                              int slot) {
  const parl_agent_slot *a = &env->agents[agent];
  parl_env_push_ref(env, PARL_ENV_CALLBACK(env, legal));
  parl_env_push_ref(env, env->worlds[world].ref);
  parl_env_push_ref(env, a->ref);
  parl_env_push_ref(env, env->tool_name[tool < 0 ? env->spec.n_tools : tool]);
  lua_pushinteger(env->L, slot + 1);
  parl_env_push_ref(env, env->taken);
  parl_env_push_ref(env, env->given);
  a->rng->mode = PARL_RNG_FORBIDDEN;
  const parl_status status = parl_sandbox_call(env->sandbox, 6, 1);
  a->rng->mode = PARL_RNG_CHANCE;
  return status;
}

parl_status parl_env_legal(parl_env *env, parl_world world, parl_agent agent, int tool, int slot,
                           const parl_call *given, const int16_t *taken, size_t n_taken,
                           uint8_t *allowed) {
  PARL_TRY(parl_env_check_handles(env, world, agent));
  PARL_REQUIRE(tool >= -1 && tool < env->spec.n_tools);
  const parl_tool *signature = tool < 0 ? &env->spec.task : &env->spec.tools[tool];
  PARL_REQUIRE(slot >= 0 && slot < signature->n_slots);
  const parl_family *f = &env->spec.families[signature->slots[slot].family];
  if (!env->spec.has_legal) {
    memset(allowed, 1, (size_t)f->n);
    return PARL_STATUS_OK;
  }
  PARL_REQUIRE(n_taken <= (size_t)env->max_taken);
  const int n_earlier = given != NULL ? slot : 0;
  fill_taken(env, taken, (int)n_taken);
  if (n_earlier > 0) fill_given(env, signature, given, n_earlier, false);
  parl_status status = call_legal(env, world, agent, tool, slot);
  if (status == PARL_STATUS_OK) status = read_legal(env, f, allowed); /* may be `taken` itself */
  fill_taken(env, NULL, (int)n_taken);
  if (n_earlier > 0) fill_given(env, signature, given, n_earlier, true);
  return status;
}
