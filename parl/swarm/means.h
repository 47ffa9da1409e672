/* parl/swarm/means.h - means over episodes: one list, for training, evaluation and the report.
 *
 * Thread rule: plain data. Reading order: the list, parl_means, parl_mean_sums. */
#ifndef PARL_PARL_SWARM_MEANS_H
#define PARL_PARL_SWARM_MEANS_H
#include <stdbool.h>

#include "parl/swarm/facts.h"

/* NaN where it is not known; an environment that does not know a number of steps says 0. */
double parl_known_steps(double steps);
/* total / critical steps: how much ran side by side, useful or not; 1 of an episode without a
 * step. */
double parl_facts_get_concurrency(const parl_facts *f);
/* Steps of working alone / critical steps; NaN where the former is unknown or the latter are 0.
 * Says nothing of the result: an episode that gives up early has few critical steps. */
double parl_facts_get_speed_up(const parl_facts *f);

/* What ended episodes; a failed one counts here too. */
#define PARL_MEAN_END_LIST(X)                   \
  X(end_finish, f->end == PARL_END_FINISH, 1)   \
  X(end_budget, f->end == PARL_END_BUDGET, 1)   \
  X(end_context, f->end == PARL_END_CONTEXT, 1) \
  X(end_turns, f->end == PARL_END_TURNS, 1)     \
  X(end_error, f->end == PARL_END_ERROR, 1)
/* What is made of facts. F(X, name, digits, label, unit, meaning, value, weight) */
#define PARL_RATE_ROWS(F, X)                                                                       \
  F(X, regret, 2, "regret", "steps", "critical steps - optimum",                                   \
    f->critical_steps - f->optimum_steps, 1)                                                       \
  F(X, concurrency, 2, "concurrency", "1", "total / critical steps; waste raises it",              \
    parl_facts_get_concurrency(f), 1)                                                              \
  F(X, speed_up, 2, "speed-up", "1",                                                               \
    "steps of working alone / critical steps; giving up raises it", parl_facts_get_speed_up(f), 1) \
  F(X, launch_rate, 3, "launch rate", "1", "share of episodes with a launch", f->launches > 0, 1)  \
  F(X, finish_rate, 3, "finish rate", "1", "finished / assigned sub-agents", f->finished,          \
    f->assigned)                                                                                   \
  F(X, useful_rate, 3, "useful rate", "1", "useful / assigned sub-agents", f->useful, f->assigned) \
  F(X, duplicate_rate, 3, "duplicate rate", "1",                                                   \
    "assignments whose task was assigned before / assigned", f->duplicates, f->assigned)           \
  F(X, serial_share, 3, "serial share", "1",                                                       \
    "share of episodes without a launch, of those whose optimum is below working alone",           \
    f->launches == 0, f->serial_steps > f->optimum_steps)                                          \
  F(X, empty_rate, 3, "empty rate", "1", "finished sub-agents without a step / finished",          \
    f->empty_finishes, f->finished)                                                                \
  F(X, sub_work, 3, "sub-agents' work", "1",                                                       \
    "steps of all sub-agents / steps of working alone, of episodes with a launch", f->sub_steps,   \
    f->launches > 0 ? f->serial_steps : 0)                                                         \
  F(X, dominance, 3, "dominance", "1",                                                             \
    "of steps of sub-agents, those of the longest of each group, if critical steps exceed the "    \
    "optimum, else 0; of episodes with a launch of two or more",                                   \
    f->critical_steps <= f->optimum_steps ? 0 : f->sub_max_steps,                                  \
    f->max_width > 1 ? f->sub_steps : 0)
/* The mean of value / weight is sum of values / sum of weights over the episodes f whose value is
 * known (not NaN) and whose weight is positive. Steps that an environment does not know, 0, are
 * not known. X(name, value, weight) */
#define PARL_MEAN_FACT_(X, name, ...) X(name, f->name, 1)
#define PARL_MEAN_RATE_(X, name, digits, label, unit, meaning, value, weight) X(name, value, weight)
#define PARL_MEAN_LIST(X)            \
  PARL_FACT_ROWS(PARL_MEAN_FACT_, X) \
  PARL_RATE_ROWS(PARL_MEAN_RATE_, X) \
  PARL_MEAN_END_LIST(X)

/* NaN where nothing was counted. */
typedef struct parl_means {
#define X(name, v, w) double name;
  PARL_MEAN_LIST(X)
#undef X
} parl_means;

enum { PARL_N_MEANS = (int)(sizeof(parl_means) / sizeof(double)) };

/* Names in the order of the list. */
extern const char *const parl_mean_names[PARL_N_MEANS];
/* The values in the same order, borrowed. */
const double *parl_means_get_values(const parl_means *means);

/* Zero before the first episode. */
typedef struct parl_mean_sums {
  double sum[PARL_N_MEANS], weight[PARL_N_MEANS];
  int64_t n, n_failed; /* episodes that were scored, that failed */
} parl_mean_sums;

/* Adds an episode. One whose script failed has no facts: it counts in the shares of what ended
 * episodes, and nowhere else. */
void parl_mean_sums_add(parl_mean_sums *sums, const parl_facts *facts, bool failed);
parl_means parl_mean_sums_get(const parl_mean_sums *sums);

#endif
