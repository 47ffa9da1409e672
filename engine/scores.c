/* engine/scores.c - the largest score of every head, which QK-Clip looks at.
 *
 * The attention never hands out its scores, so they are computed once more, a few queries at a time
 * against all keys of the sequence; what is behind the query is not looked at. */
#include <math.h>

#include "engine/model_internal.h"

parl_status parl_workspace_track_scores(parl_workspace *ws, const parl_model *model) {
  const parl_model_dims *d = &model->dims;
  const size_t longest = ws->max_rows < d->T ? ws->max_rows : d->T;
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, d->L * d->H, &ws->max_scores));
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, d->D * longest, &ws->score_keys));
  PARL_TRY(PARL_ARENA_TAKE(&ws->arena, PARL_SCORE_ROWS * longest, &ws->score_block));
  ws->n_scores = d->L * d->H;
  for (size_t i = 0; i < ws->n_scores; i++) ws->max_scores[i] = -INFINITY;
  return PARL_STATUS_OK;
}

void parl_workspace_take_max_scores(parl_workspace *ws, float *max_scores) {
  for (size_t i = 0; i < ws->n_scores; i++) {
    max_scores[i] = fmaxf(max_scores[i], ws->max_scores[i]);
    ws->max_scores[i] = -INFINITY;
  }
}

/* Largest of the n - t queries' scores from t on against keys up to each of them. */
static float find_largest(const parl_workspace *ws, const parl_attention_fwd_args *view,
                          size_t start, size_t n, size_t h) {
  float top = -INFINITY;
  for (size_t t = 0; t < n; t += PARL_SCORE_ROWS) {
    const size_t rows = n - t < PARL_SCORE_ROWS ? n - t : PARL_SCORE_ROWS;
    const parl_linear_bwd_input_args args = {.M = rows,
                                             .N = view->D,
                                             .K = n,
                                             .dy = view->q + (start + t) * view->ld_q + h * view->D,
                                             .ld_dy = view->ld_q,
                                             .w = ws->score_keys,
                                             .dx = ws->score_block,
                                             .ld_dx = n};
    PARL_RUN_F32(ws->queue, linear_bwd_input, &args);
    for (size_t r = 0; r < rows; r++)
      for (size_t k = 0; k <= t + r; k++) top = fmaxf(top, ws->score_block[r * n + k]);
  }
  return top * view->scale;
}

void parl_scores_track(parl_workspace *ws, const parl_attention_fwd_args *view, size_t layer) {
  const size_t heads = view->H / view->H_kv;
  for (size_t s = 0; s < view->n_seqs; s++) {
    const size_t start = (size_t)view->seq_start[s], n = (size_t)view->seq_start[s + 1] - start;
    for (size_t h = 0; h < view->H; h++) {
      const float *k = view->k + start * view->ld_k + h / heads * view->D;
      for (size_t t = 0; t < n && h % heads == 0; t++)
        for (size_t i = 0; i < view->D; i++) ws->score_keys[i * n + t] = k[t * view->ld_k + i];
      float *top = &ws->max_scores[layer * view->H + h];
      *top = fmaxf(*top, find_largest(ws, view, start, n, h));
    }
  }
}
