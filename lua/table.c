/* lua/table.c - from a Lua table to a JSON tree. The tree is written as text and parsed: one
 * builder of trees, and one set of rules for what JSON may hold. */
#include "lua/table.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "lua/freeze.h"
#include "lua/sandbox_internal.h"

enum {
  MAX_DEPTH = 60,
  PLACE_BYTES = 512,
  MAX_KEYS = 4096,
  MAX_KEY_BYTES = 256,
  MAX_VALUES = 50000,      /* in all, a shared table's each time */
  MAX_TEXT_BYTES = 4 << 20 /* of the JSON that is written */
};

typedef struct converter {
  const char *path; /* of the file */
  parl_json_writer w;
  char place[PLACE_BYTES]; /* of the value being written, "train.lr" */
  const parl_text *text;   /* what w writes */
  int n_values;            /* written so far */
  parl_status status;      /* EINVAL once a value was refused, which ends the conversion */
} converter;

static void write_value(lua_State *L, converter *c, int depth);

static void refuse(converter *c, const char *what) {
  if (c->status != PARL_STATUS_OK) return;
  c->status = parl_fail(PARL_STATUS_EINVAL, "%s: %s: %s", c->path,
                        c->place[0] ? c->place : "the table", what);
  parl_json_null(&c->w); /* keeps the text well formed; it is thrown away */
}

/* Writes the value at the top as a member or an item; the place is extended meanwhile. */
static void write_child(lua_State *L, converter *c, int depth, const char *key, lua_Integer index) {
  const size_t used = strlen(c->place);
  if (key)
    snprintf(c->place + used, sizeof c->place - used, "%s%s", used ? "." : "", key);
  else
    snprintf(c->place + used, sizeof c->place - used, "[%lld]", (long long)index);
  write_value(L, c, depth + 1);
  c->place[used] = '\0';
}

static void write_array(lua_State *L, converter *c, int depth, lua_Integer n) {
  parl_json_begin_array(&c->w);
  for (lua_Integer i = 1; i <= n && c->status == PARL_STATUS_OK; i++) {
    lua_rawgeti(L, -1, i);
    write_child(L, c, depth, NULL, i);
    lua_pop(L, 1);
  }
  parl_json_end_array(&c->w);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names: a table has none of its own. */
static void write_object(lua_State *L, converter *c, int depth, size_t n) {
  const int table = lua_gettop(L);
  const char **keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
  size_t i = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) keys[i++] = lua_tostring(L, -2);
  qsort(keys, n, sizeof *keys, compare_keys);
  parl_json_begin_object(&c->w);
  for (i = 0; i < n && c->status == PARL_STATUS_OK; i++) {
    parl_json_key(&c->w, keys[i]);
    lua_getfield(L, table, keys[i]);
    write_child(L, c, depth, keys[i], 0);
    lua_pop(L, 1);
  }
  parl_json_end_object(&c->w);
  lua_pop(L, 1);
}

/* Whether a text is what JSON can hold; refuses it otherwise. */
static bool check_text(converter *c, const char *text, size_t n) {
  char what[64];
  if (strlen(text) != n) {
    refuse(c, "a text with a zero byte");
    return false;
  }
  const size_t bad = parl_utf8_find_bad(text, n);
  if (bad == n) return true;
  snprintf(what, sizeof what, "byte %zu (0x%02x) is no UTF-8", bad + 1,
           (unsigned)(unsigned char)text[bad]);
  refuse(c, what);
  return false;
}

static void write_table(lua_State *L, converter *c, int depth) {
  size_t n_named = 0, n_items = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (n_named + n_items > MAX_VALUES) {
      refuse(c, "a table of more than 50000 values");
      lua_pop(L, 2);
      break;
    }
    if (lua_type(L, -2) == LUA_TSTRING && lua_rawlen(L, -2) <= MAX_KEY_BYTES)
      n_named += check_text(c, lua_tostring(L, -2), lua_rawlen(L, -2));
    else if (lua_isinteger(L, -2))
      n_items++;
    else
      refuse(c, "a key that is neither a short text nor a place in a list");
  }
  if (n_named > 0 && n_items > 0) refuse(c, "has both named fields and list items");
  if (n_items > 0 && lua_rawlen(L, -1) != n_items) refuse(c, "a list with holes");
  if (n_named > MAX_KEYS) refuse(c, "more fields than 4096");
  if (c->status != PARL_STATUS_OK) return;
  if (n_items > 0)
    write_array(L, c, depth, (lua_Integer)n_items);
  else
    write_object(L, c, depth, n_named);
}

/* Whether a double holds the integer. */
static bool is_exact(lua_Integer i) {
  const lua_Integer most = (lua_Integer)1 << 53;
  return i >= -most && i <= most;
}

static void write_number(lua_State *L, converter *c) {
  const double x = lua_tonumber(L, -1);
  if (!isfinite(x)) {
    refuse(c, isnan(x) ? "is NaN" : "is infinite");
  } else if (lua_isinteger(L, -1) && !is_exact(lua_tointeger(L, -1))) {
    refuse(c, "an integer beyond 2^53");
  } else if (lua_isinteger(L, -1)) {
    parl_json_integer(&c->w, lua_tointeger(L, -1));
  } else {
    parl_json_number(&c->w, x);
  }
}

static void write_text(lua_State *L, converter *c) {
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  if (c->text->n + n > MAX_TEXT_BYTES)
    refuse(c, "too long: more than 4 MiB in all");
  else if (check_text(c, text, n))
    parl_json_string(&c->w, text);
}

/* The value at the top. */
static void write_value(lua_State *L, converter *c, int depth) {
  luaL_checkstack(L, 10, NULL);
  parl_sandbox_charge(L, 10);
  if (++c->n_values > MAX_VALUES) {
    refuse(c, "too large: more than 50000 values (tables that are used twice count twice)");
    return;
  }
  if (depth > MAX_DEPTH) {
    refuse(c, "nested too deeply, or a cycle");
    return;
  }
  switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
      parl_json_bool(&c->w, lua_toboolean(L, -1));
      return;
    case LUA_TNUMBER:
      write_number(L, c);
      return;
    case LUA_TSTRING:
      write_text(L, c);
      return;
    case LUA_TTABLE:
      if (parl_freeze_unwrap(L, -1)) {
        refuse(c, "a library or another frozen table");
        lua_pop(L, 1);
        return;
      }
      write_table(L, c, depth);
      return;
    default: {
      char text[64];
      snprintf(text, sizeof text, "is a %s; a recipe holds plain data", luaL_typename(L, -1));
      refuse(c, text);
    }
  }
}

static int convert_body(lua_State *L) {
  converter *c = lua_touserdata(L, 1);
  lua_settop(L, 2);
  if (lua_istable(L, 2))
    write_value(L, c, 0);
  else
    refuse(c, "the file must return a table");
  return 0;
}

static parl_status run(parl_sandbox *sandbox, const char *path, parl_text *json) {
  lua_State *L = parl_sandbox_get_state(sandbox);
  converter c = {.path = path, .text = json};
  parl_json_writer_init(&c.w, json, false);
  PARL_TRY(parl_sandbox_load_file(sandbox, path));
  PARL_TRY(parl_sandbox_call(sandbox, 0, 1));
  lua_pushcfunction(L, convert_body);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, &c);
  lua_insert(L, -2);
  PARL_TRY(parl_sandbox_call(sandbox, 2, 0));
  PARL_TRY(c.status);
  return parl_text_status(json);
}

parl_status parl_lua_table_load(const char *path, parl_json **out) {
  PARL_REQUIRE(path != NULL && out != NULL);
  const parl_sandbox_def def = {.memory_bytes = (size_t)64 << 20, .call_s = 1};
  parl_sandbox *sandbox = NULL;
  parl_text json = {0};
  PARL_TRY(parl_sandbox_create(&def, &sandbox));
  parl_status status = run(sandbox, path, &json);
  if (status == PARL_STATUS_OK) status = parl_json_parse(parl_text_get(&json), json.n, path, out);
  parl_text_deinit(&json);
  parl_sandbox_destroy(sandbox);
  return status;
}
