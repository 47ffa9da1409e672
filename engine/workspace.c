/* engine/workspace.c - a slice's activations, allocated once, and the checks of a slice. */
#include <stdlib.h>

#include "engine/model_internal.h"

static parl_status take(parl_workspace *ws, size_t rows, size_t width, float **out) {
  return parl_arena_take(&ws->numbers, rows, width * sizeof **out, (void **)out);
}

static parl_status allocate_layer(parl_workspace *ws, const parl_model *m, bool dense, bool sparse,
                                  parl_layer_state *s) {
  const size_t rows = ws->max_rows;
  PARL_TRY(parl_attention_state_take(&ws->numbers, m, rows, false, &s->attention));
  PARL_TRY(take(ws, rows, m->dims.C, &s->mid));
  return parl_ffn_state_take(&ws->numbers, m, rows, dense, sparse, &s->ffn);
}

/* Layers that are computed again share one state. */
static parl_status allocate_layers(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const bool is_shared = m->config.recompute == PARL_RECOMPUTE_LAYER;
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, d->L, &ws->layers));
  for (size_t i = 0; i < d->L; i++) {
    parl_layer_state *s = &ws->layers[i];
    const bool is_moe = i >= d->first_moe;
    if (is_shared && i > 0)
      *s = ws->layers[0];
    else
      PARL_TRY(allocate_layer(ws, m, is_shared ? d->first_moe > 0 : !is_moe,
                              is_shared ? d->first_moe < d->L : is_moe, s));
    PARL_TRY(take(ws, ws->max_rows, d->C, &s->x));
  }
  return PARL_STATUS_OK;
}

/* The gradients of one sparse layer's inner values. */
static parl_status allocate_moe(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t n = d->router.n_chosen * ws->max_rows, E = d->router.n_experts;
  ws->n_load = (d->L - d->first_moe) * E;
  if (ws->n_load == 0) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, ws->n_load, &ws->host_load));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, ws->n_load, &ws->load));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, 1, &ws->balance));
  parl_queue_fill(ws->queue, ws->load, 0, ws->n_load * sizeof *ws->load);
  parl_queue_fill(ws->queue, ws->balance, 0, sizeof *ws->balance);
  PARL_TRY(take(ws, ws->max_rows, E, &ws->dscores));
  PARL_TRY(take(ws, n, 1, &ws->dweights));
  PARL_TRY(parl_act_take(&ws->numbers, m, n, d->C, &ws->doutput));
  return parl_act_take(&ws->numbers, m, n, d->C, &ws->dinput);
}

static parl_status allocate_attention(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t rows = ws->max_rows;
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->mixed, &ws->dmixed));
  if (!d->is_mla) return parl_act_take(&ws->numbers, m, rows, d->qkv, &ws->dqkv);
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->q, &ws->dq));
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->q, &ws->dk));
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->mixed, &ws->dv));
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->H * (d->Dn + d->Dv), &ws->dkv));
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->latents, &ws->dlatents));
  return parl_act_take(&ws->numbers, m, rows, d->Rq > d->R ? d->Rq : d->R, &ws->dlatent);
}

static parl_status allocate_policy(parl_workspace *ws, size_t V) {
  parl_policy_room *p = &ws->policy;
  const size_t n = ws->max_outputs, words = (V + 63) / 64;
  PARL_TRY(parl_arena_take(&ws->numbers, n, words * sizeof *p->mask, (void **)&p->mask));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, n, &p->target));
  PARL_TRY(take(ws, n, 1, &p->logp));
  PARL_TRY(take(ws, n, 1, &p->entropy));
  PARL_TRY(take(ws, n, 1, &p->dlogp));
  return take(ws, n, 1, &p->dentropy);
}

static parl_status allocate_slice(parl_workspace *ws) {
  parl_slice_tables *t = &ws->slice;
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, ws->max_rows, &ws->host_positions));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, ws->max_rows + 1, &t->seq_start));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, ws->max_rows, &t->tokens));
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, ws->max_rows, &t->positions));
  return PARL_ARENA_TAKE(&ws->numbers, ws->max_outputs, &t->outputs);
}

/* For the widest of the gradients that are f32 and operands too. */
static parl_status allocate_room(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t E = d->router.n_experts, width = d->C > E ? d->C : E;
  const size_t n = ws->max_rows * width, n_logits = ws->max_outputs * d->V;
  if (m->backend->act_bytes == sizeof(float)) return PARL_STATUS_OK;
  return parl_act_take(&ws->numbers, m, n > n_logits ? n : n_logits, 1, &ws->room);
}

static parl_status allocate(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t rows = ws->max_rows, outputs = ws->max_outputs;
  const size_t longest = rows < d->T ? rows : d->T;
  PARL_TRY(parl_queue_create(m->backend, &ws->queue));
  PARL_TRY(allocate_slice(ws));
  PARL_TRY(allocate_layers(ws, m));
  PARL_TRY(take(ws, rows, d->C, &ws->x));
  PARL_TRY(take(ws, outputs, d->C, &ws->selected));
  PARL_TRY(parl_act_take(&ws->numbers, m, outputs, d->C, &ws->final_h));
  PARL_TRY(take(ws, outputs, 1, &ws->final_rms));
  PARL_TRY(take(ws, outputs, d->V, &ws->logits));
  PARL_TRY(allocate_policy(ws, d->V));
  PARL_TRY(take(ws, m->backend->attention_scratch_floats(longest, d->D, d->Dv), 1, &ws->scratch));
  PARL_TRY(take(ws, outputs, d->C, &ws->dselected));
  PARL_TRY(take(ws, rows, d->C, &ws->dx));
  PARL_TRY(parl_act_take(&ws->numbers, m, rows, d->C, &ws->dh));
  PARL_TRY(allocate_room(ws, m));
  PARL_TRY(allocate_attention(ws, m));
  return allocate_moe(ws, m);
}

parl_status parl_workspace_create(const parl_model *model, size_t max_rows, size_t max_outputs,
                                  parl_workspace **out) {
  PARL_REQUIRE(model != NULL && out != NULL);
  PARL_REQUIRE(max_rows >= 1 && max_rows <= INT32_MAX);
  PARL_REQUIRE(max_outputs <= max_rows);
  parl_workspace *ws = calloc(1, sizeof *ws);
  if (ws == NULL) return parl_fail(PARL_STATUS_ENOMEM, "workspace: no memory");
  ws->model = model;
  ws->max_rows = max_rows;
  ws->max_outputs = max_outputs;
  parl_arena_init(&ws->arena, 0);
  parl_arena_init_from(&ws->numbers, 0, &model->backend->device()->memory);
  const parl_status s = allocate(ws, model);
  if (s != PARL_STATUS_OK) {
    parl_workspace_destroy(ws);
    return parl_fail_context(s, "workspace of %zu rows and %zu outputs", max_rows, max_outputs);
  }
  *out = ws;
  return PARL_STATUS_OK;
}

parl_status parl_workspace_read(parl_workspace *ws, const float *from, size_t n, float *to) {
  return parl_queue_download(ws->queue, to, from, n * sizeof *to);
}

void parl_workspace_set_aux_weight(parl_workspace *ws, double weight) {
  ws->aux_weight = weight;
}

parl_status parl_workspace_take_balance(parl_workspace *ws, double *sum) {
  double balance = 0.0;
  if (ws->n_load == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_queue_download(ws->queue, &balance, ws->balance, sizeof balance));
  parl_queue_fill(ws->queue, ws->balance, 0, sizeof *ws->balance);
  *sum += balance;
  return PARL_STATUS_OK;
}

parl_status parl_workspace_take_load(parl_workspace *ws, int64_t *load) {
  const size_t bytes = ws->n_load * sizeof *load;
  if (ws->n_load == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_queue_download(ws->queue, ws->host_load, ws->load, bytes));
  parl_queue_fill(ws->queue, ws->load, 0, bytes);
  for (size_t i = 0; i < ws->n_load; i++) load[i] += ws->host_load[i];
  return PARL_STATUS_OK;
}

void parl_workspace_destroy(parl_workspace *ws) {
  if (ws == NULL) return;
  parl_queue_destroy(ws->queue);
  parl_arena_deinit(&ws->numbers);
  parl_arena_deinit(&ws->arena);
  free(ws);
}

size_t parl_workspace_get_bytes(const parl_workspace *ws) {
  return parl_arena_get_used(&ws->arena) + parl_arena_get_used(&ws->numbers);
}

static parl_status check_sequences(const parl_model *m, const parl_workspace *ws,
                                   const parl_slice *slice) {
  if (slice->n_seqs == 0 || slice->n_seqs > ws->max_rows || slice->seq_start[0] != 0)
    return parl_fail(PARL_STATUS_EINVAL, "slice: %zu sequences; 1 to %zu are wanted, from row 0",
                     slice->n_seqs, ws->max_rows);
  for (size_t s = 0; s < slice->n_seqs; s++) {
    const int64_t n = (int64_t)slice->seq_start[s + 1] - slice->seq_start[s];
    if (n < 1 || (size_t)n > m->dims.T)
      return parl_fail(PARL_STATUS_EINVAL, "slice: sequence %zu has %lld tokens, outside [1, %zu]",
                       s, (long long)n, m->dims.T);
  }
  const size_t rows = (size_t)slice->seq_start[slice->n_seqs];
  if (rows > ws->max_rows)
    return parl_fail(PARL_STATUS_EINVAL, "slice: %zu rows; the workspace has room for %zu", rows,
                     ws->max_rows);
  for (size_t r = 0; r < rows; r++)
    if (slice->tokens[r] < 0 || (size_t)slice->tokens[r] >= m->dims.V)
      return parl_fail(PARL_STATUS_EINVAL, "slice: token %d of row %zu is outside [0, %zu)",
                       slice->tokens[r], r, m->dims.V);
  return PARL_STATUS_OK;
}

static parl_status check_outputs(const parl_workspace *ws, const parl_slice *slice) {
  const int32_t rows = slice->seq_start[slice->n_seqs];
  if (slice->n_outputs > ws->max_outputs)
    return parl_fail(PARL_STATUS_EINVAL, "slice: %zu outputs; the workspace has room for %zu",
                     slice->n_outputs, ws->max_outputs);
  for (size_t i = 0; i < slice->n_outputs; i++) {
    const int32_t low = i == 0 ? 0 : slice->outputs[i - 1] + 1;
    if (slice->outputs[i] < low || slice->outputs[i] >= rows)
      return parl_fail(PARL_STATUS_EINVAL,
                       "slice: output %zu is row %d, outside [%d, %d); rows ascend", i,
                       slice->outputs[i], low, rows);
  }
  return PARL_STATUS_OK;
}

static parl_status check_given(const parl_slice *slice) {
  const int32_t rows = slice->seq_start[slice->n_seqs];
  PARL_REQUIRE(slice->n_given == 0 || (slice->given_rows != NULL && slice->given != NULL));
  for (size_t i = 0; i < slice->n_given; i++) {
    const int32_t low = i == 0 ? 0 : slice->given_rows[i - 1] + 1;
    if (slice->given_rows[i] < low || slice->given_rows[i] >= rows)
      return parl_fail(PARL_STATUS_EINVAL,
                       "slice: given row %zu is row %d, outside [%d, %d); rows ascend", i,
                       slice->given_rows[i], low, rows);
  }
  return PARL_STATUS_OK;
}

parl_status parl_workspace_check(const parl_model *m, const parl_workspace *ws,
                                 const parl_slice *slice) {
  PARL_TRY(check_sequences(m, ws, slice));
  PARL_TRY(check_given(slice));
  return check_outputs(ws, slice);
}
