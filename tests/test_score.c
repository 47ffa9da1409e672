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
static const parl_score_rules rules = {.config = &config};

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
  parl_score_reader r = {.rules = &rules};
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
    parl_score_reader r = {.rules = &rules};
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
  const parl_score_rules of_useful = {.config = &useful};
  parl_score_reader r = {.rules = &of_useful};
  const char *line = EPISODE("{\"steps\":1,\"finished\":true}");
  assert_int_equal(parl_score_read(&r, reward, line, strlen(line)), PARL_STATUS_EFORMAT);
  assert_non_null(strstr(parl_error_text(), "stages[0].subs[0]: \"useful\" is missing"));
  parl_score_reader_deinit(&r);
}

/* 0.5 * 3/12 + 0.25 * 2/3 + 0.7 + 0.125 * (10 - 8)/10; a term of a recipe's own, -8/100 * 2; the
 * update that an expression sees. */
static void totals_by_hand(void **state) {
  (void)state;
  static const double weights_of[] = {0.5, 0.25, 1, 0.125, 2, 1};
  static const char line[] =
      "{\"id\":1,\"r_perf\":0.7,\"success\":1,\"budget_steps\":10,\"stages\":[{\"main_steps\":1,"
      "\"subs\":[{\"steps\":3,\"finished\":true},{\"steps\":5,\"finished\":false},"
      "{\"steps\":0,\"finished\":1}]},{\"main_steps\":2}]}";
  parl_test_reward t;
  parl_test_reward_init("{\"a\":{\"kind\":\"cost\"},\"b\":{\"lua\":\"update / 4\"}}", &t);
  const parl_score_rules of_total = {.config = &config,
                                     .weights = weights_of,
                                     .update = 3,
                                     .needs = {[PARL_SCORE_FIELD_success] = true}};
  parl_score_reader r = {.rules = &of_total};
  parl_text out = {0};
  assert_ok(parl_score_read(&r, t.reward, line, strlen(line)));
  assert_close(r.total, 0.5 * 3 / 12 + 0.25 * 2 / 3 + 0.7 + 0.125 * 0.2 - 0.16 + 0.75, 1e-15);
  parl_score_append(&r, &out);
  assert_non_null(strstr(parl_text_get(&out), ",\"reward\":1.6066666666666"));
  const char *without = "{\"id\":1,\"r_perf\":0.7,\"stages\":[]}";
  assert_fails(parl_score_read(&r, t.reward, without, strlen(without)), PARL_STATUS_EFORMAT,
               "\"success\" is missing, which the recipe's reward is made of");
  parl_text_deinit(&out);
  parl_score_reader_deinit(&r);
  parl_test_reward_deinit(&t);
}

/* --- columns --- */

enum { N = 5000, MAX_STAGES = 5, MAX_SUBS = 12 * N * MAX_STAGES };

static struct {
  int32_t first_stage[N + 1], main_steps[N * MAX_STAGES], first_sub[N * MAX_STAGES + 1];
  int32_t sub_steps[MAX_SUBS];
  uint8_t sub_flags[MAX_SUBS];
  double given[PARL_N_FACTS][N];
} batch;
static const parl_score_stages batch_stages = {batch.first_stage, batch.main_steps, batch.first_sub,
                                               batch.sub_steps, batch.sub_flags};
static const parl_fact given_facts[] = {PARL_FACT_r_perf, PARL_FACT_success,
                                        PARL_FACT_optimum_width, PARL_FACT_serial_steps,
                                        PARL_FACT_cap_width};
enum { N_GIVEN = sizeof given_facts / sizeof given_facts[0] };

static uint64_t draws;
#define DRAW(n) ((int32_t)(parl_rng_uniform(7, 1, draws++) * (n)))

/* Of every kind: no stage, no launch, wide ones, one that is wider than counters in bytes are good
 * for, steps that do not fit small counters. */
static void fill_batch(bool with_large) {
  int32_t n_stages = 0, n_subs = 0;
  draws = 0;
  for (size_t i = 0; i < N; i++) {
    const int32_t n = DRAW(MAX_STAGES + 1);
    for (int32_t t = 0; t < n; t++) {
      const bool is_large = with_large && i % 97 == 0;
      const int32_t width = with_large && i == 1234 ? 3000 : i % 11 == 0 ? DRAW(40) : DRAW(9);
      batch.main_steps[n_stages++] = is_large ? DRAW(INT32_MAX) : DRAW(3);
      for (int32_t k = 0; k < width; k++, n_subs++) {
        batch.sub_steps[n_subs] = is_large ? DRAW(INT32_MAX) : DRAW(7);
        batch.sub_flags[n_subs] = (uint8_t)DRAW(256);
      }
      batch.first_sub[n_stages] = n_subs;
    }
    batch.first_stage[i + 1] = n_stages;
    for (size_t g = 0; g < N_GIVEN; g++) batch.given[given_facts[g]][i] = DRAW(9) / 8.0;
  }
  assert_true(n_subs <= MAX_SUBS);
}

/* Episode i of the batch as the program has them one by one. */
static void get_episode(size_t i, parl_stages *stages, parl_facts *facts) {
  static parl_stage_record items[MAX_STAGES];
  static parl_sub_record subs[MAX_STAGES * 3000];
  *stages = (parl_stages){.items = items, .subs = subs};
  for (int32_t t = batch.first_stage[i]; t < batch.first_stage[i + 1]; t++) {
    items[stages->n] = (parl_stage_record){.r_perf = batch.given[PARL_FACT_r_perf][i],
                                           .main_steps = batch.main_steps[t],
                                           .first_sub = (uint32_t)stages->n_subs};
    for (int32_t k = batch.first_sub[t]; k < batch.first_sub[t + 1]; k++)
      subs[stages->n_subs++] =
          (parl_sub_record){.steps = batch.sub_steps[k],
                            .finished = (batch.sub_flags[k] & PARL_SCORE_FINISHED) != 0,
                            .useful = (batch.sub_flags[k] & PARL_SCORE_USEFUL) != 0,
                            .duplicate = (batch.sub_flags[k] & PARL_SCORE_DUPLICATE) != 0};
    items[stages->n].width = (uint32_t)stages->n_subs - items[stages->n].first_sub;
    stages->n++;
  }
  *facts = parl_score_none();
#define GIVEN(fact) facts->fact = batch.given[PARL_FACT_##fact][i]
  GIVEN(r_perf), GIVEN(success), GIVEN(optimum_width), GIVEN(serial_steps), GIVEN(budget_steps);
  GIVEN(budget_used), GIVEN(cap_width);
}

static struct { double facts[PARL_N_FACTS][N], terms[PARL_N_TERMS][N], total[N]; } got;
static const double weights[PARL_N_TERMS] = {0.3, 0.2, 1, 0.05};

static parl_status run_batch(const parl_reward_config *c, size_t threads, bool has_stages,
                             size_t n) {
  parl_workers *workers = NULL;
  parl_scorer *scorer = NULL;
  parl_score_batch b = {.n = n, .stages = has_stages ? &batch_stages : NULL};
  parl_score_out out = {.total = got.total};
  memset(&got, 0xFF, sizeof got);
  memcpy(b.weights, weights, sizeof weights);
  for (size_t g = 0; g < N_GIVEN; g++) b.facts[given_facts[g]] = batch.given[given_facts[g]];
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (parl_score_is_counted((parl_fact)f)) {
      if (has_stages)
        out.facts[f] = got.facts[f];
      else
        b.facts[f] = batch.given[f];
    }
  for (int t = 0; t < PARL_N_TERMS; t++) out.terms[t] = got.terms[t];
  assert_ok(parl_workers_create(threads, &workers));
  assert_ok(parl_scorer_create(c, workers, &scorer));
  const parl_status s = parl_score_batch_run(scorer, &b, &out);
  parl_scorer_destroy(scorer);
  parl_workers_destroy(workers);
  return s;
}

static const double *get_values(const parl_facts *facts, double values[PARL_N_FACTS]) {
  const double all[] = {
#define X(name, unit, meaning) facts->name,
      PARL_FACT_LIST(X)
#undef X
  };
  memcpy(values, all, sizeof all);
  return values;
}

static void assert_same_bits(double a, double b, size_t episode, const char *what, int which) {
  if (memcmp(&a, &b, sizeof a) != 0)
    fail_msg("episode %zu, %s %d: %.17g, one by one %.17g", episode, what, which, a, b);
}

/* All facts, terms and the total of every episode, as parl_score_episode has them. */
static void assert_one_by_one(const parl_reward_config *c) {
  parl_reward *one = NULL;
  assert_ok(parl_reward_create(c, parl_test_built_in(), &one));
  for (size_t i = 0; i < N; i++) {
    parl_stages stages;
    parl_facts facts;
    double terms[PARL_N_TERMS], values[PARL_N_FACTS];
    get_episode(i, &stages, &facts);
    assert_ok(parl_score_episode(one, 0, &stages, &facts, terms));
    get_values(&facts, values);
    for (int f = 0; f < PARL_N_FACTS; f++)
      if (parl_score_is_counted((parl_fact)f))
        assert_same_bits(got.facts[f][i], values[f], i, "fact", f);
    for (int t = 0; t < PARL_N_TERMS; t++)
      assert_same_bits(got.terms[t][i], terms[t], i, "term", t);
    assert_same_bits(got.total[i], parl_terms_total(terms, weights, PARL_N_TERMS), i, "total", 0);
  }
  parl_reward_destroy(one);
}

/* Every definition, for any number of threads. */
static void columns_are_one_by_one(void **state) {
  (void)state;
  for (int parallel = 0; parallel < PARL_N_PARALLEL; parallel++)
    for (int finish = 0; finish < PARL_N_FINISH; finish++) {
      fill_batch((parallel + finish) % 2 == 0);
      parl_reward_config c = config;
      c.parallel = parallel;
      c.finish = finish;
      if (parallel == PARL_PARALLEL_LUA || finish == PARL_FINISH_LUA) continue;
      assert_ok(run_batch(&c, 1 + (size_t)(parallel + finish) % 3, true, N));
      assert_one_by_one(&c);
    }
}

/* What parl_stages_get_facts counts, r_perf aside, is what columns count. */
static void the_same_is_counted(void **state) {
  (void)state;
  parl_sub_record sub = {.steps = 1};
  parl_stage_record stage = {.main_steps = 1, .width = 1};
  const parl_stages stages = {.n = 1, .n_subs = 1, .items = &stage, .subs = &sub};
  double values[PARL_N_FACTS];
  parl_facts facts;
  const parl_facts unset = {
#define X(name, unit, meaning) .name = -1,
      PARL_FACT_LIST(X)
#undef X
  };
  facts = unset;
  assert_ok(parl_stages_get_facts(&stages, &facts));
  get_values(&facts, values);
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (f != PARL_FACT_r_perf && (values[f] >= 0) != parl_score_is_counted((parl_fact)f))
      fail_msg("fact %d: counted of stages or of columns, not of both", f);
}

/* Counts in the place of stages: the same terms. */
static void counts_are_enough(void **state) {
  (void)state;
  parl_reward_config c = config;
  c.parallel = PARL_PARALLEL_CONCURRENCY;
  c.finish = PARL_FINISH_NON_EMPTY;
  fill_batch(false);
  assert_ok(run_batch(&c, 1, true, N));
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (parl_score_is_counted((parl_fact)f)) memcpy(batch.given[f], got.facts[f], sizeof got.total);
  assert_ok(run_batch(&c, 2, false, N));
  for (int f = 0; f < PARL_N_FACTS; f++)
    if (parl_score_is_counted((parl_fact)f)) memcpy(got.facts[f], batch.given[f], sizeof got.total);
  assert_one_by_one(&c);
}

/* 1 + max(3, 5) and 2; three of a cap of 12; two of three finished, one of them without a step. */
static void columns_by_hand(void **state) {
  (void)state;
  static const int32_t first_stage[] = {0, 2, 2}, main_steps[] = {1, 2}, first_sub[] = {0, 3, 3};
  static const int32_t sub_steps[] = {3, 5, 0};
  static const uint8_t flags[] = {PARL_SCORE_FINISHED | PARL_SCORE_USEFUL, PARL_SCORE_DUPLICATE,
                                  PARL_SCORE_FINISHED};
  static const double r_perf[] = {0.7, 0.5};
  const parl_score_stages stages = {first_stage, main_steps, first_sub, sub_steps, flags};
  double critical[2], total_steps[2], empty[2], parallel[2], finish[2], total[2];
  parl_workers *workers = NULL;
  parl_scorer *scorer = NULL;
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_scorer_create(&config, workers, &scorer));
  const parl_score_batch b = {
      .n = 2, .stages = &stages, .facts = {[PARL_FACT_r_perf] = r_perf}, .weights = {0.5, 0.25, 1}};
  const parl_score_out out = {.facts = {[PARL_FACT_critical_steps] = critical,
                                        [PARL_FACT_total_steps] = total_steps,
                                        [PARL_FACT_empty_finishes] = empty},
                              .terms = {parallel, finish},
                              .total = total};
  assert_ok(parl_score_batch_run(scorer, &b, &out));
  assert_close(critical[0], 8, 0);
  assert_close(total_steps[0], 11, 0);
  assert_close(empty[0], 1, 0);
  assert_close(parallel[0], 3.0 / 12, 0);
  assert_close(finish[0], 2.0 / 3, 0);
  assert_close(total[0], 0.5 * 3 / 12 + 0.25 * (2.0 / 3) + 0.7, 1e-15);
  assert_close(critical[1] + total_steps[1] + parallel[1] + finish[1], 0, 0);
  assert_close(total[1], 0.5, 0);
  parl_scorer_destroy(scorer);
  parl_workers_destroy(workers);
}

static void columns_that_are_refused(void **state) {
  (void)state;
  fill_batch(false);
  batch.sub_steps[batch.first_sub[batch.first_stage[70] + 1] - 1] = -4;
  assert_fails(run_batch(&config, 1, true, N), PARL_STATUS_EINVAL, "a sub-agent has -4 steps");
  fill_batch(false);
  batch.main_steps[batch.first_stage[4000] - 1] = -1;
  batch.main_steps[batch.first_stage[4100] - 1] = -2;
  assert_fails(run_batch(&config, 3, true, N), PARL_STATUS_EINVAL, "the orchestrator has -1 steps");
  fill_batch(false);
  batch.first_stage[70] = batch.first_stage[71] + 1;
  assert_fails(run_batch(&config, 1, true, N), PARL_STATUS_EINVAL,
               "episode 70: first_stage goes from");
  fill_batch(false);
  batch.first_sub[8] = -1;
  assert_fails(run_batch(&config, 1, true, N), PARL_STATUS_EINVAL, "stage 7: first_sub goes from");
  fill_batch(false);
  batch.first_sub[8] = batch.first_sub[batch.first_stage[N]] + 1;
  assert_fails(run_batch(&config, 1, true, N), PARL_STATUS_EINVAL, "stage 7: first_sub goes from");
  fill_batch(false);
  batch.given[PARL_FACT_r_perf][3000] = (double)NAN;
  assert_fails(run_batch(&config, 2, true, N), PARL_STATUS_EINVAL, "episode 3000: r_perf is nan");
  batch.given[PARL_FACT_r_perf][3000] = (double)INFINITY;
  assert_fails(run_batch(&config, 2, true, N), PARL_STATUS_EINVAL, "episode 3000: r_perf is inf");
  parl_reward_config lua = config;
  parl_scorer *scorer = NULL;
  lua.finish = PARL_FINISH_LUA;
  assert_fails(parl_scorer_create(&lua, NULL, &scorer), PARL_STATUS_EINVAL, "Lua expression");
}

/* What is given follows from no stages; what is asked for does. */
static void columns_have_one_source(void **state) {
  (void)state;
  parl_workers *workers = NULL;
  parl_scorer *scorer = NULL;
  assert_ok(parl_workers_create(1, &workers));
  assert_ok(parl_scorer_create(&config, workers, &scorer));
  parl_score_out out = {.total = got.total};
  parl_score_batch b = {.n = N, .stages = &batch_stages};
  b.facts[PARL_FACT_assigned] = batch.given[PARL_FACT_assigned];
  assert_fails(parl_score_batch_run(scorer, &b, &out), PARL_STATUS_EINVAL,
               "assigned is given, and follows from stages");
  b.stages = NULL;
  out.facts[PARL_FACT_turns] = got.facts[PARL_FACT_turns];
  assert_fails(parl_score_batch_run(scorer, &b, &out), PARL_STATUS_EINVAL,
               "turns is asked for, and follows from no stages");
  parl_scorer_destroy(scorer);
  parl_workers_destroy(workers);
}

/* In memory as by lines. */
static void columns_are_lines(void **state) {
  (void)state;
  fill_batch(true);
  assert_ok(run_batch(&config, 2, true, N));
  parl_score_reader r = {.rules = &rules};
  for (size_t i = 0; i < N; i++) {
    parl_text line = {0};
    parl_text_appendf(&line, "{\"id\":0,\"r_perf\":%.17g,\"stages\":[",
                      batch.given[PARL_FACT_r_perf][i]);
    for (int32_t t = batch.first_stage[i]; t < batch.first_stage[i + 1]; t++) {
      parl_text_appendf(&line, "%s{\"main_steps\":%d,\"subs\":[",
                        t > batch.first_stage[i] ? "," : "", batch.main_steps[t]);
      for (int32_t k = batch.first_sub[t]; k < batch.first_sub[t + 1]; k++)
        parl_text_appendf(&line, "%s{\"steps\":%d,\"finished\":%d}",
                          k > batch.first_sub[t] ? "," : "", batch.sub_steps[k],
                          batch.sub_flags[k] & PARL_SCORE_FINISHED);
      parl_text_append(&line, "]}");
    }
    parl_text_append(&line, "]}");
    assert_ok(parl_score_read(&r, reward, parl_text_get(&line), line.n));
    assert_same_bits(got.terms[PARL_TERM_parallel][i], r.terms[PARL_TERM_parallel], i, "term", 0);
    assert_same_bits(got.terms[PARL_TERM_finish][i], r.terms[PARL_TERM_finish], i, "term", 1);
    assert_same_bits(got.facts[PARL_FACT_critical_steps][i], r.facts.critical_steps, i, "fact", 0);
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
      cmocka_unit_test(totals_by_hand),
      cmocka_unit_test(columns_are_one_by_one),
      cmocka_unit_test(the_same_is_counted),
      cmocka_unit_test(counts_are_enough),
      cmocka_unit_test(columns_by_hand),
      cmocka_unit_test(columns_that_are_refused),
      cmocka_unit_test(columns_have_one_source),
      cmocka_unit_test(columns_are_lines),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
