/* lua/env_families.c - families = {...}: sizes, words, and second names.
 *
 * A table, or a function of the parameters that gives one: `row = 64`, `word = {"ok", "miss"}`,
 * `node = "row"` (another name of family `row`, without tokens of its own). */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"

/* [size or list of words] -> []. */
static void read_family(lua_State *L, parl_env *env, parl_family *f) {
  char place[64];
  snprintf(place, sizeof place, "families.%s", f->name);
  if (lua_isinteger(L, -1)) {
    const lua_Integer n = lua_tointeger(L, -1);
    if (n < 1 || n > PARL_ENV_MAX_VOCABULARY)
      parl_env_refuse(L, place, "%lld values: 1 to %d", (long long)n, PARL_ENV_MAX_VOCABULARY);
    f->n = (int)n;
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1) || lua_rawlen(L, -1) < 1)
    parl_env_refuse(L, place, "must be a number of values or a list of words");
  const int room = lua_rawlen(L, -1) <= 256 ? (int)lua_rawlen(L, -1) : 256;
  const char **words = parl_env_take(L, env, (size_t)room, sizeof *words);
  f->n = parl_env_read_names(L, env, place, words, room);
  f->words = words;
}

static const char *keep_name(lua_State *L, parl_env *env, const char *name) {
  lua_pushstring(L, name);
  const char *kept = parl_env_keep(L, env, -1);
  lua_pop(L, 1);
  return kept;
}

/* The families that have tokens, of the table at index `table`. */
static void read_own(lua_State *L, parl_env *env, int table, const char *const *names, int n) {
  for (int i = 0; i < n; i++) {
    if (lua_getfield(L, table, names[i]) == LUA_TSTRING) {
      lua_pop(L, 1);
      continue;
    }
    if (env->spec.n_families == PARL_ENV_MAX_FAMILIES)
      parl_env_refuse(L, "families", "more than %d entries", PARL_ENV_MAX_FAMILIES);
    parl_family *f = &env->spec.families[env->spec.n_families++];
    f->name = keep_name(L, env, names[i]);
    read_family(L, env, f);
  }
}

static void read_aliases(lua_State *L, parl_env *env, int table, const char *const *names, int n) {
  parl_family_alias found[PARL_ENV_MAX_ALIASES];
  int n_found = 0;
  for (int i = 0; i < n; i++) {
    if (lua_getfield(L, table, names[i]) == LUA_TSTRING) {
      char place[64];
      snprintf(place, sizeof place, "families.%s", names[i]);
      if (n_found == PARL_ENV_MAX_ALIASES)
        parl_env_refuse(L, place, "more than %d second names", PARL_ENV_MAX_ALIASES);
      const char *name = keep_name(L, env, names[i]);
      found[n_found++] =
          (parl_family_alias){name, parl_env_find_family(L, env, place, lua_tostring(L, -1))};
    }
    lua_pop(L, 1);
  }
  memcpy(env->aliases, found, sizeof found[0] * (size_t)n_found);
  env->n_aliases = n_found;
}

void parl_env_read_families(lua_State *L, parl_env *env) {
  enum { MAX_NAMES = PARL_ENV_MAX_FAMILIES + PARL_ENV_MAX_ALIASES };
  const char *names[MAX_NAMES];
  if (lua_isfunction(L, -1)) {
    parl_env_push_params(L, env);
    lua_call(L, 1, 1);
  }
  const int table = lua_gettop(L);
  if (!lua_istable(L, table))
    parl_env_refuse(L, "families", "must be a table, or a function(params) that gives one, not %s",
                    luaL_typename(L, table));
  const int n = parl_env_sort_keys(L, table, "families", names, MAX_NAMES);
  read_own(L, env, table, names, n);
  read_aliases(L, env, table, names, n);
  lua_settop(L, table - 1);
}

int parl_env_find_family(lua_State *L, const parl_env *env, const char *place, const char *name) {
  const char *names[PARL_ENV_MAX_FAMILIES + PARL_ENV_MAX_ALIASES];
  const int n = env->spec.n_families;
  for (int i = 0; i < n; i++) {
    names[i] = env->spec.families[i].name;
    if (strcmp(names[i], name) == 0) return i;
  }
  for (int i = 0; i < env->n_aliases; i++) {
    names[n + i] = env->aliases[i].name;
    if (strcmp(names[n + i], name) == 0) return env->aliases[i].family;
  }
  const char *near = parl_nearest(name, names, (size_t)(n + env->n_aliases));
  if (near) parl_env_refuse(L, place, "unknown family '%s' (did you mean '%s'?)", name, near);
  parl_env_refuse(L, place, "unknown family '%s'", name);
}
