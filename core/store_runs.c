/* core/store_runs.c - what becomes of a run's row beside its training: planned, failed, set aside,
 * deleted. */
#include "core/store_query.h"

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
