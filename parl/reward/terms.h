/* parl/reward/terms.h - the terms of the reward, r = sum of weight * term: one table.
 *
 * A row makes the field of raw terms and of weights, the recipe's section of its schedule, its
 * metrics, its share of the advantage and its curves. Thread rule: plain data. */
#ifndef PARL_PARL_REWARD_TERMS_H
#define PARL_PARL_REWARD_TERMS_H
#include "parl/reward/schedule.h"

/* In the order of the sum. PLAIN(X, term) has weight 1. SHAPED(X, term, lambda, symbol, FIELDS)
 * is weighed by a schedule: `lambda` names its section, field and metric, `symbol` is how a
 * reader sees it, FIELDS are the section's defaults. X is handed through, so that what is made
 * of a row can itself be rows of another list. r_early is ours: K2.5 has no such term
 * (parl/reward/reward.h). */
#define PARL_TERM_LIST(SHAPED, PLAIN, X)                                     \
  SHAPED(X, parallel, lambda1, "\xCE\xBB\xE2\x82\x81", PARL_SCHEDULE_FIELDS) \
  SHAPED(X, finish, lambda2, "\xCE\xBB\xE2\x82\x82", PARL_SCHEDULE_FIELDS)   \
  PLAIN(X, perf)                                                             \
  SHAPED(X, early, lambda_early, "\xCE\xBB_early", PARL_SCHEDULE_OFF_FIELDS)
/* For what plain, or what shaped, terms do not have. */
#define PARL_TERM_NONE_(X, ...)

#define PARL_TERM_ENUM_(X, term, ...) PARL_TERM_##term,
typedef enum parl_term {
  PARL_TERM_LIST(PARL_TERM_ENUM_, PARL_TERM_ENUM_, ) PARL_N_TERMS
} parl_term;
#undef PARL_TERM_ENUM_

/* A number a term: raw terms of an episode, or the weights of an update. */
#define PARL_TERM_FIELD_(X, term, ...) double term;
typedef struct parl_reward_terms {
  PARL_TERM_LIST(PARL_TERM_FIELD_, PARL_TERM_FIELD_, )
} parl_reward_terms;
#undef PARL_TERM_FIELD_
_Static_assert(sizeof(parl_reward_terms) == PARL_N_TERMS * sizeof(double), "doubles only");

/* "r_parallel", ...; and "lambda1", ..., NULL for a term whose weight is 1. */
extern const char *const parl_term_names[PARL_N_TERMS];
extern const char *const parl_term_lambdas[PARL_N_TERMS];

/* The numbers in the order of the list. Borrowed. */
static inline const double *parl_terms_get(const parl_reward_terms *t) {
  return (const double *)(const void *)t;
}

static inline void parl_terms_put(parl_reward_terms *t, int which, double value) {
  ((double *)(void *)t)[which] = value;
}

#define PARL_TERM_SECTION_(X, term, lambda, ...) extern const parl_section parl_##lambda##_section;
PARL_TERM_LIST(PARL_TERM_SECTION_, PARL_TERM_NONE_, )
#undef PARL_TERM_SECTION_

#endif
