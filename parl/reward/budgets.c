/* parl/reward/budgets.c - percentiles of the correct rollouts of each family. */
#include "parl/reward/budgets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A correct rollout. */
typedef struct correct {
  const char *family;
  double x;
} correct;

static int compare(const void *a, const void *b) {
  const correct *x = a, *y = b;
  const int order = strcmp(x->family, y->family);
  return order != 0 ? order : (x->x > y->x) - (x->x < y->x);
}

/* Of sorted values [n]. */
static double get_percentile(const correct *sorted, size_t n, double percentile) {
  const double rank = percentile / 100 * (double)(n - 1);
  const size_t below = (size_t)rank, above = below + 1 < n ? below + 1 : below;
  const double share = rank - (double)below;
  return sorted[below].x + share * (sorted[above].x - sorted[below].x);
}

static void fill_in(const parl_term_config *c, const correct *sorted, size_t n, parl_budgets *out) {
  for (size_t first = 0, end; first < n; first = end) {
    end = first + 1;
    while (end < n && strcmp(sorted[end].family, sorted[first].family) == 0) end++;
    parl_budget *b = &out->of[out->n++];
    snprintf(b->family, sizeof b->family, "%s", sorted[first].family);
    b->most = get_percentile(&sorted[first], end - first, c->percentile);
  }
}

parl_status parl_budgets_estimate(const parl_term_config *config, const parl_budget_sample *samples,
                                  size_t n, parl_budgets *out) {
  correct *sorted = calloc(n + 1, sizeof *sorted);
  parl_budgets made = {.of = calloc(n + 1, sizeof *made.of)};
  if (sorted == NULL || made.of == NULL) {
    free(sorted);
    free(made.of);
    return parl_fail(PARL_STATUS_ENOMEM, "budgets: no memory for %zu episodes", n);
  }
  size_t n_correct = 0;
  for (size_t i = 0; i < n; i++) {
    if (samples[i].facts->success != 1) continue;
    sorted[n_correct].family = samples[i].family != NULL ? samples[i].family : "";
    sorted[n_correct++].x = parl_fact_get(samples[i].facts, config->of);
  }
  qsort(sorted, n_correct, sizeof *sorted, compare);
  fill_in(config, sorted, n_correct, &made);
  free(sorted);
  parl_budgets_deinit(out);
  *out = made;
  return PARL_STATUS_OK;
}

double parl_budgets_get(const parl_budgets *budgets, const char *family) {
  for (size_t i = 0; i < budgets->n; i++)
    if (strcmp(budgets->of[i].family, family != NULL ? family : "") == 0)
      return budgets->of[i].most;
  return (double)INFINITY;
}

void parl_budgets_write(const parl_budgets *budgets, parl_json_writer *w) {
  parl_json_begin_object(w);
  for (size_t i = 0; i < budgets->n; i++) {
    parl_json_key(w, budgets->of[i].family);
    parl_json_number(w, budgets->of[i].most);
  }
  parl_json_end_object(w);
}

parl_status parl_budgets_read(const parl_json *object, parl_budgets *out) {
  const size_t n = object != NULL ? parl_json_get_size(object) : 0;
  parl_budgets made = {.of = calloc(n + 1, sizeof *made.of)};
  if (made.of == NULL) return parl_fail(PARL_STATUS_ENOMEM, "budgets: no memory for %zu", n);
  for (const parl_json *c = parl_json_get_first(object); c != NULL; c = parl_json_get_next(c)) {
    if (parl_json_get_type(c) != PARL_JSON_NUMBER) continue;
    parl_budget *b = &made.of[made.n++];
    snprintf(b->family, sizeof b->family, "%s", parl_json_get_key(c));
    b->most = parl_json_get_number(c);
  }
  parl_budgets_deinit(out);
  *out = made;
  return PARL_STATUS_OK;
}

void parl_budgets_deinit(parl_budgets *budgets) {
  free(budgets->of);
  *budgets = (parl_budgets){0};
}
