/* engine/backward.c - the gradient, layer by layer in reverse, from the activations of the forward.
 *
 * ws->dx is the gradient of the residual stream. Each part reads it, and adds its own contribution
 * through the backward of its norm, so the identity path costs nothing. A feed-forward part's
 * gradients take the place of its activations, which are near then. */
#include <string.h>

#include "engine/model_internal.h"

void parl_matrix_backward(parl_queue *queue, const parl_model *m, const parl_matrix *w, size_t rows,
                          const float *dy, const float *x, float *dx, float *grads) {
  parl_matrix_backward_view(queue, m, w, rows, dy, w->N, x, w->K, dx, w->K, false, grads);
}

void parl_matrix_backward_view(parl_queue *queue, const parl_model *m, const parl_matrix *w,
                               size_t rows, const float *dy, size_t ld_dy, const float *x,
                               size_t ld_x, float *dx, size_t ld_dx, bool accumulate,
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

void parl_norm_backward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                        const float *x, const float *inv_rms, const float *dy, float *dx,
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

void parl_swiglu_backward(parl_queue *queue, const parl_model *m, const parl_matrix *gate_up,
                          const parl_matrix *down, size_t rows, const float *x, float *inner,
                          float *act, const float *dy, float *dx, float *grads) {
  parl_matrix_backward(queue, m, down, rows, dy, act, act, grads);
  const parl_swiglu_bwd_args swiglu = {
      .rows = rows, .F = down->K, .gate_up = inner, .dout = act, .dgate_up = inner};
  PARL_RUN(queue, swiglu_bwd, &swiglu);
  parl_matrix_backward(queue, m, gate_up, rows, inner, x, dx, grads);
}

/* ws->dx: gradient of the layer's output in, of s->mid out. */
static void ffn_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                         const parl_slice *slice, const float *x, const parl_ffn_state *s,
                         float *grads) {
  if (layer->is_moe)
    parl_moe_backward(m, layer, ws, slice, s, grads);
  else
    parl_swiglu_backward(ws->queue, m, &layer->gate_up, &layer->down, ws->rows, s->h, s->gate_up,
                         s->act, ws->dx, ws->dh, grads);
  parl_norm_backward(ws->queue, m, layer->post_norm, ws->rows, x, s->inv_rms, ws->dh, ws->dx,
                     grads);
}

static void rotate_back(const parl_model *m, const parl_workspace *ws) {
  const parl_model_dims *d = &m->dims;
  const parl_rope_args args = {.rows = ws->rows,
                               .heads = d->H + d->H_kv,
                               .D = d->D,
                               .ld_x = d->qkv,
                               .head_stride = d->D,
                               .x = ws->dqkv,
                               .positions = ws->positions,
                               .cos_table = m->cos_table,
                               .sin_table = m->sin_table,
                               .inverse = true};
  PARL_RUN(ws->queue, rope, &args);
}

/* ws->dmixed in; ws->dh out, the gradient of s->h. */
static void gqa_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                         const parl_slice *slice, const parl_attention_state *s, float *grads) {
  const parl_model_dims *d = &m->dims;
  const parl_attention_bwd_args attention = {.fwd = parl_attention_view(m, ws, slice, s),
                                             .dout = ws->dmixed,
                                             .ld_dout = d->q,
                                             .dq = ws->dqkv,
                                             .ld_dq = d->qkv,
                                             .dk = ws->dqkv + d->q,
                                             .ld_dk = d->qkv,
                                             .dv = ws->dqkv + d->q + d->kv,
                                             .ld_dv = d->qkv};
  PARL_RUN(ws->queue, attention_bwd, &attention);
  rotate_back(m, ws);
  parl_matrix_backward(ws->queue, m, &layer->qkv, ws->rows, ws->dqkv, s->h, ws->dh, grads);
}

/* ws->dx: gradient of s->mid in, of the layer's input out. */
static void attention_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                               const parl_slice *slice, const float *x,
                               const parl_attention_state *s, float *grads) {
  parl_matrix_backward(ws->queue, m, &layer->o, ws->rows, ws->dx, s->mixed, ws->dmixed, grads);
  if (m->dims.is_mla)
    parl_mla_backward(m, layer, ws, slice, s, grads);
  else
    gqa_backward(m, layer, ws, slice, s, grads);
  parl_norm_backward(ws->queue, m, layer->input_norm, ws->rows, x, s->inv_rms, ws->dh, ws->dx,
                     grads);
}

/* Fills ws->dx with the gradient of the last layer's output; zero on rows without logits. */
static void head_backward(const parl_model *m, parl_workspace *ws, const parl_slice *slice,
                          const float *dlogits, float *grads) {
  const size_t n = slice->n_outputs, C = m->dims.C;
  parl_matrix_backward(ws->queue, m, &m->head, n, dlogits, ws->final_h, ws->dh, grads);
  memset(ws->dselected, 0, n * C * sizeof *ws->dselected);
  parl_norm_backward(ws->queue, m, m->final_norm, n, ws->selected, ws->final_rms, ws->dh,
                     ws->dselected, grads);
  memset(ws->dx, 0, ws->rows * C * sizeof *ws->dx);
  const parl_embedding_bwd_args scatter = {
      .rows = n, .C = C, .tokens = slice->outputs, .dout = ws->dselected, .dtable = ws->dx};
  PARL_RUN(ws->queue, embedding_bwd, &scatter);
}

parl_status parl_model_backward(const parl_model *model, parl_workspace *ws,
                                const parl_slice *slice, const float *dlogits, float *grads) {
  if (ws->rows == 0 || slice->n_outputs != ws->n_outputs ||
      (size_t)slice->seq_start[slice->n_seqs] != ws->rows)
    return parl_fail(PARL_STATUS_ESTATE,
                     "backward: the workspace holds a forward of %zu rows and %zu outputs, not of "
                     "this slice",
                     ws->rows, ws->n_outputs);
  const bool has_balance = ws->aux_weight > 0.0 && parl_model_get_n_sparse_layers(model) > 0;
  if (slice->n_outputs == 0 && !has_balance) return PARL_STATUS_OK;
  head_backward(model, ws, slice, dlogits, grads);
  for (size_t i = model->dims.L; i-- > 0;) {
    const parl_layer_state *s = &ws->layers[i];
    if (model->config.recompute == PARL_RECOMPUTE_LAYER && i + 1 < model->dims.L)
      parl_layer_forward(model, ws, slice, i, ws->layers[i + 1].x);
    ffn_backward(model, &model->layers[i], ws, slice, s->mid, &s->ffn, grads);
    attention_backward(model, &model->layers[i], ws, slice, s->x, &s->attention, grads);
  }
  const parl_embedding_bwd_args embed = {.rows = ws->rows,
                                         .C = model->dims.C,
                                         .tokens = slice->tokens,
                                         .dout = ws->dx,
                                         .dtable = grads + model->embedding};
  PARL_RUN(ws->queue, embedding_bwd, &embed);
  ws->rows = 0; /* the activations of the forward are used up */
  return PARL_STATUS_OK;
}
