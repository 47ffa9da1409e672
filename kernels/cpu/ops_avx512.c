/* kernels/cpu/ops_avx512.c - the fast backend for AVX-512; nothing where it is not the target. */
#ifdef __AVX512F__
#define VEC_BYTES 64
#define TILE_ROWS 8
#define LEVEL_TEXT "avx512"
#define BACKEND_NAME parl_backend_cpu_avx512
#define PEAK_NAME parl_fma_gflops_avx512
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_avx512(void) {
  return NULL;
}
double parl_fma_gflops_avx512(double ms) {
  (void)ms;
  return 0.0;
}
#endif
