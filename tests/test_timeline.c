/* tests/test_timeline.c - an episode as a picture: what is read, drawn, chosen for the report. */
#include "experiments/report_internal.h"
#include "experiments/timeline.h"
#include "tests/report_support.h"

/* Two steps alone; a launch of three with 1, 4 and 4 steps; a turn that costs nothing. */
static const char stages[] =
    "[{\"main\":2,\"r_perf\":0.25},"
    "{\"main\":1,\"r_perf\":0.75,\"subs\":["
    "{\"steps\":1,\"role\":\"scout\",\"task\":\"row:1\",\"finished\":1},"
    "{\"steps\":4,\"role\":\"scout\",\"task\":\"row:2\",\"finished\":1,\"useful\":1},"
    "{\"steps\":4,\"role\":\"" HOSTILE
    "\",\"task\":\"row:2 \\u001b[2J\",\"duplicate\":1,"
    "\"lost\":1}]},{\"main\":0,\"r_perf\":0.75}]";
static const parl_timeline_title title = {.recipe = "toy",
                                          .arm = HOSTILE,
                                          .policy = "trained",
                                          .decoding = "sampled",
                                          .family = "wide",
                                          .end = "finish",
                                          .seed = 3,
                                          .number = 7,
                                          .r_perf = 0.75,
                                          .optimum_steps = NAN};

static void read_it(parl_timeline *t) {
  assert_ok(parl_timeline_read(&title, stages, strlen(stages), t));
}

static void test_steps_by_hand(void **state) {
  (void)state;
  parl_timeline t;
  read_it(&t);
  assert_int_equal(t.critical, 2 + 1 + 4);
  assert_int_equal(t.total, 2 + 1 + 1 + 4 + 4);
  assert_int_equal(t.n_turns, 3);
  assert_int_equal(t.n_subs, 3);
  assert_int_equal(t.n_lanes, 3);
  assert_int_equal(t.turns[1].begin, 2);
  assert_int_equal(t.turns[2].begin, 7);
  assert_int_equal(t.turns[1].longest, 1); /* the first of the two */
  assert_int_equal(t.turns[0].longest, t.turns[0].width);
  assert_string_equal(parl_timeline_get_outcome(&t.subs[0]), "finished");
  assert_string_equal(parl_timeline_get_outcome(&t.subs[1]), "useful");
  assert_string_equal(parl_timeline_get_outcome(&t.subs[2]), "lost");
  assert_true(t.subs[2].duplicate);
  parl_timeline_deinit(&t);
}

static void test_what_is_no_turns_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "{}",
                                    "[]",
                                    "[1]",
                                    "[{}]",
                                    "[{\"main\":-1}]",
                                    "[{\"main\":1.5}]",
                                    "[{\"main\":1e300}]",
                                    "[{\"main\":\"1\"}]",
                                    "[{\"main\":1,\"subs\":[{}]}]",
                                    "[{\"main\":1,\"subs\":[{\"steps\":-2}]}]",
                                    "[{\"main\":1e12},{\"main\":1e12}]"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    parl_timeline t;
    assert_status(parl_timeline_read(&title, bad[i], strlen(bad[i]), &t), PARL_STATUS_EFORMAT);
    parl_timeline_deinit(&t);
  }
}

static void test_picture_has_every_agent_and_obeys_no_name(void **state) {
  (void)state;
  parl_timeline t;
  parl_text svg = {0}, page = {0};
  read_it(&t);
  parl_timeline_append_svg(&t, &svg);
  assert_ok(parl_text_status(&svg));
  const char *s = parl_text_get(&svg);
  assert_int_equal(count(s, "tabindex=\"0\""), 3 + 3); /* turns and sub-agents */
  assert_int_equal(count(s, "<title>"), 3 + 3);
  assert_int_equal(count(s, "class=\"item sub useful critical\""), 1);
  assert_int_equal(count(s, "class=\"item main critical\""), 2);
  assert_contains(s, "class=\"item sub lost\"");
  assert_contains(s, "Turn 2, sub-agent 2, scout: row:2. 4 steps, useful, on the critical path.");
  assert_contains(s, "its task was assigned before");
  assert_null(strstr(s, "<script"));
  assert_null(strchr(s, '\x1b'));
  parl_timeline_append_page(&t, HOSTILE, "<figure>a picture</figure>", &page);
  assert_ok(parl_text_status(&page));
  assert_null(strstr(parl_text_get(&page), "<script"));
  assert_null(strstr(parl_text_get(&page), "http-equiv=\"refresh"));
  assert_contains(parl_text_get(&page), "<summary>What it was shown</summary>\n<figure>a picture");
  parl_text_deinit(&svg);
  parl_text_deinit(&page);
  parl_timeline_deinit(&t);
}

/* Lanes: 6 letters a step where there is room. */
static void test_letters_by_hand(void **state) {
  (void)state;
  parl_timeline t;
  parl_text text = {0};
  read_it(&t);
  parl_timeline_append_text(&t, 60, false, &text);
  const char *s = parl_text_get(&text);
#define X6(c) c c c c c c
#define BLOCK "\xE2\x96\x88"
#define SHADE "\xE2\x96\x92"
#define DOT "\xC2\xB7"
  assert_contains(s, "critical steps 0           2           4           6\n");
  assert_contains(
      s, "orchestrator   " X6(BLOCK) X6(BLOCK) X6(BLOCK) X6(DOT) X6(DOT) X6(DOT) X6(DOT) "\n");
  assert_contains(s, "sub-agent 1    " X6("   ") X6(SHADE) "\n");
  assert_contains(s, "sub-agent 2    " X6("   ") X6(BLOCK) X6(BLOCK) X6(BLOCK) X6(BLOCK) "\n");
  assert_contains(s, "sub-agent 3    " X6("   ") X6(SHADE) X6(SHADE) X6(SHADE) X6(SHADE) "\n");
  assert_contains(s, "turn 2, launch of 3, critical 7, r_perf 0.25 > 0.75\n");
  assert_contains(s, "  * 2 scout row:2: 4 steps, useful\n");
  assert_null(strchr(s, '\x1b'));
  parl_text_deinit(&text);
  parl_timeline_append_text(&t, 60, true, &text);
  assert_contains(parl_text_get(&text), "\x1b[33m" BLOCK);
  assert_null(strstr(parl_text_get(&text), "\x1b[2J")); /* of a task's name */
  parl_text_deinit(&text);
  parl_timeline_deinit(&t);
}

static void test_every_width_holds(void **state) {
  (void)state;
  parl_text many = {0};
  parl_timeline t;
  for (int i = 0; i < 300; i++)
    parl_text_appendf(&many,
                      "%s{\"main\":%d,\"r_perf\":0,\"subs\":[{\"steps\":%d,\"role\":\"r\","
                      "\"task\":\"a_long_task_of_one_word_%d and:%d more:%d of:%d it:%d\"}]}",
                      i > 0 ? "," : "[", 1 + i % 3, i % 17, i, i, i, i, i);
  parl_text_append(&many, "]");
  assert_ok(parl_timeline_read(&title, parl_text_get(&many), many.n, &t));
  for (size_t columns = 60; columns <= 200; columns += 20) {
    parl_text text = {0};
    parl_timeline_append_text(&t, columns, false, &text);
    for (char *line = strtok(text.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
      assert_in_range(parl_text_get_width(line), 0, columns);
    parl_text_deinit(&text);
  }
  parl_text_deinit(&many);
  parl_timeline_deinit(&t);
}

/* Episodes of an arm with these scores and steps; the task is named by its place. */
static void put_all(fixture *f, int64_t run, size_t n, const double *r_perf,
                    const double *critical) {
  for (size_t i = 0; i < n; i++) {
    parl_episode_row e = make_episode("trained", "sampled", r_perf[i]);
    e.facts.critical_steps = critical[i];
    e.stages = "[{\"main\":1,\"r_perf\":0}]";
    put_episode(f, run, e, (int64_t)i);
    e.decoding = "greedy"; /* never chosen: worse than any */
    e.facts.r_perf = 0;
    put_episode(f, run, e, (int64_t)i);
  }
}

static void test_median_and_worst_are_chosen(void **state) {
  (void)state;
  static const double r_perf[] = {0.5, 0.1, 0.9, 0.1, 0.6}, critical[] = {3, 4, 3, 9, 3};
  fixture f;
  begin(&f);
  put_all(&f, put_run(&f, "annealed", 1, "done"), 5, r_perf, critical);
  put_all(&f, put_run(&f, "basis", 1, "done"), 4, r_perf, critical);
  put_all(&f, put_run(&f, "clear", 1, "done"), 1, r_perf, critical);
  put_all(&f, put_run(&f, "dead", 1, "failed"), 1, r_perf, critical);
  end_writing(&f);
  parl_arena arena;
  parl_report r;
  parl_arena_init(&arena, 0);
  const char *folder = f.folder;
  assert_ok(parl_report_load(&folder, 1, &arena, &r));
  assert_int_equal(r.n_arms, 4);
  static const int64_t due[4][2] = {{0, 3}, {0, 3}, {0, -1}, {-1, -1}};
  for (size_t a = 0; a < 4; a++)
    for (size_t i = 0; i < 2; i++) {
      const parl_report_pick *pick = &r.arms[a].picks[i];
      assert_int_equal(pick->stages != NULL ? pick->title.task_seed : -1, due[a][i]);
    }
  parl_report_deinit(&r);
  parl_arena_deinit(&arena);
  assert_ok(parl_report_write(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  assert_int_equal(count(html, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"episode\""), 5);
  assert_contains(html, "Worst episode: annealed, seed 1, task 3, sampled");
  free(html);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps_by_hand),
      cmocka_unit_test(test_what_is_no_turns_is_refused),
      cmocka_unit_test(test_picture_has_every_agent_and_obeys_no_name),
      cmocka_unit_test(test_letters_by_hand),
      cmocka_unit_test(test_every_width_holds),
      cmocka_unit_test(test_median_and_worst_are_chosen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
