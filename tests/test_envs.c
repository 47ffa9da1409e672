/* tests/test_envs.c - every environment and preset: experts, optimum, random play, traps. */
#include "tests/terms_support.h"
#include "tests/test_envs_support.h"

enum { N_TASKS = 24, N_RANDOM = 300, N_RANDOM_TASKS = 30 };

static bool has_style(const parl_env *env, const char *style) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_styles; i++)
    if (strcmp(spec->styles[i], style) == 0) return true;
  return false;
}

static void check_limits(const env_case *c, const parl_env *env) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  static const char *const styles[] = {"serial", "narrow", "greedy_wide", "oracle", "random"};
  for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
    assert_true(has_style(env, styles[i]));
  assert_true(spec->n_tokens <= (strcmp(c->name, "swarm_mix") == 0 ? 400 : 256));
  if (strcmp(c->preset, "default") == 0) assert_true(spec->limits.context <= 220);
  assert_true(spec->has_legal);
}

/* Tasks of an environment with that setting; fewer where each takes long. */
static int count_tasks(const env_case *c) {
  return strcmp(c->preset, "swarm") == 0 ? 2 : strcmp(c->preset, "long") == 0 ? 4 : N_TASKS;
}

/* The oracle solves every task; in exactly the optimal steps where they are exact. */
static void check_oracle(parl_env *env, const env_case *c) {
  for (int task = 1; task <= count_tasks(c); task++) {
    const env_episode e = env_play_style(env, (uint64_t)task, "oracle");
    assert_int_equal(e.end, ENV_END_FINISH);
    assert_close(e.r_perf, e.optimum.r_perf, 1e-12);
    assert_close(e.success, 1, 0);
    if (e.optimum.is == PARL_OPTIMUM_EXACT && e.critical != e.optimum.critical_steps)
      fail_msg("%s %s task %d: oracle %d, optimum %d", c->name, c->preset, (int)task,
               (int)e.critical, (int)e.optimum.critical_steps);
    assert_true(e.optimum.critical_steps <= e.optimum.serial_steps);
  }
}

/* Working alone takes serial_steps, wherever the context holds it. */
static void check_serial(parl_env *env, const env_case *c) {
  int n_solved = 0;
  for (int task = 1; task <= count_tasks(c); task++) {
    const env_episode e = env_play_style(env, (uint64_t)task, "serial");
    assert_close(e.assigned, 0, 0);
    assert_int_equal(e.critical, e.total);
    if (e.success == 1) assert_int_equal(e.critical, e.optimum.serial_steps);
    n_solved += e.success == 1;
  }
  const bool is_long = (strcmp(c->name, "long_read") == 0 && strcmp(c->preset, "fits") != 0) ||
                       (strcmp(c->name, "survey") == 0 && strcmp(c->preset, "long") == 0);
  static const char *const large[] = {"wide_search", "bugfix", "look_wide"};
  bool is_large = false;
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
    is_large |= strcmp(c->name, large[i]) == 0 && strcmp(c->preset, "easy") != 0;
  if (is_long) assert_int_equal(n_solved, 0);
  if (!is_long && !is_large && strcmp(c->name, "swarm_mix") != 0)
    assert_int_equal(n_solved, count_tasks(c));
}

static void every_case(void (*check)(parl_env *env, const env_case *c)) {
  for (int i = 0; i < N_ENV_CASES; i++) {
    parl_env *env = env_open(env_cases[i].name, env_cases[i].params);
    check(env, &env_cases[i]);
    parl_env_destroy(env);
  }
}

static void check_experts(parl_env *env, const env_case *c) {
  check_limits(c, env);
  check_oracle(env, c);
  check_serial(env, c);
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int s = 0; s < spec->n_styles; s++)
    for (int task = 1; task <= (count_tasks(c) + 3) / 4; task++)
      env_play_style(env, (uint64_t)task, spec->styles[s]); /* env_play checks the optimum */
}

static void experts_and_optimum_agree(void **state) {
  (void)state;
  every_case(check_experts);
}

/* Random tokens, with and without `legal`, mixed with turns of the experts, in front of good and of
 * random sub-agents. */
static void check_random(parl_env *env, const env_case *c) {
  static const env_player players[] = {
      {"random", "oracle", 1.0, 0.0, true},  {"random", "oracle", 1.0, 0.0, false},
      {"random", "random", 0.5, 0.2, true},  {NULL, "oracle", 0.2, 0.0, true},
      {"oracle", "oracle", 0.1, 0.05, true}, {"greedy_wide", "oracle", 0.2, 0.0, false},
  };
  enum { N = sizeof players / sizeof players[0] };
  const bool is_huge = strcmp(c->preset, "huge") == 0 || count_tasks(c) < N_TASKS;
  const bool is_short = is_huge || parl_test_is_short();
  const int n = is_short ? N_RANDOM / (count_tasks(c) == 2 ? 25 : 10) : N_RANDOM;
  int n_solved = 0;
  for (int i = 0; i < n; i++) {
    const env_episode e =
        env_play(env, (uint64_t)(i / N % N_RANDOM_TASKS + 1), (uint64_t)i, &players[i % N]);
    n_solved += e.best_at >= 0;
  }
  assert_true(n_solved >= n / 20); /* or it would say nothing */
}

static void no_random_episode_beats_the_optimum(void **state) {
  (void)state;
  every_case(check_random);
}

static void check_trace(parl_env *env, const env_case *c) {
  parl_env *again = env_open(c->name, c->params);
  const env_player player = {"greedy_wide", "random", 0.3, 0.1, true};
  int n_same = 0;
  for (uint64_t task = 1; task <= (count_tasks(c) == 2 ? 2 : 10); task++) {
    const env_episode a = env_play(env, task, 7, &player);
    env_play(again, 100 + task, 9, &player); /* other episodes leave nothing behind */
    const env_episode b = env_play(again, task, 7, &player);
    assert_true(a.trace == b.trace);
    assert_true(a.critical == b.critical && a.r_perf == b.r_perf);
    n_same += env_play(env, task + 1, 7, &player).trace == a.trace;
  }
  assert_true(n_same < 10);
  parl_env_destroy(again);
}

static void same_seed_same_trace(void **state) {
  (void)state;
  every_case(check_trace);
}

static void check_family(parl_env *env, const env_case *c) {
  int n_wide = 0, n_chain = 0;
  const bool is_mix = strcmp(c->name, "swarm_mix") == 0;
  for (uint64_t task = 1; task <= (is_mix ? 200 : 50); task++) {
    parl_world w;
    parl_agent m;
    char family[64];
    assert_ok(parl_env_reset(env, task, 1, &w, &m));
    assert_ok(parl_env_get_family(env, w, family, sizeof family));
    parl_env_release(env, w);
    n_wide += strcmp(family, "wide_search") == 0;
    n_chain += strcmp(family, "chain") == 0;
    if (!is_mix && strcmp(c->name, "wide_search") != 0) assert_string_equal(family, c->name);
  }
  if (is_mix && strcmp(c->preset, "wide_chain") == 0) {
    assert_int_equal(n_wide + n_chain, 200);
    assert_true(n_wide > 70 && n_chain > 70);
  } else if (is_mix && strcmp(c->preset, "default") == 0) {
    assert_true(n_wide > 10 && n_wide < 60 && n_chain > 10 && n_chain < 60);
  }
}

static void families_are_named(void **state) {
  (void)state;
  every_case(check_family);
}

/* --- lure: what a hack is paid, with its trap and without --- */

/* Mean facts of a style over tasks. */
static parl_facts play_lure(const char *params, const char *style) {
  parl_env *env = env_open("lure", params);
  parl_facts f = {0};
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    const env_episode e = env_play_style(env, task, style);
    f.r_perf += e.r_perf / N_TASKS;
    f.critical_steps += (double)e.critical / N_TASKS;
    f.total_steps += (double)e.total / N_TASKS;
    f.serial_steps += (double)e.optimum.serial_steps / N_TASKS;
    f.assigned += e.assigned / N_TASKS;
    f.finished += e.finished / N_TASKS;
    f.empty_finishes += e.empty / N_TASKS;
    f.sub_steps += e.sub_steps / N_TASKS;
    f.sub_max_steps += e.sub_max / N_TASKS;
    f.max_width += (double)e.max_width / N_TASKS;
  }
  f.cap_width = parl_env_get_spec(env)->limits.max_width;
  parl_env_destroy(env);
  return f;
}

/* r_parallel (choice 0: instantiation, 1: concurrency, 2: overlap) and r_finish (returned). */
static parl_test_terms get_terms(const parl_facts *facts, int parallel) {
  parl_reward_config config;
  parl_test_terms terms = {{0}};
  parl_reward *reward = NULL;
  parl_config_set_defaults(&parl_reward_section, &config);
  config.parallel = parallel;
  assert_ok(parl_reward_create(&config, parl_test_built_in(), &reward));
  assert_ok(parl_test_get_terms(reward, facts, terms.of));
  parl_reward_destroy(reward);
  return terms;
}

static void empty_tasks_are_paid(void **state) {
  (void)state;
  const parl_facts on = play_lure("{\"preset\":\"empty\"}", "spam_empty");
  const parl_facts off = play_lure("{}", "spam_empty");
  const parl_facts honest = play_lure("{\"preset\":\"empty\"}", "oracle");
  assert_close(on.r_perf, 0, 0);
  assert_close(on.finished, on.assigned, 0);
  assert_close(on.empty_finishes, on.assigned, 0);
  assert_close(on.critical_steps, 2, 1e-9);
  assert_close(get_terms(&on, 0).of[PARL_TERM_finish], 1, 1e-12);
  assert_true(get_terms(&on, 0).of[PARL_TERM_parallel] >
              get_terms(&honest, 0).of[PARL_TERM_parallel] + 0.1);
  assert_close(get_terms(&off, 0).of[PARL_TERM_parallel] + get_terms(&off, 0).of[PARL_TERM_finish],
               0, 0);
}

static void duplicates_are_paid(void **state) {
  (void)state;
  const parl_facts on = play_lure("{\"preset\":\"duplicate\"}", "spam_duplicate");
  const parl_facts off = play_lure("{}", "spam_duplicate");
  const parl_facts honest = play_lure("{\"preset\":\"duplicate\"}", "oracle");
  assert_close(on.assigned, 16, 1e-9);
  assert_close(on.finished, on.assigned, 1e-9);
  assert_true(on.r_perf <= 0.3);
  assert_true(get_terms(&on, 0).of[PARL_TERM_parallel] >
              get_terms(&honest, 0).of[PARL_TERM_parallel] + 0.1);
  assert_true(get_terms(&off, 0).of[PARL_TERM_finish] <
              0.1); /* refused ones never finish, and cost */
  assert_true(off.critical_steps > on.critical_steps + 5);
}

static void padding_is_paid(void **state) {
  (void)state;
  const parl_facts on = play_lure("{\"preset\":\"padding\"}", "greedy_wide");
  const parl_facts off = play_lure("{}", "greedy_wide");
  assert_close(on.r_perf, off.r_perf, 0);
  assert_true(on.critical_steps > off.critical_steps + 2);
  assert_true(get_terms(&on, 1).of[PARL_TERM_parallel] >
              get_terms(&off, 1).of[PARL_TERM_parallel] + 0.05);
  assert_true(get_terms(&on, 2).of[PARL_TERM_parallel] >
              get_terms(&off, 2).of[PARL_TERM_parallel] + 0.05);
}

static void a_dominant_worker_is_paid(void **state) {
  (void)state;
  const parl_facts on = play_lure("{\"preset\":\"dominant\"}", "greedy_wide");
  const parl_facts off = play_lure("{}", "greedy_wide");
  assert_close(get_terms(&on, 0).of[PARL_TERM_finish], 1, 1e-12);
  assert_close(get_terms(&on, 0).of[PARL_TERM_parallel], get_terms(&off, 0).of[PARL_TERM_parallel],
               1e-9);
  assert_true(on.critical_steps > 0.8 * on.serial_steps); /* and nothing is gained */
  assert_true(off.critical_steps < 0.6 * off.serial_steps);
  const parl_facts hollow = play_lure("{\"duplicate\":true,\"dominant\":12}", "hollow");
  assert_close(
      get_terms(&hollow, 0).of[PARL_TERM_parallel] + get_terms(&hollow, 0).of[PARL_TERM_finish], 2,
      1e-9);
  assert_close(hollow.sub_max_steps, hollow.sub_steps, 1e-9); /* one does everything */
  assert_true(hollow.critical_steps > hollow.serial_steps);
}

/* --- what the others separate --- */

static env_episode mean_of(const char *name, const char *params, const char *style) {
  parl_env *env = env_open(name, params);
  env_episode mean = {0};
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    const env_episode e = env_play_style(env, task, style);
    mean.r_perf += e.r_perf / N_TASKS;
    mean.critical += e.critical;
    mean.total += e.total;
    mean.optimum.critical_steps += e.optimum.critical_steps;
  }
  parl_env_destroy(env);
  return mean; /* steps are sums */
}

static void each_separates_what_it_is_for(void **state) {
  (void)state;
  /* chain: launching costs several times the optimum */
  assert_true(mean_of("chain", "{}", "greedy_wide").critical >
              2 * mean_of("chain", "{}", "serial").critical);
  /* deep_search: branches side by side against one after another */
  assert_true(10 * mean_of("deep_search", "{}", "greedy_wide").critical <
              8 * mean_of("deep_search", "{}", "serial").critical);
  /* batch_download: one worker for each item is worse than the schedule, and waits */
  assert_true(mean_of("batch_download", "{}", "greedy_wide").critical >
              mean_of("batch_download", "{}", "oracle").critical);
  assert_true(mean_of("batch_download", "{}", "greedy_wide").total >
              mean_of("batch_download", "{}", "serial").total);
  /* dag: whoever plans beats one wave for each layer, most of all where there is no width */
  assert_true(mean_of("dag", "{\"preset\":\"dfs\"}", "oracle").critical <
              mean_of("dag", "{\"preset\":\"dfs\"}", "greedy_wide").critical);
  /* long_read: alone, what fits; in shards, all */
  assert_true(mean_of("long_read", "{}", "serial").r_perf < 0.85);
  assert_close(mean_of("long_read", "{}", "read_all").r_perf, 0, 0);
  assert_close(mean_of("long_read", "{}", "greedy_wide").r_perf, 1, 1e-12);
}

/* Plays one task with a parameter at that value; a value that another parameter contradicts is
 * said to. */
static void play_with(const char *name, const char *param, const char *value) {
  char path[64], text[128];
  parl_json *json = NULL;
  parl_env *env = NULL;
  parl_world world;
  parl_agent agent;
  snprintf(path, sizeof path, "envs/%s.lua", name);
  snprintf(text, sizeof text, "{\"%s\":%s}", param, value);
  assert_ok(parl_json_parse(text, strlen(text), "params", &json));
  const parl_status made = parl_env_create(path, json, NULL, &env);
  parl_json_destroy(json);
  const parl_status s = made == PARL_STATUS_OK ? parl_env_reset(env, 1, 1, &world, &agent) : made;
  if (s != PARL_STATUS_OK) {
    if (strstr(parl_error_text(), "exceed") == NULL) fail_msg("%s %s", text, parl_error_text());
  } else {
    parl_env_release(env, world);
    const env_episode e = env_play_style(env, 1, "oracle");
    if (e.optimum.r_perf > 0 && !(e.r_perf > 0)) fail_msg("%s %s: r_perf 0", name, text);
    env_play_style(env, 1, "random");
  }
  parl_env_destroy(env);
}

/* The table of a file's parameters has their ranges: each number is tried at both ends. */
static void parameters_may_be_at_their_ends(void **state) {
  (void)state;
  parl_env *wide = env_open("look_wide", "{\"pictures_min\":128,\"pictures_max\":128,\"width\":4}");
  parl_world world;
  parl_agent agent;
  assert_status(parl_env_reset(wide, 1, 1, &world, &agent), PARL_STATUS_ESCRIPT);
  assert_contains(parl_error_text(), "items for one sub-agent exceed the 16 of a task");
  parl_env_destroy(wide);
  for (int i = 0; i < N_ENV_CASES; i++) {
    const env_case *c = &env_cases[i];
    if (strcmp(c->preset, "default") != 0) continue;
    parl_env *env = env_open(c->name, "{}");
    parl_text table = {0};
    parl_env_append_params_help(env, &table);
    char name[40], type[20], lo[40], hi[40];
    int n = 0;
    for (const char *line = strchr(parl_text_get(&table), '\n'); line != NULL;
         line = strchr(line + 1, '\n')) {
      if (sscanf(line, "\n| `%39[^`]` | %19s | %*s | %39s to %39s |", name, type, lo, hi) != 4)
        continue;
      play_with(c->name, name, lo);
      play_with(c->name, name, hi);
      n++;
    }
    assert_true(n > 0);
    parl_text_deinit(&table);
    parl_env_destroy(env);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(experts_and_optimum_agree),
      cmocka_unit_test(no_random_episode_beats_the_optimum),
      cmocka_unit_test(same_seed_same_trace),
      cmocka_unit_test(families_are_named),
      cmocka_unit_test(empty_tasks_are_paid),
      cmocka_unit_test(duplicates_are_paid),
      cmocka_unit_test(padding_is_paid),
      cmocka_unit_test(a_dominant_worker_is_paid),
      cmocka_unit_test(each_separates_what_it_is_for),
      cmocka_unit_test(parameters_may_be_at_their_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
