/* experiments/report_terms.c - the terms of the reward that the runs had, and their curves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "parl/learn/metrics.h"

static const parl_curve_info fixed[PARL_N_FIXED_CURVES] = {
#define X(name, key, digits, title, unit) {key, title, unit, digits},
    PARL_CURVE_LIST(X)
#undef X
};

/* --- the terms --- */

static parl_status add_term(parl_report *r, size_t *capacity, const char *name) {
  if (r->n_terms == *capacity) {
    const size_t n = *capacity > 0 ? 2 * *capacity : 2 * PARL_N_TERMS;
    parl_report_term *terms = NULL;
    PARL_TRY(PARL_ARENA_TAKE(r->arena, n, &terms));
    for (size_t i = 0; i < r->n_terms; i++) terms[i] = r->terms[i];
    r->terms = terms;
    *capacity = n;
  }
  parl_report_term *term = &r->terms[r->n_terms++];
  char text[96];
  PARL_TRY(parl_report_copy_text(r->arena, name, &term->name));
  snprintf(text, sizeof text, "lambda_%.64s", name);
  PARL_TRY(parl_report_copy_text(r->arena, text, &term->lambda));
  snprintf(text, sizeof text, "\xCE\xBB_%.64s", name);
  return parl_report_copy_text(r->arena, text, &term->symbol);
}

parl_status parl_report_init_terms(parl_report *r, size_t *capacity) {
  for (size_t i = 0; i < PARL_N_TERMS; i++) {
    PARL_TRY(add_term(r, capacity, parl_term_infos[i].name));
    r->terms[i].lambda = parl_term_infos[i].lambda;
    r->terms[i].symbol = parl_term_infos[i].symbol;
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_survey_term(parl_report *r, size_t *capacity, const char *key) {
  static const char prefix[] = "advantage/share_";
  if (strncmp(key, prefix, sizeof prefix - 1) != 0) return PARL_STATUS_OK;
  const char *name = key + sizeof prefix - 1;
  for (size_t i = 0; i < r->n_terms; i++)
    if (strcmp(r->terms[i].name, name) == 0) return PARL_STATUS_OK;
  return add_term(r, capacity, name);
}

static int compare_terms(const void *a, const void *b) {
  return strcmp(((const parl_report_term *)a)->name, ((const parl_report_term *)b)->name);
}

/* --- their curves --- */

static parl_status copy(const parl_report *r, const char **out, const char *a, const char *b,
                        const char *c) {
  parl_text text = {0};
  parl_text_appendf(&text, "%s%s%s", a, b, c);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(&text), out);
  parl_text_deinit(&text);
  return s;
}

static parl_status name_curves(const parl_report *r, const parl_report_term *term,
                               parl_curve_info out[PARL_N_TERM_CURVES]) {
  parl_curve_info *of = out;
#define X(field, group, prefix, stem, meaning)                 \
  PARL_TRY(copy(r, &of->key, #group "/", prefix, term->stem)); \
  of++;
  PARL_TERM_METRIC_LIST(X)
#undef X
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_RAW].title, "r_", term->name, ", raw"));
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_RAW].unit, "before ", term->symbol, ""));
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_WEIGHTED].title, term->symbol, " r_", term->name));
  out[PARL_TERM_CURVE_WEIGHTED].unit = "what it adds to the reward";
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_WEIGHT].title, term->symbol, "(t)", ""));
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_WEIGHT].unit, "weight of r_", term->name, ""));
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_SHARE].title, "r_", term->name, ""));
  out[PARL_TERM_CURVE_SHARE].unit = "share of |advantage|";
  PARL_TRY(copy(r, &out[PARL_TERM_CURVE_GRADIENT].title, "r_", term->name, ", gradient"));
  out[PARL_TERM_CURVE_GRADIENT].unit = "share of the gradient, along it";
  for (size_t i = 0; i < PARL_N_TERM_CURVES; i++)
    out[i].digits = i == PARL_TERM_CURVE_WEIGHTED ? 4 : 3;
  return PARL_STATUS_OK;
}

parl_status parl_report_name_curves(parl_report *r) {
  parl_curve_info *infos = NULL;
  qsort(&r->terms[PARL_N_TERMS], r->n_terms - PARL_N_TERMS, sizeof *r->terms, compare_terms);
  r->n_curves = PARL_N_FIXED_CURVES + r->n_terms * PARL_N_TERM_CURVES;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_curves, &infos));
  memcpy(infos, fixed, sizeof fixed);
  r->curve_infos = infos;
  for (size_t i = 0; i < r->n_terms; i++)
    PARL_TRY(name_curves(r, &r->terms[i], &infos[parl_report_term_curve(i, 0)]));
  parl_curve_info *perf = &infos[parl_report_term_curve(PARL_TERM_perf, PARL_TERM_CURVE_RAW)];
  perf->title = "r_perf";
  perf->unit = "unshaped score, 0 to 1";
  return PARL_STATUS_OK;
}

size_t parl_report_find_curve(const parl_report *r, const char *key) {
  size_t i = 0;
  while (i < r->n_curves && strcmp(r->curve_infos[i].key, key) != 0) i++;
  return i;
}
