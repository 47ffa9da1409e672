/* engine/optimizer.c - AdamW tensor by tensor; the global norm first, so that a bad one changes
 * nothing. */
#include "engine/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "engine/model_internal.h"
#include "engine/muon.h"

#define SECTION_TYPE_ parl_optimizer_config
PARL_CONFIG_SECTION(parl_optimizer_section, "optimizer",
                    "AdamW or MuonClip, with global-norm clipping", PARL_OPTIMIZER_FIELDS);
#undef SECTION_TYPE_

/* Largest norm whose square fits in f32: beyond it the second moment would become infinite. */
static const double MAX_NORM = 1.8e19;

struct parl_optimizer {
  parl_optimizer_config config;
  size_t n_params;
  int64_t steps;  /* taken so far */
  float *moments; /* [2 * n_params] m, then v */
  parl_arena arena;
  parl_muon muon;
  const float *max_scores; /* borrowed; NULL: none known */
};

parl_status parl_optimizer_create(const parl_optimizer_config *config, const parl_model *model,
                                  parl_optimizer **out) {
  PARL_REQUIRE(config != NULL && model != NULL && out != NULL);
  PARL_TRY(parl_engine_check_ranges(&parl_optimizer_section, config));
  parl_optimizer *opt = calloc(1, sizeof *opt);
  if (opt == NULL) return parl_fail(PARL_STATUS_ENOMEM, "optimizer: no memory");
  opt->config = *config;
  opt->n_params = parl_model_get_n_params(model);
  parl_arena_init(&opt->arena, 0);
  const size_t element_bytes = 2 * sizeof *opt->moments;
  parl_status s =
      parl_arena_take(&opt->arena, opt->n_params, element_bytes, (void **)&opt->moments);
  if (s == PARL_STATUS_OK && config->kind == PARL_OPTIMIZER_MUONCLIP)
    s = parl_muon_init(&opt->muon, &opt->arena, model);
  if (s != PARL_STATUS_OK) {
    parl_optimizer_destroy(opt);
    return s;
  }
  memset(opt->moments, 0, opt->n_params * element_bytes);
  *out = opt;
  return PARL_STATUS_OK;
}

void parl_optimizer_destroy(parl_optimizer *opt) {
  if (opt == NULL) return;
  parl_arena_deinit(&opt->arena);
  free(opt);
}

/* Squares are summed per tensor, in double, in the order of the table. */
static parl_status measure_norm(const parl_model *model, const float *grads, double *norm) {
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(model, &n_tensors);
  double total = 0.0;
  for (size_t i = 0; i < n_tensors; i++) {
    double squares;
    const parl_sum_squares_args args = {
        .n = tensors[i].n, .x = grads + tensors[i].offset, .out = &squares};
    parl_model_get_backend(model)->sum_squares(&args);
    if (!isfinite(squares))
      return parl_fail(PARL_STATUS_EINVAL, "optimizer: the gradient of %s is not finite (norm %g)",
                       tensors[i].name, sqrt(squares));
    total += squares;
  }
  *norm = sqrt(total);
  return PARL_STATUS_OK;
}

static double warmed_lr(const parl_optimizer_config *c, int64_t step) {
  return step < c->warmup ? c->lr * (double)step / (double)c->warmup : c->lr;
}

static void update_matrix(parl_optimizer *opt, parl_model *model, const parl_model_tensor *t,
                          const float *grads, double lr, double scale) {
  const parl_muon_args args = {.rows = t->shape[0],
                               .columns = t->shape[1],
                               .params = parl_model_get_params(model) + t->offset,
                               .grads = grads + t->offset,
                               .momentum = opt->moments + t->offset,
                               .grad_scale = scale,
                               .lr = lr,
                               .mu = opt->config.momentum,
                               .weight_decay = opt->config.weight_decay};
  parl_muon_update(&opt->muon, parl_model_get_backend(model), &args);
}

static void update(parl_optimizer *opt, parl_model *model, const float *grads, double lr,
                   double scale) {
  const parl_optimizer_config *c = &opt->config;
  const bool is_muon = c->kind == PARL_OPTIMIZER_MUONCLIP;
  size_t n_tensors;
  const parl_model_tensor *tensors = parl_model_get_tensors(model, &n_tensors);
  parl_adamw_args args = {.grad_scale = (float)scale,
                          .lr = (float)lr,
                          .beta1 = (float)c->beta1,
                          .beta2 = (float)c->beta2,
                          .eps = (float)c->eps,
                          .correction1 = (float)(1.0 - pow(c->beta1, (double)opt->steps)),
                          .correction2 = (float)(1.0 - pow(c->beta2, (double)opt->steps))};
  for (size_t i = 0; i < n_tensors; i++) {
    const parl_model_tensor *t = &tensors[i];
    if (is_muon && parl_muon_takes(t)) {
      update_matrix(opt, model, t, grads, lr, scale);
      continue;
    }
    args.n = t->n;
    args.params = parl_model_get_params(model) + t->offset;
    args.grads = grads + t->offset;
    args.m = opt->moments + t->offset;
    args.v = opt->moments + opt->n_params + t->offset;
    /* Moonlight decays the norms too, which it calls crucial. */
    const bool decays = t->decay || (is_muon && t->trained);
    args.weight_decay = decays ? (float)c->weight_decay : 0.0F;
    parl_model_get_backend(model)->adamw(&args);
  }
}

parl_status parl_optimizer_step(parl_optimizer *opt, parl_model *model, const float *grads,
                                parl_optimizer_info *info) {
  PARL_REQUIRE(opt->n_params == parl_model_get_n_params(model));
  double norm = 0.0;
  PARL_TRY(measure_norm(model, grads, &norm));
  const bool clipped = opt->config.clip > 0.0 && norm > opt->config.clip;
  const double scale = clipped ? opt->config.clip / norm : 1.0;
  if (norm * scale > MAX_NORM)
    return parl_fail(PARL_STATUS_EINVAL, "optimizer: gradient norm %g is above %g", norm * scale,
                     MAX_NORM);
  opt->steps++;
  const double lr = warmed_lr(&opt->config, opt->steps);
  update(opt, model, grads, lr, scale);
  size_t n_heads = 0;
  if (parl_optimizer_wants_scores(opt) && opt->max_scores != NULL)
    n_heads = parl_muon_clip_heads(model, opt->max_scores, opt->config.qk_clip);
  parl_model_refresh(model);
  if (info != NULL)
    *info = (parl_optimizer_info){
        .grad_norm = norm, .lr = lr, .clipped = clipped, .n_clipped_heads = n_heads};
  return PARL_STATUS_OK;
}

bool parl_optimizer_wants_scores(const parl_optimizer *opt) {
  return opt->config.kind == PARL_OPTIMIZER_MUONCLIP && opt->config.qk_clip > 0.0;
}

void parl_optimizer_set_scores(parl_optimizer *opt, const float *max_scores) {
  opt->max_scores = max_scores;
}

float *parl_optimizer_get_moments(parl_optimizer *opt) {
  return opt->moments;
}

int64_t parl_optimizer_get_steps(const parl_optimizer *opt) {
  return opt->steps;
}

void parl_optimizer_set_steps(parl_optimizer *opt, int64_t steps) {
  opt->steps = steps;
}
