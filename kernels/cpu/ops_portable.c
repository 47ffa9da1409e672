/* kernels/cpu/ops_portable.c - the fast backend for any machine: vectors of four. */
#define VEC_BYTES 16
#define TILE_ROWS 4
#define TILE_VECTORS 2
#define LEVEL_TEXT "portable"
#define BACKEND_NAME parl_backend_cpu_portable
#define SOFT_TEXT "portable-bf16-soft"
#define SOFT_NAME parl_backend_cpu_portable_bf16_soft
#include "kernels/cpu/ops_impl.h"
