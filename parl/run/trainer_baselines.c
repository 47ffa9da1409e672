/* parl/run/trainer_baselines.c - policies that are not trained, as runs. */
#include <string.h>

#include "core/clock.h"
#include "parl/run/evaluator.h"
#include "parl/run/trainer_internal.h"

static parl_status play_baseline(parl_trainer *t, const char *canonical, const char *style) {
  PARL_TRY(parl_trainer_put_run(t, canonical, "running", ""));
  PARL_TRY(parl_trainer_open_models(t));
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, parl_store_delete_after(t->store, t->run_id, -1)));
  parl_evaluation e;
  const double start = parl_clock_s();
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .config = t->config,
                                                .policy = style ? NULL : t->warm,
                                                .style = style,
                                                .sub_policy = t->sub_policy,
                                                .label = t->arm,
                                                .n_tasks = (size_t)t->config->eval.tasks,
                                                .workers = t->workers},
                         t->store, t->run_id, &e));
  parl_failures_warn(&e.failures, t->host->log, t->arm, PARL_PHASE_EVALUATION);
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, parl_store_put_metric(t->store, t->run_id, 0, "time/evaluate_s",
                                                          parl_clock_s() - start)));
  PARL_TRY(parl_trainer_hash_run(t, t->result->hash));
  return parl_trainer_put_run(t, canonical, "done", t->result->hash);
}

parl_status parl_train_baseline(const parl_host *host, const parl_run_config *config,
                                const char *arm, const char *style, parl_workers *workers,
                                parl_train_result *out) {
  *out = (parl_train_result){0};
  parl_trainer t = {.host = host, .config = config, .arm = arm, .workers = workers, .result = out};
  parl_text canonical = {0};
  parl_status s = parl_trainer_open(&t, &canonical, PARL_SCOPE_BASELINE);
  memcpy(out->uid, t.uid, sizeof out->uid);
  if (s == PARL_STATUS_OK) s = parl_trainer_is_done(&t, &out->was_done);
  if (s == PARL_STATUS_OK && !out->was_done) {
    s = play_baseline(&t, parl_text_get(&canonical), style);
    if (s != PARL_STATUS_OK) parl_trainer_mark_stopped(&t, s);
  }
  parl_trainer_close(&t);
  parl_text_deinit(&canonical);
  return s;
}
