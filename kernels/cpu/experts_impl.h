/* kernels/cpu/experts_impl.h - experts one after the other, so that what one of them made is near
 * when it is used; and what tokens make of their experts.
 *
 * Included by ops_impl.h only. */

typedef void (*linear_fwd_op)(parl_queue *queue, const parl_linear_fwd_args *args);
typedef void (*linear_bwd_input_op)(parl_queue *queue, const parl_linear_bwd_input_args *args);
typedef void (*linear_bwd_weight_op)(parl_queue *queue, const parl_linear_bwd_weight_args *args);

INLINE void run_experts(const parl_experts_fwd_args *a, linear_fwd_op product) {
  for (size_t e = 0; e < a->E; e++) {
    const size_t start = (size_t)a->first[e], rows = (size_t)a->first[e + 1] - start;
    if (rows == 0) continue;
    float *inner = a->inner + start * 2 * a->F, *act = a->act + start * a->F;
    const parl_linear_fwd_args gate_up = {
        .M = rows,
        .N = 2 * a->F,
        .K = a->C,
        .x = a->input + start * a->C,
        .ld_x = a->C,
        .packed = a->gate_up.packed + e * a->gate_up.packed_stride,
        .y = inner,
        .ld_y = 2 * a->F};
    product(NULL, &gate_up);
    swiglu_fwd(NULL, &(parl_swiglu_fwd_args){rows, a->F, inner, act});
    const parl_linear_fwd_args down = {.M = rows,
                                       .N = a->C,
                                       .K = a->F,
                                       .x = act,
                                       .ld_x = a->F,
                                       .packed = a->down.packed + e * a->down.packed_stride,
                                       .y = a->output + start * a->C,
                                       .ld_y = a->C};
    product(NULL, &down);
  }
}

/* dx [rows,K] = dy W of expert e, dw += dy^T x; dx may be x, which is read first. */
INLINE void expert_backward(const parl_expert_weights *w, size_t e, size_t rows, size_t N, size_t K,
                            const float *dy, const float *x, float *dx, float *dw,
                            linear_bwd_input_op to_input, linear_bwd_weight_op to_weight) {
  const parl_linear_bwd_weight_args weight = {.M = rows,
                                              .N = N,
                                              .K = K,
                                              .dy = dy,
                                              .ld_dy = N,
                                              .x = x,
                                              .ld_x = K,
                                              .dw = dw + e * w->dw_stride};
  to_weight(NULL, &weight);
  const parl_linear_bwd_input_args input = {.M = rows,
                                            .N = N,
                                            .K = K,
                                            .dy = dy,
                                            .ld_dy = N,
                                            .w = w->w + e * w->w_stride,
                                            .packed = w->packed + e * w->packed_stride,
                                            .dx = dx,
                                            .ld_dx = K};
  to_input(NULL, &input);
}

INLINE void run_experts_back(const parl_experts_bwd_args *a, linear_bwd_input_op to_input,
                             linear_bwd_weight_op to_weight) {
  const parl_experts_fwd_args *f = &a->fwd;
  for (size_t e = 0; e < f->E; e++) {
    const size_t start = (size_t)f->first[e], rows = (size_t)f->first[e + 1] - start;
    if (rows == 0) continue;
    float *inner = f->inner + start * 2 * f->F, *act = f->act + start * f->F;
    expert_backward(&f->down, e, rows, f->C, f->F, a->doutput + start * f->C, act, act, a->ddown,
                    to_input, to_weight);
    swiglu_bwd(NULL, &(parl_swiglu_bwd_args){rows, f->F, inner, act, inner});
    expert_backward(&f->gate_up, e, rows, 2 * f->F, f->C, inner, f->input + start * f->C,
                    a->dinput + start * f->C, a->dgate_up, to_input, to_weight);
  }
}

#ifdef SOFT_NAME
static void experts_fwd(PARL_NO_QUEUE, const parl_experts_fwd_args *a) {
  run_experts(a, linear_fwd);
}
static void experts_bwd(PARL_NO_QUEUE, const parl_experts_bwd_args *a) {
  run_experts_back(a, linear_bwd_input, linear_bwd_weight);
}
#endif
static void experts_fwd_bf16(PARL_NO_QUEUE, const parl_experts_fwd_args *a) {
  run_experts(a, linear_fwd_bf16);
}
static void experts_bwd_bf16(PARL_NO_QUEUE, const parl_experts_bwd_args *a) {
  run_experts_back(a, linear_bwd_input_bf16, linear_bwd_weight_bf16);
}

static void combine_fwd(PARL_NO_QUEUE, const parl_combine_fwd_args *a) {
  for (size_t t = 0; t < a->rows; t++)
    for (size_t k = t * a->n_chosen; k < (t + 1) * a->n_chosen; k++) {
      const parl_add_args term = {.n = a->C,
                                  .a = a->weights != NULL ? a->weights[k] : 1.0f,
                                  .x = a->output + (size_t)a->place_of[k] * a->C,
                                  .y = a->out + t * a->C};
      add(NULL, &term);
    }
}
