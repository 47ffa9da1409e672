/* parl/run/trainer_failures.c - the failed episodes of a training, across its interruptions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "parl/run/trainer_internal.h"

/* The share of an update's episodes that failed, back to a count. */
static parl_status add_update(void *context, int64_t update, const char *key, double value) {
  (void)key;
  parl_updater *u = context;
  if (update >= u->update || isnan(value)) return PARL_STATUS_OK;
  u->failures.n += (int64_t)u->n;
  u->failures.n_failed += llround(value * (double)u->n);
  return PARL_STATUS_OK;
}

static parl_status take_error(void *context, const parl_failure_row *f) {
  parl_failures *mine = context;
  if (strcmp(f->phase, parl_phase_text(PARL_PHASE_TRAINING)) == 0)
    snprintf(mine->error, sizeof mine->error, "%s", f->error);
  return PARL_STATUS_OK;
}

parl_status parl_trainer_recall_failures(parl_trainer *t) {
  parl_updater *u = t->updater;
  u->failures = (parl_failures){0};
  PARL_TRY(parl_rows_visit_metrics(t->store, t->run_id, "end/end_error", add_update, u));
  if (u->failures.n_failed == 0) return PARL_STATUS_OK;
  return parl_rows_visit_failures(t->store, t->run_id, take_error, &u->failures);
}

parl_status parl_trainer_put_failures(parl_trainer *t) {
  if (t->warm_failures.n_failed > 0)
    PARL_TRY(parl_rows_put_failures(t->store, t->run_id, PARL_PHASE_WARM_START, &t->warm_failures));
  if (t->updater == NULL || t->updater->failures.n_failed == 0) return PARL_STATUS_OK;
  return parl_rows_put_failures(t->store, t->run_id, PARL_PHASE_TRAINING, &t->updater->failures);
}
