/* parl/reward/terms.c - the built-in rows, and the table of a run. */
#include "parl/reward/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_TYPE_ parl_schedule_config
#define ROWS(shape, start)                                                               \
  PARL_SCHEDULE_FIELDS_FROM(shape, start, PARL_ROW_INT_, PARL_ROW_REAL_, PARL_ROW_FLAG_, \
                            PARL_ROW_TEXT_, PARL_ROW_CHOICE_)
#define X(term, lambda, symbol, written, shape, start, meaning)                        \
  PARL_CONFIG_SECTION_OF(parl_##lambda##_section, #lambda,                             \
                         "weight of r_" #term " over updates, terms." #term ".weight", \
                         ROWS(shape, start));
PARL_TERM_LIST(X)
#undef X

const parl_term_info parl_term_infos[PARL_N_TERMS] = {
#define X(term, lambda, symbol, written, shape, start, meaning) \
  {#term, #lambda, symbol, meaning, &parl_##lambda##_section},
    PARL_TERM_LIST(X)
#undef X
};

parl_term parl_term_find(const char *name) {
  int i = 0;
  while (i < PARL_N_TERMS && strcmp(parl_term_infos[i].name, name) != 0) i++;
  return (parl_term)i;
}

parl_status parl_term_table_create(const parl_schedule_config *weights, const parl_own_terms *own,
                                   parl_term_table **out) {
  const size_t n_own = own != NULL ? own->n : 0;
  PARL_REQUIRE(weights != NULL && n_own <= PARL_MAX_OWN_TERMS);
  parl_term_table *t = calloc(1, sizeof *t + (PARL_N_TERMS + n_own) * sizeof *t->rows);
  if (t == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a table of terms");
  t->n = PARL_N_TERMS + n_own;
  for (size_t i = 0; i < PARL_N_TERMS; i++) {
    t->rows[i] = (parl_term_row){.name = parl_term_infos[i].name, .config = &weights[i]};
    snprintf(t->rows[i].lambda, PARL_LAMBDA_BYTES, "%s", parl_term_infos[i].lambda);
    snprintf(t->rows[i].weight, PARL_LAMBDA_BYTES, "%s", parl_term_infos[i].lambda);
  }
  for (size_t i = 0; i < n_own; i++) {
    parl_term_row *row = &t->rows[PARL_N_TERMS + i];
    const parl_own_term *mine = &own->items[i];
    *row = (parl_term_row){.name = mine->name,
                           .lua = mine->lua[0] != '\0' ? mine->lua : NULL,
                           .own = &mine->config,
                           .config = &mine->weight};
    snprintf(row->lambda, PARL_LAMBDA_BYTES, "lambda_%s", mine->name);
    snprintf(row->weight, PARL_LAMBDA_BYTES, "terms.%s.weight", mine->name);
  }
  *out = t;
  return PARL_STATUS_OK;
}

void parl_term_table_destroy(parl_term_table *table) {
  free(table);
}

double parl_terms_total(const double *terms, const double *weights, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += weights[i] * terms[i];
  return sum;
}
