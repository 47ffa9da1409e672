/* parl/reward/term_kinds.h - what a term of a recipe's own may be: a Lua expression, or one of the
 * formulas of this list, with parameters.
 *
 * With x a rollout's value of the fact `of` (parl/swarm/facts.h; critical_steps, tokens, ...):
 *   lua      the expression's value
 *   cost     -x / scale. Source: ours
 *   length   l = 0.5 - (x - min) / (max - min) over the group; l of a rollout with success = 1,
 *            else min(0, l); 0 where all x are the same. Source: Kimi k1.5 2.3.3; k25 2.2
 *   budget   0 up to budget * (1 - margin), -1 above budget, linear between; 0 without a budget.
 *            Source: DAPO eq. 13 (2503.14476); margin 0: the penalty of K2 3.2.3; k25 2.2
 *   toggle   -r_perf where the phase is limited (floor(update / phase) is even), the mean r_perf of
 *            the group is >= accuracy, and x > budget of the family; else 0. With weight 1 beside
 *            lambda_perf = 1 the sum is the reward of K2.5 4.4.2; k25 3. The budget of a family is
 *            the percentile of x (linear between ranks) over the warm start's rollouts with
 *            success = 1, estimated once; +inf where there is none
 *   rubric   the expression's value, cut to [0, 1], as a judge gives it who errs: with chance
 *            error_rate 1 - value. The error belongs to the episode and the term: the same episode
 *            is judged the same. Source: ours; rubrics as terms, k25 4
 *   chance   1 or 0 by a fair coin of the episode and the term, whatever was done: a control, of
 *            which a run warns. Source: ours
 * Thread rule: pure functions. Reading order: the list, the fields, parl_term_view. */
#ifndef PARL_PARL_REWARD_TERM_KINDS_H
#define PARL_PARL_REWARD_TERM_KINDS_H
#include "core/config.h"
#include "parl/swarm/stages.h"

/* X(kind, needs an expression, fields that it reads, meaning); docs/extending.md adds a row. */
// clang-format off
#define PARL_TERM_KIND_LIST(X)                                                                     \
  X(lua,    true,  "",                              "a Lua expression")                            \
  X(cost,   false, "of scale",                      "what the rollout cost, negative")             \
  X(length, false, "of",                            "the length reward of K1.5 over the group")    \
  X(budget, false, "of budget margin",              "a penalty near and above a budget")           \
  X(toggle, false, "of phase accuracy percentile",  "Toggle: a budget in every other phase")       \
  X(rubric, true,  "error_rate",                    "a graded score, by a judge that errs")        \
  X(chance, false, "",                              "a fair coin, whatever was done: a control")   \
  /* the next kind */
// clang-format on

typedef enum parl_term_kind {
#define X(kind, ...) PARL_TERM_KIND_##kind,
  PARL_TERM_KIND_LIST(X)
#undef X
      PARL_N_TERM_KINDS
} parl_term_kind;

/* Parameters of a term, one set for all kinds: a recipe gives those of its kind. */
#define PARL_TERM_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                       \
  CHOICE(kind, lua, "lua|cost|length|budget|toggle|rubric|chance", "what the term is")        \
  TEXT(of, "critical_steps", "fact that is counted, by name: parl help reward lists them")    \
  REAL(scale, 100.0, 1e-6, 1e12, "of the fact", "cost: so much is a reward of -1")            \
  REAL(budget, 0.0, 0.0, 1e12, "of the fact", "budget; 0: the episode's own, budget_steps")   \
  REAL(margin, 0.2, 0.0, 1.0, "of the budget", "share of it over which the penalty grows")    \
  INT(phase, 10, 1, 10000000, "updates", "length of a phase, m")                              \
  REAL(accuracy, 0.5, 0.0, 1.0, "1", "mean r_perf of a group from which the budget counts")   \
  REAL(percentile, 75.0, 0.0, 100.0, "%", "of the warm start's correct rollouts: the budget") \
  REAL(error_rate, 0.0, 0.0, 1.0, "1", "chance that the judge says the opposite")
PARL_CONFIG_STRUCT(parl_term_config, PARL_TERM_FIELDS);
extern const parl_section parl_term_section;

typedef struct parl_term_kind_info {
  const char *name, *fields, *meaning;
  bool needs_lua;
} parl_term_kind_info;
extern const parl_term_kind_info parl_term_kind_infos[PARL_N_TERM_KINDS];

/* Whether a kind reads a field of the section; `kind` itself counts. */
bool parl_term_kind_reads(int kind, const char *field);
/* Whether parameters fit together: there is a fact of that name, and a budget counts it. Fails:
 * EINVAL naming the field. */
parl_status parl_term_config_check(const parl_term_config *config);

/* What a formula sees of a term and its group of K rollouts. Borrowed. */
typedef struct parl_term_view {
  const parl_term_config *config;
  size_t K;
  int64_t update;
  const parl_facts *const *facts; /* [K] */
  const double *of;               /* [K] the fact `of` */
  const double *perf;             /* [K] r_perf, after reward.perf_lua */
  const double *budgets;          /* [K] of the rollouts' families: toggle */
  const double *judge;            /* [K] uniform in [0, 1): rubric, chance */
  const double *score;            /* [K] of the expression, where the kind has one */
} parl_term_view;

/* r of rollout k. */
double parl_term_kind_get(int kind, const parl_term_view *view, size_t k);

/* Value of a fact by name; NaN if there is none of that name. */
double parl_fact_get(const parl_facts *facts, const char *name);

#endif
