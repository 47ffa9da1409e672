/* engine/backward.c - the gradient, layer by layer in reverse, from the activations of the forward.
 *
 * ws->dx is the gradient of the residual stream. Each part reads it, and adds its own contribution
 * through the backward of its norm, so the identity path costs nothing. A feed-forward part's
 * gradients take the place of its activations, which are near then. */
#include "engine/model_internal.h"

const parl_act *parl_residual_gradient(parl_workspace *ws) {
  return parl_act_from(ws->queue, ws->dx, ws->rows * ws->model->dims.C, ws->room);
}

/* ws->dx: gradient of the layer's output in, of s->mid out. */
static void ffn_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                         const float *x, const parl_ffn_state *s, float *grads) {
  if (layer->is_moe)
    parl_moe_backward(m, layer, ws, s, grads);
  else
    parl_swiglu_backward(ws->queue, m, &layer->gate_up, &layer->down, ws->rows, s->h, s->gate_up,
                         s->act, parl_residual_gradient(ws), ws->dh, grads);
  parl_norm_backward(ws->queue, m, layer->post_norm, ws->rows, x, s->inv_rms, ws->dh, ws->dx,
                     grads);
}

/* ws->dx: gradient of s->mid in, of the layer's input out. */
static void attention_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                               const float *x, const parl_attention_state *s, float *grads) {
  parl_matrix_backward(ws->queue, m, &layer->o, ws->rows, parl_residual_gradient(ws), s->mixed,
                       ws->dmixed, grads);
  if (m->dims.is_mla)
    parl_mla_backward(m, layer, ws, s, grads);
  else
    parl_gqa_backward(m, layer, ws, s, grads);
  parl_norm_backward(ws->queue, m, layer->input_norm, ws->rows, x, s->inv_rms, ws->dh, ws->dx,
                     grads);
}

/* Fills ws->dx with the gradient of the last layer's output; zero on rows without logits. */
static void head_backward(const parl_model *m, parl_workspace *ws, const float *dlogits,
                          float *grads) {
  const size_t n = ws->n_outputs, C = m->dims.C;
  const parl_act *dy = parl_act_from(ws->queue, dlogits, n * m->dims.V, ws->room);
  parl_matrix_backward(ws->queue, m, &m->head, n, dy, ws->final_h, ws->dh, grads);
  parl_queue_fill(ws->queue, ws->dselected, 0, n * C * sizeof *ws->dselected);
  parl_norm_backward(ws->queue, m, m->final_norm, n, ws->selected, ws->final_rms, ws->dh,
                     ws->dselected, grads);
  parl_queue_fill(ws->queue, ws->dx, 0, ws->rows * C * sizeof *ws->dx);
  const parl_embedding_bwd_args scatter = {
      .rows = n, .C = C, .tokens = ws->slice.outputs, .dout = ws->dselected, .dtable = ws->dx};
  PARL_RUN(ws->queue, embedding_bwd, &scatter);
}

/* The given rows' gradient leaves the stream, so that no placeholder's embedding learns from it. */
static void take_given(const parl_model *m, parl_workspace *ws, const parl_slice *slice) {
  const size_t C = m->dims.C;
  for (size_t i = 0, n = 0, row; i < slice->n_given; i += n) {
    n = parl_slice_find_run(slice, i, &row);
    if (slice->dgiven != NULL)
      parl_copy_floats(ws->queue, ws->dx + row * C, slice->dgiven + i * C, n * C);
    parl_queue_fill(ws->queue, ws->dx + row * C, 0, n * C * sizeof *ws->dx);
  }
}

/* Nothing of the slice is in the loss. */
static void clear_given(const parl_model *m, parl_workspace *ws, const parl_slice *slice) {
  if (slice->dgiven != NULL)
    parl_queue_fill(ws->queue, slice->dgiven, 0,
                    slice->n_given * m->dims.C * sizeof *slice->dgiven);
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
  if (slice->n_outputs == 0 && !has_balance) {
    clear_given(model, ws, slice);
    return PARL_STATUS_OK;
  }
  head_backward(model, ws, dlogits, grads);
  for (size_t i = model->dims.L; i-- > 0;) {
    const parl_layer_state *s = &ws->layers[i];
    if (model->config.recompute == PARL_RECOMPUTE_LAYER && i + 1 < model->dims.L)
      parl_layer_forward(model, ws, i, ws->layers[i + 1].x);
    ffn_backward(model, &model->layers[i], ws, s->mid, &s->ffn, grads);
    attention_backward(model, &model->layers[i], ws, s->x, &s->attention, grads);
  }
  take_given(model, ws, slice);
  const parl_embedding_bwd_args embed = {.rows = ws->rows,
                                         .C = model->dims.C,
                                         .tokens = ws->slice.tokens,
                                         .dout = ws->dx,
                                         .dtable = grads + model->embedding};
  PARL_RUN(ws->queue, embedding_bwd, &embed);
  ws->rows = 0; /* the activations of the forward are used up */
  return PARL_STATUS_OK;
}
