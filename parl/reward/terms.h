/* parl/reward/terms.h - the terms of the reward, r = sum of w(t) * term: one table.
 *
 * Its first rows are built in, one list below; a recipe appends any number of its own
 * (parl/reward/own_terms.h). Of every row follow the raw term, its weight with the schedule, its
 * metrics, its share of the advantage and its curves; whatever is carried a term at a time is an
 * array indexed by the row.
 * Thread rule: read-only once made. Reading order: the list, parl_term_row, parl_term_table. */
#ifndef PARL_PARL_REWARD_TERMS_H
#define PARL_PARL_REWARD_TERMS_H
#include "parl/reward/own_terms.h"
#include "parl/reward/schedule.h"

/* X(term, lambda, symbol, written, shape, start, meaning), in the order of the sum;
 * docs/extending.md adds a row. The formula of r_<term> is get_<term> in parl/reward/formulas.c.
 * `lambda` names the weight: its section of the recipe and its metric; "terms.<term>.weight" means
 * the same section. `symbol` is how a reader sees it. `written`: ALWAYS, the section is in every
 * canonical configuration; IF_SET, only where it is not the default, so that runs from before the
 * row existed keep their uid. shape and start are the section's defaults. r_early is ours: K2.5 has
 * no such term. */
// clang-format off
#define PARL_TERM_LIST(X)                                                                          \
  X(parallel, lambda1, "\xCE\xBB\xE2\x82\x81", ALWAYS, linear, 0.1, "launching sub-agents")        \
  X(finish, lambda2, "\xCE\xBB\xE2\x82\x82", ALWAYS, linear, 0.1, "sub-agents that finish")        \
  X(perf, lambda_perf, "\xCE\xBB_perf", IF_SET, constant, 1.0, "the environment's score")          \
  X(early, lambda_early, "\xCE\xBB_early", ALWAYS, linear, 0.0, "what is left of the budget")      \
  /* the next row */
// clang-format on

typedef enum parl_term {
#define X(term, ...) PARL_TERM_##term,
  PARL_TERM_LIST(X)
#undef X
      PARL_N_TERMS /* built in */
} parl_term;

enum { PARL_MAX_TERMS = PARL_N_TERMS + PARL_MAX_OWN_TERMS, PARL_LAMBDA_BYTES = 48 };

#define X(term, lambda, ...) extern const parl_section parl_##lambda##_section;
PARL_TERM_LIST(X)
#undef X

/* Whether the section is optional in a canonical configuration. */
enum { PARL_TERM_WRITTEN_ALWAYS = 0, PARL_TERM_WRITTEN_IF_SET = 1 };

/* Of a built-in term. */
typedef struct parl_term_info {
  const char *name, *lambda, *symbol, *meaning;
  const parl_section *section; /* of its weight */
} parl_term_info;
extern const parl_term_info parl_term_infos[PARL_N_TERMS];
/* Row of a built-in term by name; PARL_N_TERMS if there is none. */
parl_term parl_term_find(const char *name);

/* A row of the table of a run. */
typedef struct parl_term_row {
  const char *name;                   /* "parallel"; borrowed */
  char lambda[PARL_LAMBDA_BYTES];     /* "lambda1": name of the weight */
  char weight[PARL_LAMBDA_BYTES];     /* where a recipe gives it: "lambda1", "terms.mine.weight" */
  const char *lua;                    /* expression; NULL: it has none. Borrowed */
  const parl_term_config *own;        /* kind and parameters; NULL: built in. Borrowed */
  const parl_schedule_config *config; /* of the weight; borrowed */
} parl_term_row;

typedef struct parl_term_table {
  size_t n;             /* PARL_N_TERMS to PARL_MAX_TERMS */
  parl_term_row rows[]; /* [n] built-in ones first, then the recipe's, by name */
} parl_term_table;

/* weights [PARL_N_TERMS] of the built-in terms; own may be NULL. Both are borrowed and outlive the
 * table. Fails: ENOMEM. */
parl_status parl_term_table_create(const parl_schedule_config *weights, const parl_own_terms *own,
                                   parl_term_table **out);
/* NULL-safe. */
void parl_term_table_destroy(parl_term_table *table);

/* Sum of weight * term over terms [n]. */
double parl_terms_total(const double *terms, const double *weights, size_t n);

#endif
