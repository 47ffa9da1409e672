/* lua/env_spec.c - parl.env{...}: reads and checks what an environment declares.
 *
 * Everything here runs inside the script's own protected call, so a refusal is a Lua error with the
 * script's line, and memory comes from the environment's arena: nothing leaks on the way out. */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "lua/env_internal.h"
#include "lua/freeze.h"

_Noreturn void parl_env_refuse(lua_State *L, const char *place, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  luaL_error(L, "%s%s%s", place, place[0] ? ": " : "", text);
  __builtin_unreachable(); /* luaL_error does not return */
}

void *parl_env_take(lua_State *L, parl_env *env, size_t n, size_t bytes) {
  void *memory = NULL;
  if (parl_arena_take(&env->arena, n, bytes, &memory) != PARL_STATUS_OK)
    luaL_error(L, "not enough memory");
  return memory;
}

static const char *keep_bytes(lua_State *L, parl_env *env, const char *s, size_t n) {
  char *copy = parl_env_take(L, env, n + 1, 1);
  memcpy(copy, s, n);
  copy[n] = '\0';
  return copy;
}

const char *parl_env_keep(lua_State *L, parl_env *env, int index) {
  const char *s = lua_tostring(L, index);
  return keep_bytes(L, env, s, strlen(s));
}

static bool is_name(const char *s) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const size_t n = strspn(s, letters);
  return n >= 1 && n <= 40 && s[n] == '\0' && strchr("0123456789", s[0]) == NULL;
}

const char *parl_env_get_name(lua_State *L, int index) {
  const char *s = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
  return s != NULL && strlen(s) == lua_rawlen(L, index) && is_name(s) ? s : NULL;
}

void parl_env_append_shown(const char *s, size_t n, char *out, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < n && used + 8 < room; i++) {
    const unsigned char c = (unsigned char)s[i];
    used += (size_t)snprintf(out + used, room - used, c < 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
  }
  snprintf(out + used, room - used, "%s", used + 8 < room ? "" : "...");
}

_Noreturn void parl_env_refuse_name(lua_State *L, int index, const char *place) {
  char shown[96] = "";
  if (lua_type(L, index) != LUA_TSTRING)
    parl_env_refuse(L, place, "a %s where a name is due", luaL_typename(L, index));
  parl_env_append_shown(lua_tostring(L, index), lua_rawlen(L, index), shown, sizeof shown);
  parl_env_refuse(L, place, "'%s' is no name: 1 to 40 letters, digits and _, no digit first",
                  shown);
}

void parl_env_check_keys(lua_State *L, int index, const char *place, const char *const *known,
                         size_t n) {
  index = lua_absindex(L, index);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      parl_env_refuse(L, place, "a %s where a named field is expected", luaL_typename(L, -2));
    const char *key = lua_tostring(L, -2);
    size_t i = 0;
    while (i < n && strcmp(known[i], key) != 0) i++;
    if (i < n) continue;
    const char *near = parl_nearest(key, known, n);
    char shown[96] = "";
    parl_env_append_shown(key, lua_rawlen(L, -2), shown, sizeof shown);
    if (near) parl_env_refuse(L, place, "unknown field '%s' (did you mean '%s'?)", shown, near);
    parl_env_refuse(L, place, "unknown field '%s'", shown);
  }
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int parl_env_sort_keys(lua_State *L, int index, const char *place, const char **keys, int max) {
  int n = 0;
  index = lua_absindex(L, index);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (parl_env_get_name(L, -2) == NULL) parl_env_refuse_name(L, -2, place);
    if (n == max) parl_env_refuse(L, place, "more than %d entries", max);
    keys[n++] = lua_tostring(L, -2);
  }
  qsort(keys, (size_t)n, sizeof *keys, compare_names);
  return n;
}

/* Pushes field `key` of the table at index 1 and insists on its type. */
static void get_field(lua_State *L, const char *key, int type) {
  if (lua_getfield(L, 1, key) != type)
    parl_env_refuse(L, key, "must be a %s, not %s", lua_typename(L, type), luaL_typename(L, -1));
}

const char *parl_env_keep_line(lua_State *L, parl_env *env, const char *place) {
  enum { MAX_BYTES = 1000 };
  const char *s = lua_tostring(L, -1);
  const size_t n = lua_rawlen(L, -1);
  if (n > MAX_BYTES) parl_env_refuse(L, place, "%zu bytes; at most %d", n, MAX_BYTES);
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)s[i];
    if (c < 0x20 || c == 0x7f)
      parl_env_refuse(L, place, "byte %zu is %d, a control character: it is one line", i + 1, c);
  }
  return parl_env_keep(L, env, -1);
}

static const char *read_text(lua_State *L, parl_env *env, const char *key) {
  get_field(L, key, LUA_TSTRING);
  const char *kept = parl_env_keep_line(L, env, key);
  lua_pop(L, 1);
  return kept;
}

int parl_env_read_names(lua_State *L, parl_env *env, const char *place, const char **out, int max) {
  const lua_Unsigned n = lua_rawlen(L, -1);
  if (n > (lua_Unsigned)max) parl_env_refuse(L, place, "more than %d entries", max);
  for (int i = 0; i < (int)n; i++) {
    lua_rawgeti(L, -1, i + 1);
    if (parl_env_get_name(L, -1) == NULL) {
      char here[128];
      snprintf(here, sizeof here, "%s[%d]", place, i + 1);
      parl_env_refuse_name(L, -1, here);
    }
    out[i] = parl_env_keep(L, env, -1);
    for (int k = 0; k < i; k++)
      if (strcmp(out[k], out[i]) == 0) parl_env_refuse(L, place, "'%s' is listed twice", out[i]);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return (int)n;
}

/* "row" or "row+". */
static void read_slot(lua_State *L, const parl_env *env, const char *place, const char *text,
                      int max_many, parl_arg_slot *slot) {
  const size_t n = strlen(text);
  slot->many = n > 0 && text[n - 1] == '+';
  slot->max = slot->many ? max_many : 1;
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)(slot->many ? n - 1 : n), text);
  slot->family = parl_env_find_family(L, env, place, name);
}

static int read_max(lua_State *L, int table, const char *place) {
  enum { DEFAULT_MAX = 16 };
  if (lua_getfield(L, table, "max") == LUA_TNIL) {
    lua_pop(L, 1);
    return DEFAULT_MAX;
  }
  const lua_Integer max = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
  if (max < 1 || max > PARL_ENV_MAX_VALUES)
    parl_env_refuse(L, place, "max must be an integer, 1 to %d", PARL_ENV_MAX_VALUES);
  lua_pop(L, 1);
  return (int)max;
}

/* args and max of the table at index `table`. */
static void read_signature(lua_State *L, parl_env *env, int table, const char *place,
                           parl_tool *tool) {
  const int max_many = read_max(L, table, place);
  if (lua_getfield(L, table, "args") != LUA_TTABLE)
    parl_env_refuse(L, place, "args must be a list such as {\"row\"}");
  const lua_Unsigned n = lua_rawlen(L, -1);
  if (n > PARL_ENV_MAX_SLOTS)
    parl_env_refuse(L, place, "more than %d arguments", PARL_ENV_MAX_SLOTS);
  int n_values = 0;
  tool->n_slots = (int)n;
  for (int i = 0; i < tool->n_slots; i++) {
    char here[128];
    snprintf(here, sizeof here, "%s.args[%d]", place, i + 1);
    lua_rawgeti(L, -1, i + 1);
    if (lua_type(L, -1) != LUA_TSTRING) parl_env_refuse(L, here, "must be the name of a family");
    read_slot(L, env, here, lua_tostring(L, -1), max_many, &tool->slots[i]);
    lua_pop(L, 1);
    n_values += tool->slots[i].max;
    if (i > 0 && tool->slots[i - 1].many && tool->slots[i - 1].family == tool->slots[i].family)
      parl_env_refuse(L, here, "cannot follow a list of the same family: where does that end?");
  }
  if (n_values > PARL_ENV_MAX_VALUES)
    parl_env_refuse(L, place, "up to %d values in one call; at most %d", n_values,
                    PARL_ENV_MAX_VALUES);
  lua_pop(L, 1);
}

/* [tool] -> []. */
static void read_tool(lua_State *L, parl_env *env, int i) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_TOOL_LIST(X)
#undef X
  };
  parl_tool *tool = &env->spec.tools[i];
  char place[64];
  snprintf(place, sizeof place, "tools.%s", tool->name);
  const int table = lua_gettop(L);
  if (!lua_istable(L, table)) parl_env_refuse(L, place, "must be a table {args=..., run=...}");
  parl_env_check_keys(L, table, place, keys, sizeof keys / sizeof keys[0]);
  read_signature(L, env, table, place, tool);
  if (lua_getfield(L, table, "doc") != LUA_TSTRING) parl_env_refuse(L, place, "doc must be a text");
  tool->doc = parl_env_keep_line(L, env, place);
  if (lua_getfield(L, table, "run") != LUA_TFUNCTION)
    parl_env_refuse(L, place, "run must be a function(world, agent, ...)");
  env->run[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_settop(L, table - 1);
}

static void read_tools(lua_State *L, parl_env *env) {
  const char *names[PARL_ENV_MAX_TOOLS];
  get_field(L, "tools", LUA_TTABLE);
  const int table = lua_gettop(L);
  env->spec.n_tools = parl_env_sort_keys(L, table, "tools", names, PARL_ENV_MAX_TOOLS);
  for (int i = 0; i < env->spec.n_tools; i++) {
    env->spec.tools[i].name = keep_bytes(L, env, names[i], strlen(names[i]));
    lua_getfield(L, table, names[i]);
    read_tool(L, env, i);
  }
  lua_settop(L, table - 1);
}

static void read_task(lua_State *L, parl_env *env) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_TASK_LIST(X)
#undef X
  };
  get_field(L, "task", LUA_TTABLE);
  parl_env_check_keys(L, -1, "task", keys, sizeof keys / sizeof keys[0]);
  env->spec.task.name = "assign_task";
  env->spec.task.doc = "launches a sub-agent";
  env->spec.task.token = PARL_TOKEN_ASSIGN;
  read_signature(L, env, lua_gettop(L), "task", &env->spec.task);
  if (env->spec.task.n_slots == 0) parl_env_refuse(L, "task", "needs at least one argument");
  lua_pop(L, 1);
}

static void read_callbacks(lua_State *L, parl_env *env) {
  static const struct {
    const char *name;
    bool required;
  } list[] = {
#define X(name, required, type, doc) {#name, required},
      PARL_CALLBACK_LIST(X)
#undef X
  };
  for (int i = 0; i < PARL_N_CALLBACKS; i++) {
    env->callback[i] = LUA_NOREF;
    const int type = lua_getfield(L, 1, list[i].name);
    if (type == LUA_TFUNCTION) {
      env->callback[i] = luaL_ref(L, LUA_REGISTRYINDEX);
      continue;
    }
    if (type != LUA_TNIL || list[i].required)
      parl_env_refuse(L, list[i].name, "must be a function, not %s", luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  env->spec.has_legal = env->callback[PARL_CALLBACK_legal] != LUA_NOREF;
  env->spec.has_summarize = env->callback[PARL_CALLBACK_summarize] != LUA_NOREF;
  if ((env->callback[PARL_CALLBACK_expert] != LUA_NOREF) != (env->spec.n_styles > 0))
    parl_env_refuse(L, "expert", "styles and expert come together");
}

static void read_lists(lua_State *L, parl_env *env) {
  get_field(L, "roles", LUA_TTABLE);
  env->spec.n_roles = parl_env_read_names(L, env, "roles", env->spec.roles, PARL_ENV_MAX_ROLES);
  if (env->spec.n_roles == 0) parl_env_refuse(L, "roles", "at least one role is needed");
  if (lua_getfield(L, 1, "styles") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1)) parl_env_refuse(L, "styles", "must be a list of names");
  env->spec.n_styles = parl_env_read_names(L, env, "styles", env->spec.styles, PARL_ENV_MAX_STYLES);
}

static void read_limits_field(lua_State *L, parl_env *env) {
  const int type = lua_getfield(L, 1, "limits");
  if (type != LUA_TTABLE && type != LUA_TFUNCTION)
    parl_env_refuse(L, "limits", "must be a table or a function(params)");
  env->limits = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* References to the texts that callbacks get, so that none is built while an episode runs, and to
 * those that experts return. */
static void keep_texts(lua_State *L, parl_env *env) {
  static const char *const control[PARL_N_CONTROL_CALLS] = {"finish", "assign_task",
                                                            "create_subagent", "launch"};
  const parl_env_spec *spec = &env->spec;
  for (int i = 0; i < spec->n_tools + PARL_N_CONTROL_CALLS; i++) {
    const bool is_tool = i < spec->n_tools;
    env->call_names[i] =
        lua_pushstring(L, is_tool ? spec->tools[i].name : control[i - spec->n_tools]);
    luaL_ref(L, LUA_REGISTRYINDEX);
  }
  for (int i = 0; i <= spec->n_tools; i++) {
    lua_pushstring(L, i < spec->n_tools ? spec->tools[i].name : "assign_task");
    env->tool_name[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  for (int i = 0; i <= spec->n_roles; i++) {
    lua_pushstring(L, i < spec->n_roles ? spec->roles[i] : "orchestrator");
    env->role_name[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  for (int i = 0; i < spec->n_styles; i++) {
    lua_pushstring(L, spec->styles[i]);
    env->style_name[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
}

/* params and presets; then the values asked for, since `families` may depend on them. */
void parl_env_read_settings(lua_State *L, parl_env *env) {
  if (lua_getfield(L, 1, "params") == LUA_TTABLE)
    parl_env_read_params(L, env);
  else if (!lua_isnil(L, -1))
    parl_env_refuse(L, "params", "must be a table");
  lua_settop(L, 1);
  if (lua_getfield(L, 1, "presets") == LUA_TTABLE)
    parl_env_read_presets(L, env);
  else if (!lua_isnil(L, -1))
    parl_env_refuse(L, "presets", "must be a table");
  lua_settop(L, 1);
  env->wanted_status = parl_env_apply_params(env);
  if (env->wanted_status == PARL_STATUS_OK) return;
  parl_text_append(&env->wanted_error, parl_error_text());
  parl_env_refuse(L, "params", "%s", parl_text_get(&env->wanted_error));
}

/* parl.env{...}. Upvalue 1: the parl_env. */
static int declare(lua_State *L) {
  static const char *const keys[] = {
#define X(name, required, type, doc) #name,
      PARL_FIELD_LIST(X) PARL_CALLBACK_LIST(X)
#undef X
  };
  parl_env *env = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (env->is_including) return 1;
  luaL_checkstack(L, 40, NULL);
  if (env->speaks != NULL)
    parl_env_refuse(L, "parl.env", "a source of documents ends with `return parl.source{...}`");
  if (env->declared) parl_env_refuse(L, "parl.env", "a file declares one environment");
  parl_env_check_keys(L, 1, "", keys, sizeof keys / sizeof keys[0]);
  get_field(L, "name", LUA_TSTRING);
  if (parl_env_get_name(L, -1) == NULL) parl_env_refuse_name(L, -1, "name");
  env->spec.name = parl_env_keep(L, env, -1);
  lua_pop(L, 1);
  env->spec.summary = read_text(L, env, "summary");
  parl_env_read_settings(L, env);
  read_lists(L, env);
  lua_getfield(L, 1, "families");
  parl_env_read_families(L, env);
  read_tools(L, env);
  read_task(L, env);
  read_limits_field(L, env);
  read_callbacks(L, env);
  keep_texts(L, env);
  lua_getfield(L, 1, "vision");
  parl_env_read_vision(L, env);
  parl_env_make_vocabulary(L, env);
  lua_pushvalue(L, 1);
  env->declaration = luaL_ref(L, LUA_REGISTRYINDEX);
  env->declared = true;
  return 1;
}

static int read_limit(lua_State *L, const char *name, lua_Integer low, lua_Integer high) {
  lua_getfield(L, -1, name);
  const lua_Integer x = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : low - 1;
  if (x < low || x > high)
    parl_env_refuse(L, "limits", "%s must be an integer, %lld to %lld", name, (long long)low,
                    (long long)high);
  lua_pop(L, 1);
  return (int)x;
}

void parl_env_read_limits(lua_State *L, parl_env *env) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_LIMIT_LIST(X)
#undef X
  };
  if (lua_rawgeti(L, LUA_REGISTRYINDEX, env->limits) == LUA_TFUNCTION) {
    lua_insert(L, -2);
    lua_call(L, 1, 1);
  } else {
    lua_remove(L, -2);
  }
  if (!lua_istable(L, -1)) parl_env_refuse(L, "limits", "must give a table");
  parl_env_check_keys(L, -1, "limits", keys, sizeof keys / sizeof keys[0]);
  parl_env_limits *limits = &env->spec.limits;
  limits->context = read_limit(L, "context", 1, 1 << 20);
  limits->sub_context = read_limit(L, "sub_context", 1, 1 << 20);
  limits->sub_steps = read_limit(L, "sub_steps", 1, 1 << 20);
  limits->max_width = read_limit(L, "max_width", 1, 128);
  limits->max_agents = read_limit(L, "max_agents", 1, PARL_MAX_AGENT_NAMES);
  limits->max_turns = read_limit(L, "max_turns", 1, 1 << 20);
  lua_pop(L, 1);
}

static void push_env(lua_State *L, parl_env *env) {
  lua_pushlightuserdata(L, env);
  lua_pushcclosure(L, declare, 1);
}

static void push_VERSION(lua_State *L, parl_env *env) {
  (void)env;
  lua_pushliteral(L, PARL_ENV_CONTRACT_VERSION);
}

static void push_tok(lua_State *L, parl_env *env) {
  lua_newtable(L);
  parl_sandbox_make_strict(L, "parl.tok");
  lua_pushvalue(L, -1);
  env->tok = luaL_ref(L, LUA_REGISTRYINDEX);
  parl_freeze_wrap(L, "parl.tok", "tokens follow from `families`");
}

#define push_include parl_env_push_include
#define push_source parl_env_push_source
#define push_load_image parl_env_push_load_image

void parl_env_open(lua_State *L, parl_env *env) {
  lua_createtable(L, 0, 4);
#define X(name, type, doc) \
  push_##name(L, env);     \
  lua_setfield(L, -2, #name);
  PARL_MODULE_LIST(X)
#undef X
  parl_env_open_kit(L);
  parl_sandbox_make_strict(L, "parl");
  parl_freeze_wrap(L, "parl", "keep your own functions in locals");
  parl_sandbox_set_global(L, "parl");
}
