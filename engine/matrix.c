/* engine/matrix.c - matrices, norms and the gated unit: what every part of a layer is made of. */
#include "engine/model_internal.h"

static void multiply(parl_queue *queue, const parl_matrix *w, parl_linear_fwd_args args) {
  args.N = w->N;
  args.K = w->K;
  args.packed = w->packed;
  PARL_RUN(queue, linear_fwd, &args);
}

void parl_matrix_forward(parl_queue *queue, const parl_matrix *w, size_t rows, const parl_act *x,
                         const float *residual, float *y) {
  multiply(queue, w,
           (parl_linear_fwd_args){
               .M = rows, .x = x, .ld_x = w->K, .residual = residual, .y = y, .ld_y = w->N});
}

void parl_matrix_project(parl_queue *queue, const parl_matrix *w, size_t rows, const parl_act *x,
                         parl_act *y) {
  parl_matrix_project_view(queue, w, rows, x, w->K, y, w->N);
}

void parl_matrix_project_view(parl_queue *queue, const parl_matrix *w, size_t rows,
                              const parl_act *x, size_t ld_x, parl_act *y, size_t ld_y) {
  multiply(queue, w,
           (parl_linear_fwd_args){
               .M = rows, .x = x, .ld_x = ld_x, .y_act = y, .y_is_act = true, .ld_y = ld_y});
}

void parl_matrix_backward(parl_queue *queue, const parl_model *m, const parl_matrix *w, size_t rows,
                          const parl_act *dy, const parl_act *x, parl_act *dx, float *grads) {
  parl_matrix_backward_view(queue, m, w, rows, dy, w->N, x, w->K, dx, w->K, false, grads);
}

void parl_matrix_backward_view(parl_queue *queue, const parl_model *m, const parl_matrix *w,
                               size_t rows, const parl_act *dy, size_t ld_dy, const parl_act *x,
                               size_t ld_x, parl_act *dx, size_t ld_dx, bool accumulate,
                               float *grads) {
  const parl_linear_bwd_weight_args weight = {.M = rows,
                                              .N = w->N,
                                              .K = w->K,
                                              .dy = dy,
                                              .ld_dy = ld_dy,
                                              .x = x,
                                              .ld_x = ld_x,
                                              .dw = grads + w->offset};
  PARL_RUN(queue, linear_bwd_weight, &weight);
  const parl_linear_bwd_input_args input = {.M = rows,
                                            .N = w->N,
                                            .K = w->K,
                                            .dy = dy,
                                            .ld_dy = ld_dy,
                                            .w = parl_matrix_get_weights(m, w),
                                            .packed = w->packed,
                                            .dx = dx,
                                            .ld_dx = ld_dx,
                                            .accumulate = accumulate};
  PARL_RUN(queue, linear_bwd_input, &input);
}

void parl_norm_forward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                       const float *x, parl_act *y, float *inv_rms) {
  const size_t C = m->dims.C;
  const parl_rmsnorm_fwd_args args = {.rows = rows,
                                      .C = C,
                                      .x = x,
                                      .ld_x = C,
                                      .weight = m->params + offset,
                                      .eps = (float)m->config.norm_eps,
                                      .y = y,
                                      .ld_y = C,
                                      .inv_rms = inv_rms};
  PARL_RUN(queue, rmsnorm_fwd, &args);
}

void parl_norm_backward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                        const float *x, const float *inv_rms, const parl_act *dy, float *dx,
                        float *grads) {
  const size_t C = m->dims.C;
  const parl_rmsnorm_bwd_args args = {.rows = rows,
                                      .C = C,
                                      .x = x,
                                      .ld_x = C,
                                      .weight = m->params + offset,
                                      .inv_rms = inv_rms,
                                      .dy = dy,
                                      .ld_dy = C,
                                      .dx = dx,
                                      .ld_dx = C,
                                      .dweight = grads + offset};
  PARL_RUN(queue, rmsnorm_bwd, &args);
}

void parl_swiglu_forward(parl_queue *queue, const parl_matrix *gate_up, const parl_matrix *down,
                         size_t rows, const parl_act *h, parl_act *inner, parl_act *act,
                         const float *x, float *out) {
  parl_matrix_project(queue, gate_up, rows, h, inner);
  const parl_swiglu_fwd_args swiglu = {.rows = rows, .F = down->K, .gate_up = inner, .out = act};
  PARL_RUN(queue, swiglu_fwd, &swiglu);
  parl_matrix_forward(queue, down, rows, act, x, out);
}

void parl_swiglu_backward(parl_queue *queue, const parl_model *m, const parl_matrix *gate_up,
                          const parl_matrix *down, size_t rows, const parl_act *x, parl_act *inner,
                          parl_act *act, const parl_act *dy, parl_act *dx, float *grads) {
  parl_matrix_backward(queue, m, down, rows, dy, act, act, grads);
  const parl_swiglu_bwd_args swiglu = {
      .rows = rows, .F = down->K, .gate_up = inner, .dout = act, .dgate_up = inner};
  PARL_RUN(queue, swiglu_bwd, &swiglu);
  parl_matrix_backward(queue, m, gate_up, rows, inner, x, dx, grads);
}

void parl_copy_pieces(parl_queue *queue, size_t rows, size_t groups, size_t width, parl_pieces from,
                      parl_act *to, size_t to_row, size_t to_group) {
  const parl_copy2d_args args = {.rows = rows,
                                 .groups = groups,
                                 .width = width,
                                 .unit = queue->backend->act_bytes,
                                 .from = from.from,
                                 .from_row = from.from_row,
                                 .from_group = from.from_group,
                                 .to = to,
                                 .to_row = to_row,
                                 .to_group = to_group};
  PARL_RUN(queue, copy2d, &args);
}

void parl_copy_floats(parl_queue *queue, const float *from, float *to, size_t n) {
  const parl_copy2d_args args = {
      .rows = 1, .groups = 1, .width = n, .unit = sizeof *to, .from = from, .to = to};
  PARL_RUN(queue, copy2d, &args);
}
