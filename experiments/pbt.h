/* experiments/pbt.h - population based training: who goes on as whom.
 *
 * Thread rule: pure functions. Source: Jaderberg et al. 2017, "Population Based Training of Neural
 * Networks": truncation. */
#ifndef PARL_EXPERIMENTS_PBT_H
#define PARL_EXPERIMENTS_PBT_H
#include <stddef.h>

#include "core/rng.h"
#include "core/status.h"

/* Each of the worst floor(quantile n), at least one, goes on as one of as many of the best, drawn
 * evenly; of equal results the earlier is better, and what failed, -inf, is the worst.
 *   results [n] greater is better, none NaN · from [n] out: whose training each goes on with; its
 *   own, unless it is one of the worst
 * n >= 2, quantile in (0, 0.5]. Where none is finite all stay. Fails: ENOMEM. */
parl_status parl_pbt_exploit(const double *results, size_t n, double quantile,
                             parl_rng_cursor *chance, size_t *from);

#endif
