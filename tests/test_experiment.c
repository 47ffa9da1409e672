/* tests/test_experiment.c - whole recipes: the same bits for any number of threads and across a
 * stop, learning, refusal of bad recipes, nothing overwritten. */
#include <stdatomic.h>

#include "core/file.h"
#include "experiments/experiment.h"
#include "parl/learn/metrics.h"
#include "parl/run/rows.h"
#include "tests/rollout_support.h"
#include "tests/terms_support.h"

static const char recipe_text[] =
    "return { name = 'tiny', run = { n_seeds = 2, checkpoint_every = 3 },\n"
    "  env = { file = '" COUNT_ENV
    "', params = { n = 4 } },\n"
    "  episode = { budget_factor = 1.4 },\n"
    "  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = "
    "32,\n"
    "            max_context = 128 },\n"
    "  warm = { steps = 12, episodes = 8, mix = 'serial=0.7,wide=0.3', probe = 32 },\n"
    "  train = { updates = 8, tasks = 3, group = 4, slots = 6 },\n"
    "  eval = { tasks = 20, baselines = 'serial,wide' },\n"
    "  arms = { { name = 'annealed', lambda1 = { start = 0.3 }, lambda2 = { start = 0.3 } },\n"
    "           { name = 'none', lambda1 = { start = 0.0 }, lambda2 = { start = 0.0 } } } }\n";

typedef struct place {
  char folder[PARL_TEST_PATH_BYTES], recipe[PARL_TEST_PATH_BYTES + 32];
} place;

static void open_place(place *p) {
  parl_test_temp_folder(p->folder);
  snprintf(p->recipe, sizeof p->recipe, "%s/tiny.lua", p->folder);
  FILE *f = fopen(p->recipe, "w");
  assert_non_null(f);
  assert_true(fputs(recipe_text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

/* Runs the recipe in <place>/<name> with overrides; stop_after < 0: to its end. */
typedef struct stopper {
  atomic_int stop;
  atomic_int updates_left; /* runs report from several threads */
} stopper;

static void count_down(void *context, const parl_progress *p) {
  stopper *s = context;
  if (strcmp(p->phase, "train") == 0 && atomic_fetch_sub(&s->updates_left, 1) == 1) s->stop = 1;
}

static parl_status run_recipe(const place *p, const char *name, const char *threads,
                              const char *extra, int stop_after, parl_experiment_result *out) {
  char dir[2 * PARL_TEST_PATH_BYTES], run_threads[64];
  snprintf(dir, sizeof dir, "run.dir=%s/%s", p->folder, name);
  snprintf(run_threads, sizeof run_threads, "run.threads=%s", threads);
  const char *overrides[] = {dir, run_threads, extra};
  parl_recipe *recipe = NULL;
  PARL_TRY(parl_recipe_load(p->recipe, overrides, extra ? 3 : 2, NULL, &recipe));
  stopper s = {.updates_left = stop_after};
  const parl_host host = {.stop = &s.stop, .progress = count_down, .context = &s};
  const parl_status status = parl_experiment_run(recipe, &host, out);
  parl_recipe_destroy(recipe);
  return status;
}

static void test_same_bits(void **state) {
  (void)state;
  place p;
  open_place(&p);
  parl_experiment_result a, b;
  assert_ok(run_recipe(&p, "one", "1", NULL, -1, &a));
  assert_int_equal(a.n_runs, 4);
  assert_int_equal(a.updates, 4 * 8);
  assert_ok(run_recipe(&p, "two", "2", NULL, -1, &b));
  assert_string_equal(a.hash, b.hash);
  assert_ok(run_recipe(&p, "eight", "8", NULL, -1,
                       &b)); /* more threads than runs: threads inside a run */
  assert_string_equal(a.hash, b.hash);
  assert_string_equal(a.uid, b.uid);
  assert_ok(run_recipe(&p, "seed", "2", "run.seed=7", -1, &b));
  assert_string_not_equal(a.hash, b.hash);
  parl_test_remove_folder(p.folder);
}

static void test_stop_and_continue(void **state) {
  (void)state;
  place p;
  open_place(&p);
  parl_experiment_result whole, part;
  assert_ok(run_recipe(&p, "whole", "2", NULL, -1, &whole));
  for (int stop_after = 1; stop_after <= 21; stop_after += 5) {
    char name[32];
    snprintf(name, sizeof name, "part%d", stop_after);
    assert_status(run_recipe(&p, name, "2", NULL, stop_after, &part), PARL_STATUS_ESTOPPED);
    assert_ok(run_recipe(&p, name, "1", NULL, -1, &part));
    assert_string_equal(whole.hash, part.hash);
  }
  /* A finished experiment is left alone. */
  assert_ok(run_recipe(&p, "whole", "2", NULL, -1, &part));
  assert_int_equal(part.updates, 0);
  assert_int_equal(part.n_done_before, 4);
  assert_string_equal(whole.hash, part.hash);
  parl_test_remove_folder(p.folder);
}

/* Weights of own terms that carry state, a closed loop, a backoff, progress and a program that
 * holds, budgets of the warm start, a judge that errs, and scores: the same bits for any number of
 * threads and across a stop. */
static void test_own_terms_stop_and_continue(void **state) {
  (void)state;
  place p;
  char text[sizeof recipe_text + 1024];
  open_place(&p);
  const char *arms = strstr(recipe_text, "arms =");
  snprintf(
      text, sizeof text,
      "%.*s terms = {\n"
      "  idle = { lua = 'turns / (turns + 1) + scores.success', weight = { shape = "
      "'closed_loop',\n"
      "    start = 0.4, stop = 0, metric = 'rank', target = 0.1, gain = 0.3 } },\n"
      "  rank = { lua = 'local n = 0 for i = 1, K do if group[i].critical_steps > "
      "critical_steps then n = n + 1 end end return n / K',\n"
      "    weight = { shape = 'lua', start = 0.1, lua = '0.3 * weighted_idle' } },\n"
      "  short = { kind = 'toggle', phase = 3, accuracy = 0, percentile = 0,\n"
      "    weight = { shape = 'backoff', metric = 'r_perf', target = 0.2, factor = 0.9,\n"
      "      start = 1, stop = 0.2 } },\n"
      "  grade = { kind = 'rubric', lua = 'r_perf', error_rate = 0.2, weight = { start = 0.3,\n"
      "    shape = 'sigmoid', over_metric = 'rank', from = 0, to = 0.5 } } },\n"
      "warm = { steps = 40, episodes = 32, mix = 'serial=0.5,wide=0.5', probe = 32 },\n%s",
      (int)(arms - recipe_text), recipe_text, arms);
  assert_ok(parl_file_write(p.recipe, text, strlen(text)));
  parl_experiment_result whole, part;
  assert_ok(run_recipe(&p, "whole", "2", NULL, -1, &whole));
  assert_int_equal(whole.n_failed, 0);
  assert_ok(run_recipe(&p, "other", "1", NULL, -1, &part));
  assert_string_equal(whole.hash, part.hash);
  for (int stop_after = 4; stop_after <= 20; stop_after += parl_test_is_short() ? 20 : 8) {
    char name[32];
    snprintf(name, sizeof name, "part%d", stop_after);
    assert_status(run_recipe(&p, name, "2", NULL, stop_after, &part), PARL_STATUS_ESTOPPED);
    assert_ok(run_recipe(&p, name, "1", NULL, -1, &part));
    assert_string_equal(whole.hash, part.hash);
  }
  assert_ok(run_recipe(&p, "weight", "2", "terms.idle.weight.gain=0.31", -1, &part));
  assert_string_not_equal(whole.uid, part.uid);
  assert_ok(run_recipe(&p, "budget", "2", "terms.short.percentile=100", -1, &part));
  assert_string_not_equal(whole.hash, part.hash); /* the budget comes from the warm start */
  parl_test_remove_folder(p.folder);
}

typedef struct relapse {
  int first, n; /* update in which the detector first fires, -1: none; updates in which it does */
} relapse;

static parl_status find_trained(void *context, int64_t run_id, const parl_store_run *run) {
  if (strcmp(run->arm, "trained") == 0) *(int64_t *)context = run_id;
  return PARL_STATUS_OK;
}

static parl_status note_relapse(void *context, int64_t update, const char *key, double value) {
  (void)key;
  relapse *r = context;
  if (value > 0 && r->n++ == 0) r->first = (int)update;
  return PARL_STATUS_OK;
}

/* Launching is paid for up to update 5 and costs 3 from then on: it is lost, and the detector that
 * remembers what it was fires. What it remembers is kept across a stop. */
static void test_detectors_stop_and_continue(void **state) {
  (void)state;
  place p;
  char text[sizeof recipe_text + 512], path[2 * PARL_TEST_PATH_BYTES];
  open_place(&p);
  snprintf(text, sizeof text,
           "%.*s lambda1 = { shape = 'lua', start = 0, lua = 't < 6 and 0.3 or 0' },\n"
           "lambda2 = { shape = 'constant', start = 0 }, run = { checkpoint_every = 4 },\n"
           "warm = { steps = 40, episodes = 32, mix = 'serial=0.2,wide=0.8', probe = 0 },\n"
           "eval = { tasks = 10, baselines = '' }, optimizer = { lr = 0.02, warmup = 0 }, train = "
           "{ updates = 24, tasks = 4, group = 8 },\n"
           "terms = { dear = { kind = 'cost', of = 'launches', scale = 1,\n"
           "  weight = { shape = 'lua', start = 0, lua = 't < 6 and 0 or 3' } } } }\n",
           (int)(strstr(recipe_text, "warm =") - recipe_text), recipe_text);
  assert_ok(parl_file_write(p.recipe, text, strlen(text)));
  parl_experiment_result whole, part;
  assert_ok(run_recipe(&p, "whole", "2", NULL, -1, &whole));
  snprintf(path, sizeof path, "%s/whole/store.db", p.folder);
  parl_store *store = NULL;
  int64_t run_id = -1;
  relapse r = {.first = -1};
  assert_ok(parl_rows_open_readonly(path, &store));
  assert_ok(parl_store_visit_runs(store, find_trained, &run_id));
  assert_ok(parl_rows_visit_metrics(store, run_id, "detector/relapse", note_relapse, &r));
  parl_store_close(store);
  assert_true(r.first > 6 && r.n > 4);
  for (int stop_after = r.first - 1; stop_after <= r.first + 1; stop_after++) {
    char name[32];
    snprintf(name, sizeof name, "part%d", stop_after);
    assert_status(run_recipe(&p, name, "2", NULL, stop_after, &part), PARL_STATUS_ESTOPPED);
    assert_ok(run_recipe(&p, name, "1", NULL, -1, &part));
    assert_string_equal(whole.hash, part.hash);
  }
  parl_test_remove_folder(p.folder);
}

/* Progress of any kind is a failure: nothing may be trained. */
static void forbid(void *context, const parl_progress *p) {
  (void)context;
  fail_msg("%s of arm \"%s\" before the refusal", p->phase, p->arm);
}

static void assert_refused(const place *p, const char *name, const char *extra, const char *part) {
  char dir[2 * PARL_TEST_PATH_BYTES];
  snprintf(dir, sizeof dir, "run.dir=%s/%s", p->folder, name);
  const char *overrides[] = {dir, extra, "run.threads=1"};
  parl_recipe *recipe = NULL;
  parl_experiment_result r;
  assert_ok(parl_recipe_load(p->recipe, overrides, 3, NULL, &recipe));
  const parl_host host = {.progress = forbid};
  assert_fails(parl_experiment_run(recipe, &host, &r), PARL_STATUS_EINVAL, "run.dir");
  assert_contains(parl_error_text(), part);
  parl_recipe_destroy(recipe);
}

static void write_recipe(const place *p, const char *text) {
  assert_ok(parl_file_write(p->recipe, text, strlen(text)));
}

/* Refused before the first step, also where the warm start or only a baseline is another. */
static void test_another_configuration_is_not_mixed_in(void **state) {
  (void)state;
  place p;
  open_place(&p);
  parl_experiment_result r;
  assert_ok(run_recipe(&p, "x", "2", "train.updates=2", -1, &r));
  assert_refused(&p, "x", "train.updates=3", "arm \"annealed\" with seed 1");
  assert_refused(&p, "x", "train.updates=3", "script, in train.updates; nothing");
  assert_refused(&p, "x", "warm.steps=13", "in train.updates, warm.steps;");
  assert_refused(&p, "x", "env.params.n=5", "in params.n, train.updates;");
  char other[sizeof recipe_text];
  memcpy(other, recipe_text, sizeof other);
  memcpy(strstr(other, "'annealed'"), "'tempered'", 10);
  memcpy(strstr(other, "'none'"), "'zero'", 6);
  write_recipe(&p, other);
  assert_refused(&p, "x", "eval.tasks=21", "arm \"untrained\" with seed 1");
  write_recipe(&p, recipe_text);
  assert_ok(run_recipe(&p, "x", "2", "train.updates=2", -1, &r));
  assert_int_equal(r.n_done_before, 4);
  parl_test_remove_folder(p.folder);
}

/* One arm diverges: its runs fail, all others are made, and the next command leaves it at that. */
static void test_a_failed_run_stops_no_other(void **state) {
  (void)state;
  place p;
  open_place(&p);
  parl_experiment_result whole, r;
  assert_ok(run_recipe(&p, "whole", "2", NULL, -1, &whole));
  assert_int_equal(whole.n_failed, 0);
  char text[sizeof recipe_text + 256];
  const char *arms = strstr(recipe_text, "{ { name = 'annealed'");
  snprintf(text, sizeof text,
           "%.*s{ { name = 'bad', train = { updates = 40 }, optimizer = { lr = 1.0, clip = 0, "
           "warmup = 0 }, objective = { entropy_bonus = 10 } },\n%s",
           (int)(arms - recipe_text), recipe_text, arms + 2);
  write_recipe(&p, text);
  assert_ok(run_recipe(&p, "x", "2", NULL, -1, &r));
  assert_int_equal(r.n_runs, 6);
  assert_int_equal(r.n_failed, 2);
  assert_contains(parl_text_get(&r.failures), "arm \"bad\", seed 1: ");
  assert_contains(parl_text_get(&r.failures), "arm \"bad\", seed 2: ");
  assert_contains(parl_text_get(&r.failures), "not finite");
  parl_experiment_result_deinit(&r);
  write_recipe(&p, recipe_text);
  assert_ok(run_recipe(&p, "x", "2", NULL, -1, &r));
  assert_int_equal(r.n_done_before, 4);
  assert_string_equal(r.hash, whole.hash);
  parl_test_remove_folder(p.folder);
}

typedef struct found {
  double lambda_first, lambda_last, gap_max;
  int n, n_experts, n_scores;
} found;

static parl_status look(void *context, int64_t update, const char *key, double value) {
  found *f = context;
  if (strcmp(key, "lambda/lambda1") == 0) {
    if (update == 0) f->lambda_first = value;
    f->lambda_last = value;
    f->n++;
  }
  if (strncmp(key, "experts/", 8) == 0) f->n_experts++;
  if (strcmp(key, "attention/max_score") == 0) f->n_scores++;
  if (strcmp(key, "objective/logp_gap") == 0 && value > f->gap_max) f->gap_max = value;
  return PARL_STATUS_OK;
}

static parl_status find_arm(void *context, int64_t run_id, const parl_store_run *run) {
  if (strcmp(run->arm, "annealed") == 0) *(int64_t *)context = run_id;
  return PARL_STATUS_OK;
}

static found find_metrics(const char *extra) {
  place p;
  open_place(&p);
  parl_experiment_result r;
  assert_ok(run_recipe(&p, "x", "2", extra, -1, &r));
  char path[2 * PARL_TEST_PATH_BYTES];
  snprintf(path, sizeof path, "%s/x/store.db", p.folder);
  parl_store *store = NULL;
  assert_ok(parl_rows_open_readonly(path, &store));
  int64_t run_id = -1;
  assert_ok(parl_store_visit_runs(store, find_arm, &run_id));
  found f = {0};
  assert_ok(parl_rows_visit_metrics(store, run_id, NULL, look, &f));
  parl_store_close(store);
  parl_test_remove_folder(p.folder);
  return f;
}

/* Lambda starts where it was told and is 0 at the end; decoder and trainer agree on
 * log-probabilities. What the model has not is not stored. */
static void test_stored_metrics(void **state) {
  (void)state;
  found f = find_metrics(NULL);
  assert_int_equal(f.n, 8);
  assert_close(f.lambda_first, 0.3, 1e-12);
  assert_close(f.lambda_last, 0, 0);
  assert_true(f.gap_max < 1e-4);
  assert_int_equal(f.n_experts + f.n_scores, 0);
  f = find_metrics("model.preset=k2");
  assert_int_equal(f.n_experts, 5 * 8);
  assert_int_equal(f.n_scores, 0);
  assert_int_equal(find_metrics("optimizer.kind=muonclip").n_scores, 8);
}

/* Metrics come and go between versions: they are found by name. */
static void test_metrics_are_found_by_name(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[2 * PARL_TEST_PATH_BYTES];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/store.db", folder);
  parl_store *store = NULL;
  int64_t id = 0;
  const parl_store_run run = {.uid = "u",
                              .recipe = "r",
                              .arm = "a",
                              .config = "{}",
                              .status = "running",
                              .host = "{}",
                              .revision = ""};
  assert_ok(parl_rows_open(path, &store));
  assert_ok(parl_store_begin(store));
  assert_ok(parl_store_put_run(store, &run, &id));
  assert_ok(parl_rows_put_metric(store, id, 6, "reward/perf", 1));
  assert_ok(parl_rows_put_metric(store, id, 7, "reward/perf", 0.1));
  assert_ok(parl_rows_put_metric(store, id, 7, "gone/since", 2));
  assert_ok(parl_rows_put_metric(store, id, 7, "objective/kl", 3));
  assert_ok(parl_rows_put_metric(store, id, 8, "objective/kl", 4));
  parl_metrics m = {.tokens = 5};
  parl_text missing = {0};
  parl_metric_table *table = NULL;
  assert_ok(parl_metric_table_create(parl_test_built_in(), &table));
  assert_ok(parl_rows_get_metrics(store, id, 7, table, &m, &missing));
  parl_metric_table_destroy(table);
  assert_close(m.of[PARL_TERM_perf].raw, 0.1, 0);
  assert_close(m.kl, 3, 0);
  assert_true(isnan(m.tokens) && isnan(m.total));
  assert_contains(parl_text_get(&missing), "reward/total, ");
  assert_contains(parl_text_get(&missing), "episode/tokens, ");
  assert_null(strstr(parl_text_get(&missing), "reward/perf"));
  assert_null(strstr(parl_text_get(&missing), "experts/")); /* a dense model has none */
  parl_text_deinit(&missing);
  assert_ok(parl_store_commit(store));
  parl_store_close(store);
  parl_test_remove_folder(folder);
}

static void refuse(const place *p, const char *override, const char *part) {
  parl_recipe *recipe = NULL;
  assert_fails(parl_recipe_load(p->recipe, &override, 1, NULL, &recipe), PARL_STATUS_EINVAL, part);
  assert_null(recipe);
}

static int64_t load_rank(const place *p, const char *const *overrides, size_t n, int *attention) {
  parl_recipe *recipe = NULL;
  assert_ok(parl_recipe_load(p->recipe, overrides, n, NULL, &recipe));
  const parl_model_config *c = &parl_recipe_get_arm(recipe, 1)->model;
  const int64_t rank = c->kv_lora_rank;
  *attention = c->attention;
  parl_recipe_destroy(recipe);
  return rank;
}

/* A preset's sizes follow from d_model; what is said explicitly wins, whatever the order. */
static void test_model_preset(void **state) {
  (void)state;
  place p;
  open_place(&p);
  const char *const overrides[] = {"model.kv_lora_rank=5", "model.preset=k2"};
  int attention = PARL_ATTENTION_GQA;
  assert_int_equal(load_rank(&p, overrides + 1, 1, &attention), 8);
  assert_int_equal(attention, PARL_ATTENTION_MLA);
  assert_int_equal(load_rank(&p, overrides, 2, &attention), 5);
  assert_int_equal(load_rank(&p, overrides, 1, &attention), 5);
  assert_int_equal(attention, PARL_ATTENTION_GQA);
  refuse(&p, "model.preset=k3", "k2");
  refuse(&p, "model.preset=3", "text");
  parl_test_remove_folder(p.folder);
}

static void test_bad_recipes(void **state) {
  (void)state;
  place p;
  open_place(&p);
  refuse(&p, "train.updatez=3", "updates");
  refuse(&p, "trian.updates=3", "train");
  refuse(&p, "train.updates=-1", "-1");
  refuse(&p, "train.updates=many", "train.updates");
  refuse(&p, "optimizer.lr=nan", "lr");
  refuse(&p, "updates=3", "section.field");
  refuse(&p, "train.minibatches=999", "minibatches");
  parl_experiment_result r;
  assert_fails(run_recipe(&p, "x", "1", "env.params.m=3", -1, &r), PARL_STATUS_EINVAL, "m");
  assert_fails(run_recipe(&p, "x", "1", "eval.baselines=oracel,wide", -1, &r), PARL_STATUS_EINVAL,
               "baselines");
  assert_fails(run_recipe(&p, "x", "1", "warm.mix=seriel=1", -1, &r), PARL_STATUS_EINVAL, "serial");
  assert_fails(run_recipe(&p, "x", "1", "model.max_context=20", -1, &r), PARL_STATUS_EINVAL,
               "max_context");
  assert_fails(run_recipe(&p, "x", "1", "env.file=nowhere.lua", -1, &r), PARL_STATUS_EIO,
               "nowhere.lua");
  parl_test_remove_folder(p.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_stop_and_continue),
      cmocka_unit_test(test_own_terms_stop_and_continue),
      cmocka_unit_test(test_detectors_stop_and_continue),
      cmocka_unit_test(test_another_configuration_is_not_mixed_in),
      cmocka_unit_test(test_a_failed_run_stops_no_other),
      cmocka_unit_test(test_stored_metrics),
      cmocka_unit_test(test_metrics_are_found_by_name),
      cmocka_unit_test(test_model_preset),
      cmocka_unit_test(test_bad_recipes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
