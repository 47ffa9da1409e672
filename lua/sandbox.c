/* lua/sandbox.c - life of a sandbox: allocator, limits, protected calls. */
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum { MESSAGE_HANDLER = 1, COUNT_STEP = 1000, MAX_NAMES = 128 };

parl_sandbox_def parl_sandbox_def_default(void) {
  return (parl_sandbox_def){.memory_bytes = (size_t)256 << 20, .call_s = 5};
}

parl_sandbox *parl_sandbox_of(lua_State *L) {
  return *(parl_sandbox **)lua_getextraspace(L);
}

static void *allocate(void *data, void *old, size_t old_bytes, size_t bytes) {
  parl_sandbox *s = data;
  if (old == NULL) old_bytes = 0; /* a type tag then */
  if (bytes == 0) {
    if (old != NULL) parl_pool_give(&s->pool, old, old_bytes);
    s->n_bytes -= old_bytes;
    return NULL;
  }
  if (bytes > old_bytes && bytes - old_bytes > s->def.memory_bytes - s->n_bytes) {
    s->refused = true;
    return NULL;
  }
  void *grown = parl_pool_resize(&s->pool, old, old_bytes, bytes);
  if (grown == NULL) {
    s->refused = true;
    return NULL;
  }
  s->n_bytes += bytes - old_bytes;
  return grown;
}

/* Whether the error came out of a script; a traceback of C functions only says nothing. */
static bool has_script_frame(lua_State *L) {
  lua_Debug about;
  for (int level = 1; level < 100 && lua_getstack(L, level, &about); level++)
    if (lua_getinfo(L, "S", &about) && about.what[0] != 'C') return true;
  return false;
}

static int add_traceback(lua_State *L) {
  if (!lua_checkstack(L, 40)) return 1;
  if (lua_type(L, 1) != LUA_TSTRING) {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    lua_replace(L, 1);
  }
  const parl_sandbox *s = parl_sandbox_of(L);
  const bool on_request =
      s->raised && parl_watchdog_get_reason(&s->watchdog) == PARL_STOP_REQUEST; /* nobody's fault */
  const bool has_one = strstr(lua_tostring(L, 1), "\nstack traceback:") != NULL;
  if (!on_request && !has_one && has_script_frame(L)) luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

/* Whether the hook was called because the handler of an error is. */
static bool is_handler(lua_State *L, lua_Debug *about) {
  lua_getinfo(L, "f", about);
  const bool is = lua_tocfunction(L, -1) == add_traceback;
  lua_pop(L, 1);
  return is;
}

/* Pushes "script:line: " of the innermost function that is a script's, "" without one: the limit
 * may be met inside a function of C. */
static void push_place(lua_State *L) {
  lua_Debug about;
  for (int level = 0; level < 100 && lua_getstack(L, level, &about); level++) {
    if (!lua_getinfo(L, "Sl", &about) || about.currentline <= 0) continue;
    lua_pushfstring(L, "%s:%d: ", about.short_src, about.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

/* The debug hook of an entry that has to stop: raises at every instruction, so that no pcall of
 * the script can go on. */
static void stop_hook(lua_State *L, lua_Debug *about) {
  parl_sandbox *s = parl_sandbox_of(L);
  if (!parl_watchdog_is_stopped(&s->watchdog)) { /* told a moment after that entry ended */
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (about != NULL && s->raised && is_handler(L, about)) return;
  s->raised = true;
  push_place(L);
  switch (parl_watchdog_get_reason(&s->watchdog)) {
    case PARL_STOP_INSTRUCTIONS:
      lua_pushfstring(L, "ran more than %I instructions", (LUAI_UACINT)s->def.instructions);
      break;
    case PARL_STOP_REQUEST:
      lua_pushliteral(L, "stopped on request");
      break;
    default:
      lua_pushfstring(L, "ran longer than %f s", s->def.call_s);
  }
  lua_concat(L, 2);
  lua_error(L);
}

static void count_hook(lua_State *L, lua_Debug *about) {
  parl_sandbox *s = parl_sandbox_of(L);
  s->instructions_left -= COUNT_STEP;
  if (s->instructions_left > 0) return;
  parl_watchdog_stop_here(&s->watchdog, PARL_STOP_INSTRUCTIONS);
  stop_hook(L, about);
}

bool parl_sandbox_spend(lua_State *L, double n) {
  parl_sandbox *s = parl_sandbox_of(L);
  if (s->def.instructions > 0) {
    s->instructions_left -= n < 1e15 ? (int64_t)n : INT64_C(1000000000000000);
    if (s->instructions_left <= 0) parl_watchdog_stop_here(&s->watchdog, PARL_STOP_INSTRUCTIONS);
  }
  return !parl_watchdog_is_stopped(&s->watchdog);
}

void parl_sandbox_charge(lua_State *L, double n) {
  if (!parl_sandbox_spend(L, n)) stop_hook(L, NULL);
}

bool parl_sandbox_may_go_on(void *L, double work) {
  return parl_sandbox_spend(L, work);
}

void parl_sandbox_check_done(lua_State *L, parl_status s) {
  if (s == PARL_STATUS_OK) return;
  parl_sandbox_charge(L, 0);
  luaL_error(L, "%s", parl_error_text());
}

_Noreturn void parl_sandbox_rethrow(lua_State *L) {
  if (!parl_sandbox_of(L)->raised) stop_hook(L, NULL);
  lua_error(L);
  __builtin_unreachable(); /* neither returns */
}

static void enter(parl_sandbox *s) {
  s->refused = s->raised = false;
  parl_watchdog_enter(&s->watchdog);
  if (s->def.instructions > 0) {
    s->instructions_left = s->def.instructions;
    lua_sethook(s->L, count_hook, LUA_MASKCOUNT, COUNT_STEP);
  }
}

/* Status of a failed call, with the error text; the message is at the top and is popped. Must be
 * asked before the entry is left. */
static parl_status report(parl_sandbox *s, int rc) {
  parl_status status = PARL_STATUS_ESCRIPT;
  if (s->raised) { /* not: stopped. The script's own error may have come a moment before that. */
    const bool on_request = parl_watchdog_get_reason(&s->watchdog) == PARL_STOP_REQUEST;
    status = on_request ? PARL_STATUS_ESTOPPED : PARL_STATUS_ELIMIT;
  }
  const char *text = lua_tostring(s->L, -1);
  const bool in_handler = status == PARL_STATUS_ESCRIPT && rc == LUA_ERRERR && s->refused;
  if (in_handler || (status != PARL_STATUS_ESTOPPED && rc == LUA_ERRMEM))
    status = parl_fail(PARL_STATUS_ELIMIT, "%s: the script needs more than %zu bytes of memory",
                       s->script, s->def.memory_bytes);
  else
    parl_fail(status, "%s", text ? text : "(no error text)");
  lua_pop(s->L, 1);
  return status;
}

parl_status parl_sandbox_call(parl_sandbox *s, int n_arguments, int n_results) {
  enter(s);
  const int rc = lua_pcall(s->L, n_arguments, n_results, MESSAGE_HANDLER);
  const parl_status status = rc == LUA_OK ? PARL_STATUS_OK : report(s, rc);
  parl_watchdog_leave(&s->watchdog);
  return status;
}

parl_status parl_sandbox_protect(parl_sandbox *s, lua_CFunction body, void *data) {
  lua_pushcfunction(s->L, body);
  lua_pushlightuserdata(s->L, data);
  return parl_sandbox_call(s, 1, 0);
}

/* An absent field of a strict table. Upvalue 1: its name, "" for the globals. */
static int refuse_absent(lua_State *L) {
  const char *name = lua_touserdata(L, lua_upvalueindex(1));
  const char *dot = name[0] ? "." : "";
  if (lua_isinteger(L, 2))
    return luaL_error(L, "%s[%I] does not exist", name, (LUAI_UACINT)lua_tointeger(L, 2));
  if (lua_type(L, 2) != LUA_TSTRING)
    return luaL_error(L, "%s: a %s as a field name", name, luaL_typename(L, 2));
  const char *key = lua_tostring(L, 2);
  const char *known[MAX_NAMES];
  size_t n = 0;
  lua_settop(L, 2);
  for (lua_pushnil(L); n < MAX_NAMES && lua_next(L, 1); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING) known[n++] = lua_tostring(L, -2);
  const char *near = parl_nearest(key, known, n);
  const char *kind = name[0] ? "field" : "global";
  if (near)
    return luaL_error(L, "unknown %s '%s%s%s' (did you mean '%s%s%s'?)", kind, name, dot, key, name,
                      dot, near);
  return luaL_error(L, "unknown %s '%s%s%s'", kind, name, dot, key);
}

void parl_sandbox_make_strict(lua_State *L, const char *name) {
  lua_createtable(L, 0, 1);
  lua_pushlightuserdata(L, (void *)name);
  lua_pushcclosure(L, refuse_absent, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void parl_sandbox_set_global(lua_State *L, const char *name) {
  lua_pushglobaltable(L);
  if (parl_freeze_unwrap(L, -1)) lua_remove(L, -2);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* Makes the globals: an empty proxy in front of a strict table, which loaded chunks get as _ENV. */
static int open_body(lua_State *L) {
  luaL_checkstack(L, PARL_SANDBOX_SLOTS, NULL);
  lua_newtable(L);
  parl_sandbox_open_base(L);
  parl_sandbox_open_string(L);
  parl_sandbox_open_table(L);
  parl_sandbox_make_strict(L, "");
  parl_freeze_wrap(L, "the table of globals", "declare variables with `local`");
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  return 0;
}

static parl_status check_def(const parl_sandbox_def *def) {
  if (def->memory_bytes < 65536)
    return parl_fail(PARL_STATUS_EINVAL, "memory_bytes %zu: at least 65536", def->memory_bytes);
  if (!(def->call_s >= 1e-3 && def->call_s <= 86400))
    return parl_fail(PARL_STATUS_EINVAL, "call_s %g: 0.001 to 86400 s", def->call_s);
  if (def->instructions < 0)
    return parl_fail(PARL_STATUS_EINVAL, "instructions %lld: at least 0",
                     (long long)def->instructions);
  return PARL_STATUS_OK;
}

static parl_status open_state(parl_sandbox *s) {
  s->L = lua_newstate(allocate, s);
  if (s->L == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a Lua state");
  *(parl_sandbox **)lua_getextraspace(s->L) = s;
  PARL_TRY(parl_watchdog_init(&s->watchdog, s->L, stop_hook, s->def.call_s, s->def.host));
  lua_pushcfunction(s->L, add_traceback);
  if (!lua_checkstack(s->L, PARL_SANDBOX_SLOTS))
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for a Lua stack");
  return parl_sandbox_protect(s, open_body, NULL);
}

parl_status parl_sandbox_create(const parl_sandbox_def *def, parl_sandbox **out) {
  PARL_REQUIRE(def != NULL && out != NULL);
  PARL_TRY(check_def(def));
  parl_sandbox *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a sandbox");
  s->def = *def;
  parl_pool_init(&s->pool, def->memory_bytes);
  const parl_status status = open_state(s);
  if (status != PARL_STATUS_OK) {
    parl_sandbox_destroy(s);
    return status;
  }
  *out = s;
  return PARL_STATUS_OK;
}

void parl_sandbox_destroy(parl_sandbox *s) {
  if (s == NULL) return;
  parl_watchdog_deinit(&s->watchdog);
  if (s->L) lua_close(s->L);
  parl_pool_deinit(&s->pool);
  parl_text_deinit(&s->output);
  free(s);
}

lua_State *parl_sandbox_get_state(parl_sandbox *s) {
  return s->L;
}

void parl_sandbox_take_output(parl_sandbox *s, parl_text *out) {
  parl_text_append_bytes(out, parl_text_get(&s->output), s->output.n);
  parl_text_clear(&s->output);
}

size_t parl_sandbox_get_memory(const parl_sandbox *s) {
  return s->n_bytes;
}

void parl_sandbox_interrupt(parl_sandbox *s) {
  parl_watchdog_interrupt(&s->watchdog);
}
