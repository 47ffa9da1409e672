/* tests/test_envs_uses.c - code_assistant, test_generation, survey, bugfix: what is worth something
 * in them and what is not, and that a message that rules something out is. shapes, ocr, chart,
 * motion, look_wide: what answers rest on, and what wrong ones are worth. */
#include "tests/test_envs_support.h"

enum { N_TASKS = 20, MAX_TOKENS = PARL_ENV_MAX_OBSERVATION };

/* A task that is played by hand. */
typedef struct game {
  parl_env *env;
  const parl_env_spec *spec;
  parl_world world;
  parl_agent main;
  int32_t tokens[MAX_TOKENS]; /* of the latest observation */
  size_t n;
} game;

static void begin(game *g, parl_env *env, uint64_t task_seed) {
  *g = (game){.env = env, .spec = parl_env_get_spec(env)};
  assert_ok(parl_env_reset(env, task_seed, 1, &g->world, &g->main));
}

static double get_score(game *g, double *success) {
  double r_perf;
  assert_ok(parl_env_score(g->env, g->world, &r_perf, success, NULL));
  return r_perf;
}

/* Calls a tool by name with the values that are in the call. */
static void send(game *g, parl_agent agent, const char *name, parl_call *call) {
  call->kind = PARL_CALL_TOOL;
  while (strcmp(g->spec->tools[call->tool].name, name) != 0)
    assert_true(++call->tool < g->spec->n_tools);
  call->slot[1] = g->spec->tools[call->tool].n_slots > 1;
  assert_ok(parl_env_call(g->env, g->world, agent, call, g->tokens, MAX_TOKENS, &g->n));
}

/* With one or two values (second 0: one). */
static void call_tool(game *g, parl_agent agent, const char *name, int first, int second) {
  parl_call call = {.n_values = second > 0 ? 2 : 1};
  call.values[0] = (int16_t)first;
  call.values[1] = (int16_t)second;
  send(g, agent, name, &call);
}

/* The orchestrator answers with all of 1 to n. */
static void answer_all(game *g, const char *name, int n) {
  parl_call call = {.n_values = n};
  for (int i = 0; i < n; i++) call.values[i] = (int16_t)(i + 1);
  send(g, g->main, name, &call);
}

/* Whether the latest observation has that token, "word:cleared". */
static bool shows(const game *g, const char *name) {
  for (size_t i = 0; i < g->n; i++)
    if (strcmp(parl_env_token_name(g->env, g->tokens[i]), name) == 0) return true;
  return false;
}

/* A sub-agent of that role, by its place, that is given items of a stage. */
static parl_agent brief(game *g, int role, int stage, int item) {
  parl_agent agent;
  parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 2, .slot = {0, 1}};
  task.values[0] = (int16_t)stage;
  task.values[1] = (int16_t)item;
  if (g->spec->task.n_slots == 1) {
    task.n_values = 1;
    task.values[0] = (int16_t)item;
  }
  assert_ok(parl_env_brief(g->env, g->world, &task, role, 1, &agent, g->tokens, MAX_TOKENS, &g->n));
  return agent;
}

/* Plays an agent by script until it finishes; its calls but for the last one of the orchestrator's
 * with a list, the answer, if there is one. */
static void play_out(game *g, parl_agent agent, bool answers) {
  for (int i = 0; i < 500; i++) {
    parl_call call;
    size_t n;
    assert_ok(parl_env_expert(g->env, g->world, agent, "serial", &call, 1, &n));
    if (call.kind == PARL_CALL_FINISH) return;
    if (!answers && g->spec->tools[call.tool].slots[0].many) return;
    assert_ok(parl_env_call(g->env, g->world, agent, &call, g->tokens, MAX_TOKENS, &g->n));
  }
  fail_msg("no end");
}

static void deliver(game *g, parl_agent agent) {
  assert_ok(parl_env_deliver(g->env, g->world, agent, true, g->tokens, MAX_TOKENS, &g->n));
}

/* --- bugfix --- */

/* A suspect that is cleared settles three stages of the task; one patched unseen costs 0.1 for
 * good. */
static void a_cleared_suspect_is_worth_something(void **state) {
  (void)state;
  parl_env *env = env_open("bugfix", "{\"suspects_min\":4,\"suspects_max\":4,\"p_fault\":0.3}");
  int n_cleared = 0, n_confirmed = 0;
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    game g;
    begin(&g, env, task);
    double success;
    const parl_agent sub = brief(&g, 0, 1, 1);
    play_out(&g, sub, true);
    deliver(&g, sub);
    const bool is_cleared = shows(&g, "word:cleared");
    assert_true(is_cleared != shows(&g, "word:confirmed"));
    assert_close(get_score(&g, &success), is_cleared ? 3.0 / 12 : 1.0 / 12, 1e-12);
    n_cleared += is_cleared;
    n_confirmed += !is_cleared;
    call_tool(&g, g.main, "patch", 2, 0); /* nobody has looked at it */
    assert_true(shows(&g, "word:wrong"));
    assert_close(get_score(&g, &success),
                 (is_cleared ? 3.0 / 12 : 1.0 / 12) - (is_cleared ? 0.1 : 1.0 / 12), 1e-12);
    play_out(&g, g.main, true);
    assert_close(get_score(&g, &success), 0.9, 1e-12);
    assert_close(success, 0, 0);
    parl_env_release(env, g.world);
  }
  assert_true(n_cleared > 0 && n_confirmed > 0);
  parl_env_destroy(env);
}

/* --- code_assistant --- */

/* A library that does not fit is a step for nothing; the one that the search ended at is not. */
static void a_wrong_library_does_nothing(void **state) {
  (void)state;
  parl_env *env = env_open("code_assistant", "{\"parts_min\":2,\"parts_max\":2,\"p_after\":0}");
  int n_own = 0;
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    game g;
    begin(&g, env, task);
    double success;
    call_tool(&g, g.main, "write", 1, 1);
    assert_true(shows(&g, "word:blocked"));
    const parl_agent sub = brief(&g, 0, 1, 1);
    play_out(&g, sub, true);
    deliver(&g, sub);
    assert_close(get_score(&g, &success), 1.0 / 6, 1e-12);
    n_own += shows(&g, "library:own");
    int fits = 0;
    for (int library = 1; library <= 10; library++) {
      call_tool(&g, g.main, "write", 1, library);
      fits += !shows(&g, "word:wrong");
    }
    assert_int_equal(fits, 1);
    parl_env_release(env, g.world);
  }
  assert_true(n_own > 0 && n_own < N_TASKS);
  parl_env_destroy(env);
}

/* --- test_generation --- */

/* What there is to rule out is worth as much as a case; a suite with duplicates less than one
 * without. */
static void duplicates_are_worthless(void **state) {
  (void)state;
  parl_env *env = env_open("test_generation", "{\"arguments_min\":2,\"arguments_max\":2}");
  int n_none = 0, n_same = 0;
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    game g;
    begin(&g, env, task);
    double success;
    const parl_agent sub = brief(&g, 0, 2, 1);
    play_out(&g, sub, true);
    deliver(&g, sub);
    n_none += shows(&g, "word:none");
    assert_close(get_score(&g, &success), 0.4 / 8, 1e-12);
    play_out(&g, g.main, false);
    assert_close(get_score(&g, &success), 0.4, 1e-12);
    answer_all(&g, "submit", 8);
    n_same += get_score(&g, &success) < 1;
    assert_true(get_score(&g, &success) > 0.4);
    parl_env_release(env, g.world);
  }
  assert_true(n_none > 0 && n_same > N_TASKS / 2);
  parl_env_destroy(env);
}

/* --- survey --- */

/* Every source that is read is worth the same, whatever it says; a report before all are read is
 * worth what is settled, and never more than the one at the end. */
static void a_report_counts_what_is_settled(void **state) {
  (void)state;
  parl_env *env = env_open("survey", "{\"sources_min\":5,\"sources_max\":5,\"topics_max\":3}");
  for (uint64_t task = 1; task <= N_TASKS; task++) {
    game g;
    begin(&g, env, task);
    double success;
    const parl_agent sub = brief(&g, 0, 0, 2);
    play_out(&g, sub, true);
    deliver(&g, sub);
    assert_close(get_score(&g, &success), 0.4 / 5, 1e-12);
    answer_all(&g, "report", 32);
    const double early = get_score(&g, &success);
    play_out(&g, g.main, false);
    answer_all(&g, "report", 32);
    const double late = get_score(&g, &success); /* all that is right, among much that is not */
    assert_true(late - 0.4 > early - 0.4 / 5 + 0.01);
    assert_true(late < 0.6);
    parl_env_release(env, g.world);
  }
  parl_env_destroy(env);
}

/* --- roles --- */

/* A role that does not suit takes `slow` times the steps. */
static void roles_matter(void **state) {
  static const struct {
    const char *name, *tool;
    int stage, suits, other;
  } rows[] = {{"code_assistant", "search", 1, 0, 2}, {"test_generation", "error", 3, 1, 0}};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    parl_env *env = env_open(rows[i].name, "{\"slow\":3}");
    for (uint64_t task = 1; task <= N_TASKS; task++) {
      int steps[2] = {0, 0};
      for (int k = 0; k < 2; k++) {
        game g;
        begin(&g, env, task);
        const parl_agent sub = brief(&g, k ? rows[i].other : rows[i].suits, rows[i].stage, 1);
        do {
          call_tool(&g, sub, rows[i].tool, 1, 0);
        } while (++steps[k] < 100 && !shows(&g, "word:done"));
        parl_env_release(env, g.world);
      }
      assert_int_equal(3 * (steps[0] - 1), steps[1] - 1); /* the last call finds it done */
    }
    parl_env_destroy(env);
  }
}

/* Where something cannot be found out the best r_perf is below 1, and success is to reach it. */
static void ceilings_are_reached(void **state) {
  static const char *const rows[][2] = {{"survey", "{\"p_open\":0.6}"},
                                        {"test_generation", "{\"p_hidden\":0.6}"}};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    parl_env *env = env_open(rows[i][0], rows[i][1]);
    int n_below = 0;
    for (uint64_t task = 1; task <= N_TASKS; task++) {
      const env_episode e = env_play_style(env, task, "oracle");
      assert_close(e.r_perf, e.optimum.r_perf, 1e-12);
      assert_close(e.success, 1, 0);
      n_below += e.optimum.r_perf < 0.99;
    }
    assert_true(n_below > N_TASKS / 4);
    parl_env_destroy(env);
  }
}

/* --- pictures --- */

/* Plays what an expert does next; whether that was an answer. */
static bool step(game *g, parl_agent agent, parl_call *call) {
  size_t n;
  assert_ok(parl_env_expert(g->env, g->world, agent, "serial", call, 1, &n));
  if (call->kind == PARL_CALL_FINISH) return false;
  assert_ok(parl_env_call(g->env, g->world, agent, call, g->tokens, MAX_TOKENS, &g->n));
  return shows(g, "word:noted");
}

/* The answer to picture 1 is refused before each of the views that it rests on, to whoever made
 * none of them; what is passed on is the answer. */
static void answers_rest_on_what_was_seen(void **state) {
  static const struct {
    const char *name, *closer; /* a tool that shows nothing before a look */
    int argument;
  } rows[] = {{"shapes", "count", 1},
              {"ocr", "binarise", 0},
              {"chart", "crop", 1},
              {"motion", "binarise", 0},
              {"look_wide", "crop", 1}};
  (void)state;
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    parl_env *env = env_open(rows[k].name, "{\"preset\":\"hard\"}");
    int n_closer = 0;
    for (uint64_t task = 1; task <= N_TASKS; task++) {
      game g;
      parl_call call, due;
      double success;
      int n_views = 0;
      begin(&g, env, task);
      const parl_agent other = brief(&g, 0, 0, 1);
      while (!step(&g, other, &due)) n_views++;
      deliver(&g, other);
      const double worth = get_score(&g, &success);
      assert_true(worth > 0 && worth <= 0.5);
      parl_env_release(env, g.world);
      begin(&g, env, task);
      const parl_agent sub = brief(&g, 0, 0, 1), idle = brief(&g, 0, 0, 1);
      for (int i = 0; i < n_views; i++) {
        assert_ok(parl_env_call(env, g.world, sub, &due, g.tokens, MAX_TOKENS, &g.n));
        assert_true(shows(&g, "word:unseen"));
        assert_false(step(&g, sub, &call));
      }
      assert_true(step(&g, sub, &call));
      assert_int_equal(call.values[1], due.values[1]);
      call_tool(&g, idle, rows[k].closer, 1, rows[k].argument);
      assert_true(g.n == 1 && shows(&g, "word:unseen"));
      assert_ok(parl_env_call(env, g.world, idle, &due, g.tokens, MAX_TOKENS, &g.n));
      assert_true(shows(&g, "word:unseen"));
      deliver(&g, idle);
      assert_close(get_score(&g, &success), 0, 0);
      deliver(&g, sub);
      assert_close(get_score(&g, &success), worth, 1e-12);
      n_closer += n_views > 1;
      parl_env_release(env, g.world);
    }
    assert_true(n_closer > 0);
    parl_env_destroy(env);
  }
}

/* Picture 1 of a task is answered rightly, then wrongly: what that is worth. right and wrong are
 * tokens' names of the answer's family; nothing happens where another answer is due. */
static void check_worth(const char *name, const char *params, const char *right, const char *wrong,
                        double due) {
  parl_env *env = env_open(name, params);
  int n_met = 0;
  for (uint64_t task = 1; task <= 200; task++) {
    game g;
    parl_call call;
    double success;
    begin(&g, env, task);
    while (!step(&g, g.main, &call)) continue;
    const parl_tool *tool = &g.spec->tools[call.tool];
    const parl_family *f = &g.spec->families[tool->slots[1].family];
    if (strcmp(parl_env_token_name(env, f->first_token + call.values[1] - 1), right) == 0) {
      assert_close(get_score(&g, &success), 1, 1e-12);
      for (int v = 1; v <= f->n; v++)
        if (strcmp(parl_env_token_name(env, f->first_token + v - 1), wrong) == 0)
          call_tool(&g, g.main, tool->name, 1, v);
      assert_true(shows(&g, "word:noted"));
      assert_close(get_score(&g, &success), due, 1e-12);
      assert_close(success, 0, 0);
      n_met++;
    }
    parl_env_release(env, g.world);
  }
  assert_true(n_met > 0);
  parl_env_destroy(env);
}

/* By hand: 1 - |found - due| / due; of places and ways one apart exp(-1 / (2 s^2)), with s
 * of 1/2 and of 1; half of a thing; none of one digit. */
static void wrong_answers_are_worth_what_they_are_near(void **state) {
  (void)state;
  static const char shapes[] = "{\"pictures_max\":1}", motion[] = "{\"clips_max\":1}";
  check_worth("shapes", shapes, "value:n2", "value:n1", 0.5);
  check_worth("shapes", shapes, "value:n2", "value:b1", 0);
  check_worth("shapes", shapes, "value:b2", "value:b3", exp(-2));
  check_worth("shapes", shapes, "value:b2", "value:red_disc", 0);
  check_worth("shapes", shapes, "value:red_disc", "value:red_cross", 0.5);
  check_worth("shapes", shapes, "value:red_disc", "value:grey_disc", 0.5);
  check_worth("shapes", shapes, "value:red_disc", "value:grey_cross", 0);
  check_worth("ocr", "{\"lines_max\":1,\"digits_min\":1,\"digits_max\":1}", "digit:d7", "digit:d1",
              0);
  check_worth("chart", "{\"charts_max\":1}", "value:h4", "value:h3", 0.75);
  check_worth("chart", "{\"charts_max\":1}", "value:h4", "value:b3", 0);
  check_worth("motion", motion, "way:e", "way:se", exp(-0.5));
  check_worth("motion", motion, "way:e", "way:s", 0);
  check_worth("motion", motion, "way:e", "way:still", 0);
  check_worth("look_wide", "{\"pictures_min\":1,\"pictures_max\":1}", "count:n2", "count:n3", 0.5);
  check_worth("look_wide", "{\"pictures_min\":1,\"pictures_max\":1}", "count:n0", "count:n1", 0);
}

/* What `count` of shapes finds in the pixels of every picture is what there is. */
static void what_is_counted_is_in_the_pixels(void **state) {
  static const char *const params[] = {"{}", "{\"preset\":\"hard\"}", "{\"side\":2}"};
  (void)state;
  int n_counted = 0;
  for (int k = 0; k < 3; k++) {
    parl_env *env = env_open("shapes", params[k]);
    for (uint64_t task = 1; task <= 4 * N_TASKS; task++) {
      game g;
      parl_call call;
      int found = 0;
      begin(&g, env, task);
      const parl_agent sub = brief(&g, 0, 0, 1);
      const int colour = g.tokens[2];
      const bool is_number = shows(&g, "question:how_many");
      call_tool(&g, sub, "look", 1, 0);
      for (int c = 1; is_number && c <= 4; c++) {
        const parl_family *f = g.spec->families;
        while (strcmp(f->name, "colour") != 0) f++;
        if (f->first_token + c - 1 != colour) continue;
        call_tool(&g, sub, "count", 1, c);
        found = g.tokens[0];
      }
      while (is_number && !step(&g, sub, &call)) continue;
      if (is_number) {
        const parl_family *f = g.spec->families;
        while (strcmp(f->name, "value") != 0) f++;
        assert_int_equal(found, f->first_token + call.values[1] - 1);
      }
      n_counted += is_number;
      parl_env_release(env, g.world);
    }
    parl_env_destroy(env);
  }
  assert_true(n_counted > 2 * N_TASKS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cleared_suspect_is_worth_something),
      cmocka_unit_test(a_wrong_library_does_nothing),
      cmocka_unit_test(duplicates_are_worthless),
      cmocka_unit_test(a_report_counts_what_is_settled),
      cmocka_unit_test(roles_matter),
      cmocka_unit_test(ceilings_are_reached),
      cmocka_unit_test(answers_rest_on_what_was_seen),
      cmocka_unit_test(wrong_answers_are_worth_what_they_are_near),
      cmocka_unit_test(what_is_counted_is_in_the_pixels),
  };
  return cmocka_run_group_tests_name("envs_uses", tests, NULL, NULL);
}
