/* tests/test_critical_steps.c - critical and total steps: by hand, by property, refusals. */
#include <string.h>

#include "core/rng.h"
#include "parl/swarm/critical_steps.h"
#include "tests/support.h"

static int64_t get_critical(const parl_stage *stages, size_t n) {
  int64_t out = -1;
  assert_ok(parl_critical_steps(stages, n, &out));
  return out;
}

static int64_t get_total(const parl_stage *stages, size_t n) {
  int64_t out = -1;
  assert_ok(parl_total_steps(stages, n, &out));
  return out;
}

/* One call, a launch of three, two calls, a launch of one: (1+0) + (1+7) + (2+0) + (1+3) = 15, and
 * 1 + (1+3+7+2) + 2 + (1+3) = 20 in total. */
static void test_worked_by_hand(void **state) {
  (void)state;
  const int64_t three[] = {3, 7, 2}, one[] = {3};
  const parl_stage stages[] = {{1, 0, NULL}, {1, 3, three}, {2, 0, NULL}, {1, 1, one}};
  assert_int_equal(get_critical(stages, 4), 15);
  assert_int_equal(get_total(stages, 4), 20);
}

static void test_empty_episode_costs_nothing(void **state) {
  (void)state;
  assert_int_equal(get_critical(NULL, 0), 0);
  assert_int_equal(get_total(NULL, 0), 0);
}

static void test_empty_group_adds_only_the_orchestrator(void **state) {
  (void)state;
  const parl_stage stage = {4, 0, NULL};
  assert_int_equal(get_critical(&stage, 1), 4);
  assert_int_equal(get_total(&stage, 1), 4);
}

enum { N_STAGES = 5, MAX_WIDTH = 8, N_TRIALS = 300 };

typedef struct episode {
  int64_t steps[N_STAGES][MAX_WIDTH + 1]; /* room for one sub-agent more */
  parl_stage stages[N_STAGES];
} episode;

static void make_episode(episode *e, uint64_t trial) {
  parl_rng_cursor rng = {.seed = 11, .stream = trial};
  for (size_t t = 0; t < N_STAGES; t++) {
    const size_t n = (size_t)parl_rng_next_below(&rng, MAX_WIDTH + 1);
    for (size_t i = 0; i < n; i++) e->steps[t][i] = (int64_t)parl_rng_next_below(&rng, 20);
    e->stages[t] = (parl_stage){(int64_t)parl_rng_next_below(&rng, 4), n, e->steps[t]};
  }
}

static int64_t get_longest(const parl_stage *s) {
  int64_t longest = 0;
  for (size_t i = 0; i < s->n_subs; i++)
    if (s->sub_steps[i] > longest) longest = s->sub_steps[i];
  return longest;
}

/* One more sub-agent: never lowers the cost; raises it by exactly what exceeds the longest. */
static void test_one_more_sub_agent(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    episode e;
    make_episode(&e, trial);
    const int64_t before = get_critical(e.stages, N_STAGES), total = get_total(e.stages, N_STAGES);
    parl_stage *s = &e.stages[trial % N_STAGES];
    const int64_t longest = get_longest(s), extra = (int64_t)(trial % 40);
    e.steps[trial % N_STAGES][s->n_subs++] = extra;
    const int64_t grown = extra > longest ? extra - longest : 0;
    assert_int_equal(get_critical(e.stages, N_STAGES), before + grown);
    assert_int_equal(get_total(e.stages, N_STAGES), total + extra);
  }
}

static void test_order_is_irrelevant(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    episode e, turned;
    make_episode(&e, trial);
    memcpy(&turned, &e, sizeof e);
    for (size_t t = 0; t < N_STAGES; t++) {
      const size_t from = N_STAGES - 1 - t;
      const size_t n = e.stages[from].n_subs;
      for (size_t i = 0; i < n; i++) turned.steps[t][i] = e.steps[from][n - 1 - i];
      turned.stages[t] = (parl_stage){e.stages[from].main_steps, n, turned.steps[t]};
    }
    assert_int_equal(get_critical(turned.stages, N_STAGES), get_critical(e.stages, N_STAGES));
    assert_int_equal(get_total(turned.stages, N_STAGES), get_total(e.stages, N_STAGES));
  }
}

static void test_critical_is_at_most_total(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < N_TRIALS; trial++) {
    episode e;
    make_episode(&e, trial);
    assert_true(get_critical(e.stages, N_STAGES) <= get_total(e.stages, N_STAGES));
  }
}

static void test_refusals_leave_the_result(void **state) {
  (void)state;
  const int64_t bad[] = {3, -1}, huge[] = {INT64_MAX, INT64_MAX};
  const parl_stage negative_main = {-1, 0, NULL}, negative_sub = {1, 2, bad};
  const parl_stage large[] = {{1, 2, huge}}, missing = {1, 1, NULL};
  int64_t out = 77;
  assert_status(parl_critical_steps(&negative_main, 1, &out), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "-1"));
  assert_status(parl_critical_steps(&negative_sub, 1, &out), PARL_STATUS_EINVAL);
  assert_status(parl_total_steps(&negative_sub, 1, &out), PARL_STATUS_EINVAL);
  assert_status(parl_critical_steps(large, 1, &out), PARL_STATUS_EINVAL);
  assert_status(parl_total_steps(large, 1, &out), PARL_STATUS_EINVAL);
  assert_status(parl_critical_steps(&missing, 1, &out), PARL_STATUS_EINVAL);
  assert_status(parl_critical_steps(NULL, 1, &out), PARL_STATUS_EINVAL);
  assert_int_equal(out, 77);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_worked_by_hand),
      cmocka_unit_test(test_empty_episode_costs_nothing),
      cmocka_unit_test(test_empty_group_adds_only_the_orchestrator),
      cmocka_unit_test(test_one_more_sub_agent),
      cmocka_unit_test(test_order_is_irrelevant),
      cmocka_unit_test(test_critical_is_at_most_total),
      cmocka_unit_test(test_refusals_leave_the_result),
  };
  return cmocka_run_group_tests_name("critical_steps", tests, NULL, NULL);
}
