/* tests/test_presets.c - published rewards: an episode of each by hand, what fills in what. */
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "parl/reward/presets.h"
#include "parl/run/recipe.h"
#include "tests/rollout_support.h"
#include "tests/support.h"

/* The arm of a recipe with these sections. */
static parl_status load(const char *sections, const char *const *sets, size_t n_sets,
                        parl_recipe **out) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16], text[2048];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/x.lua", folder);
  snprintf(text, sizeof text,
           "return { env = { file = '" COUNT_ENV "' }, train = { updates = 10 }, %s }", sections);
  assert_ok(parl_file_write(path, text, strlen(text)));
  const parl_status s = parl_recipe_load(path, sets, n_sets, NULL, out);
  parl_test_remove_folder(folder);
  return s;
}

/* r of the episode in update t. */
static double get_reward(const char *sections, const parl_facts *f, int64_t t) {
  parl_recipe *recipe = NULL;
  parl_term_table *table = NULL;
  parl_reward *reward = NULL;
  double terms[PARL_MAX_TERMS], sum = 0;
  assert_ok(load(sections, NULL, 0, &recipe));
  const parl_run_config *c = parl_recipe_get_arm(recipe, 0);
  assert_ok(parl_term_table_create(c->weights, c->own_terms, &table));
  assert_ok(parl_reward_create(&c->reward, table, &reward));
  const parl_outcome of = {.facts = f};
  assert_ok(parl_reward_group(reward, &(parl_group){.of = &of, .K = 1, .update = t}, terms));
  for (size_t i = 0; i < table->n; i++) {
    parl_schedule *s = NULL;
    double weight = NAN;
    assert_ok(parl_schedule_create(table->rows[i].config, 10, &s));
    assert_ok(parl_schedule_next(s, t, NULL, &weight));
    sum += weight * terms[i];
    parl_schedule_destroy(s);
  }
  parl_reward_destroy(reward);
  parl_term_table_destroy(table);
  parl_recipe_destroy(recipe);
  return sum;
}

/* Solved: 6 sub-agents, 5 returned, 2 of these empty; 8 critical steps, 20 in all. */
static const parl_facts solved = {.r_perf = 1,
                                  .success = 1,
                                  .assigned = 6,
                                  .finished = 5,
                                  .empty_finishes = 2,
                                  .critical_steps = 8,
                                  .total_steps = 20};
/* Half of it, alone. */
static const parl_facts alone = {.r_perf = 0.5, .critical_steps = 9, .total_steps = 9};

static void test_each_by_hand(void **state) {
  (void)state;
  static const struct {
    const char *preset;
    double first, middle, alone; /* in update 0, 5 of 10; in 5 */
  } rows[] = {
      {"report", 0.1 * 6 / 12 + 0.1 * 5 / 6 + 1, 0.05 * 6 / 12 + 0.05 * 5 / 6 + 1, 0.5},
      {"january", 0.1 * 6 / 12 + 0.9, 0.05 * 6 / 12 + 0.95, 0},
      {"openparl", 0.3 * 6 / 10 + 0.2 * 3 / 6 + 1, 0.3 * 6 / 10 + 0.2 * 3 / 6 + 1, 0.5},
      {"open_parl", 0.1 * 6 / 100 + 0.1 * 5 / 6 + 1, 0.05 * 6 / 100 + 0.05 * 5 / 6 + 1, 0.05},
      {"wideseek_r1", 1, 1, 0.5},
      {"threadweaver", 1 + 0.5 * 0.2, 1 + 0.5 * 0.2, 0},
      {"lamas", 1 - 0.1 * 8 / 100, 1 - 0.1 * 8 / 100, 0.5 - 0.1 * 9 / 100},
  };
  assert_int_equal(sizeof rows / sizeof rows[0], PARL_N_REWARD_PRESETS);
  for (size_t i = 0; i < PARL_N_REWARD_PRESETS; i++) {
    char text[64];
    assert_string_equal(rows[i].preset, parl_reward_presets[i].name);
    snprintf(text, sizeof text, "reward = { preset = '%s' }", rows[i].preset);
    assert_close(get_reward(text, &solved, 0), rows[i].first, 1e-12);
    assert_close(get_reward(text, &solved, 5), rows[i].middle, 1e-12);
    assert_close(get_reward(text, &alone, 5), rows[i].alone, 1e-12);
  }
  parl_facts slow = solved; /* 9 steps in all, 1 in 8 saved: below the clip of 0.2 */
  slow.total_steps = 9;
  assert_close(get_reward("reward = { preset = 'threadweaver' }", &slow, 0), 1 + 0.5 / 8, 1e-12);
}

/* What a recipe says wins, field by field, by whichever name of a weight. */
static void test_what_fills_in(void **state) {
  (void)state;
  const double due = 0.25 * 5 / 10 + 0.2 * 3 / 6 + 1;
  parl_facts f = solved;
  f.assigned = 5;
  f.finished = 5;
  f.empty_finishes = 2;
  assert_close(get_reward("reward = { preset = 'openparl' }, lambda1 = { start = 0.25 }", &f, 9),
               due + 0.2 * (3.0 / 5 - 3.0 / 6), 1e-12);
  assert_close(get_reward("reward = { preset = 'openparl' }, terms = { parallel = { weight = { "
                          "start = 0.25 } } }",
                          &f, 9),
               due + 0.2 * (3.0 / 5 - 3.0 / 6), 1e-12);
  assert_close(get_reward("reward = { preset = 'openparl', finish = 'returned' }", &solved, 9),
               0.3 * 6 / 10 + 0.2 * 5 / 6 + 1, 1e-12);
  assert_close(
      get_reward("reward = { preset = 'lamas' }, terms = { latency = { scale = 8 } }", &solved, 9),
      1 - 0.1, 1e-12);
}

static void test_overrides_and_refusals(void **state) {
  (void)state;
  parl_recipe *r = NULL;
  const char *set = "reward.preset=openparl";
  assert_ok(load("lambda2 = { start = 0.7 }", &set, 1, &r));
  const parl_run_config *c = parl_recipe_get_arm(r, 0);
  assert_close(c->weights[PARL_TERM_parallel].start, 0.3, 0);
  assert_close(c->weights[PARL_TERM_finish].start, 0.7, 0);
  assert_int_equal(c->reward.parallel_cap, 10);
  assert_string_equal(parl_recipe_get_warnings(r), "");
  parl_recipe_destroy(r);
  r = NULL;
  assert_fails(load("reward = { preset = 'openparI' }", NULL, 0, &r), PARL_STATUS_EINVAL,
               "did you mean \"openparl\"?");
  assert_fails(load("reward = { preset = 7 }", NULL, 0, &r), PARL_STATUS_EINVAL, "in quotes");
  assert_null(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_by_hand),
      cmocka_unit_test(test_what_fills_in),
      cmocka_unit_test(test_overrides_and_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
