/* parl/run/trainer_rungs.c - what a run is worth before it is done. */
#include <math.h>
#include <string.h>

#include "parl/run/evaluator.h"
#include "parl/run/trainer_internal.h"

enum { LOOKED_AT = 1 }; /* the set of held-out tasks of every look */

/* The rung after so many updates; n: none is. */
static size_t find_rung(const parl_rungs *rungs, int64_t updates) {
  size_t k = 0;
  while (k < rungs->n && rungs->at[k] != updates) k++;
  return k;
}

typedef struct recalling {
  const parl_rungs *rungs;
  double *out;
} recalling;

static parl_status recall(void *context, const parl_rung_row *row) {
  const recalling *r = context;
  const size_t k = find_rung(r->rungs, row->updates);
  if (k < r->rungs->n && row->n == r->rungs->n_tasks) r->out[k] = row->r_perf;
  return PARL_STATUS_OK;
}

parl_status parl_train_recall_rungs(parl_store *store, int64_t run_id, const parl_rungs *rungs,
                                    double out[PARL_MAX_RUNGS]) {
  recalling r = {rungs, out};
  for (size_t k = 0; k < PARL_MAX_RUNGS; k++) out[k] = (double)NAN;
  return parl_rows_visit_rungs(store, run_id, recall, &r);
}

parl_status parl_trainer_recall_rungs(parl_trainer *t, bool *paused) {
  const parl_leg *leg = t->leg;
  int found = 0;
  int64_t id = 0;
  *paused = false;
  if (leg == NULL) return PARL_STATUS_OK;
  PARL_TRY(parl_store_find_run(t->store, t->uid, &found, &id, NULL, NULL));
  if (!found) return PARL_STATUS_OK;
  PARL_TRY(parl_train_recall_rungs(t->store, id, leg->rungs, t->result->rungs));
  *paused = leg->level < leg->rungs->n && isfinite(t->result->rungs[leg->level]);
  return PARL_STATUS_OK;
}

static parl_status look(const parl_trainer *t, double *out) {
  const int64_t n = t->leg->rungs->n_tasks;
  parl_evaluation e;
  PARL_TRY(parl_evaluate(&(parl_evaluation_def){.host = t->host,
                                                .run = t->run,
                                                .policy = t->model,
                                                .subs = &t->subs,
                                                .label = "trained",
                                                .update = t->updater->update,
                                                .n_tasks = (size_t)n,
                                                .set = LOOKED_AT,
                                                .sampled_only = true,
                                                .workers = t->workers},
                         NULL, 0, &e));
  *out = e.sampled.r_perf;
  const parl_rung_row row = {t->updater->update, n, *out};
  PARL_TRY(parl_store_begin(t->store));
  return parl_store_end(t->store, parl_rows_put_rung(t->store, t->run_id, &row));
}

parl_status parl_trainer_look(parl_trainer *t) {
  if (t->leg == NULL) return PARL_STATUS_OK;
  const size_t k = find_rung(t->leg->rungs, t->updater->update);
  if (k == t->leg->rungs->n) return PARL_STATUS_OK;
  double *known = &t->result->rungs[k];
  if (!isfinite(*known)) PARL_TRY(look(t, known));
  t->result->is_paused = k == t->leg->level;
  return PARL_STATUS_OK;
}
