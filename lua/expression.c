/* lua/expression.c - compiled once; the named numbers are globals, set before each evaluation. */
#include "lua/expression.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "lua/freeze.h"
#include "lua/sandbox.h"

struct parl_expression {
  parl_sandbox *sandbox;
  int function; /* registry reference */
};

typedef struct evaluation {
  const parl_expression *e;
  const char *const *names;
  const double *values;
  size_t n;
} evaluation;

static int keep_body(lua_State *L) {
  parl_expression *e = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  e->function = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* An expression if it compiles as one, else a chunk. */
static parl_status load(parl_expression *e, const char *code) {
  parl_text text = {0};
  parl_text_append(&text, "return ");
  parl_text_append(&text, code);
  parl_status status = parl_text_status(&text);
  if (status == PARL_STATUS_OK) {
    status = parl_sandbox_load(e->sandbox, parl_text_get(&text), text.n, "expression");
    if (status == PARL_STATUS_ESCRIPT)
      status = parl_sandbox_load(e->sandbox, code, strlen(code), "expression");
  }
  parl_text_deinit(&text);
  PARL_TRY(status);
  lua_State *L = parl_sandbox_get_state(e->sandbox);
  lua_pushcfunction(L, keep_body);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, e);
  lua_insert(L, -2);
  return parl_sandbox_call(e->sandbox, 2, 0);
}

parl_status parl_expression_create(const char *code, parl_expression **out) {
  PARL_REQUIRE(code != NULL && out != NULL);
  const parl_sandbox_def def = {.memory_bytes = (size_t)8 << 20, .call_s = 0.1};
  parl_expression *e = calloc(1, sizeof *e);
  if (e == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for an expression");
  parl_status status = parl_sandbox_create(&def, &e->sandbox);
  if (status == PARL_STATUS_OK) status = load(e, code);
  if (status != PARL_STATUS_OK) {
    parl_expression_destroy(e);
    return status;
  }
  *out = e;
  return PARL_STATUS_OK;
}

void parl_expression_destroy(parl_expression *e) {
  if (e == NULL) return;
  parl_sandbox_destroy(e->sandbox);
  free(e);
}

/* Pushes the real table of globals. */
static int push_globals(lua_State *L) {
  lua_pushglobaltable(L);
  if (!parl_freeze_unwrap(L, -1)) return luaL_error(L, "no globals");
  lua_remove(L, -2);
  return lua_gettop(L);
}

/* The next evaluation may have other names. */
static int clear_body(lua_State *L) {
  const evaluation *v = lua_touserdata(L, 1);
  const int globals = push_globals(L);
  for (size_t i = 0; i < v->n; i++) {
    lua_pushnil(L);
    lua_setfield(L, globals, v->names[i]);
  }
  return 0;
}

static void set_names(lua_State *L, const evaluation *v) {
  const int globals = push_globals(L);
  for (size_t i = 0; i < v->n; i++) {
    lua_pushstring(L, v->names[i]);
    if (lua_rawget(L, globals) > LUA_TNIL && !lua_isnumber(L, -1))
      luaL_error(L, "the name '%s' is taken by the language", v->names[i]);
    lua_pushnumber(L, v->values[i]);
    lua_setfield(L, globals, v->names[i]);
    lua_pop(L, 1);
  }
}

/* The program's only variable that outlives an evaluation is its _ENV: it begins as the globals
 * each time, and may not become anything else. */
static int eval_body(lua_State *L) {
  const evaluation *v = lua_touserdata(L, 1);
  set_names(L, v);
  lua_rawgeti(L, LUA_REGISTRYINDEX, v->e->function);
  const int function = lua_gettop(L);
  lua_pushglobaltable(L);
  lua_setupvalue(L, function, 1);
  lua_pushvalue(L, function);
  lua_call(L, 0, 1);
  lua_pushglobaltable(L);
  lua_getupvalue(L, function, 1);
  if (!lua_rawequal(L, -1, -2))
    return luaL_error(L, "expression: sets _ENV; nothing is kept from one evaluation to the next");
  lua_pop(L, 2);
  lua_pushcfunction(L, clear_body);
  lua_pushlightuserdata(L, (void *)v);
  lua_call(L, 1, 0);
  return 1;
}

parl_status parl_expression_eval(parl_expression *e, const char *const *names, const double *values,
                                 size_t n, double *out) {
  PARL_REQUIRE(e != NULL && out != NULL && (n == 0 || (names != NULL && values != NULL)));
  lua_State *L = parl_sandbox_get_state(e->sandbox);
  evaluation v = {.e = e, .names = names, .values = values, .n = n};
  lua_pushcfunction(L, eval_body);
  lua_pushlightuserdata(L, &v);
  const parl_status status = parl_sandbox_call(e->sandbox, 1, 1);
  if (status != PARL_STATUS_OK) {
    PARL_TRY(parl_sandbox_protect(e->sandbox, clear_body, &v)); /* keeps the error's text */
    return status;
  }
  const char *type = luaL_typename(L, -1);
  const bool is_number = lua_type(L, -1) == LUA_TNUMBER;
  const double x = lua_tonumber(L, -1);
  lua_pop(L, 1);
  if (!is_number) return parl_fail(PARL_STATUS_ESCRIPT, "expression: gives a %s, no number", type);
  *out = x;
  return PARL_STATUS_OK;
}
