/* experiments/report_spent.h - what training took, in tokens, seconds and joules.
 *
 * Thread rule: plain data. Reading order: kinds, log, spent. */
#ifndef PARL_EXPERIMENTS_REPORT_SPENT_H
#define PARL_EXPERIMENTS_REPORT_SPENT_H
#include <stdbool.h>

#include "experiments/statistics.h"

/* X(name, digits, head) */
#define PARL_SPENT_LIST(X) \
  X(tokens, 0, "tokens")   \
  X(cpu_s, 1, "CPU s")     \
  X(wall_s, 1, "wall s")   \
  X(joules, 0, "J")
typedef enum parl_spent_kind {
#define X(name, digits, head) PARL_SPENT_##name,
  PARL_SPENT_LIST(X)
#undef X
      PARL_N_SPENT
} parl_spent_kind;

/* Of an update of a run; NaN: not known. */
typedef struct parl_spent_update {
  double r_perf, of[PARL_N_SPENT];
} parl_spent_update;

/* A target of r_perf in training is reached by the first update at which the mean of r_perf over it
 * and the WINDOW - 1 before it is as much. */
enum { PARL_SPENT_TARGETS = 3, PARL_SPENT_WINDOW = 10 };
extern const double parl_spent_targets[PARL_SPENT_TARGETS]; /* 0.5, 0.7, 0.9 */

/* Of a run. Row 0 is the whole training; row 1 + k what it took to target k, all of it where that
 * is not reached. */
typedef struct parl_spent {
  double updates[1 + PARL_SPENT_TARGETS], of[1 + PARL_SPENT_TARGETS][PARL_N_SPENT];
  bool is_reached[1 + PARL_SPENT_TARGETS];
  double episodes;   /* an update; NaN: not known */
  double evaluate_s; /* of an evaluated episode; NaN: not known */
} parl_spent;

/* Adds up n updates. */
void parl_spent_get(const parl_spent_update *updates, size_t n, parl_spent *out);

/* Of an arm, over seeds; [0, 1): per 1,000 episodes of training, then to each target. */
typedef struct parl_spent_arm {
  parl_summary of[1 + PARL_SPENT_TARGETS][PARL_N_SPENT], updates[1 + PARL_SPENT_TARGETS];
  parl_summary evaluate_s; /* of 1,000 evaluated episodes */
  size_t n_reached[1 + PARL_SPENT_TARGETS];
} parl_spent_arm;

#endif
