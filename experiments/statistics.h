/* experiments/statistics.h - the statistics of a comparison over seeds (GSL inside).
 *
 * Thread rule: pure functions. Reading order: summary, paired difference, improvement,
 * share; few seeds. */
#ifndef PARL_EXPERIMENTS_STATISTICS_H
#define PARL_EXPERIMENTS_STATISTICS_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct parl_summary {
  double mean, iqm; /* iqm: mean of the middle half (25 % trimmed mean) */
  double lo, hi;    /* 95 % percentile bootstrap interval; NaN with fewer than 2 seeds */
  size_t n;         /* seeds */
} parl_summary;

/* Random resamples behind what is printed as a number, and behind a band that is only drawn. Where
 * the seeds are so few that there are no more resamples than that (C(2n - 1, n) of one arm of one
 * stratum: n <= 9 for a number, n <= 6 for a band), each is taken once with its chance, and the
 * interval is exact. */
enum { PARL_BOOTSTRAP_REPLICATES = 50000, PARL_BOOTSTRAP_BAND_REPLICATES = 1000 };

/* scores [n_runs, n_strata] row-major: run = seed, stratum = task family. Mean and iqm over all
 * scores, [lo, hi] of the iqm. Runs are resampled with replacement inside each stratum. seed keys
 * random resampling: the same seed, the same interval. Fails: EINVAL if empty or a score is not
 * finite; ENOMEM; *out is untouched then. Source: Agarwal et al. 2021 (rliable). */
parl_status parl_summarize(const double *scores, size_t n_runs, size_t n_strata, uint64_t seed,
                           parl_summary *out);
/* The same with n_replicates >= 1 of one's own. */
parl_status parl_summarize_replicates(const double *scores, size_t n_runs, size_t n_strata,
                                      uint64_t seed, size_t n_replicates, parl_summary *out);
/* a - b over n runs paired by seed: mean and iqm of the differences, [lo, hi] of their mean.
 * Otherwise as above. */
parl_status parl_summarize_paired(const double *a, const double *b, size_t n, uint64_t seed,
                                  parl_summary *out);
/* The same with n_replicates >= 1 of one's own. */
parl_status parl_summarize_paired_replicates(const double *a, const double *b, size_t n,
                                             uint64_t seed, size_t n_replicates, parl_summary *out);
/* P(a > b) by Mann-Whitney U / (na nb), ties 1/2, with the interval of resampling both arms; NaN
 * if either has fewer than 2 seeds. mean = iqm = estimate, n = the smaller arm's seeds. */
parl_status parl_probability_of_improvement(const double *a, size_t na, const double *b, size_t nb,
                                            uint64_t seed, parl_summary *out);
/* The same with n_replicates >= 1 of one's own. */
parl_status parl_probability_of_improvement_replicates(const double *a, size_t na, const double *b,
                                                       size_t nb, uint64_t seed,
                                                       size_t n_replicates, parl_summary *out);
/* Share of scores [n_runs, n_strata] above tau, a performance profile's value there, with the
 * interval of resampling as parl_summarize does, by PARL_BOOTSTRAP_BAND_REPLICATES. mean = iqm =
 * share. The same seed draws the same samples at every tau, so that mean, lo and hi never rise
 * with it. Otherwise as above; EINVAL too if tau is NaN. Source: Agarwal et al. 2021. */
parl_status parl_share_above(const double *scores, size_t n_runs, size_t n_strata, double tau,
                             uint64_t seed, parl_summary *out);

/* What seeds each random resample takes, kept for the next summary of as many and the same seed: a
 * report has tens of thousands of them. Zero it, deinit it; one thread at a time. */
typedef struct parl_draws {
  size_t n, n_replicates; /* seeds; resamples that are there */
  uint64_t seed;          /* that keyed them */
  uint16_t *index;        /* [n_replicates, n] owned */
  double *values;         /* [n_replicates] owned */
} parl_draws;
void parl_draws_deinit(parl_draws *draws);
/* parl_summarize_replicates of one stratum, and parl_summarize_paired_replicates, from the same
 * resamples; lo and hi may differ by rounding. */
parl_status parl_summarize_drawn(parl_draws *draws, const double *scores, size_t n, uint64_t seed,
                                 size_t n_replicates, parl_summary *out);
parl_status parl_summarize_paired_drawn(parl_draws *draws, const double *a, const double *b,
                                        size_t n, uint64_t seed, size_t n_replicates,
                                        parl_summary *out);

/* 95 % intervals of few seeds, for which a percentile bootstrap is much too narrow.
 * The mean of n >= 2 scores: Student's t. */
void parl_few_mean(const double *scores, size_t n, double *lo, double *hi);
/* The share k / n of n >= 1. Source: Wilson 1927. */
void parl_few_share(double share, size_t n, double *lo, double *hi);
/* P(a > b) = U / (na nb) of na, nb >= 2. Source: Newcombe 2006, method 5. */
void parl_few_improvement(double p, size_t na, size_t nb, double *lo, double *hi);

/* Version of the library inside, borrowed. */
const char *parl_statistics_gsl_version(void);

#endif
