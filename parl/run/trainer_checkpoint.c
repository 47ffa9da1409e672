/* parl/run/trainer_checkpoint.c - a run's checkpoint: saving it and going on from it. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/run/origin.h"
#include "parl/run/pretrained.h"
#include "parl/run/run_list.h"
#include "parl/run/trainer_internal.h"

static parl_status append_progress(const parl_trainer *t, const char *digest, parl_text *out) {
  char warm[1024];
  PARL_TRY(parl_warm_start_path(t->run, t->env, warm, sizeof warm));
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_origin_write(&(parl_origin_def){.uid = t->uid,
                                       .arm = t->arm,
                                       .seed = t->config->run.seed,
                                       .update = t->updater->update,
                                       .warm = strrchr(warm, '/') + 1,
                                       .config = t->canonical},
                    &w);
  parl_json_key(&w, "store");
  parl_json_string(&w, digest);
  parl_updater_write_state(t->updater, &w);
  parl_json_end_object(&w);
  return parl_text_status(out);
}

static size_t count_kept(const parl_trainer *t) {
  return t->ring != NULL ? t->ring->n + 1 : 0;
}

/* The store is on the disk before the checkpoint that counts on it has its name: after a power cut
 * it may be ahead of the checkpoint, never behind. */
parl_status parl_trainer_save(parl_trainer *t) {
  parl_text progress = {0};
  char digest[PARL_HASH_HEX_BYTES], sha[PARL_HASH_HEX_BYTES];
  PARL_TRY(parl_store_sync(t->store));
  PARL_TRY(parl_store_get_digest(t->store, t->run_id, digest));
  parl_status s = append_progress(t, digest, &progress);
  const parl_checkpoint_meta meta = {.vocab = parl_env_get_spec(t->env)->vocab_hash,
                                     .progress = parl_text_get(&progress),
                                     .kept = t->ring != NULL ? t->ring->kept : NULL,
                                     .n_kept = count_kept(t)};
  if (s == PARL_STATUS_OK)
    s = parl_checkpoint_save(t->checkpoint_path, t->model,
                             parl_learner_get_optimizer(t->updater->learner), &meta, sha);
  parl_text_deinit(&progress);
  PARL_TRY(s);
  PARL_TRY(parl_store_begin(t->store));
  s = parl_rows_put_checkpoint(t->store, t->run_id, t->updater->update, t->checkpoint_path, sha);
  return parl_store_end(t->store, s);
}

/* Where training goes on from. */
static const char *get_path(const parl_trainer *t) {
  return t->fork_path[0] != '\0' ? t->fork_path : t->checkpoint_path;
}

/* What schedules see of the update before; a metric that an older parl did not have is NaN. */
static parl_status read_metrics(parl_trainer *t) {
  parl_updater *u = t->updater;
  parl_text missing = {0};
  const parl_status s = parl_rows_get_metrics(t->store, t->run_id, u->update - 1, u->metric_table,
                                              &u->metrics, &missing);
  if (s == PARL_STATUS_OK && missing.n > 0)
    parl_log_write(t->host->log, PARL_LOG_INFO,
                   "%s: an older parl trained up to update %lld: it did not measure %s, which is "
                   "undefined up to there",
                   get_path(t), (long long)u->update, parl_text_get(&missing));
  parl_text_deinit(&missing);
  return s;
}

/* digest: of the store when the checkpoint was written; "" if an older parl wrote it. */
static parl_status read_progress(parl_trainer *t, const parl_json *root,
                                 char digest[PARL_HASH_HEX_BYTES]) {
  parl_updater *u = t->updater;
  const char *store = parl_json_get_string(parl_json_find(root, "store"));
  const char *uid = parl_json_get_string(parl_json_find(root, "uid"));
  const parl_json *update = parl_json_find(root, "update");
  const char *due = t->fork_path[0] != '\0' ? t->leg->fork.uid : t->uid;
  if (uid == NULL || strcmp(uid, due) != 0)
    return parl_fail(PARL_STATUS_EFORMAT, "%s belongs to another run; move it away", get_path(t));
  if (parl_json_get_type(update) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: its progress has no \"update\"", get_path(t));
  snprintf(digest, PARL_HASH_HEX_BYTES, "%s", store != NULL ? store : "");
  u->update = (int64_t)parl_json_get_number(update);
  PARL_TRY(parl_updater_read_state(u, root));
  return u->update > 0 ? read_metrics(t) : PARL_STATUS_OK;
}

static parl_status load(parl_trainer *t, char digest[PARL_HASH_HEX_BYTES]) {
  parl_text progress = {0};
  parl_json *root = NULL;
  const char *path = get_path(t);
  parl_status s =
      parl_checkpoint_load_kept(path, t->model, parl_learner_get_optimizer(t->updater->learner),
                                t->ring != NULL ? t->ring->kept : NULL, count_kept(t),
                                parl_env_get_spec(t->env)->vocab_hash, &progress);
  if (s == PARL_STATUS_OK) s = parl_json_parse(parl_text_get(&progress), progress.n, path, &root);
  if (s == PARL_STATUS_OK) s = read_progress(t, root, digest);
  parl_json_destroy(root);
  parl_text_deinit(&progress);
  return s;
}

static parl_status count_update(void *context, int64_t update, const char *key, double value) {
  (void)key;
  (void)value;
  int64_t *n = context;
  *n += update == *n;
  return PARL_STATUS_OK;
}

/* What is left in the store is what the checkpoint goes on from: every update before it, and no
 * other row than those of its time. */
static parl_status check_history(parl_trainer *t, const char *due) {
  parl_updater *u = t->updater;
  int64_t n = 0;
  char digest[PARL_HASH_HEX_BYTES];
  PARL_TRY(parl_rows_visit_metrics(t->store, t->run_id, "reward/total", count_update, &n));
  PARL_TRY(parl_store_get_digest(t->store, t->run_id, digest));
  if (n == u->update && (due[0] == '\0' || strcmp(digest, due) == 0)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s was written after %lld updates, but %s/store.db holds %s: it was lost or is "
                   "an older copy. Bring it back, or move the checkpoint away: then this run is "
                   "trained anew",
                   t->checkpoint_path, (long long)u->update, t->run->folder,
                   n < u->update ? "fewer of this run" : "others of this run");
}

/* Pretraining came before update 0, whatever its steps are called: its metrics are always there. */
static parl_status put_pretraining(parl_trainer *t) {
  parl_pretrain_rows rows = {0};
  PARL_TRY(parl_pretrained_read_rows(t->run, t->env, &rows));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < rows.n; i++)
    s = parl_rows_put_metric(t->store, t->run_id, rows.items[i].step, rows.items[i].key,
                             rows.items[i].value);
  parl_pretrain_rows_deinit(&rows);
  return s;
}

/* Takes both back to the checkpoint. */
static parl_status rewind_store(parl_trainer *t, const char *digest) {
  PARL_TRY(parl_store_check_run(t->store, t->run_id));
  PARL_TRY(parl_store_delete_after(t->store, t->run_id, t->updater->update - 1));
  PARL_TRY(put_pretraining(t));
  return t->updater->update > 0 ? check_history(t, digest) : PARL_STATUS_OK;
}

parl_status parl_trainer_resume(parl_trainer *t) {
  char digest[PARL_HASH_HEX_BYTES] = "";
  const bool is_forked = t->fork_path[0] != '\0';
  if (is_forked || parl_file_exists(t->checkpoint_path)) PARL_TRY(load(t, digest));
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, rewind_store(t, digest)));
  return is_forked ? parl_trainer_save(t) : PARL_STATUS_OK;
}

/* Whether the fork's run stands where this one should begin. */
static parl_status is_at_fork(const parl_trainer *t, const char *path, bool *out) {
  parl_origin origin = {0};
  *out = false;
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  PARL_TRY(parl_origin_read(path, &origin));
  *out = strcmp(origin.uid, t->leg->fork.uid) == 0 && origin.update == t->leg->fork.update;
  parl_origin_deinit(&origin);
  return PARL_STATUS_OK;
}

static parl_status copy_rows(parl_trainer *t, parl_store *from) {
  int found = 0;
  int64_t id = 0;
  PARL_TRY(parl_store_find_run(from, t->leg->fork.uid, &found, &id, NULL, NULL));
  if (!found) return parl_fail(PARL_STATUS_ESTATE, "%s: no such run to go on from", t->fork_path);
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = parl_store_delete_after(t->store, t->run_id, -1);
  if (s == PARL_STATUS_OK) s = parl_store_copy_rows(from, id, t->store, t->run_id);
  return parl_store_end(t->store, s);
}

parl_status parl_trainer_fork(parl_trainer *t) {
  const parl_leg *leg = t->leg;
  char path[1024], store_path[1024];
  bool is_there = false;
  parl_store *from = NULL;
  if (leg == NULL || leg->fork.uid == NULL || parl_file_exists(t->checkpoint_path))
    return PARL_STATUS_OK;
  PARL_TRY(parl_run_get_checkpoint_path(t->run->folder, leg->fork.name, t->config->run.seed, path));
  PARL_TRY(is_at_fork(t, path, &is_there));
  if (!is_there) return PARL_STATUS_OK;
  memcpy(t->fork_path, path, sizeof path);
  PARL_TRY(parl_file_join(store_path, sizeof store_path, t->run->folder, "store.db"));
  PARL_TRY(parl_rows_open_readonly(store_path, &from));
  const parl_status s = copy_rows(t, from);
  parl_store_close(from);
  return s;
}
