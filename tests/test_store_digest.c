/* tests/test_store_digest.c - no bit of the database can change what is read from it unnoticed. */
#include <unistd.h>

#include "core/rng.h"
#include "tests/store_support.h"

static parl_episode_row make_episode(int64_t update, int64_t task_seed) {
  return (parl_episode_row){.policy = "trained",
                            .decoding = task_seed % 2 ? "greedy" : "sampled",
                            .update = update,
                            .task_seed = task_seed,
                            .family = "wide",
                            .facts.r_perf = 0.125 * (double)task_seed,
                            .facts.success = (double)NAN,
                            .facts.critical_steps = 11 + (double)task_seed,
                            .facts.total_steps = 12,
                            .facts.optimum_steps = 13,
                            .facts.end = PARL_END_FINISH};
}

static void put_run(parl_store *s, const char *uid, const char *status, int64_t *id) {
  char config[6000]; /* longer than a page */
  memset(config, 'c', sizeof config);
  config[sizeof config - 1] = '\0';
  parl_store_run run = make_run(uid);
  run.config = config;
  run.status = status;
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_put_run(s, &run, id));
  assert_ok(parl_store_commit(s));
}

static void put_history(parl_store *s, int64_t id, int64_t n_updates) {
  static const char *const keys[] = {"reward/total", "reward/perf", "time/rollout_s", "a", "b"};
  assert_ok(parl_store_begin(s));
  for (int64_t u = 0; u < n_updates; u++)
    for (size_t k = 0; k < 5; k++)
      assert_ok(parl_rows_put_metric(s, id, u, keys[k], k == 3 ? 3.0 : 0.1 * (double)(u * 5) - 1));
  for (int64_t i = 0; i < 20; i++) {
    const parl_episode_row e = make_episode(n_updates, i);
    assert_ok(parl_rows_put_episode(s, id, &e));
  }
  assert_ok(parl_store_commit(s));
}

static int64_t fill(parl_store *s) {
  int64_t id = 0;
  for (int i = 0; i < 6; i++) {
    char uid[16];
    snprintf(uid, sizeof uid, "run%d", i);
    put_run(s, uid, "running", &id);
    put_history(s, id, 12);
    assert_ok(parl_store_begin(s));
    assert_ok(parl_rows_put_checkpoint(s, id, 12, "path", "sha"));
    assert_ok(parl_store_commit(s));
    put_run(s, uid, "done", &id);
  }
  return id;
}

static parl_status list_episode(void *context, const parl_episode_row *e) {
  parl_text_appendf(context, "%s %s %lld %lld %lld %s %.17g %.17g %lld %lld %lld %s;", e->policy,
                    e->decoding, (long long)e->update, (long long)e->task_seed,
                    (long long)e->rollout, e->family, e->facts.r_perf, e->facts.success,
                    (long long)e->facts.critical_steps, (long long)e->facts.total_steps,
                    (long long)e->facts.optimum_steps, parl_end_text(e->facts.end));
  return PARL_STATUS_OK;
}

typedef struct reading {
  parl_store *store;
  parl_text *text;
} reading;

static parl_status list_all(void *context, int64_t id, const parl_store_run *run) {
  const reading *r = context;
  PARL_TRY(list_run(r->text, id, run));
  PARL_TRY(parl_rows_visit_metrics(r->store, id, NULL, list_metric, r->text));
  return parl_rows_visit_episodes(r->store, id, list_episode, r->text);
}

/* As a report reads: it checks, then takes everything. */
static parl_status read_all(parl_text *out) {
  reading r = {.text = out};
  PARL_TRY(parl_rows_open_readonly(path, &r.store));
  parl_status s = parl_store_hold(r.store);
  if (s == PARL_STATUS_OK) s = parl_store_check(r.store);
  if (s == PARL_STATUS_OK) s = parl_store_visit_runs(r.store, list_all, &r);
  parl_store_close(r.store);
  return s;
}

/* As a run reads that was done before; one that is not found is trained again. */
static parl_status find_all(parl_text *out) {
  parl_store *store = NULL;
  PARL_TRY(parl_rows_open_readonly(path, &store));
  parl_status s = PARL_STATUS_OK;
  for (int i = 0; s == PARL_STATUS_OK && i < 6; i++) {
    char uid[16], status[16] = "", hash[PARL_HASH_HEX_BYTES] = "";
    int found = 0;
    int64_t id = 0;
    snprintf(uid, sizeof uid, "run%d", i);
    s = parl_store_find_run(store, uid, &found, &id, status, hash);
    if (s == PARL_STATUS_OK && !found) s = parl_fail(PARL_STATUS_EFORMAT, "%s: none", path);
    if (s == PARL_STATUS_OK) s = parl_store_check_run(store, id);
    if (s == PARL_STATUS_OK) s = parl_rows_visit_metrics(store, id, NULL, list_metric, out);
    parl_text_appendf(out, "%s %s;", status, hash);
  }
  parl_store_close(store);
  return s;
}

typedef struct counts {
  int refused, same;
} counts;

static void try_flip(const char *bytes, size_t n, size_t bit, parl_status (*read)(parl_text *out),
                     const char *due, counts *c) {
  char *copy = malloc(n);
  assert_non_null(copy);
  memcpy(copy, bytes, n);
  copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
  assert_ok(parl_file_write(path, copy, n));
  free(copy);
  parl_text text = {0};
  if (read(&text) != PARL_STATUS_OK) {
    c->refused++;
    assert_contains(parl_error_text(), "store.db");
  } else if (strcmp(parl_text_get(&text), due) == 0) {
    c->same++;
  } else {
    fail_msg("bit %zu of byte %zu changes what is read", bit % 8, bit / 8);
  }
  parl_text_deinit(&text);
}

/* Under a sanitizer, which makes everything ten times as slow, a fifth of them. */
static void try_flips(parl_status (*read)(parl_text *out)) {
  parl_store *s = open_store();
  fill(s);
  parl_store_close(s);
  char *bytes = NULL;
  size_t n = 0;
  assert_ok(parl_file_read(path, 1 << 24, &bytes, &n));
  parl_text due = {0};
  assert_ok(read(&due));
  const size_t stride = parl_test_is_short() ? 5 : 1;
  counts c = {0};
  for (size_t page = 0; page < n; page += 4096) /* where SQLite keeps what a page is */
    for (size_t bit = 0; bit < 8 * 16; bit += 5 * stride)
      try_flip(bytes, n, 8 * page + bit, read, parl_text_get(&due), &c);
  for (size_t bit = 0; bit < 8 * 108; bit += stride)
    try_flip(bytes, n, bit, read, parl_text_get(&due), &c);
  for (uint64_t i = 0; i < 800 / stride; i++)
    try_flip(bytes, n, parl_rng(11, 0, i) % (8 * n), read, parl_text_get(&due), &c);
  assert_true(c.refused > 300 / (int)stride && c.same > 100 / (int)stride);
  parl_text_deinit(&due);
  free(bytes);
}

static void test_flips_before_a_report(void **state) {
  (void)state;
  try_flips(read_all);
}

static void test_flips_before_done(void **state) {
  (void)state;
  try_flips(find_all);
}

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A row that is gone, new or another is told, and so is a run's own row; of which run, too. */
static void test_changes_by_others(void **state) {
  (void)state;
  static const char *const changes[] = {
      "UPDATE metric SET value=value+1e-9 WHERE run_id=2 AND key='b' AND at_update=3",
      "UPDATE metric SET value=NULL WHERE run_id=2 AND key='b' AND at_update=3",
      "UPDATE metric SET at_update=99 WHERE run_id=2 AND key='time/rollout_s' AND at_update=3",
      "DELETE FROM metric WHERE run_id=2 AND at_update=11",
      "INSERT INTO metric VALUES(2, 'c', 0, 1)",
      "UPDATE episode SET success=0 WHERE run_id=2 AND task_seed=3",
      "DELETE FROM episode WHERE run_id=2",
      "UPDATE run SET seed=-4 WHERE id=2",
      "UPDATE run SET arm='BASE' WHERE id=2",
      "UPDATE run SET status='dond' WHERE id=2",
      "UPDATE run SET hash='x' WHERE id=2",
      "UPDATE run SET config='{}' WHERE id=2",
      "UPDATE run SET digest=NULL WHERE id=2",
      "UPDATE run SET seal=NULL WHERE id=2",
      "UPDATE metric SET run_id=3, at_update=77 WHERE run_id=2 AND key='a' AND at_update=3",
  };
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    parl_store *s = open_store();
    fill(s);
    assert_ok(parl_store_check(s));
    run_sql(changes[i]);
    assert_fails(parl_store_check(s), PARL_STATUS_EFORMAT, "is not what was stored");
    assert_ok(parl_store_check_run(s, 1));
    assert_fails(parl_store_check_run(s, 2), PARL_STATUS_EFORMAT, "of arm \"");
    parl_store_close(s);
    assert_int_equal(unlink(path), 0);
  }
}

static void get_digest(parl_store *s, int64_t id, char out[PARL_HASH_HEX_BYTES]) {
  assert_ok(parl_store_get_digest(s, id, out));
}

/* Rows that go leave no trace: the digest is that of what is there, whatever the way to it. */
static void test_digest_follows_the_rows(void **state) {
  (void)state;
  char empty[PARL_HASH_HEX_BYTES], five[PARL_HASH_HEX_BYTES], now[PARL_HASH_HEX_BYTES];
  int64_t a = 0, b = 0;
  parl_store *s = open_store();
  put_run(s, "a", "running", &a);
  put_run(s, "b", "running", &b);
  get_digest(s, a, empty);
  put_history(s, a, 5);
  get_digest(s, a, five);
  assert_string_not_equal(empty, five);
  put_history(s, b, 5);
  get_digest(s, b, now);
  assert_string_equal(now, five); /* of the rows, not of whose they are */
  put_history(s, a, 5);           /* the same again, in their places */
  get_digest(s, a, now);
  assert_string_equal(now, five);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, a, 9, "reward/perf", 2));
  assert_ok(parl_rows_put_metric(s, b, 1, "reward/perf", 2)); /* two runs in one transaction */
  assert_ok(parl_rows_put_metric(s, a, 1, "reward/perf", 7));
  assert_ok(parl_store_check_run(s, a)); /* also inside it */
  parl_store_rollback(s);
  get_digest(s, a, now);
  assert_string_equal(now, five);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, a, 9, "reward/perf", 2));
  assert_ok(parl_rows_put_metric(s, b, 9, "reward/perf", 3));
  assert_ok(parl_rows_put_metric(s, a, 10, "reward/perf", -0.0));
  assert_ok(parl_rows_put_metric(s, a, 11, "reward/perf", 1e300));
  assert_ok(parl_store_commit(s));
  assert_ok(parl_store_check(s));
  get_digest(s, a, now);
  assert_string_not_equal(now, five);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_delete_after(s, a, 5));
  assert_ok(parl_store_commit(s));
  get_digest(s, a, now);
  assert_string_equal(now, five);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_delete_after(s, a, -1));
  assert_ok(parl_store_commit(s));
  get_digest(s, a, now);
  assert_string_equal(now, empty);
  assert_ok(parl_store_check(s));
  assert_fails(parl_store_get_digest(s, 99, now), PARL_STATUS_ESTATE, "has no run 99");
  parl_store_close(s);
}

int main(void) {
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      TEST(test_flips_before_a_report),
      TEST(test_flips_before_done),
      TEST(test_changes_by_others),
      TEST(test_digest_follows_the_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
