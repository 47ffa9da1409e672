/* tests/test_wide_search.c - envs/wide_search.lua: scores by hand, the optimum against brute force,
 * experts against the optimum. */
#include <stdbool.h>

#include "core/rng.h"
#include "lua/grammar.h"
#include "tests/lua_support.h"

#define WIDE_SEARCH "envs/wide_search.lua"
enum { MAX_ROWS = 64, MAX_TOKENS = 512 };
#define GOLDEN_SUM UINT64_C(0x43e55f0fe3866895)

static parl_env *make(const char *params) {
  parl_json *json = NULL;
  parl_env *env = NULL;
  if (params) assert_ok(parl_json_parse(params, strlen(params), "test", &json));
  assert_ok(parl_env_create(WIDE_SEARCH, json, NULL, &env));
  parl_json_destroy(json);
  return env;
}

static const parl_family *get_family(const parl_env *env, const char *name) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_families; i++)
    if (strcmp(spec->families[i].name, name) == 0) return &spec->families[i];
  fail_msg("no family %s", name);
  return NULL;
}

/* words of the environment, in order: miss unsure sure full */
typedef enum word { MISS, UNSURE, SURE, FULL } word;

static word get_word(const parl_env *env, int32_t token) {
  return (word)(token - get_family(env, "word")->first_token);
}

/* One search; *n tokens came back. */
static word search(parl_env *env, parl_world w, parl_agent a, int row, int32_t *tokens, size_t *n) {
  const parl_call call = {.kind = PARL_CALL_TOOL, .n_values = 1, .values = {(int16_t)row}};
  assert_ok(parl_env_call(env, w, a, &call, tokens, MAX_TOKENS, n));
  return get_word(env, tokens[0]);
}

/* Rows of a world and their cells, from the prompt. */
static int read_prompt(parl_env *env, parl_world w, int *cells) {
  int32_t tokens[MAX_TOKENS];
  size_t n = 0;
  assert_ok(parl_env_prompt(env, w, tokens, MAX_TOKENS, &n));
  const int row = get_family(env, "row")->first_token,
            count = get_family(env, "count")->first_token;
  for (size_t i = 0; i < n / 2; i++) {
    assert_int_equal(tokens[2 * i], row + (int)i);
    cells[i] = tokens[2 * i + 1] - count + 1;
    assert_in_range(cells[i], 1, 4);
  }
  return (int)(n / 2);
}

/* w_r by searching each row until it is full. */
static int measure_rows(parl_env *env, uint64_t seed, int *steps) {
  parl_world w;
  parl_agent m;
  int32_t tokens[MAX_TOKENS];
  size_t n = 0;
  int cells[MAX_ROWS];
  assert_ok(parl_env_reset(env, seed, 0, &w, &m));
  const int n_rows = read_prompt(env, w, cells);
  for (int r = 0; r < n_rows; r++)
    for (steps[r] = 1; search(env, w, m, r + 1, tokens, &n) != SURE || n < 3; steps[r]++)
      assert_in_range(steps[r], 1, 16);
  double r_perf, success;
  assert_ok(parl_env_score(env, w, &r_perf, &success, NULL));
  assert_close(r_perf, 1, 0);
  assert_close(success, 1, 0);
  parl_env_release(env, w);
  return n_rows;
}

static void the_score_is_f1(void **state) {
  (void)state;
  parl_env *env = make("{\"rows_min\":2,\"rows_max\":2,\"columns\":3,\"p_fail\":0,\"p_rumour\":0}");
  for (uint64_t seed = 0; seed < 20; seed++) {
    parl_world w;
    parl_agent m;
    int32_t tokens[MAX_TOKENS];
    size_t n;
    int cells[MAX_ROWS];
    double r, success;
    assert_ok(parl_env_reset(env, seed, 0, &w, &m));
    assert_int_equal(read_prompt(env, w, cells), 2);
    const int total = cells[0] + cells[1];
    assert_ok(parl_env_score(env, w, &r, &success, NULL));
    assert_close(r, 0, 0);
    int found = 0;
    for (int row = 1; row <= 2; row++)
      for (int c = 0; c < cells[row - 1]; c++) {
        assert_int_equal(search(env, w, m, row, tokens, &n), SURE);
        found++;
        parl_text details = {0};
        assert_ok(parl_env_score(env, w, &r, &success, &details));
        /* all that is filled is right: precision 1, recall found/total */
        const double recall = (double)found / total;
        assert_close(r, 2 * recall / (1 + recall), 1e-12);
        assert_close(success, found == total ? 1 : 0, 0);
        assert_contains(parl_text_get(&details), "\"precision\":1,");
        parl_text_deinit(&details);
      }
    assert_int_equal(search(env, w, m, 1, tokens, &n), FULL);
    assert_int_equal(search(env, w, m, 9, tokens, &n), MISS); /* no such row */
    parl_env_release(env, w);
  }
  parl_env_destroy(env);
}

/* A rumour fills its cell with a wrong value: it costs precision until the cell is confirmed. */
static void rumours_cost_precision(void **state) {
  (void)state;
  parl_env *env = make("{\"p_rumour\":0.5}");
  parl_rng_cursor rng = {.seed = 3};
  int n_rumours = 0;
  for (uint64_t seed = 0; seed < 60; seed++) {
    parl_world w;
    parl_agent m;
    int32_t tokens[MAX_TOKENS];
    size_t n;
    int cells[MAX_ROWS], confirmed = 0, total = 0;
    bool rumour[MAX_ROWS] = {false};
    int32_t wrong[MAX_ROWS] = {0};
    assert_ok(parl_env_reset(env, seed, 0, &w, &m));
    const int n_rows = read_prompt(env, w, cells);
    for (int r = 0; r < n_rows; r++) total += cells[r];
    for (int i = 0; i < 40; i++) {
      const int r = (int)parl_rng_next_below(&rng, (uint64_t)n_rows);
      const word got = search(env, w, m, r + 1, tokens, &n);
      if (got == UNSURE) {
        rumour[r] = true;
        wrong[r] = tokens[1];
        n_rumours++;
      } else if (got == SURE) {
        if (rumour[r]) assert_int_not_equal(wrong[r], tokens[1]);
        rumour[r] = false;
        confirmed++;
      }
      int filled = confirmed;
      for (int k = 0; k < n_rows; k++) filled += rumour[k];
      const double precision = filled ? (double)confirmed / filled : 0;
      const double recall = (double)confirmed / total;
      const double f1 = confirmed ? 2 * precision * recall / (precision + recall) : 0;
      double score, success;
      assert_ok(parl_env_score(env, w, &score, &success, NULL));
      assert_close(score, f1, 1e-12);
    }
    parl_env_release(env, w);
  }
  assert_true(n_rumours > 200);
  parl_env_destroy(env);
}

/* Least cost over all ways to give each row to the orchestrator or to one of m sub-agents. */
static int64_t brute_force(const int *steps, int n_rows, int m) {
  int64_t best = INT64_MAX, n_ways = 1;
  for (int r = 0; r < n_rows; r++) n_ways *= m + 1;
  for (int64_t way = 0; way < n_ways; way++) {
    int load[8] = {0}, longest = 0;
    int64_t rest = way;
    for (int r = 0; r < n_rows; r++, rest /= m + 1) load[rest % (m + 1)] += steps[r];
    for (int k = 1; k <= m; k++)
      if (load[k] > longest) longest = load[k];
    const int64_t cost = load[0] + (longest > 0 ? 2 + longest : 0);
    if (cost < best) best = cost;
  }
  return best;
}

static void the_optimum_is_the_least(void **state) {
  (void)state;
  for (int width = 1; width <= 3; width++) {
    char params[128];
    snprintf(params, sizeof params, "{\"rows_min\":1,\"rows_max\":7,\"columns\":3,\"width\":%d}",
             width);
    parl_env *env = make(params);
    for (uint64_t seed = 0; seed < 60; seed++) {
      int steps[MAX_ROWS];
      const int n_rows = measure_rows(env, seed, steps);
      parl_world w;
      parl_agent m;
      parl_env_optimum o;
      assert_ok(parl_env_reset(env, seed, 1, &w, &m));
      assert_ok(parl_env_get_optimum(env, w, &o));
      int64_t serial = 0;
      for (int r = 0; r < n_rows; r++) serial += steps[r];
      assert_int_equal(o.serial_steps, serial);
      assert_int_equal(o.critical_steps, brute_force(steps, n_rows, width));
      assert_int_equal(o.is, PARL_OPTIMUM_EXACT);
      assert_close(o.r_perf, 1, 0);
      parl_env_release(env, w);
    }
    parl_env_destroy(env);
  }
}

static void width_for_all_costs_two_and_the_longest_row(void **state) {
  (void)state;
  parl_env *env = make(NULL);
  for (uint64_t seed = 0; seed < 300; seed++) {
    int steps[MAX_ROWS], longest = 0, serial = 0;
    const int n_rows = measure_rows(env, seed, steps);
    assert_in_range(n_rows, 4, 12);
    for (int r = 0; r < n_rows; r++) {
      serial += steps[r];
      if (steps[r] > longest) longest = steps[r];
      assert_in_range(steps[r], 1, parl_env_get_spec(env)->limits.sub_steps);
    }
    parl_world w;
    parl_agent m;
    parl_env_optimum o;
    assert_ok(parl_env_reset(env, seed, 1, &w, &m));
    assert_ok(parl_env_get_optimum(env, w, &o));
    assert_int_equal(o.serial_steps, serial);
    assert_int_equal(o.critical_steps, serial < 2 + longest ? serial : 2 + longest);
    parl_env_release(env, w);
  }
  parl_env_destroy(env);
}

/* Large and scarce: answered at once, and never above what longest-first reaches. */
static void large_optima_are_bounded(void **state) {
  (void)state;
  parl_env *env = make("{\"rows_min\":64,\"rows_max\":64,\"columns\":4,\"width\":11}");
  for (uint64_t seed = 0; seed < 10; seed++) {
    parl_world w;
    parl_agent m;
    parl_env_optimum o;
    assert_ok(parl_env_reset(env, seed, 1, &w, &m));
    assert_ok(parl_env_get_optimum(env, w, &o));
    assert_in_range(o.critical_steps, 2 + (o.serial_steps + 10) / 11, 2 + o.serial_steps / 11 + 16);
    parl_env_release(env, w);
  }
  parl_env_destroy(env);
}

/* --- whole episodes played by experts --- */

typedef struct episode {
  int64_t critical, total;
  int context; /* tokens the orchestrator saw and wrote */
  double r_perf, success;
} episode;

static parl_grammar grammar;
static uint16_t words[PARL_TURN_MAX_WORDS];

/* One sub-agent to its end: what it did counts, its message joins the context. */
static int play_sub(parl_env *env, parl_world w, const parl_call *task, const char *style,
                    int ordinal, int64_t limit, int *context) {
  int32_t tokens[MAX_TOKENS];
  size_t n = 0, n_calls = 0;
  parl_agent sub;
  parl_call call;
  int steps = 0, sub_context = 1;
  bool finished = false;
  assert_ok(parl_env_brief(env, w, task, 0, ordinal, &sub, tokens, MAX_TOKENS, &n));
  for (sub_context += (int)n;; steps++) {
    assert_ok(parl_env_expert(env, w, sub, style, &call, 1, &n_calls));
    sub_context += 2;
    finished = call.kind == PARL_CALL_FINISH;
    if (finished || steps >= limit) break;
    assert_ok(parl_env_call(env, w, sub, &call, tokens, MAX_TOKENS, &n));
    sub_context += (int)n;
  }
  assert_in_range(sub_context, 1, parl_env_get_spec(env)->limits.sub_context);
  assert_ok(parl_env_deliver(env, w, sub, finished, tokens, MAX_TOKENS, &n));
  *context += 1 + (int)n;
  return steps;
}

static episode play(parl_env *env, uint64_t seed, const char *style, double budget_factor) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  episode e = {0};
  parl_world w;
  parl_agent m;
  int32_t tokens[MAX_TOKENS];
  size_t n = 0, n_calls = 0;
  static parl_call calls[PARL_TURN_MAX_CALLS];
  parl_env_optimum o;
  int ordinal = 0;
  assert_ok(parl_env_reset(env, seed, seed + 1, &w, &m));
  assert_ok(parl_env_get_optimum(env, w, &o));
  const int64_t budget =
      budget_factor > 0 ? (int64_t)(budget_factor * (double)o.critical_steps) : 1 << 30;
  parl_grammar_init(&grammar, env, w, m, true, &(parl_grammar_def){true, true, 1, 0}, words,
                    PARL_TURN_MAX_WORDS);
  assert_ok(parl_env_prompt(env, w, tokens, MAX_TOKENS, &n));
  e.context = 1 + (int)n;
  for (int turn = 0; turn < spec->limits.max_turns && e.critical < budget; turn++) {
    assert_ok(parl_env_expert(env, w, m, style, calls, PARL_TURN_MAX_CALLS, &n_calls));
    assert_ok(parl_grammar_write(&grammar, calls, n_calls, tokens, MAX_TOKENS, &n));
    e.context += (int)n;
    bool done = false;
    for (size_t i = 0; i < n; i++) { /* what experts do, the masks allow */
      uint64_t mask[PARL_MASK_MAX_WORDS];
      size_t n_allowed;
      assert_ok(parl_grammar_get_mask(&grammar, mask, &n_allowed));
      assert_true(mask[tokens[i] / 64] >> (tokens[i] % 64) & 1);
      assert_ok(parl_grammar_feed(&grammar, tokens[i], &done));
    }
    assert_true(done);
    parl_grammar_next_turn(&grammar);
    if (calls[0].kind == PARL_CALL_FINISH) break;
    e.critical++;
    e.total++;
    if (calls[0].kind == PARL_CALL_TOOL) {
      assert_ok(parl_env_call(env, w, m, &calls[0], tokens, MAX_TOKENS, &n));
      e.context += (int)n;
    }
    if (calls[0].kind != PARL_CALL_ASSIGN) continue;
    const int64_t left = budget - e.critical;
    const int64_t limit = left < spec->limits.sub_steps ? left : spec->limits.sub_steps;
    int longest = 0;
    for (size_t i = 0; i < n_calls; i++) {
      const int steps = play_sub(env, w, &calls[i], style, ++ordinal, limit, &e.context);
      e.total += steps;
      if (steps > longest) longest = steps;
    }
    e.critical += longest;
  }
  assert_ok(parl_env_score(env, w, &e.r_perf, &e.success, NULL));
  parl_env_release(env, w);
  return e;
}

static void experts_never_beat_the_optimum(void **state) {
  (void)state;
  static const char *const settings[] = {
      NULL, "{\"rows_min\":1,\"rows_max\":6,\"columns\":1}",
      "{\"rows_min\":5,\"rows_max\":16,\"columns\":3,\"width\":4}",
      "{\"p_fail\":0.5,\"p_rumour\":0.4,\"columns\":4}"};
  for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++) {
    parl_env *env = make(settings[k]);
    const parl_env_spec *spec = parl_env_get_spec(env);
    for (int s = 0; s < spec->n_styles; s++)
      for (uint64_t seed = 0; seed < 80; seed++) {
        parl_world w;
        parl_agent m;
        parl_env_optimum o;
        const episode e = play(env, seed, spec->styles[s], 0);
        assert_ok(parl_env_reset(env, seed, 0, &w, &m));
        assert_ok(parl_env_get_optimum(env, w, &o));
        parl_env_release(env, w);
        if (e.success != 0) assert_true(e.critical >= o.critical_steps);
        if (strcmp(spec->styles[s], "random") == 0) continue;
        assert_close(e.success, 1, 0);
        if (strcmp(spec->styles[s], "serial") == 0) assert_int_equal(e.critical, o.serial_steps);
        if (strcmp(spec->styles[s], "oracle") == 0 && o.is == PARL_OPTIMUM_EXACT)
          assert_int_equal(e.critical, o.critical_steps);
      }
    parl_env_destroy(env);
  }
}

/* The reason for the environment: under a budget of 1.6 optima working alone fails, width wins. */
static void the_budget_creates_the_need(void **state) {
  (void)state;
  enum { N = 300 };
  parl_env *env = make(NULL);
  double alone = 0, wide = 0, narrow = 0;
  for (uint64_t seed = 0; seed < N; seed++) {
    alone += play(env, seed, "serial", 1.6).r_perf / N;
    wide += play(env, seed, "greedy_wide", 1.6).r_perf / N;
    narrow += play(env, seed, "narrow", 1.6).r_perf / N;
  }
  assert_true(wide > 0.99);
  assert_true(alone < 0.8);
  assert_true(narrow < 0.8);
  parl_env_destroy(env);
}

static void a_large_table_overflows_one_context(void **state) {
  (void)state;
  parl_env *env = make("{\"rows_min\":64,\"rows_max\":64}");
  const int limit = parl_env_get_spec(env)->limits.context;
  assert_int_equal(parl_env_get_spec(env)->limits.max_width, 64);
  for (uint64_t seed = 0; seed < 10; seed++) {
    assert_true(play(env, seed, "serial", 0).context > limit);
    assert_true(play(env, seed, "greedy_wide", 0).context <= limit);
    assert_true(play(env, seed, "narrow", 0).context <= limit);
  }
  parl_env_destroy(env);
}

static void legal_masks_full_and_taken_rows(void **state) {
  (void)state;
  parl_env *env = make("{\"rows_min\":4,\"rows_max\":4,\"p_fail\":0,\"p_rumour\":0,\"columns\":1}");
  parl_world w;
  parl_agent m, sub;
  uint8_t allowed[64];
  int32_t tokens[MAX_TOKENS];
  size_t n;
  const int16_t taken[] = {3};
  assert_ok(parl_env_reset(env, 1, 1, &w, &m));
  assert_int_equal(search(env, w, m, 2, tokens, &n), SURE);
  assert_ok(parl_env_legal(env, w, m, -1, 0, NULL, taken, 1, allowed));
  for (int v = 1; v <= 64; v++) assert_int_equal(allowed[v - 1], v == 1 || v == 4);
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 3, .values = {2, 4, 60}};
  assert_ok(parl_env_brief(env, w, &task, 0, 1, &sub, tokens, MAX_TOKENS, &n));
  const int row = get_family(env, "row")->first_token,
            count = get_family(env, "count")->first_token;
  const int first_word = get_family(env, "word")->first_token;
  const int32_t due[] = {row + 1, first_word + FULL, row + 3, count, row + 59, first_word + MISS};
  assert_int_equal(n, 6);
  assert_memory_equal(tokens, due, sizeof due);
  assert_ok(parl_env_legal(env, w, sub, 0, 0, NULL, NULL, 0, allowed));
  for (int v = 1; v <= 64; v++) assert_int_equal(allowed[v - 1], v == 4);
  assert_ok(parl_env_deliver(env, w, sub, false, tokens, MAX_TOKENS, &n));
  assert_int_equal(n, 1); /* row 4 is still open */
  assert_int_equal(tokens[0], row + 3);
  parl_env_release(env, w);
  parl_env_destroy(env);
}

/* A sub-agent's finds reach the orchestrator, and the next one starts behind them. */
static void deliveries_add_up(void **state) {
  (void)state;
  parl_env *env = make("{\"columns\":4,\"rows_min\":8}");
  int n_partial = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    parl_world w;
    parl_agent m, sub;
    int32_t tokens[MAX_TOKENS];
    size_t n;
    int cells[MAX_ROWS], found = 0, total = 0;
    assert_ok(parl_env_reset(env, seed, 1, &w, &m));
    const int n_rows = read_prompt(env, w, cells);
    for (int r = 0; r < n_rows; r++) total += cells[r];
    const int count = get_family(env, "count")->first_token;
    const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
    for (int ordinal = 1; found < cells[0]; ordinal++) {
      assert_in_range(ordinal, 1, 20);
      assert_ok(parl_env_brief(env, w, &task, 0, ordinal, &sub, tokens, MAX_TOKENS, &n));
      assert_int_equal(tokens[1], count + cells[0] - found - 1);
      while (search(env, w, sub, 1, tokens, &n) != SURE) continue;
      found++;
      double r, success;
      assert_ok(parl_env_deliver(env, w, sub, true, tokens, MAX_TOKENS, &n));
      assert_int_equal(n, found < cells[0] ? 1 : 0);
      assert_ok(parl_env_score(env, w, &r, &success, NULL));
      assert_close(r, 2.0 * found / (found + total), 1e-12);
      n_partial += found < cells[0];
    }
    parl_env_release(env, w);
  }
  assert_true(n_partial > 20);
  parl_env_destroy(env);
}

static void worlds_follow_from_seeds(void **state) {
  (void)state;
  parl_env *one = make(NULL), *two = make(NULL);
  int same = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    int a[MAX_ROWS] = {0}, b[MAX_ROWS] = {0}, c[MAX_ROWS] = {0};
    const int n = measure_rows(one, seed, a);
    assert_int_equal(measure_rows(two, seed, b), n);
    assert_memory_equal(a, b, sizeof a);
    measure_rows(one, seed + 1, c);
    same += memcmp(a, c, sizeof a) == 0;
    const episode x = play(one, seed, "random", 0), y = play(two, seed, "random", 0);
    assert_int_equal(x.critical, y.critical);
    assert_int_equal(x.context, y.context);
    assert_true(x.r_perf == y.r_perf);
  }
  assert_true(same < 10);
  parl_env_destroy(one);
  parl_env_destroy(two);
}

/* A whole world in one number: integers throughout, so the same on every machine. */
static void worlds_have_a_golden_sum(void **state) {
  (void)state;
  parl_env *env = make(NULL);
  uint64_t sum = 0;
  for (uint64_t seed = 0; seed < 50; seed++) {
    int steps[MAX_ROWS];
    const int n = measure_rows(env, seed, steps);
    for (int r = 0; r < n; r++) sum = sum * 31 + (uint64_t)steps[r];
    const episode e = play(env, seed, "random", 0);
    sum = sum * 31 + (uint64_t)e.critical * 1000 + (uint64_t)e.context;
  }
  assert_int_equal(sum, GOLDEN_SUM);
  parl_env_destroy(env);
}

static void contradictory_parameters_are_refused(void **state) {
  (void)state;
  parl_env *env = make("{\"rows_min\":9,\"rows_max\":5}");
  parl_world w;
  parl_agent m;
  assert_fails(parl_env_reset(env, 1, 1, &w, &m), PARL_STATUS_ESCRIPT, "rows_min exceeds rows_max");
  parl_env_destroy(env);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_score_is_f1),
      cmocka_unit_test(rumours_cost_precision),
      cmocka_unit_test(the_optimum_is_the_least),
      cmocka_unit_test(width_for_all_costs_two_and_the_longest_row),
      cmocka_unit_test(large_optima_are_bounded),
      cmocka_unit_test(experts_never_beat_the_optimum),
      cmocka_unit_test(the_budget_creates_the_need),
      cmocka_unit_test(a_large_table_overflows_one_context),
      cmocka_unit_test(legal_masks_full_and_taken_rows),
      cmocka_unit_test(deliveries_add_up),
      cmocka_unit_test(worlds_follow_from_seeds),
      cmocka_unit_test(worlds_have_a_golden_sum),
      cmocka_unit_test(contradictory_parameters_are_refused),
  };
  return cmocka_run_group_tests_name("wide_search", tests, NULL, NULL);
}
