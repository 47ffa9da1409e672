/* lua/env_vocabulary.c - tokens of an environment: control, tools, roles, families, images, in
 * order. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

static const char *const control_names[] = {
#define X(name, text) text,
    PARL_TOKEN_LIST(X)
#undef X
};

static const char *const media_names[] = {
#define X(name, text) text,
    PARL_MEDIA_TOKEN_LIST(X)
#undef X
};

static int add_token(lua_State *L, parl_env *env, const char *name) {
  parl_env_spec *spec = &env->spec;
  if (spec->n_tokens >= PARL_ENV_MAX_VOCABULARY)
    parl_env_refuse(L, "families", "more than %d tokens", PARL_ENV_MAX_VOCABULARY);
  for (int i = 0; i < spec->n_tokens; i++)
    if (strcmp(env->token_names[i], name) == 0)
      parl_env_refuse(L, "", "the name '%s' is taken already", name);
  env->token_names[spec->n_tokens] = name;
  return spec->n_tokens++;
}

static void add_family(lua_State *L, parl_env *env, parl_family *f) {
  f->first_token = env->spec.n_tokens;
  for (int i = 0; i < f->n; i++) {
    char name[96];
    if (f->words)
      snprintf(name, sizeof name, "%s:%s", f->name, f->words[i]);
    else
      snprintf(name, sizeof name, "%s:%d", f->name, i + 1);
    lua_pushstring(L, name);
    const char *kept = parl_env_keep(L, env, -1);
    lua_pop(L, 1);
    if (env->spec.n_tokens >= PARL_ENV_MAX_VOCABULARY)
      parl_env_refuse(L, "families", "more than %d tokens", PARL_ENV_MAX_VOCABULARY);
    env->token_names[env->spec.n_tokens++] = kept; /* unique: names of families are */
  }
}

static void hash_names(parl_env *env) {
  parl_hash hash;
  parl_hash_init(&hash);
  for (int i = 0; i < env->spec.n_tokens; i++)
    parl_hash_update(&hash, env->token_names[i], strlen(env->token_names[i]) + 1);
  parl_hash_finish(&hash, env->spec.vocab_hash);
}

/* parl.tok.<family>[value], and .<word>; an alias is the same table. */
void parl_env_fill_tok(lua_State *L, parl_env *env) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, env->tok);
  for (int i = 0; i < env->spec.n_families; i++) {
    const parl_family *f = &env->spec.families[i];
    lua_createtable(L, f->n, f->words ? f->n : 0);
    for (int k = 0; k < f->n; k++) {
      lua_pushinteger(L, f->first_token + k);
      lua_rawseti(L, -2, k + 1);
      if (f->words == NULL) continue;
      lua_pushinteger(L, f->first_token + k);
      lua_setfield(L, -2, f->words[k]);
    }
    lua_pushfstring(L, "parl.tok.%s", f->name);
    const char *name = parl_env_keep(L, env, -1);
    lua_pop(L, 1);
    parl_sandbox_make_strict(L, name);
    parl_freeze_wrap(L, "parl.tok", "tokens follow from `families`");
    lua_setfield(L, -2, f->name);
  }
  for (int i = 0; i < env->n_aliases; i++) {
    lua_getfield(L, -1, env->spec.families[env->aliases[i].family].name);
    lua_setfield(L, -2, env->aliases[i].name);
  }
  lua_pop(L, 1);
}

void parl_env_make_vocabulary(lua_State *L, parl_env *env) {
  parl_env_spec *spec = &env->spec;
  void *names = NULL;
  if (parl_arena_take(&env->arena, PARL_ENV_MAX_VOCABULARY, sizeof *env->token_names, &names) !=
      PARL_STATUS_OK)
    luaL_error(L, "not enough memory");
  env->token_names = names;
  for (int i = 0; i < PARL_N_CONTROL_TOKENS; i++) add_token(L, env, control_names[i]);
  for (int i = 0; i < spec->n_tools; i++)
    spec->tools[i].token = add_token(L, env, spec->tools[i].name);
  for (int i = 0; i < spec->n_roles; i++) spec->role_token[i] = add_token(L, env, spec->roles[i]);
  for (int i = 0; i < spec->n_families; i++) add_family(L, env, &spec->families[i]);
  spec->n_plain = spec->vision.first_token = spec->n_tokens;
  for (int i = 0; spec->vision.width > 0 && i < PARL_N_MEDIA_TOKENS; i++)
    add_token(L, env, media_names[i]);
  if (spec->vision.frames > 1) add_token(L, env, "video");
  hash_names(env);
  parl_env_fill_tok(L, env);
}

const char *parl_env_token_name(const parl_env *env, int token) {
  return token >= 0 && token < env->spec.n_tokens ? env->token_names[token] : "?";
}
