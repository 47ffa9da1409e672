/* engine/tower.c - MoonViT-3D and the projector over a pack of items, forward and backward.
 *
 * Pre-norm blocks on a stream of their own, x [N,D]; merged patches [4M,D] are the same memory as
 * rows of four [M,4D]. As in engine/backward.c, dx is the gradient of the stream, and every part
 * adds its own through the backward of its norm. Source: k25 5.2. */
#include <stdlib.h>

#include "engine/vision_internal.h"

static const float EPS = 1e-5F;

/* ----------------------------------------------------------------------------------- room */

static parl_status take(parl_tower *t, size_t rows, size_t width, float **out) {
  return parl_arena_take(&t->numbers, rows, width * sizeof **out, (void **)out);
}

static parl_status take_act(parl_tower *t, size_t rows, size_t width, parl_act **out) {
  return parl_act_take(&t->numbers, t->model, rows, width, out);
}

static parl_status take_block(parl_tower *t, parl_block_state *s) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const size_t N = t->max_patches;
  PARL_TRY(take(t, N, v->D, &s->mid));
  PARL_TRY(take(t, N, 1, &s->mean0));
  PARL_TRY(take(t, N, 1, &s->std0));
  PARL_TRY(take(t, N, 1, &s->mean1));
  PARL_TRY(take(t, N, 1, &s->std1));
  PARL_TRY(take(t, N, v->H, &s->lse));
  PARL_TRY(take_act(t, N, v->D, &s->h0));
  PARL_TRY(take_act(t, N, v->D, &s->h1));
  PARL_TRY(take_act(t, N, 3 * v->D, &s->qkv));
  PARL_TRY(take_act(t, N, v->D, &s->mixed));
  PARL_TRY(take_act(t, N, v->F, &s->u));
  return take_act(t, N, v->F, &s->g);
}

static parl_status take_blocks(parl_tower *t) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const bool is_shared = t->model->config.recompute == PARL_RECOMPUTE_LAYER;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, v->L, &t->blocks));
  for (size_t i = 0; i < v->L; i++) {
    if (is_shared && i > 0)
      t->blocks[i] = t->blocks[0];
    else
      PARL_TRY(take_block(t, &t->blocks[i]));
    PARL_TRY(take(t, t->max_patches, v->D, &t->blocks[i].x));
  }
  return PARL_STATUS_OK;
}

/* What follows the blocks. Merged patches are as many as a frame's, so N is room enough. */
static parl_status take_projector(parl_tower *t) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const size_t N = t->max_patches, C = t->model->dims.C, wide = PARL_VISION_MERGED * v->D;
  const size_t M = N / PARL_VISION_MERGED;
  PARL_TRY(take(t, N, v->D, &t->x));
  PARL_TRY(take(t, N, 1, &t->final_mean));
  PARL_TRY(take(t, N, 1, &t->final_std));
  PARL_TRY(take(t, N, v->D, &t->y));
  PARL_TRY(take(t, N, v->D, &t->merged));
  PARL_TRY(take(t, N, 1, &t->merged_mean));
  PARL_TRY(take(t, N, 1, &t->merged_std));
  PARL_TRY(take_act(t, M, wide, &t->z));
  PARL_TRY(take_act(t, M, wide, &t->u));
  PARL_TRY(take_act(t, M, wide, &t->g));
  PARL_TRY(take_act(t, M, wide, &t->dz));
  PARL_TRY(take_act(t, M, wide, &t->dg));
  return take(t, M, C, &t->features);
}

/* For the widest of what is f32 and an operand too. */
static parl_status take_rooms(parl_tower *t) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const size_t N = t->max_patches, C = t->model->dims.C;
  if (t->model->backend->act_bytes == sizeof(float)) return PARL_STATUS_OK;
  const size_t n = N * v->D, n_features = N / PARL_VISION_MERGED * C;
  PARL_TRY(take_act(t, n > n_features ? n : n_features, 1, &t->room));
  return take_act(t, N, v->pixels, &t->pixel_room);
}

static parl_status allocate(parl_tower *t) {
  const parl_model *m = t->model;
  const parl_vision_dims *v = &m->dims.vision;
  const size_t N = t->max_patches;
  PARL_TRY(parl_queue_create(m->backend, &t->queue));
  PARL_TRY(parl_vision_tables_take(&t->arena, v, N, &t->host));
  PARL_TRY(parl_vision_tables_take(&t->numbers, v, N, &t->tables));
  PARL_TRY(take(t, N, v->pixels, &t->pixels));
  PARL_TRY(take(t, N, v->D, &t->positions));
  PARL_TRY(take(t, N, v->D, &t->times));
  PARL_TRY(take_blocks(t));
  PARL_TRY(take_projector(t));
  PARL_TRY(take(t, m->backend->attention_scratch_floats(N, v->d, v->d), 1, &t->scratch));
  PARL_TRY(take(t, N, v->D, &t->dx));
  PARL_TRY(take(t, N, v->D, &t->dy));
  PARL_TRY(take_act(t, N, v->D, &t->dh));
  PARL_TRY(take_act(t, N, v->D, &t->dmixed));
  PARL_TRY(take_act(t, N, 3 * v->D, &t->dqkv));
  PARL_TRY(take_act(t, N, v->F, &t->du));
  return take_rooms(t);
}

parl_status parl_tower_create(const parl_model *model, size_t max_patches, parl_tower **out) {
  PARL_REQUIRE(model != NULL && out != NULL);
  PARL_REQUIRE(max_patches >= PARL_VISION_MERGED && max_patches <= INT32_MAX);
  if (model->dims.vision.L == 0)
    return parl_fail(PARL_STATUS_EINVAL, "the model has no tower: model.vision.n_layers = 0");
  parl_tower *t = calloc(1, sizeof *t);
  if (t == NULL) return parl_fail(PARL_STATUS_ENOMEM, "tower: no memory");
  t->model = model;
  t->max_patches = max_patches;
  parl_arena_init(&t->arena, 0);
  parl_arena_init_from(&t->numbers, 0, &model->backend->device()->memory);
  const parl_status s = allocate(t);
  if (s != PARL_STATUS_OK) {
    parl_tower_destroy(t);
    return parl_fail_context(s, "tower for %zu patches", max_patches);
  }
  *out = t;
  return PARL_STATUS_OK;
}

void parl_tower_destroy(parl_tower *tower) {
  if (tower == NULL) return;
  parl_queue_destroy(tower->queue);
  parl_arena_deinit(&tower->numbers);
  parl_arena_deinit(&tower->arena);
  free(tower);
}

size_t parl_tower_get_bytes(const parl_tower *tower) {
  return parl_arena_get_used(&tower->arena) + parl_arena_get_used(&tower->numbers);
}

parl_status parl_tower_read(parl_tower *tower, const float *from, size_t n, float *to) {
  return parl_queue_download(tower->queue, to, from, n * sizeof *to);
}

/* --------------------------------------------------------------------------------- pieces */

/* y [rows,N] = x W^T + bias + residual (NULL: none); exactly one of y and y_act. */
static void linear(parl_tower *t, const parl_biased_matrix *b, size_t rows, const parl_act *x,
                   const float *residual, float *y, parl_act *y_act) {
  parl_linear_fwd_args args = {.M = rows,
                               .N = b->w.N,
                               .K = b->w.K,
                               .x = x,
                               .ld_x = b->w.K,
                               .packed = b->w.packed,
                               .bias = t->model->params + b->bias,
                               .residual = residual,
                               .y = y,
                               .ld_y = b->w.N};
  if (y_act != NULL) {
    args.y_act = y_act;
    args.y_is_act = true;
  }
  PARL_RUN(t->queue, linear_fwd, &args);
}

/* grads += at the matrix and its bias; dx [rows,K] = dy W, or NULL. */
static void linear_backward(parl_tower *t, const parl_biased_matrix *b, size_t rows,
                            const parl_act *dy, const parl_act *x, parl_act *dx, float *grads) {
  const size_t first = parl_vision_get_range(t->model).first;
  const parl_linear_bwd_weight_args weight = {.M = rows,
                                              .N = b->w.N,
                                              .K = b->w.K,
                                              .dy = dy,
                                              .ld_dy = b->w.N,
                                              .x = x,
                                              .ld_x = b->w.K,
                                              .dw = grads + (b->w.offset - first),
                                              .dbias = grads + (b->bias - first)};
  PARL_RUN(t->queue, linear_bwd_weight, &weight);
  if (dx == NULL) return;
  const parl_linear_bwd_input_args input = {.M = rows,
                                            .N = b->w.N,
                                            .K = b->w.K,
                                            .dy = dy,
                                            .ld_dy = b->w.N,
                                            .w = parl_matrix_get_weights(t->model, &b->w),
                                            .packed = b->w.packed,
                                            .dx = dx,
                                            .ld_dx = b->w.K};
  PARL_RUN(t->queue, linear_bwd_input, &input);
}

/* x, mean and inv_std [rows] of a norm. */
typedef struct normed {
  const float *x;
  float *mean, *inv_std;
} normed;

/* y [rows,D]; exactly one of y and y_act. */
static void norm(parl_tower *t, const parl_layernorm *n, size_t rows, normed s, float *y,
                 parl_act *y_act) {
  const size_t D = t->model->dims.vision.D;
  parl_layernorm_fwd_args args = {.rows = rows,
                                  .C = D,
                                  .x = s.x,
                                  .ld_x = D,
                                  .weight = t->model->params + n->weight,
                                  .bias = t->model->params + n->bias,
                                  .eps = EPS,
                                  .y = y,
                                  .ld_y = D,
                                  .mean = s.mean,
                                  .inv_std = s.inv_std};
  if (y_act != NULL) {
    args.y_act = y_act;
    args.y_is_act = true;
  }
  PARL_RUN(t->queue, layernorm_fwd, &args);
}

/* dx [rows,D] +=; grads += at the norm. */
static void norm_backward(parl_tower *t, const parl_layernorm *n, size_t rows, normed s,
                          const float *dy, const parl_act *dy_act, float *dx, float *grads) {
  const size_t D = t->model->dims.vision.D, first = parl_vision_get_range(t->model).first;
  parl_layernorm_bwd_args args = {.rows = rows,
                                  .C = D,
                                  .x = s.x,
                                  .ld_x = D,
                                  .weight = t->model->params + n->weight,
                                  .mean = s.mean,
                                  .inv_std = s.inv_std,
                                  .dy = dy,
                                  .ld_dy = D,
                                  .dx = dx,
                                  .ld_dx = D,
                                  .dweight = grads + (n->weight - first),
                                  .dbias = grads + (n->bias - first)};
  if (dy_act != NULL) {
    args.dy_act = dy_act;
    args.dy_is_act = true;
  }
  PARL_RUN(t->queue, layernorm_bwd, &args);
}

static void gelu(parl_tower *t, size_t n, bool exact, const parl_act *x, parl_act *y) {
  const parl_gelu_fwd_args args = {.n = n, .exact = exact, .x = x, .y = y};
  PARL_RUN(t->queue, gelu_fwd, &args);
}

/* dx [n] may be dy. */
static void gelu_backward(parl_tower *t, size_t n, bool exact, const parl_act *x,
                          const parl_act *dy, parl_act *dx) {
  const parl_gelu_bwd_args args = {.n = n, .exact = exact, .x = x, .dy = dy, .dx = dx};
  PARL_RUN(t->queue, gelu_bwd, &args);
}

/* Queries and keys, which lie side by side, by the angles of their rows. */
static void rotate(parl_tower *t, parl_act *qkv, bool inverse) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const parl_rope_args args = {.rows = t->N,
                               .heads = 2 * v->H,
                               .D = v->d,
                               .ld_x = 3 * v->D,
                               .head_stride = v->d,
                               .x = qkv,
                               .positions = t->tables.rows,
                               .cos_table = t->tables.cos,
                               .sin_table = t->tables.sin,
                               .inverse = inverse};
  PARL_RUN(t->queue, rope, &args);
}

/* Every patch of an item sees all of them. */
static parl_attention_fwd_args view_attention(const parl_tower *t, const parl_block_state *s) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const parl_backend *b = t->model->backend;
  return (parl_attention_fwd_args){.n_seqs = t->n_items,
                                   .seq_start = t->tables.item_start,
                                   .H = v->H,
                                   .H_kv = v->H,
                                   .D = v->d,
                                   .Dv = v->d,
                                   .scale = t->model->vision.scale,
                                   .both_ways = true,
                                   .q = s->qkv,
                                   .ld_q = 3 * v->D,
                                   .k = parl_act_at(b, s->qkv, v->D),
                                   .ld_k = 3 * v->D,
                                   .v = parl_act_at(b, s->qkv, 2 * v->D),
                                   .ld_v = 3 * v->D,
                                   .out = s->mixed,
                                   .ld_out = v->D,
                                   .lse = s->lse,
                                   .scratch = t->scratch};
}

static parl_mix_rows_fwd_args view_rows(const float *weights, const int32_t *index, size_t rows,
                                        size_t taps, size_t D) {
  return (parl_mix_rows_fwd_args){
      .rows = rows, .taps = taps, .C = D, .weights = weights, .index = index};
}

static void mix_rows(parl_tower *t, parl_mix_rows_fwd_args args, const float *table, float *out) {
  args.table = table;
  args.out = out;
  PARL_RUN(t->queue, mix_rows_fwd, &args);
}

/* dtable += */
static void mix_rows_backward(parl_tower *t, parl_mix_rows_fwd_args fwd, const float *dout,
                              float *dtable) {
  const parl_mix_rows_bwd_args args = {.rows = fwd.rows,
                                       .taps = fwd.taps,
                                       .C = fwd.C,
                                       .weights = fwd.weights,
                                       .index = fwd.index,
                                       .dout = dout,
                                       .dtable = dtable};
  PARL_RUN(t->queue, mix_rows_bwd, &args);
}

static parl_mix_rows_fwd_args view_grid(const parl_tower *t) {
  return view_rows(t->tables.grid_weights, t->tables.grid_index, t->N, PARL_VISION_TAPS,
                   t->model->dims.vision.D);
}

static parl_mix_rows_fwd_args view_means(const parl_tower *t) {
  return view_rows(t->tables.mean_weights, t->tables.mean_index, PARL_VISION_MERGED * t->M, t->taps,
                   t->model->dims.vision.D);
}

/* -------------------------------------------------------------------------------- forward */

static void upload(parl_tower *t, const parl_vision_items *items) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const parl_vision_tables *from = &t->host, *to = &t->tables;
  const size_t N = t->N, pairs = v->d / 2, n_means = PARL_VISION_MERGED * t->M * t->taps;
  const size_t i32 = sizeof(int32_t), f32 = sizeof(float);
  parl_queue_upload(t->queue, to->item_start, from->item_start, (t->n_items + 1) * i32);
  parl_queue_upload(t->queue, to->rows, from->rows, N * i32);
  parl_queue_upload(t->queue, to->cos, from->cos, N * pairs * f32);
  parl_queue_upload(t->queue, to->sin, from->sin, N * pairs * f32);
  parl_queue_upload(t->queue, to->grid_weights, from->grid_weights, N * PARL_VISION_TAPS * f32);
  parl_queue_upload(t->queue, to->grid_index, from->grid_index, N * PARL_VISION_TAPS * i32);
  parl_queue_upload(t->queue, to->time_weights, from->time_weights, N * f32);
  parl_queue_upload(t->queue, to->time_index, from->time_index, N * i32);
  parl_queue_upload(t->queue, to->mean_weights, from->mean_weights, n_means * f32);
  parl_queue_upload(t->queue, to->mean_index, from->mean_index, n_means * i32);
  parl_queue_upload(t->queue, t->pixels, items->pixels, N * v->pixels * f32);
  t->patches = parl_act_from(t->queue, t->pixels, N * v->pixels, t->pixel_room);
}

/* The first block's input: patches, with where and, in clips, when they are. */
static void embed(parl_tower *t) {
  const parl_model *m = t->model;
  const size_t N = t->N, D = m->dims.vision.D;
  mix_rows(t, view_grid(t), m->params + m->vision.grid, t->positions);
  mix_rows(t, view_rows(t->tables.time_weights, t->tables.time_index, N, 1, D), m->vision.times,
           t->times);
  const parl_add_args add = {.n = N * D, .a = 1.0F, .x = t->times, .y = t->positions};
  PARL_RUN(t->queue, add, &add);
  linear(t, &m->vision.patch, N, t->patches, t->positions, t->blocks[0].x, NULL);
}

static void block_forward(parl_tower *t, size_t i, float *out) {
  const parl_vision_block *w = &t->model->vision.blocks[i];
  const parl_block_state *s = &t->blocks[i];
  const size_t N = t->N;
  norm(t, &w->norm0, N, (normed){s->x, s->mean0, s->std0}, NULL, s->h0);
  linear(t, &w->qkv, N, s->h0, NULL, NULL, s->qkv);
  rotate(t, s->qkv, false);
  const parl_attention_fwd_args attention = view_attention(t, s);
  PARL_RUN(t->queue, attention_fwd, &attention);
  linear(t, &w->o, N, s->mixed, s->x, s->mid, NULL);
  norm(t, &w->norm1, N, (normed){s->mid, s->mean1, s->std1}, NULL, s->h1);
  linear(t, &w->fc0, N, s->h1, NULL, NULL, s->u);
  gelu(t, N * w->fc0.w.N, false, s->u, s->g);
  linear(t, &w->fc1, N, s->g, s->mid, out, NULL);
}

static void project(parl_tower *t) {
  const parl_vision *w = &t->model->vision;
  const size_t patches = PARL_VISION_MERGED * t->M;
  norm(t, &w->final_norm, t->N, (normed){t->x, t->final_mean, t->final_std}, t->y, NULL);
  mix_rows(t, view_means(t), t->y, t->merged);
  norm(t, &w->pre_norm, patches, (normed){t->merged, t->merged_mean, t->merged_std}, NULL, t->z);
  linear(t, &w->proj0, t->M, t->z, NULL, NULL, t->u);
  gelu(t, t->M * w->proj0.w.N, true, t->u, t->g);
  linear(t, &w->proj2, t->M, t->g, NULL, t->features, NULL);
}

parl_status parl_tower_forward(const parl_model *model, parl_tower *tower,
                               const parl_vision_items *items, float **features) {
  PARL_TRY(parl_vision_check(model, items));
  const size_t N = parl_vision_count_patches(items), L = model->dims.vision.L;
  if (N == 0 || N > tower->max_patches)
    return parl_fail(PARL_STATUS_EINVAL, "tower: %zu patches, outside [1, %zu]", N,
                     tower->max_patches);
  tower->N = N;
  tower->M = parl_vision_count_rows(items);
  tower->n_items = items->n_items;
  tower->taps = parl_vision_tables_fill(model, items, &tower->host);
  upload(tower, items);
  embed(tower);
  for (size_t i = 0; i < L; i++)
    block_forward(tower, i, i + 1 < L ? tower->blocks[i + 1].x : tower->x);
  project(tower);
  *features = tower->features;
  return PARL_STATUS_OK;
}

/* ------------------------------------------------------------------------------- backward */

static void clear(parl_tower *t, float *x, size_t rows) {
  parl_queue_fill(t->queue, x, 0, rows * t->model->dims.vision.D * sizeof *x);
}

/* dx as an operand, until another takes the room. */
static const parl_act *stream_gradient(parl_tower *t) {
  return parl_act_from(t->queue, t->dx, t->N * t->model->dims.vision.D, t->room);
}

/* Fills dx with the gradient of the last block's output. */
static void project_backward(parl_tower *t, const float *dfeatures, float *grads) {
  const parl_vision *w = &t->model->vision;
  const size_t patches = PARL_VISION_MERGED * t->M;
  const parl_act *dy = parl_act_from(t->queue, dfeatures, t->M * w->proj2.w.N, t->room);
  linear_backward(t, &w->proj2, t->M, dy, t->g, t->dg, grads);
  gelu_backward(t, t->M * w->proj0.w.N, true, t->u, t->dg, t->dg);
  linear_backward(t, &w->proj0, t->M, t->dg, t->z, t->dz, grads);
  clear(t, t->dx, patches); /* for a while of merged patches, which are no more */
  norm_backward(t, &w->pre_norm, patches, (normed){t->merged, t->merged_mean, t->merged_std}, NULL,
                t->dz, t->dx, grads);
  clear(t, t->dy, t->N);
  mix_rows_backward(t, view_means(t), t->dx, t->dy);
  clear(t, t->dx, t->N);
  norm_backward(t, &w->final_norm, t->N, (normed){t->x, t->final_mean, t->final_std}, t->dy, NULL,
                t->dx, grads);
}

static void attention_backward(parl_tower *t, const parl_block_state *s) {
  const parl_vision_dims *v = &t->model->dims.vision;
  const parl_backend *b = t->model->backend;
  const parl_attention_bwd_args args = {.fwd = view_attention(t, s),
                                        .dout = t->dmixed,
                                        .ld_dout = v->D,
                                        .dq = t->dqkv,
                                        .ld_dq = 3 * v->D,
                                        .dk = parl_act_at(b, t->dqkv, v->D),
                                        .ld_dk = 3 * v->D,
                                        .dv = parl_act_at(b, t->dqkv, 2 * v->D),
                                        .ld_dv = 3 * v->D};
  PARL_RUN(t->queue, attention_bwd, &args);
  rotate(t, t->dqkv, true);
}

/* dx: gradient of the block's output in, of its input out. */
static void block_backward(parl_tower *t, size_t i, float *grads) {
  const parl_vision_block *w = &t->model->vision.blocks[i];
  const parl_block_state *s = &t->blocks[i];
  const size_t N = t->N;
  linear_backward(t, &w->fc1, N, stream_gradient(t), s->g, t->du, grads);
  gelu_backward(t, N * w->fc0.w.N, false, s->u, t->du, t->du);
  linear_backward(t, &w->fc0, N, t->du, s->h1, t->dh, grads);
  norm_backward(t, &w->norm1, N, (normed){s->mid, s->mean1, s->std1}, NULL, t->dh, t->dx, grads);
  linear_backward(t, &w->o, N, stream_gradient(t), s->mixed, t->dmixed, grads);
  attention_backward(t, s);
  linear_backward(t, &w->qkv, N, t->dqkv, s->h0, t->dh, grads);
  norm_backward(t, &w->norm0, N, (normed){s->x, s->mean0, s->std0}, NULL, t->dh, t->dx, grads);
}

parl_status parl_tower_backward(const parl_model *model, parl_tower *tower, const float *dfeatures,
                                float *grads) {
  if (tower->N == 0) return parl_fail(PARL_STATUS_ESTATE, "backward: the tower holds no forward");
  const parl_vision *w = &model->vision;
  project_backward(tower, dfeatures, grads);
  for (size_t i = model->dims.vision.L; i-- > 0;) {
    if (model->config.recompute == PARL_RECOMPUTE_LAYER && i + 1 < model->dims.vision.L)
      block_forward(tower, i, tower->blocks[i + 1].x);
    block_backward(tower, i, grads);
  }
  linear_backward(tower, &w->patch, tower->N, stream_gradient(tower), tower->patches, NULL, grads);
  mix_rows_backward(tower, view_grid(tower), tower->dx,
                    grads + (w->grid - parl_vision_get_range(model).first));
  tower->N = 0; /* the activations of the forward are used up */
  return PARL_STATUS_OK;
}
