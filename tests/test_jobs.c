/* tests/test_jobs.c - a plan cut into jobs: which runs go where, what a manifest may say, and runs
 * copied from store to store. */
#include "experiments/jobs.h"
#include "tests/store_support.h"

enum { N_CELLS = 9, N_TRAINED = 6 };

/* Two arms of three seeds, a warm start a seed, and a script a warm start. */
typedef struct made_plan {
  parl_plan plan;
  parl_cell cells[N_CELLS];
  parl_warm warms[3];
} made_plan;

static void make_plan(made_plan *m) {
  *m = (made_plan){.plan = {.n_arms = 2,
                            .n_seeds = 3,
                            .n_trained = N_TRAINED,
                            .n_cells = N_CELLS,
                            .n_warms = 3,
                            .cells = m->cells,
                            .warms = m->warms}};
  parl_recipe *recipe = NULL;
  const char *overrides[] = {"run.n_seeds=3"};
  assert_ok(parl_recipe_load_env("tests/envs/count.lua", overrides, 1, NULL, &recipe));
  for (size_t i = 0; i < N_CELLS; i++) {
    parl_cell *c = &m->cells[i];
    c->warm = i % 3;
    assert_ok(parl_run_init(recipe, 0, 1 + (int64_t)c->warm, &c->run));
    snprintf(c->run.name, sizeof c->run.name, "%s", i < 3 ? "a" : i < N_TRAINED ? "b" : "serial");
    c->run.scope = i < N_TRAINED ? PARL_SCOPE_RUN : PARL_SCOPE_BASELINE;
    snprintf(c->run.folder, sizeof c->run.folder, "runs/x");
    snprintf(c->uid, sizeof c->uid, "%064zu", i);
  }
  parl_recipe_destroy(recipe);
}

static void free_plan(made_plan *m) {
  for (size_t i = 0; i < N_CELLS; i++) parl_run_deinit(&m->cells[i].run);
}

/* "a1 b1 serial1|...": the runs of every job */
static void assert_jobs(size_t per_job, const char *due) {
  made_plan m;
  parl_jobs jobs;
  parl_text text = {0};
  size_t n = 0;
  char dir[2 * PARL_TEST_PATH_BYTES];
  make_plan(&m);
  snprintf(dir, sizeof dir, "%s/jobs-%zu", folder, per_job);
  assert_ok(parl_jobs_write(&m.plan, per_job, dir, &n));
  assert_ok(parl_jobs_write(&m.plan, per_job, dir, &n)); /* again: as it was */
  assert_ok(parl_jobs_read(dir, &jobs));
  assert_int_equal(jobs.n, n);
  for (size_t k = 0; k < jobs.n; k++) {
    if (k > 0) parl_text_append(&text, "|");
    for (size_t i = 0; i < jobs.jobs[k].n_runs; i++)
      parl_text_appendf(&text, "%s%s%lld", i > 0 ? " " : "", jobs.jobs[k].runs[i].name,
                        (long long)jobs.jobs[k].runs[i].config.run.seed);
    assert_int_equal(parl_jobs_get_state(&jobs, k), PARL_JOB_WAITING);
  }
  assert_string_equal(parl_text_get(&text), due);
  parl_text_deinit(&text);
  parl_jobs_deinit(&jobs);
  free_plan(&m);
}

static void test_who_goes_where(void **state) {
  (void)state;
  assert_jobs(1, "a1 serial1|b1|a2 serial2|b2|a3 serial3|b3");
  assert_jobs(2, "a1 b1 serial1|a2 b2 serial2|a3 b3 serial3");
  assert_jobs(4, "a1 b1 a2 b2 serial1 serial2|a3 b3 serial3");
  assert_jobs(100, "a1 b1 a2 b2 a3 b3 serial1 serial2 serial3");
}

static void test_another_plan_is_refused(void **state) {
  (void)state;
  made_plan m;
  size_t n = 0;
  char dir[2 * PARL_TEST_PATH_BYTES];
  make_plan(&m);
  snprintf(dir, sizeof dir, "%s/jobs", folder);
  assert_int_equal(parl_jobs_write(&m.plan, 0, dir, &n), PARL_STATUS_EINVAL);
  assert_ok(parl_jobs_write(&m.plan, 2, dir, &n));
  assert_int_equal(parl_jobs_write(&m.plan, 3, dir, &n), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "nothing is overwritten");
  m.cells[4].uid[63] = 'f'; /* as long as before */
  assert_int_equal(parl_jobs_write(&m.plan, 2, dir, &n), PARL_STATUS_EINVAL);
  free_plan(&m);
}

/* Every manifest that is none names its line; what was read of it is freed. */
static void test_manifests_that_are_none(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "{}",
                                      "{}\n",
                                      "nonsense\n",
                                      "{\"job\":1,\"runs\":[]}\n",
                                      "{\"job\":0,\"runs\":[]}\n",
                                      "{\"job\":0,\"runs\":[{\"uid\":\"x\",\"run\":{}}]}\n",
                                      "{\"job\":0,\"runs\":[{\"run\":{}}]}\n",
                                      "{\"job\":0,\"runs\":7}\n"};
  char file[2 * PARL_TEST_PATH_BYTES];
  snprintf(file, sizeof file, "%s/manifest.jsonl", folder);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    parl_jobs jobs;
    assert_ok(parl_file_write(file, texts[i], strlen(texts[i])));
    assert_int_equal(parl_jobs_read(folder, &jobs), PARL_STATUS_EFORMAT);
    assert_contains(parl_error_text(), "manifest.jsonl");
    parl_jobs_deinit(&jobs);
  }
}

/* What is settled is in no array; neighbours are a range. */
static void test_array(void **state) {
  (void)state;
  made_plan m;
  parl_jobs jobs;
  size_t n = 0;
  char path_of[PARL_RUN_PATH_BYTES];
  static const char *const due[] = {"=0-5\n", "=0,2-5\n", "=0,2-4\n", "=0,2-3\n", "=2-3\n", "=3\n"};
  static const size_t settled[] = {1, 5, 4, 0, 2, 3};
  make_plan(&m);
  assert_ok(parl_jobs_write(&m.plan, 1, folder, &n));
  assert_ok(parl_jobs_read(folder, &jobs));
  for (size_t i = 0; i < 6; i++) {
    parl_text text = {0};
    assert_ok(parl_jobs_append_sbatch(&jobs, "parl", ".", 2, 60, &text));
    assert_contains(parl_text_get(&text), due[i]);
    parl_text_deinit(&text);
    parl_jobs_get_folder(&jobs, settled[i], path_of);
    assert_ok(parl_file_make_folder(path_of));
    assert_int_equal(parl_jobs_get_state(&jobs, settled[i]), PARL_JOB_SETTLED);
  }
  parl_text text = {0};
  assert_int_equal(parl_jobs_append_sbatch(&jobs, "parl", ".", 2, 60, &text), PARL_STATUS_ESTATE);
  parl_jobs_deinit(&jobs);
  free_plan(&m);
}

/* A store in `folder` whose run of this uid is done, with that hash. */
static void put_done(const char *in, const char *uid, const char *arm, const char *hash) {
  char file[2 * PARL_RUN_PATH_BYTES];
  int64_t id = 0;
  parl_store *store = NULL;
  parl_store_run run = make_run(uid);
  run.arm = arm;
  run.seed = 1;
  run.status = "done";
  snprintf(run.hash, sizeof run.hash, "%s", hash);
  assert_ok(parl_file_make_folder(in));
  snprintf(file, sizeof file, "%s/store.db", in);
  assert_ok(parl_rows_open(file, &store));
  assert_ok(parl_store_begin(store));
  assert_ok(parl_store_put_run(store, &run, &id));
  assert_ok(parl_rows_put_metric(store, id, 0, "x/y", 1));
  assert_ok(parl_store_commit(store));
  parl_store_close(store);
}

/* What is there with the same hash stays, what is there with another is refused, what is missing
 * is copied. */
static void test_what_is_there(void **state) {
  (void)state;
  made_plan m;
  parl_jobs jobs;
  parl_merge_result r;
  size_t n = 0;
  char job[PARL_RUN_PATH_BYTES], to[PARL_RUN_PATH_BYTES + 16];
  const parl_host host = {.log = NULL};
  make_plan(&m);
  assert_ok(parl_jobs_write(&m.plan, 1, folder, &n));
  assert_ok(parl_jobs_read(folder, &jobs));
  parl_jobs_get_folder(&jobs, 0, job);
  put_done(job, m.cells[0].uid, "a", "same");
  for (int i = 0; i < 3; i++) {
    snprintf(to, sizeof to, "%s/to-%d", folder, i);
    if (i > 0) put_done(to, m.cells[0].uid, "a", i == 1 ? "same" : "other");
    const parl_status s = parl_jobs_merge(&jobs, to, &host, &r);
    assert_int_equal(s, i == 2 ? PARL_STATUS_EFORMAT : PARL_STATUS_OK);
    assert_int_equal(r.n_copied, i == 0);
    assert_int_equal(r.n_there, i == 1);
    if (i < 2) assert_int_equal(r.n_unsettled, n - 1);
  }
  assert_contains(parl_error_text(), "with hash other");
  parl_jobs_deinit(&jobs);
  free_plan(&m);
}

/* Whatever is absent, empty, not a number or whole: the copy has the same digest. */
static void test_rows_are_copied_as_they_are(void **state) {
  (void)state;
  char other[2 * PARL_TEST_PATH_BYTES], a[PARL_HASH_HEX_BYTES], b[PARL_HASH_HEX_BYTES];
  int64_t from_id = 0, to_id = 0;
  parl_store *to = NULL, *from = open_with_run(&from_id);
  const parl_store_run run = make_run("u"), before = make_run("before");
  assert_ok(parl_rows_put_metric(from, from_id, 3, "x/y", 0.25));
  assert_ok(parl_rows_put_metric(from, from_id, 4, "x/y", (double)NAN));
  for (int64_t i = 0; i < 4; i++) {
    const parl_episode_row e = {.policy = "trained",
                                .decoding = "greedy",
                                .task_seed = i,
                                .family = "",
                                .facts.r_perf = i == 1 ? (double)NAN : 1,
                                .facts.tokens = 0x1p53,
                                .scores = i == 2 ? "" : NULL,
                                .stages = i == 3 ? "[]" : NULL,
                                .episode_seed = INT64_MIN + i};
    assert_ok(parl_rows_put_episode(from, from_id, &e));
  }
  assert_ok(parl_rows_put_failure(from, from_id, &(parl_failure_row){"training", 5, 2, "why"}));
  assert_ok(parl_rows_put_checkpoint(from, from_id, 7, "p", "q"));
  assert_ok(parl_store_commit(from));

  assert_ok(parl_file_join(other, sizeof other, folder, "other.db"));
  assert_ok(parl_rows_open(other, &to));
  assert_int_equal(parl_store_copy_rows(from, from_id, to, 1), PARL_STATUS_ESTATE);
  assert_ok(parl_store_begin(to));
  assert_ok(parl_store_put_run(to, &before, &to_id)); /* so that the numbers differ */
  assert_ok(parl_store_put_run(to, &run, &to_id));
  assert_int_not_equal(from_id, to_id);
  assert_ok(parl_store_copy_rows(from, from_id, to, to_id));
  assert_ok(parl_store_commit(to));
  assert_ok(parl_store_get_digest(from, from_id, a));
  assert_ok(parl_store_get_digest(to, to_id, b));
  assert_string_equal(a, b);
  assert_ok(parl_store_check(to));
  assert_metrics(to, to_id, NULL, "x/y@3=0.25;x/y@4=nan;");
  parl_store_close(from);
  parl_store_close(to);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_who_goes_where),          TEST(test_another_plan_is_refused),
      TEST(test_manifests_that_are_none), TEST(test_array),
      TEST(test_what_is_there),           TEST(test_rows_are_copied_as_they_are)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
