/* tests/test_reward.c - each named definition by hand, its bounds, Lua terms, refusals. */
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/rng.h"
#include "tests/terms_support.h"

enum { INSTANTIATION, CONCURRENCY, OVERLAP, WIDTH, PARALLEL_LUA, LOG_COUNT, REALISED };
enum { RETURNED, USEFUL, FINISH_LUA, NON_EMPTY };

static parl_reward_config make_config(int parallel, int finish) {
  parl_reward_config c;
  parl_config_set_defaults(&parl_reward_section, &c);
  c.parallel = parallel;
  c.finish = finish;
  return c;
}

typedef parl_test_terms terms;

static parl_status create(const parl_reward_config *c, parl_reward **out) {
  return parl_reward_create(c, parl_test_built_in(), out);
}

static parl_status get_alone(parl_reward *reward, const parl_facts *f, terms *out) {
  return parl_test_get_terms(reward, f, out->of);
}

static terms get_terms(const parl_reward_config *c, const parl_facts *f) {
  parl_reward *reward = NULL;
  terms t = {{NAN, NAN, NAN, NAN}};
  assert_ok(create(c, &reward));
  assert_ok(get_alone(reward, f, &t));
  parl_reward_destroy(reward);
  return t;
}

static double get_total(const terms *t, const double weights[PARL_N_TERMS]) {
  return parl_terms_total(t->of, weights, PARL_N_TERMS);
}

/* 9 sub-agents in two groups (6 and 3 wide) of 16 slots; 30 sub-agent steps, the longest 4 and 2;
 * 4 turns of one step: critical 4 + 6 = 10, total 4 + 30 = 34. */
static parl_facts make_facts(void) {
  return (parl_facts){.r_perf = 0.75,
                      .critical_steps = 10,
                      .total_steps = 34,
                      .optimum_steps = 8,
                      .optimum_width = 8,
                      .turns = 4,
                      .launches = 2,
                      .assigned = 9,
                      .finished = 6,
                      .useful = 3,
                      .max_width = 6,
                      .cap_width = 16,
                      .sub_steps = 30,
                      .sub_max_steps = 6};
}

static void test_defaults(void **state) {
  (void)state;
  parl_reward_config c;
  parl_config_set_defaults(&parl_reward_section, &c);
  assert_int_equal(c.parallel, INSTANTIATION);
  assert_int_equal(c.finish, RETURNED);
  assert_int_equal(c.parallel_cap, 12);
  assert_string_equal(c.perf_lua, "");
}

static void test_worked_by_hand(void **state) {
  (void)state;
  const parl_facts f = make_facts();
  parl_reward_config c = make_config(INSTANTIATION, RETURNED);
  terms t = get_terms(&c, &f);
  assert_close(t.of[PARL_TERM_parallel], 9.0 / 12, 1e-15);
  assert_close(t.of[PARL_TERM_finish], 6.0 / 9, 1e-15);
  assert_close(t.of[PARL_TERM_perf], 0.75, 0);
  c = make_config(CONCURRENCY, USEFUL);
  t = get_terms(&c, &f);
  assert_close(t.of[PARL_TERM_parallel], 30.0 / 6 / 16, 1e-15);
  assert_close(t.of[PARL_TERM_finish], 3.0 / 9, 1e-15);
  c = make_config(OVERLAP, RETURNED);
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 24.0 / 34, 1e-15);
  c = make_config(WIDTH, RETURNED);
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 6.0 / 8, 1e-15);
}

static void test_total_by_hand(void **state) {
  (void)state;
  const double t[] = {0.5, 0.25, 0.75, 0.125};
  const double both[] = {0.3, 0.1, 1, 0}, none[] = {0, 0, 1, 0}, all[] = {0.3, 0.1, 1, 0.4};
  const double other_perf[] = {0.3, 0.1, 2, 0};
  assert_close(parl_terms_total(t, both, 4), 0.15 + 0.025 + 0.75, 1e-15);
  assert_close(parl_terms_total(t, none, 4), 0.75, 0);
  assert_close(parl_terms_total(t, all, 4), 0.15 + 0.025 + 0.75 + 0.05, 1e-15);
  assert_close(parl_terms_total(t, other_perf, 4), 0.15 + 0.025 + 1.5, 1e-15);
  assert_close(parl_terms_total(t, all, 3), 0.15 + 0.025 + 0.75, 1e-15);
}

static void test_saturation(void **state) {
  (void)state;
  parl_facts f = make_facts();
  f.assigned = 40;
  f.finished = 40;
  f.max_width = 20;
  parl_reward_config c = make_config(INSTANTIATION, RETURNED);
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 1, 0);
  c = make_config(WIDTH, RETURNED);
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 1, 0);
}

/* Shaped terms of an episode that launches nothing are 0 even where a formula would divide. */
static void test_no_assignment_earns_nothing(void **state) {
  (void)state;
  const parl_facts alone = {.r_perf = 0.5, .critical_steps = 9, .total_steps = 9, .cap_width = 16};
  parl_facts odd = make_facts();
  odd.assigned = 0;
  for (int parallel = INSTANTIATION; parallel <= WIDTH; parallel++)
    for (int finish = RETURNED; finish <= USEFUL; finish++) {
      const parl_reward_config c = make_config(parallel, finish);
      const terms t = get_terms(&c, &alone), u = get_terms(&c, &odd);
      assert_close(t.of[PARL_TERM_parallel], 0, 0);
      assert_close(t.of[PARL_TERM_finish], 0, 0);
      assert_close(t.of[PARL_TERM_perf], 0.5, 0);
      assert_close(u.of[PARL_TERM_parallel], 0, 0);
      assert_close(u.of[PARL_TERM_finish], 0, 0);
    }
}

static void test_empty_denominators(void **state) {
  (void)state;
  const parl_facts idle = {.assigned = 2, .finished = 2};
  for (int parallel = CONCURRENCY; parallel <= WIDTH; parallel++) {
    const parl_reward_config c = make_config(parallel, RETURNED);
    assert_close(get_terms(&c, &idle).of[PARL_TERM_parallel], 0, 0);
  }
}

/* A task whose optimum states no width has no share of it: not of the cap either. */
static void test_a_width_that_is_not_stated(void **state) {
  (void)state;
  const parl_reward_config c = make_config(WIDTH, RETURNED);
  parl_facts f = make_facts();
  parl_reward *reward = NULL;
  terms t;
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 6.0 / 8, 0);
  f.optimum_width = 0; /* it works alone: launching earns nothing */
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 0, 0);
  f.optimum_width = NAN;
  assert_ok(create(&c, &reward));
  assert_fails(get_alone(reward, &f, &t), PARL_STATUS_EINVAL, "states no width");
  parl_reward_destroy(reward);
}

static void check_env(const char *path, parl_status due) {
  const parl_reward_config width = make_config(WIDTH, RETURNED);
  const parl_reward_config other = make_config(CONCURRENCY, RETURNED);
  parl_env *env = NULL;
  assert_ok(parl_env_create(path, NULL, &(parl_env_options){0}, &env));
  assert_ok(parl_reward_check_env(&other, parl_test_built_in(), env));
  if (due == PARL_STATUS_OK)
    assert_ok(parl_reward_check_env(&width, parl_test_built_in(), env));
  else
    assert_fails(parl_reward_check_env(&width, parl_test_built_in(), env), due, path);
  parl_env_destroy(env);
}

static void test_environments_that_state_a_width(void **state) {
  (void)state;
  check_env("envs/wide_search.lua", PARL_STATUS_OK);
  check_env("tests/envs/count.lua", PARL_STATUS_EINVAL);
}

/* Whatever an episode does, every built-in term lies in [0, 1]. */
static void test_terms_are_in_the_unit_interval(void **state) {
  (void)state;
  for (uint64_t trial = 0; trial < 200; trial++) {
    parl_rng_cursor rng = {.seed = 5, .stream = trial};
    parl_facts f = {.cap_width = 16, .optimum_width = 4};
    f.assigned = (double)parl_rng_next_below(&rng, 30);
    f.finished = floor(f.assigned * parl_rng_next_uniform(&rng));
    f.useful = floor(f.finished * parl_rng_next_uniform(&rng));
    f.max_width = fmin(f.assigned, 1 + (double)parl_rng_next_below(&rng, 16));
    f.sub_max_steps = (double)parl_rng_next_below(&rng, 9);
    f.sub_steps = f.sub_max_steps * fmax(1, f.max_width * parl_rng_next_uniform(&rng));
    const double turns = (double)parl_rng_next_below(&rng, 9);
    f.critical_steps = turns + f.sub_max_steps;
    f.total_steps = turns + f.sub_steps;
    for (int parallel = INSTANTIATION; parallel <= WIDTH; parallel++) {
      const parl_reward_config c = make_config(parallel, (int)(trial % 2));
      const terms t = get_terms(&c, &f);
      assert_true(t.of[PARL_TERM_parallel] >= 0 && t.of[PARL_TERM_parallel] <= 1);
      assert_true(t.of[PARL_TERM_finish] >= 0 && t.of[PARL_TERM_finish] <= 1);
    }
  }
}

/* A budget of 16 steps of which 10 went: 6 / 16, if the episode ended itself and is solved. */
static void test_early_by_hand(void **state) {
  (void)state;
  const parl_reward_config c = make_config(INSTANTIATION, RETURNED);
  parl_facts f = make_facts();
  f.end = PARL_END_FINISH;
  f.budget_steps = 16;
  f.budget_used = 10;
  f.success = 1;
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 6.0 / 16, 1e-15);
  f.budget_used = 16;
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 0, 0);
  f.budget_used = 17;
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 0, 0);
  f.budget_used = 10;
  f.budget_steps = 0; /* none: nothing is left of it */
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 0, 0);
  f.budget_steps = 16;
  f.success = 0;
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 0, 0);
  f.success = 1;
  for (int end = 0; end < PARL_N_ENDS; end++) {
    f.end = (parl_end)end;
    assert_close(get_terms(&c, &f).of[PARL_TERM_early], end == PARL_END_FINISH ? 6.0 / 16 : 0,
                 1e-15);
  }
}

/* Whatever lambda_early is: ending at once, or anywhere before the task is solved, never gets more
 * than solving it, however late; of two that solve it the faster gets more. */
static void test_early_never_pays_for_giving_up(void **state) {
  (void)state;
  const parl_reward_config c = make_config(INSTANTIATION, RETURNED);
  for (uint64_t trial = 0; trial < 500; trial++) {
    parl_rng_cursor rng = {.seed = 8, .stream = trial};
    const double budget = 2 + (double)parl_rng_next_below(&rng, 30);
    parl_facts solved = {.r_perf = 1, .success = 1, .budget_steps = budget};
    parl_facts given_up = {.r_perf = parl_rng_next_uniform(&rng), .budget_steps = budget};
    solved.budget_used = 1 + (double)parl_rng_next_below(&rng, (uint32_t)budget);
    given_up.budget_used = (double)parl_rng_next_below(&rng, (uint32_t)budget + 1);
    solved.end = (parl_end)parl_rng_next_below(&rng, 2);
    const double weights[] = {0, 0, 1, 20 * parl_rng_next_uniform(&rng)};
    const terms s = get_terms(&c, &solved), g = get_terms(&c, &given_up);
    assert_true(get_total(&s, weights) >= get_total(&g, weights));
    assert_true(s.of[PARL_TERM_early] >= 0 && s.of[PARL_TERM_early] < 1);
    parl_facts faster = solved;
    faster.budget_used--;
    faster.end = PARL_END_FINISH;
    const terms q = get_terms(&c, &faster);
    assert_true(get_total(&q, weights) > get_total(&s, weights));
  }
}

/* log 10 of 9 sub-agents over log 13 of the cap; 10 of 40 steps of working alone, r_perf 0.75; 6 of
 * 9 returned, 2 of them empty. */
static void test_log_count_realised_non_empty(void **state) {
  (void)state;
  parl_facts f = make_facts();
  f.serial_steps = 40;
  f.empty_finishes = 2;
  parl_reward_config c = make_config(LOG_COUNT, NON_EMPTY);
  terms t = get_terms(&c, &f);
  assert_close(t.of[PARL_TERM_parallel], 2.302585092994046 / 2.5649493574615367, 1e-15);
  assert_close(t.of[PARL_TERM_finish], 4.0 / 9, 1e-15);
  c = make_config(REALISED, RETURNED);
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 0.75 * 0.75, 1e-15);
  f.critical_steps = 50; /* slower than alone */
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 0, 0);
  double before = 0;
  for (int n = 1; n < 30; n++) { /* each launch earns less than the one before, up to the cap */
    c = make_config(LOG_COUNT, RETURNED);
    f.assigned = n;
    const double now = get_terms(&c, &f).of[PARL_TERM_parallel];
    f.assigned = n + 1;
    const double then = get_terms(&c, &f).of[PARL_TERM_parallel];
    assert_true(n >= 12 ? now == 1 : now - before > then - now && now < 1);
    before = now;
  }
  f.assigned = 0;
  assert_close(get_terms(&c, &f).of[PARL_TERM_parallel], 0, 0);
}

static void test_realised_needs_serial_steps(void **state) {
  (void)state;
  const parl_facts f = make_facts();
  const parl_reward_config c = make_config(REALISED, RETURNED);
  parl_reward *reward = NULL;
  terms t;
  assert_ok(create(&c, &reward));
  assert_fails(get_alone(reward, &f, &t), PARL_STATUS_EINVAL, "serial_steps");
  parl_reward_destroy(reward);
}

static void test_lua_terms(void **state) {
  (void)state;
  const parl_facts f = make_facts();
  parl_reward_config c = make_config(PARALLEL_LUA, FINISH_LUA);
  strcpy(c.parallel_lua, "max_width / cap_width");
  strcpy(c.finish_lua, "useful / finished");
  strcpy(c.perf_lua, "r_perf * (1 - 0.2 * critical_steps / 20)");
  const terms t = get_terms(&c, &f);
  assert_close(t.of[PARL_TERM_parallel], 6.0 / 16, 1e-15);
  assert_close(t.of[PARL_TERM_finish], 0.5, 1e-15);
  assert_close(t.of[PARL_TERM_perf], 0.75 * 0.9, 1e-15);
  strcpy(c.early_lua, "critical_steps / total_steps");
  assert_close(get_terms(&c, &f).of[PARL_TERM_early], 10.0 / 34, 1e-15);
  parl_reward *reward = NULL;
  strcpy(c.early_lua, "1 +");
  assert_status(create(&c, &reward), PARL_STATUS_ESCRIPT);
  assert_non_null(strstr(parl_error_text(), "early_lua"));
}

static void test_lua_refusals(void **state) {
  (void)state;
  const parl_facts f = make_facts();
  parl_reward *reward = NULL;
  parl_reward_config c = make_config(PARALLEL_LUA, RETURNED);
  assert_status(create(&c, &reward), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "parallel_lua"));
  strcpy(c.parallel_lua, "1 +");
  assert_status(create(&c, &reward), PARL_STATUS_ESCRIPT);
  assert_non_null(strstr(parl_error_text(), "parallel_lua"));
  c = make_config(INSTANTIATION, FINISH_LUA);
  assert_status(create(&c, &reward), PARL_STATUS_EINVAL);
  assert_null(reward);
  strcpy(c.finish_lua, "0 / 0");
  terms t = {{1, 2, 3, 4}};
  assert_ok(create(&c, &reward));
  assert_status(get_alone(reward, &f, &t), PARL_STATUS_ESCRIPT);
  assert_non_null(strstr(parl_error_text(), "finish_lua"));
  assert_close(t.of[PARL_TERM_perf], 3, 0);
  parl_reward_destroy(reward);
}

static void test_facts_that_are_not_finite_are_refused(void **state) {
  (void)state;
  parl_facts f = make_facts();
  parl_reward *reward = NULL;
  terms t = {{1, 2, 3, 4}};
  const parl_reward_config c = make_config(CONCURRENCY, RETURNED);
  assert_ok(create(&c, &reward));
  f.r_perf = NAN;
  assert_status(get_alone(reward, &f, &t), PARL_STATUS_EINVAL);
  f = make_facts();
  f.finished = INFINITY;
  assert_status(get_alone(reward, &f, &t), PARL_STATUS_EINVAL);
  f = make_facts();
  f.cap_width = NAN;
  assert_status(get_alone(reward, &f, &t), PARL_STATUS_EINVAL);
  assert_close(t.of[PARL_TERM_parallel], 1, 0);
  parl_reward_destroy(reward);
  parl_reward_destroy(NULL);
}

static void test_choices_out_of_range_are_refused(void **state) {
  (void)state;
  parl_reward *reward = NULL;
  parl_reward_config c = make_config(REALISED + 1, RETURNED);
  assert_status(create(&c, &reward), PARL_STATUS_EINVAL);
  c = make_config(INSTANTIATION, -1);
  assert_status(create(&c, &reward), PARL_STATUS_EINVAL);
  c = make_config(INSTANTIATION, RETURNED);
  c.parallel_cap = 0;
  assert_status(create(&c, &reward), PARL_STATUS_EINVAL);
  assert_null(reward);
}

/* The numbers of the CHOICE lists are the enums above. */
static void test_an_old_name_is_told_the_new_one(void **state) {
  (void)state;
  static const char text[] = "{\"parallel\":\"speed_up\"}";
  parl_reward_config c;
  parl_json *json = NULL;
  parl_config_set_defaults(&parl_reward_section, &c);
  assert_ok(parl_json_parse(text, strlen(text), "test", &json));
  assert_int_equal(parl_config_read(&parl_reward_section, json, "reward", &c), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "overlap was called speed_up"));
  parl_json_destroy(json);
}

static void test_section_reads_names(void **state) {
  (void)state;
  static const char text[] = "{\"parallel\":\"width\",\"finish\":\"useful\",\"parallel_cap\":3}";
  parl_json *json = NULL;
  parl_reward_config c = make_config(0, 0);
  assert_ok(parl_json_parse(text, sizeof text - 1, "test", &json));
  assert_ok(parl_config_read(&parl_reward_section, json, "reward", &c));
  parl_json_destroy(json);
  assert_int_equal(c.parallel, WIDTH);
  assert_int_equal(c.finish, USEFUL);
  assert_int_equal(c.parallel_cap, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_worked_by_hand),
      cmocka_unit_test(test_total_by_hand),
      cmocka_unit_test(test_saturation),
      cmocka_unit_test(test_no_assignment_earns_nothing),
      cmocka_unit_test(test_empty_denominators),
      cmocka_unit_test(test_a_width_that_is_not_stated),
      cmocka_unit_test(test_environments_that_state_a_width),
      cmocka_unit_test(test_terms_are_in_the_unit_interval),
      cmocka_unit_test(test_early_by_hand),
      cmocka_unit_test(test_early_never_pays_for_giving_up),
      cmocka_unit_test(test_log_count_realised_non_empty),
      cmocka_unit_test(test_realised_needs_serial_steps),
      cmocka_unit_test(test_lua_terms),
      cmocka_unit_test(test_lua_refusals),
      cmocka_unit_test(test_facts_that_are_not_finite_are_refused),
      cmocka_unit_test(test_choices_out_of_range_are_refused),
      cmocka_unit_test(test_an_old_name_is_told_the_new_one),
      cmocka_unit_test(test_section_reads_names),
  };
  return cmocka_run_group_tests_name("reward", tests, NULL, NULL);
}
