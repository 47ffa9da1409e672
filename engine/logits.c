/* engine/logits.c - one sequence a slice; items in three stages, with one thread. */
#include "engine/logits.h"

#include "engine/model_internal.h"
#include "engine/policy.h"

/* Stages 1 and 3 of some items, whose features are M rows. */
typedef struct eyes {
  parl_workers *workers;
  parl_vision_step *step; /* NULL: there are no items */
  float *features;        /* [M,C] on the device */
  size_t M;
} eyes;

static parl_status open_eyes(const parl_model *model, const parl_vision_items *items, eyes *e) {
  size_t most = 1;
  PARL_TRY(parl_vision_check(model, items));
  if (items->n_items == 0) return parl_fail(PARL_STATUS_EINVAL, "no items are there to look at");
  for (size_t i = 0; i < items->n_items; i++) {
    const parl_vision_items one = {1, items->grid + 3 * i, NULL};
    const size_t n = parl_vision_count_patches(&one);
    if (n > most) most = n;
  }
  e->M = parl_vision_count_rows(items);
  PARL_TRY(parl_workers_create(1, &e->workers));
  const parl_vision_step_def def = {.model = model,
                                    .workers = e->workers,
                                    .n_leaves = 1,
                                    .pack_patches = most,
                                    .max_patches = most,
                                    .max_items = items->n_items,
                                    .max_rows = e->M};
  PARL_TRY(parl_vision_step_create(&def, &e->step));
  return parl_vision_step_forward(e->step, items, &e->features);
}

static void close_eyes(eyes *e) {
  parl_vision_step_destroy(e->step);
  parl_workers_destroy(e->workers);
}

typedef struct job {
  const parl_logits_def *def;
  size_t T, V, C;
  size_t n_in_loss;          /* positions of the whole batch */
  parl_arena arena, numbers; /* on the host, on the device */
  parl_workspace *ws;
  eyes eyes;
  size_t n_given;                /* rows of features that are used up */
  float *dfeatures;              /* [M,C] on the device */
  int32_t *outputs;              /* [T] all rows */
  int32_t *given_rows;           /* [T] */
  int32_t *targets;              /* [T] of one sequence; -1: not in the loss */
  int32_t *known;                /* [T] the same, 0 instead of -1 */
  float *logp, *entropy, *dlogp; /* [T] */
} job;

static bool is_placeholder(const job *j, int32_t token) {
  return j->def->items != NULL && token == (int32_t)j->def->model->config.vision.media_token;
}

/* Of sequence b; returns how many are in the loss. */
static size_t find_targets(job *j, size_t b) {
  const int32_t *tokens = j->def->tokens + b * j->T, *given = j->def->targets;
  size_t n = 0;
  for (size_t t = 0; t < j->T; t++) {
    if (given != NULL)
      j->targets[t] = given[b * j->T + t];
    else
      j->targets[t] = t + 1 < j->T && !is_placeholder(j, tokens[t + 1]) ? tokens[t + 1] : -1;
    j->known[t] = j->targets[t] >= 0 ? j->targets[t] : 0;
    n += j->targets[t] >= 0;
  }
  return n;
}

static parl_status count_loss(job *j, bool wanted) {
  const size_t n = j->def->B * j->T;
  for (size_t i = 0; j->def->targets != NULL && i < n; i++)
    if (j->def->targets[i] < -1 || j->def->targets[i] >= (int64_t)j->V)
      return parl_fail(PARL_STATUS_EINVAL, "target %d of position %zu is outside [-1, %zu)",
                       j->def->targets[i], i, j->V);
  for (size_t b = 0; b < j->def->B; b++) j->n_in_loss += find_targets(j, b);
  if (!wanted || j->n_in_loss > 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "no position is in the loss: no gradient");
}

static parl_status check_placeholders(const job *j) {
  size_t n = 0;
  if (j->def->items == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; i < j->def->B * j->T; i++) n += is_placeholder(j, j->def->tokens[i]);
  if (n == j->eyes.M) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL,
                   "%zu tokens are model.vision.media_token = %lld, but the items have %zu rows of "
                   "features",
                   n, (long long)j->def->model->config.vision.media_token, j->eyes.M);
}

static parl_status open_job(job *j, bool has_gradient) {
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->outputs));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->given_rows));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->targets));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->known));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->logp));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->entropy));
  PARL_TRY(PARL_ARENA_TAKE(&j->arena, j->T, &j->dlogp));
  for (size_t t = 0; t < j->T; t++) j->outputs[t] = (int32_t)t;
  PARL_TRY(count_loss(j, has_gradient));
  PARL_TRY(parl_workspace_create(j->def->model, j->T, j->T, &j->ws));
  if (j->def->items == NULL) return PARL_STATUS_OK;
  PARL_TRY(open_eyes(j->def->model, j->def->items, &j->eyes));
  PARL_TRY(PARL_ARENA_TAKE(&j->numbers, j->eyes.M * j->C, &j->dfeatures));
  return check_placeholders(j);
}

/* The gradient of one sequence's logits, in the workspace. Adds its sum of -logp to *loss. */
static parl_status cross_entropy(job *j, double *loss) {
  const size_t n = j->def->targets != NULL ? j->T : j->T - 1; /* the last one predicts nothing */
  const parl_policy_rows rows = {.n = n, .target = j->known, .inv_temperature = 1.0F};
  PARL_TRY(parl_policy_forward(j->ws, &rows, j->logp, j->entropy));
  for (size_t t = 0; t < n; t++) {
    const bool is_in = j->targets[t] >= 0;
    *loss -= is_in ? (double)j->logp[t] : 0.0;
    j->dlogp[t] = is_in ? (float)(-1.0 / (double)j->n_in_loss) : 0.0F;
  }
  parl_policy_backward(j->ws, &rows, j->dlogp, NULL);
  return PARL_STATUS_OK;
}

/* Sequence b, with the next features at its placeholders. */
static parl_slice make_slice(job *j, size_t b, const int32_t *bounds) {
  parl_slice slice = {.n_seqs = 1,
                      .seq_start = bounds,
                      .tokens = j->def->tokens + b * j->T,
                      .n_outputs = j->T,
                      .outputs = j->outputs};
  for (size_t t = 0; t < j->T; t++)
    if (is_placeholder(j, slice.tokens[t])) j->given_rows[slice.n_given++] = (int32_t)t;
  if (slice.n_given == 0) return slice;
  slice.given_rows = j->given_rows;
  slice.given = j->eyes.features + j->n_given * j->C;
  slice.dgiven = j->dfeatures + j->n_given * j->C;
  j->n_given += slice.n_given;
  return slice;
}

static parl_status run(job *j, float *logits, double *loss, float *grads) {
  const int32_t bounds[] = {0, (int32_t)j->T};
  const parl_model *model = j->def->model;
  double sum = 0.0;
  PARL_TRY(open_job(j, grads != NULL));
  float *sums = NULL; /* on the device */
  const size_t n = parl_model_get_n_params(model);
  if (grads != NULL) {
    PARL_TRY(PARL_ARENA_TAKE(&j->numbers, n, &sums));
    parl_queue_fill(j->ws->queue, sums, 0, n * sizeof *sums);
  }
  for (size_t b = 0; b < j->def->B; b++) {
    const parl_slice slice = make_slice(j, b, bounds);
    float *out;
    PARL_TRY(parl_model_forward(model, j->ws, &slice, &out));
    PARL_TRY(parl_workspace_read(j->ws, out, j->T * j->V, logits + b * j->T * j->V));
    if (grads == NULL) continue;
    (void)find_targets(j, b);
    PARL_TRY(cross_entropy(j, &sum));
    PARL_TRY(parl_model_backward(model, j->ws, &slice, out, sums));
  }
  if (grads == NULL) return PARL_STATUS_OK;
  *loss = sum / (double)j->n_in_loss;
  PARL_TRY(parl_queue_wait(j->ws->queue));
  if (j->eyes.step != NULL)
    PARL_TRY(parl_vision_step_backward(j->eyes.step, j->def->items, j->dfeatures, sums));
  return parl_workspace_read(j->ws, sums, n, grads);
}

parl_status parl_logits_compute(const parl_logits_def *def, float *logits, double *loss,
                                float *grads) {
  PARL_REQUIRE(def != NULL && def->model != NULL && def->tokens != NULL && logits != NULL);
  PARL_REQUIRE(grads == NULL || loss != NULL);
  PARL_REQUIRE(def->B >= 1 && def->T >= 1 && def->T <= INT32_MAX);
  if (grads != NULL && def->T < 2 && def->targets == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "sequences of %zu token predict nothing: no gradient",
                     def->T);
  job j = {.def = def, .T = def->T, .V = def->model->dims.V, .C = def->model->dims.C};
  parl_arena_init(&j.arena, 0);
  parl_arena_init_from(&j.numbers, 0, &def->model->backend->device()->memory);
  const parl_status s = run(&j, logits, loss, grads);
  close_eyes(&j.eyes);
  parl_workspace_destroy(j.ws);
  parl_arena_deinit(&j.numbers);
  parl_arena_deinit(&j.arena);
  return s;
}

static parl_status look(const parl_model *model, const parl_vision_items *items,
                        const float *cotangent, parl_arena *numbers, eyes *e, parl_queue *queue,
                        float *features, float *grads) {
  const size_t n = parl_model_get_n_params(model);
  PARL_TRY(open_eyes(model, items, e));
  const size_t n_features = e->M * model->dims.C;
  PARL_TRY(parl_queue_download(queue, features, e->features, n_features * sizeof *features));
  if (grads == NULL) return PARL_STATUS_OK;
  float *sums, *dfeatures;
  PARL_TRY(PARL_ARENA_TAKE(numbers, n, &sums));
  PARL_TRY(PARL_ARENA_TAKE(numbers, n_features, &dfeatures));
  parl_queue_fill(queue, sums, 0, n * sizeof *sums);
  parl_queue_upload(queue, dfeatures, cotangent, n_features * sizeof *dfeatures);
  PARL_TRY(parl_queue_wait(queue));
  PARL_TRY(parl_vision_step_backward(e->step, items, dfeatures, sums));
  return parl_queue_download(queue, grads, sums, n * sizeof *grads);
}

parl_status parl_features_compute(const parl_model *model, const parl_vision_items *items,
                                  const float *cotangent, float *features, float *grads) {
  PARL_REQUIRE(model != NULL && items != NULL && features != NULL);
  PARL_REQUIRE(grads == NULL || cotangent != NULL);
  parl_arena numbers;
  parl_queue *queue = NULL;
  eyes e = {0};
  PARL_TRY(parl_queue_create(model->backend, &queue));
  parl_arena_init_from(&numbers, 0, &model->backend->device()->memory);
  const parl_status s = look(model, items, cotangent, &numbers, &e, queue, features, grads);
  close_eyes(&e);
  parl_queue_destroy(queue);
  parl_arena_deinit(&numbers);
  return s;
}
