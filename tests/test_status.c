/* tests/test_status.c - names, the thread's error text, the three macros. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support.h"

static void test_every_status_has_a_name_and_a_meaning(void **state) {
  (void)state;
  int n = 0;
#define X(name, value, meaning)                                                            \
  assert_int_equal(PARL_STATUS_##name, value);                                             \
  assert_int_equal(value, n); /* the values are the list's order: exit pages rely on it */ \
  assert_string_equal(parl_status_name(PARL_STATUS_##name), #name);                        \
  assert_string_equal(parl_status_meaning(PARL_STATUS_##name), meaning);                   \
  n++;
  PARL_STATUS_LIST(X)
#undef X
  assert_string_equal(parl_status_name((parl_status)n), "?");
  assert_string_equal(parl_status_meaning((parl_status)-1), "?");
}

static void test_fail_sets_the_text(void **state) {
  (void)state;
  assert_int_equal(parl_fail(PARL_STATUS_EIO, "%s is %d", "x", 7), PARL_STATUS_EIO);
  assert_string_equal(parl_error_text(), "x is 7");
}

static void test_fail_takes_its_own_text(void **state) {
  (void)state;
  parl_fail(PARL_STATUS_EIO, "inner");
  parl_fail(PARL_STATUS_EIO, "a %s b %s", parl_error_text(), parl_error_text());
  assert_string_equal(parl_error_text(), "a inner b inner");
}

static void test_text_is_cut(void **state) {
  (void)state;
  char big[10000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  parl_fail(PARL_STATUS_EIO, "%s", big);
  assert_int_equal(strlen(parl_error_text()), 4095);
  assert_int_equal(parl_fail_context(PARL_STATUS_EIO, "%s", big), PARL_STATUS_EIO);
  assert_true(strlen(parl_error_text()) <= 4095);
}

static void test_context(void **state) {
  (void)state;
  parl_fail(PARL_STATUS_EIO, "inner");
  assert_int_equal(parl_fail_context(PARL_STATUS_EFORMAT, "file %d", 3), PARL_STATUS_EFORMAT);
  assert_string_equal(parl_error_text(), "file 3: inner");
  assert_int_equal(parl_fail_context(PARL_STATUS_OK, "never"), PARL_STATUS_OK);
  assert_string_equal(parl_error_text(), "file 3: inner");
}

/* Only where memory ran out. */
static void test_sizes(void **state) {
  (void)state;
  parl_fail(PARL_STATUS_ENOMEM, "inner");
  assert_int_equal(parl_fail_sizes(PARL_STATUS_ENOMEM, "train.tasks = %d", 3), PARL_STATUS_ENOMEM);
  assert_string_equal(parl_error_text(), "no memory for train.tasks = 3: inner");
  assert_int_equal(parl_fail_sizes(PARL_STATUS_EIO, "never"), PARL_STATUS_EIO);
  assert_int_equal(parl_fail_sizes(PARL_STATUS_OK, "never"), PARL_STATUS_OK);
  assert_string_equal(parl_error_text(), "no memory for train.tasks = 3: inner");
}

static void *read_text(void *out) {
  const int was_empty = parl_error_text()[0] == '\0';
  parl_fail(PARL_STATUS_EIO, "other");
  *(int *)out = was_empty && strcmp(parl_error_text(), "other") == 0;
  return NULL;
}

static void test_text_belongs_to_the_thread(void **state) {
  (void)state;
  parl_fail(PARL_STATUS_EIO, "mine");
  int is_own = 0;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, read_text, &is_own), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(is_own);
  assert_string_equal(parl_error_text(), "mine");
}

static parl_status try_it(parl_status s, int *reached) {
  PARL_TRY(s);
  *reached = 1;
  return PARL_STATUS_OK;
}

static parl_status require_it(int x) {
  PARL_REQUIRE(x > 3);
  return PARL_STATUS_OK;
}

static void test_try_and_require(void **state) {
  (void)state;
  int reached = 0;
  assert_status(try_it(PARL_STATUS_EIO, &reached), PARL_STATUS_EIO);
  assert_int_equal(reached, 0);
  assert_ok(try_it(PARL_STATUS_OK, &reached));
  assert_int_equal(reached, 1);
  assert_ok(require_it(4));
  assert_fails(require_it(3), PARL_STATUS_EINVAL, "require_it: requires x > 3 (");
  assert_contains(parl_error_text(), "test_status.c:");
}

/* Runs PARL_CHECK(condition) in a child; its wait status, and what it wrote to stderr. */
static int check_in_child(int condition, char *text, size_t n) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    PARL_CHECK(condition == 1);
    _exit(0);
  }
  close(ends[1]);
  size_t at = 0;
  for (ssize_t got = 1; got > 0 && at + 1 < n; at += (size_t)got) {
    got = read(ends[0], text + at, n - 1 - at);
    if (got < 0) got = 0;
  }
  text[at] = '\0';
  close(ends[0]);
  int wait_status = 0;
  assert_int_equal(waitpid(child, &wait_status, 0), child);
  return wait_status;
}

static void test_check_aborts(void **state) {
  (void)state;
  char text[1024];
  const int aborted = check_in_child(0, text, sizeof text);
  assert_true(WIFSIGNALED(aborted) && WTERMSIG(aborted) == SIGABRT);
  assert_contains(text, "condition == 1");
  assert_contains(text, "test_status.c:");
  const int passed = check_in_child(1, text, sizeof text);
  assert_true(WIFEXITED(passed) && WEXITSTATUS(passed) == 0);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_status_has_a_name_and_a_meaning),
      cmocka_unit_test(test_fail_sets_the_text),
      cmocka_unit_test(test_fail_takes_its_own_text),
      cmocka_unit_test(test_text_is_cut),
      cmocka_unit_test(test_context),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_text_belongs_to_the_thread),
      cmocka_unit_test(test_try_and_require),
      cmocka_unit_test(test_check_aborts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
