/* lua/env_optimum.c - reading what `optimum` returned. */
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

static const char *const kind_texts[] = {
#define X(name, text) text,
    PARL_OPTIMUM_KIND_LIST(X)
#undef X
};

const char *parl_optimum_kind_text(parl_optimum_kind kind) {
  return kind_texts[kind];
}

parl_optimum_kind parl_optimum_kind_find(const char *text) {
  int kind = 0;
  while (kind < PARL_N_OPTIMUM_KINDS && strcmp(kind_texts[kind], text) != 0) kind++;
  return (parl_optimum_kind)kind;
}

/* What is wrong with field `key` of the result of `optimum`, whose value is at the top. */
static parl_status refuse_optimum(parl_env *env, const char *key, const char *due) {
  lua_State *L = env->L;
  char text[64];
  if (lua_isinteger(L, -1))
    snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, -1));
  else if (lua_type(L, -1) == LUA_TNUMBER)
    snprintf(text, sizeof text, "%.17g", parl_env_drop_nan_sign(lua_tonumber(L, -1)));
  else
    snprintf(text, sizeof text, "a %s", luaL_typename(L, -1));
  return parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum", "%s is %s; %s", key, text,
                         due);
}

/* Steps at the top. */
static parl_status read_steps(parl_env *env, const char *key, int64_t *out) {
  const lua_Integer n = lua_isinteger(env->L, -1) ? lua_tointeger(env->L, -1) : -1;
  if (n < 0 || n > PARL_ENV_MAX_STEPS) {
    char due[64];
    snprintf(due, sizeof due, "an integer from 0, at most %lld", (long long)PARL_ENV_MAX_STEPS);
    return refuse_optimum(env, key, due);
  }
  *out = n;
  return PARL_STATUS_OK;
}

/* Sub-agents at the top. */
static parl_status read_width(parl_env *env, int64_t *out) {
  const int most = env->spec.limits.max_width;
  const lua_Integer n = lua_isinteger(env->L, -1) ? lua_tointeger(env->L, -1) : -1;
  if (n < 0 || n > most) {
    char due[64];
    snprintf(due, sizeof due, "an integer from 0 to limits.max_width, %d", most);
    return refuse_optimum(env, "width", due);
  }
  *out = n;
  return PARL_STATUS_OK;
}

/* What it is, at the top. */
static parl_status read_kind(parl_env *env, parl_optimum_kind *out) {
  const bool is_text = lua_type(env->L, -1) == LUA_TSTRING;
  *out = is_text ? parl_optimum_kind_find(lua_tostring(env->L, -1)) : PARL_N_OPTIMUM_KINDS;
  if (*out != PARL_OPTIMUM_UNSTATED && *out != PARL_N_OPTIMUM_KINDS) return PARL_STATUS_OK;
  return parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum",
                         "is = '%.60s'; \"exact\", \"expected\" or \"bound\" is due",
                         is_text ? lua_tostring(env->L, -1) : luaL_typename(env->L, -1));
}

/* The field whose name is at -2 and whose value at -1. Bits of *seen: 1, 2, 4 for what must be
 * there, 8 for bound = true, 16 for bound = false. */
static parl_status read_optimum_field(parl_env *env, parl_env_optimum *o, int *seen) {
  static const char *const known[] = {
#define X(name, type, doc) #name,
      PARL_OPTIMUM_LIST(X)
#undef X
  };
  lua_State *L = env->L;
  const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
  if (strcmp(key, "critical") == 0) {
    *seen |= 1;
    return read_steps(env, key, &o->critical_steps);
  }
  if (strcmp(key, "serial") == 0) {
    *seen |= 2;
    return read_steps(env, key, &o->serial_steps);
  }
  if (strcmp(key, "r_perf") == 0) {
    o->r_perf = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    *seen |= 4;
    return o->r_perf >= 0 && o->r_perf <= 1 ? PARL_STATUS_OK
                                            : refuse_optimum(env, key, "a number from 0 to 1");
  }
  if (strcmp(key, "width") == 0) return read_width(env, &o->width);
  if (strcmp(key, "is") == 0) return read_kind(env, &o->is);
  if (strcmp(key, "bound") == 0) {
    *seen |= lua_toboolean(L, -1) ? 8 : 16;
    return lua_isboolean(L, -1) ? PARL_STATUS_OK : refuse_optimum(env, key, "true or false");
  }
  const char *near = parl_nearest(key, known, sizeof known / sizeof known[0]);
  return parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum",
                         "unknown field '%.60s'%s%s%s", key, near ? " (did you mean '" : "",
                         near ? near : "", near ? "'?)" : "");
}

/* `bound` is the older way to say "bound". */
static parl_status settle_kind(parl_env *env, int seen, parl_env_optimum *o) {
  const bool says_bound = o->is == PARL_OPTIMUM_BOUND;
  if (o->is != PARL_OPTIMUM_UNSTATED && (seen & (says_bound ? 16 : 8)) != 0)
    return parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum",
                           "is = '%s' and bound = %s contradict each other",
                           parl_optimum_kind_text(o->is), says_bound ? "false" : "true");
  if (seen & 8) o->is = PARL_OPTIMUM_BOUND;
  return PARL_STATUS_OK;
}

parl_status parl_env_read_optimum(parl_env *env, parl_env_optimum *out) {
  lua_State *L = env->L;
  const int table = lua_gettop(L);
  parl_env_optimum o = {.width = -1};
  int seen = 0;
  if (parl_freeze_unwrap(L, table)) lua_replace(L, table);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
    PARL_TRY(read_optimum_field(env, &o, &seen));
  if ((seen & 7) != 7)
    return parl_env_breach(env, PARL_ENV_CALLBACK(env, optimum), "optimum",
                           "must return {critical=steps, serial=steps, r_perf=0..1}; %s is missing",
                           !(seen & 1)   ? "critical"
                           : !(seen & 2) ? "serial"
                                         : "r_perf");
  PARL_TRY(settle_kind(env, seen, &o));
  *out = o;
  return PARL_STATUS_OK;
}
