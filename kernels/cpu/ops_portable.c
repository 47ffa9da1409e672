/* kernels/cpu/ops_portable.c - the fast backend for any machine: vectors of four. */
#define VEC_BYTES 16
#define TILE_ROWS 4
#define LEVEL_TEXT "portable"
#define BACKEND_NAME parl_backend_cpu_portable
#define PEAK_NAME parl_fma_gflops_portable
#include "kernels/cpu/ops_impl.h"
