/* tests/test_rows.c - rows of a database that an older parl, or a newer one, wrote. */
#include <math.h>
#include <unistd.h>

#include "experiments/report.h"
#include "tests/store_support.h"

/* A file as version 14 made it, the last whose columns had versions: word for word, with digest and
 * seal; one episode failed. */
static const char version_14[] =
    "PRAGMA application_id=0x7061726C; PRAGMA user_version=14;"
    "CREATE TABLE checkpoint( run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,"
    " at_update INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY "
    "KEY(run_id, at_update)) WITHOUT ROWID;"
    "INSERT INTO checkpoint VALUES(1,2,'file','sha');"
    "CREATE TABLE claim(name TEXT PRIMARY KEY, token TEXT NOT NULL, host TEXT NOT NULL, "
    "space TEXT NOT NULL, pid INTEGER NOT NULL, start INTEGER NOT NULL, renewed INTEGER NOT"
    " NULL, place INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE episode( run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, "
    "policy TEXT NOT NULL, decoding TEXT NOT NULL, at_update INTEGER NOT NULL, family TEXT "
    "NOT NULL, task_seed INTEGER NOT NULL, rollout INTEGER NOT NULL, r_perf REAL, success "
    "REAL, critical_steps INTEGER NOT NULL, total_steps INTEGER NOT NULL, optimum_steps "
    "INTEGER NOT NULL, last_gain_steps INTEGER NOT NULL, launches INTEGER NOT NULL, "
    "assigned INTEGER NOT NULL, finished INTEGER NOT NULL, max_width INTEGER NOT NULL, "
    "n_tokens INTEGER NOT NULL, end TEXT NOT NULL, budget_steps INTEGER, serial_steps "
    "INTEGER, useful INTEGER, duplicates INTEGER, failed INTEGER, optimum_is TEXT, scores "
    "TEXT, PRIMARY KEY(run_id, policy, decoding, at_update, family, task_seed, rollout)) "
    "WITHOUT ROWID;"
    "INSERT INTO episode VALUES(1,'trained','sampled',2,'wide',9,0,0.5,0.0,7,10,6,5,1,3,2,3"
    ",31,'finish',12,10,1,0,0,'exact','{\"looks\":0.5}');"
    "INSERT INTO episode VALUES(1,'trained','sampled',2,'wide',10,0,NULL,NULL,7,10,6,5,1,3,"
    "2,3,31,'error',12,10,1,0,1,'exact','');"
    "CREATE TABLE failure(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, "
    "phase TEXT NOT NULL, n INTEGER NOT NULL, n_failed INTEGER NOT NULL, error TEXT NOT "
    "NULL, PRIMARY KEY(run_id, phase)) WITHOUT ROWID;"
    "INSERT INTO failure VALUES(1,'evaluation',2,1,'it broke');"
    "CREATE TABLE metric( run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, key"
    " TEXT NOT NULL, at_update INTEGER NOT NULL, value REAL, PRIMARY KEY(run_id, key, "
    "at_update)) WITHOUT ROWID;"
    "INSERT INTO metric VALUES(1,'episode/finish_rate',1,NULL);"
    "INSERT INTO metric VALUES(1,'reward/perf',0,0.25);"
    "INSERT INTO metric VALUES(1,'time/learn_s',0,3.0);"
    "CREATE TABLE run( id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, recipe TEXT NOT "
    "NULL, arm TEXT NOT NULL, seed INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT "
    "NULL, host TEXT NOT NULL, revision TEXT NOT NULL, hash TEXT NOT NULL, digest TEXT, "
    "seal TEXT, error TEXT, retired INTEGER);"
    "INSERT INTO run VALUES(1,'u','quick','base',5,'{\"lambda1\":{\"start\":0},\"train\":{}"
    "}','done','{}','r','h','3915958bbed2d6bba674182f54dc2b2ebfdd96478feceffc975f5e8c5098f0"
    "f4','c9f92eb0a6e5d072e92f9558d3c04b9c9a39751282985329d740b498720e2c27',NULL,NULL);";

/* And the hash that it gave the run's result. */
static const char due_hash[] = "bf37214d72c75a45364c79dd5fd4e13d8750163bd67b27e9ac58732c22fe325e";

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  char *error = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) fail_msg("%s", error);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

typedef struct seen {
  int n;
  parl_facts first, second;
  bool second_failed;
} seen;

static parl_status see_episode(void *context, const parl_episode_row *e) {
  seen *s = context;
  *(s->n == 0 ? &s->first : &s->second) = e->facts;
  s->second_failed = e->failed;
  s->n++;
  assert_string_equal(e->stages, "");
  return PARL_STATUS_OK;
}

/* What version 14 knew is read; what came later is unknown, not 0. */
static void assert_old_rows(parl_store *s) {
  seen e = {0};
  parl_hash h;
  char hash[PARL_HASH_HEX_BYTES];
  assert_ok(parl_store_check(s));
  assert_ok(parl_rows_visit_episodes(s, 1, see_episode, &e));
  assert_int_equal(e.n, 2);
  assert_true(e.second_failed && isnan(e.second.r_perf));
  assert_close(e.first.critical_steps, 7, 0);
  assert_close(e.first.tokens, 31, 0);
  assert_close(e.first.useful, 1, 0);
  assert_int_equal(e.first.end, PARL_END_FINISH);
  assert_int_equal(e.first.optimum_is, PARL_OPTIMUM_EXACT);
  assert_true(isnan(e.first.turns) && isnan(e.first.optimum_width) && isnan(e.first.context));
  assert_metrics(s, 1, NULL, "episode/finish_rate@1=nan;reward/perf@0=0.25;time/learn_s@0=3;");
  parl_hash_init(&h);
  assert_ok(parl_rows_hash_run(s, 1, &h));
  parl_hash_finish(&h, hash);
  assert_string_equal(hash, due_hash);
}

static void assert_missing(const parl_store *s) {
  assert_contains(parl_store_get_missing(s), "episode.stages");
  assert_contains(parl_store_get_missing(s), "episode.turns, ");
  assert_contains(parl_store_get_missing(s), "episode.cap_width");
  assert_null(strstr(parl_store_get_missing(s), "episode.useful"));
  assert_null(strstr(parl_store_get_missing(s), "n_tokens"));
}

static void test_reader_of_an_older_file(void **state) {
  (void)state;
  parl_text table = {0};
  parl_store *s = NULL;
  run_sql(version_14);
  assert_ok(parl_rows_open_readonly(path, &s));
  assert_missing(s);
  assert_old_rows(s);
  parl_store_close(s);
  assert_ok(parl_report_write(folder, &table)); /* says so */
  assert_contains(parl_text_get(&table), "An older parl wrote the store");
  parl_text_deinit(&table);
}

static void keep_line(void *context, parl_log_level level, const char *text) {
  (void)level;
  parl_text_appendf(context, "%s\n", text);
}

/* The writer adds the columns and goes on; what it puts beside the old rows has them. */
static void test_writer_of_an_older_file(void **state) {
  (void)state;
  parl_text lines = {0};
  parl_log log;
  seen e = {0};
  run_sql(version_14);
  parl_store *s = open_store();
  assert_missing(s);
  assert_old_rows(s);
  parl_log_init(&log, keep_line, &lines, PARL_LOG_INFO);
  parl_rows_say_missing(s, path, &log);
  assert_contains(parl_text_get(&lines),
                  "an older parl wrote it; added, and unknown in its rows: ");
  parl_text_deinit(&lines);
  const parl_episode_row row = {.policy = "trained",
                                .decoding = "sampled",
                                .update = 2,
                                .task_seed = 9,
                                .family = "wide",
                                .facts = {.turns = 5, .end = PARL_END_BUDGET}};
  assert_ok(parl_store_begin(s));
  assert_ok(parl_rows_put_episode(s, 1, &row)); /* in the place of an old one */
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
  s = open_store();
  assert_string_equal(parl_store_get_missing(s), "");
  assert_ok(parl_store_check(s));
  assert_ok(parl_rows_visit_episodes(s, 1, see_episode, &e));
  assert_close(e.first.turns, 5, 0);
  assert_true(isnan(e.second.turns));
  parl_store_close(s);
}

static parl_status count_episode(void *context, const parl_episode_row *e) {
  ++*(int *)context;
  assert_true(e->update <= 3);
  return PARL_STATUS_OK;
}

/* Training episodes are rows of their own: under the digest, not in the hash, and they go with the
 * updates after the last one. */
static void test_training_episodes(void **state) {
  (void)state;
  int64_t id = 0;
  int n = 0, n_evaluated = 0;
  char digests[3][PARL_HASH_HEX_BYTES], hashes[2][PARL_HASH_HEX_BYTES];
  parl_hash h;
  parl_store *s = open_with_run(&id);
  assert_ok(parl_rows_put_metric(s, id, 0, "reward/perf", 0.5));
  parl_hash_init(&h);
  assert_ok(parl_rows_hash_run(s, id, &h));
  parl_hash_finish(&h, hashes[0]);
  for (int64_t i = 0; i < 6; i++) {
    if (i == 4) assert_ok(parl_store_get_digest(s, id, digests[0]));
    const parl_episode_row e = {.policy = "trained",
                                .decoding = "sampled",
                                .update = i,
                                .rollout = i % 2,
                                .family = "",
                                .facts = {.r_perf = 0.1 * (double)i},
                                .stages = "[{\"main\":1,\"r_perf\":0}]"};
    assert_ok(parl_rows_put_training_episode(s, id, &e));
  }
  assert_ok(parl_store_get_digest(s, id, digests[1]));
  assert_string_not_equal(digests[0], digests[1]);
  assert_ok(parl_store_delete_after(s, id, 3));
  assert_ok(parl_store_get_digest(s, id, digests[2]));
  assert_string_equal(digests[0], digests[2]);
  assert_ok(parl_rows_visit_training_episodes(s, id, count_episode, &n));
  assert_ok(parl_rows_visit_episodes(s, id, count_episode, &n_evaluated));
  assert_true(n == 4 && n_evaluated == 0);
  parl_hash_init(&h);
  assert_ok(parl_rows_hash_run(s, id, &h));
  parl_hash_finish(&h, hashes[1]);
  assert_string_equal(hashes[0], hashes[1]);
  assert_ok(parl_store_commit(s));
  assert_ok(parl_store_check(s));
  parl_store_close(s);
}

/* Columns that a newer program added are covered by the digest, and left alone. */
static void test_newer_columns(void **state) {
  (void)state;
  static const parl_store_column columns[] = {{"name", PARL_STORE_TEXT, true},
                                              {PARL_STORE_UPDATE, PARL_STORE_INTEGER, true},
                                              {"fact", PARL_STORE_REAL, false},
                                              {"later", PARL_STORE_COUNT, false},
                                              {"note", PARL_STORE_TEXT, false}};
  static const parl_store_column failures[] = {{"phase", PARL_STORE_TEXT, true},
                                               {"n", PARL_STORE_INTEGER, true},
                                               {"n_failed", PARL_STORE_INTEGER, true},
                                               {"error", PARL_STORE_TEXT, true}};
  static const parl_store_table newer[] = {{"thing", PARL_STORE_KIND_HISTORY, columns, 5, 2},
                                           {"failure", PARL_STORE_KIND_SEALED, failures, 4, 1}};
  static const parl_store_table older[] = {{"thing", PARL_STORE_KIND_HISTORY, columns, 3, 2},
                                           {"failure", PARL_STORE_KIND_SEALED, failures, 4, 1}};
  const parl_store_value row[] = {
      {.text = "a"}, {.integer = 3}, {.number = 0.5}, {.number = 7}, {.text = "n"}};
  const parl_store_run run = make_run("u");
  parl_store *s = NULL;
  int64_t id = 0;
  assert_ok(parl_store_open(path, &s));
  assert_ok(parl_store_use_tables(s, newer, 2));
  assert_ok(parl_store_begin(s));
  assert_ok(parl_store_put_run(s, &run, &id));
  assert_ok(parl_store_put_row(s, id, &newer[0], row));
  assert_ok(parl_store_commit(s));
  parl_store_close(s);
  for (int is_reader = 1; is_reader >= 0; is_reader--) {
    assert_ok(is_reader ? parl_store_open_readonly(path, &s) : parl_store_open(path, &s));
    assert_ok(parl_store_use_tables(s, older, 2));
    assert_string_equal(parl_store_get_missing(s), "");
    assert_ok(parl_store_check(s));
    if (!is_reader) {
      const parl_store_value mine[] = {{.text = "b"}, {.integer = 3}, {.number = 1}};
      assert_ok(parl_store_begin(s));
      assert_ok(parl_store_put_row(s, id, &older[0], mine));
      assert_ok(parl_store_commit(s));
      assert_ok(parl_store_check(s));
    }
    parl_store_close(s);
  }
  run_sql("UPDATE thing SET later=8 WHERE name='a'");
  assert_ok(parl_store_open(path, &s));
  assert_ok(parl_store_use_tables(s, older, 2));
  assert_fails(parl_store_check(s), PARL_STATUS_EFORMAT, "is not what was stored");
  parl_store_close(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_reader_of_an_older_file),
      TEST(test_writer_of_an_older_file),
      TEST(test_training_episodes),
      TEST(test_newer_columns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
