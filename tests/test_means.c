/* tests/test_means.c - means over episodes by hand; what is unknown, and what failed. */
#include <math.h>
#include <string.h>

#include "parl/swarm/means.h"
#include "tests/support.h"

static parl_facts make_facts(double r_perf, double critical, double total, double serial) {
  return (parl_facts){.r_perf = r_perf,
                      .critical_steps = critical,
                      .total_steps = total,
                      .serial_steps = serial,
                      .optimum_steps = 4,
                      .end = PARL_END_FINISH};
}

/* Two episodes: 12 / 6 and 9 / 3 side by side; alone 12 / 6 and 12 / 3. */
static void test_by_hand(void **state) {
  (void)state;
  parl_mean_sums sums = {0};
  parl_facts a = make_facts(0.5, 6, 12, 12), b = make_facts(1, 3, 9, 12);
  a.assigned = 4, a.finished = 1, a.launches = 2;
  b.end = PARL_END_BUDGET;
  parl_mean_sums_add(&sums, &a, false);
  parl_mean_sums_add(&sums, &b, false);
  const parl_means m = parl_mean_sums_get(&sums);
  assert_close(m.r_perf, 0.75, 0);
  assert_close(m.critical_steps, 4.5, 0);
  assert_close(m.concurrency, 2.5, 0);
  assert_close(m.speed_up, 3, 0);
  assert_close(m.regret, 0.5, 0);
  assert_close(m.launch_rate, 0.5, 0);
  assert_close(m.launches, 1, 0);
  assert_close(m.assigned, 2, 0);
  assert_close(m.finish_rate, 0.25, 0); /* of sub-agents: the other episode has none */
  assert_close(m.end_finish, 0.5, 0);
  assert_close(m.end_budget, 0.5, 0);
  assert_int_equal(sums.n, 2);
}

/* Waste beside the critical path raises concurrency and leaves the speed-up. */
static void test_waste_is_no_speed_up(void **state) {
  (void)state;
  const parl_facts lean = make_facts(1, 5, 10, 12), wasteful = make_facts(1, 5, 30, 12);
  assert_true(parl_facts_get_concurrency(&wasteful) > parl_facts_get_concurrency(&lean));
  assert_close(parl_facts_get_speed_up(&wasteful), parl_facts_get_speed_up(&lean), 0);
}

static void test_unknown_is_left_out(void **state) {
  (void)state;
  parl_mean_sums sums = {0};
  parl_facts unknown = make_facts(NAN, 2, 2, 0);
  unknown.optimum_steps = 0;
  const parl_facts known = make_facts(0.25, 4, 4, 12), idle = make_facts(0.25, 0, 0, 12);
  parl_mean_sums_add(&sums, &unknown, false);
  assert_true(isnan(parl_mean_sums_get(&sums).r_perf));
  assert_true(isnan(parl_mean_sums_get(&sums).speed_up));
  assert_true(isnan(parl_mean_sums_get(&sums).regret));
  parl_mean_sums_add(&sums, &known, false);
  parl_mean_sums_add(&sums, &idle, false);
  const parl_means m = parl_mean_sums_get(&sums);
  assert_close(m.r_perf, 0.25, 0);
  assert_close(m.speed_up, 3, 0); /* without a step there is no speed */
  assert_close(m.concurrency, 1, 0);
  assert_close(m.optimum_steps, 4, 0);
}

/* A failed episode is counted as such and is no zero among the scores. */
static void test_failed_is_not_zero(void **state) {
  (void)state;
  parl_mean_sums sums = {0};
  const parl_facts good = make_facts(0.8, 4, 4, 12), failed = {.end = PARL_END_ERROR};
  parl_mean_sums_add(&sums, &failed, true);
  parl_means m = parl_mean_sums_get(&sums);
  const double *values = parl_means_get_values(&m);
  for (int i = 0; i < PARL_N_MEANS; i++)
    if (strncmp(parl_mean_names[i], "end_", 4) != 0) assert_true(isnan(values[i]));
  assert_close(m.end_error, 1, 0);
  parl_mean_sums_add(&sums, &good, false);
  m = parl_mean_sums_get(&sums);
  assert_close(m.r_perf, 0.8, 0);
  assert_close(m.launch_rate, 0, 0);
  assert_close(m.end_error, 0.5, 0);
  assert_close(m.end_finish, 0.5, 0);
  assert_int_equal(sums.n, 1);
  assert_int_equal(sums.n_failed, 1);
}

static void test_ends_have_names(void **state) {
  (void)state;
  for (int e = 0; e < PARL_N_ENDS; e++)
    assert_int_equal(parl_end_find(parl_end_text((parl_end)e)), e);
  assert_int_equal(parl_end_find("bored"), PARL_N_ENDS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_waste_is_no_speed_up),
      cmocka_unit_test(test_unknown_is_left_out),
      cmocka_unit_test(test_failed_is_not_zero),
      cmocka_unit_test(test_ends_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
