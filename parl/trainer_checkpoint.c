/* parl/trainer_checkpoint.c - a run's checkpoint: saving it and going on from it. */
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "engine/checkpoint.h"
#include "parl/trainer_internal.h"

static parl_status append_progress(const parl_trainer *t, parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "uid");
  parl_json_string(&w, t->uid);
  parl_json_key(&w, "update");
  parl_json_integer(&w, t->update);
  for (int i = 0; i < PARL_N_TERMS; i++) {
    if (t->schedules[i] == NULL) continue;
    parl_json_key(&w, parl_term_lambdas[i]);
    parl_json_number(&w, parl_schedule_get_state(t->schedules[i]));
  }
  parl_json_end_object(&w);
  return parl_text_status(out);
}

parl_status parl_trainer_save(parl_trainer *t) {
  parl_text progress = {0};
  char sha[PARL_HASH_HEX_BYTES];
  parl_status s = append_progress(t, &progress);
  const parl_checkpoint_meta meta = {parl_env_get_spec(t->env)->vocab_hash,
                                     parl_text_get(&progress)};
  if (s == PARL_STATUS_OK)
    s = parl_checkpoint_save(t->checkpoint_path, t->model, parl_learner_get_optimizer(t->learner),
                             &meta, sha);
  parl_text_deinit(&progress);
  PARL_TRY(s);
  PARL_TRY(parl_store_begin(t->store));
  s = parl_store_put_checkpoint(t->store, t->run_id, t->update, t->checkpoint_path, sha);
  return parl_store_end(t->store, s);
}

static parl_status read_progress(parl_trainer *t, const parl_json *root) {
  const char *uid = parl_json_get_string(parl_json_find(root, "uid"));
  const parl_json *update = parl_json_find(root, "update");
  if (uid == NULL || strcmp(uid, t->uid) != 0)
    return parl_fail(PARL_STATUS_EFORMAT, "%s belongs to another run; move it away",
                     t->checkpoint_path);
  if (parl_json_get_type(update) != PARL_JSON_NUMBER)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: its progress has no \"update\"", t->checkpoint_path);
  t->update = (int64_t)parl_json_get_number(update);
  for (int i = 0; i < PARL_N_TERMS; i++)
    if (t->schedules[i] != NULL)
      parl_schedule_set_state(t->schedules[i],
                              parl_json_get_number(parl_json_find(root, parl_term_lambdas[i])));
  return t->update > 0 ? parl_metrics_get(t->store, t->run_id, t->update - 1, &t->metrics)
                       : PARL_STATUS_OK;
}

parl_status parl_trainer_resume(parl_trainer *t) {
  if (parl_file_exists(t->checkpoint_path)) {
    parl_text progress = {0};
    parl_json *root = NULL;
    parl_status s =
        parl_checkpoint_load(t->checkpoint_path, t->model, parl_learner_get_optimizer(t->learner),
                             parl_env_get_spec(t->env)->vocab_hash, &progress);
    if (s == PARL_STATUS_OK)
      s = parl_json_parse(parl_text_get(&progress), progress.n, t->checkpoint_path, &root);
    if (s == PARL_STATUS_OK) s = read_progress(t, root);
    parl_json_destroy(root);
    parl_text_deinit(&progress);
    PARL_TRY(s);
  }
  PARL_TRY(parl_store_begin(t->store));
  parl_status s = parl_store_delete_after(t->store, t->run_id, t->update - 1);
  return parl_store_end(t->store, s);
}
