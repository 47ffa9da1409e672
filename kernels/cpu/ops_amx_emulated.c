/* kernels/cpu/ops_amx_emulated.c - the source of ops_amx.c on tiles in plain C, for tests where no
 * AMX is. */
#define VEC_BYTES 16
#define TILE_ROWS 4
#define TILE_VECTORS 2
#define AMX_TILES
#define AMX_EMULATED
#define LEVEL_TEXT "amx-emulated"
#define BACKEND_NAME parl_backend_cpu_amx_emulated
#define F32_NAME parl_backend_cpu_portable
#include "kernels/cpu/ops_impl.h"
