/* kernels/cpu/cpu_internal.h - the instruction sets the fast backend was compiled for.
 *
 * One source (ops_impl.h) is compiled once per set; whether this CPU has a set is asked in
 * kernels/backends.c. Thread rule: pure functions. */
#ifndef PARL_KERNELS_CPU_CPU_INTERNAL_H
#define PARL_KERNELS_CPU_CPU_INTERNAL_H
#define PARL_ACT_IS_FLOAT
#include "kernels/ops.h"

/* Borrowed tables, or NULL when the compiler's target has not got the set. */
const parl_backend *parl_backend_cpu_avx512(void);
const parl_backend *parl_backend_cpu_avx2(void);
const parl_backend *parl_backend_cpu_portable(void);
/* Products in bf16 by the units of the set. */
const parl_backend *parl_backend_cpu_amx(void);
const parl_backend *parl_backend_cpu_avx512_bf16(void);
/* Products in bf16 by f32 arithmetic of the set: the bits of avx512_bf16, denormals apart. */
const parl_backend *parl_backend_cpu_avx512_bf16_soft(void);
const parl_backend *parl_backend_cpu_avx2_bf16_soft(void);
const parl_backend *parl_backend_cpu_portable_bf16_soft(void);
/* The kernel of amx on tiles in plain C, slow; for tests. */
const parl_backend *parl_backend_cpu_amx_emulated(void);

/* The ops that need no instruction set: kernels/cpu/plain*.c. */
#define X(op, tolerance, source) \
  void parl_plain_##op(parl_queue *queue, const parl_##op##_args *args);
PARL_PLAIN_OP_LIST(X)
#undef X
/* Lowest allowed token of the highest logit; the first allowed one if every comparison fails. */
size_t parl_plain_find_argmax(const float *logits, size_t V, const uint64_t *mask);
/* First token whose cumulated weight exceeds floor(uniform * total); V if all weigh nothing. */
size_t parl_plain_find_quantile(const float *probs, size_t V, double top_p, double uniform,
                                float *kept);

#endif
