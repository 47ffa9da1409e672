/* tests/test_store_schema.c - a database of an older parl: read as it is, added to by a writer; one
 * of a newer parl is refused. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store_support.h"

/* A file as version 1 made it, word for word, with a row in every table. */
static const char version_1[] =
    "PRAGMA application_id=0x7061726C; PRAGMA user_version=1;"
    "CREATE TABLE run("
    " id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, recipe TEXT NOT NULL, arm TEXT NOT NULL,"
    " seed INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT NULL, host TEXT NOT NULL,"
    " revision TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE metric("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, key TEXT NOT NULL,"
    " at_update INTEGER NOT NULL, value REAL,"
    " PRIMARY KEY(run_id, key, at_update)) WITHOUT ROWID;"
    "CREATE TABLE episode("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, policy TEXT NOT NULL,"
    " decoding TEXT NOT NULL, at_update INTEGER NOT NULL, family TEXT NOT NULL,"
    " task_seed INTEGER NOT NULL, rollout INTEGER NOT NULL, r_perf REAL, success REAL,"
    " critical_steps INTEGER NOT NULL, total_steps INTEGER NOT NULL,"
    " optimum_steps INTEGER NOT NULL, last_gain_steps INTEGER NOT NULL,"
    " launches INTEGER NOT NULL, assigned INTEGER NOT NULL, finished INTEGER NOT NULL,"
    " max_width INTEGER NOT NULL, n_tokens INTEGER NOT NULL, end TEXT NOT NULL,"
    " PRIMARY KEY(run_id, policy, decoding, at_update, family, task_seed, rollout)) WITHOUT ROWID;"
    "CREATE TABLE checkpoint("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, at_update INTEGER NOT NULL,"
    " path TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " PRIMARY KEY(run_id, at_update)) WITHOUT ROWID;"
    "INSERT INTO run VALUES(1, 'u', 'quick', 'base', 5, '{}', 'done', '{}', 'r', 'h');"
    "INSERT INTO metric VALUES(1, 'k', 3, 0.25);"
    "INSERT INTO episode VALUES(1, 'trained', 'greedy', 4, 'wide', 9, 0, 0.5, NULL, 1, 2, 3, 4, 5,"
    " 6, 7, 8, 9, 'finish');"
    "INSERT INTO checkpoint VALUES(1, 3, 'file', 'sha');";

/* What every version reads of it. */
static const char due_run[] = "1 u quick base 5 {} done {} r [h];";

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static parl_status list_episode(void *context, const parl_episode_row *e) {
  parl_text_appendf(context, "%s %lld %g %g %lld;", e->family, (long long)e->update,
                    e->facts.r_perf, e->facts.success, (long long)e->facts.tokens);
  return PARL_STATUS_OK;
}

static parl_status list_checkpoint(void *context, int64_t update, const char *file,
                                   const char *sha256) {
  parl_text_appendf(context, "%lld %s %s;", (long long)update, file, sha256);
  return PARL_STATUS_OK;
}

static void assert_rows(parl_store *s) {
  parl_text t = {0};
  assert_ok(parl_store_visit_runs(s, list_run, &t));
  assert_string_equal(parl_text_get(&t), due_run);
  parl_text_clear(&t);
  assert_ok(parl_rows_visit_episodes(s, 1, list_episode, &t));
  assert_ok(parl_rows_visit_checkpoints(s, 1, list_checkpoint, &t));
  assert_string_equal(parl_text_get(&t), "wide 4 0.5 nan 9;3 file sha;");
  parl_text_deinit(&t);
  assert_metrics(s, 1, NULL, "k@3=0.25;");
}

static int64_t read_integer(parl_store *s, const char *sql) {
  int64_t out = -1;
  assert_ok(parl_store_read_integer(s, sql, &out));
  return out;
}

static void test_reader_of_an_older_file(void **state) {
  (void)state;
  run_sql(version_1);
  size_t n = 0, n_after = 0;
  char *before = NULL, *after = NULL;
  assert_ok(parl_file_read(path, 1 << 24, &before, &n));
  parl_store *s = NULL;
  assert_ok(parl_rows_open_readonly(path, &s));
  assert_rows(s);
  assert_true(read_integer(s, "SELECT digest IS NULL FROM run") == 1);
  parl_store_close(s);
  assert_ok(parl_file_read(path, 1 << 24, &after, &n_after)); /* a reader writes nothing */
  assert_int_equal(n, n_after);
  assert_memory_equal(before, after, n);
  free(before);
  free(after);
}

/* A writer adds what came since, while a reader that saw it absent goes on. */
static void test_writer_of_an_older_file(void **state) {
  (void)state;
  run_sql(version_1);
  parl_store *reader = NULL;
  assert_ok(parl_rows_open_readonly(path, &reader));
  parl_store *s = open_store();
  assert_rows(s);
  assert_rows(reader);
  assert_true(read_integer(s, "PRAGMA user_version") == parl_store_get_schema());
  assert_true(
      read_integer(s, "SELECT count(*) FROM pragma_table_info('run') WHERE name='digest'") == 1);
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_metric(s, 1, 4, "k", 1));
  assert_ok(parl_store_commit(s));
  assert_metrics(s, 1, NULL, "k@3=0.25;k@4=1;");
  assert_metrics(reader, 1, NULL, "k@3=0.25;k@4=1;");
  parl_store_close(reader);
  parl_store_close(s);
  s = open_store(); /* nothing is added twice */
  assert_metrics(s, 1, NULL, "k@3=0.25;k@4=1;");
  parl_store_close(s);
}

/* Tables, columns and their places in the key; which columns stand first, and which may be NULL, is
 * a file's own history. */
static void list_columns(parl_store *s, parl_text *out) {
  sqlite3_stmt *q = NULL;
  const char sql[] =
      "SELECT m.name, c.name, c.pk FROM sqlite_master m,"
      " pragma_table_info(m.name) c WHERE m.type='table' ORDER BY m.name, c.name";
  assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &q, NULL), SQLITE_OK);
  while (sqlite3_step(q) == SQLITE_ROW)
    for (int i = 0; i < 3; i++)
      parl_text_appendf(out, "%s ", (const char *)sqlite3_column_text(q, i));
  sqlite3_finalize(q);
}

/* What is missing in a file of version 1, or of one between, ends up where a new file has it. */
static void test_added_to_is_as_new(void **state) {
  (void)state;
  static const char *const between[] = {
      "",
      "ALTER TABLE run ADD COLUMN digest TEXT; ALTER TABLE episode ADD COLUMN budget_steps INTEGER;"
      "PRAGMA user_version=3",
  };
  parl_text fresh = {0}, added_to = {0};
  parl_store *s = open_store();
  list_columns(s, &fresh);
  parl_store_close(s);
  assert_true(fresh.n > 500);
  for (size_t i = 0; i < sizeof between / sizeof between[0]; i++) {
    assert_int_equal(unlink(path), 0);
    run_sql(version_1);
    run_sql(between[i]);
    s = open_store();
    parl_text_clear(&added_to);
    list_columns(s, &added_to);
    parl_store_close(s);
    assert_string_equal(parl_text_get(&fresh), parl_text_get(&added_to));
  }
  parl_text_deinit(&fresh);
  parl_text_deinit(&added_to);
}

/* One statement a table: adding column by column takes SQLite thousands of allocations. */
static void test_new_tables_are_made_whole(void **state) {
  (void)state;
  parl_store *s = open_store();
  assert_int_equal(read_integer(s,
                                "SELECT count(*) FROM sqlite_master WHERE name = 'run' AND "
                                "sql LIKE '%retired INTEGER)'"),
                   1);
  assert_int_equal(read_integer(s,
                                "SELECT count(*) FROM sqlite_master WHERE name = 'episode' AND "
                                "sql LIKE '%episode_seed INTEGER, PRIMARY KEY(%'"),
                   1);
  parl_store_close(s);
}

static void test_many_add_at_once(void **state) {
  (void)state;
  enum { N_FILES = 10, N_CHILDREN = 8 };
  for (int file = 0; file < N_FILES; file++) {
    char name[32];
    snprintf(name, sizeof name, "old%d.db", file);
    assert_ok(parl_file_join(path, sizeof path, folder, name));
    run_sql(version_1);
    pid_t children[N_CHILDREN];
    for (int i = 0; i < N_CHILDREN; i++) {
      children[i] = fork();
      assert_true(children[i] >= 0);
      parl_store *s = NULL;
      if (children[i] == 0) _exit((int)parl_rows_open(path, &s));
    }
    for (int i = 0; i < N_CHILDREN; i++) {
      int wait_status = 0;
      assert_int_equal(waitpid(children[i], &wait_status, 0), children[i]);
      assert_true(WIFEXITED(wait_status));
      assert_string_equal(parl_status_name((parl_status)WEXITSTATUS(wait_status)), "OK");
    }
    parl_store *s = open_store();
    assert_rows(s);
    parl_store_close(s);
  }
}

/* Where the addition fails, the file stays as it was. */
static void test_failed_addition_leaves_the_file(void **state) {
  (void)state;
  run_sql(version_1);
  run_sql("ALTER TABLE run ADD COLUMN digest TEXT"); /* somebody's own */
  parl_store *s = NULL;
  assert_fails(parl_rows_open(path, &s), PARL_STATUS_ESTORE, "duplicate column name: digest");
  assert_ok(parl_rows_open_readonly(path, &s));
  assert_rows(s);
  assert_true(read_integer(s, "PRAGMA user_version") == 1);
  parl_store_close(s);
}

static void test_newer_file_is_refused(void **state) {
  (void)state;
  char sql[64], due[128];
  run_sql(version_1);
  snprintf(sql, sizeof sql, "PRAGMA user_version=%lld", (long long)parl_store_get_schema() + 1);
  run_sql(sql);
  snprintf(due, sizeof due, "store.db: a newer parl wrote it: it has schema version %lld",
           (long long)parl_store_get_schema() + 1);
  parl_store *s = NULL;
  assert_fails(parl_rows_open(path, &s), PARL_STATUS_EFORMAT, due);
  assert_fails(parl_rows_open_readonly(path, &s), PARL_STATUS_EFORMAT, due);
  assert_null(s);
}

int main(void) {
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      TEST(test_reader_of_an_older_file), TEST(test_writer_of_an_older_file),
      TEST(test_added_to_is_as_new),      TEST(test_new_tables_are_made_whole),
      TEST(test_many_add_at_once),        TEST(test_failed_addition_leaves_the_file),
      TEST(test_newer_file_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
