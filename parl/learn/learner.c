/* parl/learn/learner.c - logits to loss gradient, slice by slice. */
#include "parl/learn/learner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "engine/dep_step.h"
#include "engine/feature_cache.h"
#include "engine/policy.h"

struct parl_learner {
  parl_model *model;
  parl_optimizer *optimizer;
  parl_train_step *step;
  parl_dep_step *dep_step; /* NULL: images are refused, if there are any */
  parl_batch *batch;
  const parl_batch_totals *totals; /* of the gradient under way; borrowed */
  parl_arena arena;
  bool imitate, vision_alone;
  parl_objective_config objective;
  float inv_temperature;
  const atomic_int *stop;
  float *logp, *entropy, *dlogp, *dentropy; /* [batch.max_rows] */
  int32_t *likeliest; /* [choices] of the measurement under way, borrowed; NULL: there is none */
  parl_objective_sums *sums; /* [batch.max_sequences] of each slice */
  double *gaps;              /* [batch.max_sequences] */
};

parl_learner_def parl_learner_def_default(void) {
  return (parl_learner_def){.n_leaves = 4, .slice_rows = 512, .temperature = 1.0};
}

static parl_status allocate(parl_learner *l) {
  const size_t rows = l->batch->max_rows, slices = l->batch->max_sequences;
  PARL_TRY(PARL_ARENA_TAKE(&l->arena, rows, &l->logp));
  PARL_TRY(PARL_ARENA_TAKE(&l->arena, rows, &l->entropy));
  PARL_TRY(PARL_ARENA_TAKE(&l->arena, rows, &l->dlogp));
  PARL_TRY(PARL_ARENA_TAKE(&l->arena, rows, &l->dentropy));
  PARL_TRY(PARL_ARENA_TAKE(&l->arena, slices, &l->sums));
  return PARL_ARENA_TAKE(&l->arena, slices, &l->gaps);
}

static parl_status create_step(parl_learner *l, const parl_learner_def *def) {
  parl_train_step_def step = parl_train_step_def_default();
  step.model = def->model;
  step.workers = def->workers;
  step.n_leaves = def->n_leaves;
  step.max_rows = step.max_outputs = l->batch->max_slice_rows;
  return parl_train_step_create(&step, &l->step);
}

/* Where the environment shows images and the model sees. */
static parl_status create_dep_step(parl_learner *l, const parl_learner_def *def) {
  const parl_vision_config *seen = &parl_model_get_config(def->model)->vision;
  const parl_env_vision *shown = &def->vision;
  parl_media_config config = parl_media_config_default();
  parl_media_size largest;
  if (shown->width == 0 || seen->n_layers == 0) return PARL_STATUS_OK;
  config.patch = (int)seen->patch;
  if (shown->frames > seen->max_frames)
    return parl_model_refuse_clip(shown->frames, seen->max_frames);
  PARL_TRY(parl_media_fit(&config,
                          shown->frames > 1 ? config.max_patches_frame : config.max_patches,
                          shown->width, shown->height, &largest));
  const parl_dep_step_def step = {
      .model = def->model,
      .workers = def->workers,
      .n_leaves = def->n_leaves,
      .max_patches = (size_t)shown->frames * (size_t)largest.grid_h * (size_t)largest.grid_w};
  PARL_TRY(parl_batch_see(l->batch, (int)seen->patch, l->batch->max_rows));
  return parl_dep_step_create(&step, &l->dep_step);
}

parl_status parl_learner_create(const parl_learner_def *def, parl_learner **out) {
  PARL_REQUIRE(def->temperature > 0 && def->slice_rows >= 1);
  PARL_REQUIRE(def->imitate == (def->objective == NULL));
  parl_learner *l = calloc(1, sizeof *l);
  if (l == NULL) return parl_fail(PARL_STATUS_ENOMEM, "learner: no memory");
  parl_arena_init(&l->arena, 0);
  l->model = def->model;
  l->imitate = def->imitate;
  l->vision_alone = def->vision_alone;
  if (!l->imitate) l->objective = *def->objective;
  l->inv_temperature = (float)(1.0 / def->temperature);
  l->stop = def->stop;
  parl_status s = def->vision_alone
                      ? parl_optimizer_create_vision(def->optimizer, def->model, &l->optimizer)
                      : parl_optimizer_create(def->optimizer, def->model, &l->optimizer);
  if (s == PARL_STATUS_OK) s = parl_optimizer_set_workers(l->optimizer, def->model, def->workers);
  if (s == PARL_STATUS_OK)
    s = parl_batch_create(def->max_sequences, def->longest, def->max_rows, def->slice_rows,
                          def->n_words, &l->batch);
  if (s == PARL_STATUS_OK) s = create_step(l, def);
  if (s == PARL_STATUS_OK) s = create_dep_step(l, def);
  if (s == PARL_STATUS_OK && parl_optimizer_wants_scores(l->optimizer))
    s = parl_train_step_track_scores(l->step);
  if (s == PARL_STATUS_OK) s = allocate(l);
  if (s != PARL_STATUS_OK) {
    parl_learner_destroy(l);
    return s;
  }
  *out = l;
  return PARL_STATUS_OK;
}

void parl_learner_destroy(parl_learner *learner) {
  if (learner == NULL) return;
  parl_dep_step_destroy(learner->dep_step);
  parl_train_step_destroy(learner->step);
  parl_batch_destroy(learner->batch);
  parl_optimizer_destroy(learner->optimizer);
  parl_arena_deinit(&learner->arena);
  free(learner);
}

parl_batch *parl_learner_get_batch(parl_learner *learner) {
  return learner->batch;
}

parl_optimizer *parl_learner_get_optimizer(parl_learner *learner) {
  return learner->optimizer;
}

/* d loss / d logp of imitation: the mean of -logp over the batch's choices. */
static void imitate(size_t n, const float *logp, const float *entropy, double n_total, float *dlogp,
                    float *dentropy, parl_objective_sums *sums) {
  for (size_t i = 0; i < n; i++) {
    dlogp[i] = (float)(-1.0 / n_total);
    dentropy[i] = 0.0f;
    sums->n_tokens += 1;
    sums->loss -= (double)logp[i] / n_total;
    sums->entropy += (double)entropy[i];
  }
}

/* What the terms of a prompt's tokens are divided by. */
static double get_divisor(const parl_learner *l, size_t prompt) {
  const parl_batch_totals *all = l->totals;
  if (parl_objective_is_of_responses(&l->objective))
    return parl_objective_get_divisor(&l->objective, all->prompt_sequences[prompt], all->n_prompts,
                                      all->n_sequences);
  return parl_objective_get_divisor(&l->objective, all->prompt_outputs[prompt], all->n_prompts,
                                    all->n_outputs);
}

/* The objective of a slice's sequences, whose outputs begin with `first`, one response a call. */
static parl_status judge_sequences(parl_learner *l, size_t sequence, size_t n, size_t first,
                                   parl_objective_sums *sums) {
  const parl_batch *b = l->batch;
  for (size_t end = sequence + n; sequence < end; sequence++) {
    const double divisor = get_divisor(l, b->prompt[sequence]);
    PARL_TRY(parl_objective(&l->objective, b->end_output[sequence] - first, l->logp + first,
                            b->logp_old + first, b->weight + first, l->entropy + first, divisor,
                            l->dlogp + first, l->dentropy + first, sums));
    first = b->end_output[sequence];
  }
  return PARL_STATUS_OK;
}

/* probs: 0 of what is not allowed. */
static parl_status find_likeliest(parl_workspace *ws, const float *probs, size_t n, size_t V,
                                  int32_t *out) {
  float *host = malloc((n * V + 1) * sizeof *host);
  if (host == NULL) return parl_fail(PARL_STATUS_ENOMEM, "learner: no memory for %zu rows", n);
  const parl_status s = parl_workspace_read(ws, probs, n * V, host);
  for (size_t k = 0; s == PARL_STATUS_OK && k < n; k++) {
    const float *row = host + k * V;
    size_t best = 0;
    for (size_t v = 1; v < V; v++)
      if (row[v] > row[best]) best = v;
    out[k] = (int32_t)best;
  }
  free(host);
  return s;
}

static parl_status slice_loss(void *context, size_t i, const parl_slice *slice, parl_workspace *ws,
                              float *logits) {
  parl_learner *l = context;
  const parl_batch *b = l->batch;
  if (l->stop != NULL && *l->stop != 0)
    return parl_fail(PARL_STATUS_ESTOPPED, "stopped while learning");
  const size_t first = b->first_output[i], n = slice->n_outputs;
  float *logp = l->logp + first, *entropy = l->entropy + first;
  float *dlogp = l->dlogp + first, *dentropy = l->dentropy + first;
  const parl_policy_rows rows = {.n = n,
                                 .mask = b->masks + first * b->n_words,
                                 .target = b->targets + first,
                                 .inv_temperature = l->inv_temperature};
  PARL_TRY(parl_policy_forward(ws, &rows, logp, entropy));
  parl_objective_sums *sums = &l->sums[i];
  *sums = (parl_objective_sums){0};
  l->gaps[i] = 0;
  if (l->likeliest != NULL)
    PARL_TRY(
        find_likeliest(ws, logits, n, parl_model_get_vocab_size(l->model), l->likeliest + first));
  if (l->imitate) {
    imitate(n, logp, entropy, (double)l->totals->n_outputs, dlogp, dentropy, sums);
  } else {
    for (size_t k = 0; k < n; k++)
      l->gaps[i] += fabs((double)logp[k] - (double)b->logp_old[first + k]);
    PARL_TRY(judge_sequences(l, b->first_sequence[i], slice->n_seqs, first, sums));
  }
  parl_policy_backward(ws, &rows, dlogp, dentropy);
  return PARL_STATUS_OK;
}

parl_status parl_learner_gradient(parl_learner *learner, const parl_batch_totals *totals,
                                  parl_learner_info *info, float **grads) {
  const parl_batch *b = learner->batch;
  const parl_train_batch batch = {
      .slices = b->slices, .n_slices = b->n_slices, .n_seqs = totals->n_sequences};
  *info = (parl_learner_info){.n_rows = b->n_rows};
  learner->totals = totals;
  const parl_dep_step_batch seen = {batch, b->slices, &b->images, b->n_places, b->places};
  if (b->n_places > 0)
    PARL_TRY(
        parl_dep_step_run(learner->dep_step, learner->step, &seen, slice_loss, learner, grads));
  else
    PARL_TRY(parl_train_step_run(learner->step, &batch, slice_loss, learner, grads));
  for (size_t i = 0; i < b->n_slices; i++) {
    parl_objective_sums_add(&info->sums, &learner->sums[i]);
    info->logp_gap += learner->gaps[i];
  }
  return PARL_STATUS_OK;
}

parl_status parl_learner_read_gradient(parl_learner *learner, float *out) {
  const parl_batch_totals totals = parl_batch_get_totals(learner->batch);
  parl_learner_info info;
  float *grads;
  PARL_TRY(parl_learner_gradient(learner, &totals, &info, &grads));
  return parl_train_step_read(learner->step, grads, out);
}

parl_status parl_learner_measure(parl_learner *learner, int32_t *likeliest,
                                 parl_learner_info *info) {
  const parl_batch_totals totals = parl_batch_get_totals(learner->batch);
  float *grads;
  learner->likeliest = likeliest;
  parl_train_step_set_forward_only(learner->step, true);
  const parl_status s = parl_learner_gradient(learner, &totals, info, &grads);
  parl_train_step_set_forward_only(learner->step, false);
  learner->likeliest = NULL;
  return s;
}

const float *parl_learner_get_logp(const parl_learner *learner) {
  return learner->logp;
}

static double find_max_score(const parl_learner *l) {
  const parl_model_config *c = parl_model_get_config(l->model);
  const float *scores = parl_train_step_get_max_scores(l->step);
  float top = scores == NULL ? NAN : -INFINITY;
  for (int64_t i = 0; scores != NULL && i < c->n_layers * c->n_heads; i++)
    top = fmaxf(top, scores[i]);
  return (double)top;
}

parl_status parl_learner_step(parl_learner *learner, parl_learner_info *info) {
  float *grads;
  const parl_batch_totals totals = parl_batch_get_totals(learner->batch);
  PARL_TRY(parl_learner_gradient(learner, &totals, info, &grads));
  if (totals.n_outputs == 0) return PARL_STATUS_OK;
  parl_optimizer_set_scores(learner->optimizer, parl_train_step_get_max_scores(learner->step));
  PARL_TRY(parl_optimizer_step(learner->optimizer, learner->model, grads, &info->optimizer));
  const int64_t *load = parl_train_step_get_load(learner->step);
  if (!learner->vision_alone) PARL_TRY(parl_model_balance(learner->model, load));
  PARL_TRY(parl_model_measure_load(learner->model, load, &info->load));
  const bool is_sparse = parl_model_get_n_sparse_layers(learner->model) > 0;
  info->balance_loss = is_sparse ? parl_train_step_get_balance(learner->step) : (double)NAN;
  info->max_score = find_max_score(learner);
  return PARL_STATUS_OK;
}
