/* engine/dep_bench.c - four ways of one batch in turns; loads from what every piece took. */
#include "engine/dep_bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/seeds.h"
#include "engine/bench.h"
#include "engine/deal.h"
#include "engine/dep_mix.h"
#include "engine/dep_step.h"
#include "engine/flops.h"
#include "engine/policy.h"

enum { N_SLICES = 16, MAX_ROUNDS = 512 };
static const double MEDIAN_ROWS = 12.0, SIGMA = 1.0;

typedef struct bench {
  parl_workers *workers; /* borrowed */
  size_t n_workers, T, V;
  parl_model_config config;
  parl_model *model;
  parl_train_step *step;
  parl_dep_step *deps[PARL_DEP_N_WAYS]; /* none of text */
  parl_dep_mix mix;
  parl_media media;
  parl_arena arena;
  parl_slice text[N_SLICES], seen[N_SLICES];
  size_t *owner;            /* [images] worker of its slice */
  int32_t *places;          /* [images] */
  float *logp, *entropy;    /* [N_SLICES, T] */
  float *dlogp;             /* [T] */
  float *grads, *other;     /* [n_params] on the host: of the first way with images, of another */
  double slice_s[N_SLICES]; /* processor time of a slice, last step; in it, when it began */
  double *loads;            /* [workers] */
  size_t *order, *hand, *heap; /* [images], [images], [workers] */
} bench;

/* Rounds of all ways; sums of loads over them. */
typedef struct rounds {
  size_t n;
  double wall_s[PARL_DEP_N_WAYS][MAX_ROUNDS], cpu_s[PARL_DEP_N_WAYS][MAX_ROUNDS];
  double slice_s[PARL_DEP_N_WAYS][N_SLICES];
  double *image_s[PARL_DEP_N_WAYS][2]; /* [images] of stages 1 and 3 */
} rounds;

static const char *const NAMES[] = {"text", "inside", "unbalanced", "balanced"};
static const parl_dep_schedule SCHEDULES[] = {PARL_DEP_BALANCED, PARL_DEP_INSIDE, PARL_DEP_OWNED,
                                              PARL_DEP_BALANCED};

/* --------------------------------------------------------------------------------- the batch */

static parl_status make_config(bench *b) {
  parl_bench_shape shape;
  PARL_TRY(parl_bench_shape_find("A", &shape));
  b->config = shape.model;
  b->config.vision.n_layers = 2;
  b->config.vision.d_model = 32;
  b->config.vision.n_heads = 2;
  b->config.vision.d_ff = 64;
  b->T = (size_t)b->config.max_context;
  b->V = shape.vocab_size;
  return PARL_STATUS_OK;
}

static parl_status draw_images(bench *b, double share) {
  const parl_dep_mix_def def = {.n_sequences = N_SLICES,
                                .sequence = b->T,
                                .share = share,
                                .median_rows = MEDIAN_ROWS,
                                .sigma = SIGMA,
                                .max_rows = b->T - 1};
  parl_rng_cursor rng = {2, parl_rng_stream(PARL_PURPOSE_IMAGES, 0, 0, 0), 0};
  PARL_TRY(parl_dep_mix_draw(&def, &b->mix));
  const size_t n = b->mix.n, side = (size_t)b->config.vision.patch, pixels = 3 * side * side;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, 3 * n, &b->media.grid_thw));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->owner));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->places));
  for (size_t i = 0; i < n; i++) {
    const parl_dep_image *x = &b->mix.images[i];
    int64_t *grid = b->media.grid_thw + 3 * i;
    grid[0] = 1;
    grid[1] = 2 * (int64_t)x->rows;
    grid[2] = 2 * (int64_t)x->columns;
    b->media.n_patches += 4 * x->rows * x->columns;
    b->owner[i] = x->sequence % b->n_workers;
    b->places[i] = (int32_t)i;
  }
  b->media.n_items = n;
  b->media.config.patch = (int)side;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->media.n_patches * pixels, &b->media.pixels));
  for (size_t i = 0; i < b->media.n_patches * pixels; i++)
    b->media.pixels[i] = (float)(2.0 * parl_rng_next_uniform(&rng) - 1.0);
  return PARL_STATUS_OK;
}

/* Random tokens, all rows in the loss; in `seen` the rows from 1 on are the sequence's images. */
static parl_status fill_slices(bench *b) {
  const size_t T = b->T;
  int32_t *start, *outputs, *tokens, *given;
  parl_rng_cursor rng = {1, parl_rng_stream(PARL_PURPOSE_BENCH, 0, 0, 0), 0};
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, 2, &start));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, T, &outputs));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, T, &given));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, N_SLICES * (T + 1), &tokens));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, N_SLICES * T, &b->logp));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, N_SLICES * T, &b->entropy));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, T, &b->dlogp));
  start[0] = 0;
  start[1] = (int32_t)T;
  for (size_t t = 0; t < T; t++) {
    outputs[t] = (int32_t)t;
    given[t] = (int32_t)t + 1;
    b->dlogp[t] = -1.0F / (float)(N_SLICES * T);
  }
  for (size_t i = 0; i < N_SLICES * (T + 1); i++)
    tokens[i] = (int32_t)parl_rng_next_below(&rng, b->V);
  for (size_t s = 0; s < N_SLICES; s++)
    b->text[s] = b->seen[s] = (parl_slice){.n_seqs = 1,
                                           .seq_start = start,
                                           .tokens = tokens + s * (T + 1),
                                           .n_outputs = T,
                                           .outputs = outputs,
                                           .given_rows = given};
  for (size_t i = 0; i < b->mix.n; i++)
    b->seen[b->mix.images[i].sequence].n_given += b->mix.images[i].rows * b->mix.images[i].columns;
  return PARL_STATUS_OK;
}

static size_t find_largest(const bench *b) {
  size_t largest = 0;
  for (size_t i = 0; i < b->mix.n; i++) {
    const size_t n = 4 * b->mix.images[i].rows * b->mix.images[i].columns;
    if (n > largest) largest = n;
  }
  return largest;
}

static parl_status open_steps(bench *b) {
  parl_train_step_def step = parl_train_step_def_default();
  step.model = b->model;
  step.workers = b->workers;
  step.n_leaves = b->n_workers;
  step.max_rows = step.max_outputs = b->T;
  PARL_TRY(parl_train_step_create(&step, &b->step));
  for (int way = PARL_DEP_WAY_INSIDE; way < PARL_DEP_N_WAYS; way++) {
    const parl_dep_step_def dep = {.model = b->model,
                                   .workers = b->workers,
                                   .n_leaves = b->mix.n,
                                   .max_patches = find_largest(b),
                                   .pack_patches = 1,
                                   .schedule = SCHEDULES[way],
                                   .n_owners = b->n_workers};
    PARL_TRY(parl_dep_step_create(&dep, &b->deps[way]));
  }
  return PARL_STATUS_OK;
}

static parl_status open_bench(bench *b, const parl_backend *backend, double share) {
  PARL_TRY(make_config(b));
  PARL_TRY(draw_images(b, share));
  PARL_TRY(fill_slices(b));
  PARL_TRY(parl_model_create(&b->config, b->V, backend, NULL, &b->model));
  PARL_TRY(parl_model_init_weights(b->model, 1));
  const size_t n = parl_model_get_n_params(b->model);
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->grads));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->other));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n_workers, &b->loads));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->n_workers, &b->heap));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->mix.n, &b->order));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->mix.n, &b->hand));
  return open_steps(b);
}

static void close_bench(bench *b) {
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) parl_dep_step_destroy(b->deps[way]);
  parl_train_step_destroy(b->step);
  parl_model_destroy(b->model);
  parl_dep_mix_deinit(&b->mix);
  parl_arena_deinit(&b->arena);
}

/* ------------------------------------------------------------------------------------ a step */

static parl_status cross_entropy(void *context, size_t i, const parl_slice *slice,
                                 parl_workspace *ws, float *logits) {
  (void)logits;
  const bench *b = context;
  const parl_policy_rows rows = {.n = b->T, .target = slice->tokens + 1, .inv_temperature = 1.0F};
  PARL_TRY(parl_policy_forward(ws, &rows, b->logp + i * b->T, b->entropy + i * b->T));
  parl_policy_backward(ws, &rows, b->dlogp, NULL);
  return PARL_STATUS_OK;
}

static parl_status start_slice(void *context, size_t slice, size_t worker) {
  (void)worker;
  bench *b = context;
  b->slice_s[slice] = parl_clock_thread_s();
  return PARL_STATUS_OK;
}

static parl_status end_slice(void *context, size_t slice, size_t worker) {
  (void)worker;
  bench *b = context;
  b->slice_s[slice] = parl_clock_thread_s() - b->slice_s[slice];
  return PARL_STATUS_OK;
}

static parl_status run_way(bench *b, int way, float **grads) {
  const parl_train_beside beside = {b, start_slice, end_slice};
  const bool is_text = way == PARL_DEP_WAY_TEXT;
  const parl_train_batch batch = {.slices = is_text ? b->text : b->seen,
                                  .n_slices = N_SLICES,
                                  .n_seqs = N_SLICES,
                                  .beside = &beside};
  const parl_dep_step_batch dep = {.batch = batch,
                                   .slices = b->seen,
                                   .media = &b->media,
                                   .n_places = b->mix.n,
                                   .places = b->places};
  if (is_text) return parl_train_step_run(b->step, &batch, cross_entropy, b, grads);
  return parl_dep_step_run(b->deps[way], b->step, &dep, cross_entropy, b, grads);
}

/* Runs every way once; the gradients of those with images are the same, bit for bit. */
static parl_status check_ways(bench *b) {
  const size_t n = parl_model_get_n_params(b->model);
  float *grads = NULL;
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) {
    float *to = way <= PARL_DEP_WAY_INSIDE ? b->grads : b->other;
    PARL_TRY(run_way(b, way, &grads));
    PARL_TRY(parl_train_step_read(b->step, grads, to));
    for (size_t i = 0; i < n; i++)
      if (!isfinite(to[i]))
        return parl_fail(PARL_STATUS_ESTATE, "bench: the gradient of \"%s\" is not finite",
                         NAMES[way]);
    if (way > PARL_DEP_WAY_INSIDE && memcmp(b->grads, b->other, n * sizeof *b->grads) != 0)
      return parl_fail(PARL_STATUS_ESTATE, "bench: \"%s\" and \"inside\" differ in their gradients",
                       NAMES[way]);
  }
  return PARL_STATUS_OK;
}

static parl_status time_way(bench *b, int way, rounds *r) {
  float *grads = NULL;
  const double wall = parl_clock_s(), cpu = parl_clock_cpu_s();
  PARL_TRY(run_way(b, way, &grads));
  r->wall_s[way][r->n] = parl_clock_s() - wall;
  r->cpu_s[way][r->n] = parl_clock_cpu_s() - cpu;
  for (size_t s = 0; s < N_SLICES; s++) r->slice_s[way][s] += b->slice_s[s];
  if (way < PARL_DEP_WAY_UNBALANCED) return PARL_STATUS_OK;
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < b->mix.n; i++)
      r->image_s[way][k][i] += parl_dep_step_get_seconds(b->deps[way], 1 + 2 * k)[i];
  return PARL_STATUS_OK;
}

static parl_status run_rounds(bench *b, double seconds, rounds *r) {
  for (int way = PARL_DEP_WAY_UNBALANCED; way < PARL_DEP_N_WAYS; way++)
    for (int k = 0; k < 2; k++) {
      PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->mix.n, &r->image_s[way][k]));
      for (size_t i = 0; i < b->mix.n; i++) r->image_s[way][k][i] = 0.0;
    }
  PARL_TRY(check_ways(b));
  const double start = parl_clock_s();
  do {
    for (int way = 0; way < PARL_DEP_N_WAYS; way++) PARL_TRY(time_way(b, way, r));
    r->n++;
  } while (parl_clock_s() - start < seconds && r->n < MAX_ROUNDS);
  return PARL_STATUS_OK;
}

/* ------------------------------------------------------------------------------------- loads */

/* What the fullest worker has to do, stage by stage, and the mean one. */
typedef struct stretch {
  double longest, mean;
} stretch;

static void add_loads(const bench *b, stretch *to) {
  to->longest += parl_deal_max(b->n_workers, b->loads);
  to->mean += parl_deal_sum(b->n_workers, b->loads) / (double)b->n_workers;
}

/* costs [n] in the hands of owners: those of slices, or of images. */
static void add_owned(bench *b, size_t n, const double *costs, const size_t *owner, stretch *to) {
  for (size_t w = 0; w < b->n_workers; w++) b->loads[w] = 0.0;
  for (size_t i = 0; i < n; i++) b->loads[owner != NULL ? owner[i] : i % b->n_workers] += costs[i];
  add_loads(b, to);
}

/* Dealt by FLOPs, as long as costs say. */
static void add_dealt(bench *b, const double *costs, stretch *to) {
  const double *flops = parl_dep_step_get_flops(b->deps[PARL_DEP_WAY_BALANCED]);
  parl_deal_sort(b->mix.n, flops, b->order);
  parl_deal(b->mix.n, flops, b->order, b->n_workers, b->hand, b->loads, b->heap);
  add_owned(b, b->mix.n, costs, b->hand, to);
}

static stretch measure_loads(bench *b, int way, const rounds *r) {
  stretch all = {0};
  add_owned(b, N_SLICES, r->slice_s[way], NULL, &all);
  for (int k = 0; k < 2; k++)
    if (way == PARL_DEP_WAY_UNBALANCED)
      add_owned(b, b->mix.n, r->image_s[way][k], b->owner, &all);
    else if (way == PARL_DEP_WAY_BALANCED)
      add_dealt(b, r->image_s[way][k], &all);
  return all;
}

/* Backward is twice the forward; stage 3 is a forward more. */
static stretch predict_loads(bench *b, int way) {
  const double *flops = parl_dep_step_get_flops(b->deps[PARL_DEP_WAY_BALANCED]);
  const double text =
      (double)b->T * parl_shape_train_flops(&b->config, b->V, 0.5 * (double)(b->T + 1));
  double slices[N_SLICES];
  stretch all = {0}, images = {0};
  for (size_t s = 0; s < N_SLICES; s++) slices[s] = text;
  for (size_t i = 0; way == PARL_DEP_WAY_INSIDE && i < b->mix.n; i++)
    slices[b->mix.images[i].sequence] += 3.0 * flops[i];
  add_owned(b, N_SLICES, slices, NULL, &all);
  if (way == PARL_DEP_WAY_UNBALANCED) add_owned(b, b->mix.n, flops, b->owner, &images);
  if (way == PARL_DEP_WAY_BALANCED) add_dealt(b, flops, &images);
  all.longest += 4.0 * images.longest;
  all.mean += 4.0 * images.mean;
  return all;
}

/* ------------------------------------------------------------------------------------ result */

static int by_size(const void *x, const void *y) {
  const double *a = x, *b = y;
  return (*a > *b) - (*a < *b);
}

/* The place of x [n], at a share of them; sorts. */
static double take_quantile(double *x, size_t n, double share) {
  qsort(x, n, sizeof *x, by_size);
  return x[(size_t)(share * (double)(n - 1))];
}

static void fill_row(bench *b, int way, rounds *r, parl_dep_row *row) {
  const stretch cpu = measure_loads(b, way, r), text = measure_loads(b, PARL_DEP_WAY_TEXT, r);
  const stretch flops = predict_loads(b, way);
  double ratios[MAX_ROUNDS], *wall = r->wall_s[way];
  for (size_t i = 0; i < r->n; i++) ratios[i] = r->wall_s[PARL_DEP_WAY_TEXT][i] / wall[i];
  *row = (parl_dep_row){
      .name = NAMES[way],
      .cpu_s = take_quantile(r->cpu_s[way], r->n, 0.5),
      .efficiency = take_quantile(ratios, r->n, 0.5),
      .efficiency_cpu = text.longest / cpu.longest,
      .efficiency_flops = predict_loads(b, PARL_DEP_WAY_TEXT).longest / flops.longest,
      .max_mean_cpu = cpu.longest / cpu.mean,
      .max_mean_flops = flops.longest / flops.mean,
      .bytes = parl_train_step_get_bytes(b->step) +
               (b->deps[way] != NULL ? parl_dep_step_get_bytes(b->deps[way]) : 0)};
}

/* Sorts the rounds, so it comes after the rows that pair them. */
static void fill_speeds(int way, rounds *r, parl_dep_row *row) {
  row->steps_per_s = 1.0 / take_quantile(r->wall_s[way], r->n, 0.5);
  row->low = 1.0 / take_quantile(r->wall_s[way], r->n, 0.9);
  row->high = 1.0 / take_quantile(r->wall_s[way], r->n, 0.1);
}

static void fill_speed(bench *b, rounds *r, parl_dep_speed *out) {
  double cpu = 0.0, wall = 0.0;
  for (int way = 0; way < PARL_DEP_N_WAYS; way++)
    for (size_t i = 0; i < r->n; i++) {
      cpu += r->cpu_s[way][i];
      wall += r->wall_s[way][i];
    }
  const stretch with = predict_loads(b, PARL_DEP_WAY_BALANCED),
                text = predict_loads(b, PARL_DEP_WAY_TEXT);
  *out = (parl_dep_speed){.share = b->mix.n_visual / (double)(N_SLICES * b->T),
                          .n_images = b->mix.n,
                          .n_rounds = r->n,
                          .largest = (double)find_largest(b),
                          .vision = 1.0 - text.mean / with.mean,
                          .cpu_share = cpu / (wall * (double)b->n_workers)};
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) fill_row(b, way, r, &out->rows[way]);
  for (int way = 0; way < PARL_DEP_N_WAYS; way++) fill_speeds(way, r, &out->rows[way]);
}

parl_status parl_dep_bench(const parl_backend *backend, parl_workers *workers, double share,
                           double seconds, parl_dep_speed *out) {
  PARL_REQUIRE(backend != NULL && workers != NULL && out != NULL && isfinite(seconds));
  bench *b = calloc(1, sizeof *b);
  rounds *r = calloc(1, sizeof *r);
  parl_status s = PARL_STATUS_OK;
  if (b == NULL || r == NULL) {
    s = parl_fail(PARL_STATUS_ENOMEM, "bench: no memory");
    goto done;
  }
  b->workers = workers;
  b->n_workers = parl_workers_get_count(workers);
  parl_arena_init(&b->arena, 0);
  s = open_bench(b, backend, share);
  if (s == PARL_STATUS_OK) s = run_rounds(b, seconds, r);
  if (s == PARL_STATUS_OK) fill_speed(b, r, out);
  close_bench(b);
done:
  free(b);
  free(r);
  return s;
}
