/* tests/test_aggregate.c - aggregates and comparisons of tables: by hand, against enumeration,
 * coverage by simulation, any number of workers. */
#include "core/rng.h"
#include "experiments/aggregate.h"
#include "tests/support.h"

static parl_workers *workers;

static int start(void **state) {
  (void)state;
  return parl_workers_create(2, &workers) != PARL_STATUS_OK;
}

static int stop(void **state) {
  (void)state;
  parl_workers_destroy(workers);
  return 0;
}

static parl_resampling resample(size_t n, uint64_t seed) {
  return (parl_resampling){.n = n, .seed = seed, .workers = workers};
}

static parl_score_table read(const char *rows) {
  static const char head[] = "task,algorithm,seed,score\n";
  char *text = malloc(sizeof head + strlen(rows));
  assert_non_null(text);
  strcpy(text, head);
  strcat(text, rows);
  parl_score_table t;
  assert_ok(parl_score_table_parse(text, strlen(text), "t.csv", &t));
  return t;
}

/* Algorithm x: u 0 1 2, v .5, w 4. Sorted 0 .5 1 2 4, int(5 / 4) = 1 off each end leaves 3.5 / 3.
 * Means of tasks 1 .5 4: mean 5.5 / 3, median 1. Capped 0 .5 1 1 1: gap 1 - 3.5 / 5. */
static void test_aggregates_by_hand(void **state) {
  (void)state;
  parl_score_table t = read("u,x,1,0\nu,x,2,1\nu,x,3,2\nv,x,1,0.5\nw,x,1,4\n");
  const parl_resampling r = resample(2000, 1);
  parl_aggregates g;
  assert_ok(parl_aggregate(&t, 0, &r, &g));
  assert_close(g.iqm.value, 3.5 / 3, 1e-15);
  assert_close(g.mean.value, 5.5 / 3, 1e-15);
  assert_close(g.median.value, 1, 0);
  assert_close(g.optimality_gap.value, 0.3, 1e-15);
  /* Of the mean only u varies, between 0 and 2: task means 0 .. 2, so 4.5/3 .. 6.5/3. */
  assert_close(g.mean.lo, 4.5 / 3, 1e-12);
  assert_close(g.mean.hi, 6.5 / 3, 1e-12);
  const double taus[] = {-1, 0, 0.5, 1.5, 4};
  double profile[5];
  parl_profile(&t, 0, taus, 5, profile);
  const double due[] = {1, 0.8, 0.6, 0.4, 0};
  for (int i = 0; i < 5; i++) assert_close(profile[i], due[i], 1e-15);
  parl_score_table_deinit(&t);
}

/* Two tasks: u: x {1, 2}, y {1, 0}: pairs 1-1 tie, 1-0, 2-1, 2-0: 3.5 / 4. v: x {0}, y {3}: 0. */
static void test_comparison_by_hand(void **state) {
  (void)state;
  parl_score_table t = read("u,x,1,1\nu,x,2,2\nv,x,1,0\nu,y,1,1\nu,y,3,0\nv,y,1,3\n");
  const parl_resampling r = resample(2000, 1);
  parl_comparison c, back;
  assert_ok(parl_compare(&t, 0, 1, &r, &c));
  assert_close(c.improvement.value, 3.5 / 8, 1e-15);
  assert_int_equal(c.n_pairs, 2); /* seed 1 of u and of v: 0 and -3 */
  assert_close(c.difference.value, -1.5, 1e-15);
  assert_close(c.difference.lo, -3, 0);
  assert_close(c.difference.hi, 0, 0);
  assert_close(c.wilcoxon_p, 1, 0);
  assert_true(c.is_exact);
  /* u resampled: from x {1,1} against y {1,1}, half, to {2,2} or y {0,0}, one; over two tasks. */
  assert_close(c.improvement.lo, 0.25, 1e-12);
  assert_close(c.improvement.hi, 0.5, 1e-12);
  const parl_comparison turned = parl_comparison_turn(&c);
  assert_ok(parl_compare(&t, 1, 0, &r, &back));
  assert_close(turned.improvement.value, back.improvement.value, 1e-15);
  assert_close(turned.difference.value, back.difference.value, 1e-15);
  assert_close(turned.improvement.lo, 0.5, 1e-12);
  assert_close(turned.improvement.hi, 0.75, 1e-12);
  assert_close(turned.difference.lo, 0, 0);
  assert_close(turned.wilcoxon_p, back.wilcoxon_p, 1e-15);
  parl_score_table_deinit(&t);
}

static void test_one_run_each_has_no_interval(void **state) {
  (void)state;
  parl_score_table t = read("u,x,1,1\nv,x,1,2\nu,y,2,0\nv,y,2,0\n");
  const parl_resampling r = resample(100, 1);
  parl_aggregates g;
  parl_comparison c;
  assert_ok(parl_aggregate(&t, 0, &r, &g));
  assert_close(g.mean.value, 1.5, 0);
  assert_true(isnan(g.mean.lo) && isnan(g.iqm.hi));
  assert_ok(parl_compare(&t, 0, 1, &r, &c));
  assert_close(c.improvement.value, 1, 0);
  assert_true(isnan(c.improvement.lo) && isnan(c.difference.value) && isnan(c.wilcoxon_p));
  assert_int_equal(c.n_pairs, 0);
  parl_score_table_deinit(&t);
}

/* Every sign of every rank, counted; ranks as a table says them. */
static double count_signs(const double *d, size_t n) {
  double rank[16], due = 0;
  for (size_t i = 0; i < n; i++) {
    double less = 0, same = 0;
    for (size_t k = 0; k < n; k++) {
      less += fabs(d[k]) < fabs(d[i]);
      same += fabs(d[k]) == fabs(d[i]);
    }
    rank[i] = less + (same + 1) / 2;
    due += d[i] > 0 ? rank[i] : 0;
  }
  double below = 0, above = 0;
  for (unsigned signs = 0; signs < 1u << n; signs++) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += signs >> i & 1 ? rank[i] : 0;
    below += sum <= due;
    above += sum >= due;
  }
  return fmin(1, 2 * fmin(below, above) / (double)(1u << n));
}

static void test_wilcoxon(void **state) {
  (void)state;
  bool is_exact;
  double p, five[] = {1, 2, 3, 4, 5}, zeros[] = {0, 0}, six[] = {0, 3, -1, 2, 0, 4};
  assert_ok(parl_wilcoxon(five, 5, &p, &is_exact));
  assert_close(p, 2.0 / 32, 1e-15);
  assert_ok(parl_wilcoxon(zeros, 2, &p, &is_exact));
  assert_close(p, 1, 0);
  assert_ok(parl_wilcoxon(six, 6, &p, &is_exact)); /* of 4: ranks 3 1 2 4, all but 1: 2 of 16 */
  assert_close(p, 4.0 / 16, 1e-15);
  parl_rng_cursor rng = {.seed = 9};
  for (int i = 0; i < 300; i++) {
    double d[10];
    const size_t n = 1 + parl_rng_next_below(&rng, 10);
    for (size_t k = 0; k < n; k++) { /* few sizes, so many ties */
      d[k] = 1 + (double)parl_rng_next_below(&rng, 4);
      if (parl_rng_next_below(&rng, 3) == 0) d[k] = -d[k];
    }
    const double due = count_signs(d, n);
    assert_ok(parl_wilcoxon(d, n, &p, &is_exact));
    assert_true(is_exact);
    assert_close(p, due, 1e-12);
  }
}

/* At the border of the exact law the normal one is close to it. */
static void test_wilcoxon_of_many(void **state) {
  (void)state;
  static double d[PARL_WILCOXON_EXACT + 1], same[PARL_WILCOXON_EXACT];
  parl_rng_cursor rng = {.seed = 4};
  for (size_t i = 0; i < PARL_WILCOXON_EXACT + 1; i++) d[i] = parl_rng_next_normal(&rng) + 0.12;
  memcpy(same, d, sizeof same);
  double exact, normal;
  bool is_exact;
  assert_ok(parl_wilcoxon(same, PARL_WILCOXON_EXACT, &exact, &is_exact));
  assert_true(is_exact);
  assert_ok(parl_wilcoxon(d, PARL_WILCOXON_EXACT + 1, &normal, &is_exact));
  assert_false(is_exact);
  assert_true(exact > 1e-6 && exact < 0.2);
  assert_close(normal, exact, 0, 0.2);
}

static void test_holm(void **state) {
  (void)state;
  double p[] = {0.04, 0.01, (double)NAN, 0.03, 0.9}; /* .01 x 4, .03 x 3, .04 x 2 raised, .9 */
  assert_ok(parl_holm(p, 5));
  assert_close(p[1], 0.04, 1e-15);
  assert_close(p[3], 0.09, 1e-15);
  assert_close(p[0], 0.09, 1e-15);
  assert_close(p[4], 0.9, 1e-15);
  assert_true(isnan(p[2]));
}

static void test_workers_and_seeds(void **state) {
  (void)state;
  parl_score_table t = read(
      "u,x,1,0.13\nu,x,2,1.7\nu,x,3,2.9\nu,x,4,3.01\nu,x,5,1.3\nv,x,1,0.57\nv,x,2,4.1\nv,x,3,2.2\n"
      "u,y,1,3\nv,y,1,2\n");
  parl_aggregates g[4];
  parl_comparison c[4];
  for (size_t i = 0; i < 4; i++) {
    parl_resampling r = {.n = 3000, .seed = i == 3 ? 8 : 7};
    assert_ok(parl_workers_create(i == 1 ? 5 : 1, &r.workers));
    assert_ok(parl_aggregate(&t, 0, &r, &g[i]));
    assert_ok(parl_compare(&t, 0, 1, &r, &c[i]));
    parl_workers_destroy(r.workers);
  }
  assert_memory_equal(&g[0], &g[1], sizeof g[0]);
  assert_memory_equal(&c[0].improvement, &c[1].improvement, sizeof c[0].improvement);
  assert_memory_equal(&g[0], &g[2], sizeof g[0]);
  assert_memory_not_equal(&g[0], &g[3], sizeof g[0]);
  parl_score_table_deinit(&t);
}

/* 1000 tables of 3 tasks of 20 normal runs: the interval holds the true mean in about 95 % of them
 * (20 runs a task: percentile intervals are a little narrow), that of one task's runs alone, drawn
 * without strata, would not. */
static void test_coverage(void **state) {
  (void)state;
  enum { TABLES = 1000, TASKS = 3, RUNS = 20 };
  parl_rng_cursor rng = {.seed = 11};
  const parl_resampling r = resample(1000, 3);
  int holds = 0;
  double width = 0;
  for (int k = 0; k < TABLES; k++) {
    char rows[TASKS * RUNS * 48];
    size_t at = 0;
    for (int task = 0; task < TASKS; task++)
      for (int run = 0; run < RUNS; run++)
        at += (size_t)snprintf(rows + at, sizeof rows - at, "%d,x,%d,%.17g\n", task, run,
                               10 * task + parl_rng_next_normal(&rng));
    parl_score_table t = read(rows);
    parl_aggregates g;
    assert_ok(parl_aggregate(&t, 0, &r, &g));
    holds += g.mean.lo <= 10 && 10 <= g.mean.hi;
    width += (g.mean.hi - g.mean.lo) / TABLES;
    parl_score_table_deinit(&t);
  }
  if (holds < 0.92 * TABLES || holds > 0.97 * TABLES) print_error("%d of %d\n", holds, TABLES);
  assert_true(holds >= 0.92 * TABLES && holds <= 0.97 * TABLES);
  assert_close(width, 2 * 1.96 / sqrt(TASKS * RUNS), 0, 0.1); /* far below the spread of tasks */
}

static void test_refuses(void **state) {
  (void)state;
  parl_score_table t = read("u,x,1,0\nu,x,2,1\n");
  const parl_resampling none = resample(0, 1), some = resample(1, 1);
  parl_aggregates g;
  parl_comparison c;
  assert_status(parl_aggregate(&t, 0, &none, &g), PARL_STATUS_EINVAL);
  assert_status(parl_aggregate(&t, 1, &some, &g), PARL_STATUS_EINVAL);
  assert_status(parl_compare(&t, 0, 1, &some, &c), PARL_STATUS_EINVAL);
  assert_ok(parl_aggregate(&t, 0, &some, &g));
  assert_close(g.mean.lo, g.mean.hi, 0);
  parl_score_table_deinit(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_aggregates_by_hand),
                                     cmocka_unit_test(test_comparison_by_hand),
                                     cmocka_unit_test(test_one_run_each_has_no_interval),
                                     cmocka_unit_test(test_wilcoxon),
                                     cmocka_unit_test(test_wilcoxon_of_many),
                                     cmocka_unit_test(test_holm),
                                     cmocka_unit_test(test_workers_and_seeds),
                                     cmocka_unit_test(test_coverage),
                                     cmocka_unit_test(test_refuses)};
  return cmocka_run_group_tests(tests, start, stop);
}
