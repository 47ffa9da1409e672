/* tests/test_report_strata.c - seeds on kinds of tasks, against the reference; scripts over
 * tasks. */
#include <math.h>

#include "experiments/report_internal.h"
#include "tests/report_support.h"

/* A run with an episode of each of two kinds. */
static void put(fixture *f, const char *arm, int64_t seed, double wide, double chain) {
  const int64_t run = put_run(f, arm, seed, "done");
  parl_episode_row e = make_episode("trained", "sampled", wide);
  e.family = "wide";
  put_episode(f, run, e, 1);
  e = make_episode("trained", "sampled", chain);
  e.family = "chain";
  put_episode(f, run, e, 2);
}

static void load(const fixture *f, parl_arena *arena, parl_report *r) {
  const char *folder = f->folder;
  parl_arena_init(arena, 0);
  assert_ok(parl_report_load(&folder, 1, arena, r));
  assert_ok(parl_report_summarize(r, NULL));
}

static const parl_report_arm *find(const parl_report *r, const char *name) {
  for (size_t a = 0; a < r->n_arms; a++)
    if (strcmp(r->arms[a].name, name) == 0) return &r->arms[a];
  fail_msg("no %s", name);
  return NULL;
}

/* annealed: wide .8 .9 1, chain .2 .3 .4: sorted .2 .3 .4 .8 .9 1 without one at each end: .6. Of
 * the seeds alone: .5 .6 .7, so .6 +- 4.302653 * .1 / sqrt 3. bare: .4 .5 .6 on both. On wide each
 * beats each: 1; on chain only .4 ties .4: 1/2 of 9, so (1 + 1/18) / 2. */
static void test_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_arena arena;
  parl_report r;
  begin(&f);
  for (int i = 0; i < 3; i++) {
    put(&f, "annealed", i + 1, 0.8 + 0.1 * i, 0.2 + 0.1 * i);
    put(&f, "bare", i + 1, 0.4 + 0.1 * i, 0.4 + 0.1 * i);
    put(&f, "apart", i + 1, 0.1, 0.1);
  }
  end_writing(&f);
  load(&f, &arena, &r);
  const parl_report_strata *s = &find(&r, "annealed")->strata;
  assert_int_equal(s->n_runs, 3);
  assert_int_equal(s->n_tasks, 2);
  assert_close(s->of.iqm.value, 0.6, 1e-12);
  assert_close(s->of.mean.value, 0.6, 1e-12);
  assert_close(s->of.mean.lo, 0.6 - 0.248414, 1e-6);
  assert_close(s->of.mean.hi, 0.6 + 0.248414, 1e-6);
  assert_close(s->of.optimality_gap.value, 0.4, 1e-12);
  assert_close(s->improvement.value, (1 + 1.0 / 18) / 2, 1e-12);
  assert_true(s->improvement.lo < 0.5 && s->improvement.hi > 0.5);
  assert_close(s->p, 0.25, 1e-12);   /* all of three above 0: 2 / 2^3 */
  assert_close(s->holm, 0.5, 1e-12); /* the less of two, doubled */
  assert_true(isnan(find(&r, "bare")->strata.improvement.value));
  parl_report_deinit(&r);
  parl_arena_deinit(&arena);
  assert_ok(parl_report_write(f.folder, NULL));
  char *figure = read_figure(&f, "Probability of improvement");
  assert_contains(figure, "annealed: 0.528 [");
  free(figure);
  figure = read_figure(&f, "Aggregates of r_perf");
  assert_contains(figure, "annealed: 0.600 [0.352, 0.848]");
  free(figure);
  finish(&f);
}

/* A script that plays the same of every seed varies over tasks: r_perf 0 or 1, half each, of 40. */
static void test_scripts_vary_over_tasks(void **state) {
  (void)state;
  fixture f;
  parl_arena arena;
  parl_report r;
  begin(&f);
  for (int64_t seed = 1; seed <= 3; seed++) {
    const int64_t run = put_run(&f, "serial", seed, "done");
    for (int64_t t = 0; t < 40; t++)
      put_episode(&f, run, make_episode("serial", "scripted", (double)(t % 2)), t);
  }
  end_writing(&f);
  load(&f, &arena, &r);
  const parl_summary *s =
      parl_arm_score(&r, find(&r, "serial"), PARL_DECODING_MAIN, 0, PARL_SCORE_r_perf);
  assert_close(s->iqm, 0.5, 1e-12);
  assert_close(s->lo, 0.5 - 1.96 * 0.5 / sqrt(40), 0.03);
  assert_close(s->hi, 0.5 + 1.96 * 0.5 / sqrt(40), 0.03);
  parl_report_deinit(&r);
  parl_arena_deinit(&arena);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_scripts_vary_over_tasks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
