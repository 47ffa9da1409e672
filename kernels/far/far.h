/* kernels/far/far.h - a device that is not there, for tests: memory that only ops may touch.
 *
 * An address of its memory is a page without any right: whoever on the host reads or writes
 * there ends the program by SIGSEGV, after a line on standard error that names the last op's
 * file:line and the callers. What is kept lies elsewhere; ops and copies of a queue find it.
 * Every pointer given to an op must lie in the device's memory: one that does not fails the
 * queue, which runs nothing from then on and says at parl_queue_wait which argument of which op
 * at which file:line it was. Computes as the best f32 level of the CPU does, to the same bits.
 * Thread rule: as kernels/device.h. The table of its memory and the signal's handler are the
 * process' own, as memory and signals are. */
#ifndef PARL_KERNELS_FAR_FAR_H
#define PARL_KERNELS_FAR_FAR_H
#include "kernels/ops.h"

const parl_backend *parl_backend_far(void);

#endif
