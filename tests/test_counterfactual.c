/* tests/test_counterfactual.c - what launches are worth, by hand: the scripted
 * episode of tests/envs/roles.lua. */
#include <math.h>

#include "parl/run/counterfactual.h"
#include "tests/rollout_support.h"

typedef struct fixture {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_recipe *recipe;
  parl_host host;
  parl_run run;
  parl_workers *workers;
} fixture;

static void open_fixture(fixture *f, const char *env, const char *budget) {
  const char *overrides[] = {budget,
                             "lambda1.start=0.5",
                             "lambda2.start=0.25",
                             "reward.parallel_cap=4",
                             "eval.baselines=",
                             "eval.seed=4"};
  *f = (fixture){0};
  parl_test_temp_folder(f->folder);
  snprintf(f->path, sizeof f->path, "%s/r.lua", f->folder);
  FILE *file = fopen(f->path, "w");
  assert_non_null(file);
  fprintf(file, "return { env = { file = '%s' }, agents = { subs = 'scripted' } }", env);
  assert_int_equal(fclose(file), 0);
  assert_ok(parl_recipe_load(f->path, overrides, sizeof overrides / sizeof overrides[0], NULL,
                             &f->recipe));
  assert_ok(parl_run_init(f->recipe, 0, 1, &f->run));
  assert_ok(parl_workers_create(2, &f->workers));
}

static void close_fixture(fixture *f) {
  parl_workers_destroy(f->workers);
  parl_run_deinit(&f->run);
  parl_recipe_destroy(f->recipe);
  parl_test_remove_folder(f->folder);
}

static void run(fixture *f, const char *style, parl_counterfactual_at at, size_t n,
                parl_counterfactual *out) {
  assert_ok(parl_counterfactual_run(&(parl_counterfactual_def){.host = &f->host,
                                                               .run = &f->run,
                                                               .style = style,
                                                               .at = at,
                                                               .n_tasks = n,
                                                               .workers = f->workers},
                                    out));
}

static void assert_interval(const parl_interval *x, double due) {
  assert_close(x->value, due, 1e-12);
  assert_close(x->lo, due, 1e-12); /* all tasks are the same */
  assert_close(x->hi, due, 1e-12);
}

/* Budget 9, as tests/test_credit.c works it: tasks 1 and 2, r_perf .5, 9 steps,
 * and the second launch is not paid. Reward .5 * 2/4 + .25 + .5. Without the
 * launch tasks 3 and 4 are done in 4 steps, for the same. Finishing there:
 * r_perf 0 after 2 steps, no reward. */
static void test_launches_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual r;
  open_fixture(&f, "tests/envs/roles.lua", "episode.budget_steps=9");
  run(&f, "mixed", PARL_COUNTERFACTUAL_LAUNCH, 6, &r);
  assert_int_equal(r.n_parts, 1);
  const parl_counterfactual_part *p = &r.parts[0];
  assert_true(p->n_tasks == 6 && p->n_launching == 6 && p->without.n == 6 && p->stop.n == 6);
  assert_interval(&p->without.r_perf, 0);
  assert_interval(&p->without.critical_steps, 5);
  assert_interval(&p->without.reward, 0);
  assert_true(p->without.same == 1 && p->without.worse == 0);
  assert_interval(&p->stop.r_perf, 0.5);
  assert_interval(&p->stop.critical_steps, 7);
  assert_interval(&p->stop.reward, 1);
  assert_true(p->stop.same == 0 && p->stop.worse == 0);
  assert_true(r.n_rerolls == 12 && r.steps == 6 * (5 + 2));
  close_fixture(&f);
}

/* Without the right one -.25, without the wrong one +.25: half of them hurt. */
static void test_assignments_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual r;
  open_fixture(&f, "tests/envs/roles.lua", "episode.budget_steps=9");
  run(&f, "mixed", PARL_COUNTERFACTUAL_ASSIGNMENT, 4, &r);
  const parl_effect *e = &r.parts[0].without;
  assert_true(e->n == 8 && e->same == 0 && e->worse == 0.5);
  assert_interval(&e->r_perf, 0);
  close_fixture(&f);
}

/* roles, "twice": task 1, task 1 again and task 2. Left out alone two of three
 * change nothing; over orders none is for nothing: 1/8, 1/8 and 1/4, by sums
 * that are all that was made. */
static void test_orders_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual r;
  open_fixture(&f, "tests/envs/roles.lua", "episode.budget_steps=9");
  assert_ok(parl_counterfactual_run(&(parl_counterfactual_def){.host = &f.host,
                                                               .run = &f.run,
                                                               .style = "twice",
                                                               .at = PARL_COUNTERFACTUAL_ASSIGNMENT,
                                                               .n_tasks = 7,
                                                               .n_orders = 2,
                                                               .workers = f.workers},
                                    &r));
  const parl_counterfactual_part *p = &r.parts[0];
  assert_true(p->without.n == 21 && p->over_orders.n == 21);
  assert_close(p->without.same, 2.0 / 3, 1e-12);
  assert_true(p->over_orders.same == 0 && p->over_orders.worse == 0);
  assert_close(p->without.r_perf.value, 0.25 / 3, 1e-12);
  assert_interval(&p->over_orders.r_perf, 0.5 / 3);
  assert_interval(&p->over_orders.critical_steps,
                  2.0 / 3); /* of the launch: its own step and one */
  assert_true(r.n_rerolls == 7 * (3 + 1 + 5));
  close_fixture(&f);
}

/* Two tasks with a launch each, whose differences are d1 and d2: the standard
 * error of their mean m is |d1 - d2| / 2 = |m - d1|. */
static void test_interval_by_hand(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual one, two;
  open_fixture(&f, "envs/wide_search.lua", "episode.budget_factor=0");
  run(&f, "greedy_wide", PARL_COUNTERFACTUAL_LAUNCH, 1, &one);
  run(&f, "greedy_wide", PARL_COUNTERFACTUAL_LAUNCH, 2, &two);
  const parl_interval *x = &two.parts[0].without.critical_steps;
  const double first = one.parts[0].without.critical_steps.value;
  assert_true(one.parts[0].without.n == 1 && two.parts[0].without.n == 2);
  assert_true(isnan(one.parts[0].without.critical_steps.lo) && x->value != first);
  assert_close(x->hi - x->value, 1.96 * fabs(x->value - first), 1e-12);
  assert_close(x->value - x->lo, 1.96 * fabs(x->value - first), 1e-12);
  close_fixture(&f);
}

/* Kinds of tasks are told apart; together they are all. */
static void test_families_and_intervals(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual r;
  open_fixture(&f, "envs/swarm_mix.lua", "episode.budget_factor=3");
  run(&f, "greedy_wide", PARL_COUNTERFACTUAL_LAUNCH, 40, &r);
  double n_tasks = 0, n = 0, sum = 0;
  assert_true(r.n_parts > 2);
  for (size_t i = 1; i < r.n_parts; i++) {
    const parl_effect *e = &r.parts[i].without;
    n_tasks += r.parts[i].n_tasks;
    n += e->n;
    if (e->n > 0) sum += e->n * e->r_perf.value;
    if (e->n > 0 && !isnan(e->r_perf.lo))
      assert_close(e->r_perf.hi - e->r_perf.value, e->r_perf.value - e->r_perf.lo, 1e-12);
  }
  assert_true(n_tasks == 40 && n == r.parts[0].without.n && n > 0);
  assert_close(sum / n, r.parts[0].without.r_perf.value, 1e-12);
  assert_true(r.parts[0].without.r_perf.lo < r.parts[0].without.r_perf.value);
  close_fixture(&f);
}

static void test_refused(void **state) {
  (void)state;
  fixture f;
  parl_counterfactual r;
  open_fixture(&f, "tests/envs/roles.lua", "episode.budget_steps=9");
  parl_counterfactual_def def = {
      .host = &f.host, .run = &f.run, .n_tasks = 1, .workers = f.workers};
  assert_status(parl_counterfactual_run(&def, &r), PARL_STATUS_EINVAL);
  def.style = "mixed";
  def.goes_on = true; /* a script does not know what it did not write */
  assert_status(parl_counterfactual_run(&def, &r), PARL_STATUS_EINVAL);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_launches_by_hand),       cmocka_unit_test(test_assignments_by_hand),
      cmocka_unit_test(test_orders_by_hand),         cmocka_unit_test(test_interval_by_hand),
      cmocka_unit_test(test_families_and_intervals), cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
