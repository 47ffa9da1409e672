/* engine/train_step.c - accumulators over slices, then their sum, both as numbered tasks. */
#include "engine/train_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/model_internal.h"

/* Floats of one summation task: its pieces of all accumulators stay in one core's cache. */
enum { SUM_CHUNK = 16384 };

struct parl_train_step {
  const parl_model *model; /* borrowed */
  parl_workers *workers;   /* borrowed */
  parl_arena arena;
  size_t n_params, n_accumulators, n_workspaces;
  float **accumulators;        /* [n_accumulators] of [n_params]; the first becomes the sum */
  parl_workspace **workspaces; /* [threads] */
  size_t n_load;               /* sparse layers * experts */
  int64_t *load;               /* [n_load] tokens of the last run */
  double *balances;            /* [n_accumulators] balance losses of the last run */
  size_t n_scores;             /* layers * heads */
  float *max_scores;           /* [n_scores] of the last run; NULL: not tracked */
};

/* What one run's tasks share. */
typedef struct run_context {
  parl_train_step *step;
  const parl_slice *slices;
  size_t n_slices, n_used; /* accumulators that have slices */
  parl_loss loss;
  void *loss_context;
} run_context;

static parl_status allocate(parl_train_step *t, size_t max_rows, size_t max_outputs) {
  const size_t n_threads = parl_workers_get_count(t->workers);
  t->n_load = parl_model_get_n_sparse_layers(t->model) *
              (size_t)parl_model_get_config(t->model)->n_routed_experts;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_load, &t->load));
  for (size_t i = 0; i < t->n_load; i++) t->load[i] = 0;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_accumulators, &t->accumulators));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_accumulators, &t->balances));
  for (size_t a = 0; a < t->n_accumulators; a++) t->balances[a] = 0.0;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n_threads, &t->workspaces));
  for (size_t a = 0; a < t->n_accumulators; a++)
    PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_params, &t->accumulators[a]));
  for (; t->n_workspaces < n_threads; t->n_workspaces++)
    PARL_TRY(
        parl_workspace_create(t->model, max_rows, max_outputs, &t->workspaces[t->n_workspaces]));
  return PARL_STATUS_OK;
}

parl_status parl_train_step_create(const parl_model *model, parl_workers *workers,
                                   size_t n_accumulators, size_t max_rows_per_slice,
                                   size_t max_outputs_per_slice, parl_train_step **out) {
  PARL_REQUIRE(model != NULL && workers != NULL && out != NULL);
  PARL_REQUIRE(n_accumulators >= 1);
  parl_train_step *t = calloc(1, sizeof *t);
  if (t == NULL) return parl_fail(PARL_STATUS_ENOMEM, "train step: no memory");
  t->model = model;
  t->workers = workers;
  t->n_params = parl_model_get_n_params(model);
  t->n_accumulators = n_accumulators;
  parl_arena_init(&t->arena, 0);
  const parl_status s = allocate(t, max_rows_per_slice, max_outputs_per_slice);
  if (s != PARL_STATUS_OK) {
    parl_train_step_destroy(t);
    return parl_fail_context(s, "train step with %zu accumulators", n_accumulators);
  }
  *out = t;
  return PARL_STATUS_OK;
}

void parl_train_step_destroy(parl_train_step *step) {
  if (step == NULL) return;
  for (size_t i = 0; i < step->n_workspaces; i++) parl_workspace_destroy(step->workspaces[i]);
  parl_arena_deinit(&step->arena);
  free(step);
}

/* Task a: everything accumulator a adds up. */
static parl_status accumulate(void *context, size_t a, size_t worker) {
  const run_context *run = context;
  const parl_train_step *t = run->step;
  parl_workspace *ws = t->workspaces[worker];
  float *grads = t->accumulators[a], *logits;
  memset(grads, 0, t->n_params * sizeof *grads);
  for (size_t i = a; i < run->n_slices; i += t->n_accumulators) {
    const parl_slice *slice = &run->slices[i];
    PARL_TRY(parl_model_forward(t->model, ws, slice, &logits));
    PARL_TRY(run->loss(run->loss_context, i, slice, ws, logits));
    PARL_TRY(parl_model_backward(t->model, ws, slice, logits, grads));
    t->balances[a] += parl_workspace_take_balance(ws);
  }
  return PARL_STATUS_OK;
}

/* Task c: chunk c of the sum of the used accumulators, in order, into the first. */
static parl_status add_chunk(void *context, size_t c, size_t worker) {
  const run_context *run = context;
  const parl_train_step *t = run->step;
  const size_t start = c * SUM_CHUNK;
  const size_t left = t->n_params - start;
  for (size_t a = 1; a < run->n_used; a++) {
    const parl_add_args add = {.n = left < SUM_CHUNK ? left : SUM_CHUNK,
                               .a = 1.0F,
                               .x = t->accumulators[a] + start,
                               .y = t->accumulators[0] + start};
    PARL_RUN(t->workspaces[worker]->queue, add, &add);
  }
  return PARL_STATUS_OK;
}

/* Forgets the last run's loads, and shares the balance loss among the sequences to come. */
static void prepare(parl_train_step *t, const parl_slice *slices, size_t n_slices) {
  double n_seqs = 0.0;
  for (size_t i = 0; i < n_slices; i++) n_seqs += (double)slices[i].n_seqs;
  const double alpha = parl_model_get_config(t->model)->aux_loss_alpha;
  for (size_t w = 0; w < t->n_workspaces; w++) {
    parl_workspace_set_aux_weight(t->workspaces[w], n_seqs > 0.0 ? alpha / n_seqs : 0.0);
    parl_workspace_take_load(t->workspaces[w], t->load);
    parl_workspace_take_balance(t->workspaces[w]);
  }
  for (size_t i = 0; i < t->n_load; i++) t->load[i] = 0;
  for (size_t a = 0; a < t->n_accumulators; a++) t->balances[a] = 0.0;
  if (t->max_scores == NULL) return;
  for (size_t w = 0; w < t->n_workspaces; w++)
    parl_workspace_take_max_scores(t->workspaces[w], t->max_scores);
  for (size_t i = 0; i < t->n_scores; i++) t->max_scores[i] = -INFINITY;
}

parl_status parl_train_step_run(parl_train_step *step, const parl_slice *slices, size_t n_slices,
                                parl_loss loss, void *context, float **grads) {
  run_context run = {.step = step,
                     .slices = slices,
                     .n_slices = n_slices,
                     .n_used = n_slices < step->n_accumulators ? n_slices : step->n_accumulators,
                     .loss = loss,
                     .loss_context = context};
  prepare(step, slices, n_slices);
  if (n_slices == 0) memset(step->accumulators[0], 0, step->n_params * sizeof(float));
  PARL_TRY(parl_workers_run(step->workers, run.n_used, accumulate, &run));
  for (size_t w = 0; w < step->n_workspaces; w++)
    parl_workspace_take_load(step->workspaces[w], step->load);
  for (size_t w = 0; w < step->n_workspaces && step->max_scores != NULL; w++)
    parl_workspace_take_max_scores(step->workspaces[w], step->max_scores);
  const size_t n_chunks = (step->n_params + SUM_CHUNK - 1) / SUM_CHUNK;
  if (run.n_used > 1) PARL_TRY(parl_workers_run(step->workers, n_chunks, add_chunk, &run));
  *grads = step->accumulators[0];
  return PARL_STATUS_OK;
}

const int64_t *parl_train_step_get_load(const parl_train_step *step) {
  return step->load;
}

double parl_train_step_get_balance(const parl_train_step *step) {
  double sum = 0.0;
  for (size_t a = 0; a < step->n_accumulators; a++) sum += step->balances[a];
  return sum;
}

parl_status parl_train_step_track_scores(parl_train_step *step) {
  const parl_model_config *c = parl_model_get_config(step->model);
  float *scores;
  for (size_t w = 0; w < step->n_workspaces; w++)
    PARL_TRY(parl_workspace_track_scores(step->workspaces[w], step->model));
  step->n_scores = (size_t)c->n_layers * (size_t)c->n_heads;
  PARL_TRY(PARL_ARENA_TAKE(&step->arena, step->n_scores, &scores));
  for (size_t i = 0; i < step->n_scores; i++) scores[i] = -INFINITY;
  step->max_scores = scores;
  return PARL_STATUS_OK;
}

const float *parl_train_step_get_max_scores(const parl_train_step *step) {
  return step->max_scores;
}
