/* kernels/cpu/ops_amx.c - AVX-512 with AMX tiles for the products; nothing where the target has
 * them not. */
#if defined(__AMX_BF16__) && defined(__AVX512BF16__)
#define VEC_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#define AMX_TILES
#define LEVEL_TEXT "amx"
#define BACKEND_NAME parl_backend_cpu_amx
#define F32_NAME parl_backend_cpu_avx512
#include "kernels/cpu/ops_impl.h"
#else
#include "kernels/cpu/cpu_internal.h"

const parl_backend *parl_backend_cpu_amx(void) {
  return NULL;
}
#endif
