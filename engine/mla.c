/* engine/mla.c - multi-head latent attention: expanded for training, absorbed for decoding.
 *
 *   a = W_a h = [q latent | kv latent | rope key]      one product; without Rq: [q | ...]
 *   q = W_qb norm(q latent), per head [nope | rope];   c = norm(kv latent)
 *   W_kvb c, per head [k_nope | v];                    k = [k_nope | rope key], shared by heads
 * The rope key is taken before the norm, which covers the latent only. Absorbed: q_nope.k_nope =
 * (W_k^T q_nope).c, and sum p v = W_v sum p c. Source: DeepSeek-V2 2024, section 2.1; k25 5.1. */
#include "engine/model_internal.h"

/* Offset of the kv latent in a row of latents. */
static size_t latent_place(const parl_model_dims *d) {
  return d->Rq ? d->Rq : d->q;
}

static void norm(parl_queue *queue, const parl_model *m, size_t weight, size_t width, size_t rows,
                 const parl_act *x, parl_act *y, float *inv_rms) {
  const parl_rmsnorm_fwd_args args = {.rows = rows,
                                      .C = width,
                                      .x_act = x,
                                      .x_is_act = true,
                                      .ld_x = m->dims.latents,
                                      .weight = m->params + weight,
                                      .eps = (float)m->config.latent_norm_eps,
                                      .y = y,
                                      .ld_y = width,
                                      .inv_rms = inv_rms};
  PARL_RUN(queue, rmsnorm_fwd, &args);
}

/* dx += gradient, both inside rows of latents. */
static void norm_back(parl_queue *queue, const parl_model *m, size_t weight, size_t width,
                      size_t rows, const parl_act *x, const float *inv_rms, const parl_act *dy,
                      parl_act *dx, float *grads) {
  const parl_rmsnorm_bwd_args args = {.rows = rows,
                                      .C = width,
                                      .x_act = x,
                                      .x_is_act = true,
                                      .ld_x = m->dims.latents,
                                      .weight = m->params + weight,
                                      .inv_rms = inv_rms,
                                      .dy = dy,
                                      .ld_dy = width,
                                      .dx_act = dx,
                                      .ld_dx = m->dims.latents,
                                      .dweight = grads + weight};
  PARL_RUN(queue, rmsnorm_bwd, &args);
}

/* Rope parts of `heads` heads that lie `stride` apart. */
static void rotate(parl_queue *queue, const parl_model *m, size_t rows, const int32_t *positions,
                   size_t heads, size_t stride, parl_act *x, size_t ld_x, bool inverse) {
  const parl_rope_args args = {.rows = rows,
                               .heads = heads,
                               .D = m->dims.Dr,
                               .ld_x = ld_x,
                               .head_stride = stride,
                               .x = x,
                               .positions = positions,
                               .cos_table = m->cos_table,
                               .sin_table = m->sin_table,
                               .inverse = inverse};
  PARL_RUN(queue, rope, &args);
}

void parl_mla_project(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const int32_t *positions, parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  parl_act *kv = parl_act_at(m->backend, s->latents, latent_place(d));
  parl_matrix_project(queue, &layer->latents, rows, s->h, s->latents);
  s->ld_q = d->Rq ? d->q : d->latents;
  if (d->Rq > 0) {
    norm(queue, m, layer->q_norm, d->Rq, rows, s->latents, s->q_latent, s->q_rms);
    parl_matrix_project(queue, &layer->q_b, rows, s->q_latent, s->q);
  } else {
    s->q = s->latents;
  }
  norm(queue, m, layer->kv_norm, d->R, rows, kv, s->latent, s->kv_rms);
  rotate(queue, m, rows, positions, d->H, d->D, parl_act_at(m->backend, s->q, d->Dn), s->ld_q,
         false);
  rotate(queue, m, rows, positions, 1, d->Dr, parl_act_at(m->backend, kv, d->R), d->latents, false);
}

void parl_mla_expand(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                     parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  const size_t width = d->Dn + d->Dv;
  const parl_act *rope = parl_act_at(b, s->latents, latent_place(d) + d->R);
  parl_matrix_project(queue, &layer->kv_b, rows, s->latent, s->kv);
  parl_copy_pieces(queue, rows, d->H, d->Dn, (parl_pieces){s->kv, d->H * width, width}, s->k, d->q,
                   d->D);
  parl_copy_pieces(queue, rows, d->H, d->Dr, (parl_pieces){rope, d->latents, 0},
                   parl_act_at(b, s->k, d->Dn), d->q, d->D);
  parl_copy_pieces(queue, rows, d->H, d->Dv,
                   (parl_pieces){parl_act_at(b, s->kv, d->Dn), d->H * width, width}, s->v, d->mixed,
                   d->Dv);
}

/* Queries against cache entries: W_k^T q_nope | q_rope. */
static void absorb(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                   parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  const size_t ld = d->H * d->entry;
  for (size_t h = 0; h < d->H; h++) {
    const parl_linear_bwd_input_args args = {
        .M = rows,
        .N = d->Dn,
        .K = d->R,
        .dy = parl_act_at(b, s->q, h * d->D),
        .ld_dy = s->ld_q,
        .w = m->params + layer->kv_b.offset + h * (d->Dn + d->Dv) * d->R,
        .dx = parl_act_at(b, s->absorbed, h * d->entry),
        .ld_dx = ld};
    PARL_RUN(queue, linear_bwd_input, &args); /* unpacked: in f32 */
  }
  parl_copy_pieces(queue, rows, d->H, d->Dr,
                   (parl_pieces){parl_act_at(b, s->q, d->Dn), s->ld_q, d->D},
                   parl_act_at(b, s->absorbed, d->R), ld, d->entry);
}

/* The values are the latents inside the entries, so one cache serves both. */
void parl_mla_decode(parl_queue *queue, const parl_model *m, const parl_layer *layer,
                     parl_attention_decode_args *args, parl_attention_state *s) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  const parl_act *rope = parl_act_at(b, s->latents, latent_place(d) + d->R);
  parl_copy_pieces(queue, args->rows, 1, d->R, (parl_pieces){s->latent, d->R, 0}, s->entries,
                   d->entry, 0);
  parl_copy_pieces(queue, args->rows, 1, d->Dr, (parl_pieces){rope, d->latents, 0},
                   parl_act_at(b, s->entries, d->R), d->entry, 0);
  absorb(queue, m, layer, args->rows, s);
  args->H = d->H;
  args->H_kv = 1;
  args->D = d->entry;
  args->Dv = d->R;
  args->q = s->absorbed;
  args->ld_q = d->H * d->entry;
  args->k = s->entries;
  args->ld_k = d->entry;
  args->out = s->mixed_latent;
  args->ld_out = d->H * d->R;
  PARL_RUN(queue, attention_decode, args);
  for (size_t h = 0; h < d->H; h++)
    parl_matrix_project_view(queue, &layer->value_rows[h], args->rows,
                             parl_act_at(b, s->mixed_latent, h * d->R), d->H * d->R,
                             parl_act_at(b, s->mixed, h * d->Dv), d->mixed);
}

/* dkv from dk and dv; the rope key's gradient, summed over heads, into dlatents. */
static void collapse(const parl_model_dims *d, parl_workspace *ws) {
  const parl_backend *b = ws->model->backend;
  const size_t width = d->Dn + d->Dv, rows = ws->rows;
  parl_copy_pieces(ws->queue, rows, d->H, d->Dn, (parl_pieces){ws->dk, d->q, d->D}, ws->dkv,
                   d->H * width, width);
  parl_copy_pieces(ws->queue, rows, d->H, d->Dv, (parl_pieces){ws->dv, d->mixed, d->Dv},
                   parl_act_at(b, ws->dkv, d->Dn), d->H * width, width);
  const parl_sum_heads_args rope = {.rows = rows,
                                    .heads = d->H,
                                    .D = d->Dr,
                                    .x = parl_act_at(b, ws->dk, d->Dn),
                                    .ld_x = d->q,
                                    .head_stride = d->D,
                                    .y = parl_act_at(b, ws->dlatents, latent_place(d) + d->R),
                                    .ld_y = d->latents};
  PARL_RUN(ws->queue, sum_heads, &rope);
}

/* dlatents has its rope key's gradient, zeros in front of it; the rest is filled here. */
static void latents_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                             const parl_attention_state *s, float *grads) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  const size_t place = latent_place(d), rows = ws->rows;
  if (d->Rq == 0)
    parl_copy_pieces(ws->queue, rows, 1, d->q, (parl_pieces){ws->dq, d->q, 0}, ws->dlatents,
                     d->latents, 0);
  if (d->Rq > 0) {
    parl_matrix_backward(ws->queue, m, &layer->q_b, rows, ws->dq, s->q_latent, ws->dlatent, grads);
    norm_back(ws->queue, m, layer->q_norm, d->Rq, rows, s->latents, s->q_rms, ws->dlatent,
              ws->dlatents, grads);
  }
  parl_matrix_backward(ws->queue, m, &layer->kv_b, rows, ws->dkv, s->latent, ws->dlatent, grads);
  norm_back(ws->queue, m, layer->kv_norm, d->R, rows, parl_act_at(b, s->latents, place), s->kv_rms,
            ws->dlatent, parl_act_at(b, ws->dlatents, place), grads);
}

void parl_mla_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_attention_state *s, float *grads) {
  const parl_model_dims *d = &m->dims;
  const parl_backend *b = m->backend;
  const parl_attention_bwd_args attention = {.fwd = parl_attention_view(m, ws, s),
                                             .dout = ws->dmixed,
                                             .ld_dout = d->mixed,
                                             .dq = ws->dq,
                                             .ld_dq = d->q,
                                             .dk = ws->dk,
                                             .ld_dk = d->q,
                                             .dv = ws->dv,
                                             .ld_dv = d->mixed};
  PARL_RUN(ws->queue, attention_bwd, &attention);
  parl_queue_fill(ws->queue, ws->dlatents, 0, ws->rows * d->latents * b->act_bytes);
  collapse(d, ws);
  rotate(ws->queue, m, ws->rows, ws->slice.positions, d->H, d->D, parl_act_at(b, ws->dq, d->Dn),
         d->q, true);
  rotate(ws->queue, m, ws->rows, ws->slice.positions, 1, d->Dr,
         parl_act_at(b, ws->dlatents, latent_place(d) + d->R), d->latents, true);
  latents_backward(m, layer, ws, s, grads);
  parl_matrix_backward(ws->queue, m, &layer->latents, ws->rows, ws->dlatents, s->h, ws->dh, grads);
}
