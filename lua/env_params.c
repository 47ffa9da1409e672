/* lua/env_params.c - an environment's parameters: declared in Lua, set by recipe, read by reset. */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

static double read_bound(lua_State *L, int table, const char *place, const char *key) {
  lua_getfield(L, table, key);
  if (lua_type(L, -1) != LUA_TNUMBER || !isfinite(lua_tonumber(L, -1)))
    parl_env_refuse(L, place, "%s must be a number", key);
  const double x = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return x;
}

/* default (a number) at the top. */
static void read_number(lua_State *L, int table, const char *place, parl_param *p) {
  p->type = lua_isinteger(L, -1) ? PARL_PARAM_INTEGER : PARL_PARAM_NUMBER;
  p->initial = lua_tonumber(L, -1);
  p->low = read_bound(L, table, place, "min");
  p->high = read_bound(L, table, place, "max");
  if (!(p->initial >= p->low && p->initial <= p->high))
    parl_env_refuse(L, place, "default %g is outside %g to %g", p->initial, p->low, p->high);
  if (p->type == PARL_PARAM_INTEGER && (p->low != floor(p->low) || p->high != floor(p->high) ||
                                        fabs(p->low) >= 0x1p53 || fabs(p->high) >= 0x1p53))
    parl_env_refuse(L, place, "min and max of an integer must be integers below 2^53");
}

int parl_env_find_choice(const parl_param *p, const char *s) {
  for (int i = 0; i < p->n_choices; i++)
    if (strcmp(p->choices[i], s) == 0) return i;
  return -1;
}

/* choice (a list of words) and then default (a word) at the top. */
static void read_choice(lua_State *L, parl_env *env, const char *place, parl_param *p) {
  const int list = lua_gettop(L) - 1;
  const lua_Unsigned n = lua_rawlen(L, list);
  if (n < 1 || n > PARL_ENV_MAX_CHOICES)
    parl_env_refuse(L, place, "choice lists 1 to %d words", PARL_ENV_MAX_CHOICES);
  p->type = PARL_PARAM_CHOICE;
  for (lua_Unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    if (parl_env_get_name(L, -1) == NULL) {
      char here[160];
      snprintf(here, sizeof here, "%s.choice[%d]", place, (int)i + 1);
      parl_env_refuse_name(L, -1, here);
    }
    p->choices[p->n_choices++] = parl_env_keep(L, env, -1);
    lua_pop(L, 1);
  }
  const int chosen =
      lua_type(L, -1) == LUA_TSTRING ? parl_env_find_choice(p, lua_tostring(L, -1)) : -1;
  if (chosen < 0) parl_env_refuse(L, place, "default must be one of the words of choice");
  p->initial = chosen;
}

/* [definition] -> []. */
static void read_param(lua_State *L, parl_env *env, const char *name) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_PARAM_LIST(X)
#undef X
  };
  char place[128];
  snprintf(place, sizeof place, "params.%s", name);
  const int table = lua_gettop(L);
  if (!lua_istable(L, table)) parl_env_refuse(L, place, "must be a table {default=...}");
  parl_env_check_keys(L, table, place, keys, sizeof keys / sizeof keys[0]);
  parl_param *p = &env->params[env->n_params];
  *p = (parl_param){.name = name, .doc = ""};
  lua_getfield(L, table, "doc");
  if (lua_type(L, -1) == LUA_TSTRING)
    p->doc = parl_env_keep_line(L, env, place);
  else if (!lua_isnil(L, -1))
    parl_env_refuse(L, place, "doc must be a string");
  const bool has_choice = lua_getfield(L, table, "choice") != LUA_TNIL;
  if (has_choice && !lua_istable(L, -1)) parl_env_refuse(L, place, "choice must be a list");
  lua_getfield(L, table, "default");
  if (has_choice) {
    read_choice(L, env, place, p);
  } else if (lua_type(L, -1) == LUA_TNUMBER) {
    read_number(L, table, place, p);
  } else if (lua_isboolean(L, -1)) {
    p->type = PARL_PARAM_BOOLEAN;
    p->initial = lua_toboolean(L, -1);
    p->high = 1;
  } else {
    parl_env_refuse(L, place, "default must be a number, a boolean, or one of `choice`");
  }
  p->value = p->initial;
  env->n_params++;
  lua_settop(L, table - 1);
}

void parl_env_read_params(lua_State *L, parl_env *env) {
  const char *names[PARL_ENV_MAX_PARAMS];
  const int table = lua_gettop(L);
  const int n = parl_env_sort_keys(L, table, "params", names, PARL_ENV_MAX_PARAMS);
  for (int i = 0; i < n; i++) {
    lua_getfield(L, table, names[i]);
    lua_pushstring(L, names[i]);
    const char *name = parl_env_keep(L, env, -1);
    lua_pop(L, 1);
    read_param(L, env, name);
  }
  lua_settop(L, table - 1);
}

static parl_status set_number(parl_param *p, const parl_json *value) {
  const double x = parl_json_get_number(value);
  if (parl_json_get_type(value) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EINVAL, "env parameter '%s' must be a number, not a %s", p->name,
                     parl_json_type_name(parl_json_get_type(value)));
  if (!(x >= p->low && x <= p->high))
    return parl_fail(PARL_STATUS_EINVAL, "env parameter '%s' is %g, outside %g to %g", p->name, x,
                     p->low, p->high);
  if (p->type == PARL_PARAM_INTEGER && x != floor(x))
    return parl_fail(PARL_STATUS_EINVAL, "env parameter '%s' is %g, not an integer", p->name, x);
  p->value = x;
  return PARL_STATUS_OK;
}

static parl_status set_choice(parl_param *p, const parl_json *value) {
  const char *word = parl_json_get_string(value);
  const int chosen = word ? parl_env_find_choice(p, word) : -1;
  if (chosen >= 0) {
    p->value = chosen;
    return PARL_STATUS_OK;
  }
  const char *near = word ? parl_nearest(word, p->choices, (size_t)p->n_choices) : NULL;
  return parl_fail(PARL_STATUS_EINVAL, "env parameter '%s' is %s; known: %s%s%s", p->name,
                   word ? word : "no string", p->choices[0], near ? "..., nearest: " : ", ...",
                   near ? near : "");
}

static parl_status set_param(parl_param *p, const parl_json *value) {
  if (p->type == PARL_PARAM_CHOICE) return set_choice(p, value);
  if (p->type != PARL_PARAM_BOOLEAN) return set_number(p, value);
  if (parl_json_get_type(value) != PARL_JSON_BOOL)
    return parl_fail(PARL_STATUS_EINVAL, "env parameter '%s' must be true or false, not a %s",
                     p->name, parl_json_type_name(parl_json_get_type(value)));
  p->value = parl_json_get_bool(value);
  return PARL_STATUS_OK;
}

int parl_env_find_param(const parl_env *env, const char *name) {
  for (int i = 0; i < env->n_params; i++)
    if (strcmp(env->params[i].name, name) == 0) return i;
  return -1;
}

static parl_status set_by_name(parl_env *env, const parl_json *value) {
  const char *name = parl_json_get_key(value);
  const char *names[PARL_ENV_MAX_PARAMS];
  const int place = parl_env_find_param(env, name);
  if (place >= 0) return set_param(&env->params[place], value);
  for (int i = 0; i < env->n_params; i++) names[i] = env->params[i].name;
  const char *near = parl_nearest(name, names, (size_t)env->n_params);
  return parl_fail(PARL_STATUS_EINVAL, "%s '%s' has no parameter '%s'%s%s%s",
                   env->speaks != NULL ? "source" : "environment", env->spec.name, name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static void append_value(parl_text *out, const parl_param *p, double x) {
  if (p->type == PARL_PARAM_CHOICE)
    parl_text_appendf(out, "\"%s\"", p->choices[(int)x]);
  else if (p->type == PARL_PARAM_BOOLEAN)
    parl_text_append(out, x != 0 ? "true" : "false");
  else if (x == floor(x) && fabs(x) <= 0x1p53)
    parl_text_appendf(out, "%.0f", x);
  else
    parl_text_appendf(out, "%.17g", x);
}

static parl_status set_all(parl_env *env, const parl_json *params) {
  if (params == NULL) return PARL_STATUS_OK;
  if (parl_json_get_type(params) != PARL_JSON_OBJECT)
    return parl_fail(PARL_STATUS_EINVAL, "env parameters must be an object, not a %s",
                     parl_json_type_name(parl_json_get_type(params)));
  PARL_TRY(parl_env_apply_preset(env, params));
  const parl_json *child = parl_json_get_first(params);
  for (; child; child = parl_json_get_next(child)) PARL_TRY(set_by_name(env, child));
  return PARL_STATUS_OK;
}

parl_status parl_env_apply_params(parl_env *env) {
  PARL_TRY(set_all(env, env->wanted));
  parl_text *out = &env->params_json;
  for (int i = 0; i < env->n_params; i++) {
    parl_text_appendf(out, "%s\"%s\":", i ? "," : "{", env->params[i].name);
    append_value(out, &env->params[i], env->params[i].value);
  }
  parl_text_append(out, env->n_params ? "}" : "{}");
  return parl_text_status(out);
}

void parl_env_push_params(lua_State *L, const parl_env *env) {
  lua_createtable(L, 0, env->n_params);
  for (int i = 0; i < env->n_params; i++) {
    const parl_param *p = &env->params[i];
    if (p->type == PARL_PARAM_CHOICE)
      lua_pushstring(L, p->choices[(int)p->value]);
    else if (p->type == PARL_PARAM_BOOLEAN)
      lua_pushboolean(L, p->value != 0);
    else if (p->type == PARL_PARAM_INTEGER)
      lua_pushinteger(L, (lua_Integer)p->value);
    else
      lua_pushnumber(L, p->value);
    lua_setfield(L, -2, p->name);
  }
  parl_sandbox_make_strict(L, "params");
  parl_freeze_wrap(L, "params", "a recipe sets parameters, a script reads them");
}

void parl_env_append_params_help(const parl_env *env, parl_text *out) {
  static const char *const types[] = {"integer", "number", "boolean", "choice"};
  parl_text_append(out, "| parameter | type | default | range | meaning |\n");
  parl_text_append(out, "|---|---|---|---|---|\n");
  for (int i = 0; i < env->n_params; i++) {
    const parl_param *p = &env->params[i];
    parl_text_appendf(out, "| `%s` | %s | ", p->name, types[p->type]);
    append_value(out, p, p->initial);
    parl_text_append(out, " | ");
    if (p->type == PARL_PARAM_CHOICE)
      for (int k = 0; k < p->n_choices; k++)
        parl_text_appendf(out, "%s%s", k ? ", " : "", p->choices[k]);
    else if (p->type == PARL_PARAM_BOOLEAN)
      parl_text_append(out, "true, false");
    else
      parl_text_appendf(out, "%g to %g", p->low, p->high);
    parl_text_appendf(out, " | %s |\n", p->doc);
  }
}
