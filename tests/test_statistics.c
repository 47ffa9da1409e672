/* tests/test_statistics.c - by hand, coverage by simulation, few seeds, ties, refusals. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "experiments/statistics.h"
#include "tests/support.h"

static parl_summary summarize(const double *x, size_t n) {
  parl_summary s;
  assert_ok(parl_summarize(x, n, 1, 1, &s));
  return s;
}

/* 1..10: the middle six are 3..8, of mean 5.5. With an outlier the mean moves and the iqm stays.
 * Four: the middle two. Three: nothing to trim. */
static void test_iqm_by_hand(void **state) {
  (void)state;
  const double ten[] = {7, 1, 9, 3, 5, 2, 8, 10, 4, 6}, wild[] = {7, 1, 9, 3, 5, 2, 8, 1000, 4, 6};
  const double four[] = {0, 8, 1, 3}, three[] = {1, 2, 6};
  assert_close(summarize(ten, 10).mean, 5.5, 1e-15);
  assert_close(summarize(ten, 10).iqm, 5.5, 1e-15);
  assert_close(summarize(wild, 10).mean, 104.5, 1e-12);
  assert_close(summarize(wild, 10).iqm, 5.5, 1e-15);
  assert_close(summarize(four, 4).iqm, 2, 1e-15);
  assert_close(summarize(four, 4).mean, 3, 1e-15);
  assert_close(summarize(three, 3).iqm, 3, 1e-15);
  assert_int_equal(summarize(three, 3).n, 3);
}

/* Two seeds 0 and 1: replicates are 0, .5, .5, 1 with equal chance, so the interval is [0, 1]. Of
 * 0 0 0 1 (iqm: the middle two) a replicate is 1 if at least three of four draws are, a chance of
 * (1/4)^4 + 4 (1/4)^3 (3/4) = .051, above 2.5 %, and mostly 0, so again [0, 1]. */
static void test_interval_by_hand(void **state) {
  (void)state;
  const double two[] = {0, 1}, four[] = {0, 0, 0, 1};
  assert_close(summarize(two, 2).lo, 0, 0);
  assert_close(summarize(two, 2).hi, 1, 0);
  assert_close(summarize(four, 4).lo, 0, 0);
  assert_close(summarize(four, 4).hi, 1, 0);
  assert_close(summarize(four, 4).iqm, 0, 0);
}

static void test_one_seed_has_no_interval(void **state) {
  (void)state;
  const double x[] = {0.25, 0.75};
  parl_summary s = summarize(x, 1);
  assert_true(isnan(s.lo) && isnan(s.hi));
  assert_close(s.mean, 0.25, 0);
  assert_int_equal(s.n, 1);
  assert_ok(parl_summarize(x, 1, 2, 1, &s));
  assert_true(isnan(s.lo) && isnan(s.hi));
  assert_ok(parl_summarize_paired(x, x + 1, 1, 1, &s));
  assert_true(isnan(s.lo) && isnan(s.hi));
  assert_close(s.mean, -0.5, 0);
  assert_ok(parl_probability_of_improvement(x, 2, x, 1, 1, &s));
  assert_true(isnan(s.lo) && isnan(s.hi));
}

static void test_equal_scores_have_an_empty_width(void **state) {
  (void)state;
  const double x[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
  const parl_summary s = summarize(x, 7);
  assert_close(s.iqm, 0.1, 1e-16);
  assert_close(s.hi - s.lo, 0, 0);
  assert_true(s.lo == s.iqm);
}

/* Strata are resampled on their own: two families of levels 0 and 100 never swap scores, so the
 * interval of four runs whose scores are equal inside each family has no width. */
static void test_strata_are_resampled_apart(void **state) {
  (void)state;
  const double x[] = {0, 100, 0, 100, 0, 100, 0, 100};
  parl_summary s;
  assert_ok(parl_summarize(x, 4, 2, 1, &s));
  assert_close(s.iqm, 50, 0);
  assert_close(s.lo, 50, 0);
  assert_close(s.hi, 50, 0);
  assert_int_equal(s.n, 4);
}

enum { N_FEW = 5, N_RESAMPLES = 3125 };

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Mean of five, or of the middle three: GSL trims whole scores. */
static double get_trimmed(const double *x, bool trim) {
  double sorted[N_FEW], sum = 0;
  memcpy(sorted, x, sizeof sorted);
  qsort(sorted, N_FEW, sizeof *sorted, compare_doubles);
  for (size_t i = trim ? 1 : 0; i < N_FEW - (trim ? 1 : 0); i++)
    sum += sorted[i]; /* floor(5 / 4) at each end */
  return sum / (trim ? 3 : 5);
}

/* All 5^5 resamples one after the other, against the interval of few seeds. */
static void test_few_seeds_are_exact(void **state) {
  (void)state;
  const double x[N_FEW] = {0.3, -1.25, 0.875, 2, 0.5}, zero[N_FEW] = {0};
  for (int trim = 0; trim < 2; trim++) {
    static double all[N_RESAMPLES];
    for (size_t r = 0; r < N_RESAMPLES; r++) {
      double resample[N_FEW];
      size_t rest = r;
      for (size_t i = 0; i < N_FEW; i++, rest /= N_FEW) resample[i] = x[rest % N_FEW];
      all[r] = get_trimmed(resample, trim);
    }
    qsort(all, N_RESAMPLES, sizeof *all, compare_doubles);
    parl_summary s, t;
    for (uint64_t seed = 1; seed <= 2; seed++) { /* nothing is random */
      if (trim)
        assert_ok(parl_summarize(x, N_FEW, 1, seed, &s));
      else
        assert_ok(parl_summarize_paired(x, zero, N_FEW, seed, &s));
      assert_close(s.lo, all[78], 1e-15);   /* the 79th of 3125: 2.53 % */
      assert_close(s.hi, all[3046], 1e-15); /* the 3047th: 97.5 % */
    }
    if (!trim) continue;
    assert_ok(parl_summarize_replicates(x, N_FEW, 1, 1, 126, &t)); /* C(9, 5): still all */
    assert_true(t.lo == s.lo && t.hi == s.hi);
  }
}

/* Ten seeds have 92378 resamples: too many to take all. */
static void test_resampling_is_keyed_by_the_seed(void **state) {
  (void)state;
  double x[10];
  parl_rng_cursor rng = {.seed = 4};
  for (size_t i = 0; i < 10; i++) x[i] = parl_rng_next_normal(&rng);
  parl_summary a, b, c;
  assert_ok(parl_summarize(x, 10, 1, 7, &a));
  assert_ok(parl_summarize(x, 10, 1, 7, &b));
  assert_ok(parl_summarize(x, 10, 1, 8, &c));
  assert_true(a.lo == b.lo && a.hi == b.hi);
  assert_true(a.lo != c.lo || a.hi != c.hi);
  assert_close(a.lo, c.lo, 0.05);
  assert_close(a.hi, c.hi, 0.05);
  assert_true(a.lo <= a.iqm && a.iqm <= a.hi);
}

/* Nine seeds, all 24310 resamples: as near to random ones as those are to each other. */
static void test_exact_and_random_agree(void **state) {
  (void)state;
  double x[9], y[5] = {0.1, 0.4, 0.2, 0.9, 0.6};
  parl_rng_cursor rng = {.seed = 6};
  for (size_t i = 0; i < 9; i++) x[i] = parl_rng_next_normal(&rng);
  parl_summary exact, other;
  assert_ok(parl_summarize_replicates(x, 9, 1, 7, 24310, &exact));
  assert_ok(parl_summarize_replicates(x, 9, 1, 7, 24309, &other));
  assert_true(exact.lo != other.lo || exact.hi != other.hi);
  assert_close(exact.lo, other.lo, 0.05);
  assert_close(exact.hi, other.hi, 0.05);
  assert_ok(parl_probability_of_improvement(x, 5, y, 5, 1, &exact)); /* 126 * 126 */
  assert_ok(parl_probability_of_improvement(x, 5, y, 5, 2, &other));
  assert_true(exact.lo == other.lo && exact.hi == other.hi);
  assert_true(exact.lo <= exact.mean && exact.mean <= exact.hi);
}

/* 1 2 3: mean 2, sd 1, t of 2 degrees 4.302653: 2 +- 2.484137. Wilson of 3 of 3: z^2 / (3 + z^2)
 * off 1. P = 1 of 3 and 3: where 1 - p is z errors of p. */
static void test_few_by_hand(void **state) {
  (void)state;
  const double x[] = {1, 2, 3};
  double lo, hi;
  parl_few_mean(x, 3, &lo, &hi);
  assert_close(lo, 2 - 2.484138, 1e-5);
  assert_close(hi, 2 + 2.484138, 1e-5);
  parl_few_share(1, 3, &lo, &hi);
  assert_close(lo, 3 / (3 + 3.841459), 1e-6);
  assert_close(hi, 1, 1e-12);
  parl_few_share(0, 3, &lo, &hi);
  assert_close(lo, 0, 1e-12);
  assert_close(hi, 1 - 3 / (3 + 3.841459), 1e-6);
  parl_few_improvement(1, 3, 3, &lo, &hi);
  assert_close(hi, 1, 0);
  const double variance = lo * (1 - lo) * (1 + 2 * ((1 - lo) / (2 - lo) + lo / (1 + lo))) / 9;
  assert_close((1 - lo) * (1 - lo), 3.841459 * variance, 1e-6);
  parl_few_improvement(0.5, 2, 4, &lo, &hi);
  assert_close(lo + hi, 1, 1e-9);
  assert_true(lo > 0 && lo < 0.5);
}

/* Three normal scores: Student's interval holds the mean in 95 %, all resamples in 7 or 8 of 10;
 * Newcombe's of P holds it in 95 % or more. */
static void test_coverage_of_few(void **state) {
  (void)state;
  enum { TRIALS = 2000, N = 3 };
  const double truth = 0.5 * erfc(-1 / sqrt(2.0) / sqrt(2.0)); /* P(a > b), one apart */
  int student = 0, resampled = 0, newcombe = 0;
  for (uint64_t trial = 0; trial < TRIALS; trial++) {
    double a[N], b[N], lo, hi;
    parl_rng_cursor rng = {.seed = 12, .stream = trial};
    for (size_t i = 0; i < N; i++) {
      a[i] = 1 + parl_rng_next_normal(&rng);
      b[i] = parl_rng_next_normal(&rng);
    }
    parl_summary s;
    parl_few_mean(a, N, &lo, &hi);
    student += lo <= 1 && 1 <= hi;
    assert_ok(parl_summarize(a, N, 1, trial, &s));
    resampled += s.lo <= 1 && 1 <= s.hi;
    assert_ok(parl_probability_of_improvement(a, N, b, N, trial, &s));
    parl_few_improvement(s.mean, N, N, &lo, &hi);
    newcombe += lo <= truth && truth <= hi;
  }
  print_message("of %d: Student %d, resampled %d, Newcombe %d\n", TRIALS, student, resampled,
                newcombe);
  assert_in_range(student, (int)(0.93 * TRIALS), (int)(0.97 * TRIALS));
  assert_in_range(resampled, (int)(0.6 * TRIALS), (int)(0.85 * TRIALS));
  assert_in_range(newcombe, (int)(0.93 * TRIALS), TRIALS);
}

/* 95 % intervals of 12 normal scores contain the true value in about 92 % of trials (percentile
 * intervals of few data are a little short), hence the wide bounds. */
static void test_coverage(void **state) {
  (void)state;
  enum { TRIALS = 600, N = 12 };
  int covered = 0;
  for (uint64_t trial = 0; trial < TRIALS; trial++) {
    double x[N];
    parl_rng_cursor rng = {.seed = 2, .stream = trial};
    for (size_t i = 0; i < N; i++) x[i] = 3 + 2 * parl_rng_next_normal(&rng);
    parl_summary s;
    assert_ok(parl_summarize_replicates(x, N, 1, trial, 1000, &s));
    covered += s.lo <= 3 && 3 <= s.hi;
  }
  print_message("covered %d of %d\n", covered, TRIALS);
  assert_in_range(covered, (int)(0.86 * TRIALS), (int)(0.975 * TRIALS));
}

/* Differences 1, 1, 4: mean 2. Arms that rise and fall together have a narrow difference. */
static void test_paired_by_hand(void **state) {
  (void)state;
  const double a[] = {2, 11, 104}, b[] = {1, 10, 100};
  parl_summary s;
  assert_ok(parl_summarize_paired(a, b, 3, 1, &s));
  assert_close(s.mean, 2, 1e-15);
  assert_close(s.lo, 1, 0);
  assert_close(s.hi, 4, 0);
  assert_int_equal(s.n, 3);
  assert_ok(parl_summarize_paired(b, a, 3, 1, &s));
  assert_close(s.mean, -2, 1e-15);
}

/* a = 3 5 5, b = 4 5: of six pairs 3 < 4, 3 < 5, 5 > 4 twice, 5 = 5 twice: (2 + 2 / 2) / 6. */
static void test_improvement_by_hand(void **state) {
  (void)state;
  const double a[] = {3, 5, 5}, b[] = {4, 5};
  parl_summary s, t;
  assert_ok(parl_probability_of_improvement(a, 3, b, 2, 1, &s));
  assert_close(s.mean, 0.5, 1e-15);
  assert_close(s.iqm, s.mean, 0);
  assert_int_equal(s.n, 2);
  assert_true(s.lo >= 0 && s.hi <= 1 && s.lo < 0.5 && s.hi > 0.5);
  assert_ok(parl_probability_of_improvement(a, 3, a, 3, 1, &s));
  assert_close(s.mean, 0.5, 1e-15);
  const double high[] = {6, 7, 8};
  assert_ok(parl_probability_of_improvement(high, 3, a, 3, 1, &s));
  assert_ok(parl_probability_of_improvement(a, 3, high, 3, 1, &t));
  assert_close(s.mean, 1, 0);
  assert_close(s.lo, 1, 0);
  assert_close(t.mean, 0, 0);
  assert_close(t.hi, 0, 0);
}

/* Of 1 2 2 4 a quarter is above 2 and all are above 0. Replicates of two seeds 0 and 1 have 0, half
 * or all of them above 0.5; strata that never swap have always half of their scores above. */
static void test_share_by_hand(void **state) {
  (void)state;
  const double four[] = {2, 1, 4, 2}, two[] = {0, 1}, strata[] = {0, 100, 0, 100, 0, 100};
  parl_summary s;
  assert_ok(parl_share_above(four, 4, 1, 2, 1, &s));
  assert_close(s.mean, 0.25, 0);
  assert_close(s.iqm, s.mean, 0);
  assert_int_equal(s.n, 4);
  assert_ok(parl_share_above(four, 4, 1, 0, 1, &s));
  assert_true(s.mean == 1 && s.lo == 1 && s.hi == 1);
  assert_ok(parl_share_above(two, 2, 1, 0.5, 1, &s));
  assert_true(s.mean == 0.5 && s.lo == 0 && s.hi == 1);
  assert_ok(parl_share_above(strata, 3, 2, 50, 1, &s));
  assert_true(s.mean == 0.5 && s.lo == 0.5 && s.hi == 0.5);
  assert_ok(parl_share_above(two, 1, 1, -1, 1, &s));
  assert_true(s.mean == 1 && isnan(s.lo) && isnan(s.hi));
}

/* A profile falls from 1 below the least score to 0 at the largest, its band around it. */
static void test_profiles_fall(void **state) {
  (void)state;
  enum { N = 9 };
  double x[N];
  parl_rng_cursor rng = {.seed = 5};
  for (size_t i = 0; i < N; i++) x[i] = 0.9 * parl_rng_next_uniform(&rng);
  parl_summary before = {1, 1, 1, 1, N};
  for (int t = 0; t <= 20; t++) {
    parl_summary s;
    assert_ok(parl_share_above(x, N, 1, t / 20.0 - 0.05, 7, &s));
    assert_true(s.mean <= before.mean && s.lo <= before.lo && s.hi <= before.hi);
    assert_true(s.lo <= s.mean && s.mean <= s.hi);
    if (t == 0) assert_true(s.mean == 1 && s.lo == 1);
    before = s;
  }
  assert_true(before.mean == 0 && before.hi == 0);
}

static void test_refusals_leave_the_result(void **state) {
  (void)state;
  const double bad[] = {1, NAN, 3}, good[] = {1, 2, 3};
  parl_summary s = {.mean = 42};
  assert_status(parl_summarize(bad, 3, 1, 1, &s), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "score 1"));
  assert_status(parl_summarize(NULL, 0, 1, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_summarize(good, 3, 0, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_summarize_replicates(good, 3, 1, 1, 0, &s), PARL_STATUS_EINVAL);
  assert_status(parl_summarize_paired(good, bad, 3, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_summarize_paired(good, good, 0, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_probability_of_improvement(good, 3, good, 0, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_probability_of_improvement(good, 3, bad, 3, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_share_above(good, 3, 1, NAN, 1, &s), PARL_STATUS_EINVAL);
  assert_status(parl_share_above(bad, 3, 1, 0, 1, &s), PARL_STATUS_EINVAL);
  assert_close(s.mean, 42, 0);
}

/* Kept resamples are the same ones, in any order of calls, of sizes and of seeds. */
static void test_drawn_is_resampled(void **state) {
  (void)state;
  enum { MOST = 25, N_REPLICATES = 3000 };
  static const size_t sizes[] = {12, 25, 25, 25, 25, 11};
  double a[MOST], b[MOST];
  parl_draws draws = {0};
  for (size_t i = 0; i < MOST; i++) {
    a[i] = parl_rng_uniform(7, 1, i / 2); /* with ties */
    b[i] = parl_rng_uniform(7, 2, i);
  }
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    parl_summary due, got;
    const size_t n_replicates = k == 2 ? N_REPLICATES / 2 : N_REPLICATES;
    const uint64_t seed = k == 4 ? 6 : 5;
    assert_ok(parl_summarize_replicates(a, sizes[k], 1, seed, n_replicates, &due));
    assert_ok(parl_summarize_drawn(&draws, a, sizes[k], seed, n_replicates, &got));
    assert_close(got.lo, due.lo, 1e-13);
    assert_close(got.hi, due.hi, 1e-13);
    assert_close(got.iqm, due.iqm, 0);
    assert_ok(parl_summarize_paired_replicates(a, b, sizes[k], seed, n_replicates, &due));
    assert_ok(parl_summarize_paired_drawn(&draws, a, b, sizes[k], seed, n_replicates, &got));
    assert_close(got.lo, due.lo, 1e-13);
    assert_close(got.hi, due.hi, 1e-13);
  }
  parl_draws_deinit(&draws);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_iqm_by_hand),
      cmocka_unit_test(test_interval_by_hand),
      cmocka_unit_test(test_one_seed_has_no_interval),
      cmocka_unit_test(test_equal_scores_have_an_empty_width),
      cmocka_unit_test(test_strata_are_resampled_apart),
      cmocka_unit_test(test_few_seeds_are_exact),
      cmocka_unit_test(test_exact_and_random_agree),
      cmocka_unit_test(test_resampling_is_keyed_by_the_seed),
      cmocka_unit_test(test_few_by_hand),
      cmocka_unit_test(test_coverage_of_few),
      cmocka_unit_test(test_coverage),
      cmocka_unit_test(test_paired_by_hand),
      cmocka_unit_test(test_improvement_by_hand),
      cmocka_unit_test(test_share_by_hand),
      cmocka_unit_test(test_profiles_fall),
      cmocka_unit_test(test_refusals_leave_the_result),
      cmocka_unit_test(test_drawn_is_resampled),
  };
  return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
