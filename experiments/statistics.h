/* experiments/statistics.h - the statistics of a comparison over seeds (GSL inside).
 *
 * Thread rule: pure functions. Reading order: summary, paired difference, improvement. */
#ifndef PARL_EXPERIMENTS_STATISTICS_H
#define PARL_EXPERIMENTS_STATISTICS_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct parl_summary {
  double mean, iqm;    /* iqm: mean of the middle half (25 % trimmed mean) */
  double lo, hi;       /* 95 % percentile bootstrap interval of the iqm; NaN with fewer than 2 seeds */
  size_t n;            /* seeds */
} parl_summary;

enum { PARL_BOOTSTRAP_REPLICATES = 50000 };

/* scores [n_runs, n_strata] row-major: run = seed, stratum = task family. Runs are resampled with replacement inside each
 * stratum. seed keys the resampling. Fails: EINVAL if empty or a score is not finite; ENOMEM.
 * Source: Agarwal et al. 2021 (rliable). */
parl_status parl_summarize(const double *scores, size_t n_runs, size_t n_strata, uint64_t seed, parl_summary *out);
/* Mean of a - b over runs paired by seed, with its bootstrap interval; in out->mean, iqm, lo, hi. */
parl_status parl_summarize_paired(const double *a, const double *b, size_t n, uint64_t seed, parl_summary *out);
/* P(a > b) by Mann-Whitney U / (na nb), ties 1/2, with bootstrap interval resampling both arms. mean = iqm = estimate. */
parl_status parl_probability_of_improvement(const double *a, size_t na, const double *b, size_t nb, uint64_t seed,
                                            parl_summary *out);

#endif
