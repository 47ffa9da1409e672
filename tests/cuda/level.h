/* tests/cuda/level.h - the emulated backend as one more level of the tests of ops: it takes floats
 * wherever they lie, and no queue, as levels of the CPU do.
 *
 * In bf16 each operand is rounded and kept apart between guard words while an op runs, and so it is
 * for the oracle, kernels/ref/acts.c. Thread rule: one thread. */
#ifndef PARL_TESTS_CUDA_LEVEL_H
#define PARL_TESTS_CUDA_LEVEL_H
#include "kernels/ops.h"

/* dtype: "f32" or "bf16" */
const parl_backend *cuda_level(const char *dtype);
/* What a level is compared with. */
const parl_backend *cuda_oracle(const parl_backend *level);
/* TEST_ORDER=random TEST_SEED=n, or reverse, is the order of threads; returns its name. */
const char *cuda_set_order(void);

#endif
