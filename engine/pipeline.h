/* engine/pipeline.h - how long a pipeline of stages takes, simulated.
 *
 * One forward, one backward in turn (1F1B): stage i begins with the forwards of the first n_stages
 * - 1 - i micro-batches, then takes a forward, if there is one left, and the oldest backward, again
 * and again. A forward waits for the stage before, a backward for the stage behind; passing on
 * costs nothing.
 * Thread rule: pure functions. Source: Narayanan et al. 2019 (PipeDream), 2021 (Megatron-LM),
 * section 2.2. */
#ifndef PARL_ENGINE_PIPELINE_H
#define PARL_ENGINE_PIPELINE_H
#include <stddef.h>

#include "core/status.h"

/* *span = from the first forward to the last backward. forward, backward [n_stages, n_micro] are
 * what each takes, in any unit. Fails: ENOMEM, EINVAL for a size of 0. */
parl_status parl_pipeline_simulate(size_t n_stages, size_t n_micro, const double *forward,
                                   const double *backward, double *span);

#endif
