/* tests/test_score.c - recorded episodes by hand, in memory as by lines, what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_pull.h"
#include "core/rng.h"
#include "parl/reward/score_line.h"
#include "tests/support.h"
#include "tests/terms_support.h"

static parl_reward_config config;
static parl_reward *reward;

static int set_up(void **state) {
  (void)state;
  parl_config_set_defaults(&parl_reward_section, &config);
  return parl_reward_create(&config, parl_test_built_in(), &reward) == PARL_STATUS_OK ? 0 : 1;
}

static int tear_down(void **state) {
  (void)state;
  parl_reward_destroy(reward);
  return 0;
}

static void assert_line(const char *line, const char *due) {
  parl_score_reader r = {.config = &config};
  parl_text out = {0};
  assert_ok(parl_score_read(&r, reward, line, strlen(line)));
  parl_score_append(&r, &out);
  assert_string_equal(parl_text_get(&out), due);
  parl_text_deinit(&out);
  parl_score_reader_deinit(&r);
}

/* Stage 1: 1 + max(3, 5), in total 1 + 8; stage 2: 2. Two of three tasks are the same text, one
 * written with escapes. Three of a cap of 12, two of three finished, one of them without a step. */
static void by_hand(void **state) {
  (void)state;
  assert_line(
      "{\"id\":\"a\\u00e9\",\"r_perf\":0.7,\"optimum_steps\":5,\"stages\":[{\"main_steps\":1,"
      "\"subs\":["
      "{\"steps\":3,\"finished\":true,\"task\":\"row 4\"},"
      "{\"task\":\"ro\\u0077\\u00204\",\"steps\":5,\"finished\":false},"
      "{\"steps\":0,\"finished\":1,\"task\":\"row 5\",\"role\":\"scout\"}]},{\"main_steps\":2}]}",
      "{\"id\":\"a\\u00e9\",\"critical_steps\":8,\"total_steps\":11,\"launches\":1,\"assigned\":3,"
      "\"finished\":2,\"max_width\":3,\"duplicates\":1,\"r_parallel\":0.25,"
      "\"r_finish\":0.6666666666666666,\"empty_finishes\":1,\"regret\":3}\n");
}

static void nothing_is_an_episode(void **state) {
  (void)state;
  assert_line("{\"stages\":[],\"r_perf\":true,\"id\":-7,\"deep\":{\"a\":[[{}],null,1e999]}}\r",
              "{\"id\":-7,\"critical_steps\":0,\"total_steps\":0,\"launches\":0,\"assigned\":0,"
              "\"finished\":0,\"max_width\":0,\"duplicates\":0,\"r_parallel\":0,\"r_finish\":0,"
              "\"empty_finishes\":0}\n");
}

#define EPISODE(subs) "{\"id\":1,\"r_perf\":1,\"stages\":[{\"main_steps\":1,\"subs\":[" subs "]}]}"

/* Every refusal names the field, the value and what it has to be. */
static void what_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"", "byte 1: an object is missing"},
      {"[]", "byte 1: an object is missing"},
      {"{\"id\":1,}", "byte 9: a key is missing"},
      {"{\"id\":1 \"r_perf\":0}", "byte 9: a comma or } is missing"},
      {"{\"id\":1,\"id\":2}", "the line: \"id\" stands there twice"},
      {"{\"id\":1,\"\\u0069d\":2}", "the line: \"id\" stands there twice"},
      {"{\"r_perf\":0,\"stages\":[]}", "the line: \"id\" is missing"},
      {"{\"id\":null,\"r_perf\":0}", "id: null; it has to be a string or a whole number"},
      {"{\"id\":1,\"r_perf\":1.5}", "r_perf: 1.5; it has to be a number from 0 to 1"},
      {"{\"id\":1,\"r_perf\":NaN}", "r_perf: NaN}; it has to be"},
      {"{\"id\":1,\"r_perf\":null}", "r_perf: null; it has to be a number from 0 to 1"},
      {"{\"id\":1,\"r_perf\":1e400}", "r_perf: 1e400; it has to be"},
      {"{\"id\":1,\"r_perf\":0.}", "r_perf: 0.}; it has to be"},
      {"{\"id\":1,\"stages\":[]}", "the line: \"r_perf\" is missing"},
      {"{\"id\":1,\"r_perf\":1}", "the line: \"stages\" is missing"},
      {"{\"id\":1,\"r_perf\":1,\"stages\":[{}]}", "stages[0]: \"main_steps\" is missing"},
      {"{\"id\":1,\"r_perf\":1,\"stages\":[]} x", "something follows the value"},
      {EPISODE("{\"steps\":1}"), "stages[0].subs[0]: \"finished\" is missing"},
      {EPISODE("{\"steps\":1.5}"), "stages[0].subs[0].steps: 1.5; it has to be a whole number"},
      {EPISODE("{\"steps\":-3}"), "steps: -3; it has to be a whole number from 0 to 2147483647"},
      {EPISODE("{\"steps\":2147483648}"), "steps: 2147483648; it has to be"},
      {EPISODE("{\"steps\":1,\"finished\":\"yes\"}"), "finished: \"yes\"; it has to be true or"},
      {EPISODE("{\"steps\":1,\"finished\":2}"), "finished: 2; it has to be true or false"},
      {EPISODE("{\"steps\":1,\"finished\":true,\"task\":4}"), "task: 4; it has to be a string"},
      {EPISODE("{\"x\":\"\xff\"}"), "this is no UTF-8"},
      {EPISODE("{\"x\":\"\\ud800\"}"), "this is no escape"},
      {EPISODE("{\"x\":\"a\tb\"}"), "a control character stands in a string"},
      {EPISODE("{\"x\":\"abcdefgh\tijklmnopqrstuvw\"}"), "a control character stands in a string"},
      {EPISODE("{\"x\":\"abcdefgh\xc3(ijklmnopqrstuv\"}"), "this is no UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_score_reader r = {.config = &config};
    assert_int_equal(parl_score_read(&r, reward, cases[i].line, strlen(cases[i].line)),
                     PARL_STATUS_EFORMAT);
    if (strstr(parl_error_text(), cases[i].says) == NULL)
      fail_msg("%s: \"%s\", not \"%s\"", cases[i].line, parl_error_text(), cases[i].says);
    parl_score_reader_deinit(&r);
  }
}

static void nesting_is_limited(void **state) {
  (void)state;
  char text[4096];
  memset(text, '[', sizeof text);
  parl_json_pull p = parl_json_pull_of(text, sizeof text);
  assert_false(parl_json_pull_skip(&p));
  assert_string_equal(p.why, "it is nested too deep");
}

static void numbers_are_the_nearest(void **state) {
  (void)state;
  static const char *const texts[] = {"0",
                                      "-0",
                                      "0.1",
                                      "123456789012345",
                                      "0.000000000000001",
                                      "1e22",
                                      "1.7976931348623157e308",
                                      "9007199254740993",
                                      "3.14159265358979312",
                                      "5e-324",
                                      "1E+2"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    parl_json_pull p = parl_json_pull_of(texts[i], strlen(texts[i]));
    double x;
    assert_true(parl_json_pull_number(&p, &x) && parl_json_pull_end(&p));
    assert_true(x == strtod(texts[i], NULL));
  }
}

/* A definition that needs what a line may leave out says so. */
static void definitions_ask(void **state) {
  (void)state;
  parl_reward_config useful = config;
  useful.finish = PARL_FINISH_USEFUL;
  parl_score_reader r = {.config = &useful};
  const char *line = EPISODE("{\"steps\":1,\"finished\":true}");
  assert_int_equal(parl_score_read(&r, reward, line, strlen(line)), PARL_STATUS_EFORMAT);
  assert_non_null(strstr(parl_error_text(), "stages[0].subs[0]: \"useful\" is missing"));
  parl_score_reader_deinit(&r);
}

enum { N = 5000, MOST = 4 };

/* In memory as by lines, for any number of threads. */
static void batches_are_lines(void **state) {
  (void)state;
  static size_t first[N + 1];
  static parl_stage_record stages[N * MOST];
  static parl_sub_record subs[N * MOST * MOST];
  static double terms[N * PARL_N_TERMS], again[N * PARL_N_TERMS];
  static parl_facts facts[N];
  uint32_t n_subs = 0;
  uint64_t draws = 0;
#define DRAW(n) ((uint32_t)(parl_rng_uniform(7, 1, draws++) * (n)))
  for (size_t i = 0; i < N; i++) {
    const size_t n = DRAW(MOST + 1);
    first[i + 1] = first[i] + n;
    for (size_t t = first[i]; t < first[i + 1]; t++) {
      stages[t] = (parl_stage_record){
          .r_perf = 0.5, .main_steps = 1, .first_sub = n_subs, .width = DRAW(MOST)};
      for (; n_subs < stages[t].first_sub + stages[t].width; n_subs++)
        subs[n_subs] = (parl_sub_record){.steps = (int32_t)DRAW(9), .finished = DRAW(2)};
    }
  }
  const parl_score_batch batch = {N, first, stages, subs, NULL};
  for (size_t threads = 1; threads <= 3; threads++) {
    parl_workers *workers = NULL;
    parl_scorer *scorer = NULL;
    assert_ok(parl_workers_create(threads, &workers));
    assert_ok(parl_scorer_create(&config, workers, &scorer));
    assert_ok(parl_score_batch_run(scorer, &batch, facts, threads == 1 ? terms : again));
    if (threads > 1) assert_memory_equal(terms, again, sizeof terms);
    assert_ok(parl_score_batch_run(scorer, &batch, NULL, again)); /* nobody asks for the facts */
    assert_memory_equal(terms, again, sizeof terms);
    parl_scorer_destroy(scorer);
    parl_workers_destroy(workers);
  }
  parl_score_reader r = {.config = &config};
  for (size_t i = 0; i < N; i++) {
    parl_text line = {0};
    parl_text_appendf(&line, "{\"id\":0,\"r_perf\":%s,\"stages\":[",
                      first[i + 1] > first[i] ? "0.5" : "0");
    for (size_t t = first[i]; t < first[i + 1]; t++) {
      parl_text_appendf(&line, "%s{\"main_steps\":1,\"subs\":[", t > first[i] ? "," : "");
      for (uint32_t k = 0; k < stages[t].width; k++)
        parl_text_appendf(&line, "%s{\"steps\":%d,\"finished\":%d}", k > 0 ? "," : "",
                          subs[stages[t].first_sub + k].steps,
                          subs[stages[t].first_sub + k].finished);
      parl_text_append(&line, "]}");
    }
    parl_text_append(&line, "]}");
    assert_ok(parl_score_read(&r, reward, parl_text_get(&line), line.n));
    assert_memory_equal(r.terms, &terms[i * PARL_N_TERMS], sizeof *terms * PARL_N_TERMS);
    assert_close(r.facts.critical_steps, facts[i].critical_steps, 0);
    parl_text_deinit(&line);
  }
  parl_score_reader_deinit(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_hand),
      cmocka_unit_test(nothing_is_an_episode),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(nesting_is_limited),
      cmocka_unit_test(numbers_are_the_nearest),
      cmocka_unit_test(definitions_ask),
      cmocka_unit_test(batches_are_lines),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
