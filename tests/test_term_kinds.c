/* tests/test_term_kinds.c - kinds of terms: cost, length, budget, toggle, rubric and chance by
 * hand, their properties, budgets of the warm start, a rubric that can be hacked. */
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "parl/reward/budgets.h"
#include "tests/terms_support.h"

enum { K = 4, MINE = PARL_N_TERMS };

typedef parl_test_reward rewarded;

/* The first own term of each of the rollouts, out [K]. */
static void get_mine(const rewarded *r, const parl_facts *facts, int64_t update, double *out) {
  parl_outcome of[K];
  double terms[K * PARL_MAX_TERMS];
  for (size_t k = 0; k < K; k++)
    of[k] = (parl_outcome){.facts = &facts[k], .family = "wide", .episode_seed = k};
  const parl_group group = {.of = of, .K = K, .update = update};
  assert_ok(parl_reward_group(r->reward, &group, terms));
  for (size_t k = 0; k < K; k++) out[k] = terms[k * r->t.table->n + MINE];
}

static void assert_mine(const char *terms, const parl_facts *facts, int64_t update,
                        const double *due) {
  rewarded r;
  double out[K];
  parl_test_reward_init(terms, &r);
  get_mine(&r, facts, update, out);
  for (size_t k = 0; k < K; k++) assert_close(out[k], due[k], 1e-15);
  parl_test_reward_deinit(&r);
}

/* Critical steps 4, 6, 8, 12, of which the second and the last solve nothing. */
static const parl_facts facts[K] = {
    {.r_perf = 1,
     .success = 1,
     .critical_steps = 4,
     .tokens = 40,
     .launches = 1,
     .budget_steps = 10},
    {.r_perf = 0.5, .critical_steps = 6, .tokens = 20, .launches = 0, .budget_steps = 10},
    {.r_perf = 1,
     .success = 1,
     .critical_steps = 9,
     .tokens = 80,
     .launches = 3,
     .budget_steps = 10},
    {.r_perf = 0, .critical_steps = 12, .tokens = 60, .launches = 2, .budget_steps = 10}};

static void test_costs_by_hand(void **state) {
  (void)state;
  assert_mine("{\"x\":{\"kind\":\"cost\"}}", facts, 0,
              (const double[]){-0.04, -0.06, -0.09, -0.12});
  assert_mine("{\"x\":{\"kind\":\"cost\",\"of\":\"tokens\",\"scale\":20}}", facts, 0,
              (const double[]){-2, -1, -4, -3});
  assert_mine("{\"x\":{\"kind\":\"cost\",\"of\":\"launches\",\"scale\":1}}", facts, 0,
              (const double[]){-1, 0, -3, -2});
}

/* K1.5: 4 is the least, 12 the most; 6 and 12 are wrong, so that 6, though short, gets 0. */
static void test_length_by_hand(void **state) {
  (void)state;
  assert_mine("{\"x\":{\"kind\":\"length\"}}", facts, 0, (const double[]){0.5, 0, -0.125, -0.5});
  const double third = 1.0 / 3;
  assert_mine("{\"x\":{\"kind\":\"length\",\"of\":\"tokens\"}}", facts, 0,
              (const double[]){0.5 - third, 0, -0.5, 0.5 - 2 * third});
}

/* Of correct rollouts the shorter never gets less; a wrong one never gets more than 0, nor than a
 * correct one of its length; all of one length get 0. */
static void test_length_keeps_order(void **state) {
  (void)state;
  rewarded r;
  double out[K];
  parl_test_reward_init("{\"x\":{\"kind\":\"length\"}}", &r);
  for (uint64_t trial = 0; trial < 300; trial++) {
    parl_rng_cursor rng = {.seed = 5, .stream = trial};
    parl_facts f[K] = {{0}};
    bool flat = true;
    for (size_t k = 0; k < K; k++) {
      f[k].success = (double)parl_rng_next_below(&rng, 2);
      f[k].critical_steps = (double)parl_rng_next_below(&rng, 4);
      flat = flat && f[k].critical_steps == f[0].critical_steps;
    }
    get_mine(&r, f, 0, out);
    for (size_t i = 0; i < K; i++) {
      assert_true(fabs(out[i]) <= 0.5 && (!flat || out[i] == 0));
      assert_true(f[i].success == 1 || out[i] <= 0);
      for (size_t k = 0; k < K; k++)
        if (f[i].success >= f[k].success && f[i].critical_steps <= f[k].critical_steps)
          assert_true(out[i] >= out[k]);
    }
  }
  parl_test_reward_deinit(&r);
}

/* Budget 10 of the episode, free up to 8: 9 is half way. Beside it, a budget of its own with a hard
 * edge: at the budget is not above it. */
static void test_budget_by_hand(void **state) {
  (void)state;
  assert_mine("{\"x\":{\"kind\":\"budget\"}}", facts, 0, (const double[]){0, 0, -0.5, -1});
  assert_mine("{\"x\":{\"kind\":\"budget\",\"budget\":9,\"margin\":0}}", facts, 0,
              (const double[]){0, 0, 0, -1});
  assert_mine("{\"x\":{\"kind\":\"budget\",\"of\":\"tokens\",\"budget\":50,\"margin\":1}}", facts,
              0, (const double[]){-0.8, -0.4, -1, -1});
  const parl_facts none[K] = {{.critical_steps = 90}};
  assert_mine("{\"x\":{\"kind\":\"budget\"}}", none, 0, (const double[]){0, 0, 0, 0});
}

static void test_what_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
  } rows[] = {
      {"{\"x\":{\"kind\":\"cots\"}}", "terms.x.kind"},
      {"{\"x\":{\"kind\":\"cost\",\"of\":\"critical_step\"}}", "did you mean \"critical_steps\"?"},
      {"{\"x\":{\"kind\":\"cost\",\"scale\":0}}", "terms.x.scale = 0"},
      {"{\"x\":{\"kind\":\"cost\",\"phase\":3}}", "terms.x.phase is not read"},
      {"{\"x\":{\"kind\":\"cost\",\"lua\":\"1\"}}", "terms.x.lua is not read"},
      {"{\"x\":{\"lua\":\"1\",\"scale\":3}}", "kind = \"lua\""},
      {"{\"x\":{\"kind\":\"rubric\"}}", "terms.x.lua is missing"},
      {"{\"x\":{\"kind\":\"rubric\",\"lua\":\"1\",\"error_rate\":1.5}}", "terms.x.error_rate"},
      {"{\"x\":{\"kind\":\"budget\",\"of\":\"tokens\"}}", "of = \"tokens\"; give a budget"},
      {"{\"x\":{\"kind\":\"cost\",\"scael\":3}}", "did you mean \"scale\"?"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    parl_test_table t;
    assert_fails(parl_test_read_terms(rows[i].text, &t), PARL_STATUS_EINVAL, rows[i].part);
    assert_null(t.own);
  }
}

/* What is written is what the kind reads, and reads back the same; an expression is as it was
 * before there were kinds. */
static void test_what_is_written(void **state) {
  (void)state;
  parl_test_table t, u;
  parl_text text = {0};
  parl_json_writer w;
  assert_ok(
      parl_test_read_terms("{\"a\":{\"kind\":\"length\",\"of\":\"tokens\"},\"b\":{\"lua\":\"1\"},"
                           "\"c\":{\"kind\":\"rubric\",\"lua\":\"2\",\"error_rate\":0.25}}",
                           &t));
  parl_json_writer_init(&w, &text, false);
  parl_own_terms_write(t.own, &w);
  assert_contains(parl_text_get(&text),
                  "{\"a\":{\"kind\":\"length\",\"of\":\"tokens\",\"weight\":");
  assert_contains(parl_text_get(&text), "\"b\":{\"lua\":\"1\",\"weight\":");
  assert_contains(parl_text_get(&text), "{\"kind\":\"rubric\",\"error_rate\":0.25,\"lua\":\"2\",");
  assert_ok(parl_test_read_terms(parl_text_get(&text), &u));
  assert_memory_equal(u.own->items, t.own->items, 3 * sizeof *t.own->items);
  parl_text_deinit(&text);
  parl_test_table_deinit(&u);
  parl_test_table_deinit(&t);
}

/* --- toggle --- */

#define TOGGLE                                                                             \
  "{\"x\":{\"kind\":\"toggle\",\"phase\":3,\"accuracy\":0.5,\"percentile\":50,\"weight\":" \
  "{\"shape\":\"constant\",\"start\":1}}}"

/* Correct rollouts of wide take 4, 8 and 6 steps, one of deep 20; nothing of odd is correct. */
static const parl_facts warm[] = {{.success = 1, .critical_steps = 4},
                                  {.success = 1, .critical_steps = 20},
                                  {.success = 1, .critical_steps = 8},
                                  {.success = 0, .critical_steps = 1},
                                  {.success = 1, .critical_steps = 6}};
static const char *const families[] = {"wide", "deep", "wide", "odd", "wide"};
enum { N_WARM = 5 };

static void estimate(const rewarded *r) {
  parl_outcome of[N_WARM];
  for (size_t i = 0; i < N_WARM; i++)
    of[i] = (parl_outcome){.facts = &warm[i], .family = families[i]};
  assert_ok(parl_reward_estimate(r->reward, of, N_WARM));
}

static void test_budgets_by_hand(void **state) {
  (void)state;
  static const double percentiles[] = {0, 25, 50, 75, 90, 100}, due[] = {4, 5, 6, 7, 7.6, 8};
  parl_term_config c;
  parl_budget_sample samples[N_WARM];
  parl_config_set_defaults(&parl_term_section, &c);
  for (size_t i = 0; i < N_WARM; i++) samples[i] = (parl_budget_sample){families[i], &warm[i]};
  parl_budgets b = {0};
  for (size_t i = 0; i < 6; i++) {
    c.percentile = percentiles[i];
    assert_ok(parl_budgets_estimate(&c, samples, N_WARM, &b));
    assert_int_equal(b.n, 2);
    assert_close(parl_budgets_get(&b, "wide"), due[i], 1e-12);
    assert_close(parl_budgets_get(&b, "deep"), 20, 0);
    assert_true(isinf(parl_budgets_get(&b, "odd")) && isinf(parl_budgets_get(&b, NULL)));
  }
  parl_budgets_deinit(&b);
}

/* Budget 6: the third rollout, correct in 9 steps, loses its reward in updates 0 to 2 and 6 to 8,
 * and keeps it in the phases between. With r_perf the sum is Toggle's reward, k25 3. */
static void test_phases(void **state) {
  (void)state;
  rewarded r;
  double out[K];
  parl_test_reward_init(TOGGLE, &r);
  assert_true(parl_reward_wants_estimate(r.reward));
  get_mine(&r, facts, 0, out);
  for (size_t k = 0; k < K; k++) assert_close(out[k], 0, 0); /* there is no budget yet */
  estimate(&r);
  for (int64_t update = 0; update < 12; update++) {
    const bool limited = update / 3 % 2 == 0;
    get_mine(&r, facts, update, out);
    for (size_t k = 0; k < K; k++) {
      const bool kept = facts[k].critical_steps <= 6 || !limited;
      assert_close(facts[k].r_perf + out[k], kept ? facts[k].r_perf : 0, 0);
    }
  }
  parl_test_reward_deinit(&r);
}

/* The budget counts from a mean r_perf of exactly `accuracy` on, not below. */
static void test_mean_accuracy(void **state) {
  (void)state;
  rewarded r;
  double out[K];
  parl_test_reward_init(TOGGLE, &r);
  estimate(&r);
  parl_facts f[K] = {{.r_perf = 1, .critical_steps = 9}, {.r_perf = 1, .critical_steps = 3}};
  get_mine(&r, f, 0, out); /* 2 of 4 */
  assert_close(out[0], -1, 0);
  assert_close(out[1], 0, 0);
  f[1].r_perf = 0.9375;
  get_mine(&r, f, 0, out);
  assert_close(out[0], 0, 0);
  parl_test_reward_deinit(&r);
}

/* As a checkpoint keeps it. */
static void test_state_of_a_toggle(void **state) {
  (void)state;
  rewarded a, b;
  double before[K], after[K];
  parl_text text = {0};
  parl_json_writer w;
  parl_json *tree = NULL;
  parl_test_reward_init(TOGGLE, &a);
  parl_test_reward_init(TOGGLE, &b);
  estimate(&a);
  parl_json_writer_init(&w, &text, false);
  parl_json_begin_object(&w);
  parl_reward_write_state(a.reward, &w);
  parl_json_end_object(&w);
  assert_string_equal(parl_text_get(&text), "{\"budgets\":{\"x\":{\"deep\":20,\"wide\":6}}}");
  assert_ok(parl_json_parse(parl_text_get(&text), text.n, "test", &tree));
  assert_ok(parl_reward_read_state(b.reward, tree));
  get_mine(&a, facts, 0, before);
  get_mine(&b, facts, 0, after);
  assert_memory_equal(before, after, sizeof before);
  assert_true(before[2] == -1);
  parl_json_destroy(tree);
  parl_text_deinit(&text);
  parl_test_reward_deinit(&b);
  parl_test_reward_deinit(&a);
}

/* --- rubrics --- */

static void test_rubric_by_hand(void **state) {
  (void)state;
  assert_mine("{\"x\":{\"kind\":\"rubric\",\"lua\":\"critical_steps / 8 - 0.6\"}}", facts, 0,
              (const double[]){0, 0.15, 0.525, 0.9});
  assert_mine("{\"x\":{\"kind\":\"rubric\",\"lua\":\"critical_steps / 8 - 0.6\",\"error_rate\":1}}",
              facts, 0, (const double[]){1, 0.85, 0.475, 0.1});
}

/* The judge errs as often as is said, of the same episode in the same way, whatever its place in
 * the group, and of two terms independently. */
static void test_a_judge_that_errs(void **state) {
  (void)state;
  enum { N = 4000 };
  rewarded r;
  parl_test_reward_init(
      "{\"a\":{\"kind\":\"rubric\",\"lua\":\"1\",\"error_rate\":0.2},"
      "\"b\":{\"kind\":\"rubric\",\"lua\":\"1\",\"error_rate\":0.2}}",
      &r);
  const size_t n = r.t.table->n;
  parl_outcome *of = calloc(N, sizeof *of);
  double *first = calloc(N * n, sizeof *first), *second = calloc(N * n, sizeof *second);
  assert_true(of != NULL && first != NULL && second != NULL);
  for (size_t i = 0; i < N; i++) of[i] = (parl_outcome){.facts = &facts[0], .episode_seed = 77 + i};
  assert_ok(parl_reward_group(r.reward, &(parl_group){.of = of, .K = N}, first));
  for (size_t i = 0; i < N; i++) of[i].episode_seed = 77 + (N - 1 - i);
  assert_ok(parl_reward_group(r.reward, &(parl_group){.of = of, .K = N, .update = 5}, second));
  double wrong = 0, both = 0;
  for (size_t i = 0; i < N; i++) {
    const double a = first[i * n + MINE], b = first[i * n + MINE + 1];
    assert_close(second[(N - 1 - i) * n + MINE], a, 0);
    wrong += a == 0;
    both += a == 0 && b == 0;
  }
  assert_close(wrong / N, 0.2, 0.02); /* three standard errors of 4000 */
  assert_close(both / N, 0.04, 0.01);
  free(of);
  free(first);
  free(second);
  parl_test_reward_deinit(&r);
}

/* A fair coin of the episode, whatever it did: the facts and the group are not asked. */
static void test_chance_says_nothing(void **state) {
  (void)state;
  enum { N = 4000 };
  rewarded r;
  parl_test_reward_init("{\"a\":{\"kind\":\"chance\"}}", &r);
  const size_t n = r.t.table->n;
  parl_outcome *of = calloc(N, sizeof *of);
  double *all = calloc(N * n, sizeof *all), one[PARL_MAX_TERMS], heads = 0;
  assert_true(of != NULL && all != NULL);
  for (size_t i = 0; i < N; i++)
    of[i] = (parl_outcome){.facts = &facts[i % 2], .episode_seed = 77 + i};
  assert_ok(parl_reward_group(r.reward, &(parl_group){.of = of, .K = N}, all));
  for (size_t i = 0; i < N; i++) {
    assert_true(all[i * n + MINE] == 0 || all[i * n + MINE] == 1);
    heads += all[i * n + MINE];
  }
  assert_close(heads / N, 0.5, 0.024); /* three standard errors */
  for (size_t i = 0; i < 32; i++) {    /* alone, with other facts, later */
    const parl_outcome other = {.facts = &facts[(i + 1) % 2], .episode_seed = 77 + i};
    assert_ok(parl_reward_group(r.reward, &(parl_group){.of = &other, .K = 1, .update = 5}, one));
    assert_close(one[MINE], all[i * n + MINE], 0);
  }
  free(of);
  free(all);
  parl_test_reward_deinit(&r);
}

/* Two rubrics of one context: `busy` believes what it is told and can be hacked by launching
 * sub-agents that return at once; `done` asks what came of it. Whoever hacks earns more than honest
 * work under the first alone, and less under r_perf and under both. */
static void test_a_rubric_that_is_hacked(void **state) {
  (void)state;
  const parl_facts honest = {
      .r_perf = 0.9, .launches = 2, .assigned = 4, .finished = 4, .useful = 4};
  const parl_facts hack = {
      .r_perf = 0.1, .launches = 4, .assigned = 16, .finished = 16, .empty_finishes = 16};
  rewarded r;
  parl_test_reward_init(
      "{\"busy\":{\"kind\":\"rubric\",\"lua\":\"finished / 16\"},"
      "\"done\":{\"kind\":\"rubric\",\"lua\":\"useful / math.max(1, assigned)\"}}",
      &r);
  double of[2 * PARL_MAX_TERMS];
  const parl_outcome outcomes[] = {{.facts = &honest}, {.facts = &hack}};
  assert_ok(parl_reward_group(r.reward, &(parl_group){.of = outcomes, .K = 2}, of));
  const size_t n = r.t.table->n;
  const double *good = of, *bad = &of[n];
  assert_true(bad[MINE] > good[MINE] + 0.5);
  assert_true(bad[PARL_TERM_perf] < good[PARL_TERM_perf]);
  assert_true(bad[MINE] + bad[MINE + 1] < good[MINE] + good[MINE + 1]);
  parl_test_reward_deinit(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_costs_by_hand),           cmocka_unit_test(test_length_by_hand),
      cmocka_unit_test(test_length_keeps_order),      cmocka_unit_test(test_budget_by_hand),
      cmocka_unit_test(test_what_is_refused),         cmocka_unit_test(test_what_is_written),
      cmocka_unit_test(test_budgets_by_hand),         cmocka_unit_test(test_phases),
      cmocka_unit_test(test_mean_accuracy),           cmocka_unit_test(test_state_of_a_toggle),
      cmocka_unit_test(test_rubric_by_hand),          cmocka_unit_test(test_a_judge_that_errs),
      cmocka_unit_test(test_a_rubric_that_is_hacked), cmocka_unit_test(test_chance_says_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
