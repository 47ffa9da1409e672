/* kernels/ref/ref_internal.h - one declaration per op of the oracle.
 *
 * Thread rule: pure functions of their arguments. Every sum is kept in double and rounded once. */
#ifndef PARL_KERNELS_REF_REF_INTERNAL_H
#define PARL_KERNELS_REF_REF_INTERNAL_H
#define PARL_ACT_IS_FLOAT
#include "kernels/ops.h"

#define X(op, tolerance, source) \
  void parl_ref_##op(parl_queue *queue, const parl_##op##_args *args);
PARL_OP_LIST(X)
#undef X

/* Floats that linear_pack writes: the oracle keeps W [N,K] as it is. */
size_t parl_ref_linear_pack_elements(size_t N, size_t K);
/* Floats of scratch that the attention ops of the oracle use, doubles included. */
size_t parl_ref_attention_scratch_floats(size_t longest, size_t D, size_t Dv);

#endif
