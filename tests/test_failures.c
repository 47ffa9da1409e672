/* tests/test_failures.c - env.on_error = "skip": what failed is counted, told of and never a zero;
 * too much of it fails the run with the script's error. */
#include <math.h>
#include <stdatomic.h>

#include "core/file.h"
#include "experiments/experiment.h"
#include "experiments/report.h"
#include "parl/learn/metrics.h"
#include "parl/swarm/failures.h"
#include "tests/rollout_support.h"

#define FRAGILE_ENV "tests/envs/fragile.lua"

/* --- counting --- */

static void test_share_is_judged_late_or_at_the_end(void **state) {
  (void)state;
  parl_failures f = {.n = 199, .n_failed = 199, .error = "x.lua:3: boom"};
  assert_ok(parl_failures_check(&f, 0.05, PARL_PHASE_TRAINING, false));
  assert_fails(parl_failures_check(&f, 0.05, PARL_PHASE_TRAINING, true), PARL_STATUS_ESCRIPT,
               "199 of 199 episodes of the training failed");
  assert_contains(parl_error_text(), "env.max_failures = 0.05");
  assert_contains(parl_error_text(), "x.lua:3: boom");
  f = (parl_failures){.n = 200, .n_failed = 10};
  assert_ok(parl_failures_check(&f, 0.05, PARL_PHASE_TRAINING, false)); /* as many as allowed */
  f.n_failed = 11;
  assert_status(parl_failures_check(&f, 0.05, PARL_PHASE_TRAINING, false), PARL_STATUS_ESCRIPT);
  assert_ok(parl_failures_check(&f, 1, PARL_PHASE_TRAINING, true));
  f = (parl_failures){.n = 0};
  assert_ok(parl_failures_check(&f, 0, PARL_PHASE_TRAINING, true));
}

static parl_status read(const char *text, parl_failures *out) {
  parl_json *object = NULL;
  assert_ok(parl_json_parse(text, strlen(text), "a text", &object));
  const parl_status s = parl_failures_read(object, "file", out);
  parl_json_destroy(object);
  return s;
}

static void test_json_and_back(void **state) {
  (void)state;
  const parl_failures f = {.n = 9600, .n_failed = 3, .error = "a \"quoted\"\nerror"};
  parl_failures g = {0};
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  parl_failures_write(&f, &w);
  assert_ok(read(parl_text_get(&text), &g));
  assert_int_equal(g.n, 9600);
  assert_int_equal(g.n_failed, 3);
  assert_string_equal(g.error, f.error);
  parl_text_deinit(&text);
  static const char *const wrong[] = {"{}", "[1]", "{\"episodes\":1,\"failed\":-1,\"error\":\"\"}",
                                      "{\"episodes\":1e300,\"failed\":0,\"error\":\"\"}",
                                      "{\"episodes\":1,\"failed\":0,\"error\":5}"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_fails(read(wrong[i], &g), PARL_STATUS_EFORMAT, "file");
}

/* --- a rollout --- */

enum { N_JOBS = 60 };

/* Plays N_JOBS tasks of which a part is broken; adds them up, and lists families and scores.
 * Returns the first that failed. */
static size_t play(size_t n_threads, parl_failures *f, parl_text *out) {
  parl_run_config c = count_config();
  parl_workers *workers = NULL;
  parl_rollout *rollout = NULL;
  parl_trajectories *set = NULL;
  parl_json *params = count_params("{\"broken\":0.3,\"stillborn\":0.2}");
  c.env.on_error = PARL_ON_ERROR_SKIP;
  assert_ok(parl_workers_create(n_threads, &workers));
  assert_ok(parl_rollout_create(&(parl_rollout_def){.env_path = FRAGILE_ENV,
                                                    .env_params = params,
                                                    .config = parl_run_config_get_swarm(&c),
                                                    .n_slots = (size_t)c.train.slots,
                                                    .n_jobs = N_JOBS,
                                                    .workers = workers},
                                &rollout));
  assert_ok(
      parl_trajectories_create(&(parl_trajectories_def){.n = N_JOBS, .keep_scores = true}, &set));
  parl_job jobs[N_JOBS];
  for (size_t i = 0; i < N_JOBS; i++)
    jobs[i] = (parl_job){
        .task_seed = i, .seats = script_seats("serial"), .out = parl_trajectories_get(set, i)};
  assert_ok(parl_rollout_run(rollout, jobs, N_JOBS, NULL));
  parl_failures_add(f, rollout);
  size_t first = N_JOBS;
  for (size_t i = 0; i < N_JOBS; i++) {
    if (first == N_JOBS && jobs[i].out->failed) first = i;
    parl_text_appendf(out, "%d[%s]%s ", jobs[i].out->failed, jobs[i].out->family,
                      parl_text_get(&jobs[i].out->scores));
  }
  parl_rollout_destroy(rollout);
  parl_trajectories_destroy(set);
  parl_workers_destroy(workers);
  parl_json_destroy(params);
  return first;
}

/* Whoever plays, the first failure is that of the first job. */
static void test_rollout_tells_of_its_first_failure(void **state) {
  (void)state;
  parl_failures one = {0}, three = {0};
  parl_text a = {0}, b = {0};
  char seed[64];
  snprintf(seed, sizeof seed, "task seed %zu,", play(1, &one, &a));
  play(3, &three, &b);
  assert_contains(one.error, seed);
  assert_string_equal(parl_text_get(&a), parl_text_get(&b));
  assert_string_equal(one.error, three.error);
  assert_int_equal(one.n, N_JOBS);
  assert_int_equal(one.n_failed, three.n_failed);
  assert_in_range(one.n_failed, 15, 40); /* 0.44 of them */
  assert_contains(one.error, "fragile.lua:");
  assert_contains(parl_text_get(&a), "0[good]{\"looks\":0.5,\"success\":1} ");
  assert_contains(parl_text_get(&a), "1[bad] "); /* it has a family and no scores */
  play(1, &one, &a);                             /* adding keeps the first text */
  assert_int_equal(one.n, 2 * N_JOBS);
  assert_string_equal(one.error, three.error);
  parl_text_deinit(&a);
  parl_text_deinit(&b);
}

/* --- whole recipes --- */

static const char recipe_text[] =
    "return { name = 'f', run = { checkpoint_every = 2, threads = 1 },\n"
    "  env = { file = '" FRAGILE_ENV
    "', on_error = 'skip' },\n"
    "  model = { n_layers = 1, d_model = 16, n_heads = 1, n_kv_heads = 1, head_dim = 8,\n"
    "            d_ff = 16, max_context = 64 },\n"
    "  warm = { steps = 3, episodes = 8, mix = 'serial=0.7,idle=0.3', probe = 16 },\n"
    "  train = { updates = 6, tasks = 1, group = 4 },\n"
    "  eval = { tasks = 40, baselines = 'serial' }, arms = { { name = 'a' } } }\n";

typedef struct place {
  char folder[PARL_TEST_PATH_BYTES], recipe[PARL_TEST_PATH_BYTES + 32];
  char runs[PARL_TEST_PATH_BYTES + 32];
} place;

static void open_place(place *p) {
  parl_test_temp_folder(p->folder);
  snprintf(p->recipe, sizeof p->recipe, "%s/f.lua", p->folder);
  snprintf(p->runs, sizeof p->runs, "%s/runs", p->folder);
  assert_ok(parl_file_write(p->recipe, recipe_text, sizeof recipe_text - 1));
}

typedef struct stopper {
  atomic_int stop;
  int updates_left;
} stopper;

static void count_down(void *context, const parl_progress *p) {
  stopper *s = context;
  if (strcmp(p->phase, "train") == 0 && s->updates_left-- == 1) s->stop = 1;
}

/* The experiment's result; its hash goes into hash. */
static parl_status train(const place *p, const char *broken, const char *most, int stop_after,
                         parl_log *log, char *failures, char hash[PARL_HASH_HEX_BYTES]) {
  char dir[PARL_TEST_PATH_BYTES + 64], a[64], b[64];
  snprintf(dir, sizeof dir, "run.dir=%s", p->runs);
  snprintf(a, sizeof a, "env.params.broken=%s", broken);
  snprintf(b, sizeof b, "env.max_failures=%s", most);
  const char *overrides[] = {dir, a, b};
  parl_recipe *recipe = NULL;
  parl_experiment_result r = {0};
  stopper s = {.updates_left = stop_after};
  assert_ok(parl_recipe_load(p->recipe, overrides, 3, NULL, &recipe));
  const parl_host host = {.log = log, .stop = &s.stop, .progress = count_down, .context = &s};
  const parl_status status = parl_experiment_run(recipe, &host, &r);
  snprintf(failures, 4096, "%s", parl_text_get(&r.failures));
  snprintf(hash, PARL_HASH_HEX_BYTES, "%s", r.hash);
  parl_experiment_result_deinit(&r);
  parl_recipe_destroy(recipe);
  return status;
}

/* What the store holds. */
typedef struct seen {
  int64_t n, n_failed, n_zero, n_null, n_updates;
  parl_text failures;
} seen;

static parl_status see_episode(void *context, const parl_episode_row *e) {
  seen *s = context;
  s->n++;
  s->n_failed += e->failed;
  assert_int_equal(e->failed, isnan(e->facts.r_perf));
  assert_int_equal(e->failed, strcmp(parl_end_text(e->facts.end), "error") == 0);
  if (e->failed) {
    assert_string_equal(e->family, "bad");
    assert_string_equal(e->scores, "");
  } else {
    assert_non_null(strstr(e->scores, "\"looks\":0.5"));
    assert_close(e->facts.serial_steps, 1, 0);
  }
  s->n_zero += e->facts.r_perf == 0;
  return PARL_STATUS_OK;
}

static parl_status see_metric(void *context, int64_t update, const char *key, double value) {
  seen *s = context;
  (void)update;
  (void)key;
  s->n_updates++;
  s->n_null += isnan(value);
  s->n_zero += value == 0;
  return PARL_STATUS_OK;
}

static parl_status see_failure(void *context, const parl_failure_row *f) {
  parl_text_appendf(&((seen *)context)->failures, "%s %lld/%lld %s;", f->phase,
                    (long long)f->n_failed, (long long)f->n,
                    strstr(f->error, "this item is broken") != NULL ? "said" : f->error);
  return PARL_STATUS_OK;
}

typedef struct visit {
  parl_store *store;
  seen *seen;
  const char *arm;
} visit;

static parl_status see_run(void *context, int64_t run_id, const parl_store_run *run) {
  const visit *v = context;
  if (strcmp(run->arm, v->arm) != 0) return PARL_STATUS_OK;
  PARL_TRY(parl_rows_visit_episodes(v->store, run_id, see_episode, v->seen));
  PARL_TRY(parl_rows_visit_metrics(v->store, run_id, "reward/perf", see_metric, v->seen));
  return parl_rows_visit_failures(v->store, run_id, see_failure, v->seen);
}

static void look(const place *p, const char *arm, seen *out) {
  char path[PARL_TEST_PATH_BYTES + 64];
  snprintf(path, sizeof path, "%s/store.db", p->runs);
  visit v = {.seen = out, .arm = arm};
  *out = (seen){0};
  assert_ok(parl_rows_open_readonly(path, &v.store));
  assert_ok(parl_store_visit_runs(v.store, see_run, &v));
  parl_store_close(v.store);
}

static void hear(void *context, parl_log_level level, const char *text) {
  if (level == PARL_LOG_WARNING) parl_text_appendf(context, "%s\n", text);
}

static void test_all_failing_is_nothing_measured(void **state) {
  (void)state;
  char failures[4096], hash[PARL_HASH_HEX_BYTES];
  parl_text heard = {0};
  parl_log log;
  place p;
  seen s;
  open_place(&p);
  parl_log_init(&log, hear, &heard, PARL_LOG_WARNING);
  assert_ok(train(&p, "1", "1", -1, &log, failures, hash));
  assert_string_equal(failures, "");
  look(&p, "serial", &s);
  assert_int_equal(s.n, 40);
  assert_int_equal(s.n_failed, 40);
  assert_int_equal(s.n_zero, 0);
  parl_text_deinit(&s.failures);
  assert_contains(parl_text_get(&heard), "episodes of the warm start failed");
  assert_contains(parl_text_get(&heard), "serial: 40 of 40 episodes of the evaluation failed");
  assert_contains(parl_text_get(&heard), "fragile.lua:");
  assert_contains(parl_text_get(&heard), "this item is broken");
  parl_text table = {0};
  assert_ok(parl_report_write(p.runs, &table));
  assert_contains(parl_text_get(&table), "serial: 40 of 40 episodes of the evaluation failed");
  assert_contains(parl_text_get(&table), "this item is broken");
  assert_contains(parl_text_get(&table), "serial         0       -");
  parl_text_deinit(&table);
  parl_log_deinit(&log);
  parl_text_deinit(&heard);
  parl_test_remove_folder(p.folder);
}

/* A part of the tasks fails: what is left is scored, dropped updates are unknown, and the counts
 * and bits are the same after a stop. */
static void test_some_failing_across_a_stop(void **state) {
  (void)state;
  char failures[4096], whole[PARL_HASH_HEX_BYTES], part[PARL_HASH_HEX_BYTES];
  place p, q;
  seen s, t;
  open_place(&p);
  open_place(&q);
  assert_ok(train(&p, "0.5", "1", -1, NULL, failures, whole));
  look(&p, "a", &s);
  assert_int_equal(s.n, 80);
  assert_in_range(s.n_failed, 5, 79);
  assert_int_equal(s.n_updates, 6);
  assert_true(s.n_null > 0 && s.n_null < 6);
  assert_int_equal(s.n_zero, 0);
  assert_contains(parl_text_get(&s.failures), "/24 said;"); /* training */
  assert_contains(parl_text_get(&s.failures), "/80 said;"); /* both decodings */
  assert_contains(parl_text_get(&s.failures), "warm start ");
  assert_status(train(&q, "0.5", "1", 3, NULL, failures, part), PARL_STATUS_ESTOPPED);
  assert_ok(train(&q, "0.5", "1", -1, NULL, failures, part));
  look(&q, "a", &t);
  assert_string_equal(whole, part);
  assert_string_equal(parl_text_get(&s.failures), parl_text_get(&t.failures));
  parl_text_deinit(&s.failures);
  parl_text_deinit(&t.failures);
  parl_test_remove_folder(p.folder);
  parl_test_remove_folder(q.folder);
}

static void test_too_many_fail_the_run(void **state) {
  (void)state;
  char failures[4096], hash[PARL_HASH_HEX_BYTES];
  place p;
  open_place(&p);
  assert_ok(train(&p, "0.5", "0.05", -1, NULL, failures, hash));
  assert_contains(failures, "episodes of the warm start failed, more than env.max_failures = 0.05");
  assert_contains(failures, "fragile.lua:");
  assert_contains(failures, "this item is broken");
  parl_test_remove_folder(p.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_share_is_judged_late_or_at_the_end),
      cmocka_unit_test(test_json_and_back),
      cmocka_unit_test(test_rollout_tells_of_its_first_failure),
      cmocka_unit_test(test_all_failing_is_nothing_measured),
      cmocka_unit_test(test_some_failing_across_a_stop),
      cmocka_unit_test(test_too_many_fail_the_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
