/* tests/test_stage_terms.c - what a term written in Lua sees of the stages: by hand, what it may
 * not do with them, and that nobody pays for them who does not name them. */
#include "tests/terms_support.h"

enum { K = 2, CUT = 3 };

/* Rollout 1: a launch of two, then a step of its own and a launch of a task that was assigned
 * before. Rollout 2: one turn without a launch. */
static parl_stage_record turns[] = {{.r_perf = 0.25, .main_steps = 1, .width = 2},
                                    {.r_perf = 0.75, .main_steps = 2, .first_sub = 2, .width = 1},
                                    {.r_perf = 0.5, .main_steps = 4}};
static parl_sub_record subs[] = {
    {.steps = 3, .n_tokens = 2, .role = 1, .gain = 0.25, .finished = true, .useful = true},
    {.steps = 5, .first_token = 2, .n_tokens = 1, .lost = true},
    {.steps = 7,
     .n_tokens = 2,
     .duplicate = true,
     .finished = true,
     .is_false = true,
     .is_cut = true}};
static int16_t tokens[CUT] = {11, 12, 13};
static const parl_stages stages[K] = {
    {.n = 2, .n_subs = 3, .n_tokens = CUT, .items = turns, .subs = subs, .tokens = tokens},
    {.n = 1, .items = &turns[2]}};
static const parl_facts facts[K] = {{.critical_steps = 15}, {.critical_steps = 4}};

/* The values of the term `lua` beside a second one, `other`. */
static parl_status evaluate(const char *lua, const char *other, bool has_stages,
                            double out[2 * K]) {
  char text[2048];
  double terms[K * (PARL_N_TERMS + 2)] = {0};
  parl_reward_config config;
  parl_test_table t;
  parl_reward *reward = NULL;
  parl_outcome of[K];
  parl_config_set_defaults(&parl_reward_section, &config);
  for (size_t k = 0; k < K; k++)
    of[k] = (parl_outcome){.facts = &facts[k], .stages = has_stages ? &stages[k] : NULL};
  snprintf(text, sizeof text, "{\"a\":{\"lua\":\"%s\"},\"b\":{\"lua\":\"%s\"}}", lua, other);
  assert_ok(parl_test_read_terms(text, &t));
  parl_status s = parl_reward_create(&config, t.table, &reward);
  if (s == PARL_STATUS_OK) s = parl_reward_group(reward, &(parl_group){.of = of, .K = K}, terms);
  for (size_t k = 0; k < K; k++)
    memcpy(&out[2 * k], &terms[k * (PARL_N_TERMS + 2) + PARL_N_TERMS], 2 * sizeof *out);
  parl_reward_destroy(reward);
  parl_test_table_deinit(&t);
  return s;
}

static void check(const char *lua, double first, double second) {
  double out[2 * K];
  if (evaluate(lua, "1", true, out) != PARL_STATUS_OK) fail_msg("%s: %s", lua, parl_error_text());
  assert_close(out[0], first, 1e-15);
  assert_close(out[2], second, 1e-15);
}

#define SUM_OF_SUBS(what)                                                                  \
  "local n = 0 for _, s in ipairs(stages) do for _, a in ipairs(s.subs) do n = n + (" what \
  ") "                                                                                     \
  "end end return n"

static void test_by_hand(void **state) {
  (void)state;
  check(
      "local n = 0 for _, s in ipairs(stages) do local m = 0 for _, a in ipairs(s.subs) do m = "
      "math.max(m, a.steps) end n = n + s.main + m end return n",
      1 + 5 + 2 + 7, 4);
  check(
      "local own, subs = 0, 0 for _, stage in ipairs(stages) do local longest = 0 for _, sub in "
      "ipairs(stage.subs) do longest = math.max(longest, sub.steps) end own, subs = own + "
      "stage.main, "
      "subs + longest end return subs / math.max(1, own + subs)",
      0.8, 0);
  check("#stages + 10 * #stages[1].subs", 22, 1);
  check("stages[#stages].r_perf - stages[1].r_perf", 0.5, 0);
  check("stages[1].width", 2, 0);
  check(SUM_OF_SUBS("a.role"), 2 + 1 + 1, 0);
  check(SUM_OF_SUBS("a.gain"), 0.25, 0);
  check(SUM_OF_SUBS("a.finished and 1 or 0"), 2, 0);
  check(SUM_OF_SUBS("a.useful and 1 or 0"), 1, 0);
  check(SUM_OF_SUBS("a.duplicate and 1 or 0"), 1, 0);
  check(SUM_OF_SUBS("a.lost and 1 or 0"), 1, 0);
  check(SUM_OF_SUBS("(a.is_false and a.steps == 7) and 1 or 0"), 1, 0);
  check(SUM_OF_SUBS("a.task == '11 12' and 1 or a.task == '13' and 10 or a.task == '11 12 ...' and "
                    "100 or 1000"),
        111, 0);
  check("group[1].stages[2].main + #group[2].stages + k", 2 + 1 + 1, 2 + 1 + 2);
}

/* Each fails, with what the error says; a second term sees what was there before. */
static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *lua, *part;
  } rows[] = {
      {"(function() stages[1].main = 9 return 1 end)()", "read-only"},
      {"(function() stages[1] = nil return 1 end)()", "read-only"},
      {"(function() stages[1].subs[1] = nil return 1 end)()", "read-only"},
      {"(function() group[2].stages[1].r_perf = 9 return 1 end)()", "read-only"},
      {"(function() group[1].stages = 9 return 1 end)()", "read-only"},
      {"(function() stages = {} return 1 end)()", "read-only"},
      {"(function() table.insert(stages, 1) return 1 end)()", "read-only"},
      {"(function() table.sort(stages[1].subs, function(a, b) return a.steps > b.steps end) return "
       "1 end)()",
       "read-only"},
      {"rawset(stages[1], 'main', 9)", "rawset"},
      {"setmetatable(stages, {})", "setmetatable"},
      {"stages[1].subs[1].step", "did you mean 'subs[j].steps'"},
      {"stages[1].widht", "did you mean 'stages[t].width'"},
      {"stages[99].main", "nil"},
      {"stages", "gives a table"},
      {"(function() local t = {} while true do t[#t + 1] = stages[1].task end end)()", "task"},
  };
  double out[2 * K];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const parl_status s = evaluate(rows[i].lua, "1", true, out);
    if (s != PARL_STATUS_ESCRIPT) fail_msg("%s: %s", rows[i].lua, parl_status_name(s));
    assert_contains(parl_error_text(), rows[i].part);
    assert_contains(parl_error_text(), "terms.a.lua");
  }
}

/* Whatever a term tried, the next one, and its own next rollout, see what was there. */
static void test_nothing_leaks(void **state) {
  (void)state;
  double out[2 * K];
  const char *lua =
      "local a = stages[1].main local ok = pcall(function() stages[1].main = 100 end) "
      "local own = {main = stages[1].main} own.main = own.main + (ok and 1000 or 0) "
      "return own.main - a";
  assert_ok(evaluate(lua, "stages[1].main + group[2].stages[1].main", true, out));
  assert_close(out[0], 0, 0);
  assert_close(out[1], 1 + 4, 0);
  assert_close(out[2], 0, 0);
  assert_close(out[3], 4 + 4, 0);
}

static void test_only_for_those_who_name_them(void **state) {
  (void)state;
  double out[2 * K];
  parl_reward_config config;
  parl_reward *reward = NULL;
  assert_ok(evaluate("critical_steps", "#group", false, out));
  assert_close(out[2], 4, 0);
  assert_int_equal(evaluate("#stages", "1", false, out), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "rollout 1 of 2 were not kept");
  assert_int_equal(evaluate("#stages", "rawget(group[1], 's' .. 'tages')", true, out),
                   PARL_STATUS_ESCRIPT); /* of a term of its own that does not name them */
  assert_int_equal(evaluate("#stages", "#group[1]['s' .. 'tages']", true, out),
                   PARL_STATUS_ESCRIPT);
  parl_config_set_defaults(&parl_reward_section, &config);
  assert_ok(parl_reward_create(&config, parl_test_built_in(), &reward));
  assert_false(parl_reward_wants_stages(reward));
  parl_reward_destroy(reward);
  snprintf(config.perf_lua, sizeof config.perf_lua, "success / #stages");
  assert_ok(parl_reward_create(&config, parl_test_built_in(), &reward));
  assert_true(parl_reward_wants_stages(reward));
  parl_reward_destroy(reward);
}

/* The trial's made-up episodes have the stages that their facts follow from. */
static void test_trial(void **state) {
  (void)state;
  parl_reward_config config;
  parl_test_table t;
  parl_config_set_defaults(&parl_reward_section, &config);
  assert_ok(parl_test_read_terms(
      "{\"a\":{\"lua\":\"local c, n, u = 0, 0, 0 for _, s in ipairs(stages) do local m = 0 for _, "
      "a "
      "in ipairs(s.subs) do m = math.max(m, a.steps) n = n + a.steps u = u + (a.useful and 1 or 0) "
      "end c = c + s.main + m n = n + s.main end return (#stages == turns and u == useful and c == "
      "critical_steps and n == total_steps) and 1 or error('differs')\"}}",
      &t));
  assert_ok(parl_reward_check(&config, t.table, 3));
  parl_test_table_deinit(&t);
  snprintf(config.perf_lua, sizeof config.perf_lua, "stages[1].man");
  assert_fails(parl_reward_check(&config, parl_test_built_in(), 2), PARL_STATUS_ESCRIPT,
               "tried on made-up episodes");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_nothing_leaks),
                                     cmocka_unit_test(test_only_for_those_who_name_them),
                                     cmocka_unit_test(test_trial)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
