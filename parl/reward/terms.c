/* parl/reward/terms.c - names of the terms and the sections of their weights. */
#include "parl/reward/terms.h"

#define NAME(X, term, ...) "r_" #term,
const char *const parl_term_names[PARL_N_TERMS] = {PARL_TERM_LIST(NAME, NAME, )};

#define LAMBDA(X, term, lambda, ...) #lambda,
#define ONE(X, term) NULL,
const char *const parl_term_lambdas[PARL_N_TERMS] = {PARL_TERM_LIST(LAMBDA, ONE, )};

#define SECTION_TYPE_ parl_schedule_config
#define SECTION(X, term, lambda, symbol, FIELDS)                                              \
  PARL_CONFIG_SECTION(parl_##lambda##_section, #lambda, "weight of r_" #term " over updates", \
                      FIELDS);
PARL_TERM_LIST(SECTION, PARL_TERM_NONE_, )
