/* engine/scores.c - the largest score of every head, which the attention finds on its way and
 * QK-Clip looks at. */
#include <math.h>

#include "engine/model_internal.h"

static size_t get_bytes(const parl_workspace *ws) {
  return ws->n_scores * sizeof *ws->max_scores;
}

parl_status parl_workspace_track_scores(parl_workspace *ws, const parl_model *model) {
  const size_t n = model->dims.L * model->dims.H;
  PARL_TRY(PARL_ARENA_TAKE(&ws->numbers, n, &ws->max_scores));
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, 2 * n, &ws->host_scores));
  for (size_t i = 0; i < 2 * n; i++) ws->host_scores[i] = -INFINITY;
  ws->n_scores = n;
  parl_queue_upload(ws->queue, ws->max_scores, ws->host_scores + n, get_bytes(ws));
  return parl_queue_wait(ws->queue);
}

parl_status parl_workspace_take_max_scores(parl_workspace *ws, float *max_scores) {
  if (ws->n_scores == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_queue_download(ws->queue, ws->host_scores, ws->max_scores, get_bytes(ws)));
  parl_queue_upload(ws->queue, ws->max_scores, ws->host_scores + ws->n_scores, get_bytes(ws));
  for (size_t i = 0; i < ws->n_scores; i++)
    max_scores[i] = fmaxf(max_scores[i], ws->host_scores[i]);
  return PARL_STATUS_OK;
}
