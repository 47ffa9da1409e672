/* tests/test_sweep.c - sweeps: the Gaussian process by hand, points, names, the recipe they make,
 * and what is refused. */
#include "core/file.h"
#include "core/rng.h"
#include "experiments/gaussian_process.h"
#include "experiments/sweep.h"
#include "parl/run/recipe.h"
#include "tests/rollout_support.h"
#include "tests/support.h"

/* --- the Gaussian process --- */

/* At one length: (1 + sqrt5 + 5/3) exp(-sqrt5) = 4.9027346 * 0.1068779. */
static void test_kernel_by_hand(void **state) {
  (void)state;
  const double a[] = {0.2, 0.9}, b[] = {0.5, 0.5}, lengths[] = {0.3, 0.4};
  assert_close(parl_matern52(a, a, lengths, 2, 1.5), 2.25, 1e-15);
  assert_close(parl_matern52(a, b, lengths, 1, 1), 0.5239941088318203, 1e-12);
  /* r^2 = 2: 1 + sqrt10 + 10/3 = 7.4956110, exp(-sqrt10) = 0.0423292. */
  assert_close(parl_matern52(a, b, lengths, 2, 2), 4 * 0.3172833639540438, 1e-9);
  assert_close(parl_matern52(b, a, lengths, 2, 2), parl_matern52(a, b, lengths, 2, 2), 0);
}

/* phi(0) = .3989; 1 Phi(1) + phi(1) = .8413 + .2420; without spread max(mean - best, 0). */
static void test_improvement_by_hand(void **state) {
  (void)state;
  assert_close(parl_expected_improvement(3, 1, 3), 0.3989422804014327, 1e-12);
  assert_close(parl_expected_improvement(4, 1, 3), 1.0833154705876864, 1e-12);
  assert_close(parl_expected_improvement(3, 2, 3), 2 * 0.3989422804014327, 1e-12);
  assert_close(parl_expected_improvement(2, 0, 3), 0, 0);
  assert_close(parl_expected_improvement(3.5, 0, 3), 0.5, 0);
  for (double best = -2; best < 2; best += 0.25) /* falls in what there is to beat */
    assert_true(parl_expected_improvement(0, 1, best) >
                parl_expected_improvement(0, 1, best + 0.1));
}

/* A smooth function is met where it was seen and nearly so in between; away from that nothing is
 * known. */
static void test_regression(void **state) {
  (void)state;
  enum { N = 9 };
  double x[N], y[N], mean, at, between;
  for (size_t i = 0; i < N; i++) {
    x[i] = 0.5 * (double)i / (N - 1);
    y[i] = 100 + 10 * sin(6 * x[i]);
  }
  parl_gaussian_process *p = NULL;
  assert_ok(parl_gaussian_process_fit(x, y, N, 1, &p));
  for (size_t i = 0; i < N; i++) {
    parl_gaussian_process_predict(p, &x[i], &mean, &at);
    assert_close(mean, y[i], 0.5);
  }
  const double middle = 0.28, far = 1;
  parl_gaussian_process_predict(p, &middle, &mean, &between);
  assert_close(mean, 100 + 10 * sin(6 * middle), 0.5);
  parl_gaussian_process_predict(p, &far, &mean, &at);
  assert_true(at > 3 * between);
  assert_close(parl_gaussian_process_get_best(p), 110, 0.7);
  parl_gaussian_process_destroy(p);
  y[3] = (double)NAN;
  assert_fails(parl_gaussian_process_fit(x, y, N, 1, &p), PARL_STATUS_EINVAL, "value 4");
  for (size_t i = 0; i < N; i++) y[i] = 2;
  assert_fails(parl_gaussian_process_fit(x, y, N, 1, &p), PARL_STATUS_EINVAL, "equal");
  assert_null(p);
}

/* Noise is not taken for shape: of 40 noisy values of a constant the prediction stays near it. */
static void test_noise(void **state) {
  (void)state;
  enum { N = 40 };
  double x[N], y[N], mean, deviation, worst = 0;
  for (size_t i = 0; i < N; i++) {
    parl_rng_cursor cursor = {7, i, 0};
    x[i] = parl_rng_next_uniform(&cursor);
    y[i] = parl_rng_next_normal(&cursor);
  }
  parl_gaussian_process *p = NULL;
  assert_ok(parl_gaussian_process_fit(x, y, N, 1, &p));
  for (double at = 0.1; at < 0.95; at += 0.1) {
    parl_gaussian_process_predict(p, &at, &mean, &deviation);
    worst = fmax(worst, fabs(mean));
  }
  assert_true(worst < 0.8);
  parl_gaussian_process_destroy(p);
}

/* --- sweeps --- */

typedef struct bench {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_sweep sweep;
} bench;

static void put(const bench *b, const char *name, const char *text) {
  char path[PARL_TEST_PATH_BYTES + 16];
  snprintf(path, sizeof path, "%s/%s", b->folder, name);
  assert_ok(parl_file_write(path, text, strlen(text)));
}

static parl_status read_with(bench *b, const char *fields, const char *const *sets, size_t n) {
  char text[2048];
  snprintf(text, sizeof text, "return { recipe = 'r', %s }", fields);
  put(b, "s.lua", text);
  parl_sweep_deinit(&b->sweep);
  return parl_sweep_read(b->path, sets, n, NULL, &b->sweep);
}

static void open_bench(bench *b) {
  *b = (bench){.folder = ""};
  parl_test_temp_folder(b->folder);
  snprintf(b->path, sizeof b->path, "%s/s.lua", b->folder);
  put(b, "r.lua",
      "return { name = 'base', env = { file = '" COUNT_ENV
      "' }, run = { seed = 40, n_seeds = 3 },\n"
      " arms = { { name = 'plain' }, { name = 'mine', lambda1 = { start = 0.5 } } } }");
}

static void close_bench(bench *b) {
  parl_sweep_deinit(&b->sweep);
  parl_test_remove_folder(b->folder);
}

static void test_grid(void **state) {
  (void)state;
  bench b;
  open_bench(&b);
  assert_ok(read_with(&b,
                      "arms = {'plain'}, parameters = { ['objective.kind'] = {values = {'k25', "
                      "'ppo'}}, ['lambda1.start'] = {values = {0, 0.1, 1e-7}} }",
                      NULL, 0));
  assert_int_equal(b.sweep.n_points, 6);
  assert_int_equal(b.sweep.config.n_seeds, 3);
  parl_sweep_point points[6];
  size_t n = 0;
  assert_ok(parl_sweep_draw(&b.sweep, points, &n));
  assert_int_equal(n, 6);
  static const char *const names[] = {"start=0 kind=k25",     "start=0 kind=ppo",
                                      "start=0.1 kind=k25",   "start=0.1 kind=ppo",
                                      "start=1e-07 kind=k25", "start=1e-07 kind=ppo"};
  char name[PARL_NAME_BYTES];
  for (size_t i = 0; i < 6; i++) {
    parl_sweep_get_name(&b.sweep, &points[i], "", name);
    assert_string_equal(name, names[i]);
    for (size_t k = 0; k < 6; k++)
      assert_int_equal(parl_sweep_is_same(&b.sweep, &points[i], &points[k]), i == k);
  }
  parl_sweep_get_name(&b.sweep, &points[1], "plain", name);
  assert_string_equal(name, "plain start=0 kind=ppo");
  close_bench(&b);
}

/* Whole keys where two end likewise; a hash where it is too long or no part of a name. */
static void test_names(void **state) {
  (void)state;
  bench b;
  open_bench(&b);
  parl_sweep_point p = {.at = {0.1, 0.1}};
  char name[PARL_NAME_BYTES], other[PARL_NAME_BYTES];
  assert_ok(read_with(&b,
                      "arms = {'plain'}, parameters = { ['lambda1.start'] = {values = {1}}, "
                      "['lambda2.start'] = {values = {2}} }",
                      NULL, 0));
  parl_sweep_get_name(&b.sweep, &p, "", name);
  assert_string_equal(name, "lambda1.start=1 lambda2.start=2");
  assert_ok(read_with(&b,
                      "arms = {'plain'}, parameters = { ['reward.perf_lua'] = {values = {'r_perf / "
                      "1', 'r_perf / 2'}} }",
                      NULL, 0));
  parl_sweep_get_name(&b.sweep, &p, "", name);
  p.at[0] = 0.9;
  parl_sweep_get_name(&b.sweep, &p, "", other);
  assert_contains(name, "perf_lua=r_perf  #");
  assert_string_not_equal(name, other);
  assert_null(strchr(name, '/'));
  close_bench(&b);
}

static void check_drawn(const char *method, const char *more) {
  bench b;
  open_bench(&b);
  char fields[512];
  enum { N = 64 };
  parl_sweep_point points[N], again[N];
  size_t n = 0;
  snprintf(fields, sizeof fields,
           "arms = {'plain'}, method = '%s', points = 64, initial = 64, %s parameters = { "
           "['lambda1.start'] = {min = 0.001, max = 10, distribution = 'log_uniform'}, "
           "['train.group'] = {min = 2, max = 5, distribution = 'int_uniform'}, "
           "['lambda2.start'] = {min = -1, max = 3} }",
           method, more);
  assert_ok(read_with(&b, fields, NULL, 0));
  assert_ok(parl_sweep_draw(&b.sweep, points, &n));
  assert_int_equal(n, N);
  assert_ok(parl_sweep_draw(&b.sweep, again, &n));
  double counts[4] = {0}, below = 0, mean = 0;
  for (size_t i = 0; i < N; i++) {
    parl_text text = {0};
    assert_true(parl_sweep_is_same(&b.sweep, &points[i], &again[i]));
    for (size_t k = 0; k < i; k++)
      assert_false(parl_sweep_is_same(&b.sweep, &points[i], &points[k]));
    parl_sweep_append_value(&b.sweep.parameters[0], points[i].at[0], &text);
    const double start = strtod(parl_text_get(&text), NULL);
    assert_true(start >= 0.001 && start <= 10);
    below += start < 0.1; /* half of the logarithm's range */
    parl_text_clear(&text);
    parl_sweep_append_value(&b.sweep.parameters[1], points[i].at[1], &text);
    mean += strtod(parl_text_get(&text), NULL) / N;
    parl_text_clear(&text);
    parl_sweep_append_value(&b.sweep.parameters[2], points[i].at[2], &text);
    const long group = strtol(parl_text_get(&text), NULL, 10);
    assert_in_range(group, 2, 5);
    counts[group - 2]++;
    parl_text_deinit(&text);
  }
  assert_close(below, 32, 12);
  assert_close(mean, 1, 0.45);
  for (size_t i = 0; i < 4; i++) assert_close(counts[i], 16, 9);
  close_bench(&b);
}

static void test_random_and_sobol(void **state) {
  (void)state;
  check_drawn("random", "");
  check_drawn("random", "seed = 2,");
  check_drawn("sobol", "seed = 3,");
  check_drawn("bayes", "");
}

/* Fewer values than points were asked for. */
static void test_all_there_are(void **state) {
  (void)state;
  bench b;
  open_bench(&b);
  assert_ok(read_with(&b,
                      "arms = {'plain'}, method = 'random', points = 50, parameters = { "
                      "['train.group'] = {min = 2, max = 4, distribution = 'int_uniform'} }",
                      NULL, 0));
  assert_int_equal(b.sweep.n_points, 3);
  parl_sweep_point points[3];
  size_t n = 0;
  assert_ok(parl_sweep_draw(&b.sweep, points, &n));
  assert_int_equal(n, 3);
  bool found = true;
  const double values[] = {1, 2, 3};
  parl_sweep_point next;
  assert_ok(parl_sweep_propose(&b.sweep, points, values, 3, &next, &found));
  assert_false(found);
  close_bench(&b);
}

/* Of a hill in two dimensions 24 points by bayes come near. */
static void test_bayes_climbs(void **state) {
  (void)state;
  enum { N = 24 };
  bench b;
  open_bench(&b);
  assert_ok(read_with(&b,
                      "arms = {'plain'}, method = 'bayes', points = 24, parameters = { "
                      "['lambda1.start'] = {min = 0, max = 1}, ['lambda2.start'] = {min = 0, max = "
                      "1} }",
                      NULL, 0));
  parl_sweep_point points[N];
  double values[N], best = -1;
  size_t n = 0;
  assert_ok(parl_sweep_draw(&b.sweep, points, &n));
  assert_int_equal(n, 6);
  for (size_t i = 0; i < N; i++) {
    bool found = true;
    if (i >= n) assert_ok(parl_sweep_propose(&b.sweep, points, values, i, &points[i], &found));
    assert_true(found);
    const double x = points[i].at[0] - 0.31, y = points[i].at[1] - 0.72;
    values[i] = -x * x - 2 * y * y;
    best = fmax(best, values[i]);
  }
  assert_true(best > -1e-3);
  parl_sweep_point again;
  bool found = false;
  assert_ok(parl_sweep_propose(&b.sweep, points, values, N - 1, &again, &found));
  assert_true(parl_sweep_is_same(&b.sweep, &again, &points[N - 1]));
  close_bench(&b);
}

/* A point of pbt is a table of what it and those before it have; what does not change is no entry.
 * Values grow or shrink by the factor and stay in their range, or move in their list. */
static void test_pbt_points(void **state) {
  (void)state;
  bench b;
  open_bench(&b);
  assert_ok(read_with(&b,
                      "arms = {'plain'}, method = 'pbt', points = 4, pbt = {resample = 0, factor = "
                      "2}, parameters = { ['lambda1.table'] = {min = 0.1, max = 1.6, distribution "
                      "= 'log_uniform', also = {'lambda2.table'}}, ['lambda_early.table'] = "
                      "{values = {0, 1, 2}} }",
                      NULL, 0));
  assert_int_equal(b.sweep.config.top, 1);
  /* 0.1 16^(1/2) = 0.4 */
  const parl_sweep_point first = {.at = {0.5, 0.5}, .number = 1},
                         second = {{0.75, 0.5}, &first, 7, 2}, third = {{0.75, 0.9}, &second, 9, 3};
  parl_text text = {0};
  parl_sweep_append_setting(&b.sweep, 0, &third, &text);
  assert_string_equal(parl_text_get(&text), "\"0:0.4 7:0.8\"");
  parl_text_clear(&text);
  parl_sweep_append_setting(&b.sweep, 1, &third, &text);
  assert_string_equal(parl_text_get(&text), "\"0:1 9:2\"");
  parl_text_deinit(&text);
  size_t n_grown = 0, n_up = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    parl_rng_cursor chance = {seed, 0, 0};
    parl_sweep_point p = third;
    parl_sweep_perturb(&b.sweep, &chance, &p); /* 0.8 to 0.4 or 1.6 */
    assert_true(fabs(p.at[0] - 0.5) < 1e-9 || p.at[0] > 1 - 1e-9);
    assert_true(p.at[1] == 2.5 / 3 || p.at[1] == 0.5);
    n_grown += p.at[0] > 0.75;
    n_up += p.at[1] > 0.75;
    parl_sweep_perturb(&b.sweep, &chance, &p);
    assert_true(p.at[0] >= 0 && p.at[0] < 1);
  }
  assert_in_range(n_grown, 30, 70);
  assert_in_range(n_up, 30, 70);
  parl_json *tree = NULL;
  parl_recipe *recipe = NULL;
  assert_ok(parl_sweep_make_recipe(&b.sweep, &third, 1, "x", "d", 43, 1, &tree));
  assert_ok(parl_recipe_load_tree(tree, b.sweep.recipe, NULL, &recipe));
  parl_json_destroy(tree);
  assert_string_equal(parl_recipe_get_arm_name(recipe, 1), "plain pbt 3");
  const parl_run_config *c = parl_recipe_get_arm(recipe, 1);
  assert_string_equal(c->weights[PARL_TERM_parallel].table, "0:0.4 7:0.8");
  assert_string_equal(c->weights[PARL_TERM_finish].table, "0:0.4 7:0.8");
  assert_string_equal(c->weights[PARL_TERM_early].table, "0:1 9:2");
  parl_recipe_destroy(recipe);
  close_bench(&b);
}

/* The arms that stay, then the ones that vary, in spite of what they set, with what is tied. */
static void test_recipe(void **state) {
  (void)state;
  bench b;
  open_bench(&b);
  const char *const sets[] = {"train.updates=7"};
  assert_ok(read_with(&b,
                      "arms = {'mine'}, parameters = { ['lambda1.start'] = {values = {0.2, 0.4}, "
                      "also = {'lambda2.start'}} }",
                      sets, 1));
  parl_sweep_point points[2];
  size_t n = 0;
  parl_json *tree = NULL;
  parl_recipe *recipe = NULL;
  assert_ok(parl_sweep_draw(&b.sweep, points, &n));
  assert_ok(parl_sweep_make_recipe(&b.sweep, points, n, "a \"b\"", "some/where", 43, 5, &tree));
  assert_ok(parl_recipe_load_tree(tree, b.sweep.recipe, NULL, &recipe));
  parl_json_destroy(tree);
  assert_string_equal(parl_recipe_get_name(recipe), "a \"b\"");
  assert_string_equal(parl_recipe_get_folder(recipe), "some/where");
  static const char *const names[] = {"plain", "mine start=0.2", "mine start=0.4"};
  static const double starts[] = {0.1, 0.2, 0.4};
  assert_int_equal(parl_recipe_get_n_arms(recipe), 3);
  for (size_t i = 0; i < 3; i++) {
    const parl_run_config *c = parl_recipe_get_arm(recipe, i);
    assert_string_equal(parl_recipe_get_arm_name(recipe, i), names[i]);
    assert_close(c->weights[PARL_TERM_parallel].start, starts[i], 0);
    assert_close(c->weights[PARL_TERM_finish].start, starts[i], 0);
    assert_int_equal(c->train.updates, 7);
    assert_int_equal(c->run.seed, 43);
    assert_int_equal(c->run.n_seeds, 5);
  }
  parl_recipe_destroy(recipe);
  close_bench(&b);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *fields, *part;
  } bad[] = {
      {"parameters = {}", "parameters"},
      {"parameters = { start = {values = {1}} }", "recipe field"},
      {"parameters = { ['lambda1.start'] = {values = {}} }", "1 to 1000 values"},
      {"parameters = { ['lambda1.start'] = {values = {1}, min = 0} }", ".min"},
      {"parameters = { ['lambda1.start'] = {min = 0, max = 1} }", "a grid has no ranges"},
      {"method = 'random', parameters = { ['lambda1.start'] = {min = 1, max = 1} }", "not below"},
      {"method = 'random', parameters = { ['lambda1.start'] = {min = 0, max = 1, distribution = "
       "'log_uniform'} }",
       "no logarithm"},
      {"method = 'random', parameters = { ['train.group'] = {min = 2.5, max = 9, distribution = "
       "'int_uniform'} }",
       "whole numbers"},
      {"method = 'random', parameters = { ['train.group'] = {min = 2, max = 9, distribution = "
       "'normal'} }",
       "normal"},
      {"method = 'gird', parameters = { ['lambda1.start'] = {values = {1}} }", "gird"},
      {"metric = 'r_pref', parameters = { ['lambda1.start'] = {values = {1}} }", "r_perf"},
      {"pints = 3, parameters = { ['lambda1.start'] = {values = {1}} }", "points"},
      {"parameters = { ['lambda1.start'] = {values = {1}} }", "arm \"mine\""},
      {"arms = {'none'}, parameters = { ['lambda1.start'] = {values = {1}} }", "no arm \"none\""},
      {"arms = {'plain', 'plain'}, parameters = { ['lambda1.start'] = {values = {1}} }", "twice"},
      {"arms = {'plain'}, parameters = { ['lambda1.start'] = {values = {1}, also = "
       "{'lambda1.start'}} }",
       "twice"},
      {"arms = {'plain'}, parameters = { ['lambda1.start'] = {values = {1}, also = {3}} }", "also"},
      {"arms = {'plain', 'mine'}, method = 'bayes', parameters = { ['train.lr'] = {min = 0, max = "
       "1} }",
       "one arm"},
      {"arms = {'plain', 'mine'}, top = 1, parameters = { ['train.lr'] = {values = {1}} }",
       "one arm"},
      {"recipe = 'nowhere', parameters = { ['lambda1.start'] = {values = {1}} }", "nowhere"},
  };
  bench b;
  open_bench(&b);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const parl_status s = read_with(&b, bad[i].fields, NULL, 0);
    assert_true(s == PARL_STATUS_EINVAL || s == PARL_STATUS_EIO);
    assert_contains(parl_error_text(), bad[i].part);
    assert_contains(parl_error_text(), "s.lua");
  }
  static const struct {
    const char *set, *part;
  } sets[] = {{"lambda1.start=3", "varies"},
              {"lambda1={\"start\":3}", "lambda1"},
              {"run.dir=x", "`dir`"},
              {"run.n_seeds=2", "`n_seeds`"},
              {"nonsense", "nonsense"}};
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
    assert_fails(
        read_with(&b, "arms = {'plain'}, parameters = { ['lambda1.start'] = {values = {1}} }",
                  &sets[i].set, 1),
        PARL_STATUS_EINVAL, sets[i].part);
  close_bench(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kernel_by_hand),
      cmocka_unit_test(test_improvement_by_hand),
      cmocka_unit_test(test_regression),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_grid),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_random_and_sobol),
      cmocka_unit_test(test_all_there_are),
      cmocka_unit_test(test_bayes_climbs),
      cmocka_unit_test(test_pbt_points),
      cmocka_unit_test(test_recipe),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
