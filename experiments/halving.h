/* experiments/halving.h - asynchronous successive halving: who goes on from which rung.
 *
 * Rows reach a rung one by one. Of the results there, taken in the order in which the rows came to
 * it, the best 1/eta of each first part go on; when the last is known and none did, the best one
 * does. So who goes on follows from the results alone, whatever came in first: a row that is done
 * early waits for those before it, and the thread that made it goes on with another row.
 * Thread rule: pure functions. Source: Li et al. 2020, "A System for Massively Parallel
 * Hyperparameter Tuning", algorithm 2, whose order is that of the clock. */
#ifndef PARL_EXPERIMENTS_HALVING_H
#define PARL_EXPERIMENTS_HALVING_H
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* results [n_rows, n_rungs], greater is better: NaN: not known yet; -inf: it failed, and goes no
 * further. is_out [n_rows]: rows that take no part and go to the end. eta >= 2.
 * level [n_rows] out: the rung that a row may go to; n_rungs: to the end. is_over [n_rows] out: it
 * has ended at that rung, and nothing that is still to come can change that. Fails: ENOMEM. */
parl_status parl_halving_decide(const double *results, const bool *is_out, size_t n_rows,
                                size_t n_rungs, size_t eta, size_t *level, bool *is_over);

#endif
