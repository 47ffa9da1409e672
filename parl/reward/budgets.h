/* parl/reward/budgets.h - budgets of task families, estimated once of finished episodes: what a
 * toggle term compares with (k25 3).
 *
 * Thread rule: one writer, then readers. Reading order: parl_budgets, estimate, get. */
#ifndef PARL_PARL_REWARD_BUDGETS_H
#define PARL_PARL_REWARD_BUDGETS_H
#include "core/json.h"
#include "parl/reward/term_kinds.h"

enum { PARL_BUDGET_FAMILY_BYTES = 32 };

typedef struct parl_budget {
  char family[PARL_BUDGET_FAMILY_BYTES];
  double most; /* of the fact */
} parl_budget;

typedef struct parl_budgets {
  size_t n;
  parl_budget *of; /* [n] owned, by family; families without a correct rollout are not in it */
} parl_budgets;

/* A finished episode, borrowed; family NULL is "". */
typedef struct parl_budget_sample {
  const char *family;
  const parl_facts *facts;
} parl_budget_sample;

/* Of every family among samples [n] that has one with success = 1, the percentile of config->of
 * over those: linear between the ranks of the sorted values, rank percentile / 100 * (count - 1).
 * What *out held before is freed. Fails: ENOMEM; *out is untouched then. */
parl_status parl_budgets_estimate(const parl_term_config *config, const parl_budget_sample *samples,
                                  size_t n, parl_budgets *out);
/* +inf of a family that is not there. family may be NULL. */
double parl_budgets_get(const parl_budgets *budgets, const char *family);
/* An object of numbers by family; read takes what write wrote, and what is no number is not there.
 * Fails: ENOMEM. */
void parl_budgets_write(const parl_budgets *budgets, parl_json_writer *w);
parl_status parl_budgets_read(const parl_json *object, parl_budgets *out);
void parl_budgets_deinit(parl_budgets *budgets);

#endif
