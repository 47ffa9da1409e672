/* tests/cuda/bugs.h - kernels with a deliberate mistake, one for each thing the emulator finds. */
#ifndef PARL_TESTS_CUDA_BUGS_H
#define PARL_TESTS_CUDA_BUGS_H
#include <stddef.h>

#include "kernels/device.h"

enum { BUG_OUT = 64 };
/* Runs the kernel of this name on memory that nobody has set, and gives out [BUG_OUT] of it.
 * Fails: as its queue does. */
parl_status bug_run(const char *name, float *out);
/* A launch that goes to no queue's stream. */
void bug_launch_nowhere(parl_queue *queue, float *out);
/* d [16,8] = a [16,16] b [16,8] in bf16 by fragments: by the unit's stand-in, and by shuffles. */
parl_status bug_multiply(const float *a, const float *b, float *by_unit, float *by_shuffles);

#endif
