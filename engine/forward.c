/* engine/forward.c - tokens to logits: the parts of a layer, and a slice through all of them. */
#include "engine/model_internal.h"

void parl_attention_project(parl_queue *queue, const parl_model *m, const parl_layer *layer,
                            size_t rows, const float *x, const int32_t *positions,
                            parl_attention_state *s) {
  parl_norm_forward(queue, m, layer->input_norm, rows, x, s->h, s->inv_rms);
  if (m->dims.is_mla) {
    parl_mla_project(queue, m, layer, rows, positions, s);
    return;
  }
  parl_gqa_project(queue, m, layer, rows, positions, s);
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
  parl_swiglu_forward(queue, &layer->gate_up, &layer->down, rows, s->h, s->gate_up, s->act, x, out);
}

parl_attention_fwd_args parl_attention_view(const parl_model *m, const parl_workspace *ws,
                                            const parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  return (parl_attention_fwd_args){.n_seqs = ws->slice.n_seqs,
                                   .seq_start = ws->slice.seq_start,
                                   .H = d->H,
                                   .H_kv = d->H_kv,
                                   .D = d->D,
                                   .Dv = d->Dv,
                                   .scale = m->attention_scale,
                                   .q = d->is_mla ? s->q : s->qkv,
                                   .ld_q = d->is_mla ? s->ld_q : d->qkv,
                                   .k = d->is_mla ? s->k : parl_act_at(b, s->qkv, d->q),
                                   .ld_k = d->is_mla ? d->q : d->qkv,
                                   .v = d->is_mla ? s->v : parl_act_at(b, s->qkv, d->q + d->kv),
                                   .ld_v = d->is_mla ? d->mixed : d->qkv,
                                   .out = s->mixed,
                                   .ld_out = d->mixed,
                                   .lse = s->lse,
                                   .scratch = ws->scratch};
}

void parl_layer_forward(const parl_model *m, parl_workspace *ws, size_t i, float *out) {
  const parl_layer *layer = &m->layers[i];
  parl_layer_state *s = &ws->layers[i];
  parl_attention_project(ws->queue, m, layer, ws->rows, s->x, ws->slice.positions, &s->attention);
  if (m->dims.is_mla) parl_mla_expand(ws->queue, m, layer, ws->rows, &s->attention);
  parl_attention_fwd_args view = parl_attention_view(m, ws, &s->attention);
  if (ws->n_scores > 0) view.max_scores = ws->max_scores + i * m->dims.H;
  PARL_RUN(ws->queue, attention_fwd, &view);
  parl_attention_merge(ws->queue, layer, ws->rows, &s->attention, s->x, s->mid);
  parl_ffn_forward(ws->queue, m, layer, ws->rows, s->mid, &s->ffn, out);
}

/* Tokens of experts, counted once a forward. */
static void count_load(const parl_model *m, parl_workspace *ws, size_t i) {
  const size_t E = m->dims.router.n_experts;
  if (!m->layers[i].is_moe) return;
  const parl_count_load_args args = {.n_experts = E,
                                     .first = ws->layers[i].ffn.first,
                                     .load = ws->load + (i - m->dims.first_moe) * E};
  PARL_RUN(ws->queue, count_load, &args);
}

/* Only the rows whose logits are wanted pass the final norm and the head. */
static void head_forward(const parl_model *m, parl_workspace *ws) {
  if (ws->n_outputs == 0) return;
  const parl_embedding_fwd_args select = {.rows = ws->n_outputs,
                                          .C = m->dims.C,
                                          .tokens = ws->slice.outputs,
                                          .table = ws->x,
                                          .out = ws->selected};
  PARL_RUN(ws->queue, embedding_fwd, &select);
  parl_norm_forward(ws->queue, m, m->final_norm, ws->n_outputs, ws->selected, ws->final_h,
                    ws->final_rms);
  parl_matrix_forward(ws->queue, &m->head, ws->n_outputs, ws->final_h, NULL, ws->logits);
}

size_t parl_slice_find_run(const parl_slice *slice, size_t i, size_t *row) {
  size_t n = 1;
  *row = (size_t)slice->given_rows[i];
  while (i + n < slice->n_given && (size_t)slice->given_rows[i + n] == *row + n) n++;
  return n;
}

/* Over the embeddings of their placeholders. */
static void place_given(const parl_model *m, parl_workspace *ws, const parl_slice *slice) {
  const size_t C = m->dims.C;
  for (size_t i = 0, n = 0, row; i < slice->n_given; i += n) {
    n = parl_slice_find_run(slice, i, &row);
    parl_copy_floats(ws->queue, slice->given + i * C, ws->layers[0].x + row * C, n * C);
  }
}

static void upload_slice(parl_workspace *ws, const parl_slice *slice) {
  parl_slice_tables *t = &ws->slice;
  for (size_t s = 0; s < slice->n_seqs; s++)
    for (int32_t r = slice->seq_start[s]; r < slice->seq_start[s + 1]; r++)
      ws->host_positions[r] = r - slice->seq_start[s];
  t->n_seqs = slice->n_seqs;
  const size_t unit = sizeof(int32_t);
  parl_queue_upload(ws->queue, t->seq_start, slice->seq_start, (slice->n_seqs + 1) * unit);
  parl_queue_upload(ws->queue, t->tokens, slice->tokens, ws->rows * unit);
  parl_queue_upload(ws->queue, t->positions, ws->host_positions, ws->rows * unit);
  parl_queue_upload(ws->queue, t->outputs, slice->outputs, ws->n_outputs * unit);
}

parl_status parl_model_forward(const parl_model *model, parl_workspace *ws, const parl_slice *slice,
                               float **logits) {
  PARL_TRY(parl_workspace_check(model, ws, slice));
  const size_t L = model->dims.L;
  ws->rows = (size_t)slice->seq_start[slice->n_seqs];
  ws->n_outputs = slice->n_outputs;
  upload_slice(ws, slice);
  const parl_embedding_fwd_args embed = {.rows = ws->rows,
                                         .C = model->dims.C,
                                         .tokens = ws->slice.tokens,
                                         .table = model->params + model->embedding,
                                         .out = ws->layers[0].x};
  PARL_RUN(ws->queue, embedding_fwd, &embed);
  place_given(model, ws, slice);
  for (size_t i = 0; i < L; i++) {
    parl_layer_forward(model, ws, i, i + 1 < L ? ws->layers[i + 1].x : ws->x);
    count_load(model, ws, i);
  }
  head_forward(model, ws);
  *logits = ws->logits;
  return PARL_STATUS_OK;
}
