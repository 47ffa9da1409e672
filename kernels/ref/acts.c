/* kernels/ref/acts.c - the oracle with operands of products kept in bf16, as a device keeps them.
 *
 * What lies behind a parl_act here is an uint16_t: whoever takes one for a float, or steps through
 * it as if it were, gets results that are plainly wrong, or ends outside the array. Every operand
 * of an op is widened to floats of its own, the oracle's op runs on them, and what it wrote is
 * rounded to the nearest bf16. For tests: an op allocates.
 * Reading order: the views, the operands of each op, the table. */
#include <math.h>
#include <stdlib.h>

#include "core/bf16.h"
#include "kernels/ref/ref_internal.h"

enum { MAX_VIEWS = 10 };

/* rows pieces of `width` elements, ld apart. */
typedef struct view {
  uint16_t *acts; /* NULL: an input */
  float *floats;  /* owned */
  size_t rows, ld, width;
} view;
typedef struct views {
  view all[MAX_VIEWS];
  size_t n;
} views;

static view *widen(views *o, const void *address, size_t rows, size_t ld, size_t width) {
  const uint16_t *acts = address;
  PARL_CHECK(o->n < MAX_VIEWS);
  view *v = &o->all[o->n++];
  *v = (view){.rows = rows, .ld = ld, .width = width};
  v->floats = malloc((rows * ld + width) * sizeof *v->floats);
  PARL_CHECK(v->floats != NULL);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < width; i++) v->floats[r * ld + i] = parl_bf16_to_float(acts[r * ld + i]);
  return v;
}

static const parl_act *open_input(views *o, const parl_act *acts, size_t rows, size_t ld,
                                  size_t width) {
  return acts == NULL ? NULL : widen(o, acts, rows, ld, width)->floats;
}

static parl_act *open_output(views *o, parl_act *acts, size_t rows, size_t ld, size_t width) {
  if (acts == NULL) return NULL;
  view *v = widen(o, acts, rows, ld, width);
  v->acts = (uint16_t *)(void *)acts;
  return v->floats;
}

static uint16_t narrow(float x) {
  return isnan(x) ? 0x7fc0 : parl_bf16_from_float(x);
}

static void close_views(views *o) {
  for (size_t k = 0; k < o->n; k++) {
    const view *v = &o->all[k];
    for (size_t r = 0; r < v->rows && v->acts != NULL; r++)
      for (size_t i = 0; i < v->width; i++)
        v->acts[r * v->ld + i] = narrow(v->floats[r * v->ld + i]);
    free(v->floats);
  }
}

/* -------------------------------------------------------------- the operands of each op */

static size_t count_rows(const int32_t *tokens, size_t n) {
  int32_t most = -1;
  for (size_t i = 0; i < n; i++)
    if (tokens[i] > most) most = tokens[i];
  return (size_t)(most + 1);
}

/* V(field, whether it is one, rows, elements between them, width) */
#define ACTS_linear_pack(V) V(packed, true, 1, 0, a->N * a->K)
#define ACTS_linear_fwd(V)           \
  V(x, true, a->M, a->ld_x, a->K)    \
  V(packed, true, 1, 0, a->N * a->K) \
  V(y, a->y_is_act, a->M, a->ld_y, a->N)
#define ACTS_linear_bwd_input(V) V(dy, true, a->M, a->ld_dy, a->N) V(dx, true, a->M, a->ld_dx, a->K)
#define ACTS_linear_bwd_weight(V) V(dy, true, a->M, a->ld_dy, a->N) V(x, true, a->M, a->ld_x, a->K)
#define ACTS_rmsnorm_fwd(V) \
  V(x, a->x_is_act, a->rows, a->ld_x, a->C) V(y, true, a->rows, a->ld_y, a->C)
#define ACTS_rmsnorm_bwd(V)                 \
  V(x, a->x_is_act, a->rows, a->ld_x, a->C) \
  V(dy, true, a->rows, a->ld_dy, a->C)      \
  V(dx, a->x_is_act, a->rows, a->ld_dx, a->C)
#define ACTS_rope(V) V(x, true, a->rows, a->ld_x, (a->heads - 1) * a->head_stride + a->D)
#define ROWS(f) (size_t)(f)->seq_start[(f)->n_seqs]
#define ACTS_attention_fwd(V)                   \
  V(q, true, ROWS(a), a->ld_q, a->H * a->D)     \
  V(k, true, ROWS(a), a->ld_k, a->H_kv * a->D)  \
  V(v, true, ROWS(a), a->ld_v, a->H_kv * a->Dv) \
  V(out, true, ROWS(a), a->ld_out, a->H * a->Dv)
#define ACTS_attention_bwd(V)                                          \
  V(fwd.q, true, ROWS(&a->fwd), a->fwd.ld_q, a->fwd.H * a->fwd.D)      \
  V(fwd.k, true, ROWS(&a->fwd), a->fwd.ld_k, a->fwd.H_kv * a->fwd.D)   \
  V(fwd.v, true, ROWS(&a->fwd), a->fwd.ld_v, a->fwd.H_kv * a->fwd.Dv)  \
  V(fwd.out, true, ROWS(&a->fwd), a->fwd.ld_out, a->fwd.H * a->fwd.Dv) \
  V(dout, true, ROWS(&a->fwd), a->ld_dout, a->fwd.H * a->fwd.Dv)       \
  V(dq, true, ROWS(&a->fwd), a->ld_dq, a->fwd.H * a->fwd.D)            \
  V(dk, true, ROWS(&a->fwd), a->ld_dk, a->fwd.H_kv * a->fwd.D)         \
  V(dv, true, ROWS(&a->fwd), a->ld_dv, a->fwd.H_kv * a->fwd.Dv)
#define ACTS_attention_decode(V)               \
  V(q, true, a->rows, a->ld_q, a->H * a->D)    \
  V(k, true, a->rows, a->ld_k, a->H_kv * a->D) \
  V(v, true, a->rows, a->ld_v, a->H_kv * a->Dv) V(out, true, a->rows, a->ld_out, a->H * a->Dv)
#define ACTS_swiglu_fwd(V) \
  V(gate_up, true, a->rows, 2 * a->F, 2 * a->F) V(out, true, a->rows, a->F, a->F)
#define ACTS_swiglu_bwd(V)                      \
  V(gate_up, true, a->rows, 2 * a->F, 2 * a->F) \
  V(dout, true, a->rows, a->F, a->F) V(dgate_up, true, a->rows, 2 * a->F, 2 * a->F)
#define ACTS_embedding_fwd(V)                                     \
  V(table, a->is_act, count_rows(a->tokens, a->rows), a->C, a->C) \
  V(out, a->is_act, a->rows, a->C, a->C)
#define ACTS_sum_heads(V)                                              \
  V(x, true, a->rows, a->ld_x, (a->heads - 1) * a->head_stride + a->D) \
  V(y, true, a->rows, a->ld_y, a->D)
#define ACTS_combine_fwd(V)                          \
  V(output, true, a->rows * a->n_chosen, a->C, a->C) \
  V(out, a->out_is_act, a->rows, a->C, a->C)
#define ACTS_combine_bwd(V)                          \
  V(output, true, a->rows * a->n_chosen, a->C, a->C) \
  V(doutput, true, a->rows * a->n_chosen, a->C, a->C)
#define ASSIGNED(f) (size_t)(f)->first[(f)->E]
#define ACTS_experts_fwd(V)                                                \
  V(gate_up.packed, true, a->E, a->gate_up.packed_stride, 2 * a->F * a->C) \
  V(down.packed, true, a->E, a->down.packed_stride, a->C * a->F)           \
  V(input, true, ASSIGNED(a), a->C, a->C)                                  \
  V(inner, true, ASSIGNED(a), 2 * a->F, 2 * a->F)                          \
  V(act, true, ASSIGNED(a), a->F, a->F) V(output, true, ASSIGNED(a), a->C, a->C)
#define ACTS_experts_bwd(V)                                         \
  V(fwd.input, true, ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)         \
  V(fwd.inner, true, ASSIGNED(&a->fwd), 2 * a->fwd.F, 2 * a->fwd.F) \
  V(fwd.act, true, ASSIGNED(&a->fwd), a->fwd.F, a->fwd.F)           \
  V(doutput, true, ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)           \
  V(dinput, true, ASSIGNED(&a->fwd), a->fwd.C, a->fwd.C)
#define ACTS_layernorm_fwd(V) V(y, a->y_is_act, a->rows, a->ld_y, a->C)
#define ACTS_layernorm_bwd(V) V(dy, a->dy_is_act, a->rows, a->ld_dy, a->C)
#define ACTS_gelu_fwd(V) V(x, true, 1, 0, a->n) V(y, true, 1, 0, a->n)
#define ACTS_gelu_bwd(V) V(x, true, 1, 0, a->n) V(dy, true, 1, 0, a->n) V(dx, true, 1, 0, a->n)
#define ACTS_to_act(V) V(y, true, 1, 0, a->n)
#define ACTS_embedding_bwd(V)
#define ACTS_policy_fwd(V)
#define ACTS_policy_bwd(V)
#define ACTS_adamw(V)
#define ACTS_add(V)
#define ACTS_sum_squares(V)
#define ACTS_sample(V)
#define ACTS_copy2d(V)
#define ACTS_axpby(V)
#define ACTS_sigmoid_fwd(V)
#define ACTS_sigmoid_bwd(V)
#define ACTS_route_fwd(V)
#define ACTS_route_bwd(V)
#define ACTS_balance(V)
#define ACTS_dispatch(V)
#define ACTS_count_load(V)
#define ACTS_mix_rows_fwd(V)
#define ACTS_mix_rows_bwd(V)
#define ACTS_normalise(V)
#define ACTS_round_int4(V)

#define OPEN(field, is_one, rows, ld, width) \
  if (is_one)                                \
    args.field =                                                                           \
        _Generic(args.field, parl_act *: open_output, const parl_act *: open_input)(       \
            &o, args.field, rows, ld, width);
#define X(op, tolerance, source)                                 \
  static void op(parl_queue *queue, const parl_##op##_args *a) { \
    parl_##op##_args args = *a;                                  \
    views o = {.n = 0};                                          \
    ACTS_##op(OPEN) parl_ref_##op(queue, &args);                 \
    close_views(&o);                                             \
  }
PARL_OP_LIST(X)
#undef X

const parl_backend *parl_backend_ref_bf16_acts(void) {
  static const parl_backend backend = {
      .name = "ref",
      .instructions = "double accumulation, operands kept in bf16",
      .dtype = "bf16",
#define X(op, tolerance, source) .op = op,
      PARL_OP_LIST(X)
#undef X
          .act_bytes = sizeof(uint16_t),
      .linear_pack_elements = parl_ref_linear_pack_elements,
      .attention_scratch_floats = parl_ref_attention_scratch_floats,
      .f32 = parl_backend_ref,
      .device = parl_device_host,
  };
  return &backend;
}
