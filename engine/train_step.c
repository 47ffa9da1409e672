/* engine/train_step.c - leaves over slices, then their sum, both as numbered tasks. */
#include "engine/train_step.h"

#include <math.h>
#include <stdlib.h>

#include "engine/model_internal.h"

/* Floats of one summation task: its pieces of all leaves stay in one core's cache. */
enum { SUM_CHUNK = 16384 };

struct parl_train_step {
  const parl_model *model; /* borrowed */
  parl_workers *workers;   /* borrowed */
  parl_arena arena;        /* on the host */
  parl_arena numbers;      /* on the device */
  size_t n_params, n_leaves, n_workspaces;
  bool forward_only;
  parl_leaf_range own;
  parl_leaf_add *adds; /* [n_adds] of the leaves of its own */
  size_t n_adds;
  float **leaves;              /* [n_leaves] of [n_params]; NULL where not of its own */
  double *balances;            /* [n_leaves] balance losses of the last run */
  parl_workspace **workspaces; /* [threads] */
  size_t n_load;               /* sparse layers * experts */
  int64_t *load;               /* [n_load] tokens of the last run */
  size_t n_scores;             /* layers * heads */
  float *max_scores;           /* [n_scores] of the last run; NULL: not tracked */
};

/* What one run's tasks share. */
typedef struct run_context {
  parl_train_step *step;
  const parl_train_batch *batch;
  size_t n_used; /* leaves, of all ranks, that have slices */
  parl_loss loss;
  void *loss_context;
} run_context;

parl_train_step_def parl_train_step_def_default(void) {
  return (parl_train_step_def){.n_leaves = 8, .n_ranks = 1};
}

static parl_status allocate_leaves(parl_train_step *t, const parl_train_step_def *def) {
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_leaves, &t->adds));
  t->n_adds = parl_leaves_list_adds(t->n_leaves, def->rank, def->n_ranks, t->adds);
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_leaves, &t->leaves));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_leaves, &t->balances));
  for (size_t a = 0; a < t->n_leaves; a++) {
    t->balances[a] = 0.0;
    t->leaves[a] = NULL;
  }
  for (size_t a = t->own.first; a < t->own.end; a++)
    PARL_TRY(PARL_ARENA_TAKE(&t->numbers, t->n_params, &t->leaves[a]));
  return PARL_STATUS_OK;
}

static parl_status allocate(parl_train_step *t, const parl_train_step_def *def) {
  const size_t n_threads = parl_workers_get_count(t->workers);
  t->n_load = parl_model_get_n_sparse_layers(t->model) *
              (size_t)parl_model_get_config(t->model)->n_routed_experts;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_load, &t->load));
  for (size_t i = 0; i < t->n_load; i++) t->load[i] = 0;
  PARL_TRY(allocate_leaves(t, def));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n_threads, &t->workspaces));
  for (; t->n_workspaces < n_threads; t->n_workspaces++)
    PARL_TRY(parl_workspace_create(t->model, def->max_rows, def->max_outputs,
                                   &t->workspaces[t->n_workspaces]));
  return PARL_STATUS_OK;
}

parl_status parl_train_step_create(const parl_train_step_def *def, parl_train_step **out) {
  PARL_REQUIRE(def != NULL && def->model != NULL && def->workers != NULL && out != NULL);
  PARL_REQUIRE(def->n_leaves >= 1);
  PARL_REQUIRE(def->rank < def->n_ranks);
  parl_train_step *t = calloc(1, sizeof *t);
  if (t == NULL) return parl_fail(PARL_STATUS_ENOMEM, "train step: no memory");
  t->model = def->model;
  t->workers = def->workers;
  t->n_params = parl_model_get_n_params(def->model);
  t->n_leaves = def->n_leaves;
  t->own = parl_leaves_get_range(def->n_leaves, def->rank, def->n_ranks);
  parl_arena_init(&t->arena, 0);
  parl_arena_init_from(&t->numbers, 0, &def->model->backend->device()->memory);
  const parl_status s = allocate(t, def);
  if (s != PARL_STATUS_OK) {
    parl_train_step_destroy(t);
    return parl_fail_context(s, "train step with %zu leaves", def->n_leaves);
  }
  *out = t;
  return PARL_STATUS_OK;
}

void parl_train_step_destroy(parl_train_step *step) {
  if (step == NULL) return;
  for (size_t i = 0; i < step->n_workspaces; i++) parl_workspace_destroy(step->workspaces[i]);
  parl_arena_deinit(&step->numbers);
  parl_arena_deinit(&step->arena);
  free(step);
}

/* Task k: everything the step's k-th leaf adds up. */
static parl_status accumulate(void *context, size_t k, size_t worker) {
  const run_context *run = context;
  const parl_train_step *t = run->step;
  const size_t leaf = t->own.first + k;
  parl_workspace *ws = t->workspaces[worker];
  float *grads = t->leaves[leaf], *logits;
  parl_queue_fill(ws->queue, grads, 0, t->n_params * sizeof *grads);
  for (size_t i = leaf; i < run->batch->n_slices; i += t->n_leaves) {
    const parl_slice *slice = &run->batch->slices[i];
    const parl_train_beside *beside = run->batch->beside;
    if (beside != NULL) PARL_TRY(beside->before(beside->context, i, worker));
    PARL_TRY(parl_model_forward(t->model, ws, slice, &logits));
    PARL_TRY(run->loss(run->loss_context, i, slice, ws, logits));
    if (t->forward_only) continue;
    PARL_TRY(parl_model_backward(t->model, ws, slice, logits, grads));
    PARL_TRY(parl_workspace_take_balance(ws, &t->balances[leaf]));
    if (beside == NULL) continue;
    PARL_TRY(parl_queue_wait(ws->queue));
    PARL_TRY(beside->after(beside->context, i, worker));
  }
  return parl_queue_wait(ws->queue);
}

/* Task c: the step's own additions, of chunk c. */
static parl_status add_chunk(void *context, size_t c, size_t worker) {
  const run_context *run = context;
  const parl_train_step *t = run->step;
  const size_t start = c * SUM_CHUNK;
  const size_t left = t->n_params - start;
  parl_leaves_add(t->workspaces[worker]->queue, t->adds, t->n_adds, run->n_used, t->leaves, start,
                  left < SUM_CHUNK ? left : SUM_CHUNK);
  return parl_queue_wait(t->workspaces[worker]->queue);
}

/* Forgets the last run's loads, and shares the balance loss among the sequences to come. */
static parl_status prepare(parl_train_step *t, size_t n_seqs) {
  const double alpha = parl_model_get_config(t->model)->aux_loss_alpha;
  double forgotten = 0.0;
  for (size_t w = 0; w < t->n_workspaces; w++) {
    parl_workspace_set_aux_weight(t->workspaces[w], n_seqs > 0 ? alpha / (double)n_seqs : 0.0);
    PARL_TRY(parl_workspace_take_load(t->workspaces[w], t->load));
    PARL_TRY(parl_workspace_take_balance(t->workspaces[w], &forgotten));
  }
  for (size_t i = 0; i < t->n_load; i++) t->load[i] = 0;
  for (size_t a = 0; a < t->n_leaves; a++) t->balances[a] = 0.0;
  if (t->max_scores == NULL) return PARL_STATUS_OK;
  for (size_t w = 0; w < t->n_workspaces; w++)
    PARL_TRY(parl_workspace_take_max_scores(t->workspaces[w], t->max_scores));
  for (size_t i = 0; i < t->n_scores; i++) t->max_scores[i] = -INFINITY;
  return PARL_STATUS_OK;
}

parl_status parl_train_step_run(parl_train_step *step, const parl_train_batch *batch,
                                parl_loss loss, void *context, float **grads) {
  const parl_leaf_range own = step->own;
  const size_t n_slices = batch->n_slices;
  run_context run = {.step = step,
                     .batch = batch,
                     .n_used = n_slices < step->n_leaves ? n_slices : step->n_leaves,
                     .loss = loss,
                     .loss_context = context};
  PARL_TRY(prepare(step, batch->n_seqs));
  const size_t end = own.end < run.n_used ? own.end : run.n_used;
  const size_t n_tasks = end > own.first ? end - own.first : 0;
  if (n_tasks == 0 && own.end > own.first)
    parl_queue_fill(step->workspaces[0]->queue, step->leaves[own.first], 0,
                    step->n_params * sizeof(float));
  PARL_TRY(parl_workers_run(step->workers, n_tasks, accumulate, &run));
  for (size_t w = 0; w < step->n_workspaces; w++)
    PARL_TRY(parl_workspace_take_load(step->workspaces[w], step->load));
  for (size_t w = 0; w < step->n_workspaces && step->max_scores != NULL; w++)
    PARL_TRY(parl_workspace_take_max_scores(step->workspaces[w], step->max_scores));
  const size_t n_chunks = (step->n_params + SUM_CHUNK - 1) / SUM_CHUNK;
  if (n_tasks > 1 && !step->forward_only)
    PARL_TRY(parl_workers_run(step->workers, n_chunks, add_chunk, &run));
  *grads = own.end > own.first ? step->leaves[own.first] : NULL;
  return PARL_STATUS_OK;
}

void parl_train_step_set_forward_only(parl_train_step *step, bool forward_only) {
  step->forward_only = forward_only;
}

bool parl_train_step_is_forward_only(const parl_train_step *step) {
  return step->forward_only;
}

float *parl_train_step_get_leaf(const parl_train_step *step, size_t leaf) {
  PARL_CHECK(leaf >= step->own.first && leaf < step->own.end);
  return step->leaves[leaf];
}

const int64_t *parl_train_step_get_load(const parl_train_step *step) {
  return step->load;
}

double parl_train_step_get_balance(const parl_train_step *step) {
  double sum = 0.0;
  for (size_t a = 0; a < step->n_leaves; a++) sum += step->balances[a];
  return sum;
}

double parl_train_step_get_leaf_balance(const parl_train_step *step, size_t leaf) {
  PARL_CHECK(leaf >= step->own.first && leaf < step->own.end);
  return step->balances[leaf];
}

size_t parl_train_step_get_bytes(const parl_train_step *step) {
  size_t bytes = 0;
  for (size_t w = 0; w < step->n_workspaces; w++)
    bytes += parl_workspace_get_bytes(step->workspaces[w]);
  return bytes;
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

uint64_t parl_train_step_count_launches(const parl_train_step *step) {
  uint64_t n = 0;
  for (size_t w = 0; w < step->n_workspaces; w++) n += step->workspaces[w]->queue->n_launches;
  return n;
}

parl_status parl_train_step_read(const parl_train_step *step, const float *grads, float *out) {
  return parl_queue_download(step->workspaces[0]->queue, out, grads, step->n_params * sizeof *out);
}
