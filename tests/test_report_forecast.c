/* tests/test_report_forecast.c - forecasts in the report, beside always saying the same. */
#include <math.h>

#include "tests/report_support.h"

static void put(fixture *f, int64_t run, const char *key, double value) {
  assert_ok(parl_rows_put_metric(f->store, run, strcmp(strrchr(key, '/'), "/grew") == 0 ? 4 : 0,
                                 key, value));
}

static void put_forecast(fixture *f, int64_t seed, double says, double grew) {
  const int64_t run = put_run(f, "annealed", seed, "done");
  parl_episode_row e = make_episode("trained", "sampled", 0.5);
  e.family = "chain";
  put_episode(f, run, e, 1);
  e.family = "wide";
  put_episode(f, run, e, 2);
  put(f, run, "warm/r_perf", 0.25);
  put(f, run, "forecast/says_launch", says);
  put(f, run, "forecast/grew", grew);
  put(f, run, "forecast/gap", 0.125);
  put(f, run, "forecast/gap_lo", 0.1);
  put(f, run, "forecast/gap_hi", 0.15);
  put(f, run, "forecast/wide/says_launch", 1);
  put(f, run, "forecast/wide/grew", grew);
}

/* Said 1 0 1 1 ?, grew 1 0 0 ? 1: three can be judged, of which two are right; one grew. */
static void test_score_by_hand(void **state) {
  (void)state;
  static const double said[] = {1, 0, 1, 1, NAN}, grew[] = {1, 0, 0, NAN, 1};
  fixture f;
  begin(&f);
  for (int64_t seed = 0; seed < 5; seed++) put_forecast(&f, seed + 1, said[seed], grew[seed]);
  end_writing(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *all = parl_json_find(parl_json_find(json, "forecast"), "all tasks");
  assert_close(get_number(all, "runs"), 5, 0);
  assert_close(get_number(all, "judged"), 3, 0);
  assert_close(get_number(all, "right"), 2, 0);
  assert_close(get_number(all, "always_grows_right"), 1, 0);
  assert_close(get_number(all, "never_grows_right"), 2, 0);
  assert_close(get_number(json, "forecast.wide.right"), 2, 0);
  assert_close(get_number(json, "forecast.wide.judged"), 4, 0);
  assert_close(get_number(json, "forecast.chain.runs"), 0, 0);
  parl_json_destroy(json);
  char *markdown = read_file(&f, "report.md");
  assert_contains(markdown, "| all tasks | 5 | 3 | 2 | 1 | 2 |");
  assert_contains(markdown, "| annealed | all tasks | - | - | 0.125 \\[0.100, 0.150] |");
  assert_contains(markdown, "| r\\_perf | 0.250 \\[0.250, 0.250] |");
  free(markdown);
  finish(&f);
}

static void test_without_forecast_there_is_no_table(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_episode(&f, put_run(&f, "annealed", 1, "done"), make_episode("trained", "sampled", 1), 1);
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *markdown = read_file(&f, "report.md");
  assert_null(strstr(markdown, "forecast"));
  assert_null(strstr(markdown, "warm start"));
  free(markdown);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_score_by_hand),
      cmocka_unit_test(test_without_forecast_there_is_no_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
