/* kernels/cuda/absent.c - what a build without nvcc has in the place of the backend. */
#include "kernels/cuda/cuda.h"

parl_status parl_backend_cuda(const char *dtype, const parl_backend **out) {
  (void)dtype, (void)out;
  return parl_fail(PARL_STATUS_ESTATE,
                   "backend cuda: left out of this build, which found no nvcc; docs/cuda.md");
}
