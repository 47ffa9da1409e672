/* lua/env_values.c - tokens and calls between C and Lua, checked on the way. */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

parl_status parl_env_breach(parl_env *env, int function_ref, const char *callback,
                            const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  lua_Debug about = {0};
  lua_rawgeti(env->L, LUA_REGISTRYINDEX, function_ref);
  if (!lua_isfunction(env->L, -1)) {
    lua_pop(env->L, 1);
    return parl_fail(PARL_STATUS_ESCRIPT, "%s: %s: %s", env->spec.path, callback, text);
  }
  lua_getinfo(env->L, ">S", &about);
  return parl_fail(PARL_STATUS_ESCRIPT, "%s:%d: %s: %s", env->spec.path, about.linedefined,
                   callback, text);
}

/* If the value at the top is a frozen table, the real one takes its place. */
static bool is_list(lua_State *L) {
  if (parl_freeze_unwrap(L, -1)) lua_replace(L, -2);
  return lua_istable(L, -1);
}

parl_status parl_env_read_tokens(parl_env *env, int function_ref, const char *callback,
                                 int32_t *tokens, size_t max, size_t *n) {
  lua_State *L = env->L;
  const int list = lua_gettop(L);
  if (!is_list(L)) {
    const char *type = luaL_typename(L, -1);
    lua_pop(L, 1);
    return parl_env_breach(env, function_ref, callback, "must return a list of tokens, not %s",
                           type);
  }
  const lua_Unsigned length = lua_rawlen(L, list);
  const size_t room = max < PARL_ENV_MAX_OBSERVATION ? max : PARL_ENV_MAX_OBSERVATION;
  if (length > room) {
    lua_pop(L, 1);
    return parl_env_breach(env, function_ref, callback, "returned %llu tokens; at most %zu",
                           (unsigned long long)length, room);
  }
  for (lua_Unsigned i = 0; i < length; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    const lua_Integer token = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
    if (token < 0 || token >= env->spec.n_tokens) {
      char text[64];
      if (lua_type(L, -1) == LUA_TNUMBER)
        snprintf(text, sizeof text, "%.17g", lua_tonumber(L, -1));
      else
        snprintf(text, sizeof text, "a %s", luaL_typename(L, -1));
      lua_settop(L, list - 1);
      return parl_env_breach(env, function_ref, callback,
                             "token %d is %s; a token is an integer, 0 to %d", (int)i + 1, text,
                             env->spec.n_tokens - 1);
    }
    tokens[i] = (int32_t)token;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  *n = (size_t)length;
  return PARL_STATUS_OK;
}

static parl_status refuse_value(const parl_env *env, const parl_tool *tool, int slot, int value) {
  const parl_family *f = &env->spec.families[tool->slots[slot].family];
  return parl_fail(PARL_STATUS_EINVAL, "%s: argument %d is %d; family '%s' has values 1 to %d",
                   tool->name, slot + 1, value, f->name, f->n);
}

parl_status parl_env_check_call(const parl_env *env, const parl_tool *signature,
                                const parl_call *call) {
  int count[PARL_ENV_MAX_SLOTS] = {0};
  if (call->n_values < 0 || call->n_values > PARL_ENV_MAX_VALUES)
    return parl_fail(PARL_STATUS_EINVAL, "%s: %d values; 0 to %d", signature->name, call->n_values,
                     PARL_ENV_MAX_VALUES);
  for (int i = 0; i < call->n_values; i++) {
    const int slot = call->slot[i];
    if (slot >= signature->n_slots || (i > 0 && slot < call->slot[i - 1]))
      return parl_fail(PARL_STATUS_EINVAL, "%s: value %d fills slot %d, out of order or of %d",
                       signature->name, i + 1, slot + 1, signature->n_slots);
    const parl_family *f = &env->spec.families[signature->slots[slot].family];
    if (call->values[i] < 1 || call->values[i] > f->n)
      return refuse_value(env, signature, slot, call->values[i]);
    count[slot]++;
  }
  for (int s = 0; s < signature->n_slots; s++)
    if (count[s] < 1 || count[s] > signature->slots[s].max)
      return parl_fail(PARL_STATUS_EINVAL, "%s: argument %d has %d values; 1 to %d",
                       signature->name, s + 1, count[s], signature->slots[s].max);
  return PARL_STATUS_OK;
}

int parl_env_push_arguments(lua_State *L, const parl_tool *signature, const parl_call *call) {
  int next = 0;
  for (int s = 0; s < signature->n_slots; s++) {
    if (!signature->slots[s].many) {
      lua_pushinteger(L, call->values[next++]);
      continue;
    }
    lua_createtable(L, call->n_values - next, 0);
    for (int i = 1; next < call->n_values && call->slot[next] == s; i++) {
      lua_pushinteger(L, call->values[next++]);
      lua_rawseti(L, -2, i);
    }
  }
  return signature->n_slots;
}

/* --- what an expert returns --- */

static parl_status expert_breach(parl_env *env, size_t call, const char *format, const char *name) {
  char text[256];
  snprintf(text, sizeof text, format, name);
  return parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert", "call %zu: %s",
                         call + 1, text);
}

static bool add_value(parl_call *call, int slot, lua_State *L, int index) {
  if (!lua_isinteger(L, index) || call->n_values >= PARL_ENV_MAX_VALUES) return false;
  const lua_Integer x = lua_tointeger(L, index);
  if (x < 1 || x > PARL_ENV_MAX_VOCABULARY) return false;
  call->values[call->n_values] = (int16_t)x;
  call->slot[call->n_values++] = (uint8_t)slot;
  return true;
}

/* The arguments from item `first` of the list at the top on. */
static bool read_arguments(lua_State *L, const parl_tool *signature, int first, parl_call *call) {
  if ((int)lua_rawlen(L, -1) != first - 1 + signature->n_slots) return false;
  for (int s = 0; s < signature->n_slots; s++) {
    bool good = true;
    lua_rawgeti(L, -1, first + s);
    if (!signature->slots[s].many) {
      good = add_value(call, s, L, -1);
    } else if ((good = is_list(L))) {
      const int n = (int)lua_rawlen(L, -1);
      for (int i = 1; i <= n && good; i++) {
        lua_rawgeti(L, -1, i);
        good = add_value(call, s, L, -1);
        lua_pop(L, 1);
      }
    }
    lua_pop(L, 1);
    if (!good) return false;
  }
  return true;
}

static int find_role(const parl_env *env, const char *name) {
  for (int i = 0; name && i < env->spec.n_roles; i++)
    if (strcmp(env->spec.roles[i], name) == 0) return i;
  return -1;
}

/* {"create_subagent", 1, "searcher"} or {"assign_task", 1, {3, 4}} at the top. */
static parl_status read_control(parl_env *env, size_t i, parl_call *call) {
  lua_State *L = env->L;
  lua_rawgeti(L, -1, 2);
  const lua_Integer name = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
  lua_pop(L, 1);
  if (name < 1 || name > PARL_MAX_AGENT_NAMES)
    return expert_breach(env, i, "the agent's name is a number, 1 to 8%s", "");
  call->agent_name = (int)name - 1;
  if (call->kind == PARL_CALL_ASSIGN) {
    if (!read_arguments(L, &env->spec.task, 3, call))
      return expert_breach(env, i, "arguments of %s do not fit `task`", "assign_task");
    return parl_env_check_call(env, &env->spec.task, call);
  }
  lua_rawgeti(L, -1, 3);
  call->role = lua_type(L, -1) == LUA_TSTRING ? find_role(env, lua_tostring(L, -1)) : -1;
  lua_pop(L, 1);
  if (call->role < 0 || lua_rawlen(L, -1) != 3)
    return expert_breach(env, i, "create_subagent takes a name and one of `roles`%s", "");
  return PARL_STATUS_OK;
}

static parl_status read_tool_call(parl_env *env, size_t i, const char *name, parl_call *call) {
  const char *names[PARL_ENV_MAX_TOOLS + 3] = {"create_subagent", "assign_task", "finish"};
  for (int t = 0; t < env->spec.n_tools; t++) {
    names[t + 3] = env->spec.tools[t].name;
    if (strcmp(env->spec.tools[t].name, name) != 0) continue;
    call->kind = PARL_CALL_TOOL;
    call->tool = t;
    if (!read_arguments(env->L, &env->spec.tools[t], 2, call))
      return expert_breach(env, i, "arguments of %s do not fit its `args`", name);
    return parl_env_check_call(env, &env->spec.tools[t], call);
  }
  const char *near = parl_nearest(name, names, (size_t)env->spec.n_tools + 3);
  return parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                         "call %zu: unknown tool '%s'%s%s%s", i + 1, name,
                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* The call at the top. */
static parl_status read_call(parl_env *env, size_t i, parl_call *call) {
  lua_State *L = env->L;
  call->tool = call->agent_name = call->role = call->n_values = 0;
  if (!is_list(L)) return expert_breach(env, i, "must be a list such as {\"finish\"}%s", "");
  lua_rawgeti(L, -1, 1);
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  lua_pop(L, 1); /* the list keeps the string */
  if (strcmp(name, "finish") == 0) {
    call->kind = PARL_CALL_FINISH;
    return PARL_STATUS_OK;
  }
  call->kind = strcmp(name, "create_subagent") == 0 ? PARL_CALL_CREATE : PARL_CALL_ASSIGN;
  if (call->kind == PARL_CALL_CREATE || strcmp(name, "assign_task") == 0)
    return read_control(env, i, call);
  return read_tool_call(env, i, name, call);
}

parl_status parl_env_read_calls(parl_env *env, parl_call *calls, size_t max, size_t *n) {
  lua_State *L = env->L;
  const int list = lua_gettop(L);
  const bool good = is_list(L);
  const lua_Unsigned length = good ? lua_rawlen(L, list) : 0;
  parl_status status = PARL_STATUS_OK;
  if (length < 1 || length > max)
    status = parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                             "must return a list of 1 to %zu calls", max);
  for (size_t i = 0; status == PARL_STATUS_OK && i < length; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    status = read_call(env, i, &calls[i]);
    lua_settop(L, list);
  }
  lua_settop(L, list - 1);
  if (status == PARL_STATUS_OK) *n = (size_t)length;
  return status == PARL_STATUS_EINVAL
             ? parl_fail(PARL_STATUS_ESCRIPT, "%s: expert: %s", env->spec.path, parl_error_text())
             : status;
}
