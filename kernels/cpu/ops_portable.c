/* kernels/cpu/ops_portable.c - plain C; stands in with the oracle until the fast ops land. */
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_portable(void) {
  return parl_backend_ref();
}
const parl_backend *parl_backend_cpu_avx2(void) {
  return NULL;
}
const parl_backend *parl_backend_cpu_avx512(void) {
  return NULL;
}
