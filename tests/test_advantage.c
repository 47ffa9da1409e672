/* tests/test_advantage.c - every mode by hand, invariances, and what division by the std does. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "parl/reward/advantage.h"
#include "parl/reward/objective.h"
#include "tests/terms_support.h"

enum { K = 4, N_GROUPS = 2, N = K * N_GROUPS };

typedef parl_test_terms terms;

/* Group 0: only r_perf varies, 0 0 1 1. Group 1: only the shaped terms vary. */
static const terms TERMS[N] = {
    {{0.5, 1, 0, 0}},   {{0.5, 1, 0, 0}},   {{0.5, 1, 1, 0}},   {{0.5, 1, 1, 0}},
    {{0.0, 0, 0.5, 0}}, {{0.0, 0, 0.5, 0}}, {{0.5, 1, 0.5, 0}}, {{1.0, 1, 0.5, 0}},
};

/* r_early is off in the cases worked by hand, but for its own. */
#define WEIGHTS(lambda1, lambda2) (&(terms){{(lambda1), (lambda2), 1, 0}})
static const terms RANDOM_WEIGHTS = {{0.3, 0.1, 1, 0.2}};

static parl_reward_batch make_batch(const terms *of, size_t n_groups, size_t group,
                                    const terms *weights) {
  return (parl_reward_batch){.table = parl_test_built_in(),
                             .n_groups = n_groups,
                             .K = group,
                             .terms = of->of,
                             .weights = weights->of};
}

static parl_status advantage(parl_advantage_mode mode, const terms *of, size_t n_groups,
                             size_t group, const terms *weights, double *out) {
  const parl_reward_batch batch = make_batch(of, n_groups, group, weights);
  return parl_advantage(mode, &batch, out);
}

static parl_status get_shares(parl_advantage_mode mode, const terms *of, size_t n_groups,
                              size_t group, const terms *weights, parl_advantage_shares *out) {
  const parl_reward_batch batch = make_batch(of, n_groups, group, weights);
  return parl_advantage_get_shares(mode, &batch, out);
}

static void get(parl_advantage_mode mode, double lambda1, double lambda2, double out[N]) {
  assert_ok(advantage(mode, TERMS, N_GROUPS, K, WEIGHTS(lambda1, lambda2), out));
}

static void assert_all_close(const double *actual, const double *expected, double tolerance) {
  for (size_t i = 0; i < N; i++) assert_close(actual[i], expected[i], tolerance);
}

/* lambda1 = 0.4, lambda2 = 0.2. Rewards: .4 .4 1.4 1.4 | .5 .5 .9 1.1, means .9 and .75. */
static void test_none_and_mean_by_hand(void **state) {
  (void)state;
  static const double reward[N] = {0.4, 0.4, 1.4, 1.4, 0.5, 0.5, 0.9, 1.1};
  static const double centred[N] = {-0.5, -0.5, 0.5, 0.5, -0.25, -0.25, 0.15, 0.35};
  double out[N];
  get(PARL_ADVANTAGE_NONE, 0.4, 0.2, out);
  assert_all_close(out, reward, 1e-15);
  get(PARL_ADVANTAGE_MEAN, 0.4, 0.2, out);
  assert_all_close(out, centred, 1e-15);
}

/* std .5 and sqrt((.0625 + .0625 + .0225 + .1225) / 4) = sqrt(.0675). */
static void test_mean_std_by_hand(void **state) {
  (void)state;
  const double d0 = 0.5 + 1e-6, d1 = sqrt(0.0675) + 1e-6;
  const double expected[N] = {-0.5 / d0,  -0.5 / d0,  0.5 / d0,  0.5 / d0,
                              -0.25 / d1, -0.25 / d1, 0.15 / d1, 0.35 / d1};
  double out[N];
  get(PARL_ADVANTAGE_MEAN_STD, 0.4, 0.2, out);
  assert_all_close(out, expected, 1e-12);
}

/* Batch std: mean square of the centred rewards, (4 * .25 + .27) / 8 = .15875. */
static void test_batch_by_hand(void **state) {
  (void)state;
  const double d = sqrt(0.15875) + 1e-6;
  const double expected[N] = {-0.5 / d,  -0.5 / d,  0.5 / d,  0.5 / d,
                              -0.25 / d, -0.25 / d, 0.15 / d, 0.35 / d};
  double out[N];
  get(PARL_ADVANTAGE_BATCH, 0.4, 0.2, out);
  assert_all_close(out, expected, 1e-12);
}

/* Group 1: parallel 0 0 .5 1 (mean .375, std sqrt(.171875)), finish 0 0 1 1 (mean .5, std .5). */
static void test_per_term_by_hand(void **state) {
  (void)state;
  const double p = sqrt(0.171875) + 1e-6, f = 0.5 + 1e-6;
  const double expected[N] = {-0.5 / f,
                              -0.5 / f,
                              0.5 / f,
                              0.5 / f,
                              0.4 * -0.375 / p + 0.2 * -0.5 / f,
                              0.4 * -0.375 / p + 0.2 * -0.5 / f,
                              0.4 * 0.125 / p + 0.2 * 0.5 / f,
                              0.4 * 0.625 / p + 0.2 * 0.5 / f};
  double out[N];
  get(PARL_ADVANTAGE_PER_TERM, 0.4, 0.2, out);
  assert_all_close(out, expected, 1e-12);
}

static void make_terms(terms *of, size_t n, uint64_t trial) {
  parl_rng_cursor rng = {.seed = 3, .stream = trial};
  for (size_t i = 0; i < n; i++)
    for (int which = 0; which < PARL_N_TERMS; which++)
      of[i].of[which] = parl_rng_next_uniform(&rng);
}

/* 4 / 3 of what the group's own mean leaves; of the rewards themselves: r minus the mean of the
 * other three, .4 - (.4 + 1.4 + 1.4) / 3. */
static void test_loo_by_hand(void **state) {
  (void)state;
  static const double expected[N] = {0.4 - 3.2 / 3, 0.4 - 3.2 / 3, 1.4 - 2.2 / 3, 1.4 - 2.2 / 3,
                                     0.5 - 2.5 / 3, 0.5 - 2.5 / 3, 0.9 - 2.1 / 3, 1.1 - 1.9 / 3};
  double out[N];
  get(PARL_ADVANTAGE_LOO, 0.4, 0.2, out);
  assert_all_close(out, expected, 1e-14);
}

/* per_term of the batch has mean 0, so its std is the root of its mean square. */
static void test_gdpo_by_hand(void **state) {
  (void)state;
  double per_term[N], out[N], squares = 0;
  get(PARL_ADVANTAGE_PER_TERM, 0.4, 0.2, per_term);
  for (size_t i = 0; i < N; i++) squares += per_term[i] * per_term[i];
  get(PARL_ADVANTAGE_GDPO, 0.4, 0.2, out);
  for (size_t i = 0; i < N; i++)
    assert_close(out[i], per_term[i] / (sqrt(squares / N) + 1e-6), 1e-12);
}

/* A difference of terms times its scale is what the advantage changes by, in every mode: between
 * two rollouts of a group (loo: less its factor 4 / 3). */
static void test_scales_are_those_of_the_advantage(void **state) {
  (void)state;
  for (int m = PARL_ADVANTAGE_NONE; m < PARL_N_ADVANTAGES; m++) {
    const parl_advantage_mode mode = (parl_advantage_mode)m;
    terms of[N];
    double a[N], scales[N_GROUPS * PARL_N_TERMS];
    make_terms(of, N, 33);
    const parl_reward_batch batch = make_batch(of, N_GROUPS, K, &RANDOM_WEIGHTS);
    assert_ok(parl_advantage(mode, &batch, a));
    assert_ok(parl_advantage_get_scales(mode, &batch, scales));
    for (size_t i = 1; i < N; i++) {
      double difference = 0;
      if (i % K == 0) continue;
      for (size_t which = 0; which < PARL_N_TERMS; which++)
        difference +=
            scales[i / K * PARL_N_TERMS + which] * (of[i].of[which] - of[i - 1].of[which]);
      assert_close(a[i] - a[i - 1], difference * (mode == PARL_ADVANTAGE_LOO ? 4.0 / 3 : 1), 1e-12);
    }
  }
}

/* A constant added to every reward of a group changes nothing but in mode none. */
static void test_constant_shift_is_invisible(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < 50; trial++)
    for (int mode = PARL_ADVANTAGE_MEAN; mode < PARL_N_ADVANTAGES; mode++) {
      terms of[N], shifted[N];
      double a[N], b[N];
      make_terms(of, N, trial);
      for (size_t i = 0; i < N; i++) {
        shifted[i] = of[i];
        shifted[i].of[PARL_TERM_perf] += i < K ? 3 : -7;
        shifted[i].of[PARL_TERM_parallel] += 2;
      }
      assert_ok(advantage((parl_advantage_mode)mode, of, N_GROUPS, K, &RANDOM_WEIGHTS, a));
      assert_ok(advantage((parl_advantage_mode)mode, shifted, N_GROUPS, K, &RANDOM_WEIGHTS, b));
      assert_all_close(a, b, 1e-12);
    }
}

static void test_groups_sum_to_zero(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < 50; trial++)
    for (int mode = PARL_ADVANTAGE_MEAN; mode < PARL_N_ADVANTAGES; mode++) {
      terms of[N];
      double a[N];
      make_terms(of, N, trial);
      assert_ok(advantage((parl_advantage_mode)mode, of, N_GROUPS, K, &RANDOM_WEIGHTS, a));
      assert_close(a[0] + a[1] + a[2] + a[3], 0, 1e-12);
      assert_close(a[4] + a[5] + a[6] + a[7], 0, 1e-12);
    }
}

/* The order of rollouts within a group only permutes their advantages. */
static void test_order_within_a_group(void **state) {
  (void)state;
  for (int mode = PARL_ADVANTAGE_NONE; mode < PARL_N_ADVANTAGES; mode++) {
    terms of[N], turned[N];
    double a[N], b[N];
    make_terms(of, N, 9);
    for (size_t i = 0; i < N; i++) turned[i] = of[i / K * K + (K - 1 - i % K)];
    assert_ok(advantage((parl_advantage_mode)mode, of, N_GROUPS, K, &RANDOM_WEIGHTS, a));
    assert_ok(advantage((parl_advantage_mode)mode, turned, N_GROUPS, K, &RANDOM_WEIGHTS, b));
    for (size_t i = 0; i < N; i++) assert_close(b[i], a[i / K * K + (K - 1 - i % K)], 1e-12);
  }
}

/* Equal rollouts give exactly 0, although 0.1 * 4 / 4 need not be 0.1 in floating point. */
static void test_no_spread_is_exactly_zero(void **state) {
  (void)state;
  terms of[7];
  for (size_t i = 0; i < 7; i++) of[i] = (terms){{0.1, 0.7, 1.0 / 3, 0.3}};
  for (int mode = PARL_ADVANTAGE_MEAN; mode < PARL_N_ADVANTAGES; mode++) {
    double out[7];
    assert_ok(advantage((parl_advantage_mode)mode, of, 1, 7, WEIGHTS(0.3, 0.1), out));
    for (size_t i = 0; i < 7; i++) assert_close(out[i], 0, 0);
    assert_ok(advantage((parl_advantage_mode)mode, of, 7, 1, WEIGHTS(0.3, 0.1), out));
    for (size_t i = 0; i < 7; i++) assert_close(out[i], 0, 0);
  }
}

/* A sparse task: r_perf is 0 in all rollouts, so only the shaped terms vary. */
static double get_shaped_size(parl_advantage_mode mode, double lambda) {
  static const terms sparse[K] = {
      {{0, 0, 0, 0}}, {{0.25, 1, 0, 0}}, {{0.5, 0.5, 0, 0}}, {{1, 1, 0, 0}}};
  parl_advantage_shares shares;
  assert_ok(get_shares(mode, sparse, 1, K, WEIGHTS(lambda, lambda), &shares));
  assert_close(shares.mean_abs_shaped_only, shares.mean_abs, 0);
  assert_close(shares.zero_spread_perf, 1, 0);
  return shares.mean_abs;
}

/* Annealing lambda by 1000 shrinks the shaped advantage by 1000 unless the std divides it out: then
 * it stays where it was, and vanishes only when lambda is exactly 0. */
static void test_division_by_std_cancels_lambda(void **state) {
  (void)state;
  for (int m = PARL_ADVANTAGE_NONE; m <= PARL_ADVANTAGE_PER_TERM; m++) {
    const parl_advantage_mode mode = (parl_advantage_mode)m;
    const double kept = get_shaped_size(mode, 0.0003) / get_shaped_size(mode, 0.3);
    if (parl_advantage_cancels_lambda(mode))
      assert_true(kept > 0.99 && kept <= 1);
    else
      assert_close(kept, 0.001, 1e-9);
    assert_close(get_shaped_size(mode, 0), 0, 0);
  }
  assert_true(parl_advantage_cancels_lambda(PARL_ADVANTAGE_MEAN_STD));
  assert_false(parl_advantage_cancels_lambda(PARL_ADVANTAGE_MEAN));
}

/* Beside a group with r_perf spread, mode batch lets lambda shrink the shaped group too. */
static void test_batch_keeps_lambda_beside_a_group_with_spread(void **state) {
  (void)state;
  double large[N], small[N];
  get(PARL_ADVANTAGE_BATCH, 0.1, 0.1, large);
  get(PARL_ADVANTAGE_BATCH, 0.0001, 0.0001, small);
  assert_close(small[7] / large[7], 0.001, 1e-4);
  assert_false(parl_advantage_cancels_lambda(PARL_ADVANTAGE_BATCH));
}

/* Mean mode, sums of |contribution| over the 8 rollouts. Group 1 has parallel .4 * (.375 + .375 +
 * .125 + .625) = .6 and finish .2 * 4 * .5 = .4, group 0 has perf 4 * .5 = 2: of 3 in all. */
static void test_shares_by_hand(void **state) {
  (void)state;
  parl_advantage_shares s;
  assert_ok(get_shares(PARL_ADVANTAGE_MEAN, TERMS, N_GROUPS, K, WEIGHTS(0.4, 0.2), &s));
  assert_close(s.share[PARL_TERM_parallel], 0.2, 1e-14);
  assert_close(s.share[PARL_TERM_finish], 0.4 / 3, 1e-14);
  assert_close(s.share[PARL_TERM_perf], 2.0 / 3, 1e-14);
  assert_close(s.zero_spread_perf, 0.5, 0);
  assert_close(s.zero_spread_total, 0, 0);
  assert_close(s.mean_abs, 3.0 / 8, 1e-14);
  assert_close(s.mean_abs_shaped_only, 1.0 / 4, 1e-14);
  assert_ok(get_shares(PARL_ADVANTAGE_MEAN, TERMS, N_GROUPS, K, WEIGHTS(0, 0), &s));
  assert_close(s.share[PARL_TERM_perf], 1, 0);
  assert_close(s.zero_spread_total, 0.5, 0);
  assert_close(s.mean_abs_shaped_only, 0, 0);
}

static void test_shares_sum_to_one_or_are_zero(void **state) {
  (void)state;
  for (int mode = PARL_ADVANTAGE_NONE; mode < PARL_N_ADVANTAGES; mode++) {
    terms of[N];
    parl_advantage_shares s;
    make_terms(of, N, 21);
    const parl_advantage_mode m = (parl_advantage_mode)mode;
    assert_ok(get_shares(m, of, N_GROUPS, K, &RANDOM_WEIGHTS, &s));
    assert_close(s.share[PARL_TERM_parallel] + s.share[PARL_TERM_finish] + s.share[PARL_TERM_perf] +
                     s.share[PARL_TERM_early],
                 1, 1e-12);
    memset(of, 0, sizeof of);
    assert_ok(get_shares(m, of, N_GROUPS, K, &RANDOM_WEIGHTS, &s));
    assert_close(s.share[PARL_TERM_parallel] + s.share[PARL_TERM_finish] + s.share[PARL_TERM_perf] +
                     s.share[PARL_TERM_early] + s.mean_abs,
                 0, 0);
    assert_ok(get_shares(m, of, 0, K, &RANDOM_WEIGHTS, &s));
    assert_close(s.zero_spread_total, 0, 0);
  }
}

/* lambda_early = .4 on r_early 0 0 .25 .75: mean .25, so .4 * (-.25 -.25 0 .5), std sqrt(.09375).
 * r_perf 0 0 1 1 beside it. */
static void test_early_by_hand(void **state) {
  (void)state;
  static const terms of[K] = {{{0, 0, 0, 0}}, {{0, 0, 0, 0}}, {{0, 0, 1, 0.25}}, {{0, 0, 1, 0.75}}};
  const terms weights = {{0, 0, 1, 0.4}};
  const double d = sqrt(0.09375) + 1e-6, f = 0.5 + 1e-6;
  const double mean[K] = {-0.6, -0.6, 0.5, 0.7};
  const double per_term[K] = {-0.5 / f - 0.1 / d, -0.5 / f - 0.1 / d, 0.5 / f, 0.5 / f + 0.2 / d};
  double out[K];
  assert_ok(advantage(PARL_ADVANTAGE_MEAN, of, 1, K, &weights, out));
  for (size_t i = 0; i < K; i++) assert_close(out[i], mean[i], 1e-14);
  assert_ok(advantage(PARL_ADVANTAGE_PER_TERM, of, 1, K, &weights, out));
  for (size_t i = 0; i < K; i++) assert_close(out[i], per_term[i], 1e-12);
  parl_advantage_shares s; /* |.4 * .25| * 2 + .4 * .5 = .4 beside 4 * .5 */
  assert_ok(get_shares(PARL_ADVANTAGE_MEAN, of, 1, K, &weights, &s));
  assert_close(s.share[PARL_TERM_early], 0.4 / 2.4, 1e-14);
  assert_close(s.share[PARL_TERM_perf], 2.0 / 2.4, 1e-14);
}

static void test_refusals_leave_the_result(void **state) {
  (void)state;
  terms of[N];
  double out[N] = {42};
  const parl_advantage_mode beyond = (parl_advantage_mode)PARL_N_ADVANTAGES;
  memcpy(of, TERMS, sizeof of);
  of[6].of[PARL_TERM_finish] = NAN;
  for (int mode = PARL_ADVANTAGE_NONE; mode < PARL_N_ADVANTAGES; mode++)
    assert_status(advantage((parl_advantage_mode)mode, of, N_GROUPS, K, WEIGHTS(0.3, 0.1), out),
                  PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "rollout 2 of group 1"));
  assert_status(advantage(PARL_ADVANTAGE_MEAN, TERMS, N_GROUPS, 0, WEIGHTS(0.3, 0.1), out),
                PARL_STATUS_EINVAL);
  assert_status(advantage(PARL_ADVANTAGE_MEAN, TERMS, N_GROUPS, K, WEIGHTS(NAN, 0.1), out),
                PARL_STATUS_EINVAL);
  assert_status(advantage(beyond, TERMS, N_GROUPS, K, WEIGHTS(0.3, 0.1), out), PARL_STATUS_EINVAL);
  assert_close(out[0], 42, 0);
}

/* The enum is the order of the recipe's choices. */
static void test_modes_follow_the_choice_list(void **state) {
  (void)state;
  static const char *const names[] = {"none",  "mean", "mean_std", "per_term",
                                      "batch", "loo",  "gdpo"};
  for (int mode = PARL_ADVANTAGE_NONE; mode < PARL_N_ADVANTAGES; mode++) {
    char name[16];
    parl_config_choice_name(&parl_objective_section, "advantage", mode, name, sizeof name);
    assert_string_equal(name, names[mode]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_none_and_mean_by_hand),
      cmocka_unit_test(test_mean_std_by_hand),
      cmocka_unit_test(test_batch_by_hand),
      cmocka_unit_test(test_per_term_by_hand),
      cmocka_unit_test(test_loo_by_hand),
      cmocka_unit_test(test_gdpo_by_hand),
      cmocka_unit_test(test_scales_are_those_of_the_advantage),
      cmocka_unit_test(test_constant_shift_is_invisible),
      cmocka_unit_test(test_groups_sum_to_zero),
      cmocka_unit_test(test_order_within_a_group),
      cmocka_unit_test(test_no_spread_is_exactly_zero),
      cmocka_unit_test(test_division_by_std_cancels_lambda),
      cmocka_unit_test(test_batch_keeps_lambda_beside_a_group_with_spread),
      cmocka_unit_test(test_shares_by_hand),
      cmocka_unit_test(test_shares_sum_to_one_or_are_zero),
      cmocka_unit_test(test_early_by_hand),
      cmocka_unit_test(test_refusals_leave_the_result),
      cmocka_unit_test(test_modes_follow_the_choice_list),
  };
  return cmocka_run_group_tests_name("advantage", tests, NULL, NULL);
}
