/* parl/run/trainer_baselines.c - policies that are not trained, as runs. */
#include "core/clock.h"
#include "parl/run/evaluator.h"
#include "parl/run/trainer_internal.h"

parl_status parl_trainer_play_baseline(parl_trainer *t, const char *canonical) {
  const char *style = t->run->style[0] != '\0' ? t->run->style : NULL;
  PARL_TRY(parl_trainer_put_run(t, canonical, "running", ""));
  PARL_TRY(parl_trainer_open_models(t));
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, parl_store_delete_after(t->store, t->run_id, -1)));
  parl_evaluation e;
  const double start = parl_clock_s();
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .run = t->run,
                                                .policy = style ? NULL : t->warm,
                                                .style = style,
                                                .subs = &t->subs,
                                                .label = t->arm,
                                                .n_tasks = (size_t)t->config->eval.tasks,
                                                .workers = t->workers},
                         t->store, t->run_id, &e));
  parl_failures_warn(&e.failures, t->host->log, t->arm, PARL_PHASE_EVALUATION);
  PARL_TRY(parl_store_begin(t->store));
  PARL_TRY(parl_store_end(t->store, parl_rows_put_metric(t->store, t->run_id, 0, "time/evaluate_s",
                                                         parl_clock_s() - start)));
  PARL_TRY(parl_trainer_hash_run(t, t->result->hash));
  return parl_trainer_put_run(t, canonical, "done", t->result->hash);
}
