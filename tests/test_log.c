/* tests/test_log.c - levels, silence, one line each, one sink call at a time. */
#include <pthread.h>

#include "core/log.h"
#include "tests/support.h"

typedef struct record {
  int n_lines, n_inside, n_torn;
  parl_log_level level;
  char last[8192];
} record;

static void keep(void *context, parl_log_level level, const char *text) {
  record *r = context;
  if (++r->n_inside != 1) r->n_torn++;
  r->n_lines++;
  r->level = level;
  snprintf(r->last, sizeof r->last, "%s", text);
  r->n_inside--;
}

static void test_levels(void **state) {
  (void)state;
  record r = {0};
  parl_log log;
  parl_log_init(&log, keep, &r, PARL_LOG_INFO);
  parl_log_write(&log, PARL_LOG_DEBUG, "not this");
  assert_int_equal(r.n_lines, 0);
  parl_log_write(&log, PARL_LOG_INFO, "%d and %s", 5, "x");
  assert_int_equal(r.n_lines, 1);
  assert_int_equal(r.level, PARL_LOG_INFO);
  assert_string_equal(r.last, "5 and x");
  parl_log_write(&log, PARL_LOG_WARNING, "careful");
  assert_int_equal(r.level, PARL_LOG_WARNING);
  assert_int_equal(r.n_lines, 2);
  parl_log_deinit(&log);
}

static void test_silence(void **state) {
  (void)state;
  parl_log_write(NULL, PARL_LOG_WARNING, "nowhere %d", 1);
  parl_log log;
  record r = {0};
  parl_log_init(&log, NULL, &r, PARL_LOG_DEBUG);
  parl_log_write(&log, PARL_LOG_WARNING, "nowhere");
  assert_int_equal(r.n_lines, 0);
  parl_log_deinit(&log);
}

static void test_one_line(void **state) {
  (void)state;
  record r = {0};
  parl_log log;
  parl_log_init(&log, keep, &r, PARL_LOG_DEBUG);
  parl_log_write(&log, PARL_LOG_INFO, "a\nb\r\nc");
  assert_string_equal(r.last, "a b  c");
  parl_log_write(&log, PARL_LOG_INFO, "%7000d", 3);
  assert_int_equal(strlen(r.last), 4095);
  parl_log_deinit(&log);
}

enum { N_THREADS = 4, N_LINES = 2000 };

static void *write_many(void *context) {
  for (int i = 0; i < N_LINES; i++) parl_log_write(context, PARL_LOG_INFO, "line %d", i);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  record r = {0};
  parl_log log;
  parl_log_init(&log, keep, &r, PARL_LOG_DEBUG);
  pthread_t threads[N_THREADS];
  for (int i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, write_many, &log), 0);
  for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(r.n_lines, N_THREADS * N_LINES);
  assert_int_equal(r.n_torn, 0);
  parl_log_deinit(&log);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_levels),
      cmocka_unit_test(test_silence),
      cmocka_unit_test(test_one_line),
      cmocka_unit_test(test_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
