/* engine/optimizer.c - AdamW tensor by tensor; the global norm first, so that a bad one changes
 * nothing. */
#include "engine/optimizer.h"

#include <math.h>
#include <stdlib.h>

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
  bool vision_alone; /* what is not of it is frozen */
  int64_t steps;     /* taken so far */
  size_t n_tensors;
  parl_arena arena;      /* on the host */
  parl_arena numbers;    /* on the device */
  float *moments;        /* [2 * n_params] m, then v; on the device, as the next three */
  int64_t *starts;       /* [n_tensors + 1] of the tensors in the parameters */
  float *decay;          /* [n_tensors] 1: decays, 0: not; -1: Muon's, or frozen */
  double *squares;       /* [n_tensors] of gradients */
  double *host_squares;  /* [n_tensors] */
  parl_workers *workers; /* borrowed; NULL: one thread */
  parl_queue **queues;   /* [n_queues] of each worker; owned */
  size_t n_queues;
  parl_muon *muons;        /* [n_queues] scratch of each worker; muonclip, as the next two */
  parl_muon_group *groups; /* [n_groups] all of Muon's matrices, but those that are frozen */
  size_t n_groups;
  const float *max_scores; /* borrowed; NULL: none known */
};

static void destroy_queues(parl_optimizer *opt) {
  while (opt->n_queues > 0) parl_queue_destroy(opt->queues[--opt->n_queues]);
}

/* Of n workers, instead of those that were there. */
static parl_status open_workers(parl_optimizer *opt, const parl_model *model, size_t n) {
  destroy_queues(opt);
  PARL_TRY(PARL_ARENA_TAKE(&opt->arena, n, &opt->queues));
  for (; opt->n_queues < n; opt->n_queues++)
    PARL_TRY(parl_queue_create(parl_model_get_backend(model), &opt->queues[opt->n_queues]));
  if (opt->config.kind != PARL_OPTIMIZER_MUONCLIP) return PARL_STATUS_OK;
  PARL_TRY(PARL_ARENA_TAKE(&opt->arena, n, &opt->muons));
  for (size_t i = 0; i < n; i++)
    PARL_TRY(parl_muon_init(&opt->muons[i], &opt->numbers, model, opt->groups, opt->n_groups));
  return PARL_STATUS_OK;
}

static bool is_frozen(const parl_optimizer *opt, const parl_model_tensor *t) {
  return opt->vision_alone && !parl_model_tensor_is_vision(t);
}

/* Moonlight decays the norms too, which it calls crucial. */
static float find_decay(const parl_optimizer *opt, const parl_model_tensor *t) {
  const bool is_muonclip = opt->config.kind == PARL_OPTIMIZER_MUONCLIP;
  if (is_frozen(opt, t) || (is_muonclip && parl_muon_takes(t))) return -1.0F;
  return t->decay || (is_muonclip && t->trained) ? 1.0F : 0.0F;
}

/* Tensors lie one behind the other. */
static parl_status list_segments(parl_optimizer *opt, const parl_model *model) {
  const parl_model_tensor *t = parl_model_get_tensors(model, &opt->n_tensors);
  const size_t n = opt->n_tensors;
  int64_t *starts;
  float *decay;
  PARL_TRY(PARL_ARENA_TAKE(&opt->arena, n, &opt->host_squares));
  PARL_TRY(PARL_ARENA_TAKE(&opt->arena, n + 1, &starts));
  PARL_TRY(PARL_ARENA_TAKE(&opt->arena, n, &decay));
  PARL_TRY(PARL_ARENA_TAKE(&opt->numbers, n, &opt->squares));
  PARL_TRY(PARL_ARENA_TAKE(&opt->numbers, n + 1, &opt->starts));
  PARL_TRY(PARL_ARENA_TAKE(&opt->numbers, n, &opt->decay));
  for (size_t i = 0; i < n; i++) {
    starts[i] = (int64_t)t[i].offset;
    decay[i] = find_decay(opt, &t[i]);
  }
  starts[n] = (int64_t)opt->n_params;
  parl_queue_upload(opt->queues[0], opt->starts, starts, (n + 1) * sizeof *starts);
  parl_queue_upload(opt->queues[0], opt->decay, decay, n * sizeof *decay);
  return parl_queue_wait(opt->queues[0]);
}

static parl_status allocate(parl_optimizer *opt, const parl_model *model) {
  const size_t element_bytes = 2 * sizeof *opt->moments;
  PARL_TRY(parl_arena_take(&opt->numbers, opt->n_params, element_bytes, (void **)&opt->moments));
  if (opt->config.kind == PARL_OPTIMIZER_MUONCLIP)
    PARL_TRY(parl_muon_group_matrices(model, opt->vision_alone, &opt->arena, &opt->groups,
                                      &opt->n_groups));
  PARL_TRY(open_workers(opt, model, 1));
  parl_queue_fill(opt->queues[0], opt->moments, 0, opt->n_params * element_bytes);
  return list_segments(opt, model);
}

static parl_status create(const parl_optimizer_config *config, const parl_model *model,
                          bool vision_alone, parl_optimizer **out) {
  PARL_REQUIRE(config != NULL && model != NULL && out != NULL);
  PARL_TRY(parl_engine_check_ranges(&parl_optimizer_section, config));
  parl_optimizer *opt = calloc(1, sizeof *opt);
  if (opt == NULL) return parl_fail(PARL_STATUS_ENOMEM, "optimizer: no memory");
  opt->config = *config;
  opt->vision_alone = vision_alone;
  opt->n_params = parl_model_get_n_params(model);
  parl_arena_init(&opt->arena, 0);
  parl_arena_init_from(&opt->numbers, 0, &model->backend->device()->memory);
  const parl_status s = allocate(opt, model);
  if (s != PARL_STATUS_OK) {
    parl_optimizer_destroy(opt);
    return s;
  }
  *out = opt;
  return PARL_STATUS_OK;
}

parl_status parl_optimizer_create(const parl_optimizer_config *config, const parl_model *model,
                                  parl_optimizer **out) {
  return create(config, model, false, out);
}

parl_status parl_optimizer_create_vision(const parl_optimizer_config *config,
                                         const parl_model *model, parl_optimizer **out) {
  return create(config, model, true, out);
}

parl_status parl_optimizer_set_workers(parl_optimizer *opt, const parl_model *model,
                                       parl_workers *workers) {
  PARL_TRY(open_workers(opt, model, parl_workers_get_count(workers)));
  opt->workers = workers;
  return PARL_STATUS_OK;
}

void parl_optimizer_destroy(parl_optimizer *opt) {
  if (opt == NULL) return;
  destroy_queues(opt);
  parl_arena_deinit(&opt->numbers);
  parl_arena_deinit(&opt->arena);
  free(opt);
}

/* Squares are summed per tensor, in double, in the order of the table. */
static parl_status measure_norm(const parl_optimizer *opt, const parl_model *model,
                                const float *grads, double *norm) {
  size_t n;
  const parl_model_tensor *tensors = parl_model_get_tensors(model, &n);
  const parl_sum_squares_args args = {
      .n_segments = n, .starts = opt->starts, .x = grads, .out = opt->squares};
  PARL_RUN(opt->queues[0], sum_squares, &args);
  PARL_TRY(parl_queue_download(opt->queues[0], opt->host_squares, opt->squares,
                               n * sizeof *opt->squares));
  double total = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double squares = is_frozen(opt, &tensors[i]) ? 0.0 : opt->host_squares[i];
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

/* What the tensors of one step share. */
typedef struct update_context {
  parl_optimizer *opt;
  parl_model *model;
  const float *grads;
  double lr, scale;
} update_context;

/* Of a matrix that begins at an offset. */
static parl_muon_args view_matrix(const update_context *u, size_t rows, size_t columns,
                                  size_t offset) {
  const parl_optimizer_config *c = &u->opt->config;
  return (parl_muon_args){.rows = rows,
                          .columns = columns,
                          .params = u->model->params + offset,
                          .grads = u->grads + offset,
                          .momentum = u->opt->moments + offset,
                          .grad_scale = u->scale,
                          .lr = u->lr,
                          .mu = c->momentum,
                          .weight_decay = c->weight_decay};
}

static void update_matrix(const update_context *u, const parl_model_tensor *t, size_t worker) {
  const size_t n_parts = parl_muon_count_parts(t);
  for (size_t i = 0; i < n_parts; i++) {
    const parl_muon_args args =
        view_matrix(u, t->shape[0] / n_parts, t->shape[1], t->offset + i * (t->n / n_parts));
    parl_muon_update(&u->opt->muons[worker], u->opt->queues[worker], &args);
  }
}

/* All tensors but Muon's. */
static void update_adamw(const update_context *u, size_t worker) {
  const parl_optimizer *opt = u->opt;
  const parl_optimizer_config *c = &opt->config;
  const parl_adamw_args args = {.n_segments = opt->n_tensors,
                                .starts = opt->starts,
                                .decay = opt->decay,
                                .params = u->model->params,
                                .grads = u->grads,
                                .m = opt->moments,
                                .v = opt->moments + opt->n_params,
                                .grad_scale = (float)u->scale,
                                .lr = (float)u->lr,
                                .beta1 = (float)c->beta1,
                                .beta2 = (float)c->beta2,
                                .eps = (float)c->eps,
                                .weight_decay = (float)c->weight_decay,
                                .correction1 = (float)(1.0 - pow(c->beta1, (double)opt->steps)),
                                .correction2 = (float)(1.0 - pow(c->beta2, (double)opt->steps))};
  PARL_RUN(opt->queues[worker], adamw, &args);
}

/* Task i: tensor i, if it is Muon's; the last task: the others together. */
static parl_status update_part(void *context, size_t i, size_t worker) {
  const update_context *u = context;
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(u->model, &n_tensors);
  if (i == n_tensors)
    update_adamw(u, worker);
  else if (parl_muon_takes(&t[i]) && !is_frozen(u->opt, &t[i]))
    update_matrix(u, &t[i], worker);
  return parl_queue_wait(u->opt->queues[worker]);
}

/* Task i: group i of Muon's matrices; the last task: all else together. */
static parl_status update_group(void *context, size_t i, size_t worker) {
  const update_context *u = context;
  const parl_optimizer *opt = u->opt;
  if (i == opt->n_groups) {
    update_adamw(u, worker);
  } else {
    const parl_muon_group *g = &opt->groups[i];
    const parl_muon_args args = view_matrix(u, g->rows, g->columns, 0);
    parl_muon_update_group(&opt->muons[worker], opt->queues[worker], g, &args);
  }
  return parl_queue_wait(opt->queues[worker]);
}

static parl_status update(update_context *u) {
  const bool is_grouped = u->model->backend->orthogonalise != NULL;
  parl_status (*const task)(void *, size_t, size_t) = is_grouped ? update_group : update_part;
  const size_t n = is_grouped ? u->opt->n_groups : u->opt->n_tensors;
  if (u->opt->config.kind != PARL_OPTIMIZER_MUONCLIP) return update_part(u, u->opt->n_tensors, 0);
  if (u->opt->workers != NULL) return parl_workers_run(u->opt->workers, n + 1, task, u);
  for (size_t i = 0; i <= n; i++) PARL_TRY(task(u, i, 0));
  return PARL_STATUS_OK;
}

parl_status parl_optimizer_step(parl_optimizer *opt, parl_model *model, const float *grads,
                                parl_optimizer_info *info) {
  PARL_REQUIRE(opt->n_params == parl_model_get_n_params(model));
  double norm = 0.0;
  PARL_TRY(measure_norm(opt, model, grads, &norm));
  const bool clipped = opt->config.clip > 0.0 && norm > opt->config.clip;
  const double scale = clipped ? opt->config.clip / norm : 1.0;
  if (norm * scale > MAX_NORM)
    return parl_fail(PARL_STATUS_EINVAL, "optimizer: gradient norm %g is above %g", norm * scale,
                     MAX_NORM);
  opt->steps++;
  const double lr = warmed_lr(&opt->config, opt->steps);
  update_context u = {opt, model, grads, lr, scale};
  PARL_TRY(update(&u));
  size_t n_heads = 0;
  if (parl_optimizer_wants_scores(opt) && opt->max_scores != NULL)
    n_heads = parl_muon_clip_heads(model, opt->max_scores, opt->config.qk_clip);
  PARL_TRY(parl_model_refresh(model));
  if (info != NULL)
    *info = (parl_optimizer_info){
        .grad_norm = norm, .lr = lr, .clipped = clipped, .n_clipped_heads = n_heads};
  return PARL_STATUS_OK;
}

void parl_optimizer_set_lr(parl_optimizer *opt, double lr) {
  opt->config.lr = lr;
}

bool parl_optimizer_wants_scores(const parl_optimizer *opt) {
  return opt->config.kind == PARL_OPTIMIZER_MUONCLIP && opt->config.qk_clip > 0.0 &&
         !opt->vision_alone;
}

void parl_optimizer_set_scores(parl_optimizer *opt, const float *max_scores) {
  opt->max_scores = max_scores;
}

parl_status parl_optimizer_read_moments(const parl_optimizer *opt, size_t offset, size_t n,
                                        float *to) {
  return parl_queue_download(opt->queues[0], to, opt->moments + offset, n * sizeof *to);
}

parl_status parl_optimizer_write_moments(parl_optimizer *opt, size_t offset, size_t n,
                                         const float *from) {
  parl_queue_upload(opt->queues[0], opt->moments + offset, from, n * sizeof *from);
  return parl_queue_wait(opt->queues[0]);
}

int64_t parl_optimizer_get_steps(const parl_optimizer *opt) {
  return opt->steps;
}

void parl_optimizer_set_steps(parl_optimizer *opt, int64_t steps) {
  opt->steps = steps;
}

uint64_t parl_optimizer_count_launches(const parl_optimizer *optimizer) {
  uint64_t n = 0;
  for (size_t i = 0; i < optimizer->n_queues; i++) n += optimizer->queues[i]->n_launches;
  return n;
}
