/* kernels/cuda/absent.c - what a program without the backend has in its place: linked in front of
 * this, the backend leaves this out. */
#include "kernels/cuda/cuda.h"

static parl_status fail(void) {
  return parl_fail(PARL_STATUS_ESTATE,
                   "backend cuda: not in this program, which was built without: `make CUDA=1`; "
                   "docs/cuda.md");
}

parl_status parl_backend_cuda(const char *dtype, parl_cuda_products products,
                              const parl_backend **out) {
  (void)dtype, (void)products, (void)out;
  return fail();
}

parl_status parl_cuda_name_card(char *text, size_t n) {
  (void)text, (void)n;
  return fail();
}

parl_status parl_cuda_describe(char *text, size_t n) {
  (void)text, (void)n;
  return fail();
}
