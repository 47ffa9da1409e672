/* tests/test_hostile.c - every script of tests/hostile/ ends within its limits, with the error that
 * its second line expects, and its sandbox goes on. */
#include <dirent.h>

#include "core/file.h"
#include "lua/env_internal.h"
#include "tests/sandbox_support.h"
#include "tests/support.h"

enum { MAX_SCRIPTS = 200 };

typedef struct script {
  char path[300];
  parl_status status;
  char text[200]; /* part of the error */
} script;

static parl_status read_status(const char *word) {
  static const parl_status known[] = {PARL_STATUS_OK, PARL_STATUS_ESCRIPT, PARL_STATUS_ELIMIT};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(parl_status_name(known[i]), word) == 0) return known[i];
  fail_msg("unknown status %s", word);
  return PARL_STATUS_OK;
}

/* "-- expect: ELIMIT ran longer" on the second line. */
static void read_expectation(script *s) {
  char *bytes = NULL, word[32] = "";
  size_t n;
  assert_ok(parl_file_read(s->path, 1 << 20, &bytes, &n));
  const char *line = strstr(bytes, "\n-- expect: ");
  assert_non_null(line);
  assert_int_equal(sscanf(line, "\n-- expect: %31s", word), 1);
  s->status = read_status(word);
  const char *text = line + strlen("\n-- expect: ") + strlen(word);
  text += strspn(text, " ");
  snprintf(s->text, sizeof s->text, "%.*s", (int)strcspn(text, "\n"), text);
  free(bytes);
}

static size_t list_scripts(script *list) {
  DIR *folder = opendir("tests/hostile");
  assert_non_null(folder);
  size_t n = 0;
  const struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    if (strstr(entry->d_name, ".lua") == NULL) continue;
    assert_true(n < MAX_SCRIPTS);
    snprintf(list[n].path, sizeof list[n].path, "tests/hostile/%s", entry->d_name);
    read_expectation(&list[n++]);
  }
  closedir(folder);
  return n;
}

static parl_status run(parl_sandbox *s, const char *path) {
  PARL_TRY(parl_sandbox_load_file(s, path));
  return parl_sandbox_call(s, 0, 0);
}

/* The helpers that every environment has. */
static int open_kit(lua_State *L) {
  lua_newtable(L);
  parl_env_open_kit(L);
  parl_sandbox_set_global(L, "parl");
  return 0;
}

/* No script that a limit ends would end by itself within minutes, on any machine; the others have
 * minutes. A script that nothing ends is the runner's to stop. */
static void check(const script *s, const parl_sandbox_def *def, const char *stop_text) {
  static const char harmless[] = "local t = {} for i = 1, 100 do t[i] = i end return #t";
  parl_sandbox *sandbox = NULL;
  assert_ok(parl_sandbox_create(def, &sandbox));
  assert_ok(parl_sandbox_protect(sandbox, open_kit, NULL));
  if (s->status != PARL_STATUS_ELIMIT) set_call_limit(sandbox, LONG_S);
  const parl_status status = run(sandbox, s->path);
  /* A few instructions cost as much as many (a call with a million arguments): there the clock is
   * the backstop. A time limit may come before a limit of memory, and the other way round;
   * where frames are large, Lua's own limit of its stack before both, by its version. */
  const bool is_limit = s->status == PARL_STATUS_ELIMIT && status == PARL_STATUS_ELIMIT;
  const bool is_stack = s->status == PARL_STATUS_ELIMIT && status == PARL_STATUS_ESCRIPT &&
                        strstr(parl_error_text(), "stack overflow") != NULL;
  const bool is_told = strstr(parl_error_text(), s->text) != NULL || s->status == PARL_STATUS_OK ||
                       (is_limit && (strstr(parl_error_text(), stop_text) != NULL ||
                                     strstr(parl_error_text(), "ran longer") != NULL));
  const bool good = is_stack || (status == s->status && is_told);
  if (!good)
    print_error("%s: %s: %s\n", s->path, parl_status_name(status),
                status == PARL_STATUS_OK ? "" : parl_error_text());
  assert_true(good);
  set_call_limit(sandbox, LONG_S);
  assert_ok(parl_sandbox_load(sandbox, harmless, strlen(harmless), "harmless"));
  assert_ok(parl_sandbox_call(sandbox, 0, 0));
  parl_sandbox_destroy(sandbox);
}

static void the_clock_and_the_cap_stop_them(void **state) {
  (void)state;
  static script list[MAX_SCRIPTS];
  const size_t n = list_scripts(list);
  assert_true(n >= 24);
  const parl_sandbox_def def = {.memory_bytes = (size_t)24 << 20, .call_s = 0.2};
  for (size_t i = 0; i < n; i++) check(&list[i], &def, "ran longer");
}

static void an_instruction_budget_stops_them(void **state) {
  (void)state;
  static script list[MAX_SCRIPTS];
  const size_t n = list_scripts(list);
  const parl_sandbox_def def = {
      .memory_bytes = (size_t)24 << 20, .call_s = 4, .instructions = 1000000};
  for (size_t i = 0; i < n; i++) check(&list[i], &def, "ran more than 1000000 instructions");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_clock_and_the_cap_stop_them),
      cmocka_unit_test(an_instruction_budget_stops_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
