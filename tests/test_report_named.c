/* tests/test_report_named.c - scores that environments name, in every form of the report. */
#include <math.h>

#include "tests/report_support.h"

static void put(fixture *f, int64_t run, const char *family, int64_t task, const char *scores) {
  parl_episode_row e = make_episode("trained", "sampled", 0.5);
  e.family = family;
  e.scores = scores;
  put_episode(f, run, e, task);
}

/* Two kinds of tasks with scores of their own; one of a hostile name. f1 of seed 1: .5 and 1. */
static void fill_named(fixture *f) {
  begin(f);
  for (int64_t seed = 1; seed <= 2; seed++) {
    const int64_t run = put_run(f, "annealed", seed, "done");
    put(f, run, "wide", 1, seed == 1 ? "{\"f1\":0.5,\"success\":0}" : "{\"f1\":0.25}");
    put(f, run, "wide", 2, seed == 1 ? "{\"f1\":1,\"success\":1}" : "{\"f1\":0.25}");
    put(f, run, "chain", 3, "{\"links\":3,\"<b>&\":-1}");
    put(f, run, "chain", 4, "");
  }
  end_writing(f);
}

static double get_score(const parl_json *arm, const char *family, const char *name) {
  const parl_json *node = arm;
  if (family != NULL) node = parl_json_find(parl_json_find(node, "families"), family);
  node = parl_json_find(parl_json_find(node, "scores"), name);
  return node != NULL ? get_number(node, "mean") : (double)NAN;
}

static void test_named_scores_by_hand(void **state) {
  (void)state;
  fixture f;
  fill_named(&f);
  parl_json *json = write_and_parse(&f);
  const parl_json *arm = parl_json_find_path(json, "arms.annealed");
  assert_close(get_score(arm, NULL, "f1"), (0.75 + 0.25) / 2, 1e-12);
  assert_close(get_score(arm, "wide", "f1"), 0.5, 1e-12);
  assert_close(get_score(arm, "chain", "links"), 3, 0);
  assert_close(get_score(arm, "chain", "<b>&"), -1, 0);
  assert_true(isnan(get_score(arm, "chain", "f1")));   /* absent, not 0 */
  assert_true(isnan(get_score(arm, NULL, "success"))); /* it is a score already */
  parl_json_destroy(json);
  char *text = read_file(&f, "report.md");
  assert_contains(text, "| wide | f1 | annealed | 2 | 0.500 \\[-2.677, 3.677] |");
  assert_contains(text, "| chain | links | annealed | 2 | 3.000");
  assert_null(strstr(text, "| all tasks | f1 |"));
  free(text);
  text = read_file(&f, "report.csv");
  assert_contains(text, "annealed,,sampled,wide,score/f1,2,0.5,0.5,-2.67");
  free(text);
  text = read_file(&f, "report_seeds.csv");
  assert_contains(text, "annealed,true,1,sampled,wide,score/f1,0.75\n");
  assert_contains(text, "annealed,true,2,sampled,,score/links,3\n");
  free(text);
  text = read_file(&f, "report.html");
  assert_contains(text, "&lt;b&gt;&amp;");
  assert_null(strstr(text, "<b>&"));
  free(text);
  finish(&f);
}

static void test_without_named_scores_there_is_no_table(void **state) {
  (void)state;
  fixture f;
  fill(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *text = read_file(&f, "report.md");
  assert_null(strstr(text, "Scores that the environment names"));
  free(text);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_named_scores_by_hand),
      cmocka_unit_test(test_without_named_scores_there_is_no_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
