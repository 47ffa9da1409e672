/* core/store_rows.c - putting, finding, deleting, hashing and visiting rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/store.h"
#include "core/store_internal.h"

static const char *const kept_sql[PARL_STORE_N_STATEMENTS] = {
    [PARL_STORE_PUT_RUN] =
        "INSERT INTO run(uid, recipe, arm, seed, config, status, host, revision, hash)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(uid) DO UPDATE SET status=excluded.status,"
        " host=excluded.host, revision=excluded.revision, hash=excluded.hash",
    [PARL_STORE_FIND_RUN] = "SELECT id, status, hash FROM run WHERE uid=?",
    [PARL_STORE_PUT_METRIC] =
        "INSERT OR REPLACE INTO metric(run_id, at_update, key, value) VALUES(?, ?, ?, ?)",
    [PARL_STORE_PUT_EPISODE] =
        "INSERT OR REPLACE INTO episode(run_id, policy, decoding, at_update, task_seed, rollout,"
        " family, r_perf, success, critical_steps, total_steps, optimum_steps, last_gain_steps,"
        " launches, assigned, finished, max_width, n_tokens, end, budget_steps, serial_steps,"
        " useful, duplicates, failed, optimum_is, scores)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PARL_STORE_PUT_FAILURE] =
        "INSERT OR REPLACE INTO failure(run_id, phase, n, n_failed, error) VALUES(?, ?, ?, ?, ?)",
    [PARL_STORE_PUT_CHECKPOINT] =
        "INSERT OR REPLACE INTO checkpoint(run_id, at_update, path, sha256) VALUES(?, ?, ?, ?)",
};

/* A statement whose parameters are bound one after the other; the first failure stays. */
typedef struct query {
  parl_store *store;
  sqlite3_stmt *statement;
  int n_bound;
  int code;
} query;

static void bind_integer(query *q, int64_t x) {
  if (q->code == SQLITE_OK) q->code = sqlite3_bind_int64(q->statement, ++q->n_bound, x);
}

static void bind_real(query *q, double x) { /* SQLite stores NaN as NULL */
  if (q->code == SQLITE_OK) q->code = sqlite3_bind_double(q->statement, ++q->n_bound, x);
}

static void bind_text(query *q, const char *s) {
  if (q->code == SQLITE_OK)
    q->code = sqlite3_bind_text(q->statement, ++q->n_bound, s, -1, SQLITE_STATIC);
}

static parl_status open_kept(parl_store *store, parl_store_statement which, query *out) {
  sqlite3_stmt **kept = &store->kept[which];
  if (*kept == NULL) {
    const int code =
        sqlite3_prepare_v3(store->db, kept_sql[which], -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
    if (code != SQLITE_OK) return parl_store_fail(store, code, "prepare a statement");
  }
  *out = (query){.store = store, .statement = *kept, .code = SQLITE_OK};
  return PARL_STATUS_OK;
}

static parl_status open_once(parl_store *store, const char *sql, query *out) {
  *out = (query){.store = store, .code = SQLITE_OK};
  const int code = sqlite3_prepare_v2(store->db, sql, -1, &out->statement, NULL);
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, "prepare a statement");
}

/* Moves to the next row. *has_row false: there is none. */
static parl_status step(query *q, const char *verb, bool *has_row) {
  if (q->code == SQLITE_OK) q->code = sqlite3_step(q->statement);
  *has_row = q->code == SQLITE_ROW;
  if (q->code != SQLITE_ROW && q->code != SQLITE_DONE)
    return parl_store_fail(q->store, q->code, verb);
  q->code = SQLITE_OK;
  return PARL_STATUS_OK;
}

/* Runs a kept statement that returns no rows and makes it ready for its next use; resetting also
 * lets go of the texts bound to it. */
static parl_status finish_kept(query *q, const char *verb) {
  bool has_row;
  const parl_status s = step(q, verb, &has_row);
  sqlite3_reset(q->statement);
  sqlite3_clear_bindings(q->statement);
  return s;
}

static parl_status require_transaction(const parl_store *store) {
  if (sqlite3_get_autocommit(store->db))
    return parl_fail(PARL_STATUS_ESTATE, "%s: rows are put between begin and commit only",
                     store->path);
  return PARL_STATUS_OK;
}

static const char *get_text(query *q, int column) {
  const unsigned char *s = sqlite3_column_text(q->statement, column);
  if (s == NULL && sqlite3_column_type(q->statement, column) != SQLITE_NULL) q->code = SQLITE_NOMEM;
  return s == NULL ? "" : (const char *)s;
}

static double get_real(const query *q, int column) {
  return sqlite3_column_type(q->statement, column) == SQLITE_NULL
             ? (double)NAN
             : sqlite3_column_double(q->statement, column);
}

static int64_t get_integer(const query *q, int column) {
  return sqlite3_column_int64(q->statement, column);
}

/* A reading of a row is whole if no text ran out of memory. */
static parl_status check_row(const query *q) {
  return q->code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(q->store, q->code, "read");
}

parl_status parl_store_find_run(parl_store *store, const char *uid, int *found, int64_t *run_id,
                                char *status, char *hash) {
  PARL_REQUIRE(uid != NULL && found != NULL);
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_FIND_RUN, &q));
  bind_text(&q, uid);
  bool has_row = false;
  parl_status s = step(&q, "find a run", &has_row);
  if (s == PARL_STATUS_OK && has_row) {
    const char *status_text = get_text(&q, 1), *hash_text = get_text(&q, 2);
    s = check_row(&q);
    if (s == PARL_STATUS_OK && run_id != NULL) *run_id = get_integer(&q, 0);
    if (s == PARL_STATUS_OK && status != NULL) snprintf(status, 16, "%s", status_text);
    if (s == PARL_STATUS_OK && hash != NULL) snprintf(hash, PARL_HASH_HEX_BYTES, "%s", hash_text);
  }
  sqlite3_reset(q.statement);
  sqlite3_clear_bindings(q.statement);
  if (s == PARL_STATUS_OK) *found = has_row;
  return s;
}

parl_status parl_store_put_run(parl_store *store, const parl_store_run *run, int64_t *run_id) {
  PARL_REQUIRE(run->uid[0] != '\0' && run->recipe != NULL && run->arm != NULL);
  PARL_REQUIRE(run->config != NULL && run->host != NULL && run->revision != NULL);
  PARL_REQUIRE(run->status != NULL && strlen(run->status) < 16 && run_id != NULL);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_PUT_RUN, &q));
  bind_text(&q, run->uid);
  bind_text(&q, run->recipe);
  bind_text(&q, run->arm);
  bind_integer(&q, run->seed);
  bind_text(&q, run->config);
  bind_text(&q, run->status);
  bind_text(&q, run->host);
  bind_text(&q, run->revision);
  bind_text(&q, run->hash);
  PARL_TRY(finish_kept(&q, "put a run"));
  int found = 0;
  PARL_TRY(parl_store_find_run(store, run->uid, &found, run_id, NULL, NULL));
  PARL_CHECK(found);
  return PARL_STATUS_OK;
}

parl_status parl_store_put_metric(parl_store *store, int64_t run_id, int64_t update,
                                  const char *key, double value) {
  PARL_REQUIRE(key != NULL && update >= 0);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_PUT_METRIC, &q));
  bind_integer(&q, run_id);
  bind_integer(&q, update);
  bind_text(&q, key);
  bind_real(&q, value);
  return finish_kept(&q, "put a metric");
}

parl_status parl_store_put_episode(parl_store *store, int64_t run_id,
                                   const parl_store_episode *episode) {
  const parl_store_episode *e = episode;
  PARL_REQUIRE(e->policy != NULL && e->decoding != NULL && e->family != NULL && e->end != NULL);
  PARL_REQUIRE(e->update >= 0);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_PUT_EPISODE, &q));
  bind_integer(&q, run_id);
  bind_text(&q, e->policy);
  bind_text(&q, e->decoding);
  bind_integer(&q, e->update);
  bind_integer(&q, e->task_seed);
  bind_integer(&q, e->rollout);
  bind_text(&q, e->family);
  bind_real(&q, e->r_perf);
  bind_real(&q, e->success);
  bind_integer(&q, e->critical_steps);
  bind_integer(&q, e->total_steps);
  bind_integer(&q, e->optimum_steps);
  bind_integer(&q, e->last_gain_steps);
  bind_integer(&q, e->launches);
  bind_integer(&q, e->assigned);
  bind_integer(&q, e->finished);
  bind_integer(&q, e->max_width);
  bind_integer(&q, e->n_tokens);
  bind_text(&q, e->end);
  bind_real(&q, e->budget_steps);
  bind_real(&q, e->serial_steps);
  bind_real(&q, e->useful);
  bind_real(&q, e->duplicates);
  bind_integer(&q, e->failed);
  bind_text(&q, e->optimum_is);
  bind_text(&q, e->scores);
  return finish_kept(&q, "put an episode");
}

parl_status parl_store_put_failure(parl_store *store, int64_t run_id,
                                   const parl_store_failure *failure) {
  PARL_REQUIRE(failure->phase != NULL && failure->error != NULL);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_PUT_FAILURE, &q));
  bind_integer(&q, run_id);
  bind_text(&q, failure->phase);
  bind_integer(&q, failure->n);
  bind_integer(&q, failure->n_failed);
  bind_text(&q, failure->error);
  return finish_kept(&q, "put a failure");
}

parl_status parl_store_put_checkpoint(parl_store *store, int64_t run_id, int64_t update,
                                      const char *path, const char *sha256) {
  PARL_REQUIRE(path != NULL && sha256 != NULL && update >= 0);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_PUT_CHECKPOINT, &q));
  bind_integer(&q, run_id);
  bind_integer(&q, update);
  bind_text(&q, path);
  bind_text(&q, sha256);
  return finish_kept(&q, "put a checkpoint");
}

parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last) {
  static const char *const sql[] = {
      "DELETE FROM metric WHERE run_id=? AND at_update>?",
      "DELETE FROM episode WHERE run_id=? AND at_update>?",
      "DELETE FROM checkpoint WHERE run_id=? AND at_update>?",
  };
  PARL_TRY(require_transaction(store));
  for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
    query q;
    PARL_TRY(open_once(store, sql[i], &q));
    bind_integer(&q, run_id);
    bind_integer(&q, last);
    bool has_row;
    const parl_status s = step(&q, "delete rows", &has_row);
    sqlite3_finalize(q.statement);
    PARL_TRY(s);
  }
  return PARL_STATUS_OK;
}

/* Reads the present row and hands it to a visitor. */
typedef parl_status (*row_reader)(query *q, void *visit);

/* Visits every row of a query and closes it. */
static parl_status visit_rows(query *q, row_reader read, void *visit) {
  bool has_row = true;
  parl_status s = PARL_STATUS_OK;
  while (s == PARL_STATUS_OK) {
    s = step(q, "read rows", &has_row);
    if (s != PARL_STATUS_OK || !has_row) break;
    s = read(q, visit);
  }
  sqlite3_finalize(q->statement);
  return s;
}

typedef struct run_visit {
  parl_store_run_visitor visit;
  void *context;
} run_visit;

static parl_status read_run(query *q, void *visit) {
  const run_visit *v = visit;
  parl_store_run run = {
      .recipe = get_text(q, 2),
      .arm = get_text(q, 3),
      .seed = get_integer(q, 4),
      .config = get_text(q, 5),
      .status = get_text(q, 6),
      .host = get_text(q, 7),
      .revision = get_text(q, 8),
  };
  snprintf(run.uid, sizeof run.uid, "%s", get_text(q, 1));
  snprintf(run.hash, sizeof run.hash, "%s", get_text(q, 9));
  PARL_TRY(check_row(q));
  return v->visit(v->context, get_integer(q, 0), &run);
}

parl_status parl_store_visit_runs(parl_store *store, parl_store_run_visitor visit, void *context) {
  query q;
  PARL_TRY(open_once(store,
                     "SELECT id, uid, recipe, arm, seed, config, status, host, revision, hash"
                     " FROM run ORDER BY recipe, arm, seed, uid",
                     &q));
  return visit_rows(&q, read_run, &(run_visit){visit, context});
}

typedef struct metric_visit {
  parl_store_metric_visitor visit;
  void *context;
} metric_visit;

static parl_status read_metric(query *q, void *visit) {
  const metric_visit *v = visit;
  const char *key = get_text(q, 1);
  PARL_TRY(check_row(q));
  return v->visit(v->context, get_integer(q, 0), key, get_real(q, 2));
}

parl_status parl_store_visit_metrics(parl_store *store, int64_t run_id, const char *key,
                                     parl_store_metric_visitor visit, void *context) {
  query q;
  PARL_TRY(open_once(store,
                     key == NULL ? "SELECT at_update, key, value FROM metric WHERE run_id=?"
                                   " ORDER BY key, at_update"
                                 : "SELECT at_update, key, value FROM metric WHERE run_id=?"
                                   " AND key=? ORDER BY at_update",
                     &q));
  bind_integer(&q, run_id);
  if (key != NULL) bind_text(&q, key);
  return visit_rows(&q, read_metric, &(metric_visit){visit, context});
}

typedef struct episode_visit {
  parl_store_episode_visitor visit;
  void *context;
} episode_visit;

static parl_status read_episode(query *q, void *visit) {
  const episode_visit *v = visit;
  const parl_store_episode e = {
      .policy = get_text(q, 0),
      .decoding = get_text(q, 1),
      .update = get_integer(q, 2),
      .family = get_text(q, 3),
      .task_seed = get_integer(q, 4),
      .rollout = get_integer(q, 5),
      .r_perf = get_real(q, 6),
      .success = get_real(q, 7),
      .critical_steps = get_integer(q, 8),
      .total_steps = get_integer(q, 9),
      .optimum_steps = get_integer(q, 10),
      .last_gain_steps = get_integer(q, 11),
      .launches = get_integer(q, 12),
      .assigned = get_integer(q, 13),
      .finished = get_integer(q, 14),
      .max_width = get_integer(q, 15),
      .n_tokens = get_integer(q, 16),
      .end = get_text(q, 17),
      .budget_steps = get_real(q, 18),
      .serial_steps = get_real(q, 19),
      .useful = get_real(q, 20),
      .duplicates = get_real(q, 21),
      .failed = get_integer(q, 22) != 0,
      .optimum_is = get_text(q, 23),
      .scores = get_text(q, 24),
  };
  PARL_TRY(check_row(q));
  return v->visit(v->context, &e);
}

parl_status parl_store_visit_episodes(parl_store *store, int64_t run_id,
                                      parl_store_episode_visitor visit, void *context) {
  query q;
  PARL_TRY(open_once(store,
                     "SELECT policy, decoding, at_update, family, task_seed, rollout, r_perf,"
                     " success, critical_steps, total_steps, optimum_steps, last_gain_steps,"
                     " launches, assigned, finished, max_width, n_tokens, end, budget_steps,"
                     " serial_steps, useful, duplicates, failed, optimum_is, scores FROM episode"
                     " WHERE run_id=? ORDER BY policy, decoding, at_update, family, task_seed,"
                     " rollout",
                     &q));
  bind_integer(&q, run_id);
  return visit_rows(&q, read_episode, &(episode_visit){visit, context});
}

typedef struct failure_visit {
  parl_store_failure_visitor visit;
  void *context;
} failure_visit;

static parl_status read_failure(query *q, void *visit) {
  const failure_visit *v = visit;
  const parl_store_failure f = {.phase = get_text(q, 0),
                                .n = get_integer(q, 1),
                                .n_failed = get_integer(q, 2),
                                .error = get_text(q, 3)};
  PARL_TRY(check_row(q));
  return v->visit(v->context, &f);
}

parl_status parl_store_visit_failures(parl_store *store, int64_t run_id,
                                      parl_store_failure_visitor visit, void *context) {
  query q;
  PARL_TRY(open_once(
      store, "SELECT phase, n, n_failed, error FROM failure WHERE run_id=? ORDER BY phase", &q));
  bind_integer(&q, run_id);
  return visit_rows(&q, read_failure, &(failure_visit){visit, context});
}

typedef struct checkpoint_visit {
  parl_store_checkpoint_visitor visit;
  void *context;
} checkpoint_visit;

static parl_status read_checkpoint(query *q, void *visit) {
  const checkpoint_visit *v = visit;
  const char *path = get_text(q, 1), *sha256 = get_text(q, 2);
  PARL_TRY(check_row(q));
  return v->visit(v->context, get_integer(q, 0), path, sha256);
}

parl_status parl_store_visit_checkpoints(parl_store *store, int64_t run_id,
                                         parl_store_checkpoint_visitor visit, void *context) {
  query q;
  PARL_TRY(open_once(
      store, "SELECT at_update, path, sha256 FROM checkpoint WHERE run_id=? ORDER BY at_update",
      &q));
  bind_integer(&q, run_id);
  return visit_rows(&q, read_checkpoint, &(checkpoint_visit){visit, context});
}

/* Least significant byte first on every machine. */
static void hash_integer(parl_hash *h, int64_t x) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
  parl_hash_update(h, bytes, sizeof bytes);
}

static void hash_real(parl_hash *h, double x) {
  int64_t bits; /* a NaN comes from get_real, so there is one only */
  memcpy(&bits, &x, sizeof bits);
  hash_integer(h, bits);
}

/* With its NUL, so that two texts cannot run into each other. */
static void hash_text(parl_hash *h, const char *s) {
  parl_hash_update(h, s, strlen(s) + 1);
}

static parl_status hash_metric(void *context, int64_t update, const char *key, double value) {
  if (strncmp(key, "time/", 5) == 0) return PARL_STATUS_OK;
  hash_text(context, "metric");
  hash_text(context, key);
  hash_integer(context, update);
  hash_real(context, value);
  return PARL_STATUS_OK;
}

static parl_status hash_episode(void *context, const parl_store_episode *e) {
  hash_text(context, "episode");
  hash_text(context, e->policy);
  hash_text(context, e->decoding);
  hash_text(context, e->family);
  hash_text(context, e->end);
  hash_real(context, e->r_perf);
  hash_real(context, e->success);
  const int64_t integers[] = {e->update,          e->task_seed,   e->rollout,
                              e->critical_steps,  e->total_steps, e->optimum_steps,
                              e->last_gain_steps, e->launches,    e->assigned,
                              e->finished,        e->max_width,   e->n_tokens};
  for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
    hash_integer(context, integers[i]);
  const double reals[] = {e->budget_steps, e->serial_steps, e->useful, e->duplicates};
  for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
    if (!isnan(reals[i])) hash_real(context, reals[i]); /* an older row is hashed as it was */
  const char *const texts[] = {e->failed ? "failed" : "", e->optimum_is, e->scores};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (texts[i][0] != '\0') hash_text(context, texts[i]);
  return PARL_STATUS_OK;
}

parl_status parl_store_hash_run(parl_store *store, int64_t run_id, parl_hash *h) {
  PARL_TRY(parl_store_visit_metrics(store, run_id, NULL, hash_metric, h));
  return parl_store_visit_episodes(store, run_id, hash_episode, h);
}
