/* tests/test_match.c - find, match, gmatch and gsub of the sandbox against Lua's own, on random
 * texts and patterns, malformed ones and zero bytes among them. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>

#include "core/rng.h"
#include "core/text.h"
#include "lua/sandbox.h"
#include "tests/support.h"

/* Gives everything that the four functions say about a text and a pattern, as one text; no number
 * and no error but by its kind, since messages differ. */
static const char code[] =
    "local text, pattern, from = ...\n"
    "local said = {}\n"
    "local function say(ok, ...)\n"
    "  local n = select('#', ...)\n"
    "  said[#said + 1] = ok and 'ok' or 'error'\n"
    "  for i = 1, ok and n or 0 do local v = select(i, ...)\n"
    "    said[#said + 1] = type(v) .. '=' .. tostring(v) end\n"
    "end\n"
    "say(pcall(string.find, text, pattern, from))\n"
    "say(pcall(string.find, text, pattern, from, true))\n"
    "say(pcall(string.match, text, pattern, from))\n"
    "say(pcall(string.gsub, text, pattern, '<%0>'))\n"
    "say(pcall(string.gsub, text, pattern, '%1%%', 2))\n"
    "say(pcall(string.gsub, text, pattern, {a = 'b', [''] = 1.5, b = false}))\n"
    "say(pcall(string.gsub, text, pattern, function(a, b) return b or a end, from))\n"
    "say(pcall(function() local n = 0 for a, b in string.gmatch(text, pattern, from) do\n"
    "  say(true, a, b) n = n + 1 if n > 50 then break end end end))\n"
    "return table.concat(said, '|')\n";

static const char *const pieces[] = {
    "a",      "b", ".", "%a", "%d", "%W", "[ab]", "[^a]", "[%d%-]", "[a-c]", "[]]",  "*",
    "+",      "-", "?", "^",  "$",  "(",  ")",    "()",   "(.-)",   "%1",    "%b()", "%f[a]",
    "%f[%z]", "%", "[", "%b", "%f", "%%", "1",    "%.",   "%x",     "%s"};
enum { N_PIECES = sizeof pieces / sizeof pieces[0] };

static void append_random(parl_text *out, parl_rng_cursor *rng, bool is_pattern) {
  static const char letters[] = "aab()1 -%]";
  const int n = (int)parl_rng_next_below(rng, is_pattern ? 8 : 13);
  for (int i = 0; i < n; i++) {
    const uint64_t k = parl_rng_next_below(rng, is_pattern ? N_PIECES + 1 : sizeof letters);
    if (is_pattern && k < N_PIECES)
      parl_text_append(out, pieces[k]);
    else
      parl_text_append_bytes(out, is_pattern ? "\0" : &letters[k], 1); /* the last: a zero */
  }
}

/* Calls the function below the two texts. */
static void push_arguments(lua_State *L, const parl_text *text, const parl_text *pattern,
                           int64_t from) {
  lua_pushvalue(L, -1);
  lua_pushlstring(L, parl_text_get(text), text->n);
  lua_pushlstring(L, parl_text_get(pattern), pattern->n);
  lua_pushinteger(L, from);
}

static void they_say_what_lua_says(void **state) {
  (void)state;
  enum { N = 20000 };
  parl_sandbox *s = NULL;
  const parl_sandbox_def def = {.memory_bytes = 64 << 20, .call_s = 20};
  assert_ok(parl_sandbox_create(&def, &s));
  assert_ok(parl_sandbox_load(s, code, strlen(code), "ask"));
  lua_State *ours = parl_sandbox_get_state(s), *theirs = luaL_newstate();
  assert_non_null(theirs);
  luaL_openlibs(theirs);
  assert_int_equal(luaL_loadbuffer(theirs, code, strlen(code), "ask"), LUA_OK);
  parl_rng_cursor rng = {.seed = 7};
  parl_text text = {0}, pattern = {0};
  int n_found = 0;
  for (int i = 0; i < N; i++) {
    parl_text_clear(&text);
    parl_text_clear(&pattern);
    append_random(&text, &rng, false);
    append_random(&pattern, &rng, true);
    const int64_t from = (int64_t)parl_rng_next_below(&rng, 12) - 4;
    push_arguments(ours, &text, &pattern, from);
    push_arguments(theirs, &text, &pattern, from);
    assert_ok(parl_sandbox_call(s, 3, 1));
    assert_int_equal(lua_pcall(theirs, 3, 1, 0), LUA_OK);
    const char *got = lua_tostring(ours, -1), *due = lua_tostring(theirs, -1);
    if (!lua_compare(ours, -1, -1, LUA_OPEQ) || lua_rawlen(ours, -1) != lua_rawlen(theirs, -1) ||
        memcmp(got, due, lua_rawlen(ours, -1)) != 0)
      fail_msg("text \"%s\" pattern \"%s\" from %d:\n%s\nLua says\n%s", parl_text_get(&text),
               parl_text_get(&pattern), (int)from, got, due);
    n_found += strstr(got, "number=") != NULL && strncmp(got, "error", 5) != 0;
    lua_pop(ours, 1);
    lua_pop(theirs, 1);
  }
  assert_true(n_found > N / 10); /* the texts and patterns are not all strangers */
  parl_text_deinit(&text);
  parl_text_deinit(&pattern);
  lua_close(theirs);
  parl_sandbox_destroy(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(they_say_what_lua_says)};
  return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
