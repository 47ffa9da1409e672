/* tests/test_report_content.c - steps to a score and speed-up, by hand. */
#include <glob.h>

#include "core/seeds.h"
#include "experiments/report_content.h"
#include "tests/report_support.h"

static void put(fixture *f, int64_t run, const char *policy, const char *decoding, int64_t task,
                const char *family, const char *stages) {
  parl_episode_row e = make_episode(policy, decoding, 0.5);
  e.stages = stages;
  e.family = family;
  put_episode(f, run, e, task);
}

/* The mean of two episodes is .1 after 1 critical step, .3 after 2, .6 after 3, .9 after 5. */
static void put_swarm(fixture *f, int64_t seed) {
  const int64_t run = put_run(f, "swarm", seed, "done");
  put(f, run, "trained", "sampled", 1, "",
      "[{\"main\":1,\"r_perf\":0.2},"
      "{\"main\":1,\"r_perf\":0.8,\"subs\":[{\"steps\":3},{\"steps\":2}]}]");
  put(f, run, "trained", "sampled", 2, "",
      "[{\"main\":2,\"r_perf\":0.4},{\"main\":1,\"r_perf\":1}]");
}

/* Alone: .25 after 4, .7 after 8. */
static void put_alone(fixture *f, int64_t seed) {
  const int64_t run = put_run(f, "serial", seed, "done");
  put(f, run, "serial", "scripted", 1, "", "[{\"main\":4,\"r_perf\":0.5}]");
  put(f, run, "serial", "scripted", 2, "", "[{\"main\":8,\"r_perf\":0.9}]");
}

static void test_speed_up_by_hand(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int64_t seed = 1; seed <= 2; seed++) {
    put_swarm(&f, seed);
    put_alone(&f, seed);
  }
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *text = read_file(&f, "report.md");
  assert_contains(
      text,
      "| all tasks | swarm | 2 | 2.00 \\[2.00, 2.00] | 3.00 \\[3.00, 3.00] | "
      "3.00 \\[3.00, 3.00] | 3.00 \\[3.00, 3.00] | 5.00 \\[5.00, 5.00] | 5.00 \\[5.00, 5.00] "
      "| \xE2\x89\xA5 5.00 |");
  assert_contains(
      text,
      "| all tasks | swarm | 2 | 4.00 \\[4.00, 4.00] | 2.67 \\[2.67, 2.67] | "
      "2.67 \\[2.67, 2.67] | 2.67 \\[2.67, 2.67] | 1.60 \\[1.60, 1.60] | \xE2\x89\xA5 1.60 | - |");
  free(text);
  char *figure = read_figure(&f, "Speed-up by target score");
  assert_contains(figure, "swarm, at least");
  assert_null(strstr(figure, "serial<")); /* it is what the others are compared with */
  free(figure);
  text = read_file(&f, "report.csv");
  assert_contains(text, "swarm,serial,sampled,,speed_up_to_r_perf>=0.3,2,4,4,4,4\n");
  assert_contains(text, "swarm,serial,sampled,,at_least/speed_up_to_r_perf>=0.9,2,1.6,1.6,,\n");
  assert_contains(text, "serial,,scripted,,at_least/steps_to_r_perf>=0.9,2,8,8,,\n");
  free(text);
  parl_json *json = write_and_parse(&f);
  const parl_json *swarm =
      parl_json_find(parl_json_find_path(json, "reached.arms.swarm"), "all tasks");
  const parl_json *first = parl_json_get_first(parl_json_find_path(swarm, "speed_up.iqm"));
  assert_close(parl_json_get_number(first), 4, 1e-12); /* .05: after 4 and 1 */
  parl_json_destroy(json);
  finish(&f);
}

/* What is in a log: a fall is one, families have their own, and what is not kept is not guessed. */
static void test_reach(void **state) {
  (void)state;
  parl_reach_log log = {0};
  parl_reach reach;
  assert_ok(parl_reach_add(&log, "[{\"main\":2,\"r_perf\":1},{\"main\":1,\"r_perf\":0}]", 1));
  assert_ok(parl_reach_add(&log, "[{\"main\":0,\"r_perf\":0}]", 2));
  parl_reach_get(&log, 0, &reach);
  assert_int_equal(reach.n_episodes, 2);
  assert_true(reach.is_reached[9] && !reach.is_reached[10]); /* .5 is the most there ever is */
  assert_close(reach.steps[9], 2, 0);
  assert_close(reach.steps[10], 3, 0);
  parl_reach_get(&log, 1, &reach);
  assert_int_equal(reach.n_episodes, 1);
  assert_true(reach.is_reached[19]);
  parl_reach_get(&log, 2, &reach);
  assert_int_equal(reach.n_episodes, 1);
  assert_false(reach.is_reached[0]);
  assert_status(parl_reach_add(&log, "[{\"main\":1}]", 0), PARL_STATUS_EFORMAT);
  assert_ok(parl_reach_add(&log, "", 0));
  parl_reach_get(&log, 0, &reach);
  assert_int_equal(reach.n_episodes, 0);
  parl_reach_deinit(&log);
}

/* Weights .4 .2 0 and shares .5 .7 .3: means .3 and .6 while it has a weight; .7 at update 1. */
static void test_effective_by_hand(void **state) {
  (void)state;
  static const double weight[] = {0.4, 0.2, 0}, share[] = {0.5, 0.7, 0.3};
  fixture f;
  begin(&f);
  const int64_t run = put_run(&f, "annealed", 1, "done");
  put(&f, run, "trained", "sampled", 1, "", "");
  for (int64_t t = 0; t < 3; t++) {
    assert_ok(parl_rows_put_metric(f.store, run, t, "lambda/lambda1", weight[t]));
    assert_ok(parl_rows_put_metric(f.store, run, t, "advantage/share_parallel", share[t]));
    assert_ok(parl_rows_put_metric(f.store, run, t, "advantage/share_perf", 1 - share[t]));
  }
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *text = read_file(&f, "report.md");
  assert_contains(text,
                  "| annealed | r\\_parallel | 0.400 | 0.500 | 0.300 | 0.600 | 0.700 | 1 |\n\n");
  free(text);
  char *figure = read_figure(&f, "Effective \xCE\xBB: annealed");
  assert_contains(figure, "beside \xCE\xBB(t)");
  assert_contains(figure, "<b>share of r_parallel</b>");
  assert_contains(figure, "<b>\xCE\xBB\xE2\x82\x81(t)</b>");
  free(figure);
  finish(&f);
}

static void put_difficulty(fixture *f, const char *arm, const double optimum[3],
                           const double r_perf[3], const double critical[3]) {
  const int64_t run = put_run(f, arm, 1, "done");
  for (int i = 0; i < 3; i++) {
    parl_episode_row e = make_episode("trained", "sampled", r_perf[i]);
    e.facts.optimum_steps = optimum[i];
    e.facts.optimum_is = PARL_OPTIMUM_EXACT;
    e.facts.critical_steps = critical[i];
    put_episode(f, run, e, i);
  }
}

/* Octaves by hand: optimum 4 and 7.5 are [4, 8), 8 is [8, 16). Of all tasks both are on the front;
 * of the easy ones `even` (.8 in 6) beats `eager` (.7 in 8), of the hard ones each is. */
static void test_front_by_difficulty(void **state) {
  (void)state;
  static const double optimum[] = {4, 7.5, 8};
  fixture f;
  begin(&f);
  put_difficulty(&f, "even", optimum, (const double[]){0.7, 0.9, 0.3}, (const double[]){4, 8, 10});
  put_difficulty(&f, "eager", optimum, (const double[]){0.6, 0.8, 0.9}, (const double[]){8, 8, 20});
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *text = read_file(&f, "report.md");
  assert_contains(text,
                  "| all tasks | even | 0.633 | 7.33 | yes |\n"
                  "| all tasks | eager | 0.767 | 12.00 | yes |\n"
                  "| optimum of 4 to &lt;8 steps | even | 0.800 | 6.00 | yes |\n"
                  "| optimum of 4 to &lt;8 steps | eager | 0.700 | 8.00 | no |\n"
                  "| optimum of 8 to &lt;16 steps | even | 0.300 | 10.00 | yes |\n"
                  "| optimum of 8 to &lt;16 steps | eager | 0.900 | 20.00 | yes |\n\n");
  free(text);
  char *figure = read_figure(&f, "Pareto front: optimum of 4 to &lt;8 steps");
  assert_contains(figure, "even: r_perf 0.800, critical steps 6.00, n = 1, on the front");
  assert_contains(figure, "eager: r_perf 0.700, critical steps 8.00, n = 1</title>");
  assert_int_equal(count(figure, "class=\"front\""), 1);
  free(figure);
  parl_json *json = write_and_parse(&f);
  assert_int_equal(parl_json_get_size(parl_json_find(json, "pareto")), 6);
  parl_json_destroy(json);
  finish(&f);
}

/* 20 updates of 4 tasks x 5 rollouts: 30 tokens, 2 CPU s, 3 s each; r_perf is 0, from update 5 on
 * .6: the mean of 10 is .48 at update 12, .54 at 13, which is the 14th. An update of 10 J, one of
 * 30. */
static void test_cost_by_hand(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  const int64_t run =
      put_run_of(&f, "a", 1, "done", "{\"seed\":1,\"train\":{\"tasks\":4,\"group\":5}}", "{}");
  parl_episode_row e = make_episode("trained", "sampled", 0.5);
  e.facts.all_tokens = 7;
  put_episode(&f, run, e, 1);
  put_episode(&f, run, e, 2);
  for (int64_t t = 0; t < 20; t++) {
    assert_ok(parl_rows_put_metric(f.store, run, t, "time/train_tokens", 20));
    assert_ok(parl_rows_put_metric(f.store, run, t, "time/decode_tokens", 10));
    assert_ok(parl_rows_put_metric(f.store, run, t, "time/cpu_s", 2));
    assert_ok(parl_rows_put_metric(f.store, run, t, "time/update_s", 3));
    assert_ok(parl_rows_put_metric(f.store, run, t, "time/joules", t % 2 == 0 ? 10 : 30));
    assert_ok(parl_rows_put_metric(f.store, run, t, "reward/perf", t < 5 ? 0 : 0.6));
  }
  assert_ok(parl_rows_put_metric(f.store, run, 20, "time/evaluate_s", 0.5));
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *text = read_file(&f, "report.md");
  assert_contains(text, "| a | 1 | 7000 | 250.00 | 1500 | 100.0 | 150.0 | 1000 |\n");
  assert_contains(text, "| a | 0.5 | 1 of 1 | 14 | 420 | 28.0 | 42.0 | 280 |\n");
  assert_contains(text,
                  "| a | 0.7 | 0 of 1 | \xE2\x89\xA5 20 | \xE2\x89\xA5 600 | \xE2\x89\xA5 40.0 | "
                  "\xE2\x89\xA5 60.0 | \xE2\x89\xA5 400 |\n");
  assert_contains(text, "J: of the processor packages");
  free(text);
  text = read_file(&f, "report.csv");
  assert_contains(text, "a,,,,cost/tokens_to_r_perf>=0.5,1,420,420,,\n");
  assert_contains(text, "a,,,,at_least/cost/cpu_s_to_r_perf>=0.9,1,40,40,,\n");
  free(text);
  finish(&f);
}

/* Each recipe's question once, as what it is: text. */
static void test_question_comes_first(void **state) {
  (void)state;
  static const char *const hosts[] = {"{\"question\":\"Is <b>1 < 2</b>?\"}",
                                      "{\"question\":\"Is <b>1 < 2</b>?\"}",
                                      "{\"question\":\"And so?\"}", "{}"};
  fixture f;
  begin(&f);
  for (int64_t i = 0; i < 4; i++) {
    const int64_t run = put_run_of(&f, "a", i, "done", "{\"seed\":1}", hosts[i]);
    put_episode(&f, run, make_episode("trained", "sampled", 0.5), 1);
  }
  end_writing(&f);
  parl_text table = {0};
  assert_ok(parl_report_write(f.folder, &table));
  assert_contains(parl_text_get(&table), "\nIs <b>1 < 2</b>? And so?\n");
  parl_text_deinit(&table);
  char *text = read_file(&f, "report.html");
  assert_contains(
      text, "<h1>toy</h1>\n<p class=\"question\">Is &lt;b&gt;1 &lt; 2&lt;/b&gt;? And so?</p>\n");
  free(text);
  text = read_file(&f, "report.md");
  assert_contains(text, "# Ablation report: toy\n\n**Is &lt;b&gt;1 &lt; 2&lt;/b&gt;? And so?**\n");
  free(text);
  parl_json *json = write_and_parse(&f);
  assert_string_equal(parl_json_get_string(parl_json_find(json, "question")),
                      "Is <b>1 < 2</b>? And so?");
  parl_json_destroy(json);
  finish(&f);
}

typedef struct asked {
  int n;
  char arm[32];
  int64_t seed, task;
} asked;

static parl_status play(void *context, const char *folder, const char *arm, int64_t seed,
                        int64_t task, parl_timeline *picture, parl_text *note) {
  asked *a = context;
  assert_non_null(folder);
  snprintf(a->arm, sizeof a->arm, "%s", arm);
  a->seed = seed;
  a->task = task;
  picture->turns[0].calls = "finish <now>";
  picture->has_calls = true;
  parl_text_append(note, "played & noted");
  return a->n++ < 2 ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ESTOPPED, "enough");
}

/* Both episodes of an arm are played again; what is said is text, in the page and in the files. */
static void test_episodes_are_played_again(void **state) {
  (void)state;
  fixture f;
  asked a = {.n = 0};
  char *text;
  begin(&f);
  const int64_t run =
      put_run_of(&f, "a", 7, "done", "{\"seed\":7,\"eval\":{\"seed\":3,\"tasks\":4}}", "{}");
  for (int64_t task = 0; task < 2; task++) {
    parl_episode_row e = make_episode("trained", "sampled", 0.5 - 0.1 * (double)task);
    e.stages = "[{\"main\":2,\"r_perf\":0.5}]";
    e.episode_seed = (int64_t)parl_seed(3, PARL_PURPOSE_EVAL_EPISODE, 0, (uint64_t)task);
    put_episode(&f, run, e, task);
  }
  end_writing(&f);
  const char *folder = f.folder;
  parl_report_request request = {
      .folders = &folder, .n_folders = 1, .with_figures = true, .play = play, .play_context = &a};
  assert_ok(parl_report_make(&request, NULL));
  assert_int_equal(a.n, 2);
  assert_string_equal(a.arm, "a");
  assert_int_equal(a.seed, 7);
  assert_int_equal(a.task, 1); /* the worst */
  text = read_file(&f, "report.html");
  assert_contains(text, "finish &lt;now&gt;");
  assert_contains(text, "<p class=\"note\">played &amp; noted</p>\n");
  free(text);
  char pattern[PARL_TEST_PATH_BYTES + 64];
  glob_t found;
  snprintf(pattern, sizeof pattern, "%s/report_figures/*_worst_episode_a_seed_7*.svg", f.folder);
  assert_int_equal(glob(pattern, 0, NULL, &found), 0);
  text = read_file(&f, found.gl_pathv[0] + strlen(f.folder) + 1);
  globfree(&found);
  assert_contains(text, "finish &lt;now&gt;");
  assert_contains(text, "svg.episode .path {");
  assert_int_equal(count(text, " height=\""), count(text, " width=\"")); /* no attribute twice */
  free(text);
  assert_status(parl_report_make(&request, NULL), PARL_STATUS_ESTOPPED);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_speed_up_by_hand),
      cmocka_unit_test(test_reach),
      cmocka_unit_test(test_effective_by_hand),
      cmocka_unit_test(test_front_by_difficulty),
      cmocka_unit_test(test_cost_by_hand),
      cmocka_unit_test(test_question_comes_first),
      cmocka_unit_test(test_episodes_are_played_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
