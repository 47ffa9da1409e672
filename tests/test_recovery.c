/* tests/test_recovery.c - the store, the checkpoint, the warm start or a file that was read is
 * lost, cut, old or has a flipped bit; the power fails at any moment: the same bits or a
 * refusal. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rng.h"
#include "core/text.h"
#include "experiments/experiment.h"
#include "experiments/report.h"
#include "tests/power_cut_support.h"
#include "tests/rollout_support.h"

static const char recipe_text[] =
    "return { name = 'small', run = { threads = 1, checkpoint_every = 2 },\n"
    "  env = { file = '" COUNT_ENV
    "', params = { n = 4 } },\n"
    "  model = { n_layers = 1, d_model = 8, n_heads = 1, n_kv_heads = 1, head_dim = 8, d_ff = 8,\n"
    "            max_context = 128 },\n"
    "  warm = { steps = 3, episodes = 4, mix = 'serial=0.7,wide=0.3', probe = 8 },\n"
    "  train = { updates = 6, tasks = 2, group = 2 },\n"
    "  eval = { tasks = 5, baselines = 'serial' }, arms = { { name = 'a' } } }\n";

enum { PATH_BYTES = 4 * PARL_TEST_PATH_BYTES };

static char folder[PARL_TEST_PATH_BYTES];
static char recipe_path[2 * PARL_TEST_PATH_BYTES];
static char whole_hash[PARL_HASH_HEX_BYTES]; /* of the run that nothing befell */

static const char STORE[] = "store.db", WAL[] = "store.db-wal";
static const char CHECKPOINT[] = "checkpoints/a-s1.safetensors";

static void make_path(char out[PATH_BYTES], const char *run, const char *name) {
  snprintf(out, PATH_BYTES, "%s/%s%s%s", folder, run, name[0] ? "/" : "", name);
}

static void copy_file(const char *from_run, const char *name, const char *to_run) {
  char from[PATH_BYTES], to[PATH_BYTES];
  char *bytes = NULL;
  size_t n = 0;
  make_path(from, from_run, name);
  make_path(to, to_run, name);
  if (!parl_file_exists(from)) return;
  assert_ok(parl_file_read(from, 1 << 24, &bytes, &n));
  assert_ok(parl_file_write(to, bytes, n));
  free(bytes);
}

static void copy_checkpoints(const char *from, const char *to) {
  char path[PATH_BYTES], name[PATH_BYTES];
  make_path(path, to, "checkpoints");
  assert_ok(parl_file_make_folder(path));
  make_path(path, from, "checkpoints");
  DIR *d = opendir(path);
  assert_non_null(d);
  for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
    if (e->d_name[0] == '.' || strstr(e->d_name, ".tmp.") != NULL) continue;
    snprintf(name, sizeof name, "checkpoints/%s", e->d_name);
    copy_file(from, name, to);
  }
  closedir(d);
}

static void copy_run(const char *from, const char *to) {
  copy_checkpoints(from, to);
  copy_file(from, STORE, to);
  copy_file(from, WAL, to);
}

static void remove_run(const char *run) {
  char path[PATH_BYTES];
  make_path(path, run, "");
  if (parl_file_exists(path)) parl_test_remove_folder(path);
}

static void remove_file(const char *run, const char *name) {
  char path[PATH_BYTES];
  make_path(path, run, name);
  assert_int_equal(unlink(path), 0);
}

static void flip(const char *run, const char *name, uint64_t draw) {
  char path[PATH_BYTES];
  char *bytes = NULL;
  size_t n = 0;
  make_path(path, run, name);
  assert_ok(parl_file_read(path, 1 << 24, &bytes, &n));
  const size_t bit = (size_t)(parl_rng(5, 0, draw) % (8 * n));
  bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
  assert_ok(parl_file_write(path, bytes, n));
  free(bytes);
}

static void halve(const char *run, const char *name) {
  char path[PATH_BYTES];
  struct stat st;
  make_path(path, run, name);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(truncate(path, st.st_size / 2), 0);
}

/* --- running --- */

typedef struct watcher {
  atomic_int stop;
  int64_t stop_at;   /* updates; -1: never */
  int64_t n_updates; /* that were made */
  bool copies;       /* as a kill leaves it: "older" after three updates, "killed" after five */
} watcher;

static void watch(void *context, const parl_progress *p) {
  watcher *w = context;
  if (strcmp(p->phase, "train") != 0) return;
  w->n_updates++;
  if (w->copies && p->done == 3) copy_run("run", "older");
  if (w->copies && p->done == 5) copy_run("run", "killed");
  if (p->done == w->stop_at) w->stop = 1;
}

static parl_status train(const char *run, const char *extra, watcher *w,
                         parl_experiment_result *out) {
  char dir[PATH_BYTES + 16];
  snprintf(dir, sizeof dir, "run.dir=%s/%s", folder, run);
  const char *overrides[] = {dir, extra};
  parl_recipe *recipe = NULL;
  PARL_TRY(parl_recipe_load(recipe_path, overrides, extra != NULL ? 2 : 1, NULL, &recipe));
  const parl_host host = {.stop = &w->stop, .progress = watch, .context = w};
  *out = (parl_experiment_result){0};
  const parl_status s = parl_experiment_run(recipe, &host, out);
  parl_recipe_destroy(recipe);
  return s;
}

/* Trains to the end: the hash that is due, or false with the refusal's text in `why`. */
static bool recovers(const char *run, parl_text *why) {
  watcher w = {.stop_at = -1};
  parl_experiment_result r;
  const parl_status s = train(run, NULL, &w, &r);
  const bool ok = s == PARL_STATUS_OK && r.n_failed == 0;
  parl_text_clear(why);
  parl_text_append(why, s != PARL_STATUS_OK ? parl_error_text() : parl_text_get(&r.failures));
  if (ok) assert_string_equal(r.hash, whole_hash);
  parl_experiment_result_deinit(&r);
  return ok;
}

static void assert_recovers(const char *run) {
  parl_text why = {0};
  if (!recovers(run, &why)) fail_msg("%s: %s", run, parl_text_get(&why));
  parl_text_deinit(&why);
}

static void assert_refused(const char *run, const char *part) {
  parl_text why = {0};
  if (recovers(run, &why)) fail_msg("%s was taken", run);
  assert_contains(parl_text_get(&why), part);
  parl_text_deinit(&why);
}

static int make_folder(void **state) {
  (void)state;
  parl_test_temp_folder(folder);
  snprintf(recipe_path, sizeof recipe_path, "%s/small.lua", folder);
  assert_ok(parl_file_write(recipe_path, recipe_text, strlen(recipe_text)));
  watcher w = {.stop_at = -1};
  parl_experiment_result r;
  assert_ok(train("whole", NULL, &w, &r));
  assert_int_equal(r.n_failed, 0);
  snprintf(whole_hash, sizeof whole_hash, "%s", r.hash);
  parl_experiment_result_deinit(&r);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  parl_test_remove_folder(folder);
  return 0;
}

/* "killed" has a checkpoint of four updates and a WAL. */
static void make_killed(void) {
  watcher w = {.stop_at = -1, .copies = true};
  parl_experiment_result r;
  char path[PATH_BYTES];
  assert_ok(train("run", NULL, &w, &r));
  parl_experiment_result_deinit(&r);
  remove_run("run");
  make_path(path, "killed", WAL);
  assert_true(parl_file_exists(path));
}

static void test_killed(void **state) {
  (void)state;
  make_killed();
  assert_recovers("killed");
}

/* --- the store behind the checkpoint --- */

static void lose_store(const char *run) {
  remove_file(run, STORE);
  remove_file(run, WAL);
}
static void lose_wal(const char *run) {
  remove_file(run, WAL);
}
static void halve_wal(const char *run) {
  halve(run, WAL);
}
static void take_older_store(const char *run) {
  copy_file("older", STORE, run);
  copy_file("older", WAL, run);
}
static void take_older_checkpoint(const char *run) {
  copy_file("older", CHECKPOINT, run);
}
static void lose_checkpoint(const char *run) {
  remove_file(run, CHECKPOINT);
}

static void test_lost_parts(void **state) {
  (void)state;
  static const struct {
    void (*lose)(const char *run);
    const char *refusal; /* NULL: it goes on from what is left */
  } cases[] = {{lose_store, "a-s1.safetensors was written after 4 updates"},
               {lose_wal, "a-s1.safetensors was written after 4 updates"},
               {halve_wal, "a-s1.safetensors was written after 4 updates"},
               {take_older_store, "a-s1.safetensors was written after 4 updates"},
               {take_older_checkpoint, NULL},
               {lose_checkpoint, NULL}};
  make_killed();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    copy_run("killed", "lost");
    cases[i].lose("lost");
    if (cases[i].refusal != NULL) {
      assert_refused("lost", cases[i].refusal);
      assert_refused("lost", "store.db"); /* and again: the refusal changed nothing */
      remove_file("lost", CHECKPOINT);    /* as the text says */
    }
    assert_recovers("lost");
    remove_run("lost");
  }
}

/* Two runs of one configuration differ in their timings alone: a whole store of as many updates,
 * but not the checkpoint's. */
static void test_anothers_store(void **state) {
  (void)state;
  char from[PATH_BYTES], to[PATH_BYTES];
  make_killed();
  make_path(from, "killed", "");
  make_path(to, "other", "");
  assert_int_equal(rename(from, to), 0);
  make_killed();
  copy_run("killed", "lost");
  copy_file("other", STORE, "lost");
  copy_file("other", WAL, "lost");
  assert_refused("lost", "store.db holds others of this run");
}

/* What does not fit its digest is refused before anything is trained on top of it. */
static void test_edited_history(void **state) {
  (void)state;
  char path[PATH_BYTES];
  sqlite3 *db = NULL;
  make_killed();
  make_path(path, "killed", STORE);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(
      sqlite3_exec(db, "UPDATE metric SET value = value + 1 WHERE at_update = 1", NULL, NULL, NULL),
      SQLITE_OK);
  assert_true(sqlite3_changes(db) > 0);
  sqlite3_close(db);
  watcher w = {.stop_at = -1};
  parl_experiment_result r;
  const parl_status s = train("killed", NULL, &w, &r);
  assert_true(s != PARL_STATUS_OK || r.n_failed > 0);
  assert_int_equal(w.n_updates, 0);
  parl_experiment_result_deinit(&r);
}

/* --- flipped bits --- */

static void try_flips(const char *run, const char *name, uint64_t n) {
  parl_text why = {0};
  for (uint64_t i = 0; i < n; i++) {
    copy_run(run, "flipped");
    flip("flipped", name, i);
    if (!recovers("flipped", &why)) assert_contains(parl_text_get(&why), folder);
    remove_run("flipped");
  }
  parl_text_deinit(&why);
}

static void test_flips(void **state) {
  (void)state;
  make_killed();
  char warm[PATH_BYTES] = "";
  char path[PATH_BYTES];
  make_path(path, "killed", "checkpoints");
  DIR *d = opendir(path);
  assert_non_null(d);
  for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
    if (strncmp(e->d_name, "warm-", 5) == 0)
      snprintf(warm, sizeof warm, "checkpoints/%s", e->d_name);
  closedir(d);
  assert_true(warm[0] != '\0');
  try_flips("killed", CHECKPOINT, 15);
  try_flips("killed", warm, 15);
  try_flips("killed", WAL, 25);
  try_flips("killed", STORE, 25);
  try_flips("whole", STORE, 40); /* done before */
}

/* What a report says of a finished folder never changes either; but where the name of a column is
 * hit that no row fills, it says that the store lacks it. */
static void test_flips_before_a_report(void **state) {
  (void)state;
  char path[PATH_BYTES];
  char *due = NULL, *found = NULL;
  size_t n = 0;
  copy_run("whole", "flipped");
  make_path(path, "flipped", "");
  assert_ok(parl_report_write(path, NULL));
  make_path(path, "flipped", "report.json");
  assert_ok(parl_file_read(path, 1 << 24, &due, &n));
  for (uint64_t i = 0; i < 60; i++) {
    copy_file("whole", STORE, "flipped");
    flip("flipped", STORE, 1000 + i);
    make_path(path, "flipped", "");
    if (parl_report_write(path, NULL) != PARL_STATUS_OK) continue;
    make_path(path, "flipped", "report.json");
    assert_ok(parl_file_read(path, 1 << 24, &found, &n));
    if (strstr(found, "An older parl wrote the store") == NULL) assert_string_equal(found, due);
    free(found);
  }
  free(due);
}

/* --- what a run reads --- */

static void test_frozen_policy_changed(void **state) {
  (void)state;
  char extra[PATH_BYTES + 32], path[PATH_BYTES];
  watcher w = {.stop_at = -1};
  parl_experiment_result r;
  make_killed();
  make_path(path, "frozen", "checkpoints");
  assert_ok(parl_file_make_folder(path));
  make_path(path, "frozen", CHECKPOINT);
  snprintf(extra, sizeof extra, "agents.checkpoint=%s", path);
  assert_fails(train("x", extra, &w, &r), PARL_STATUS_EIO, "agents.checkpoint: ");
  parl_experiment_result_deinit(&r);
  copy_file("whole", CHECKPOINT, "frozen");
  assert_ok(train("x", extra, &w, &r));
  assert_int_equal(r.n_failed, 0);
  parl_experiment_result_deinit(&r);
  assert_ok(train("x", extra, &w, &r)); /* the same file: done before */
  assert_int_equal(r.n_done_before, 1);
  parl_experiment_result_deinit(&r);
  copy_file("killed", CHECKPOINT, "frozen"); /* another under the same name */
  assert_fails(train("x", extra, &w, &r), PARL_STATUS_EINVAL, path);
  assert_contains(parl_error_text(), "nothing is overwritten");
  parl_experiment_result_deinit(&r);
}

/* --- power cuts --- */

typedef struct cutter {
  int64_t next, every;
  int n_cuts;
} cutter;

/* Two ways of losing what was not synced, at every so many calls of the file system. */
static void cut(void *context, int64_t n) {
  cutter *c = context;
  if (n < c->next) return;
  c->next += c->every;
  for (int loss = POWER_CUT_ALL; loss <= POWER_CUT_SOME; loss++) {
    char run[32], path[PATH_BYTES];
    snprintf(run, sizeof run, "cut%d", c->n_cuts++);
    make_path(path, "run", "checkpoints");
    if (!parl_file_exists(path)) return;
    copy_checkpoints("run", run);
    make_path(path, run, "");
    power_cut_leave(path, (power_cut_loss)loss, (uint64_t)n);
  }
}

static void test_power_cuts(void **state) {
  (void)state;
  cutter c = {.next = 3, .every = 13};
  watcher w = {.stop_at = -1};
  parl_experiment_result r;
  char path[PATH_BYTES];
  parl_store *other = NULL; /* as another run of a sweep: the WAL outlives a run */
  power_cut_start(cut, &c);
  make_path(path, "run", "");
  assert_ok(parl_file_make_folder(path));
  make_path(path, "run", STORE);
  assert_ok(parl_rows_open(path, &other));
  assert_ok(train("run", NULL, &w, &r));
  assert_int_equal(r.n_failed, 0);
  assert_string_equal(r.hash, whole_hash);
  parl_experiment_result_deinit(&r);
  copy_checkpoints("run", "done"); /* it was said to be done: it stays done */
  make_path(path, "done", "");
  power_cut_leave(path, POWER_CUT_ALL, 0);
  parl_store_close(other);
  power_cut_stop();
  assert_true(c.n_cuts >= 20);
  for (int i = 0; i < c.n_cuts; i++) {
    char run[32];
    snprintf(run, sizeof run, "cut%d", i);
    assert_recovers(run);
  }
  assert_ok(train("done", NULL, &w, &r));
  assert_int_equal(r.n_done_before, 1);
  assert_int_equal(r.updates, 0);
  assert_string_equal(r.hash, whole_hash);
  parl_experiment_result_deinit(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
  /* Hundreds of files are written; in memory nothing waits for a disk. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      TEST(test_killed),
      TEST(test_lost_parts),
      TEST(test_anothers_store),
      TEST(test_edited_history),
      TEST(test_flips),
      TEST(test_flips_before_a_report),
      TEST(test_frozen_policy_changed),
      TEST(test_power_cuts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
