/* engine/forward.c - tokens to logits: the parts of a layer, and a slice through all of them. */
#include "engine/model_internal.h"

void parl_matrix_forward(parl_queue *queue, const parl_matrix *w, size_t rows, const float *x,
                         const float *residual, float *y) {
  const parl_linear_fwd_args args = {.M = rows,
                                     .N = w->N,
                                     .K = w->K,
                                     .x = x,
                                     .ld_x = w->K,
                                     .packed = w->packed,
                                     .residual = residual,
                                     .y = y,
                                     .ld_y = w->N};
  PARL_RUN(queue, linear_fwd, &args);
}

void parl_matrix_forward_view(parl_queue *queue, const parl_matrix *w, size_t rows, const float *x,
                              size_t ld_x, float *y, size_t ld_y) {
  const parl_linear_fwd_args args = {.M = rows,
                                     .N = w->N,
                                     .K = w->K,
                                     .x = x,
                                     .ld_x = ld_x,
                                     .packed = w->packed,
                                     .y = y,
                                     .ld_y = ld_y};
  PARL_RUN(queue, linear_fwd, &args);
}

void parl_norm_forward(parl_queue *queue, const parl_model *m, size_t offset, size_t rows,
                       const float *x, float *y, float *inv_rms) {
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

/* Queries and keys lie side by side and turn alike: one call over H + H_kv heads. */
static void rotate(parl_queue *queue, const parl_model *m, size_t rows, const int32_t *positions,
                   float *qkv) {
  const parl_model_dims *d = &m->dims;
  const parl_rope_args args = {.rows = rows,
                               .heads = d->H + d->H_kv,
                               .D = d->D,
                               .ld_x = d->qkv,
                               .head_stride = d->D,
                               .x = qkv,
                               .positions = positions,
                               .cos_table = m->cos_table,
                               .sin_table = m->sin_table};
  PARL_RUN(queue, rope, &args);
}

void parl_attention_project(parl_queue *queue, const parl_model *m, const parl_layer *layer,
                            size_t rows, const float *x, const int32_t *positions,
                            parl_attention_state *s) {
  parl_norm_forward(queue, m, layer->input_norm, rows, x, s->h, s->inv_rms);
  if (m->dims.is_mla) {
    parl_mla_project(queue, m, layer, rows, positions, s);
    return;
  }
  parl_matrix_forward(queue, &layer->qkv, rows, s->h, NULL, s->qkv);
  rotate(queue, m, rows, positions, s->qkv);
}

void parl_attention_merge(parl_queue *queue, const parl_layer *layer, size_t rows,
                          const parl_attention_state *s, const float *x, float *out) {
  parl_matrix_forward(queue, &layer->o, rows, s->mixed, x, out);
}

void parl_ffn_forward(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const float *x, parl_ffn_state *s, float *out) {
  parl_norm_forward(queue, m, layer->post_norm, rows, x, s->h, s->inv_rms);
  if (layer->is_moe) {
    parl_moe_forward(queue, m, layer, rows, x, s, out);
    return;
  }
  parl_matrix_forward(queue, &layer->gate_up, rows, s->h, NULL, s->gate_up);
  const parl_swiglu_fwd_args swiglu = {
      .rows = rows, .F = m->dims.F, .gate_up = s->gate_up, .out = s->act};
  PARL_RUN(queue, swiglu_fwd, &swiglu);
  parl_matrix_forward(queue, &layer->down, rows, s->act, x, out);
}

parl_attention_fwd_args parl_attention_view(const parl_model *m, const parl_workspace *ws,
                                            const parl_slice *slice,
                                            const parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  return (parl_attention_fwd_args){.n_seqs = slice->n_seqs,
                                   .seq_start = slice->seq_start,
                                   .H = d->H,
                                   .H_kv = d->H_kv,
                                   .D = d->D,
                                   .Dv = d->Dv,
                                   .scale = m->attention_scale,
                                   .q = d->is_mla ? s->q : s->qkv,
                                   .ld_q = d->is_mla ? s->ld_q : d->qkv,
                                   .k = d->is_mla ? s->k : s->qkv + d->q,
                                   .ld_k = d->is_mla ? d->q : d->qkv,
                                   .v = d->is_mla ? s->v : s->qkv + d->q + d->kv,
                                   .ld_v = d->is_mla ? d->mixed : d->qkv,
                                   .out = s->mixed,
                                   .ld_out = d->mixed,
                                   .lse = s->lse,
                                   .scratch = ws->scratch};
}

static void fill_positions(const parl_slice *slice, int32_t *positions) {
  for (size_t s = 0; s < slice->n_seqs; s++)
    for (int32_t r = slice->seq_start[s]; r < slice->seq_start[s + 1]; r++)
      positions[r] = r - slice->seq_start[s];
}

void parl_layer_forward(const parl_model *m, parl_workspace *ws, const parl_slice *slice, size_t i,
                        float *out) {
  const parl_layer *layer = &m->layers[i];
  parl_layer_state *s = &ws->layers[i];
  parl_attention_project(ws->queue, m, layer, ws->rows, s->x, ws->positions, &s->attention);
  if (m->dims.is_mla) parl_mla_expand(ws->queue, m, layer, ws->rows, &s->attention);
  const parl_attention_fwd_args view = parl_attention_view(m, ws, slice, &s->attention);
  PARL_RUN(ws->queue, attention_fwd, &view);
  parl_attention_merge(ws->queue, layer, ws->rows, &s->attention, s->x, s->mid);
  parl_ffn_forward(ws->queue, m, layer, ws->rows, s->mid, &s->ffn, out);
}

/* What is counted once a forward: largest scores, tokens of experts. */
static void observe(const parl_model *m, parl_workspace *ws, const parl_slice *slice, size_t i) {
  const parl_layer_state *s = &ws->layers[i];
  const parl_attention_fwd_args view = parl_attention_view(m, ws, slice, &s->attention);
  if (ws->n_scores > 0) parl_scores_track(ws, &view, i);
  const size_t E = m->dims.router.n_experts;
  for (size_t e = 0; m->layers[i].is_moe && e < E; e++)
    ws->load[(i - m->dims.first_moe) * E + e] += s->ffn.first[e + 1] - s->ffn.first[e];
}

/* Only the rows whose logits are wanted pass the final norm and the head. */
static void head_forward(const parl_model *m, parl_workspace *ws, const parl_slice *slice) {
  if (slice->n_outputs == 0) return;
  const parl_embedding_fwd_args select = {.rows = slice->n_outputs,
                                          .C = m->dims.C,
                                          .tokens = slice->outputs,
                                          .table = ws->x,
                                          .out = ws->selected};
  PARL_RUN(ws->queue, embedding_fwd, &select);
  parl_norm_forward(ws->queue, m, m->final_norm, slice->n_outputs, ws->selected, ws->final_h,
                    ws->final_rms);
  parl_matrix_forward(ws->queue, &m->head, slice->n_outputs, ws->final_h, NULL, ws->logits);
}

parl_status parl_model_forward(const parl_model *model, parl_workspace *ws, const parl_slice *slice,
                               float **logits) {
  PARL_TRY(parl_workspace_check(model, ws, slice));
  const size_t L = model->dims.L;
  ws->rows = (size_t)slice->seq_start[slice->n_seqs];
  ws->n_outputs = slice->n_outputs;
  fill_positions(slice, ws->positions);
  const parl_embedding_fwd_args embed = {.rows = ws->rows,
                                         .C = model->dims.C,
                                         .tokens = slice->tokens,
                                         .table = model->params + model->embedding,
                                         .out = ws->layers[0].x};
  PARL_RUN(ws->queue, embedding_fwd, &embed);
  for (size_t i = 0; i < L; i++) {
    parl_layer_forward(model, ws, slice, i, i + 1 < L ? ws->layers[i + 1].x : ws->x);
    observe(model, ws, slice, i);
  }
  head_forward(model, ws, slice);
  *logits = ws->logits;
  return PARL_STATUS_OK;
}
