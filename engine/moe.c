/* engine/moe.c - sparse feed-forward: tokens to their experts, in order, and back.
 *
 * Assignments lie sorted by expert, tokens in order within one, so an expert works on neighbouring
 * rows; a token's experts are added in ascending order, whoever else is in the batch. An expert
 * that no token reached is not touched, so its gradient stays as it was: zero. */
#include <math.h>
#include <string.h>

#include "engine/model_internal.h"

static void route(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                  parl_ffn_state *s) {
  const parl_router *r = &m->dims.router;
  const size_t E = r->n_experts, K = r->n_chosen;
  parl_matrix_forward(queue, &layer->router, rows, s->h, NULL, s->scores);
  for (size_t i = 0; i < rows * E; i++)
    s->scores[i] = (float)(1.0 / (1.0 + exp(-(double)s->scores[i])));
  for (size_t t = 0; t < rows; t++)
    parl_router_choose(r, s->scores + t * E, m->params + layer->bias, s->chosen + t * K,
                       s->weights + t * K);
}

/* A counting sort of the choices by expert. */
static void dispatch(const parl_router *r, size_t rows, parl_ffn_state *s) {
  const size_t n = rows * r->n_chosen;
  memset(s->first, 0, (r->n_experts + 1) * sizeof *s->first);
  for (size_t i = 0; i < n; i++) s->first[s->chosen[i] + 1]++;
  for (size_t e = 0; e < r->n_experts; e++) s->first[e + 1] += s->first[e];
  for (size_t i = 0; i < n; i++) {
    const int32_t place = s->first[s->chosen[i]]++;
    s->choice_of[place] = (int32_t)i;
    s->row_of[place] = (int32_t)(i / r->n_chosen);
  }
  for (size_t e = r->n_experts; e > 0; e--) s->first[e] = s->first[e - 1];
  s->first[0] = 0;
}

/* to [n,C] = rows of from, one for every assignment. */
static void gather(parl_queue *queue, const parl_model *m, size_t n, const parl_ffn_state *s,
                   const float *from, float *to) {
  const parl_embedding_fwd_args args = {
      .rows = n, .C = m->dims.C, .tokens = s->row_of, .table = from, .out = to};
  PARL_RUN(queue, embedding_fwd, &args);
}

/* s->output of all assignments, expert by expert. */
static void run_experts(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t n,
                        parl_ffn_state *s) {
  const parl_model_dims *d = &m->dims;
  gather(queue, m, n, s, s->h, s->input);
  for (size_t e = 0; e < d->router.n_experts; e++) {
    const size_t start = (size_t)s->first[e], count = (size_t)s->first[e + 1] - start;
    if (count == 0) continue;
    float *gate_up = s->expert_gate_up + start * 2 * d->Fe, *act = s->expert_act + start * d->Fe;
    parl_matrix_forward(queue, &layer->expert_gate_up[e], count, s->input + start * d->C, NULL,
                        gate_up);
    const parl_swiglu_fwd_args swiglu = {.rows = count, .F = d->Fe, .gate_up = gate_up, .out = act};
    PARL_RUN(queue, swiglu_fwd, &swiglu);
    parl_matrix_forward(queue, &layer->expert_down[e], count, act, NULL, s->output + start * d->C);
  }
}

static void run_shared(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                       const float *x, parl_ffn_state *s, float *out) {
  const parl_model_dims *d = &m->dims;
  if (d->Fs == 0) {
    if (out != x) memcpy(out, x, rows * d->C * sizeof *out);
    return;
  }
  parl_matrix_forward(queue, &layer->gate_up, rows, s->h, NULL, s->gate_up);
  const parl_swiglu_fwd_args swiglu = {
      .rows = rows, .F = d->Fs, .gate_up = s->gate_up, .out = s->act};
  PARL_RUN(queue, swiglu_fwd, &swiglu);
  parl_matrix_forward(queue, &layer->down, rows, s->act, x, out);
}

void parl_moe_forward(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const float *x, parl_ffn_state *s, float *out) {
  const size_t C = m->dims.C, n = rows * m->dims.router.n_chosen;
  route(queue, m, layer, rows, s);
  dispatch(&m->dims.router, rows, s);
  run_experts(queue, m, layer, n, s);
  run_shared(queue, m, layer, rows, x, s, out);
  for (size_t i = 0; i < n; i++) {
    const parl_add_args add = {.n = C,
                               .a = s->weights[s->choice_of[i]],
                               .x = s->output + i * C,
                               .y = out + (size_t)s->row_of[i] * C};
    PARL_RUN(queue, add, &add);
  }
}

/* doutput = weight dout, dweights = dout . output, for every assignment. */
static void weigh_backward(const parl_model *m, size_t n, const parl_ffn_state *s,
                           parl_workspace *ws) {
  const size_t C = m->dims.C;
  gather(ws->queue, m, n, s, ws->dx, ws->doutput);
  for (size_t i = 0; i < n; i++) {
    const size_t choice = (size_t)s->choice_of[i];
    float *d = ws->doutput + i * C;
    const float *output = s->output + i * C;
    double dot = 0.0;
    for (size_t c = 0; c < C; c++) {
      dot += (double)d[c] * (double)output[c];
      d[c] *= s->weights[choice];
    }
    ws->dweights[choice] = (float)dot;
  }
}

/* ws->dh += the experts' gradient. */
static void experts_backward(const parl_model *m, const parl_layer *layer, size_t n,
                             const parl_ffn_state *s, parl_workspace *ws, float *grads) {
  const parl_model_dims *d = &m->dims;
  for (size_t e = 0; e < d->router.n_experts; e++) {
    const size_t start = (size_t)s->first[e], count = (size_t)s->first[e + 1] - start;
    if (count == 0) continue;
    parl_swiglu_backward(ws->queue, m, &layer->expert_gate_up[e], &layer->expert_down[e], count,
                         s->input + start * d->C, s->expert_gate_up + start * 2 * d->Fe,
                         s->expert_act + start * d->Fe, ws->doutput + start * d->C,
                         ws->dinput + start * d->C, grads);
  }
  const parl_embedding_bwd_args scatter = {
      .rows = n, .C = d->C, .tokens = s->row_of, .dout = ws->dinput, .dtable = ws->dh};
  PARL_RUN(ws->queue, embedding_bwd, &scatter);
}

/* ws->dh = the shared experts' gradient. */
static void shared_backward(const parl_model *m, const parl_layer *layer, const parl_ffn_state *s,
                            parl_workspace *ws, float *grads) {
  const parl_model_dims *d = &m->dims;
  if (d->Fs == 0) {
    memset(ws->dh, 0, ws->rows * d->C * sizeof *ws->dh);
    return;
  }
  parl_swiglu_backward(ws->queue, m, &layer->gate_up, &layer->down, ws->rows, s->h, s->gate_up,
                       s->act, ws->dx, ws->dh, grads);
}

/* ws->dh += the router's gradient: of the weights, and of the balance of each sequence. */
static void router_backward(const parl_model *m, const parl_layer *layer, const parl_slice *slice,
                            const parl_ffn_state *s, parl_workspace *ws, float *grads) {
  const parl_router *r = &m->dims.router;
  const size_t E = r->n_experts, K = r->n_chosen, C = m->dims.C;
  memset(ws->dscores, 0, ws->rows * E * sizeof *ws->dscores);
  for (size_t t = 0; t < ws->rows; t++)
    parl_router_backward(r, s->scores + t * E, s->chosen + t * K, ws->dweights + t * K,
                         ws->dscores + t * E);
  for (size_t q = 0; q < slice->n_seqs && ws->aux_weight > 0.0; q++) {
    const size_t start = (size_t)slice->seq_start[q], T = (size_t)slice->seq_start[q + 1] - start;
    ws->balance += parl_router_balance(r, T, s->scores + start * E, s->chosen + start * K,
                                       ws->aux_weight, ws->dscores + start * E);
  }
  for (size_t i = 0; i < ws->rows * E; i++) ws->dscores[i] *= s->scores[i] * (1.0F - s->scores[i]);
  parl_matrix_backward_view(ws->queue, m, &layer->router, ws->rows, ws->dscores, E, s->h, C, ws->dh,
                            C, true, grads);
}

void parl_moe_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_slice *slice, const parl_ffn_state *s, float *grads) {
  const size_t n = ws->rows * m->dims.router.n_chosen;
  weigh_backward(m, n, s, ws);
  shared_backward(m, layer, s, ws, grads);
  experts_backward(m, layer, n, s, ws, grads);
  router_backward(m, layer, slice, s, ws, grads);
}
