/* engine/bench.c - two timed loops over the public parts of the engine. */
#include "engine/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/rng.h"
#include "engine/decoder.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"

enum { CONTEXTS = 512, MAX_GROUP = 64, ACCUMULATORS = 8, MAX_SAMPLES = 1024 };
static const uint64_t TOKEN_PURPOSE = 0x62656e6368; /* "bench" */

/* Columns: name, layers, width, heads, key heads, inner width, sequence, vocabulary, batch. */
static const struct row {
  const char *name;
  int64_t n_layers, d_model, n_heads, n_kv_heads, d_ff, sequence;
  size_t vocab_size, batch;
} ROWS[] = {
    {"quickstart", 2, 64, 4, 4, 128, 160, 160, 64}, {"A", 4, 128, 4, 4, 344, 128, 512, 64},
    {"A-kv1", 4, 128, 4, 1, 344, 128, 512, 64},     {"B", 6, 256, 8, 8, 688, 256, 512, 32},
    {"B-kv1", 6, 256, 8, 1, 688, 256, 512, 32},
};
enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

const char *parl_bench_shape_name(size_t i) {
  return i < N_ROWS ? ROWS[i].name : NULL;
}

parl_status parl_bench_shape_find(const char *name, parl_bench_shape *out) {
  PARL_REQUIRE(name != NULL && out != NULL);
  for (size_t i = 0; i < N_ROWS; i++) {
    const struct row *r = &ROWS[i];
    if (strcmp(r->name, name) != 0) continue;
    parl_bench_shape shape = {.name = r->name, .vocab_size = r->vocab_size, .batch = r->batch};
    parl_config_set_defaults(&parl_model_section, &shape.model);
    shape.model.n_layers = r->n_layers;
    shape.model.d_model = r->d_model;
    shape.model.n_heads = r->n_heads;
    shape.model.n_kv_heads = r->n_kv_heads;
    shape.model.head_dim = r->d_model / r->n_heads;
    shape.model.d_ff = r->d_ff;
    shape.model.max_context = r->sequence;
    *out = shape;
    return PARL_STATUS_OK;
  }
  return parl_fail(PARL_STATUS_EINVAL,
                   "unknown shape \"%s\"; valid: quickstart, A, A-kv1, B, B-kv1", name);
}

/* Everything one measurement owns. */
typedef struct bench {
  const parl_bench_shape *shape;
  parl_workers *workers; /* borrowed */
  parl_arena arena;
  size_t T, V;
  parl_model *model;
  parl_optimizer *optimizer;
  parl_train_step *step;
  parl_slice *slices;       /* [batch] */
  int32_t *seq_start;       /* [2] of every slice */
  int32_t *outputs;         /* [T] of every slice: all rows */
  int32_t *tokens;          /* [batch, T + 1]; the target of a row is the next token */
  float *row_loss;          /* [batch, T] log-probabilities of the targets */
  float *row_entropy;       /* [batch, T] */
  float *row_dlogp;         /* [T] of every slice */
  parl_decoder **decoders;  /* [CONTEXTS / group] */
  size_t n_decoders, group; /* contexts of a decoder */
  size_t wave, first;       /* decoders that run side by side; the first of the next wave */
  double *seconds;          /* [MAX_SAMPLES] */
} bench;

static double read_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sequences that can be learned in part: a token is often the successor of the one before. */
static void fill_tokens(const bench *b) {
  parl_rng_cursor rng = {1, parl_rng_stream(TOKEN_PURPOSE, 0, 0, 0), 0};
  const size_t n = b->shape->batch * (b->T + 1);
  for (size_t i = 0; i < n; i++) {
    const bool follows = i > 0 && parl_rng_next_below(&rng, 4) != 0;
    b->tokens[i] = follows ? (int32_t)(((size_t)b->tokens[i - 1] + 1) % b->V)
                           : (int32_t)parl_rng_next_below(&rng, b->V);
  }
}

static parl_status open_batch(bench *b) {
  const size_t n = b->shape->batch;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->slices));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, 2, &b->seq_start));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->T, &b->outputs));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n * (b->T + 1), &b->tokens));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n * b->T, &b->row_loss));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n * b->T, &b->row_entropy));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, b->T, &b->row_dlogp));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, MAX_SAMPLES, &b->seconds));
  fill_tokens(b);
  b->seq_start[0] = 0;
  b->seq_start[1] = (int32_t)b->T;
  for (size_t t = 0; t < b->T; t++) {
    b->outputs[t] = (int32_t)t;
    b->row_dlogp[t] = -1.0F / (float)(n * b->T);
  }
  for (size_t i = 0; i < n; i++)
    b->slices[i] = (parl_slice){1, b->seq_start, b->tokens + i * (b->T + 1), b->T, b->outputs};
  return PARL_STATUS_OK;
}

static parl_status open_bench(bench *b, const parl_backend *backend) {
  parl_optimizer_config optimizer;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  PARL_TRY(parl_model_create(&b->shape->model, b->V, backend, &b->model));
  parl_model_init_weights(b->model, 1);
  PARL_TRY(open_batch(b));
  PARL_TRY(parl_optimizer_create(&optimizer, b->model, &b->optimizer));
  PARL_TRY(parl_train_step_create(b->model, b->workers, ACCUMULATORS, b->T, b->T, &b->step));
  b->group = parl_decoder_advise_slots(b->model, b->T);
  PARL_CHECK(b->group <= MAX_GROUP && CONTEXTS % b->group == 0);
  const size_t n = CONTEXTS / b->group, n_threads = parl_workers_get_count(b->workers);
  b->wave = n < n_threads ? n : n_threads;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->decoders));
  for (; b->n_decoders < n; b->n_decoders++)
    PARL_TRY(parl_decoder_create(b->model, b->group, b->T, b->group, &b->decoders[b->n_decoders]));
  return PARL_STATUS_OK;
}

static void close_bench(bench *b) {
  for (size_t i = 0; i < b->n_decoders; i++) parl_decoder_destroy(b->decoders[i]);
  parl_train_step_destroy(b->step);
  parl_optimizer_destroy(b->optimizer);
  parl_model_destroy(b->model);
  parl_arena_deinit(&b->arena);
}

/* Mean cross-entropy of the next token. */
static parl_status cross_entropy(void *context, size_t index, const parl_slice *slice,
                                 float *logits) {
  const bench *b = context;
  const size_t row = index * b->T;
  const int32_t *target = slice->tokens + 1;
  const parl_policy_fwd_args fwd = {.rows = b->T,
                                    .V = b->V,
                                    .logits = logits,
                                    .target = target,
                                    .inv_temperature = 1.0F,
                                    .probs = logits,
                                    .logp = b->row_loss + row,
                                    .entropy = b->row_entropy + row};
  const parl_backend *backend = parl_model_get_backend(b->model);
  backend->policy_fwd(&fwd);
  const parl_policy_bwd_args bwd = {.rows = b->T,
                                    .V = b->V,
                                    .probs = logits,
                                    .target = target,
                                    .entropy = b->row_entropy + row,
                                    .inv_temperature = 1.0F,
                                    .dlogp = b->row_dlogp,
                                    .dlogits = logits};
  backend->policy_bwd(&bwd);
  return PARL_STATUS_OK;
}

static parl_status train_once(bench *b) {
  float *grads = NULL;
  PARL_TRY(parl_train_step_run(b->step, b->slices, b->shape->batch, cross_entropy, b, &grads));
  return parl_optimizer_step(b->optimizer, b->model, grads, NULL);
}

/* Task: one decoder's contexts from the first position to the last, fed with the batch's tokens. */
static parl_status decode_group(void *context, size_t task, size_t worker) {
  (void)worker;
  const bench *b = context;
  const size_t group = (b->first + task) % b->n_decoders;
  parl_decoder *d = b->decoders[group];
  parl_decoder_row rows[MAX_GROUP];
  float *logits = NULL;
  for (size_t s = 0; s < b->group; s++) parl_decoder_reset(d, (int32_t)s);
  for (size_t t = 0; t < b->T; t++) {
    for (size_t s = 0; s < b->group; s++) {
      const size_t sequence = (group * b->group + s) % b->shape->batch;
      rows[s] = (parl_decoder_row){(int32_t)s, b->slices[sequence].tokens[t], true};
    }
    PARL_TRY(parl_decoder_step(d, rows, b->group, &logits));
  }
  if (!isfinite(logits[0]))
    return parl_fail(PARL_STATUS_ESTATE, "bench: the logits of context %zu are not finite",
                     group * b->group);
  return PARL_STATUS_OK;
}

/* The next wave: one decoder a thread, round and round through all contexts. */
static parl_status decode_once(bench *b) {
  PARL_TRY(parl_workers_run(b->workers, b->wave, decode_group, b));
  b->first = (b->first + b->wave) % b->n_decoders;
  return PARL_STATUS_OK;
}

static int compare(const void *x, const void *y) {
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* Warms up once, then repeats for `seconds`; *median of one repetition in seconds. */
static parl_status measure(bench *b, parl_status (*once)(bench *), double seconds, double *median,
                           size_t *n_samples) {
  PARL_TRY(once(b));
  const double start = read_clock();
  double before = start;
  size_t n = 0;
  do {
    PARL_TRY(once(b));
    const double now = read_clock();
    b->seconds[n++] = now - before;
    before = now;
  } while (before - start < seconds && n < MAX_SAMPLES);
  qsort(b->seconds, n, sizeof *b->seconds, compare);
  *median = b->seconds[n / 2];
  *n_samples = n;
  return PARL_STATUS_OK;
}

static parl_status run(bench *b, double seconds, parl_bench_result *r) {
  const double context = 0.5 * (double)(b->T + 1); /* mean visible positions */
  double update = 0.0, wave = 0.0, loss = 0.0;
  PARL_TRY(measure(b, train_once, seconds, &update, &r->n_updates));
  const size_t n = b->shape->batch * b->T;
  for (size_t i = 0; i < n; i++) loss -= (double)b->row_loss[i] / (double)n;
  if (!isfinite(loss))
    return parl_fail(PARL_STATUS_ESTATE, "bench: the loss is %g after %zu updates", loss,
                     r->n_updates);
  PARL_TRY(measure(b, decode_once, seconds, &wave, &r->n_waves));
  r->n_params = parl_model_get_n_params(b->model);
  r->loss = loss;
  r->train_tokens_per_s = (double)n / update;
  r->train_gflops = 1e-9 * r->train_tokens_per_s * parl_model_train_flops(b->model, context);
  r->decode_tokens_per_s = (double)(b->wave * b->group * b->T) / wave;
  r->decode_gflops = 1e-9 * r->decode_tokens_per_s * parl_model_decode_flops(b->model, context);
  return PARL_STATUS_OK;
}

parl_status parl_bench_engine(const parl_bench_shape *shape, const parl_backend *backend,
                              parl_workers *workers, double seconds, parl_bench_result *out) {
  PARL_REQUIRE(shape != NULL && backend != NULL && workers != NULL && out != NULL);
  PARL_REQUIRE(shape->batch >= 1 && isfinite(seconds));
  bench b = {.shape = shape,
             .workers = workers,
             .T = (size_t)shape->model.max_context,
             .V = shape->vocab_size};
  parl_bench_result result = {0};
  parl_arena_init(&b.arena, 0);
  parl_status s = open_bench(&b, backend);
  if (s == PARL_STATUS_OK) s = run(&b, seconds, &result);
  close_bench(&b);
  if (s == PARL_STATUS_OK) *out = result;
  return s;
}
