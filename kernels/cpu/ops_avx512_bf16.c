/* kernels/cpu/ops_avx512_bf16.c - AVX-512 with vdpbf16ps for the products; nothing where the target
 * has it not. */
#ifdef __AVX512BF16__
#define VEC_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#define LEVEL_TEXT "avx512-bf16"
#define BACKEND_NAME parl_backend_cpu_avx512_bf16
#define F32_NAME parl_backend_cpu_avx512
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_avx512_bf16(void) {
  return NULL;
}
#endif
