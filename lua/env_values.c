/* lua/env_values.c - tokens and calls between C and Lua, checked on the way. */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"
#include "lua/image_object.h"

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

/* Index of the list at `index` or, if that is a frozen one, of the real list, which is pushed;
 * 0: it is no list. */
static int find_list(lua_State *L, int index) {
  if (!lua_istable(L, index)) return 0;
  return parl_freeze_unwrap(L, index) ? lua_gettop(L) : index;
}

/* What stands at index, instead of token number i of what a callback returned. */
static parl_status refuse_token(parl_env *env, int function_ref, const char *callback, int i,
                                int index, int least) {
  lua_State *L = env->L;
  char text[64];
  if (lua_type(L, index) == LUA_TNUMBER)
    snprintf(text, sizeof text, "%.17g", parl_env_drop_nan_sign(lua_tonumber(L, index)));
  else
    snprintf(text, sizeof text, "a %s", luaL_typename(L, index));
  return parl_env_breach(env, function_ref, callback,
                         "token %d is %s; a token is an integer, %d to %d", i, text, least,
                         env->spec.n_plain - 1);
}

/* A callback may return so many values that the stack has no room for what reading them takes. */
static parl_status make_stack_room(parl_env *env, int base, int function_ref,
                                   const char *callback) {
  if (lua_checkstack(env->L, 64)) return PARL_STATUS_OK;
  lua_settop(env->L, base);
  return parl_env_breach(env, function_ref, callback, "returned too many values");
}

/* Reads the n_results values above base if they are tokens: the common case. */
static bool read_bare_tokens(const parl_env *env, int base, int n_results, int32_t *tokens) {
  lua_State *L = env->L;
  for (int i = 0; i < n_results; i++) {
    if (!lua_isinteger(L, base + 1 + i)) return false;
    const lua_Integer token = lua_tointeger(L, base + 1 + i);
    if (token < PARL_N_CONTROL_TOKENS || token >= env->spec.n_plain) return false;
    tokens[i] = (int32_t)token;
  }
  return true;
}

static parl_status refuse_length(parl_env *env, int function_ref, const char *callback, size_t n,
                                 size_t room) {
  return parl_env_breach(env, function_ref, callback, "returned %zu tokens; at most %zu", n, room);
}

/* Token number i of a callback's results, or its image, is at index. */
parl_status parl_env_read_token(parl_env *env, int function_ref, const char *callback, int i,
                                int index, int least, int32_t *tokens, size_t room, size_t *n) {
  lua_State *L = env->L;
  if (lua_type(L, index) == LUA_TUSERDATA && parl_image_object_get(L, index) != NULL)
    return parl_env_show(env, function_ref, callback, i, index, tokens, room, n);
  const lua_Integer token = lua_isinteger(L, index) ? lua_tointeger(L, index) : -1;
  if (token < least || token >= env->spec.n_plain)
    return refuse_token(env, function_ref, callback, i, index, least);
  if (*n == room) return refuse_length(env, function_ref, callback, *n + 1, room);
  tokens[(*n)++] = (int32_t)token;
  return PARL_STATUS_OK;
}

/* A list of tokens, or what is wrong with a callback's results. */
static parl_status read_listed_tokens(parl_env *env, int base, int function_ref,
                                      const char *callback, int32_t *tokens, size_t room,
                                      size_t *n) {
  lua_State *L = env->L;
  const int n_results = lua_gettop(L) - base, first = base + 1;
  const int list = n_results == 1 ? find_list(L, first) : 0;
  const bool in_list = list != 0;
  /* A bare small number is a count that someone forgot to turn into a token. */
  const int least = in_list ? 0 : PARL_N_CONTROL_TOKENS;
  parl_status status = PARL_STATUS_OK;
  const size_t length = in_list ? (size_t)lua_rawlen(L, list) : (size_t)n_results;
  const bool is_one = n_results == 1 && !in_list && parl_image_object_get(L, first) == NULL;
  if (n_results == 0 || (is_one && !(lua_tonumber(L, first) >= least)))
    status = parl_env_breach(env, function_ref, callback, "must return a list of tokens, not %s",
                             n_results == 0 ? "nil" : luaL_typename(L, first));
  else if (length > room)
    status = refuse_length(env, function_ref, callback, length, room);
  size_t n_read = 0;
  for (size_t i = 0; i < length && status == PARL_STATUS_OK; i++) {
    if (in_list) lua_rawgeti(L, list, (lua_Integer)i + 1);
    const int index = in_list ? list + 1 : first + (int)i;
    status = parl_env_read_token(env, function_ref, callback, (int)i + 1, index, least, tokens,
                                 room, &n_read);
    if (in_list) lua_settop(L, list);
  }
  lua_settop(L, base);
  if (status == PARL_STATUS_OK) *n = n_read;
  return status;
}

parl_status parl_env_read_tokens(parl_env *env, int base, int function_ref, const char *callback,
                                 int32_t *tokens, size_t max, size_t *n) {
  const int n_results = lua_gettop(env->L) - base;
  const size_t room = max < PARL_ENV_MAX_OBSERVATION ? max : PARL_ENV_MAX_OBSERVATION;
  parl_env_forget_shown(env);
  if (n_results < 1 || (size_t)n_results > room ||
      !read_bare_tokens(env, base, n_results, tokens)) {
    PARL_TRY(make_stack_room(env, base, function_ref, callback));
    return read_listed_tokens(env, base, function_ref, callback, tokens, room, n);
  }
  lua_settop(env->L, base);
  *n = (size_t)n_results;
  return PARL_STATUS_OK;
}

static parl_status refuse_value(const parl_env *env, const parl_tool *tool, int slot, int value) {
  const parl_family *f = &env->spec.families[tool->slots[slot].family];
  return parl_fail(PARL_STATUS_EINVAL, "%s: argument %d is %d; family '%s' has values 1 to %d",
                   tool->name, slot + 1, value, f->name, f->n);
}

/* Whether the call has the one value of a signature that has one: the common case. */
static bool is_single(const parl_env *env, const parl_tool *signature, const parl_call *call) {
  if (signature->n_slots != 1 || call->n_values != 1 || call->slot[0] != 0) return false;
  return call->values[0] >= 1 &&
         call->values[0] <= env->spec.families[signature->slots[0].family].n;
}

parl_status parl_env_check_call(const parl_env *env, const parl_tool *signature,
                                const parl_call *call) {
  if (is_single(env, signature, call)) return PARL_STATUS_OK;
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

/* The arguments of a call: what lies on the stack from index `first` on. A list of one value may be
 * the value. */
static bool read_arguments(lua_State *L, const parl_tool *signature, int first, parl_call *call) {
  if (lua_gettop(L) != first - 1 + signature->n_slots) return false;
  for (int s = 0; s < signature->n_slots; s++) {
    if (!signature->slots[s].many || lua_type(L, first + s) == LUA_TNUMBER) {
      if (!add_value(call, s, L, first + s)) return false;
      continue;
    }
    lua_pushvalue(L, first + s);
    if (!is_list(L)) return false;
    const lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, i);
      if (!add_value(call, s, L, -1)) return false;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return true;
}

/* "row+, word". */
static void append_due(const parl_env *env, const parl_tool *signature, parl_text *out) {
  for (int s = 0; s < signature->n_slots; s++)
    parl_text_appendf(out, "%s%s%s", s ? ", " : "",
                      env->spec.families[signature->slots[s].family].name,
                      signature->slots[s].many ? "+" : "");
  if (signature->n_slots == 0) parl_text_append(out, "nothing");
}

/* A number as it is, anything else by its type. */
static void append_value(lua_State *L, int index, parl_text *out) {
  if (lua_type(L, index) == LUA_TNUMBER)
    parl_text_appendf(out, "%.14g", parl_env_drop_nan_sign(lua_tonumber(L, index)));
  else
    parl_text_appendf(out, "a %s", luaL_typename(L, index));
}

/* "{3, 4}, a string": the values from index `first` to `last`. */
static void append_given(lua_State *L, int first, int last, parl_text *out) {
  enum { MAX_SHOWN = 6 };
  if (last >= first + MAX_SHOWN) last = first + MAX_SHOWN - 1;
  for (int i = first; i <= last; i++) {
    if (i > first) parl_text_append(out, ", ");
    lua_pushvalue(L, i);
    if (!is_list(L)) {
      append_value(L, -1, out);
      lua_pop(L, 1);
      continue;
    }
    const lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    parl_text_append(out, "{");
    for (lua_Integer k = 1; k <= n && k <= MAX_SHOWN; k++) {
      if (k > 1) parl_text_append(out, ", ");
      lua_rawgeti(L, -1, k);
      append_value(L, -1, out);
      lua_pop(L, 1);
    }
    parl_text_append(out, n > MAX_SHOWN ? ", ...}" : "}");
    lua_pop(L, 1);
  }
  if (last < first) parl_text_append(out, "nothing");
}

/* The values from index `first` to `last` are no arguments of the call. `from`: where `args` is. */
static parl_status refuse_arguments(parl_env *env, size_t i, const char *call, const char *from,
                                    const parl_tool *signature, int first, int last) {
  parl_text due = {0}, given = {0};
  append_due(env, signature, &due);
  append_given(env->L, first, last, &given);
  const parl_status status =
      parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                      "call %zu: arguments of %s do not fit %s: due are %s (integers of the "
                      "families); given are %s",
                      i + 1, call, from, parl_text_get(&due), parl_text_get(&given));
  parl_text_deinit(&due);
  parl_text_deinit(&given);
  return status;
}

static int find_role(const parl_env *env, const char *name) {
  for (int i = 0; name && i < env->spec.n_roles; i++)
    if (strcmp(env->spec.roles[i], name) == 0) return i;
  return -1;
}

/* "create_subagent", 1, "searcher" or "assign_task", 1, {3, 4} from index `first` on. */
static parl_status read_control(parl_env *env, size_t i, int first, parl_call *call) {
  lua_State *L = env->L;
  const int top = lua_gettop(L);
  const lua_Integer name =
      top > first && lua_isinteger(L, first + 1) ? lua_tointeger(L, first + 1) : 0;
  if (name < 1 || name > PARL_MAX_AGENT_NAMES)
    return expert_breach(env, i, "the agent's name is a number, 1 to 8%s", "");
  call->agent_name = (int)name - 1;
  if (call->kind == PARL_CALL_ASSIGN) {
    if (!read_arguments(L, &env->spec.task, first + 2, call))
      return refuse_arguments(env, i, "assign_task", "`task`", &env->spec.task, first + 2, top);
    return parl_env_check_call(env, &env->spec.task, call);
  }
  const bool has_role = top == first + 2 && lua_type(L, first + 2) == LUA_TSTRING;
  call->role = has_role ? find_role(env, lua_tostring(L, first + 2)) : -1;
  if (call->role < 0)
    return expert_breach(env, i, "create_subagent takes a name and one of `roles`%s", "");
  return PARL_STATUS_OK;
}

static parl_status read_tool_call(parl_env *env, size_t i, int tool, int first, parl_call *call) {
  const parl_tool *signature = &env->spec.tools[tool];
  call->kind = PARL_CALL_TOOL;
  call->tool = tool;
  const int top = lua_gettop(env->L);
  if (!read_arguments(env->L, signature, first + 1, call))
    return refuse_arguments(env, i, signature->name, "its `args`", signature, first + 1, top);
  return parl_env_check_call(env, signature, call);
}

static parl_status refuse_tool(parl_env *env, size_t i, const char *name) {
  const int n = env->spec.n_tools + PARL_CONTROL_LAUNCH;
  const char *near = parl_nearest(name, env->call_names, (size_t)n);
  return parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                         "call %zu: unknown tool '%s'%s%s%s", i + 1, name,
                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static const char *get_text(lua_State *L, int index) {
  const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
  return lua_type(L, index) == LUA_TSTRING && strlen(text) != lua_rawlen(L, index) ? "" : text;
}

/* Place of a text in env->call_names, -1: none. Lua keeps equal short texts once. */
static int find_call(const parl_env *env, const char *name) {
  const int n = env->spec.n_tools + PARL_N_CONTROL_CALLS;
  for (int i = 0; i < n; i++)
    if (env->call_names[i] == name) return i;
  for (int i = 0; i < n; i++)
    if (strcmp(env->call_names[i], name) == 0) return i;
  return -1;
}

/* The call whose items lie on the stack from index `first` to the top; its name is at `place`. */
static parl_status read_call(parl_env *env, size_t i, int place, int first, parl_call *call) {
  call->tool = call->agent_name = call->role = call->n_values = 0;
  if (place >= 0 && place < env->spec.n_tools) return read_tool_call(env, i, place, first, call);
  switch (place - env->spec.n_tools) {
    case PARL_CONTROL_FINISH:
      call->kind = PARL_CALL_FINISH;
      return PARL_STATUS_OK;
    case PARL_CONTROL_ASSIGN:
      call->kind = PARL_CALL_ASSIGN;
      return read_control(env, i, first, call);
    case PARL_CONTROL_CREATE:
      call->kind = PARL_CALL_CREATE;
      return read_control(env, i, first, call);
    case PARL_CONTROL_LAUNCH:
      return expert_breach(env, i, "launch is a whole turn: return \"launch\", name, groups%s", "");
    default:
      return refuse_tool(env, i, get_text(env->L, first));
  }
}

/* "launch", name, groups, n from index `first` on: assign_task for each of the first n groups. */
static parl_status read_launch(parl_env *env, int first, parl_call *calls, size_t max, size_t *n) {
  lua_State *L = env->L;
  const lua_Integer name = lua_isinteger(L, first + 1) ? lua_tointeger(L, first + 1) : 0;
  const bool is_all = lua_isnoneornil(L, first + 3);
  lua_settop(L, first + 3);
  lua_insert(L, first + 2); /* groups at the top */
  if (name < 1 || name > PARL_MAX_AGENT_NAMES || !is_list(L) ||
      !(is_all || lua_isinteger(L, first + 2)))
    return expert_breach(env, 0,
                         "launch takes an agent's name, 1 to 8, a list of groups and "
                         "perhaps how many of them%s",
                         "");
  const int groups = first + 3;
  const size_t all = lua_rawlen(L, groups);
  const lua_Integer wanted = is_all ? (lua_Integer)all : lua_tointeger(L, first + 2);
  const size_t length = wanted < 0 ? 0 : (size_t)wanted < all ? (size_t)wanted : all;
  if (length < 1 || length > max)
    return parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                           "launch takes 1 to %zu groups", max);
  for (size_t i = 0; i < length; i++) {
    parl_call *call = &calls[i];
    call->kind = PARL_CALL_ASSIGN;
    call->tool = call->role = call->n_values = 0;
    call->agent_name = (int)name - 1;
    lua_rawgeti(L, groups, (lua_Integer)i + 1);
    if (!read_arguments(L, &env->spec.task, groups + 1, call))
      return refuse_arguments(env, i, "launch", "`task`", &env->spec.task, groups + 1, groups + 1);
    PARL_TRY(parl_env_check_call(env, &env->spec.task, call));
    lua_settop(L, groups);
  }
  *n = length;
  return PARL_STATUS_OK;
}

/* The call that is a list at the top. */
static parl_status read_listed_call(parl_env *env, size_t i, parl_call *call) {
  lua_State *L = env->L;
  enum { MAX_ITEMS = 2 + PARL_ENV_MAX_SLOTS + 1 }; /* one more than fits */
  if (!is_list(L)) return expert_breach(env, i, "must be a list such as {\"finish\"}%s", "");
  const int list = lua_gettop(L);
  const size_t length = lua_rawlen(L, list);
  for (int k = 1; k <= MAX_ITEMS && (size_t)k <= length; k++) lua_rawgeti(L, list, k);
  if (length == 0) lua_pushnil(L);
  return read_call(env, i, find_call(env, get_text(L, list + 1)), list + 1, call);
}

parl_status parl_env_read_calls(parl_env *env, int base, parl_call *calls, size_t max, size_t *n) {
  lua_State *L = env->L;
  const int list = base + 1;
  parl_status status = PARL_STATUS_OK;
  size_t length = 1;
  PARL_TRY(make_stack_room(env, base, PARL_ENV_CALLBACK(env, expert), "expert"));
  if (lua_type(L, list) == LUA_TSTRING) {
    const int place = find_call(env, lua_tostring(L, list));
    status = place == env->spec.n_tools + PARL_CONTROL_LAUNCH
                 ? read_launch(env, list, calls, max, &length)
                 : read_call(env, 0, place, list, &calls[0]);
  } else {
    lua_settop(L, list);
    length = is_list(L) ? lua_rawlen(L, list) : 0;
    if (length < 1 || length > max)
      status = parl_env_breach(env, env->callback[PARL_CALLBACK_expert], "expert",
                               "must return a list of 1 to %zu calls", max);
    for (size_t i = 0; status == PARL_STATUS_OK && i < length; i++) {
      lua_rawgeti(L, list, (lua_Integer)i + 1);
      status = read_listed_call(env, i, &calls[i]);
      lua_settop(L, list);
    }
  }
  lua_settop(L, base);
  if (status == PARL_STATUS_OK) *n = length;
  return status == PARL_STATUS_EINVAL
             ? parl_fail(PARL_STATUS_ESCRIPT, "%s: expert: %s", env->spec.path, parl_error_text())
             : status;
}
