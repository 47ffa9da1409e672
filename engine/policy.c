/* engine/policy.c - masks and targets up, two numbers a row down, two up. */
#include "engine/policy.h"

#include "engine/model_internal.h"

parl_status parl_policy_forward(parl_workspace *ws, const parl_policy_rows *rows, float *logp,
                                float *entropy) {
  const size_t n = rows->n, V = ws->model->dims.V, words = (V + 63) / 64;
  PARL_CHECK(n <= ws->n_outputs);
  parl_policy_room *room = &ws->policy;
  parl_queue_upload(ws->queue, room->target, rows->target, n * sizeof *room->target);
  if (rows->mask != NULL)
    parl_queue_upload(ws->queue, room->mask, rows->mask, n * words * sizeof *room->mask);
  const parl_policy_fwd_args args = {.rows = n,
                                     .V = V,
                                     .logits = ws->logits,
                                     .mask = rows->mask != NULL ? room->mask : NULL,
                                     .target = room->target,
                                     .inv_temperature = rows->inv_temperature,
                                     .probs = ws->logits,
                                     .logp = room->logp,
                                     .entropy = room->entropy};
  PARL_RUN(ws->queue, policy_fwd, &args);
  PARL_TRY(parl_queue_download(ws->queue, logp, room->logp, n * sizeof *logp));
  return parl_queue_download(ws->queue, entropy, room->entropy, n * sizeof *entropy);
}

void parl_policy_backward(parl_workspace *ws, const parl_policy_rows *rows, const float *dlogp,
                          const float *dentropy) {
  const size_t n = rows->n, V = ws->model->dims.V;
  parl_policy_room *room = &ws->policy;
  parl_queue_upload(ws->queue, room->dlogp, dlogp, n * sizeof *dlogp);
  if (dentropy != NULL)
    parl_queue_upload(ws->queue, room->dentropy, dentropy, n * sizeof *dentropy);
  const parl_policy_bwd_args args = {.rows = n,
                                     .V = V,
                                     .probs = ws->logits,
                                     .target = room->target,
                                     .entropy = room->entropy,
                                     .inv_temperature = rows->inv_temperature,
                                     .dlogp = room->dlogp,
                                     .dentropy = dentropy != NULL ? room->dentropy : NULL,
                                     .dlogits = ws->logits};
  PARL_RUN(ws->queue, policy_bwd, &args);
  parl_queue_fill(ws->queue, ws->logits + n * V, 0, (ws->n_outputs - n) * V * sizeof *ws->logits);
}
