/* lua/env_source.c - parl.source{...}: a script that gives documents, in the words of an
 * environment.
 *
 * Its state has the vocabulary of that environment, so parl.tok is filled from the first line on,
 * and nothing of an episode. A document is the lists that `document` returns: the first is read,
 * the second learnt, and so on in turn; it is a function of its seed. */
#include "lua/env_source.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/env_internal.h"
#include "lua/freeze.h"
#include "lua/image_object.h"

/* --- declaring --- */

static void read_document(lua_State *L, parl_env *env) {
  if (lua_getfield(L, 1, "document") != LUA_TFUNCTION)
    parl_env_refuse(L, "document", "must be a function(rng, params), not %s", luaL_typename(L, -1));
  lua_Debug about;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">u", &about);
  env->takes_augment = about.nparams >= 3 || about.isvararg;
  env->document = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* parl.source{...}. Upvalue 1: the parl_env. */
static int declare(lua_State *L) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_SOURCE_LIST(X)
#undef X
  };
  parl_env *env = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_checkstack(L, 40, NULL);
  if (env->speaks == NULL)
    parl_env_refuse(L, "parl.source",
                    "this file is loaded as an environment; a source is named in a recipe's "
                    "`sources`");
  if (env->declared) parl_env_refuse(L, "parl.source", "a file declares one source");
  parl_env_check_keys(L, 1, "", keys, sizeof keys / sizeof keys[0]);
  if (lua_getfield(L, 1, "name") != LUA_TSTRING || parl_env_get_name(L, -1) == NULL)
    parl_env_refuse_name(L, -1, "name");
  env->spec.name = parl_env_keep(L, env, -1);
  if (lua_getfield(L, 1, "summary") != LUA_TSTRING)
    parl_env_refuse(L, "summary", "must be a string, not %s", luaL_typename(L, -1));
  env->spec.summary = parl_env_keep_line(L, env, "summary");
  parl_env_read_settings(L, env);
  read_document(L, env);
  lua_pushvalue(L, 1);
  env->declaration = luaL_ref(L, LUA_REGISTRYINDEX);
  env->declared = true;
  return 1;
}

void parl_env_push_source(lua_State *L, parl_env *env) {
  lua_pushlightuserdata(L, env);
  lua_pushcclosure(L, declare, 1);
}

void parl_env_speak(lua_State *L, parl_env *env, const parl_env *of) {
  const parl_env_spec own = env->spec;
  env->spec = of->spec;
  env->spec.name = env->spec.summary = "";
  env->spec.path = own.path;
  memcpy(env->spec.script_hash, own.script_hash, sizeof own.script_hash);
  env->spec.n_styles = 0;
  env->spec.has_legal = env->spec.has_summarize = false;
  env->token_names = of->token_names;
  env->n_aliases = of->n_aliases;
  memcpy(env->aliases, of->aliases, sizeof env->aliases);
  for (int i = 0; i < PARL_N_CALLBACKS; i++) env->callback[i] = LUA_NOREF;
  for (int i = 0; i < PARL_ENV_MAX_TOOLS; i++) env->run[i] = LUA_NOREF;
  parl_env_fill_tok(L, env);
}

/* --- documents --- */

typedef struct reading {
  parl_env *env;
  const parl_document_room *room;
  size_t n, n_learnt;
} reading;

static parl_status breach(const reading *r, const char *text) {
  return parl_env_breach(r->env, r->env->document, "document", "%s", text);
}

/* The list at index, number k of what `document` returned. */
static parl_status read_list(reading *r, int index, int k) {
  lua_State *L = r->env->L;
  const bool is_learnt = k % 2 == 0;
  if (!lua_istable(L, index))
    return parl_env_breach(r->env, r->env->document, "document",
                           "value %d is a %s; it returns lists of tokens, in turn read and learnt",
                           k, luaL_typename(L, index));
  const int top = lua_gettop(L), list = parl_freeze_unwrap(L, index) ? lua_gettop(L) : index;
  const lua_Unsigned length = lua_rawlen(L, list);
  for (lua_Unsigned i = 1; i <= length; i++) {
    const size_t from = r->n;
    lua_rawgeti(L, list, (lua_Integer)i);
    const bool is_image = parl_image_object_get(L, -1) != NULL;
    if (is_image && is_learnt)
      return breach(r, "an image stands in a list that is learnt; nothing predicts one");
    if (is_image && r->env->n_shown == PARL_ENV_MAX_SHOWN)
      return parl_env_breach(r->env, r->env->document, "document", "more than %d images",
                             (int)PARL_ENV_MAX_SHOWN);
    PARL_TRY(parl_env_read_token(r->env, r->env->document, "document", (int)i, lua_gettop(L), 0,
                                 r->room->tokens, r->room->max, &r->n));
    lua_pop(L, 1);
    memset(r->room->learnt + from, is_learnt, r->n - from);
    r->n_learnt += is_learnt;
  }
  lua_settop(L, top);
  return PARL_STATUS_OK;
}

static parl_status read_lists(reading *r, int base) {
  const int n = lua_gettop(r->env->L) - base;
  if (!lua_checkstack(r->env->L, 64)) return breach(r, "returned too many values");
  for (int k = 1; k <= n; k++) PARL_TRY(read_list(r, base + k, k));
  if (r->n_learnt > 0) return PARL_STATUS_OK;
  return breach(r, "no token is learnt: the second list and every other one after it are");
}

typedef struct call {
  parl_env *env;
  uint64_t seed;
} call;

/* Runs document(rng, params, augment): [call] -> [lists]. */
static int call_body(lua_State *L) {
  const call *c = lua_touserdata(L, 1);
  parl_env *env = c->env;
  parl_rng_object *rng = parl_env_push_rng(L, env, c->seed, 3, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->document);
  lua_pushvalue(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->params_table);
  parl_env_push_augment(L, env);
  lua_call(L, 3, LUA_MULTRET);
  rng->mode = PARL_RNG_FORBIDDEN;
  return lua_gettop(L) - 2;
}

bool parl_env_takes_augment(const parl_env *env) {
  return env->takes_augment;
}

const parl_transform *parl_env_get_transform(const parl_env *env) {
  return env->is_bound ? &env->bound : NULL;
}

parl_status parl_env_document(parl_env *env, uint64_t seed, const parl_augment *augment,
                              const parl_document_room *room, size_t *n) {
  PARL_REQUIRE(env->speaks != NULL && room->max >= 1);
  call c = {env, seed};
  reading r = {.env = env, .room = room};
  const int base = lua_gettop(env->L);
  PARL_TRY(parl_env_check_variables(env));
  parl_env_forget_shown(env);
  env->augment = augment;
  env->is_bound = false;
  lua_pushcfunction(env->L, call_body);
  lua_pushlightuserdata(env->L, &c);
  parl_status s = parl_sandbox_call(env->sandbox, 1, LUA_MULTRET);
  env->augment = NULL;
  if (s == PARL_STATUS_OK) s = read_lists(&r, base);
  lua_settop(env->L, base);
  PARL_TRY(parl_fail_context(s, "document of seed %llu", (unsigned long long)seed));
  *n = r.n;
  return PARL_STATUS_OK;
}
