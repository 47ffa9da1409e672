/* kernels/cpu/ops_avx2.c - the fast backend for AVX2; nothing where it is not the target. */
#ifdef __AVX2__
#define VEC_BYTES 32
#define TILE_ROWS 6
#define LEVEL_TEXT "avx2"
#define BACKEND_NAME parl_backend_cpu_avx2
#define PEAK_NAME parl_fma_gflops_avx2
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_avx2(void) {
  return NULL;
}
double parl_fma_gflops_avx2(double ms) {
  (void)ms;
  return 0.0;
}
#endif
