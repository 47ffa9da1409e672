/* tests/support.h - what test programs share: cmocka, asserts for statuses and numbers, scratch
 * folders. */
#ifndef PARL_TESTS_SUPPORT_H
#define PARL_TESTS_SUPPORT_H
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h> /* needs the four before it */
/* clang-format on */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"

enum { PARL_TEST_PATH_BYTES = 1024 };

static inline void parl_test_check_status(parl_status got, parl_status due, const char *call,
                                          const char *file, int line) {
  if (got == due) return;
  print_error("%s:%d: %s returned %s, due was %s; error text: %s\n", file, line, call,
              parl_status_name(got), parl_status_name(due), parl_error_text());
  _fail(file, line);
}

static inline void parl_test_check_text(const char *text, const char *part, const char *file,
                                        int line) {
  if (strstr(text, part) != NULL) return;
  print_error("%s:%d: \"%s\" does not contain \"%s\"\n", file, line, text, part);
  _fail(file, line);
}

/* Written so that a NaN on either side fails, as does a bound that is NaN. */
static inline void parl_test_check_close(double got, double due, double abs_bound, double rel_bound,
                                         const char *file, int line) {
  if (fabs(got - due) <= abs_bound + rel_bound * fabs(due)) return;
  if (got == due) return; /* equal infinities */
  print_error("%s:%d: %.17g is not %.17g within %g + %g * |due|\n", file, line, got, due, abs_bound,
              rel_bound);
  _fail(file, line);
}

/* The call succeeds; else its error text is printed. */
#define assert_ok(call) parl_test_check_status((call), PARL_STATUS_OK, #call, __FILE__, __LINE__)
/* The call returns exactly this status. */
#define assert_status(call, due) parl_test_check_status((call), (due), #call, __FILE__, __LINE__)
/* The call returns this status, and its error text contains `part`. */
#define assert_fails(call, due, part)                                    \
  do {                                                                   \
    parl_test_check_status((call), (due), #call, __FILE__, __LINE__);    \
    parl_test_check_text(parl_error_text(), (part), __FILE__, __LINE__); \
  } while (0)
/* `text` contains `part`. */
#define assert_contains(text, part) parl_test_check_text((text), (part), __FILE__, __LINE__)
/* assert_close(got, due, abs) or (got, due, abs, rel): |got - due| <= abs + rel * |due|. */
#define assert_close(got, due, ...) PARL_TEST_CLOSE_(got, due, __VA_ARGS__, 0.0, 0.0)
#define PARL_TEST_CLOSE_(got, due, abs, rel, ...) \
  parl_test_check_close((got), (due), (abs), (rel), __FILE__, __LINE__)

/* Whether a test should do less of what is long: under a sanitizer (tests/run --sanitize). */
static inline bool parl_test_is_short(void) {
  return getenv("PARL_TEST_SHORT") != NULL;
}

/* Makes a new empty folder under $TMPDIR (/tmp) and writes its path to out. */
static inline void parl_test_temp_folder(char out[PARL_TEST_PATH_BYTES]) {
  const char *base = getenv("TMPDIR");
  const int n = snprintf(out, PARL_TEST_PATH_BYTES, "%s/parl-XXXXXX", base ? base : "/tmp");
  assert_true(n > 0 && n < PARL_TEST_PATH_BYTES);
  assert_non_null(mkdtemp(out));
}

/* Removes a folder of parl_test_temp_folder with everything in it. */
static inline void parl_test_remove_folder(const char *path) {
  DIR *folder = opendir(path);
  assert_non_null(folder);
  for (const struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    char child[2 * PARL_TEST_PATH_BYTES];
    const int n = snprintf(child, sizeof child, "%s/%s", path, e->d_name);
    assert_true(n > 0 && (size_t)n < sizeof child);
    if (remove(child) != 0) parl_test_remove_folder(child);
  }
  closedir(folder);
  assert_int_equal(remove(path), 0);
}

#endif
