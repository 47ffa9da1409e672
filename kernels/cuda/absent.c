/* kernels/cuda/absent.c - what the program has in the place of the backend: the kernels have run on
 * the emulator only, which tests link in front of this. */
#include "kernels/cuda/cuda.h"

parl_status parl_backend_cuda(const char *dtype, const parl_backend **out) {
  (void)dtype, (void)out;
  return parl_fail(PARL_STATUS_ESTATE,
                   "backend cuda: not in this program: its kernels have never run on a card, only "
                   "on the emulator of the tests; docs/cuda.md");
}
