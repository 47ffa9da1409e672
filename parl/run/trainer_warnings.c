/* parl/run/trainer_warnings.c - what makes a run say less than it seems to, said once. */
#include <stdio.h>
#include <string.h>

#include "parl/reward/advantage.h"
#include "parl/run/trainer_internal.h"
#include "parl/run/warnings.h"

const char *const parl_warning_names[PARL_N_WARNINGS] = {
#define X(name, text) #name,
    PARL_WARNING_LIST(X)
#undef X
};
const char *const parl_warning_texts[PARL_N_WARNINGS] = {
#define X(name, text) text,
    PARL_WARNING_LIST(X)
#undef X
};

parl_warning parl_warning_find(const char *key) {
  static const char prefix[] = "warning/";
  int w = 0;
  if (strncmp(key, prefix, sizeof prefix - 1) != 0) return PARL_N_WARNINGS;
  while (w < PARL_N_WARNINGS && strcmp(parl_warning_names[w], key + sizeof prefix - 1) != 0) w++;
  return (parl_warning)w;
}

static parl_status recall(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)value;
  unsigned *warned = context;
  const parl_warning w = parl_warning_find(key);
  if (w < PARL_N_WARNINGS) *warned |= 1u << w;
  return PARL_STATUS_OK;
}

parl_status parl_trainer_recall_warnings(parl_trainer *t) {
  t->warned = 0;
  return parl_rows_visit_metrics(t->store, t->run_id, NULL, recall, &t->warned);
}

/* How much of a measure that came of lambda is left at a tenth of lambda: a tenth, or all of it
 * where the advantage cancels lambda. NaN where nothing came of it. */
static parl_status measure_cancelled(const parl_trainer *t, double *full, double *tenth) {
  const parl_updater *u = t->updater;
  *full = u->metrics.mean_abs_shaped_only;
  *tenth = 0;
  if (!(*full > 0)) return PARL_STATUS_OK;
  return parl_updater_get_shaped_only(u, 0.1, tenth);
}

static parl_status warn(parl_trainer *t, parl_warning w, double value, const char *measured) {
  t->warned |= 1u << w;
  parl_log_write(t->host->log, PARL_LOG_WARNING, "%s seed %lld, update %lld: %s (%s)", t->arm,
                 (long long)t->config->run.seed, (long long)t->updater->update - 1,
                 parl_warning_texts[w], measured);
  char key[64];
  snprintf(key, sizeof key, "warning/%s", parl_warning_names[w]);
  return parl_rows_put_metric(t->store, t->run_id, t->updater->update - 1, key, value);
}

static bool is_due(const parl_trainer *t, parl_warning w) {
  return (t->warned >> w & 1) == 0;
}

/* The first update in which a coin is paid. */
static parl_status warn_of_chance(parl_trainer *t) {
  const parl_updater *u = t->updater;
  char measured[160];
  for (size_t i = 0; i < u->table->n && is_due(t, PARL_WARNING_chance_reward); i++) {
    const parl_term_row *row = &u->table->rows[i];
    if (row->own == NULL || row->own->kind != PARL_TERM_KIND_chance || !(u->weights[i] > 0))
      continue;
    snprintf(measured, sizeof measured, "r_%s with weight %.6g", row->name, u->weights[i]);
    PARL_TRY(warn(t, PARL_WARNING_chance_reward, u->weights[i], measured));
  }
  return PARL_STATUS_OK;
}

parl_status parl_trainer_warn(parl_trainer *t) {
  const parl_metrics *m = &t->updater->metrics;
  char measured[160];
  double full, tenth;
  if (is_due(t, PARL_WARNING_lambda_cancelled)) {
    PARL_TRY(measure_cancelled(t, &full, &tenth));
    snprintf(measured, sizeof measured, "mean |advantage| there %.4f, at a tenth of lambda %.4f",
             full, tenth);
    if (full > 0 && tenth > full / 2)
      PARL_TRY(warn(t, PARL_WARNING_lambda_cancelled, tenth / full, measured));
  }
  const bool has_steps = t->config->episode.budget_counts != PARL_BUDGET_TOKENS;
  if (is_due(t, PARL_WARNING_budget_below_optimum) && has_steps && m->budget_steps > 0 &&
      m->budget_steps < m->optimum_steps) {
    snprintf(measured, sizeof measured, "mean budget %.2f, mean optimum %.2f steps",
             m->budget_steps, m->optimum_steps);
    PARL_TRY(
        warn(t, PARL_WARNING_budget_below_optimum, m->budget_steps / m->optimum_steps, measured));
  }
  if (is_due(t, PARL_WARNING_no_spread) && m->zero_spread_total >= 1) {
    snprintf(measured, sizeof measured, "mean r_perf %.3f", m->r_perf);
    PARL_TRY(warn(t, PARL_WARNING_no_spread, m->zero_spread_total, measured));
  }
  if (is_due(t, PARL_WARNING_no_task_choice) && m->task_choice <= 0) {
    snprintf(measured, sizeof measured, "mean optimum %.2f steps", m->offered_difficulty);
    PARL_TRY(warn(t, PARL_WARNING_no_task_choice, m->task_choice, measured));
  }
  return warn_of_chance(t);
}
