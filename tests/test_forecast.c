/* tests/test_forecast.c - lambda* within tasks: by hand, what it must not see, its interval, and
 * what came of it. */
#include <math.h>
#include <string.h>

#include "parl/run/forecast.h"
#include "tests/support.h"

enum { K = 4 };

/* [n of the table] */
#define TERMS(...) ((const double[PARL_N_TERMS]){__VA_ARGS__})
#define ALONE(r) \
  { "wide", false, false, TERMS(0, 0, r, 0) }
#define LAUNCH(r, parallel, finish) \
  { "wide", false, true, TERMS(parallel, finish, r, 0) }

/* Sums over (A, B): var 0.75, 1; cov with r_perf 0.15, -0.2; r_parallel 0.375, 0.375; r_finish
 * 0.75, 0.5. C says nothing: every rollout launches. */
static const parl_probe hand[] = {
    LAUNCH(0.4, 0.5, 1),  ALONE(0.2),          ALONE(0.2),      ALONE(0.2),       /* A */
    LAUNCH(0.6, 0.25, 1), LAUNCH(0.8, 0.5, 0), ALONE(0.9),      ALONE(0.9),       /* B */
    LAUNCH(0.1, 1, 1),    LAUNCH(0.1, 1, 1),   LAUNCH(0, 1, 1), LAUNCH(0, 1, 1)}; /* C */

static parl_forecast_part estimate(const parl_probe *probe, size_t n_groups, const char *family) {
  static const double weights[PARL_N_TERMS] = {0.3, 0.1, 1, 0};
  parl_forecast_part p;
  assert_ok(parl_forecast_estimate(probe, n_groups, K, family, weights, PARL_N_TERMS, 7, &p));
  return p;
}

static void test_by_hand(void **state) {
  (void)state;
  const parl_forecast_part p = estimate(hand, 3, NULL);
  assert_int_equal(p.n_groups, 3);
  assert_int_equal(p.n_informative, 2);
  assert_close(p.gap.value, 0.05 / 1.75, 1e-12);
  assert_close(p.lambda_star.value, 0.05 / 2, 1e-12);
  assert_close(p.margin.value, (0.3 * 0.75 + 0.1 * 1.25 - 0.05) / 1.75, 1e-12);
  assert_close(p.slope[PARL_TERM_parallel], 0.75 / 1.75, 1e-12);
  assert_close(p.slope[PARL_TERM_finish], 1.25 / 1.75, 1e-12);
  assert_close(p.launch_rate, 7.0 / 12, 1e-12);
  assert_close(p.launch[PARL_TERM_perf], (0.4 + 1.4 + 0.2) / 7, 1e-12);
  assert_close(p.r_perf_alone, (0.6 + 1.8) / 5, 1e-12);
  assert_close(p.launch[PARL_TERM_parallel], (1.25 + 4) / 7, 1e-12);
  assert_close(p.launch[PARL_TERM_finish], 6.0 / 7, 1e-12);
  assert_close(parl_forecast_says(&p), 1, 0);
  parl_forecast_part q;
  assert_ok(parl_forecast_estimate(hand, 3, K, NULL, TERMS(0, 0, 1, 0), PARL_N_TERMS, 7, &q));
  assert_close(q.margin.value, -q.gap.value, 1e-15);
  assert_close(parl_forecast_says(&q), 0, 0);
}

/* The rates of the tasks are 1/4, 1/2 and 1: their standard deviation over the root of 3, or that
 * of 7 in 12 independent episodes if that is more. */
static void test_error_of_the_launch_rate(void **state) {
  (void)state;
  const double mean = 7.0 / 12, a = 0.25 - mean, b = 0.5 - mean, c = 1 - mean;
  const double due = sqrt((a * a + b * b + c * c) / 2 / 3);
  assert_close(estimate(hand, 3, NULL).launch_rate_se, due, 1e-12);
  assert_close(parl_forecast_share_error(0, 96), 0.014, 1e-12);
  assert_true(isnan(estimate(hand, 1, NULL).launch_rate_se));
}

/* A constant added to all rollouts of a task changes nothing within tasks. */
static void test_the_task_drops_out(void **state) {
  (void)state;
  parl_probe moved[12];
  double terms[12][PARL_N_TERMS];
  memcpy(moved, hand, sizeof hand);
  for (size_t i = 0; i < 12; i++) {
    memcpy(terms[i], hand[i].terms, sizeof terms[i]);
    terms[i][PARL_TERM_perf] += (double)(i / K) * 10;
    moved[i].terms = terms[i];
  }
  const parl_forecast_part p = estimate(hand, 3, NULL), q = estimate(moved, 3, NULL);
  assert_close(q.gap.value, p.gap.value, 1e-12);
  assert_close(q.gap.lo, p.gap.lo, 1e-12);
  assert_close(q.gap.hi, p.gap.hi, 1e-12);
  assert_close(q.lambda_star.value, p.lambda_star.value, 1e-12);
  assert_close(q.margin.hi, p.margin.hi, 1e-12);
  assert_true(fabs(q.launch[PARL_TERM_perf] - p.launch[PARL_TERM_perf]) > 1);
}

/* Launches happen on hard tasks, where they help: over tasks they seem to cost 0.3. */
static void test_pooling_would_be_wrong(void **state) {
  (void)state;
  const parl_probe probe[] = {
      LAUNCH(0.5, 1, 1), LAUNCH(0.5, 1, 1), LAUNCH(0.5, 1, 1), ALONE(0.4), /* hard */
      LAUNCH(1, 1, 1),   ALONE(0.9),        ALONE(0.9),        ALONE(0.9)};
  const parl_forecast_part p = estimate(probe, 2, NULL);
  assert_close(p.gap.value, -0.1, 1e-12);
  assert_true(p.r_perf_alone - p.launch[PARL_TERM_perf] > 0.1);
}

/* Of two tasks a replicate is one of them twice (a quarter each), or both. */
static void test_interval_by_hand(void **state) {
  (void)state;
  const parl_forecast_part p = estimate(hand, 2, NULL), again = estimate(hand, 2, NULL);
  assert_close(p.gap.lo, -0.15 / 0.75, 1e-12);
  assert_close(p.gap.hi, 0.2, 1e-12);
  assert_close(p.lambda_star.lo, -0.15 / 1.125, 1e-12);
  assert_close(p.lambda_star.hi, 0.2 / 0.875, 1e-12);
  assert_close(again.gap.hi, p.gap.hi, 0);
  const parl_forecast_part one = estimate(hand, 1, NULL);
  assert_close(one.gap.value, -0.2, 1e-12);
  assert_true(isnan(one.gap.lo) && isnan(one.margin.hi));
}

/* Tasks without both kinds of episodes say nothing; a failed one takes its group away. */
static void test_what_says_nothing(void **state) {
  (void)state;
  const parl_forecast_part p = estimate(&hand[8], 1, NULL);
  assert_int_equal(p.n_informative, 0);
  assert_true(isnan(p.gap.value) && isnan(p.lambda_star.value) && isnan(parl_forecast_says(&p)));
  assert_true(isnan(p.r_perf_alone));
  parl_probe broken[12];
  memcpy(broken, hand, sizeof hand);
  broken[1].failed = true;
  broken[1].terms = NULL; /* not looked at */
  const parl_forecast_part q = estimate(broken, 3, NULL);
  assert_int_equal(q.n_groups, 2);
  assert_close(q.gap.value, 0.2, 1e-12);
  const parl_forecast_part none = estimate(hand, 0, NULL);
  assert_true(isnan(none.launch_rate) && none.n_groups == 0);
}

static void test_families_are_told_apart(void **state) {
  (void)state;
  parl_probe mixed[12];
  memcpy(mixed, hand, sizeof hand);
  for (size_t i = 4; i < 8; i++) mixed[i].family = "chain";
  const parl_forecast_part wide = estimate(mixed, 3, "wide"), chain = estimate(mixed, 3, "chain");
  assert_string_equal(chain.family, "chain");
  assert_close(wide.gap.value, -0.2, 1e-12);
  assert_close(chain.gap.value, 0.2, 1e-12);
  assert_int_equal(estimate(mixed, 3, "none").n_groups, 0);
}

static void test_growth_against_noise(void **state) {
  (void)state;
  assert_close(parl_forecast_grew(0.2, 0.02, 0.5, 0.02), 1, 0);
  assert_close(parl_forecast_grew(0.2, 0.02, 0, 0.005), 0, 0);
  assert_true(isnan(parl_forecast_grew(0.2, 0.02, 0.24, 0.02)));
  assert_true(isnan(parl_forecast_grew(1, 0.01, 1, 0.01)));
  assert_true(isnan(parl_forecast_grew(NAN, 0.02, 0.5, 0.02)));
  assert_true(isnan(parl_forecast_grew(0.2, NAN, 0.5, 0.02)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_error_of_the_launch_rate),
      cmocka_unit_test(test_the_task_drops_out),
      cmocka_unit_test(test_pooling_would_be_wrong),
      cmocka_unit_test(test_interval_by_hand),
      cmocka_unit_test(test_what_says_nothing),
      cmocka_unit_test(test_families_are_told_apart),
      cmocka_unit_test(test_growth_against_noise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
