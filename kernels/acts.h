/* kernels/acts.h - the operands of products among every op's arguments, and their extents: for who
 * keeps them otherwise and has to convert them.
 *
 * PARL_ACTS_op(V) is V(field, whether it is one, rows, elements between them, width) for each, of
 * arguments `a`, which the host can read. */
#ifndef PARL_KERNELS_ACTS_H
#define PARL_KERNELS_ACTS_H
#include <stddef.h>
#include <stdint.h>

/* Rows of a table that tokens [n] name. */
static inline size_t parl_acts_count_rows(const int32_t *tokens, size_t n) {
  int32_t most = -1;
  for (size_t i = 0; i < n; i++)
    if (tokens[i] > most) most = tokens[i];
  return (size_t)(most + 1);
}

#define PARL_ACTS_linear_pack(V) V(packed, true, 1, 0, a->N * a->K)
#define PARL_ACTS_linear_fwd(V)      \
  V(x, true, a->M, a->ld_x, a->K)    \
  V(packed, true, 1, 0, a->N * a->K) \
  V(y, a->y_is_act, a->M, a->ld_y, a->N)
#define PARL_ACTS_linear_bwd_input(V) \
  V(dy, true, a->M, a->ld_dy, a->N)   \
  V(packed, true, 1, 0, a->N * a->K)  \
  V(dx, true, a->M, a->ld_dx, a->K)
#define PARL_ACTS_linear_bwd_weight(V) \
  V(dy, true, a->M, a->ld_dy, a->N) V(x, true, a->M, a->ld_x, a->K)
#define PARL_ACTS_rmsnorm_fwd(V) \
  V(x, a->x_is_act, a->rows, a->ld_x, a->C) V(y, true, a->rows, a->ld_y, a->C)
#define PARL_ACTS_rmsnorm_bwd(V)            \
  V(x, a->x_is_act, a->rows, a->ld_x, a->C) \
  V(dy, true, a->rows, a->ld_dy, a->C)      \
  V(dx, a->x_is_act, a->rows, a->ld_dx, a->C)
#define PARL_ACTS_rope(V) V(x, true, a->rows, a->ld_x, (a->heads - 1) * a->head_stride + a->D)
#define PARL_ACTS_ROWS(f) (size_t)(f)->seq_start[(f)->n_seqs]
#define PARL_ACTS_attention_fwd(V)                        \
  V(q, true, PARL_ACTS_ROWS(a), a->ld_q, a->H * a->D)     \
  V(k, true, PARL_ACTS_ROWS(a), a->ld_k, a->H_kv * a->D)  \
  V(v, true, PARL_ACTS_ROWS(a), a->ld_v, a->H_kv * a->Dv) \
  V(out, true, PARL_ACTS_ROWS(a), a->ld_out, a->H * a->Dv)
#define PARL_ACTS_attention_bwd(V)                                               \
  V(fwd.q, true, PARL_ACTS_ROWS(&a->fwd), a->fwd.ld_q, a->fwd.H * a->fwd.D)      \
  V(fwd.k, true, PARL_ACTS_ROWS(&a->fwd), a->fwd.ld_k, a->fwd.H_kv * a->fwd.D)   \
  V(fwd.v, true, PARL_ACTS_ROWS(&a->fwd), a->fwd.ld_v, a->fwd.H_kv * a->fwd.Dv)  \
  V(fwd.out, true, PARL_ACTS_ROWS(&a->fwd), a->fwd.ld_out, a->fwd.H * a->fwd.Dv) \
  V(dout, true, PARL_ACTS_ROWS(&a->fwd), a->ld_dout, a->fwd.H * a->fwd.Dv)       \
  V(dq, true, PARL_ACTS_ROWS(&a->fwd), a->ld_dq, a->fwd.H * a->fwd.D)            \
  V(dk, true, PARL_ACTS_ROWS(&a->fwd), a->ld_dk, a->fwd.H_kv * a->fwd.D)         \
  V(dv, true, PARL_ACTS_ROWS(&a->fwd), a->ld_dv, a->fwd.H_kv * a->fwd.Dv)
#define PARL_ACTS_attention_decode(V)          \
  V(q, true, a->rows, a->ld_q, a->H * a->D)    \
  V(k, true, a->rows, a->ld_k, a->H_kv * a->D) \
  V(v, true, a->rows, a->ld_v, a->H_kv * a->Dv) V(out, true, a->rows, a->ld_out, a->H * a->Dv)
#define PARL_ACTS_swiglu_fwd(V) \
  V(gate_up, true, a->rows, 2 * a->F, 2 * a->F) V(out, true, a->rows, a->F, a->F)
#define PARL_ACTS_swiglu_bwd(V)                 \
  V(gate_up, true, a->rows, 2 * a->F, 2 * a->F) \
  V(dout, true, a->rows, a->F, a->F) V(dgate_up, true, a->rows, 2 * a->F, 2 * a->F)
#define PARL_ACTS_embedding_fwd(V)                                          \
  V(table, a->is_act, parl_acts_count_rows(a->tokens, a->rows), a->C, a->C) \
  V(out, a->is_act, a->rows, a->C, a->C)
#define PARL_ACTS_sum_heads(V)                                         \
  V(x, true, a->rows, a->ld_x, (a->heads - 1) * a->head_stride + a->D) \
  V(y, true, a->rows, a->ld_y, a->D)
#define PARL_ACTS_combine_fwd(V)                     \
  V(output, true, a->rows * a->n_chosen, a->C, a->C) \
  V(out, a->out_is_act, a->rows, a->C, a->C)
#define PARL_ACTS_combine_bwd(V)                     \
  V(output, true, a->rows * a->n_chosen, a->C, a->C) \
  V(doutput, true, a->rows * a->n_chosen, a->C, a->C)
#define PARL_ACTS_ASSIGNED(f) (size_t)(f)->first[(f)->E]
#define PARL_ACTS_experts_fwd(V)                                           \
  V(gate_up.packed, true, a->E, a->gate_up.packed_stride, 2 * a->F * a->C) \
  V(down.packed, true, a->E, a->down.packed_stride, a->C * a->F)           \
  V(input, true, PARL_ACTS_ASSIGNED(a), a->C, a->C)                        \
  V(inner, true, PARL_ACTS_ASSIGNED(a), 2 * a->F, 2 * a->F)                \
  V(act, true, PARL_ACTS_ASSIGNED(a), a->F, a->F) V(output, true, PARL_ACTS_ASSIGNED(a), a->C, a->C)
#define PARL_ACTS_experts_bwd(V)                                                               \
  V(fwd.gate_up.packed, true, a->fwd.E, a->fwd.gate_up.packed_stride, 2 * a->fwd.F * a->fwd.C) \
  V(fwd.down.packed, true, a->fwd.E, a->fwd.down.packed_stride, a->fwd.C * a->fwd.F)           \
  V(fwd.input, true, PARL_ACTS_ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)                          \
  V(fwd.inner, true, PARL_ACTS_ASSIGNED(&a->fwd), 2 * a->fwd.F, 2 * a->fwd.F)                  \
  V(fwd.act, true, PARL_ACTS_ASSIGNED(&a->fwd), a->fwd.F, a->fwd.F)                            \
  V(doutput, true, PARL_ACTS_ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)                            \
  V(dinput, true, PARL_ACTS_ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)
#define PARL_ACTS_layernorm_fwd(V) V(y, a->y_is_act, a->rows, a->ld_y, a->C)
#define PARL_ACTS_layernorm_bwd(V) V(dy, a->dy_is_act, a->rows, a->ld_dy, a->C)
#define PARL_ACTS_gelu_fwd(V) V(x, true, 1, 0, a->n) V(y, true, 1, 0, a->n)
#define PARL_ACTS_gelu_bwd(V) V(x, true, 1, 0, a->n) V(dy, true, 1, 0, a->n) V(dx, true, 1, 0, a->n)
#define PARL_ACTS_to_act(V) V(y, true, 1, 0, a->n)
#define PARL_ACTS_embedding_bwd(V)
#define PARL_ACTS_policy_fwd(V)
#define PARL_ACTS_policy_bwd(V)
#define PARL_ACTS_adamw(V)
#define PARL_ACTS_add(V)
#define PARL_ACTS_sum_squares(V)
#define PARL_ACTS_sample(V)
#define PARL_ACTS_copy2d(V)
#define PARL_ACTS_axpby(V)
#define PARL_ACTS_sigmoid_fwd(V)
#define PARL_ACTS_sigmoid_bwd(V)
#define PARL_ACTS_route_fwd(V)
#define PARL_ACTS_route_bwd(V)
#define PARL_ACTS_balance(V)
#define PARL_ACTS_dispatch(V)
#define PARL_ACTS_count_load(V)
#define PARL_ACTS_mix_rows_fwd(V)
#define PARL_ACTS_mix_rows_bwd(V)
#define PARL_ACTS_normalise(V)
#define PARL_ACTS_round_int4(V)

#endif
