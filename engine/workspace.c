/* engine/workspace.c - a slice's activations, allocated once, and the checks of a slice. */
#include <stdlib.h>

#include "engine/model_internal.h"

static parl_status take(parl_workspace *ws, size_t rows, size_t width, float **out) {
  return parl_arena_take(&ws->arena, rows, width * sizeof **out, (void **)out);
}

static parl_status allocate_layer(parl_workspace *ws, const parl_model_dims *d,
                                  parl_layer_state *s) {
  const size_t rows = ws->max_rows;
  PARL_TRY(take(ws, rows, d->C, &s->x));
  PARL_TRY(take(ws, rows, d->C, &s->attention.h));
  PARL_TRY(take(ws, rows, 1, &s->attention.inv_rms));
  PARL_TRY(take(ws, rows, d->qkv, &s->attention.qkv));
  PARL_TRY(take(ws, rows, d->q, &s->attention.mixed));
  PARL_TRY(take(ws, rows, d->H, &s->attention.lse));
  PARL_TRY(take(ws, rows, d->C, &s->mid));
  PARL_TRY(take(ws, rows, d->C, &s->ffn.h));
  PARL_TRY(take(ws, rows, 1, &s->ffn.inv_rms));
  PARL_TRY(take(ws, rows, 2 * d->F, &s->ffn.gate_up));
  return take(ws, rows, d->F, &s->ffn.act);
}

static parl_status allocate(parl_workspace *ws, const parl_model *m) {
  const parl_model_dims *d = &m->dims;
  const size_t rows = ws->max_rows, outputs = ws->max_outputs;
  const size_t longest = rows < d->T ? rows : d->T;
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, rows, &ws->positions));
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, d->L, &ws->layers));
  for (size_t i = 0; i < d->L; i++) PARL_TRY(allocate_layer(ws, d, &ws->layers[i]));
  PARL_TRY(take(ws, rows, d->C, &ws->x));
  PARL_TRY(take(ws, outputs, d->C, &ws->selected));
  PARL_TRY(take(ws, outputs, d->C, &ws->final_h));
  PARL_TRY(take(ws, outputs, 1, &ws->final_rms));
  PARL_TRY(take(ws, outputs, d->V, &ws->logits));
  PARL_TRY(take(ws, m->backend->attention_scratch_floats(longest, d->D, d->D), 1, &ws->scratch));
  PARL_TRY(take(ws, outputs, d->C, &ws->dselected));
  PARL_TRY(take(ws, rows, d->C, &ws->dx));
  PARL_TRY(take(ws, rows, d->C, &ws->dh));
  PARL_TRY(take(ws, rows, d->q, &ws->dmixed));
  PARL_TRY(take(ws, rows, d->qkv, &ws->dqkv));
  PARL_TRY(take(ws, rows, d->F, &ws->dact));
  return take(ws, rows, 2 * d->F, &ws->dgate_up);
}

parl_status parl_workspace_create(const parl_model *model, size_t max_rows, size_t max_outputs,
                                  parl_workspace **out) {
  PARL_REQUIRE(model != NULL && out != NULL);
  PARL_REQUIRE(max_rows >= 1 && max_rows <= INT32_MAX);
  PARL_REQUIRE(max_outputs <= max_rows);
  parl_workspace *ws = calloc(1, sizeof *ws);
  if (ws == NULL) return parl_fail(PARL_STATUS_ENOMEM, "workspace: no memory");
  ws->max_rows = max_rows;
  ws->max_outputs = max_outputs;
  parl_arena_init(&ws->arena, 0);
  const parl_status s = allocate(ws, model);
  if (s != PARL_STATUS_OK) {
    parl_workspace_destroy(ws);
    return parl_fail_context(s, "workspace of %zu rows and %zu outputs", max_rows, max_outputs);
  }
  *out = ws;
  return PARL_STATUS_OK;
}

void parl_workspace_destroy(parl_workspace *ws) {
  if (ws == NULL) return;
  parl_arena_deinit(&ws->arena);
  free(ws);
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

parl_status parl_workspace_check(const parl_model *m, const parl_workspace *ws,
                                 const parl_slice *slice) {
  PARL_TRY(check_sequences(m, ws, slice));
  return check_outputs(ws, slice);
}
