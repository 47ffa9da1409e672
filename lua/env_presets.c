/* lua/env_presets.c - presets = {easy = {rows_max = 6}, ...}: named settings of the parameters.
 *
 * They make one more parameter, `preset`: a choice of "default" and the names. It sets what the
 * other parameters are where a recipe does not set them itself. */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/env_internal.h"

/* [value] -> []. The value as params keeps it. */
static double read_value(lua_State *L, const char *place, const parl_param *p) {
  double x = 0;
  const int type = lua_type(L, -1);
  if (p->type == PARL_PARAM_CHOICE) {
    x = type == LUA_TSTRING ? parl_env_find_choice(p, lua_tostring(L, -1)) : -1;
    if (x < 0) parl_env_refuse(L, place, "must be one of the words of choice");
  } else if (p->type == PARL_PARAM_BOOLEAN) {
    if (type != LUA_TBOOLEAN) parl_env_refuse(L, place, "must be true or false");
    x = lua_toboolean(L, -1);
  } else {
    if (type != LUA_TNUMBER || (p->type == PARL_PARAM_INTEGER && !lua_isinteger(L, -1)))
      parl_env_refuse(L, place, "must be %s",
                      p->type == PARL_PARAM_INTEGER ? "an integer" : "a number");
    x = lua_tonumber(L, -1);
    if (!(x >= p->low && x <= p->high))
      parl_env_refuse(L, place, "%g is outside %g to %g", x, p->low, p->high);
  }
  lua_pop(L, 1);
  return x;
}

/* [table of parameters] -> []. */
static void read_preset(lua_State *L, parl_env *env, const char *name) {
  const char *names[PARL_ENV_MAX_PARAMS], *known[PARL_ENV_MAX_PARAMS];
  char place[128];
  const int table = lua_gettop(L);
  snprintf(place, sizeof place, "presets.%s", name);
  if (!lua_istable(L, table)) parl_env_refuse(L, place, "must be a table of parameters");
  for (int i = 0; i < env->n_params; i++) known[i] = env->params[i].name;
  parl_env_check_keys(L, table, place, known, (size_t)env->n_params);
  const int n = parl_env_sort_keys(L, table, place, names, PARL_ENV_MAX_PARAMS);
  parl_preset *preset = &env->presets[env->n_presets++];
  preset->name = name;
  for (int i = 0; i < n; i++) {
    const int k = parl_env_find_param(env, names[i]);
    snprintf(place, sizeof place, "presets.%s.%s", name, names[i]);
    lua_getfield(L, table, names[i]);
    preset->sets[k] = true;
    preset->values[k] = read_value(L, place, &env->params[k]);
  }
  lua_settop(L, table - 1);
}

/* The parameter `preset`, at its place in the order of names: parameters after it move by one. */
static void add_param(lua_State *L, parl_env *env) {
  int place = 0;
  while (place < env->n_params && strcmp(env->params[place].name, "preset") < 0) place++;
  if (env->n_params == PARL_ENV_MAX_PARAMS)
    parl_env_refuse(L, "presets", "more than %d parameters", PARL_ENV_MAX_PARAMS - 1);
  const size_t n_moved = (size_t)(env->n_params - place);
  memmove(&env->params[place + 1], &env->params[place], n_moved * sizeof env->params[0]);
  for (int i = 0; i < env->n_presets; i++) {
    parl_preset *p = &env->presets[i];
    memmove(&p->sets[place + 1], &p->sets[place], n_moved * sizeof p->sets[0]);
    memmove(&p->values[place + 1], &p->values[place], n_moved * sizeof p->values[0]);
    p->sets[place] = false;
  }
  env->n_params++;
  parl_param *p = &env->params[place];
  *p = (parl_param){.name = "preset",
                    .doc = "named setting: what the other parameters are where they are not set",
                    .type = PARL_PARAM_CHOICE,
                    .high = env->n_presets};
  p->choices[p->n_choices++] = "default";
  for (int i = 0; i < env->n_presets; i++) p->choices[p->n_choices++] = env->presets[i].name;
}

void parl_env_read_presets(lua_State *L, parl_env *env) {
  const char *names[PARL_ENV_MAX_CHOICES];
  const int table = lua_gettop(L);
  if (parl_env_find_param(env, "preset") >= 0)
    parl_env_refuse(L, "params.preset", "that name belongs to `presets`");
  const int n = parl_env_sort_keys(L, table, "presets", names, PARL_ENV_MAX_CHOICES - 1);
  for (int i = 0; i < n; i++) {
    if (strcmp(names[i], "default") == 0)
      parl_env_refuse(L, "presets.default", "`params` has the defaults");
    lua_pushstring(L, names[i]);
    const char *kept = parl_env_keep(L, env, -1);
    lua_pop(L, 1);
    lua_getfield(L, table, names[i]);
    read_preset(L, env, kept);
  }
  add_param(L, env);
  lua_settop(L, table - 1);
}

/* Nothing of the preset would be left. */
static parl_status refuse_preset(const parl_env *env, const parl_preset *preset) {
  parl_text names = {0};
  for (int i = 0; i < env->n_params; i++)
    if (preset->sets[i])
      parl_text_appendf(&names, "%s%s", names.n > 0 ? ", " : "", env->params[i].name);
  const parl_status s =
      parl_fail(PARL_STATUS_EINVAL,
                "env.params.preset = \"%s\" changes nothing: all that it sets (%s) is set beside "
                "it; leave one out, or give all parameters anew with "
                "--set 'env.params={\"preset\": \"%s\"}'",
                preset->name, parl_text_get(&names), preset->name);
  parl_text_deinit(&names);
  return s;
}

/* Every parameter is given, as parl_env_get_params writes them: then the preset is but a name. */
static bool is_complete(const parl_env *env, const parl_json *params) {
  for (int i = 0; i < env->n_params; i++)
    if (parl_json_find(params, env->params[i].name) == NULL) return false;
  return true;
}

parl_status parl_env_apply_preset(parl_env *env, const parl_json *params) {
  const int place = parl_env_find_param(env, "preset");
  const parl_json *value = parl_json_find(params, "preset");
  if (env->n_presets == 0 || value == NULL) return PARL_STATUS_OK;
  const char *word = parl_json_get_string(value);
  const int chosen = word ? parl_env_find_choice(&env->params[place], word) : -1;
  if (chosen <= 0) return PARL_STATUS_OK; /* the default, or a word that will be refused */
  const parl_preset *preset = &env->presets[chosen - 1];
  int n_left = 0, n_set = 0;
  for (int i = 0; i < env->n_params; i++) {
    if (!preset->sets[i]) continue;
    env->params[i].value = preset->values[i];
    n_set++;
    n_left += parl_json_find(params, env->params[i].name) == NULL;
  }
  if (n_set == 0 || n_left > 0 || is_complete(env, params)) return PARL_STATUS_OK;
  return refuse_preset(env, preset);
}

void parl_env_append_preset_exceptions(const parl_env *env, parl_text *out) {
  const int place = parl_env_find_param(env, "preset");
  const int chosen = env->n_presets > 0 ? (int)env->params[place].value : 0;
  if (chosen == 0) return;
  const parl_preset *preset = &env->presets[chosen - 1];
  bool is_first = true;
  for (int i = 0; i < env->n_params; i++) {
    if (!preset->sets[i] || env->params[i].value == preset->values[i]) continue;
    parl_text_appendf(out, "%s%s", is_first ? "" : ", ", env->params[i].name);
    is_first = false;
  }
}
