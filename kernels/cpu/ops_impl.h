/* kernels/cpu/ops_impl.h - the fast backend, written once and compiled per instruction set.
 *
 * The including file defines VEC_BYTES, TILE_ROWS (rows of a matrix tile in registers), LEVEL_TEXT,
 * BACKEND_NAME and PEAK_NAME. Thread rule: reentrant, no state but constants.
 * Reading order: vector, gemm, linear, attention, rows, policy, optimizer. */
#include "kernels/cpu/cpu_internal.h"
#include "kernels/cpu/vector_impl.h"
/* after the vector type */
#include "kernels/cpu/gemm_impl.h"
/* after the matrix product */
#include "kernels/cpu/attention_impl.h"
#include "kernels/cpu/linear_impl.h"
#include "kernels/cpu/optimizer_impl.h"
#include "kernels/cpu/peak_impl.h"
#include "kernels/cpu/policy_impl.h"
#include "kernels/cpu/rows_impl.h"

const parl_backend *BACKEND_NAME(void) {
  static const parl_backend backend = {
      .name = "cpu",
      .instructions = LEVEL_TEXT,
#define X(op, tolerance, source) .op = op,
      PARL_OP_LIST(X)
#undef X
          .linear_pack_floats = linear_pack_floats,
      .attention_scratch_floats = attention_scratch_floats,
  };
  return &backend;
}
