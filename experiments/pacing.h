/* experiments/pacing.h - how far the runs of a plan go where that follows from their worth.
 *
 * Rows, arms of the plan, pause at rungs (parl/run/trainer.h): all of them at one, or as successive
 * halving has it. What a row is worth at a rung is the mean over its seeds of r_perf, unshaped, of
 * held-out tasks.
 * Thread rule: the experiment's that it is given to, which guards it. */
#ifndef PARL_EXPERIMENTS_PACING_H
#define PARL_EXPERIMENTS_PACING_H
#include "parl/run/trainer.h"

typedef struct parl_pacing {
  parl_rungs rungs;
  size_t first_arm, n_rows; /* arms of the plan; the others go to the end, unlooked */
  size_t eta;               /* of the halving; 0: every row pauses at rungs.at[level] */
  size_t level;
  const parl_fork *forks; /* [n_rows, n_seeds], or NULL: none */
  bool *has_failed;       /* [n_rows, n_seeds] out, borrowed; NULL: nobody asks */
  /* What came out; owned. A row that had passed a rung unlooked, as one that was made before rungs
   * were asked for, takes no part in the halving: it goes to the end. */
  double *results; /* [n_rows, rungs.n] NaN: not known; -inf: a seed failed */
  bool *is_out;    /* [n_rows] takes no part */
  size_t *levels;  /* [n_rows] the rung that it may go to; rungs.n: the end */
  bool *is_over;   /* [n_rows] pruned there */
} parl_pacing;

/* Room for what comes out. Fails: ENOMEM. */
parl_status parl_pacing_init(parl_pacing *pace);
void parl_pacing_deinit(parl_pacing *pace);

#endif
