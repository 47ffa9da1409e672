/* core/store_rows.c - putting, finding, deleting, hashing and visiting rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/store_query.h"
#include "core/text.h"

enum { STATUS = 5, HASH = 8 }; /* of PARL_STORE_RUN_COLUMNS */

static const char *const kept_sql[PARL_STORE_N_STATEMENTS] = {
    [PARL_STORE_PUT_RUN] =
        "INSERT INTO run(uid, recipe, arm, seed, config, status, host, revision, hash)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PARL_STORE_CHANGE_RUN] =
        "UPDATE run SET status=?, host=?, revision=?, hash=?, error=NULL WHERE id=?",
    /* by the table: what an index says is in no seal */
    [PARL_STORE_FIND_RUN] = "SELECT " PARL_STORE_RUN_COLUMNS " FROM run WHERE +uid=?",
    [PARL_STORE_PUT_METRIC] =
        "INSERT INTO metric(run_id, at_update, key, value) VALUES(?, ?, ?, ?)"
        " RETURNING " PARL_STORE_METRIC_COLUMNS,
    [PARL_STORE_PUT_EPISODE] =
        "INSERT INTO episode(run_id, policy, decoding, at_update, family, task_seed, rollout,"
        " r_perf, success, critical_steps, total_steps, optimum_steps, last_gain_steps,"
        " launches, assigned, finished, max_width, n_tokens, end, budget_steps, serial_steps,"
        " useful, duplicates, failed, optimum_is, scores)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " RETURNING " PARL_STORE_EPISODE_COLUMNS,
    [PARL_STORE_PUT_FAILURE] =
        "INSERT OR REPLACE INTO failure(run_id, phase, n, n_failed, error) VALUES(?, ?, ?, ?, ?)",
    [PARL_STORE_PUT_CHECKPOINT] =
        "INSERT OR REPLACE INTO checkpoint(run_id, at_update, path, sha256) VALUES(?, ?, ?, ?)",
    [PARL_STORE_TAKE_METRIC] =
        "DELETE FROM metric WHERE run_id=? AND at_update=? AND key=?"
        " RETURNING " PARL_STORE_METRIC_COLUMNS,
    [PARL_STORE_TAKE_EPISODE] =
        "DELETE FROM episode WHERE run_id=? AND policy=? AND decoding=? AND at_update=?"
        " AND family=? AND task_seed=? AND rollout=? RETURNING " PARL_STORE_EPISODE_COLUMNS,
};

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

/* Runs a kept statement that returns the rows of a table that it put, or took out. */
static parl_status finish_counted(query *q, const char *table, bool is_out) {
  bool has_row = true;
  parl_status s = PARL_STATUS_OK;
  parl_store_digest rows = {0};
  while (s == PARL_STATUS_OK && has_row) {
    s = step(q, "put a row", &has_row);
    if (s == PARL_STATUS_OK && has_row) parl_store_digest_add_row(&rows, table, q->statement);
  }
  if (s == PARL_STATUS_OK) parl_store_count_rows(q->store, &rows, is_out);
  sqlite3_reset(q->statement);
  sqlite3_clear_bindings(q->statement);
  return s;
}

parl_status parl_store_find_run(parl_store *store, const char *uid, int *found, int64_t *run_id,
                                char *status, char *hash) {
  PARL_REQUIRE(uid != NULL && found != NULL);
  query q;
  PARL_TRY(parl_store_finish_count(store));
  PARL_TRY(open_kept(store, PARL_STORE_FIND_RUN, &q));
  bind_text(&q, uid);
  bool has_row = false;
  parl_status s = step(&q, "find a run", &has_row);
  if (s == PARL_STATUS_OK && has_row) s = parl_store_check_seal(store, q.statement);
  if (s == PARL_STATUS_OK && has_row) {
    const char *status_text = get_text(&q, STATUS), *hash_text = get_text(&q, HASH);
    s = check_row(&q);
    if (s == PARL_STATUS_OK && run_id != NULL) *run_id = get_integer(&q, PARL_STORE_ID);
    if (s == PARL_STATUS_OK && status != NULL) snprintf(status, 16, "%s", status_text);
    if (s == PARL_STATUS_OK && hash != NULL) snprintf(hash, PARL_HASH_HEX_BYTES, "%s", hash_text);
  }
  sqlite3_reset(q.statement);
  sqlite3_clear_bindings(q.statement);
  if (s == PARL_STATUS_OK) *found = has_row;
  return s;
}

static parl_status insert_run(parl_store *store, const parl_store_run *run, int64_t *id) {
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
  *id = sqlite3_last_insert_rowid(store->db);
  return PARL_STATUS_OK;
}

static parl_status change_run(parl_store *store, const parl_store_run *run, int64_t id) {
  query q;
  PARL_TRY(open_kept(store, PARL_STORE_CHANGE_RUN, &q));
  bind_text(&q, run->status);
  bind_text(&q, run->host);
  bind_text(&q, run->revision);
  bind_text(&q, run->hash);
  bind_integer(&q, id);
  return finish_kept(&q, "put a run");
}

static parl_status require_run(const parl_store *store, const parl_store_run *run) {
  PARL_REQUIRE(run->uid[0] != '\0' && run->recipe != NULL && run->arm != NULL);
  PARL_REQUIRE(run->config != NULL && run->host != NULL && run->revision != NULL);
  PARL_REQUIRE(run->status != NULL && strlen(run->status) < 16);
  return require_transaction(store);
}

parl_status parl_store_put_run(parl_store *store, const parl_store_run *run, int64_t *run_id) {
  PARL_REQUIRE(run_id != NULL);
  PARL_TRY(require_run(store, run));
  int found = 0;
  int64_t id = 0;
  PARL_TRY(parl_store_find_run(store, run->uid, &found, &id, NULL, NULL));
  PARL_TRY(found ? change_run(store, run, id) : insert_run(store, run, &id));
  PARL_TRY(parl_store_count_run(store, id));
  *run_id = id;
  return PARL_STATUS_OK;
}

parl_status parl_store_plan_run(parl_store *store, const parl_store_run *run) {
  PARL_TRY(require_run(store, run));
  int found = 0;
  int64_t id = 0;
  PARL_TRY(parl_store_find_run(store, run->uid, &found, &id, NULL, NULL));
  if (found) return PARL_STATUS_OK;
  PARL_TRY(insert_run(store, run, &id));
  return parl_store_count_run(store, id);
}

parl_status parl_store_put_metric(parl_store *store, int64_t run_id, int64_t update,
                                  const char *key, double value) {
  PARL_REQUIRE(key != NULL && update >= 0);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(parl_store_count_run(store, run_id));
  for (int is_put = 0; is_put < 2; is_put++) { /* out with the old row, in with the new */
    PARL_TRY(open_kept(store, is_put ? PARL_STORE_PUT_METRIC : PARL_STORE_TAKE_METRIC, &q));
    bind_integer(&q, run_id);
    bind_integer(&q, update);
    bind_text(&q, key);
    if (is_put) bind_real(&q, value);
    PARL_TRY(finish_counted(&q, "metric", !is_put));
  }
  return PARL_STATUS_OK;
}

/* What does not name an episode. */
static void bind_outcome(query *q, const parl_store_episode *e) {
  bind_real(q, e->r_perf);
  bind_real(q, e->success);
  bind_integer(q, e->critical_steps);
  bind_integer(q, e->total_steps);
  bind_integer(q, e->optimum_steps);
  bind_integer(q, e->last_gain_steps);
  bind_integer(q, e->launches);
  bind_integer(q, e->assigned);
  bind_integer(q, e->finished);
  bind_integer(q, e->max_width);
  bind_integer(q, e->n_tokens);
  bind_text(q, e->end);
  bind_real(q, e->budget_steps);
  bind_real(q, e->serial_steps);
  bind_real(q, e->useful);
  bind_real(q, e->duplicates);
  bind_integer(q, e->failed);
  bind_text(q, e->optimum_is);
  bind_text(q, e->scores);
}

parl_status parl_store_put_episode(parl_store *store, int64_t run_id,
                                   const parl_store_episode *episode) {
  const parl_store_episode *e = episode;
  PARL_REQUIRE(e->policy != NULL && e->decoding != NULL && e->family != NULL && e->end != NULL);
  PARL_REQUIRE(e->update >= 0);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(parl_store_count_run(store, run_id));
  for (int is_put = 0; is_put < 2; is_put++) {
    PARL_TRY(open_kept(store, is_put ? PARL_STORE_PUT_EPISODE : PARL_STORE_TAKE_EPISODE, &q));
    bind_integer(&q, run_id);
    bind_text(&q, e->policy);
    bind_text(&q, e->decoding);
    bind_integer(&q, e->update);
    bind_text(&q, e->family);
    bind_integer(&q, e->task_seed);
    bind_integer(&q, e->rollout);
    if (is_put) bind_outcome(&q, e);
    PARL_TRY(finish_counted(&q, "episode", !is_put));
  }
  return PARL_STATUS_OK;
}

parl_status parl_store_put_failure(parl_store *store, int64_t run_id,
                                   const parl_store_failure *failure) {
  PARL_REQUIRE(failure->phase != NULL && failure->error != NULL);
  PARL_TRY(require_transaction(store));
  query q;
  PARL_TRY(parl_store_count_run(store, run_id));
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

/* Without columns: of a table that no digest covers. */
static parl_status delete_rows(parl_store *store, const parl_store_table *table, int64_t run_id,
                               int64_t last) {
  parl_text sql = {0};
  query q = {0};
  parl_text_appendf(&sql, "DELETE FROM %s WHERE run_id=? AND at_update>?", table->name);
  if (table->columns != NULL) parl_text_appendf(&sql, " RETURNING %s", table->columns);
  parl_status s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = open_once(store, parl_text_get(&sql), &q);
  if (s == PARL_STATUS_OK) {
    bind_integer(&q, run_id);
    bind_integer(&q, last);
    s = finish_counted(&q, table->name, true);
  }
  sqlite3_finalize(q.statement);
  parl_text_deinit(&sql);
  return s;
}

parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last) {
  PARL_TRY(require_transaction(store));
  PARL_TRY(parl_store_count_run(store, run_id));
  for (int i = 0; i < PARL_STORE_N_TABLES; i++)
    PARL_TRY(delete_rows(store, &parl_store_tables[i], run_id, last));
  return delete_rows(store, &(parl_store_table){"checkpoint", NULL}, run_id, last);
}

typedef struct run_visit {
  parl_store_run_visitor visit;
  void *context;
} run_visit;

static parl_status read_run(query *q, void *visit) {
  const run_visit *v = visit;
  PARL_TRY(parl_store_check_seal(q->store, q->statement));
  parl_store_run run = {
      .recipe = get_text(q, 1),
      .arm = get_text(q, 2),
      .seed = get_integer(q, 3),
      .config = get_text(q, 4),
      .status = get_text(q, STATUS),
      .host = get_text(q, 6),
      .revision = get_text(q, 7),
      .error = get_text(q, PARL_STORE_ERROR),
      .is_retired = get_integer(q, PARL_STORE_RETIRED) != 0,
  };
  snprintf(run.uid, sizeof run.uid, "%s", get_text(q, 0));
  snprintf(run.hash, sizeof run.hash, "%s", get_text(q, HASH));
  PARL_TRY(check_row(q));
  return v->visit(v->context, get_integer(q, PARL_STORE_ID), &run);
}

parl_status parl_store_visit_runs(parl_store *store, parl_store_run_visitor visit, void *context) {
  query q;
  PARL_TRY(parl_store_finish_count(store));
  PARL_TRY(open_once(store, "SELECT " PARL_STORE_RUN_COLUMNS " FROM run ORDER BY id", &q));
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
                     key == NULL ? "SELECT " PARL_STORE_METRIC_COLUMNS
                                   " FROM metric WHERE run_id=? ORDER BY key, at_update"
                                 : "SELECT " PARL_STORE_METRIC_COLUMNS
                                   " FROM metric WHERE run_id=? AND key=? ORDER BY at_update",
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
  PARL_TRY(open_once(
      store,
      "SELECT " PARL_STORE_EPISODE_COLUMNS
      " FROM episode WHERE run_id=? ORDER BY policy, decoding, at_update, family, task_seed,"
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
      store, "SELECT " PARL_STORE_FAILURE_COLUMNS " FROM failure WHERE run_id=? ORDER BY phase",
      &q));
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
