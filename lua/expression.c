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
  int function;  /* registry reference */
  bool compares; /* the program names `group`, `scores` or `stages` */
  bool stages;   /* it names `stages` */
};

/* Numbers by name. */
typedef struct numbers {
  size_t n;
  const char *const *names;
  const double *values;
} numbers;

/* globals [3]; tables: registry reference of the group's, of which record k is evaluated. */
typedef struct evaluation {
  const parl_expression *e;
  numbers globals[3];
  int tables;
  bool has_stages; /* among the tables */
  size_t k;
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

bool parl_expression_may_name(const char *code, const char *word) {
  return strstr(code, word) != NULL;
}

parl_status parl_expression_create(const char *code, parl_expression **out) {
  PARL_REQUIRE(code != NULL && out != NULL);
  const parl_sandbox_def def = {.memory_bytes = (size_t)8 << 20, .call_s = 0.1};
  parl_expression *e = calloc(1, sizeof *e);
  if (e == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for an expression");
  e->stages = parl_expression_may_name(code, "stages");
  e->compares = e->stages || parl_expression_may_name(code, "group") ||
                parl_expression_may_name(code, "scores");
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

static void clear(lua_State *L, int globals, const char *name) {
  lua_pushnil(L);
  lua_setfield(L, globals, name);
}

/* The next evaluation may have other names. */
static int clear_body(lua_State *L) {
  const evaluation *v = lua_touserdata(L, 1);
  const int globals = push_globals(L);
  for (size_t i = 0; i < sizeof v->globals / sizeof v->globals[0]; i++)
    for (size_t k = 0; k < v->globals[i].n; k++) clear(L, globals, v->globals[i].names[k]);
  if (v->tables == LUA_NOREF) return 0;
  clear(L, globals, "group");
  clear(L, globals, "scores");
  clear(L, globals, "stages");
  return 0;
}

static void set_names(lua_State *L, int globals, const numbers *x) {
  for (size_t i = 0; i < x->n; i++) {
    lua_pushstring(L, x->names[i]);
    if (lua_rawget(L, globals) > LUA_TNIL && !lua_isnumber(L, -1))
      luaL_error(L, "the name '%s' is taken by the language", x->names[i]);
    lua_pushnumber(L, x->values[i]);
    lua_setfield(L, globals, x->names[i]);
    lua_pop(L, 1);
  }
}

static void set_globals(lua_State *L, const evaluation *v) {
  const int globals = push_globals(L);
  for (size_t i = 0; i < sizeof v->globals / sizeof v->globals[0]; i++)
    set_names(L, globals, &v->globals[i]);
  if (v->tables == LUA_NOREF) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, v->tables);
  lua_pushvalue(L, -1);
  lua_setfield(L, globals, "group");
  lua_geti(L, -1, (lua_Integer)v->k + 1);
  lua_getfield(L, -1, "scores");
  lua_setfield(L, globals, "scores");
  if (!v->has_stages) return;
  lua_getfield(L, -1, "stages");
  lua_setfield(L, globals, "stages");
}

/* The program's only variable that outlives an evaluation is its _ENV: it begins as the globals
 * each time, and may not become anything else. */
static int eval_body(lua_State *L) {
  const evaluation *v = lua_touserdata(L, 1);
  set_globals(L, v);
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

static parl_status eval(parl_expression *e, evaluation *v, double *out) {
  lua_State *L = parl_sandbox_get_state(e->sandbox);
  lua_pushcfunction(L, eval_body);
  lua_pushlightuserdata(L, v);
  const parl_status status = parl_sandbox_call(e->sandbox, 1, 1);
  if (status != PARL_STATUS_OK) {
    PARL_TRY(parl_sandbox_protect(e->sandbox, clear_body, v)); /* keeps the error's text */
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

parl_status parl_expression_eval(parl_expression *e, const char *const *names, const double *values,
                                 size_t n, double *out) {
  PARL_REQUIRE(e != NULL && out != NULL && (n == 0 || (names != NULL && values != NULL)));
  evaluation v = {.e = e, .globals = {{n, names, values}}, .tables = LUA_NOREF};
  return eval(e, &v, out);
}

/* --- a group --- */

static int give_one(lua_State *L) {
  lua_pushnumber(L, 1);
  return 1;
}

/* Pushes the frozen table of the scores of record k. */
static void push_scores(lua_State *L, const parl_expression_group *g, size_t k) {
  lua_newtable(L);
  const parl_json *scores = g->scores != NULL ? g->scores[k] : NULL;
  for (const parl_json *c = parl_json_get_first(scores); c != NULL; c = parl_json_get_next(c)) {
    if (parl_json_get_type(c) != PARL_JSON_NUMBER) continue;
    lua_pushnumber(L, parl_json_get_number(c));
    lua_setfield(L, -2, parl_json_get_key(c));
  }
  if (g->any_score) {
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, give_one);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
  } else {
    parl_sandbox_make_strict(L, "scores");
  }
  parl_freeze_wrap(L, "the table of scores", "it is what the environment says");
}

/* Pushes what a record's stages say: lists, and strict tables of fields; all of it frozen. */
static void push_frozen(lua_State *L, const parl_json *node, int depth) {
  const parl_json_type type = parl_json_get_type(node);
  luaL_checkstack(L, 8, "stages");
  if (type == PARL_JSON_NUMBER) {
    lua_pushnumber(L, parl_json_get_number(node));
  } else if (type == PARL_JSON_BOOL) {
    lua_pushboolean(L, parl_json_get_bool(node));
  } else if (type == PARL_JSON_STRING) {
    lua_pushstring(L, parl_json_get_string(node));
  } else {
    lua_Integer n = 0;
    lua_newtable(L);
    for (const parl_json *c = parl_json_get_first(node); c != NULL; c = parl_json_get_next(c)) {
      push_frozen(L, c, depth + 1);
      if (type == PARL_JSON_OBJECT)
        lua_setfield(L, -2, parl_json_get_key(c));
      else
        lua_rawseti(L, -2, ++n);
    }
    if (type == PARL_JSON_OBJECT) parl_sandbox_make_strict(L, depth < 2 ? "stages[t]" : "subs[j]");
    parl_freeze_wrap(L, "a table of stages", "it is what the episode did");
  }
}

typedef struct building {
  bool has_stages;
  const parl_expression_group *group;
  int tables; /* out: registry reference */
} building;

static int build_body(lua_State *L) {
  building *b = lua_touserdata(L, 1);
  const parl_expression_group *g = b->group;
  lua_createtable(L, (int)g->n, 0);
  for (size_t k = 0; k < g->n; k++) {
    lua_createtable(L, 0, (int)g->n_names + 2);
    for (size_t i = 0; i < g->n_names; i++) {
      lua_pushnumber(L, g->values[k * g->n_names + i]);
      lua_setfield(L, -2, g->names[i]);
    }
    push_scores(L, g, k);
    lua_setfield(L, -2, "scores");
    if (b->has_stages) {
      push_frozen(L, g->stages[k], 0);
      lua_setfield(L, -2, "stages");
    }
    parl_sandbox_make_strict(L, "group[i]");
    parl_freeze_wrap(L, "a record of the group", "declare variables with `local`");
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  parl_freeze_wrap(L, "the group", "declare variables with `local`");
  b->tables = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

parl_status parl_expression_eval_group(parl_expression *e, const parl_expression_group *group,
                                       double *out, size_t *at) {
  PARL_REQUIRE(e != NULL && group != NULL && out != NULL);
  static const char *const places[] = {"k", "K"};
  double place[] = {0, (double)group->n};
  building b = {.group = group, .tables = LUA_NOREF};
  b.has_stages = e->stages && group->stages != NULL;
  parl_status s = PARL_STATUS_OK;
  size_t k = 0;
  if (e->compares) s = parl_sandbox_protect(e->sandbox, build_body, &b);
  for (; k < group->n && s == PARL_STATUS_OK; k++) {
    place[0] = (double)k + 1;
    evaluation v = {.e = e,
                    .globals = {{group->n_names, group->names, &group->values[k * group->n_names]},
                                {group->n_common, group->common_names, group->common},
                                {sizeof places / sizeof places[0], places, place}},
                    .tables = b.tables,
                    .has_stages = b.has_stages,
                    .k = k};
    s = eval(e, &v, &out[k]);
  }
  if (at != NULL) *at = s == PARL_STATUS_OK || k == 0 ? 0 : k - 1;
  luaL_unref(parl_sandbox_get_state(e->sandbox), LUA_REGISTRYINDEX, b.tables);
  return s;
}
