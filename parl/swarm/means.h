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
/* The mean of value / weight is sum of values / sum of weights over the episodes f whose value is
 * known (not NaN) and whose weight is positive. X(name, value, weight) */
#define PARL_MEAN_LIST(X)                                              \
  X(r_perf, f->r_perf, 1)                                              \
  X(success, f->success, 1)                                            \
  X(critical_steps, f->critical_steps, 1)                              \
  X(total_steps, f->total_steps, 1)                                    \
  X(optimum_steps, parl_known_steps(f->optimum_steps), 1)              \
  X(regret, f->critical_steps - parl_known_steps(f->optimum_steps), 1) \
  X(serial_steps, parl_known_steps(f->serial_steps), 1)                \
  X(concurrency, parl_facts_get_concurrency(f), 1)                     \
  X(speed_up, parl_facts_get_speed_up(f), 1)                           \
  X(last_gain_steps, f->last_gain_steps, 1)                            \
  X(launch_rate, f->launches > 0, 1)                                   \
  X(launches, f->launches, 1)                                          \
  X(assigned, f->assigned, 1)                                          \
  X(max_width, f->max_width, 1)                                        \
  X(finish_rate, f->finished, f->assigned)                             \
  X(useful_rate, f->useful, f->assigned)                               \
  X(duplicate_rate, f->duplicates, f->assigned)                        \
  X(tokens, f->tokens, 1)                                              \
  X(context, f->context, 1)                                            \
  X(rewrites, f->rewrites, 1)                                          \
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
