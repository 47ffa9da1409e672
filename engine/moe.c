/* engine/moe.c - sparse feed-forward: tokens to their experts, in order, and back.
 *
 * Assignments lie sorted by expert, tokens in order within one, so an expert works on neighbouring
 * rows; a token's experts are added in ascending order, whoever else is in the batch. An expert
 * that no token reached is not touched, so its gradient stays as it was: zero. */
#include "engine/model_internal.h"

static void route(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                  parl_ffn_state *s) {
  const parl_router *r = &m->dims.router;
  parl_matrix_forward(queue, &layer->router, rows, s->h, NULL, s->scores);
  const parl_sigmoid_fwd_args sigmoid = {.n = rows * r->n_experts, .x = s->scores};
  PARL_RUN(queue, sigmoid_fwd, &sigmoid);
  const parl_route_fwd_args choice = {.router = *r,
                                      .rows = rows,
                                      .scores = s->scores,
                                      .bias = m->params + layer->bias,
                                      .chosen = s->chosen,
                                      .weights = s->weights};
  PARL_RUN(queue, route_fwd, &choice);
  const parl_dispatch_args dispatch = {.rows = rows,
                                       .n_experts = r->n_experts,
                                       .n_chosen = r->n_chosen,
                                       .chosen = s->chosen,
                                       .first = s->first,
                                       .row_of = s->row_of,
                                       .place_of = s->place_of};
  PARL_RUN(queue, dispatch, &dispatch);
}

/* Of matrices that are evenly spaced. */
static parl_expert_weights find_weights(const parl_model *m, const parl_matrix *experts) {
  const parl_matrix *a = &experts[0], *b = &experts[m->dims.router.n_experts > 1 ? 1 : 0];
  const float *first = parl_matrix_get_weights(m, a);
  return (parl_expert_weights){.packed = a->packed,
                               .packed_stride = m->backend->linear_pack_elements(a->N, a->K),
                               .w = first,
                               .w_stride = (size_t)(parl_matrix_get_weights(m, b) - first),
                               .dw_stride = b->offset - a->offset};
}

static parl_experts_fwd_args view_experts(const parl_model *m, const parl_layer *layer,
                                          const parl_ffn_state *s) {
  return (parl_experts_fwd_args){.E = m->dims.router.n_experts,
                                 .C = m->dims.C,
                                 .F = m->dims.Fe,
                                 .first = s->first,
                                 .gate_up = find_weights(m, layer->expert_gate_up),
                                 .down = find_weights(m, layer->expert_down),
                                 .input = s->input,
                                 .inner = s->expert_gate_up,
                                 .act = s->expert_act,
                                 .output = s->output};
}

/* s->output of all assignments. */
static void run_experts(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t n,
                        parl_ffn_state *s) {
  const parl_embedding_fwd_args gather = {.rows = n,
                                          .C = m->dims.C,
                                          .tokens = s->row_of,
                                          .table_act = s->h,
                                          .out_act = s->input,
                                          .is_act = true};
  PARL_RUN(queue, embedding_fwd, &gather);
  const parl_experts_fwd_args experts = view_experts(m, layer, s);
  PARL_RUN(queue, experts_fwd, &experts);
}

static void run_shared(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                       const float *x, parl_ffn_state *s, float *out) {
  const parl_model_dims *d = &m->dims;
  if (d->Fs == 0) {
    const parl_copy2d_args copy = {
        .rows = 1, .groups = 1, .width = rows * d->C, .unit = sizeof *x, .from = x, .to = out};
    if (out != x) PARL_RUN(queue, copy2d, &copy);
    return;
  }
  parl_swiglu_forward(queue, &layer->gate_up, &layer->down, rows, s->h, s->gate_up, s->act, x, out);
}

/* args says output, weights (NULL: none) and out [rows,C] += each token's outputs. */
static void combine(parl_queue *queue, const parl_model *m, size_t rows, const parl_ffn_state *s,
                    parl_combine_fwd_args args) {
  args.rows = rows;
  args.C = m->dims.C;
  args.n_chosen = m->dims.router.n_chosen;
  args.place_of = s->place_of;
  PARL_RUN(queue, combine_fwd, &args);
}

void parl_moe_forward(parl_queue *queue, const parl_model *m, const parl_layer *layer, size_t rows,
                      const float *x, parl_ffn_state *s, float *out) {
  route(queue, m, layer, rows, s);
  run_experts(queue, m, layer, rows * m->dims.router.n_chosen, s);
  run_shared(queue, m, layer, rows, x, s, out);
  combine(queue, m, rows, s,
          (parl_combine_fwd_args){.weights = s->weights, .output = s->output, .out = out});
}

/* doutput = weight dout, dweights = dout . output, for every assignment. */
static void weigh_backward(const parl_model *m, const parl_ffn_state *s, parl_workspace *ws) {
  const parl_combine_bwd_args args = {.rows = ws->rows,
                                      .C = m->dims.C,
                                      .n_chosen = m->dims.router.n_chosen,
                                      .place_of = s->place_of,
                                      .weights = s->weights,
                                      .output = s->output,
                                      .dout = ws->dx,
                                      .doutput = ws->doutput,
                                      .dweights = ws->dweights};
  PARL_RUN(ws->queue, combine_bwd, &args);
}

/* ws->dh += the experts' gradient. */
static void experts_backward(const parl_model *m, const parl_layer *layer, const parl_ffn_state *s,
                             parl_workspace *ws, float *grads) {
  const parl_experts_bwd_args args = {.fwd = view_experts(m, layer, s),
                                      .doutput = ws->doutput,
                                      .dinput = ws->dinput,
                                      .dgate_up = grads + layer->expert_gate_up[0].offset,
                                      .ddown = grads + layer->expert_down[0].offset};
  PARL_RUN(ws->queue, experts_bwd, &args);
  combine(ws->queue, m, ws->rows, s,
          (parl_combine_fwd_args){.output = ws->dinput, .out_act = ws->dh, .out_is_act = true});
}

/* ws->dh = the shared experts' gradient. */
static void shared_backward(const parl_model *m, const parl_layer *layer, const parl_ffn_state *s,
                            parl_workspace *ws, float *grads) {
  const parl_model_dims *d = &m->dims;
  if (d->Fs == 0) {
    parl_queue_fill(ws->queue, ws->dh, 0, ws->rows * d->C * m->backend->act_bytes);
    return;
  }
  parl_swiglu_backward(ws->queue, m, &layer->gate_up, &layer->down, ws->rows, s->h, s->gate_up,
                       s->act, parl_residual_gradient(ws), ws->dh, grads);
}

/* ws->dscores: of the weights, and of the balance of each sequence. */
static void choice_backward(const parl_model *m, const parl_ffn_state *s, parl_workspace *ws) {
  const parl_router *r = &m->dims.router;
  const parl_route_bwd_args weights = {.router = *r,
                                       .rows = ws->rows,
                                       .scores = s->scores,
                                       .chosen = s->chosen,
                                       .dweights = ws->dweights,
                                       .dscores = ws->dscores};
  PARL_RUN(ws->queue, route_bwd, &weights);
  const parl_balance_args balance = {.router = *r,
                                     .n_seqs = ws->slice.n_seqs,
                                     .seq_start = ws->slice.seq_start,
                                     .scores = s->scores,
                                     .chosen = s->chosen,
                                     .weight = ws->aux_weight,
                                     .dscores = ws->dscores,
                                     .loss = ws->balance};
  if (ws->aux_weight > 0.0) PARL_RUN(ws->queue, balance, &balance);
}

/* ws->dh += the router's gradient. */
static void router_backward(const parl_model *m, const parl_layer *layer, const parl_ffn_state *s,
                            parl_workspace *ws, float *grads) {
  const size_t E = m->dims.router.n_experts, C = m->dims.C;
  choice_backward(m, s, ws);
  const parl_sigmoid_bwd_args sigmoid = {.n = ws->rows * E, .y = s->scores, .dy = ws->dscores};
  PARL_RUN(ws->queue, sigmoid_bwd, &sigmoid);
  const parl_act *dy = parl_act_from(ws->queue, ws->dscores, ws->rows * E, ws->room);
  parl_matrix_backward_view(ws->queue, m, &layer->router, ws->rows, dy, E, s->h, C, ws->dh, C, true,
                            grads);
}

void parl_moe_backward(const parl_model *m, const parl_layer *layer, parl_workspace *ws,
                       const parl_ffn_state *s, float *grads) {
  weigh_backward(m, s, ws);
  shared_backward(m, layer, s, ws, grads);
  experts_backward(m, layer, s, ws, grads);
  router_backward(m, layer, s, ws, grads);
}
