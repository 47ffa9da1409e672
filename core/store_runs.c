/* core/store_runs.c - a run's row: put, found, visited, and what becomes of it: planned, failed,
 * set aside, deleted. */
#include <stdio.h>
#include <string.h>

#include "core/store_query.h"

enum { STATUS = 5, HASH = 8 }; /* of PARL_STORE_RUN_COLUMNS */

static const char *const kept_sql[PARL_STORE_N_STATEMENTS] = {
    [PARL_STORE_PUT_RUN] =
        "INSERT INTO run(uid, recipe, arm, seed, config, status, host, revision, hash)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PARL_STORE_CHANGE_RUN] =
        "UPDATE run SET status=?, host=?, revision=?, hash=?, error=NULL WHERE id=?",
    /* by the table: what an index says is in no seal */
    [PARL_STORE_FIND_RUN] = "SELECT " PARL_STORE_RUN_COLUMNS " FROM run WHERE +uid=?",
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

parl_status parl_store_delete_pending(parl_store *store, const char *arm, int64_t seed,
                                      const char *uid) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(open_once(store,
                     "DELETE FROM run WHERE arm=? AND seed=? AND uid<>? AND status='pending'", &q));
  bind_text(&q, arm);
  bind_integer(&q, seed);
  bind_text(&q, uid);
  return finish_once(&q, "delete a planned run");
}

parl_status parl_store_set_status(parl_store *store, const char *uid, const char *status,
                                  const char *error) {
  query q;
  int found = 0;
  int64_t id = 0;
  PARL_TRY(require_transaction(store));
  PARL_TRY(parl_store_find_run(store, uid, &found, &id, NULL, NULL));
  if (!found) return PARL_STATUS_OK;
  PARL_TRY(open_once(
      store, "UPDATE run SET status=?, error=?, hash='' WHERE id=? AND status<>'done'", &q));
  bind_text(&q, status);
  bind_text(&q, error);
  bind_integer(&q, id);
  PARL_TRY(finish_once(&q, "put a run's status"));
  return parl_store_count_run(store, id);
}

static parl_status read_error(query *q, void *out) {
  parl_text_append(out, get_text(q, 0));
  PARL_TRY(check_row(q));
  return parl_text_status(out);
}

parl_status parl_store_get_error(parl_store *store, int64_t run_id, parl_text *out) {
  query q;
  PARL_TRY(open_once(store, "SELECT error FROM run WHERE id=?", &q));
  bind_integer(&q, run_id);
  return visit_rows(&q, read_error, out);
}

static parl_status read_flag(query *q, void *out) {
  *(bool *)out = get_integer(q, 0) != 0;
  return PARL_STATUS_OK;
}

parl_status parl_store_get_retired(parl_store *store, int64_t run_id, bool *is_retired) {
  query q;
  PARL_TRY(open_once(store, "SELECT retired FROM run WHERE id=?", &q));
  bind_integer(&q, run_id);
  return visit_rows(&q, read_flag, is_retired);
}

parl_status parl_store_set_retired(parl_store *store, int64_t run_id, bool is_retired) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(open_once(store, "UPDATE run SET retired=? WHERE id=?", &q));
  bind_integer(&q, is_retired);
  bind_integer(&q, run_id);
  return finish_once(&q, "retire a run");
}

/* The tables of rows refer to the run and go with it. */
parl_status parl_store_delete_run(parl_store *store, int64_t run_id) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(parl_store_finish_count(store));
  PARL_TRY(open_once(store, "DELETE FROM run WHERE id=?", &q));
  bind_integer(&q, run_id);
  return finish_once(&q, "delete a run");
}

parl_status parl_store_move_checkpoints(parl_store *store, int64_t run_id, const char *path) {
  query q;
  PARL_TRY(require_transaction(store));
  PARL_TRY(open_once(store, "UPDATE checkpoint SET path=? WHERE run_id=?", &q));
  bind_text(&q, path);
  bind_integer(&q, run_id);
  return finish_once(&q, "move a checkpoint");
}
