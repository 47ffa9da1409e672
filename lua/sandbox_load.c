/* lua/sandbox_load.c - compiling source text, a line at a time.
 *
 * The parser takes more than linear time over some texts (a long chain of `elseif`), runs inside C
 * and is asked for the next piece again and again: there the limits are looked at. Counting the
 * lines handed out names the line of those errors that the parser gives no place, too. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "lua/sandbox_internal.h"

enum { MAX_PIECE = 256 /* bytes at a time */ };

typedef struct source {
  const char *at, *end;
  int line; /* of what was handed out last */
  bool in_line;
} source;

/* A piece that ends with a line at the latest; none once the script has to stop. */
static const char *read_piece(lua_State *L, void *data, size_t *n) {
  source *s = data;
  const size_t n_left = (size_t)(s->end - s->at), most = n_left < MAX_PIECE ? n_left : MAX_PIECE;
  *n = 0;
  if (n_left == 0 || !parl_sandbox_spend(L, (double)most)) return NULL;
  const char *piece = s->at, *end = memchr(piece, '\n', most);
  if (!s->in_line) s->line++;
  s->in_line = end == NULL;
  *n = end != NULL ? (size_t)(end - piece) + 1 : most;
  s->at += *n;
  return piece;
}

/* Puts name:line in front of the message at the top, unless it has a place. */
static void add_place(lua_State *L, const char *name, int line) {
  const char *message = lua_tostring(L, -1);
  if (message == NULL || memchr(message, ':', strcspn(message, "\n")) != NULL) return;
  lua_pushfstring(L, "%s:%d: %s", name, line, message);
  lua_remove(L, -2);
}

int parl_sandbox_compile(lua_State *L, const char *bytes, size_t n, const char *name) {
  source s = {.at = bytes, .end = bytes + n};
  const char *chunk = lua_pushfstring(L, "@%s", name);
  const int rc = lua_load(L, read_piece, &s, chunk, "t");
  lua_remove(L, -2);
  if (rc != LUA_OK && rc != LUA_ERRMEM) add_place(L, name, s.line);
  return rc;
}

void parl_sandbox_skip_head(const char **bytes, size_t *n) {
  if (*n >= 3 && memcmp(*bytes, "\xEF\xBB\xBF", 3) == 0) {
    *bytes += 3;
    *n -= 3;
  }
  if (*n == 0 || **bytes != '#') return;
  const char *end = memchr(*bytes, '\n', *n); /* stays: the lines keep their numbers */
  *n = end != NULL ? *n - (size_t)(end - *bytes) : 0;
  if (end != NULL) *bytes = end;
}

typedef struct load_arguments {
  const char *bytes, *name;
  size_t n;
} load_arguments;

static int load_body(lua_State *L) {
  const load_arguments *a = lua_touserdata(L, 1);
  const int rc = parl_sandbox_compile(L, a->bytes, a->n, a->name);
  parl_sandbox_charge(L, 0);
  if (rc != LUA_OK) return lua_error(L);
  return 1;
}

parl_status parl_sandbox_load(parl_sandbox *s, const char *bytes, size_t n, const char *name) {
  load_arguments arguments = {.bytes = bytes, .n = n, .name = name};
  snprintf(s->script, sizeof s->script, "%s", name);
  lua_pushcfunction(s->L, load_body);
  lua_pushlightuserdata(s->L, &arguments);
  return parl_sandbox_call(s, 1, 1);
}

parl_status parl_sandbox_load_file(parl_sandbox *s, const char *path) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, PARL_SANDBOX_MAX_SOURCE, &bytes, &n));
  const char *text = bytes;
  parl_sandbox_skip_head(&text, &n);
  const parl_status status = parl_sandbox_load(s, text, n, path);
  free(bytes);
  return status;
}
