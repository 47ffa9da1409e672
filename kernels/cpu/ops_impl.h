/* kernels/cpu/ops_impl.h - the fast backend, written once and compiled per instruction set.
 *
 * The including file defines VEC_BYTES, TILE_ROWS and TILE_VECTORS (of a matrix tile in registers),
 * LEVEL_TEXT and BACKEND_NAME, the table. A set without bf16 units computes in f32 and defines
 * SOFT_NAME and SOFT_TEXT too, a second table whose matrix products emulate bf16 operands; a set
 * with them computes in bf16, on AMX tiles if AMX_TILES is defined, and defines F32_NAME, the table
 * of its vectors in f32. Thread rule: reentrant, no state but constants.
 * Reading order: vector, pairs, gemm, linear, attention, decode, rows, vision, policy, optimizer,
 * experts. */
#include "kernels/cpu/cpu_internal.h"
#include "kernels/cpu/vector_impl.h"
/* after the vector type */
#include "kernels/cpu/pairs_impl.h"
/* after the operands */
#include "kernels/cpu/gemm_impl.h"
#ifdef AMX_TILES
#include "kernels/cpu/amx_impl.h"
#endif
/* after the matrix product */
#include "kernels/cpu/attention_impl.h"
/* after attention's products */
#include "kernels/cpu/decode_impl.h"
#ifdef SOFT_NAME
#define F32_NAME BACKEND_NAME
#endif
/* the rest in any order */
#include "kernels/cpu/linear_bf16_impl.h"
#ifdef SOFT_NAME
#include "kernels/cpu/linear_impl.h"
#endif
#include "kernels/cpu/optimizer_impl.h"
#include "kernels/cpu/peak_impl.h"
#include "kernels/cpu/policy_impl.h"
#include "kernels/cpu/rows_impl.h"
#include "kernels/cpu/vision_impl.h"
/* after products, rows and sums */
#include "kernels/cpu/experts_impl.h"

#define SAME(op, tolerance, source) .op = op,
#define IN_BF16(op, tolerance, source) .op = op##_bf16,
#define PLAIN(op, tolerance, source) .op = parl_plain_##op,

#ifdef SOFT_NAME
const parl_backend *BACKEND_NAME(void) {
  static const parl_backend backend = {.name = "cpu",
                                       .instructions = LEVEL_TEXT,
                                       .dtype = "f32",
                                       PARL_PRODUCT_OP_LIST(SAME) PARL_EXPERT_OP_LIST(SAME)
                                           PARL_VECTOR_OP_LIST(SAME) PARL_TOKEN_OP_LIST(SAME)
                                               PARL_VISION_OP_LIST(SAME) PARL_PLAIN_OP_LIST(PLAIN)
                                                   .act_bytes = sizeof(parl_act),
                                       .linear_pack_elements = linear_pack_elements,
                                       .attention_scratch_floats = attention_scratch_floats,
                                       .peak_gflops = peak_gflops,
                                       .f32 = BACKEND_NAME,
                                       .device = parl_device_host};
  return &backend;
}
#else
#define SOFT_NAME BACKEND_NAME
#define SOFT_TEXT LEVEL_TEXT
#endif

const parl_backend *SOFT_NAME(void) {
  static const parl_backend backend = {.name = "cpu",
                                       .instructions = SOFT_TEXT,
                                       .dtype = "bf16",
                                       PARL_PRODUCT_OP_LIST(IN_BF16) PARL_EXPERT_OP_LIST(IN_BF16)
                                           PARL_VECTOR_OP_LIST(SAME) PARL_TOKEN_OP_LIST(SAME)
                                               PARL_VISION_OP_LIST(SAME) PARL_PLAIN_OP_LIST(PLAIN)
                                                   .act_bytes = sizeof(parl_act),
                                       .linear_pack_elements = linear_pack_elements_bf16,
                                       .attention_scratch_floats = attention_scratch_floats,
                                       .peak_gflops = peak_gflops,
                                       .f32 = F32_NAME,
                                       .device = parl_device_host};
  return &backend;
}
