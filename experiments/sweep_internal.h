/* experiments/sweep_internal.h - what sweep.c (reading, recipes) and sweep_points.c (which points)
 * share. */
#ifndef PARL_EXPERIMENTS_SWEEP_INTERNAL_H
#define PARL_EXPERIMENTS_SWEEP_INTERNAL_H
#include "experiments/sweep.h"

/* Combinations of the values of all parameters, at most `most`; a range has as many as there are
 * whole numbers in it, or more than anybody asks for. */
size_t parl_sweep_count_combinations(const parl_sweep *sweep, size_t most);

#endif
