/* experiments/aggregate.h - what is said of algorithms over tasks and seeds: aggregates, profiles,
 * comparisons, with intervals by resampling runs inside each task.
 *
 * Intervals are 95 % percentile intervals of n_resamples random resamples (linear quantiles); NaN
 * where no task has two runs. The same seed gives the same intervals for any number of workers.
 * Thread rule: pure functions; they use the workers. Reading order: parl_aggregate, profile,
 * compare, wilcoxon. Source: Agarwal et al. 2021 (rliable), but for the pairs, which are ours. */
#ifndef PARL_EXPERIMENTS_AGGREGATE_H
#define PARL_EXPERIMENTS_AGGREGATE_H
#include <stdbool.h>

#include "core/workers.h"
#include "experiments/score_table.h"

typedef struct parl_estimate {
  double value, lo, hi;
} parl_estimate;

typedef struct parl_resampling {
  size_t n; /* resamples, >= 1 */
  uint64_t seed;
  parl_workers *workers;
} parl_resampling;

typedef struct parl_aggregates {
  parl_estimate iqm;            /* mean of all scores without the int(n / 4) least and greatest */
  parl_estimate mean;           /* of the tasks' means */
  parl_estimate median;         /* of the tasks' means */
  parl_estimate optimality_gap; /* 1 - mean(min(score, 1)) over all scores */
} parl_aggregates;

/* Of one algorithm, over tasks and runs. Fails: ENOMEM; EINVAL if resampling->n is 0. */
parl_status parl_aggregate(const parl_score_table *table, size_t algorithm,
                           const parl_resampling *resampling, parl_aggregates *out);

/* The performance profile: shares of all the algorithm's scores above each of taus [n]; out [n]. */
void parl_profile(const parl_score_table *table, size_t algorithm, const double *taus, size_t n,
                  double *out);

typedef struct parl_comparison {
  /* Chance that a run of a beats one of b on the same task, a tie being half, mean over tasks: both
   * arms are resampled inside each task. */
  parl_estimate improvement;
  size_t n_pairs;           /* of equal task and seed */
  parl_estimate difference; /* mean of a - b over these pairs, redrawn from the pool; NaN of none */
  double wilcoxon_p;        /* of them; NaN of none */
  bool is_exact;            /* what parl_wilcoxon says */
} parl_comparison;

/* Of algorithm a to b. Fails: as aggregate. */
parl_status parl_compare(const parl_score_table *table, size_t a, size_t b,
                         const parl_resampling *resampling, parl_comparison *out);
/* The same of b to a. */
parl_comparison parl_comparison_turn(const parl_comparison *c);

/* Differences beyond which parl_wilcoxon takes the normal law. */
enum { PARL_WILCOXON_EXACT = 500 };

/* Two-sided p of the signed-rank test of differences [n], which it sorts by size: zeros are left
 * out, equal sizes share their mean rank, and the law is that of these very ranks with signs by
 * chance; 1 if nothing is left. More than PARL_WILCOXON_EXACT of them: the normal law with the
 * variance of the ranks as they are, *is_exact false. Fails: ENOMEM. Source: Wilcoxon 1945; Pratt
 * 1959 for ties. */
parl_status parl_wilcoxon(double *differences, size_t n, double *p, bool *is_exact);

/* Holm's correction of p [n] in place: for any number of comparisons at once, NaN left out. Source:
 * Holm 1979. */
parl_status parl_holm(double *p, size_t n);

#endif
