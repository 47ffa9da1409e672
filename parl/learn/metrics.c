/* parl/learn/metrics.c - the lists as arrays, with the terms of a run. */
#include "parl/learn/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fixed_keys[PARL_N_FIXED_METRICS] = {
#define X(field, group, unit, meaning) #group "/" #field,
    PARL_METRIC_LIST(X)
#undef X
};

/* --- the table --- */

/* Keys of a term, out [PARL_N_TERM_METRICS]. */
static void write_keys(const parl_term_row *row, char (*out)[PARL_METRIC_KEY_BYTES]) {
  int i = 0;
#define X(field, group, prefix, stem, meaning) \
  snprintf(out[i++], PARL_METRIC_KEY_BYTES, "%s/%s%s", #group, prefix, row->stem);
  PARL_TERM_METRIC_LIST(X)
#undef X
}

/* Places in an array of names, by name; of the same name, in their order. */
static int compare_names(const void *a, const void *b) {
  const char *const *x = *(const char *const *const *)a, *const *y = *(const char *const *const *)b;
  const int order = strcmp(*x, *y);
  return order != 0 ? order : (x > y) - (x < y);
}

/* Two metrics of one name: the later belongs to a term of the recipe's own. */
static parl_status check_names(const parl_metric_table *t, const parl_term_table *terms) {
  const char ***sorted = calloc(t->n, sizeof *sorted);
  if (sorted == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu metrics", t->n);
  for (size_t i = 0; i < t->n; i++) sorted[i] = &t->names[i];
  qsort(sorted, t->n, sizeof *sorted, compare_names);
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 1; i < t->n && s == PARL_STATUS_OK; i++) {
    if (strcmp(*sorted[i - 1], *sorted[i]) != 0) continue;
    const size_t later = (size_t)(sorted[i] - t->names);
    const size_t term = (later - PARL_N_FIXED_METRICS) / PARL_N_TERM_METRICS;
    s = parl_fail(PARL_STATUS_EINVAL,
                  "terms.%s: its metric \"%s\" would have the name of another; give the term "
                  "another name",
                  terms->rows[term].name, t->names[later]);
  }
  free(sorted);
  return s;
}

static void fill_in(parl_metric_table *t, const parl_term_table *terms) {
  for (size_t i = 0; i < PARL_N_FIXED_METRICS; i++)
    snprintf(t->texts[i], PARL_METRIC_KEY_BYTES, "%s", fixed_keys[i]);
  for (size_t i = 0; i < terms->n; i++)
    write_keys(&terms->rows[i], &t->texts[PARL_N_FIXED_METRICS + i * PARL_N_TERM_METRICS]);
  for (size_t i = 0; i < t->n; i++) {
    t->keys[i] = t->texts[i];
    t->names[i] = strchr(t->texts[i], '/') + 1;
  }
}

parl_status parl_metric_table_create(const parl_term_table *terms, parl_metric_table **out) {
  parl_metric_table *t = calloc(1, sizeof *t);
  if (t == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a table of metrics");
  t->n = PARL_N_FIXED_METRICS + terms->n * PARL_N_TERM_METRICS;
  t->keys = calloc(t->n, sizeof *t->keys);
  t->names = calloc(t->n, sizeof *t->names);
  t->texts = calloc(t->n, sizeof *t->texts);
  parl_status s = t->keys != NULL && t->names != NULL && t->texts != NULL
                      ? PARL_STATUS_OK
                      : parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu metrics", t->n);
  if (s == PARL_STATUS_OK) fill_in(t, terms);
  if (s == PARL_STATUS_OK && terms->n > PARL_N_TERMS) s = check_names(t, terms);
  if (s == PARL_STATUS_OK)
    *out = t;
  else
    parl_metric_table_destroy(t);
  return s;
}

void parl_metric_table_destroy(parl_metric_table *table) {
  if (table == NULL) return;
  free(table->keys);
  free(table->names);
  free(table->texts);
  free(table);
}

/* --- values --- */

const double *parl_metrics_get_values(const parl_metrics *m) {
  return (const double *)(const void *)m; /* all members are doubles */
}

void parl_metrics_set_undefined(parl_metrics *m) {
  double *values = (double *)(void *)m;
  for (size_t i = 0; i < sizeof *m / sizeof *values; i++) values[i] = (double)NAN;
}

parl_metric_view parl_metrics_get_view(const parl_metric_table *table, const parl_metrics *m) {
  return (parl_metric_view){table->n, table->names, parl_metrics_get_values(m)};
}
