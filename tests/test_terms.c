/* tests/test_terms.c - the terms that a recipe adds: reading, what expressions see of a group,
 * refusals; a training with two of them, by hand. */
#include <math.h>
#include <stdlib.h>

#include "core/file.h"
#include "parl/learn/metrics.h"
#include "parl/reward/advantage.h"
#include "parl/run/trainer_internal.h"
#include "tests/rollout_support.h"
#include "tests/terms_support.h"

#define RANK                                                                                    \
  "local n = 0 for i = 1, K do if group[i].critical_steps > critical_steps then n = n + 1 end " \
  "end return n / K"

enum { K = 4, MINE = PARL_N_TERMS };

/* --- the section --- */

static void test_rows_of_the_table(void **state) {
  (void)state;
  parl_test_table t;
  assert_ok(
      parl_test_read_terms("{\"zeal\":{\"lua\":\"1\",\"weight\":{\"start\":0.25}},"
                           "\"perf\":{\"weight\":{\"shape\":\"constant\",\"start\":2}},"
                           "\"finish\":{},\"calm\":{\"lua\":\"2\"}}",
                           &t));
  assert_int_equal(t.table->n, PARL_N_TERMS + 2);
  static const char *const names[] = {"parallel", "finish", "perf", "early", "calm", "zeal"};
  static const char *const lambdas[] = {"lambda1",      "lambda2",     "lambda_perf",
                                        "lambda_early", "lambda_calm", "lambda_zeal"};
  static const double starts[] = {0.1, 0.1, 2, 0, 0.1, 0.25};
  for (size_t i = 0; i < t.table->n; i++) {
    assert_string_equal(t.table->rows[i].name, names[i]);
    assert_string_equal(t.table->rows[i].lambda, lambdas[i]);
    assert_close(t.table->rows[i].config->start, starts[i], 0);
  }
  assert_string_equal(t.table->rows[5].weight, "terms.zeal.weight");
  assert_null(t.table->rows[3].lua);
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_own_terms_write(t.own, &w);
  parl_test_table u;
  assert_ok(parl_test_read_terms(parl_text_get(&text), &u)); /* what it wrote, it reads */
  assert_int_equal(u.own->n, 2);
  assert_memory_equal(u.own->items, t.own->items, 2 * sizeof *t.own->items);
  parl_text_deinit(&text);
  parl_test_table_deinit(&u);
  parl_test_table_deinit(&t);
}

static void test_refused_sections(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
  } rows[] = {
      {"[]", "must be a table"},
      {"{\"mine\":1}", "terms.mine is a number"},
      {"{\"mine\":{}}", "no `lua`"},
      {"{\"paralel\":{\"weight\":{}}}", "did you mean \"parallel\"?"},
      {"{\"mien\":{\"weight\":{}},\"mine\":{\"lua\":\"1\"}}", "did you mean \"mine\"?"},
      {"{\"mine\":{\"lua\":\"1\",\"wieght\":{}}}", "did you mean \"weight\"?"},
      {"{\"mine\":{\"lua\":\"1\",\"weight\":{\"strat\":1}}}", "did you mean \"start\"?"},
      {"{\"mine\":{\"lua\":\"1\",\"weight\":{\"start\":-1}}}", "terms.mine.weight.start = -1"},
      {"{\"mine\":{\"lua\":\"1\",\"weight\":1}}", "terms.mine.weight"},
      {"{\"mine\":{\"lua\":7}}", "terms.mine.lua"},
      {"{\"mine\":{\"lua\":\"\"}}", "terms.mine.lua"},
      {"{\"perf\":{\"lua\":\"1\"}}", "reward.perf_lua"},
      {"{\"early\":{\"lau\":\"1\"}}", "terms.early: unknown key \"lau\""},
      {"{\"launches\":{\"lua\":\"1\"}}", "\"launches\" is no name"},
      {"{\"group\":{\"lua\":\"1\"}}", "\"group\" is no name"},
      {"{\"math\":{\"lua\":\"1\"}}", "of Lua"},
      {"{\"while\":{\"lua\":\"1\"}}", "of Lua"},
      {"{\"nil\":{\"lua\":\"1\"}}", "of Lua"},
      {"{\"a b\":{\"lua\":\"1\"}}", "\"a b\" is no name"},
      {"{\"1a\":{\"lua\":\"1\"}}", "\"1a\" is no name"},
      {"{\"\":{\"lua\":\"1\"}}", "\"\" is no name"},
      {"{\"a.b\":{\"lua\":\"1\"}}", "\"a.b\" is no name"},
      {"{\"a\\u001b[31m\":{\"lua\":\"1\"}}", "\"a\\u001b[31m\" is no name"},
      {"{\"a\\n\":{\"lua\":\"1\"}}", "\"a\\n\" is no name"},
      {"{\"a234567890123456789012345678901x\":{\"lua\":\"1\"}}", "is no name"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    parl_test_table t;
    assert_fails(parl_test_read_terms(rows[i].text, &t), PARL_STATUS_EINVAL, rows[i].part);
    assert_null(t.own);
    for (const char *c = parl_error_text(); *c != '\0'; c++)
      assert_true(*c == '\n' || (unsigned char)*c >= ' ');
  }
}

/* A name must not make two metrics of one name. */
static void test_names_that_are_metrics(void **state) {
  (void)state;
  static const char *const names[] = {"total", "kl", "lambda1", "share_perf", "weighted_mine"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char text[128];
    parl_test_table t;
    parl_metric_table *metrics = NULL;
    snprintf(text, sizeof text, "{\"mine\":{\"lua\":\"1\"},\"%s\":{\"lua\":\"1\"}}", names[i]);
    assert_ok(parl_test_read_terms(text, &t));
    assert_fails(parl_metric_table_create(t.table, &metrics), PARL_STATUS_EINVAL, names[i]);
    assert_null(metrics);
    parl_test_table_deinit(&t);
  }
}

static void test_as_many_as_there_may_be(void **state) {
  (void)state;
  parl_text text = {0};
  parl_test_table t;
  for (int n = PARL_MAX_OWN_TERMS; n <= 10000; n += 10000 - PARL_MAX_OWN_TERMS) {
    parl_text_clear(&text);
    for (int i = 0; i < n; i++)
      parl_text_appendf(&text, "%c\"x%d\":{\"lua\":\"1\"}", i > 0 ? ',' : '{', i);
    parl_text_append(&text, "}");
    if (n == PARL_MAX_OWN_TERMS)
      assert_ok(parl_test_read_terms(parl_text_get(&text), &t));
    else
      assert_fails(parl_test_read_terms(parl_text_get(&text), &t), PARL_STATUS_EINVAL, "10000");
    if (n > PARL_MAX_OWN_TERMS) break;
    assert_int_equal(t.table->n, PARL_MAX_TERMS);
    parl_metric_table *metrics = NULL;
    assert_ok(parl_metric_table_create(t.table, &metrics));
    assert_string_equal(metrics->keys[metrics->n - 1], "gradient/gradient_x99");
    assert_string_equal(metrics->names[metrics->n - 3], "lambda_x99");
    parl_metric_table_destroy(metrics);
    parl_test_table_deinit(&t);
  }
  parl_text_deinit(&text);
}

/* --- a group --- */

typedef parl_test_reward rewarded;

/* Of critical steps 7, 3, 5, 3 and r_perf 0.5, 1, 0.25, 0. */
static const parl_facts facts[K] = {{.r_perf = 0.5, .critical_steps = 7},
                                    {.r_perf = 1, .critical_steps = 3},
                                    {.r_perf = 0.25, .critical_steps = 5},
                                    {.r_perf = 0, .critical_steps = 3}};
static const char *const scores[K] = {"{\"rows\":4}", "{\"rows\":1}", "{\"rows\":2}",
                                      "{\"rows\":8}"};

/* Of the outcomes in this order. */
static parl_status get_terms(const rewarded *r, const size_t order[K], double *out) {
  parl_outcome of[K];
  for (size_t k = 0; k < K; k++)
    of[k] = (parl_outcome){.facts = &facts[order[k]], .scores = scores[order[k]]};
  return parl_reward_group(r->reward, &(parl_group){.of = of, .K = K, .update = 3}, out);
}

static const size_t in_order[K] = {0, 1, 2, 3};

/* rank: rollouts that took longer, of 4. rows: own over the group's. place: k + 10 K + 100 t. */
static void test_a_group_by_hand(void **state) {
  (void)state;
  rewarded r;
  parl_test_reward_init(
      "{\"rank\":{\"lua\":\"" RANK
      "\"},\"rows\":{\"lua\":\"local n = 0 for _, other in ipairs(group) do "
      "n = n + other.scores.rows end return scores.rows / n\"},\"place\":{\"lua\":"
      "\"k + 10 * K + 100 * update + 1000 * #group\"},\"solo\":{\"lua\":\"r_perf * 2\"}}",
      &r);
  static const double place[K] = {4341, 4342, 4343, 4344}, rank[K] = {0, 0.5, 0.25, 0.5};
  static const double rows[K] = {4.0 / 15, 1.0 / 15, 2.0 / 15, 8.0 / 15}, solo[K] = {1, 2, 0.5, 0};
  double out[K * (PARL_N_TERMS + 4)];
  assert_true(parl_reward_wants_scores(r.reward));
  assert_ok(get_terms(&r, in_order, out));
  for (size_t k = 0; k < K; k++) {
    const double *terms = &out[k * (PARL_N_TERMS + 4)];
    assert_close(terms[PARL_TERM_perf], facts[k].r_perf, 0);
    assert_close(terms[MINE], place[k], 0);
    assert_close(terms[MINE + 1], rank[k], 0);
    assert_close(terms[MINE + 2], rows[k], 1e-15);
    assert_close(terms[MINE + 3], solo[k], 0);
  }
  parl_test_reward_deinit(&r);
}

/* Terms that do not ask for k go with their rollouts wherever these stand. */
static void test_order_within_a_group(void **state) {
  (void)state;
  static const size_t orders[][K] = {{3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {0, 2, 1, 3}};
  rewarded r;
  parl_test_reward_init(
      "{\"rank\":{\"lua\":\"" RANK
      "\"},\"best\":{\"lua\":\"local b = 0 for i = 1, K do b = "
      "math.max(b, group[i].scores.rows) end return scores.rows == b and 1 or 0\"}}",
      &r);
  const size_t n = PARL_N_TERMS + 2;
  double first[K * (PARL_N_TERMS + 2)], out[K * (PARL_N_TERMS + 2)];
  assert_ok(get_terms(&r, in_order, first));
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    assert_ok(get_terms(&r, orders[i], out));
    for (size_t k = 0; k < K; k++)
      assert_memory_equal(&out[k * n], &first[orders[i][k] * n], n * sizeof *out);
  }
  parl_test_reward_deinit(&r);
}

/* What expressions may not do, each with what the error says: the term, the code, the rollout. */
static void test_refused_expressions(void **state) {
  (void)state;
  static const struct {
    const char *lua, *part;
    parl_status due;
  } rows[] = {
      {"while true do end", "rollout 1 of 4", PARL_STATUS_ELIMIT},
      {"string.rep('x', 1e9)", "rollout 1 of 4", PARL_STATUS_ESCRIPT},
      {"r_perf / (r_perf - 0.25) * 0", "rollout 3 of 4: gave nan", PARL_STATUS_ESCRIPT},
      {"0 / 0", "gave nan; it must be finite", PARL_STATUS_ESCRIPT},
      {"1 / (1 - r_perf)", "rollout 2 of 4: gave inf", PARL_STATUS_ESCRIPT},
      {"r_perf == 1 and 'x' or 0", "rollout 2 of 4", PARL_STATUS_ESCRIPT},
      {"scores.row", "did you mean 'scores.rows'", PARL_STATUS_ESCRIPT},
      {"group[2].r_pref", "r_perf", PARL_STATUS_ESCRIPT},
      {"group[K + 1].r_perf", "nil", PARL_STATUS_ESCRIPT},
      {"group[1].r_perf + (function() group[1].r_perf = 1 return 1 end)()", "read-only",
       PARL_STATUS_ESCRIPT},
      {"(function() scores.rows = 1 return 1 end)()", "read-only", PARL_STATUS_ESCRIPT},
      {"(function() group[1] = nil return 1 end)()", "read-only", PARL_STATUS_ESCRIPT},
      {"(function() kept = 1 return 1 end)()", "read-only", PARL_STATUS_ESCRIPT},
      {"lanches", "launches", PARL_STATUS_ESCRIPT},
      {"io.open('x')", "io", PARL_STATUS_ESCRIPT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[256];
    rewarded r;
    double out[K * (PARL_N_TERMS + 1)] = {42};
    snprintf(text, sizeof text, "{\"mine\":{\"lua\":\"%s\"}}", rows[i].lua);
    parl_test_reward_init(text, &r);
    const parl_status s = get_terms(&r, in_order, out);
    if (s != rows[i].due) print_error("%s: %s\n", rows[i].lua, parl_error_text());
    assert_int_equal(s, rows[i].due);
    assert_contains(parl_error_text(), rows[i].part);
    assert_contains(parl_error_text(), "terms.mine.lua");
    assert_contains(parl_error_text(), "r_mine of rollout");
    assert_close(out[0], 42, 0);
    parl_test_reward_deinit(&r);
  }
}

/* Without scores there are none to name; a trial without an environment takes any. */
static void test_scores_that_were_not_kept(void **state) {
  (void)state;
  rewarded r;
  parl_reward_config config;
  parl_test_reward_init("{\"mine\":{\"lua\":\"scores.rows\"}}", &r);
  double out[PARL_N_TERMS + 1];
  const parl_outcome of = {.facts = &facts[0]};
  assert_fails(parl_reward_group(r.reward, &(parl_group){.of = &of, .K = 1}, out),
               PARL_STATUS_ESCRIPT, "scores.rows");
  parl_config_set_defaults(&parl_reward_section, &config);
  assert_ok(parl_reward_check(&config, r.t.table, K));
  parl_env *env = NULL;
  assert_ok(parl_env_create(COUNT_ENV, NULL, &(parl_env_options){0}, &env));
  assert_fails(parl_reward_check_env(&config, r.t.table, env), PARL_STATUS_ESCRIPT, "scores.rows");
  parl_test_reward_deinit(&r);
  parl_test_reward_init("{\"mine\":{\"lua\":\"1 - scores.success\"}}", &r);
  assert_ok(parl_reward_check_env(&config, r.t.table, env));
  parl_env_destroy(env);
  parl_test_reward_deinit(&r);
}

/* The advantage, its shares and GDPO's division go over all terms, whatever their number: here
 * r_perf and an own term of weight 0.5 over values 0 0 1 1 and 0 1 0 1. */
static void test_advantage_of_own_terms(void **state) {
  (void)state;
  static const double terms[K * 5] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1};
  static const double weights[5] = {0, 0, 1, 0, 0.5};
  static const double mean[K] = {-0.75, -0.25, 0.25, 0.75};
  const double d = 0.5 + 1e-6;
  parl_test_table t;
  double out[K];
  parl_advantage_shares s;
  assert_ok(parl_test_read_terms("{\"mine\":{\"lua\":\"1\"}}", &t));
  const parl_reward_batch batch = {t.table, 1, K, terms, weights};
  assert_ok(parl_advantage(PARL_ADVANTAGE_MEAN, &batch, out));
  for (size_t k = 0; k < K; k++) assert_close(out[k], mean[k], 1e-15);
  assert_ok(parl_advantage(PARL_ADVANTAGE_PER_TERM, &batch, out));
  for (size_t k = 0; k < K; k++) assert_close(out[k], mean[k] / d, 1e-12);
  assert_ok(parl_advantage_get_shares(PARL_ADVANTAGE_MEAN, &batch, &s));
  assert_close(s.share[PARL_TERM_perf], 2.0 / 3, 1e-15);
  assert_close(s.share[MINE], 1.0 / 3, 1e-15);
  parl_test_table_deinit(&t);
}

/* --- training --- */

typedef struct training {
  char folder[PARL_TEST_PATH_BYTES];
  parl_recipe *recipe;
  parl_run run;
  parl_host host;
  parl_trainer t;
} training;

static const char body[] =
    "return { env = { file = '" COUNT_ENV
    "', params = { n = 4 } },\n"
    "  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = "
    "32 },\n"
    "  train = { updates = 6, tasks = 3, group = 4 }, %s }\n";

static void open_training(const char *terms, training *x) {
  char path[PARL_TEST_PATH_BYTES + 16], text[2048];
  *x = (training){.recipe = NULL};
  parl_test_temp_folder(x->folder);
  snprintf(path, sizeof path, "%s/r.lua", x->folder);
  snprintf(text, sizeof text, body, terms);
  assert_ok(parl_file_write(path, text, strlen(text)));
  assert_ok(parl_recipe_load(path, NULL, 0, NULL, &x->recipe));
  assert_ok(parl_run_init(x->recipe, 0, 1, &x->run));
  parl_recipe_destroy(x->recipe); /* the run has its terms itself */
  x->t = (parl_trainer){.host = &x->host, .run = &x->run, .config = &x->run.config, .arm = "x"};
  parl_trainer *t = &x->t;
  assert_ok(parl_workers_create(2, &t->workers));
  assert_ok(parl_run_open_env(&x->run, NULL, &t->env));
  const int n_tokens = parl_env_get_spec(t->env)->n_tokens;
  t->model = count_model(t->config, n_tokens, "cpu", 1);
  t->warm = count_model(t->config, n_tokens, "cpu", 2);
  assert_ok(parl_subs_open(&x->run, t->env, t->warm, &t->subs));
  assert_ok(parl_trainer_prepare(t));
}

static void close_training(training *x) {
  parl_trainer *t = &x->t;
  parl_updater_destroy(t->updater);
  parl_rollout_destroy(t->rollout);
  parl_model_destroy(t->model);
  parl_model_destroy(t->warm);
  parl_run_close_env(t->env);
  parl_workers_destroy(t->workers);
  parl_run_deinit(&x->run);
  parl_test_remove_folder(x->folder);
}

/* --- identity --- */

/* The canonical configuration of a recipe with these terms. */
static void get_canonical(const char *terms, parl_text *out) {
  training x;
  open_training(terms, &x);
  parl_text_clear(out);
  assert_ok(parl_run_append_canonical(&x.run, x.t.env, PARL_SCOPE_RUN, out));
  parl_text json = {0};
  parl_json_writer w;
  parl_json *tree = NULL;
  parl_run again;
  parl_json_writer_init(&w, &json, false);
  parl_run_write(&x.run, &w);
  assert_ok(parl_json_parse(parl_text_get(&json), json.n, "run", &tree));
  assert_ok(parl_run_read(tree, "run", &again)); /* as JSON it is the same run */
  parl_text same = {0};
  assert_ok(parl_run_append_canonical(&again, x.t.env, PARL_SCOPE_RUN, &same));
  assert_string_equal(parl_text_get(&same), parl_text_get(out));
  parl_text_deinit(&same);
  parl_run_deinit(&again);
  parl_json_destroy(tree);
  parl_text_deinit(&json);
  close_training(&x);
}

/* What `terms` does not change leaves the configuration as it was before there were terms; two
 * names of one weight are one configuration; a term is part of it, in whatever order it stands. */
static void test_terms_are_part_of_the_identity(void **state) {
  (void)state;
  parl_text a = {0}, b = {0};
  get_canonical("lambda1 = { start = 0.4 }", &a);
  assert_null(strstr(parl_text_get(&a), "terms"));
  assert_null(strstr(parl_text_get(&a), "lambda_perf"));
  assert_null(strstr(parl_text_get(&a), "over_metric"));
  assert_null(strstr(parl_text_get(&a), "steepness"));
  get_canonical(
      "terms = { parallel = { weight = { start = 0.4 } }, perf = { weight = { start = 1 "
      "} } }",
      &b);
  assert_string_equal(parl_text_get(&a), parl_text_get(&b));
  get_canonical("lambda1 = { start = 0.4 }, terms = { perf = { weight = { start = 2 } } }", &b);
  assert_non_null(strstr(parl_text_get(&b), "\"lambda_perf\":{"));
  get_canonical("lambda1 = { over_metric = 'success' }", &b);
  assert_non_null(strstr(parl_text_get(&b), "\"over_metric\":\"success\""));
  assert_null(strstr(parl_text_get(&b), "steepness"));
  get_canonical("terms = { x = { lua = '1' }, y = { lua = '2' } }", &a);
  assert_null(strstr(parl_text_get(&a), "over_metric"));
  get_canonical("terms = { y = { lua = '2' }, x = { lua = '1', weight = { start = 0.1 } } }", &b);
  assert_string_equal(parl_text_get(&a), parl_text_get(&b));
  get_canonical("terms = { x = { lua = '1' }, y = { lua = '3' } }", &b);
  assert_string_not_equal(parl_text_get(&a), parl_text_get(&b));
  parl_text_deinit(&a);
  parl_text_deinit(&b);
}

/* A section that one configuration leaves out, being the default there, is compared with that. */
static void test_what_a_configuration_leaves_out(void **state) {
  (void)state;
  static const char *const texts[] = {"{}", "{\"lambda_perf\":{\"start\":2}}"};
  parl_json *configs[2] = {NULL};
  for (size_t i = 0; i < 2; i++)
    assert_ok(parl_json_parse(texts[i], strlen(texts[i]), "test", &configs[i]));
  assert_ok(parl_recipe_fill_in(configs, 1));
  assert_int_equal(parl_json_get_size(configs[0]), 0);
  assert_ok(parl_recipe_fill_in(configs, 2));
  assert_close(parl_json_get_number(parl_json_find_path(configs[0], "lambda_perf.start")), 1, 0);
  assert_close(parl_json_get_number(parl_json_find_path(configs[1], "lambda_perf.start")), 2, 0);
  assert_int_equal(parl_json_get_size(configs[0]), 1);
  for (size_t i = 0; i < 2; i++) parl_json_destroy(configs[i]);
}

/* --- by hand --- */

/* Two terms of a recipe: `idle`, of a rollout alone, and `rank`, of its group. Everything that
 * follows of them in an update is worked out again here from the facts. */
static void test_training_with_two_own_terms(void **state) {
  (void)state;
  training x;
  open_training(
      "terms = { parallel = { weight = { start = 0 } }, finish = { weight = { start = 0 "
      "} },\n perf = { weight = { shape = 'constant', start = 2 } },\n"
      "idle = { lua = 'turns / (turns + 1) + 0 * scores.success + 0 * #stages', weight = { shape = "
      "'constant', start = 0.3 } },\n"
      "rank = { lua = '" RANK "', weight = { start = 0.2, over = 1 } } }",
      &x);
  const parl_trainer *t = &x.t;
  const size_t n = t->updater->table->n, IDLE = PARL_N_TERMS, RANKED = PARL_N_TERMS + 1;
  assert_int_equal(n, PARL_N_TERMS + 2);
  for (int update = 0; update < 3; update++) {
    assert_ok(parl_updater_run(x.t.updater));
    double mean_rank = 0, mean_total = 0;
    const double lambda = 0.2 * (1 - update / 6.0);
    for (size_t g = 0; g < 3; g++) {
      double reward[4], sum = 0;
      for (size_t k = 0; k < 4; k++) {
        const parl_facts *f = &t->updater->jobs[g * 4 + k].out->facts;
        double slower = 0;
        for (size_t i = 0; i < 4; i++)
          slower += t->updater->jobs[g * 4 + i].out->facts.critical_steps > f->critical_steps;
        const double *terms = &t->updater->terms[(g * 4 + k) * n];
        assert_close(terms[IDLE], f->turns / (f->turns + 1), 1e-15);
        assert_close(terms[RANKED], slower / 4, 0);
        reward[k] = 2 * f->r_perf + 0.3 * terms[IDLE] + lambda * slower / 4;
        sum += reward[k];
        mean_rank += slower / 4 / 12;
        mean_total += reward[k] / 12;
      }
      for (size_t k = 0; k < 4; k++)
        assert_close(t->updater->advantage[g * 4 + k], reward[k] - sum / 4, 1e-12);
    }
    const parl_metrics *m = &t->updater->metrics;
    assert_close(m->of[RANKED].raw, mean_rank, 1e-12);
    assert_close(m->of[RANKED].weight, lambda, 1e-15);
    assert_close(m->of[RANKED].weighted, lambda * mean_rank, 1e-12);
    assert_close(m->total, mean_total, 1e-12);
    double shares = 0;
    for (size_t i = 0; i < n; i++) shares += m->of[i].share;
    assert_close(shares, 1, 1e-12);
    assert_true(m->of[IDLE].share > 0);
  }
  close_training(&x);
}

/* A term of weight 0 changes no bit of the weights. */
static void test_a_term_of_weight_zero(void **state) {
  (void)state;
  training with, without;
  open_training("terms = { mine = { lua = 'turns', weight = { shape = 'constant', start = 0 } } }",
                &with);
  open_training("name = 'plain'", &without);
  for (int update = 0; update < 3; update++) {
    assert_ok(parl_updater_run(with.t.updater));
    assert_ok(parl_updater_run(without.t.updater));
  }
  assert_true(with.t.updater->metrics.of[MINE].raw > 0);
  assert_close(with.t.updater->metrics.of[MINE].share, 0, 0);
  assert_close(with.t.updater->metrics.total, without.t.updater->metrics.total, 0);
  const size_t n = parl_model_get_n_params(with.t.model);
  float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
  assert_non_null(a);
  assert_non_null(b);
  assert_ok(parl_model_read(with.t.model, 0, n, a));
  assert_ok(parl_model_read(without.t.model, 0, n, b));
  assert_memory_equal(a, b, n * sizeof *a);
  free(a);
  free(b);
  close_training(&without);
  close_training(&with);
}

/* A schedule may look at the metrics of an own term. */
static void test_a_weight_that_looks_at_a_term(void **state) {
  (void)state;
  training x;
  open_training(
      "terms = { mine = { lua = 'turns', weight = { shape = 'closed_loop', start = 1, "
      "stop = 0, metric = 'mine', target = 0, gain = 0.01 } } },\n"
      "lambda1 = { shape = 'lua', lua = '0.5 * lambda_mine', start = 0.125 }",
      &x);
  assert_ok(parl_updater_run(x.t.updater));
  const parl_metrics first = x.t.updater->metrics;
  assert_close(first.of[MINE].weight, 1, 0);
  assert_close(first.of[PARL_TERM_parallel].weight, 0.125, 0);
  assert_ok(parl_updater_run(x.t.updater));
  assert_close(x.t.updater->metrics.of[MINE].weight, 1 - 0.01 * first.of[MINE].raw, 1e-15);
  assert_close(x.t.updater->metrics.of[PARL_TERM_parallel].weight, 0.5, 0);
  close_training(&x);
}

/* Shares of the gradient add up to 1 whatever else is in the loss, are 0 without a weight, are the
 * whole where one term alone varies, and measuring them changes no weight. */
static void test_gradient_shares(void **state) {
  (void)state;
  static const char *const losses[] = {
      "kind = 'k25', tau = 0.5, entropy_bonus = 0.3", "kind = 'reinforce', advantage = 'mean_std'",
      "kind = 'tis', advantage = 'loo', entropy_bonus = 0.1", "kind = 'k25', advantage = 'none'",
      "kind = 'k25', advantage = 'gdpo'"};
  for (size_t l = 0; l < sizeof losses / sizeof losses[0]; l++) {
    training with, without;
    char text[1024];
    static const char form[] =
        "terms = { mine = { lua = 'turns', weight = { shape = 'constant', start = 0.05 } },\n"
        "null = { lua = 'turns', weight = { shape = 'constant', start = 0 } } },\n"
        "objective = { %s }, optimizer = { warmup = 0 }, train = { updates = 6, tasks = 3, group = "
        "4, minibatches = 2%s }";
    snprintf(text, sizeof text, form, losses[l], ", gradient_shares_every = 2");
    open_training(text, &with);
    snprintf(text, sizeof text, form, losses[l], "");
    open_training(text, &without);
    for (int update = 0; update < 3; update++) {
      assert_ok(parl_updater_run(with.t.updater));
      assert_ok(parl_updater_run(without.t.updater));
      const parl_updater *u = with.t.updater;
      double sum = 0;
      for (size_t i = 0; i < u->table->n; i++) sum += u->metrics.of[i].gradient;
      if (update == 1) {
        assert_true(isnan(sum)); /* not measured */
        continue;
      }
      assert_close(sum, 1, 2e-3);
      assert_true(u->metrics.of[MINE].gradient != 0);
      assert_close(u->metrics.of[MINE + 1].gradient, 0, 0);
    }
    const size_t n = parl_model_get_n_params(with.t.model);
    float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    assert_non_null(a);
    assert_non_null(b);
    assert_ok(parl_model_read(with.t.model, 0, n, a));
    assert_ok(parl_model_read(without.t.model, 0, n, b));
    assert_memory_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
    close_training(&without);
    close_training(&with);
  }
}

/* Alone, a term has the whole gradient; two that are the same share it as their weights are. */
static void test_gradient_shares_of_equal_terms(void **state) {
  (void)state;
  training x;
  open_training(
      "terms = { mine = { lua = 'turns', weight = { shape = 'constant', start = 0.3 } },\n"
      "twin = { lua = 'turns', weight = { shape = 'constant', start = 0.1 } },\n"
      "perf = { weight = { shape = 'constant', start = 0 } } },\n"
      "lambda1 = { start = 0 }, lambda2 = { start = 0 }, objective = { entropy_bonus = 1 },\n"
      "train = { updates = 6, tasks = 3, group = 4, gradient_shares_every = 1 }",
      &x);
  assert_ok(parl_updater_run(x.t.updater));
  assert_close(x.t.updater->metrics.of[MINE].gradient, 0.75, 1e-4);
  assert_close(x.t.updater->metrics.of[MINE + 1].gradient, 0.25, 1e-4);
  close_training(&x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_of_the_table),
      cmocka_unit_test(test_refused_sections),
      cmocka_unit_test(test_names_that_are_metrics),
      cmocka_unit_test(test_as_many_as_there_may_be),
      cmocka_unit_test(test_a_group_by_hand),
      cmocka_unit_test(test_order_within_a_group),
      cmocka_unit_test(test_refused_expressions),
      cmocka_unit_test(test_scores_that_were_not_kept),
      cmocka_unit_test(test_advantage_of_own_terms),
      cmocka_unit_test(test_terms_are_part_of_the_identity),
      cmocka_unit_test(test_what_a_configuration_leaves_out),
      cmocka_unit_test(test_training_with_two_own_terms),
      cmocka_unit_test(test_gradient_shares),
      cmocka_unit_test(test_gradient_shares_of_equal_terms),
      cmocka_unit_test(test_a_term_of_weight_zero),
      cmocka_unit_test(test_a_weight_that_looks_at_a_term),
  };
  return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
