/* tests/test_report_arms.c - what policies were, what differs, in which order, how to make them
 * again. */
#include "experiments/report_internal.h"
#include "tests/report_support.h"

#define SCHEDULE(shape, start, stop)                                                       \
  "{\"shape\":\"" shape "\",\"start\":" start ",\"stop\":" stop                            \
  ",\"over\":0.59999999999999998,\"period\":20,\"metric\":\"launch_rate\",\"target\":0.5," \
  "\"gain\":0.01,\"lua\":\"0.3*(1-u)\"}"
#define ZERO SCHEDULE("constant", "0", "0")

/* One done run with an episode, so that its arm is a trained one. */
static void put_arm(fixture *f, const char *arm, int64_t seed, const char *lambda1,
                    const char *lambda2, const char *more, const char *host) {
  char config[2000];
  snprintf(config, sizeof config,
           "{\"lambda1\":%s,\"lambda2\":%s,\"seed\":%lld,%s\"env\":{\"file\":\"envs/toy.lua\"},"
           "\"params\":{\"deep\":[0.20000000000000001],\"rows\":4,\"share\":0.10000000000000001},"
           "\"script\":\"0123456789abcdef\"}",
           lambda1, lambda2, (long long)seed, more);
  const int64_t run = put_run_of(f, arm, seed, "done", config, host);
  put_episode(f, run, make_episode("trained", "sampled", 0.5), 1);
}

static char *get_terminal(const fixture *f) {
  parl_text table = {0};
  assert_ok(parl_report_write(f->folder, &table));
  char *copy = strdup(parl_text_get(&table));
  parl_text_deinit(&table);
  return copy;
}

#define L1 "\xCE\xBB\xE2\x82\x81"
#define L2 "\xCE\xBB\xE2\x82\x82"
#define TO " \xE2\x86\x92 "

static void test_schedules_in_words(void **state) {
  (void)state;
  static const struct {
    const char *schedule, *words;
  } rows[] = {
      {SCHEDULE("linear", "0.29999999999999999", "0"),
       "0.3" TO "0, linear over 60 % of the updates"},
      {SCHEDULE("cosine", "1", "0.1"), "1" TO "0.1, cosine over 60 % of the updates"},
      {SCHEDULE("exponential", "1e-6", "0"), "1e-6" TO "0, exponential over 60 % of the updates"},
      {SCHEDULE("step", "0.3", "0"), "0.3" TO "0, a step after 60 % of the updates"},
      {SCHEDULE("cyclic", "0.3", "0"),
       "0.3" TO "0, cyclic over 60 % of the updates, each cycle 20 updates"},
      {SCHEDULE("closed_loop", "0", "0.4"),
       "holds launch_rate at 0.5, from 0 within [0, 0.4], gain 0.01"},
      {SCHEDULE("lua", "0", "0"), "0.3*(1-u)"},
      {SCHEDULE("constant", "0.3", "0"), "0.3 throughout"},
      {SCHEDULE("linear", "0.3", "0.3"), "0.3 throughout"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    fixture f;
    begin(&f);
    put_arm(&f, "a", 1, rows[i].schedule, ZERO, "", "{}");
    put_arm(&f, "b", 1, ZERO, ZERO, "", "{}");
    end_writing(&f);
    assert_ok(parl_report_write(f.folder, NULL));
    char *markdown = read_file(&f, "report.md"), due[200];
    parl_text escaped = {0};
    parl_text_append_markdown(&escaped, rows[i].words);
    snprintf(due, sizeof due, "| a | %s | 0 |\n| b | 0 | 0 |\n", parl_text_get(&escaped));
    assert_contains(markdown, due);
    assert_contains(markdown, "| policy | " L1 " (r\\_parallel) | " L2 " (r\\_finish) |");
    parl_text_deinit(&escaped);
    free(markdown);
    finish(&f);
  }
}

/* A third schedule gets a column once an arm uses it; what else differs is named; numbers are
 * read as they were written. */
static void test_policies_and_environment_stand_at_the_top(void **state) {
  (void)state;
  const char *annealed = SCHEDULE("linear", "0.29999999999999999", "0");
  fixture f;
  begin(&f);
  put_arm(&f, "a", 1, annealed, annealed,
          "\"lambda_early\":" ZERO ",\"agents\":{\"reliability\":0.59999999999999998},", "{}");
  put_arm(&f, "b", 1, ZERO, ZERO, "\"lambda_early\":" ZERO ",\"agents\":{\"reliability\":1},",
          "{}");
  end_writing(&f);
  char *text = get_terminal(&f);
  assert_contains(text, "\na: " L1 " = " L2 " = 0.3" TO
                        "0, linear over 60 % of the updates; agents.reliability 0.6\n"
                        "b: " L1 " = " L2 " = 0; agents.reliability 1\n");
  free(text);
  char *html = read_file(&f, "report.html");
  assert_contains(html,
                  "Environment envs/toy.lua, script 0123456789ab: deep [0.2], rows 4, share 0.1");
  assert_true(strstr(html, "<caption>The trained policies") < strstr(html, "<caption>Result"));
  assert_null(strstr(html, "lambda_early</th>"));
  assert_null(strstr(html, "0.29999999999999999"));
  assert_null(strstr(html, "0.20000000000000001"));
  free(html);
  char *json = read_file(&f, "report.json");
  assert_null(strstr(json, "0.29999999999999999"));
  free(json);
  finish(&f);
  begin(&f);
  put_arm(&f, "a", 1, ZERO, ZERO, "\"lambda_early\":" SCHEDULE("constant", "0.1", "0") ",", "{}");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  html = read_file(&f, "report.html");
  assert_contains(html, "lambda_early</th>");
  assert_contains(html, "<td>0.1 throughout</td>");
  free(html);
  finish(&f);
}

/* Seeds are no difference: the arms' first runs have different ones, and each a field that depends
 * on its seed. */
static void test_differences_are_of_the_same_seed(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_arm(&f, "a", 7, ZERO, ZERO, "\"x\":7,\"y\":1,", "{}");
  put_arm(&f, "b", 3, ZERO, ZERO, "\"x\":3,\"y\":2,", "{}");
  put_arm(&f, "b", 7, ZERO, ZERO, "\"x\":7,\"y\":2,", "{}");
  put_arm(&f, "a", 9, ZERO, ZERO, "\"x\":9,\"y\":1,", "{}");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *markdown = read_file(&f, "report.md");
  const char *table = strstr(markdown, "What differs between the configurations");
  assert_non_null(table);
  assert_contains(table, "| y | 1 | 2 |");
  assert_null(strstr(table, "| x |"));
  assert_null(strstr(table, "| seed | 7"));
  free(markdown);
  char *html = read_file(&f, "report.html");
  assert_contains(html, "Configuration of a, seed 7");
  assert_contains(html, "Configuration of b, seed 7");
  free(html);
  finish(&f);
  begin(&f); /* no seed in common */
  put_arm(&f, "a", 1, ZERO, ZERO, "\"y\":1,", "{}");
  put_arm(&f, "b", 2, ZERO, ZERO, "\"y\":2,", "{}");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  markdown = read_file(&f, "report.md");
  table = strstr(markdown, "What differs between the configurations");
  assert_contains(table, "| y | 1 | 2 |");
  assert_null(strstr(table, "| seed | 1 | 2 |"));
  free(markdown);
  finish(&f);
}

/* By arm and seed, not by when they ended. */
static void test_runs_are_in_order(void **state) {
  (void)state;
  static const char *const due[] = {"| a | 1 |", "| a | 2 |", "| a | 10 |", "| b | 1 |",
                                    "| b | 2 |"};
  fixture f;
  begin(&f);
  put_arm(&f, "a", 10, ZERO, ZERO, "", "{}");
  put_arm(&f, "b", 2, ZERO, ZERO, "", "{}");
  put_arm(&f, "a", 2, ZERO, ZERO, "", "{}");
  put_arm(&f, "b", 1, ZERO, ZERO, "", "{}");
  put_arm(&f, "a", 1, ZERO, ZERO, "", "{}");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *markdown = read_file(&f, "report.md");
  const char *at = strstr(markdown, "## Runs");
  for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
    assert_non_null(at);
    at = strstr(at, due[i]);
  }
  assert_non_null(at);
  free(markdown);
  finish(&f);
}

/* Each command once; where none was kept that is said. */
static void test_commands_are_shown(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_arm(&f, "a", 1, ZERO, ZERO, "", "{\"command\":\"parl train --set 'x=<y>' r.lua\"}");
  put_arm(&f, "a", 2, ZERO, ZERO, "", "{\"command\":\"parl train --set 'x=<y>' r.lua\"}");
  put_arm(&f, "a", 3, ZERO, ZERO, "", "{\"command\":\"parl train --set x=2 r.lua\"}");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  char *html = read_file(&f, "report.html");
  assert_contains(html,
                  "<pre>parl train --set &#39;x=&lt;y&gt;&#39; r.lua\n"
                  "# a, seed 1 2\nparl train --set x=2 r.lua\n# a, seed 3\nparl report ");
  free(html);
  char *json = read_file(&f, "report.json");
  assert_int_equal(count(json, "\"command\":\"parl train --set 'x=\\u003cy>' r.lua\""), 4);
  free(json);
  finish(&f);
  begin(&f);
  put_arm(&f, "a", 1, ZERO, ZERO, "", "no json");
  end_writing(&f);
  assert_ok(parl_report_write(f.folder, NULL));
  html = read_file(&f, "report.html");
  assert_contains(html, "parl train toy.lua  # overrides were not kept");
  free(html);
  finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schedules_in_words),
      cmocka_unit_test(test_policies_and_environment_stand_at_the_top),
      cmocka_unit_test(test_differences_are_of_the_same_seed),
      cmocka_unit_test(test_runs_are_in_order),
      cmocka_unit_test(test_commands_are_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
