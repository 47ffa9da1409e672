/* engine/muon.c - orthogonal updates by products that every backend has.
 *
 * A matrix is held tall, Y [m,n] with n <= m, so that Y^T Y and S^T S (S symmetric) are gradients
 * of weights, and Y S is a gradient of inputs: nothing needs packing. */
#include "engine/muon.h"

#include <math.h>
#include <string.h>

#include "engine/model_internal.h"

enum { STEPS = 5, MAX_HEADS = 256 /* as the table of the config says */ };
/* A lot of matrices that are orthogonalised together has no more, unless one alone has. */
static const size_t LOT_FLOATS = (size_t)1 << 25;
static const float A = 3.4445F, B = -4.7750F, C = 2.0315F;

bool parl_muon_takes(const parl_model_tensor *tensor) {
  return tensor->n_dims == 2 && (strncmp(tensor->name, "model.layers.", 13) == 0 ||
                                 strncmp(tensor->name, "vision_tower.encoder.", 21) == 0 ||
                                 strncmp(tensor->name, "mm_projector.", 13) == 0);
}

size_t parl_muon_count_parts(const parl_model_tensor *tensor) {
  return strstr(tensor->name, ".wqkv.") != NULL ? 3 : 1;
}

/* The group of this shape, begun if it is the first. */
static parl_muon_group *find_group(parl_muon_group *groups, size_t *n, size_t rows,
                                   size_t columns) {
  for (size_t g = 0; g < *n; g++)
    if (groups[g].rows == rows && groups[g].columns == columns) return &groups[g];
  groups[*n] = (parl_muon_group){.rows = rows, .columns = columns};
  return &groups[(*n)++];
}

/* Adds all matrices to their groups: counts them, or writes down where they are. */
static void add_matrices(const parl_model *model, bool vision_alone, parl_muon_group *groups,
                         size_t *n_groups) {
  size_t n_tensors;
  const parl_model_tensor *t = parl_model_get_tensors(model, &n_tensors);
  for (size_t i = 0; i < n_tensors; i++) {
    if (!parl_muon_takes(&t[i])) continue;
    if (vision_alone && !parl_model_tensor_is_vision(&t[i])) continue;
    const size_t parts = parl_muon_count_parts(&t[i]);
    parl_muon_group *g = find_group(groups, n_groups, t[i].shape[0] / parts, t[i].shape[1]);
    for (size_t p = 0; p < parts; p++, g->n++)
      if (g->offsets != NULL) g->offsets[g->n] = t[i].offset + p * (t[i].n / parts);
  }
}

parl_status parl_muon_group_matrices(const parl_model *model, bool vision_alone, parl_arena *arena,
                                     parl_muon_group **groups, size_t *n_groups) {
  size_t n_tensors;
  (void)parl_model_get_tensors(model, &n_tensors);
  *n_groups = 0;
  PARL_TRY(PARL_ARENA_TAKE(arena, n_tensors, groups));
  add_matrices(model, vision_alone, *groups, n_groups);
  for (size_t g = 0; g < *n_groups; g++) {
    parl_muon_group *group = &(*groups)[g];
    PARL_TRY(PARL_ARENA_TAKE(arena, group->n, &group->offsets));
    PARL_TRY(PARL_ARENA_TAKE(arena, group->n + 1, &group->bounds));
    for (size_t i = 0; i <= group->n; i++)
      group->bounds[i] = (int64_t)(i * group->rows * group->columns);
    group->n = 0;
  }
  add_matrices(model, vision_alone, *groups, n_groups);
  return PARL_STATUS_OK;
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* How many of a group's matrices make a lot. */
static size_t count_lot(const parl_muon_group *g) {
  const size_t fit = LOT_FLOATS / (g->rows * g->columns);
  return least(g->n, fit > 0 ? fit : 1);
}

/* Scratch for lots of every group. */
static parl_status take_lots(parl_muon *muon, parl_arena *numbers, const parl_muon_group *groups,
                             size_t n_groups) {
  size_t most = 0, room = 0, direction = 0;
  for (size_t i = 0; i < n_groups; i++) {
    const parl_muon_group *g = &groups[i];
    const size_t n = count_lot(g), size = g->rows * g->columns, side = least(g->rows, g->columns);
    if (n * size > most) most = n * size;
    if (n * 2 * (size + side * side) > room) room = n * 2 * (size + side * side);
    if (size > direction) direction = size;
    if (n > muon->most) muon->most = n;
  }
  PARL_TRY(PARL_ARENA_TAKE(numbers, muon->most, &muon->squares));
  PARL_TRY(PARL_ARENA_TAKE(numbers, muon->most + 1, &muon->bounds));
  PARL_TRY(PARL_ARENA_TAKE(numbers, most, &muon->x));
  PARL_TRY(PARL_ARENA_TAKE(numbers, direction, &muon->direction));
  return PARL_ARENA_TAKE(numbers, room, &muon->room);
}

parl_status parl_muon_init(parl_muon *muon, parl_arena *numbers, const parl_model *model,
                           const parl_muon_group *groups, size_t n_groups) {
  size_t most = 0, side = 0;
  *muon = (parl_muon){.most = 1};
  if (model->backend->orthogonalise != NULL) return take_lots(muon, numbers, groups, n_groups);
  for (size_t i = 0; i < n_groups; i++) {
    const size_t size = groups[i].rows * groups[i].columns;
    if (size > most) most = size;
    if (least(groups[i].rows, groups[i].columns) > side)
      side = least(groups[i].rows, groups[i].columns);
  }
  PARL_TRY(PARL_ARENA_TAKE(numbers, 1, &muon->squares));
  PARL_TRY(PARL_ARENA_TAKE(numbers, 2, &muon->bounds));
  PARL_TRY(PARL_ARENA_TAKE(numbers, most, &muon->x));
  PARL_TRY(PARL_ARENA_TAKE(numbers, most, &muon->y));
  PARL_TRY(PARL_ARENA_TAKE(numbers, most, &muon->direction));
  PARL_TRY(PARL_ARENA_TAKE(numbers, side * side, &muon->a));
  return PARL_ARENA_TAKE(numbers, side * side, &muon->b);
}

/* out [n,n] = y^T y, y [m,n] */
static void multiply_self(parl_queue *queue, size_t m, size_t n, const float *y, float *out) {
  const parl_act *x = parl_act_of_const_f32(y);
  parl_queue_fill(queue, out, 0, n * n * sizeof *out);
  const parl_linear_bwd_weight_args args = {
      .M = m, .N = n, .K = n, .dy = x, .ld_dy = n, .x = x, .ld_x = n, .dw = out};
  PARL_RUN_F32(queue, linear_bwd_weight, &args);
}

static void add(parl_queue *queue, size_t n, float factor, const float *x, float *y) {
  const parl_add_args args = {.n = n, .a = factor, .x = x, .y = y};
  PARL_RUN_F32(queue, add, &args);
}

/* y [n] = a x + b y; x NULL: b y */
static void mix(parl_queue *queue, size_t n, float a, const float *x, float b, float *y) {
  const parl_axpby_args args = {.n = n, .a = a, .x = x, .b = b, .y = y};
  PARL_RUN(queue, axpby, &args);
}

/* muon->x = a x + x (b S + c S S), S = x^T x; x is [m,n]. */
static void iterate(parl_muon *muon, parl_queue *queue, size_t m, size_t n) {
  multiply_self(queue, m, n, muon->x, muon->a);
  multiply_self(queue, n, n, muon->a, muon->b);
  mix(queue, n * n, B, muon->a, C, muon->b);
  const parl_linear_bwd_input_args args = {.M = m,
                                           .N = n,
                                           .K = n,
                                           .dy = parl_act_of_const_f32(muon->x),
                                           .ld_dy = n,
                                           .w = muon->b,
                                           .dx = parl_act_of_f32(muon->y),
                                           .ld_dx = n};
  PARL_RUN_F32(queue, linear_bwd_input, &args);
  add(queue, m * n, A, muon->x, muon->y);
  float *swap = muon->x;
  muon->x = muon->y;
  muon->y = swap;
}

/* to = from [rows,columns], or its transpose [columns,rows]. */
static void copy(parl_queue *queue, size_t rows, size_t columns, bool transposes, const float *from,
                 float *to) {
  const parl_copy2d_args args = {.rows = rows,
                                 .groups = transposes ? columns : 1,
                                 .width = transposes ? 1 : columns,
                                 .unit = sizeof *to,
                                 .from = from,
                                 .from_row = columns,
                                 .from_group = 1,
                                 .to = to,
                                 .to_row = transposes ? 1 : columns,
                                 .to_group = transposes ? rows : 0};
  PARL_RUN(queue, copy2d, &args);
}

/* x [n] / |x| */
static void normalise(parl_muon *muon, parl_queue *queue, size_t n, const float *from, float *x) {
  const int64_t bounds[] = {0, (int64_t)n};
  parl_queue_upload(queue, muon->bounds, bounds, sizeof bounds);
  const parl_sum_squares_args norm = {
      .n_segments = 1, .starts = muon->bounds, .x = from, .out = muon->squares};
  PARL_RUN(queue, sum_squares, &norm);
  const parl_normalise_args args = {.n = n, .squares = muon->squares, .x = x};
  PARL_RUN(queue, normalise, &args);
}

void parl_muon_orthogonalise(parl_muon *muon, parl_queue *queue, size_t rows, size_t columns,
                             float *m) {
  const bool is_wide = rows < columns;
  const size_t tall = is_wide ? columns : rows, side = is_wide ? rows : columns;
  copy(queue, rows, columns, is_wide, m, muon->x);
  normalise(muon, queue, rows * columns, m, muon->x);
  for (int i = 0; i < STEPS; i++) iterate(muon, queue, tall, side);
  copy(queue, tall, side, is_wide, muon->x, m);
}

void parl_muon_update(parl_muon *muon, parl_queue *queue, const parl_muon_args *args) {
  const size_t n = args->rows * args->columns;
  const double longest = (double)(args->rows > args->columns ? args->rows : args->columns);
  const float mu = (float)args->mu, grad_scale = (float)args->grad_scale;
  const float keep = (float)(1.0 - args->lr * args->weight_decay);
  const float step = (float)(args->lr * 0.2 * sqrt(longest));
  float *direction = muon->direction;
  mix(queue, n, grad_scale, args->grads, mu, args->momentum);
  copy(queue, args->rows, args->columns, false, args->grads, direction);
  mix(queue, n, mu, args->momentum, grad_scale, direction);
  parl_muon_orthogonalise(muon, queue, args->rows, args->columns, direction);
  mix(queue, n, -step, direction, keep, args->params);
}

/* --------------------------------------------------------------------------- many at once */

/* Momentum and direction of a matrix, the direction laid tall. */
static void begin_update(parl_muon *muon, parl_queue *queue, const parl_muon_args *args,
                         size_t offset, float *tall) {
  const size_t n = args->rows * args->columns;
  const float mu = (float)args->mu, grad_scale = (float)args->grad_scale;
  const float *grads = args->grads + offset;
  float *momentum = args->momentum + offset;
  mix(queue, n, grad_scale, grads, mu, momentum);
  copy(queue, args->rows, args->columns, false, grads, muon->direction);
  mix(queue, n, mu, momentum, grad_scale, muon->direction);
  copy(queue, args->rows, args->columns, args->rows < args->columns, muon->direction, tall);
}

/* x [n, size], each by its own norm. */
static void normalise_lot(parl_muon *muon, parl_queue *queue, size_t n, size_t size) {
  const parl_sum_squares_args norms = {
      .n_segments = n, .starts = muon->bounds, .x = muon->x, .out = muon->squares};
  PARL_RUN(queue, sum_squares, &norms);
  for (size_t i = 0; i < n; i++) {
    const parl_normalise_args args = {
        .n = size, .squares = muon->squares + i, .x = muon->x + i * size};
    PARL_RUN(queue, normalise, &args);
  }
}

void parl_muon_update_group(parl_muon *muon, parl_queue *queue, const parl_muon_group *group,
                            const parl_muon_args *args) {
  const size_t rows = args->rows, columns = args->columns, size = rows * columns;
  const size_t lot = count_lot(group);
  const bool is_wide = rows < columns;
  const double longest = (double)(is_wide ? columns : rows);
  const float keep = (float)(1.0 - args->lr * args->weight_decay);
  const float step = (float)(args->lr * 0.2 * sqrt(longest));
  parl_orthogonalise_args all = {.rows = is_wide ? columns : rows,
                                 .columns = is_wide ? rows : columns,
                                 .steps = STEPS,
                                 .a = A,
                                 .b = B,
                                 .c = C,
                                 .x = muon->x,
                                 .room = muon->room};
  parl_queue_upload(queue, muon->bounds, group->bounds, (lot + 1) * sizeof *muon->bounds);
  for (size_t first = 0; first < group->n; first += lot) {
    const size_t *offsets = group->offsets + first;
    all.n = least(lot, group->n - first);
    for (size_t i = 0; i < all.n; i++)
      begin_update(muon, queue, args, offsets[i], muon->x + i * size);
    normalise_lot(muon, queue, all.n, size);
    PARL_RUN(queue, orthogonalise, &all);
    for (size_t i = 0; i < all.n; i++) {
      copy(queue, all.rows, all.columns, is_wide, muon->x + i * size, muon->direction);
      mix(queue, size, -step, muon->direction, keep, args->params + offsets[i]);
    }
  }
}

/* -------------------------------------------------------------------------------- QK-Clip */

static void scale_rows(parl_model *m, size_t offset, size_t row, size_t n_rows, size_t width,
                       double factor) {
  mix(m->queue, n_rows * width, 0.0F, NULL, (float)factor, m->params + offset + row * width);
}

static void clip_latent_head(parl_model *m, const parl_layer *layer, size_t h, double gamma) {
  const parl_model_dims *d = &m->dims;
  const size_t q = d->Rq ? layer->q_b.offset : layer->latents.offset;
  const size_t width = d->Rq ? d->Rq : d->C;
  scale_rows(m, q, h * d->D, d->Dn, width, sqrt(gamma));
  scale_rows(m, q, h * d->D + d->Dn, d->Dr, width, gamma);
  scale_rows(m, layer->kv_b.offset, h * (d->Dn + d->Dv), d->Dn, d->R, sqrt(gamma));
}

/* gammas [H]; the heads that share key head g. */
static void clip_group(parl_model *m, const parl_layer *layer, size_t g, const double *gammas) {
  const parl_model_dims *d = &m->dims;
  const size_t heads = d->H / d->H_kv;
  double strongest = 1.0;
  for (size_t i = 0; i < heads; i++) strongest = fmin(strongest, gammas[g * heads + i]);
  if (strongest >= 1.0) return;
  scale_rows(m, layer->qkv.offset, d->q + g * d->D, d->D, d->C, sqrt(strongest));
  for (size_t i = 0; i < heads; i++)
    scale_rows(m, layer->qkv.offset, (g * heads + i) * d->D, d->D, d->C,
               gammas[g * heads + i] / sqrt(strongest));
}

size_t parl_muon_clip_heads(parl_model *model, const float *max_scores, double tau) {
  const parl_model_dims *d = &model->dims;
  size_t n_clipped = 0;
  for (size_t i = 0; i < d->L; i++, max_scores += d->H) {
    double gammas[MAX_HEADS];
    for (size_t h = 0; h < d->H; h++) {
      const double score = (double)max_scores[h];
      gammas[h] = score > tau && isfinite(score) ? tau / score : 1.0;
      n_clipped += gammas[h] < 1.0;
      if (d->is_mla && gammas[h] < 1.0) clip_latent_head(model, &model->layers[i], h, gammas[h]);
    }
    for (size_t g = 0; g < d->H_kv && !d->is_mla; g++)
      clip_group(model, &model->layers[i], g, gammas);
  }
  return n_clipped;
}
