/* engine/gqa.c - attention with keys and values of their own, shared by groups of query heads. */
#include "engine/model_internal.h"

/* Queries and keys lie side by side and turn alike: one call over H + H_kv heads. */
static void rotate(parl_queue *queue, const parl_model *m, size_t rows, const int32_t *positions,
                   parl_act *qkv, bool inverse) {
  const parl_model_dims *d = &m->dims;
  const parl_rope_args args = {.rows = rows,
                               .heads = d->H + d->H_kv,
                               .D = d->D,
                               .ld_x = d->qkv,
                               .head_stride = d->D,
                               .x = qkv,
                               .positions = positions,
                               .cos_table = m->cos_table,
                               .sin_table = m->sin_table,
                               .inverse = inverse};
  PARL_RUN(queue, rope, &args);
}

void parl_gqa_project(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const int32_t *positions, parl_attention_state *s) {
  parl_matrix_project(queue, &layer->qkv, rows, s->h, s->qkv);
  rotate(queue, m, rows, positions, s->qkv, false);
}

void parl_gqa_decode(parl_queue *queue, const parl_model *m, parl_attention_decode_args *args,
                     parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  args->H = d->H;
  args->H_kv = d->H_kv;
  args->D = args->Dv = d->D;
  args->q = s->qkv;
  args->k = parl_act_at(m->backend, s->qkv, d->q);
  args->v = parl_act_at(m->backend, s->qkv, d->q + d->kv);
  args->ld_q = args->ld_k = args->ld_v = d->qkv;
  args->out = s->mixed;
  args->ld_out = d->mixed;
  PARL_RUN(queue, attention_decode, args);
}

void parl_gqa_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_attention_state *s, float *grads) {
  const parl_model_dims *d = &m->dims;
  const parl_attention_bwd_args attention = {.fwd = parl_attention_view(m, ws, s),
                                             .dout = ws->dmixed,
                                             .ld_dout = d->q,
                                             .dq = ws->dqkv,
                                             .ld_dq = d->qkv,
                                             .dk = parl_act_at(m->backend, ws->dqkv, d->q),
                                             .ld_dk = d->qkv,
                                             .dv = parl_act_at(m->backend, ws->dqkv, d->q + d->kv),
                                             .ld_dv = d->qkv};
  PARL_RUN(ws->queue, attention_bwd, &attention);
  rotate(ws->queue, m, ws->rows, ws->slice.positions, ws->dqkv, true);
  parl_matrix_backward(ws->queue, m, &layer->qkv, ws->rows, ws->dqkv, s->h, ws->dh, grads);
}
