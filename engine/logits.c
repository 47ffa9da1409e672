/* engine/logits.c - one sequence a slice. */
#include "engine/logits.h"

#include "engine/model_internal.h"
#include "engine/policy.h"

typedef struct job {
  const parl_model *model;
  size_t B, T, V;
  parl_arena arena, numbers; /* on the host, on the device */
  parl_workspace *ws;
  int32_t *outputs;              /* [T] all rows */
  float *logp, *entropy, *dlogp; /* [T] */
} job;

static parl_status open_job(job *j) {
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->outputs));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->logp));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->entropy));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->dlogp));
  for (size_t t = 0; t < j->T; t++) j->outputs[t] = (int32_t)t;
  return parl_workspace_create(j->model, j->T, j->T, &j->ws);
}

/* The gradient of one sequence's logits, in the workspace; the last position predicts nothing.
 * Adds its sum of -logp to *loss. */
static parl_status cross_entropy(job *j, const int32_t *tokens, double *loss) {
  const parl_policy_rows rows = {.n = j->T - 1, .target = tokens + 1, .inv_temperature = 1.0F};
  PARL_TRY(parl_policy_forward(j->ws, &rows, j->logp, j->entropy));
  for (size_t t = 0; t < rows.n; t++) {
    *loss -= (double)j->logp[t];
    j->dlogp[t] = (float)(-1.0 / ((double)j->B * (double)rows.n));
  }
  parl_policy_backward(j->ws, &rows, j->dlogp, NULL);
  return PARL_STATUS_OK;
}

static parl_status run(job *j, const int32_t *tokens, float *logits, double *loss, float *grads) {
  const int32_t bounds[] = {0, (int32_t)j->T};
  double sum = 0.0;
  PARL_TRY(open_job(j));
  float *sums = NULL; /* on the device */
  const size_t n = parl_model_get_n_params(j->model);
  if (grads != NULL) {
    PARL_TRY(PARL_ARENA_TAKE(&j->numbers, n, &sums));
    parl_queue_fill(j->ws->queue, sums, 0, n * sizeof *sums);
  }
  for (size_t b = 0; b < j->B; b++) {
    const parl_slice slice = {.n_seqs = 1,
                              .seq_start = bounds,
                              .tokens = tokens + b * j->T,
                              .n_outputs = j->T,
                              .outputs = j->outputs};
    float *out;
    PARL_TRY(parl_model_forward(j->model, j->ws, &slice, &out));
    PARL_TRY(parl_workspace_read(j->ws, out, j->T * j->V, logits + b * j->T * j->V));
    if (grads == NULL) continue;
    PARL_TRY(cross_entropy(j, slice.tokens, &sum));
    PARL_TRY(parl_model_backward(j->model, j->ws, &slice, out, sums));
  }
  if (grads == NULL) return PARL_STATUS_OK;
  *loss = sum / ((double)j->B * (double)(j->T - 1));
  return parl_workspace_read(j->ws, sums, n, grads);
}

parl_status parl_logits_compute(const parl_model *model, const int32_t *tokens, size_t B, size_t T,
                                float *logits, double *loss, float *grads) {
  PARL_REQUIRE(model != NULL && tokens != NULL && logits != NULL);
  PARL_REQUIRE(grads == NULL || loss != NULL);
  PARL_REQUIRE(B >= 1 && T >= 1 && T <= INT32_MAX);
  if (grads != NULL && T < 2)
    return parl_fail(PARL_STATUS_EINVAL, "sequences of %zu token predict nothing: no gradient", T);
  job j = {.model = model, .B = B, .T = T, .V = parl_model_get_vocab_size(model)};
  parl_arena_init(&j.arena, 0);
  parl_arena_init_from(&j.numbers, 0, &model->backend->device()->memory);
  const parl_status s = run(&j, tokens, logits, loss, grads);
  parl_arena_deinit(&j.numbers);
  parl_workspace_destroy(j.ws);
  parl_arena_deinit(&j.arena);
  return s;
}
