/* parl/learn/metrics.c - the list as arrays. */
#include "parl/learn/metrics.h"

#include <math.h>
#include <string.h>

const char *const parl_metric_keys[PARL_N_METRICS] = {
#define X(field, group, unit, meaning) #group "/" #field,
    PARL_METRIC_LIST(X)
#undef X
};

const char *const parl_metric_names[PARL_N_METRICS] = {
#define X(field, group, unit, meaning) #field,
    PARL_METRIC_LIST(X)
#undef X
};

const double *parl_metrics_get_values(const parl_metrics *m) {
  return (const double *)(const void *)m; /* all members are doubles */
}

void parl_metrics_set_undefined(parl_metrics *m) {
  double *values = (double *)(void *)m;
  for (int i = 0; i < PARL_N_METRICS; i++) values[i] = (double)NAN;
}

parl_metric_view parl_metrics_get_view(const parl_metrics *m) {
  return (parl_metric_view){PARL_N_METRICS, parl_metric_names, parl_metrics_get_values(m)};
}

/* NaN there: the model has no such thing. Elsewhere it says that a share of nothing was asked. */
static bool is_absent(const char *key, double value) {
  return isnan(value) && (strncmp(key, "attention/", 10) == 0 || strncmp(key, "experts/", 8) == 0);
}

parl_status parl_metrics_put(parl_store *store, int64_t run_id, int64_t update,
                             const parl_metrics *m) {
  const double *values = parl_metrics_get_values(m);
  for (int i = 0; i < PARL_N_METRICS; i++)
    if (!is_absent(parl_metric_keys[i], values[i]))
      PARL_TRY(parl_store_put_metric(store, run_id, update, parl_metric_keys[i], values[i]));
  return PARL_STATUS_OK;
}

typedef struct reading {
  int64_t update;
  double *values; /* [PARL_N_METRICS] */
} reading;

static parl_status read_metric(void *context, int64_t update, const char *key, double value) {
  const reading *r = context;
  for (int i = 0; update == r->update && i < PARL_N_METRICS; i++)
    if (strcmp(parl_metric_keys[i], key) == 0) r->values[i] = value;
  return PARL_STATUS_OK;
}

parl_status parl_metrics_get(parl_store *store, int64_t run_id, int64_t update, parl_metrics *out) {
  reading r = {update, (double *)(void *)out};
  for (int i = 0; i < PARL_N_METRICS; i++) r.values[i] = (double)NAN;
  return parl_store_visit_metrics(store, run_id, NULL, read_metric, &r);
}
