/* tests/test_report_lambda.c - the front, what annealing leaves, the map of two weights. */
#include "experiments/report_internal.h"
#include "tests/report_support.h"

static int64_t put(fixture *f, const char *arm, double one, double two, double r_perf,
                   double critical) {
  char config[200];
  snprintf(config, sizeof config,
           "{\"lambda1\":{\"start\":%g},\"lambda2\":{\"start\":%g},\"seed\":1}", one, two);
  const int64_t run = put_run_of(f, arm, 1, "done", config, "{}");
  parl_episode_row e = make_episode("trained", "sampled", r_perf);
  e.facts.critical_steps = critical;
  put_episode(f, run, e, 1);
  return run;
}

static char *write_markdown(const fixture *f) {
  assert_ok(parl_report_write(f->folder, NULL));
  return read_file(f, "report.md");
}

/* quick .5 in 4, good .9 in 8; slow .5 in 5 and bad .4 in 4 are beaten by quick; twin is quick. */
static void test_front_by_hand(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put(&f, "quick", 0, 0, 0.5, 4);
  put(&f, "good", 0, 0, 0.9, 8);
  put(&f, "slow", 0, 0, 0.5, 5);
  put(&f, "bad", 0, 0, 0.4, 4);
  put(&f, "twin", 0, 0, 0.5, 4);
  end_writing(&f);
  char *text = write_markdown(&f);
  assert_contains(text,
                  "| all tasks | quick | 0.500 | 4.00 | yes |\n"
                  "| all tasks | good | 0.900 | 8.00 | yes |\n"
                  "| all tasks | slow | 0.500 | 5.00 | no |\n"
                  "| all tasks | bad | 0.400 | 4.00 | no |\n"
                  "| all tasks | twin | 0.500 | 4.00 | yes |\n\n");
  assert_null(strstr(text, "over the starts of"));
  free(text);
  finish(&f);
}

/* Shaped in updates 0 and 1: launch rates .8 then, .2 at update 4. */
static void test_survival_by_hand(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run = put(&f, "annealed", 0.3, 0, 0.5, 4);
  const int64_t kept = put(&f, "kept", 0.3, 0.1, 0.5, 4);
  for (int64_t t = 0; t < 5; t++) {
    assert_ok(parl_rows_put_metric(f.store, run, t, "lambda/lambda1", t < 2 ? 0.3 : 0));
    assert_ok(parl_rows_put_metric(f.store, run, t, "lambda/lambda_perf", 1));
    assert_ok(parl_rows_put_metric(f.store, run, t, "episode/launch_rate", t < 2 ? 0.8 : 0.2));
    assert_ok(parl_rows_put_metric(f.store, kept, t, "lambda/lambda1", 0.3));
  }
  end_writing(&f);
  char *text = write_markdown(&f);
  assert_contains(text, "| annealed | 3 | 0.800 | 0.200 |");
  assert_null(strstr(text, "| kept | 0 |"));
  free(text);
  finish(&f);
}

static void test_map_by_hand(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put(&f, "a", 0.5, 0.1, 0.25, 4);
  put(&f, "b", 0, 0, 0.5, 4);
  put(&f, "c", 0.5, 0, 0.75, 4);
  end_writing(&f);
  char *text = write_markdown(&f);
  assert_contains(text, "| 0 | 0.1 |\n");
  assert_contains(text, "| 0 | 0.500 | - |\n| 0.5 | 0.750 | 0.250 |\n");
  free(text);
  char *figure = read_figure(&f, "\xCE\xBB\xE2\x82\x81 \xC3\x97 \xCE\xBB\xE2\x82\x82");
  assert_non_null(figure);
  assert_int_equal(count(figure, "<rect"), 3);
  free(figure);
  finish(&f);
  begin(&f);
  put(&f, "a", 0.5, 0.5, 0.25, 4); /* both by one */
  put(&f, "b", 0, 0, 0.5, 4);
  end_writing(&f);
  text = write_markdown(&f);
  assert_null(strstr(text, "over the starts of"));
  free(text);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_front_by_hand),
      cmocka_unit_test(test_survival_by_hand),
      cmocka_unit_test(test_map_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
