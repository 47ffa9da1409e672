/* engine/bench.c - two timed loops over the public parts of the engine. */
#include "engine/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/seeds.h"
#include "engine/decoder.h"
#include "engine/optimizer.h"
#include "engine/policy.h"
#include "engine/preset.h"
#include "engine/train_step.h"
#include "kernels/bench.h"

enum { MAX_GROUP = 64 };

/* Columns: layers, width, heads, inner width, sequence, vocabulary, batch, contexts, leaves. */
typedef struct base {
  int64_t n_layers, d_model, n_heads, d_ff, sequence;
  size_t vocab_size, batch, contexts, n_leaves;
  bool is_large;
} base;
#define QUICKSTART \
  { 2, 32, 4, 64, 160, 215, 64, 512, 8, false }
#define A \
  { 4, 128, 4, 344, 128, 512, 64, 512, 8, false }
#define B \
  { 6, 256, 8, 688, 256, 512, 32, 512, 8, false }
#define M124 \
  { 12, 768, 12, 3456, 1024, 512, 4, 128, 8, true }
#define B1 \
  { 16, 2048, 16, 768, 1024, 512, 4, 64, 1, true }

static const struct row {
  const char *name, *preset;
  base base;
  int64_t n_key_heads;         /* 0: as many as heads */
  int64_t n_experts, n_chosen; /* 0: as many as the preset's */
} ROWS[] = {
    {"quickstart", "dense", QUICKSTART, 0, 0, 0},
    {"A", "dense", A, 0, 0, 0},
    {"A_mqa", "dense", A, 1, 0, 0},
    {"A_mla", "mla", A, 0, 0, 0},
    {"A_moe", "moe", A, 0, 0, 0},
    {"A_mla_moe", "k2", A, 0, 0, 0},
    {"B", "dense", B, 0, 0, 0},
    {"B_mqa", "dense", B, 1, 0, 0},
    {"B_mla", "mla", B, 0, 0, 0},
    {"B_moe", "moe", B, 0, 0, 0},
    {"B_mla_moe", "k2", B, 0, 0, 0},
    {"124M", "dense", M124, 0, 0, 0},
    {"124M_gqa", "dense", M124, 4, 0, 0},
    {"1B_mla_moe", "k2", B1, 0, 32, 4},
};
enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };
#undef QUICKSTART
#undef A
#undef B
#undef M124
#undef B1

const char *parl_bench_shape_name(size_t i) {
  return i < N_ROWS ? ROWS[i].name : NULL;
}

const char *parl_bench_job_name(parl_bench_job job) {
  static const char *const names[] = {"train", "decode", "decode_bf16"};
  return names[job];
}

static parl_status make_shape(const struct row *r, parl_bench_shape *out) {
  const base *b = &r->base;
  parl_bench_shape shape = {.name = r->name,
                            .vocab_size = b->vocab_size,
                            .batch = b->batch,
                            .contexts = b->contexts,
                            .n_leaves = b->n_leaves,
                            .is_large = b->is_large};
  parl_config_set_defaults(&parl_model_section, &shape.model);
  shape.model.n_layers = b->n_layers;
  shape.model.d_model = b->d_model;
  shape.model.n_heads = b->n_heads;
  shape.model.n_kv_heads = r->n_key_heads > 0 ? r->n_key_heads : b->n_heads;
  shape.model.head_dim = b->d_model / b->n_heads;
  shape.model.d_ff = b->d_ff;
  shape.model.max_context = b->sequence;
  PARL_TRY(parl_model_apply_preset(r->preset, &shape.model));
  if (r->n_experts > 0) {
    shape.model.n_routed_experts = r->n_experts;
    shape.model.n_experts_per_tok = r->n_chosen;
  }
  *out = shape;
  return PARL_STATUS_OK;
}

parl_status parl_bench_shape_find(const char *name, parl_bench_shape *out) {
  PARL_REQUIRE(name != NULL && out != NULL);
  const char *names[N_ROWS];
  for (size_t i = 0; i < N_ROWS; i++) {
    names[i] = ROWS[i].name;
    if (strcmp(names[i], name) == 0) return make_shape(&ROWS[i], out);
  }
  const char *near = parl_nearest(name, names, N_ROWS);
  return parl_fail(PARL_STATUS_EINVAL, "unknown shape \"%s\"%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Everything one measurement owns. */
typedef struct bench {
  const parl_bench_shape *shape;
  parl_workers *workers; /* borrowed */
  double *peaks;         /* [threads] of the last measurement of the peak */
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
  parl_decoder **decoders;  /* [contexts / group] */
  size_t n_decoders, group; /* contexts of a decoder */
  size_t wave, first;       /* decoders that run side by side; the first of the next wave */
  uint64_t n_updates;
} bench;

/* Sequences that can be learned in part: a token is often the successor of the one before. */
static void fill_tokens(const bench *b) {
  parl_rng_cursor rng = {1, parl_rng_stream(PARL_PURPOSE_BENCH, 0, 0, 0), 0};
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
  fill_tokens(b);
  b->seq_start[0] = 0;
  b->seq_start[1] = (int32_t)b->T;
  for (size_t t = 0; t < b->T; t++) {
    b->outputs[t] = (int32_t)t;
    b->row_dlogp[t] = -1.0F / (float)(n * b->T);
  }
  for (size_t i = 0; i < n; i++)
    b->slices[i] = (parl_slice){.n_seqs = 1,
                                .seq_start = b->seq_start,
                                .tokens = b->tokens + i * (b->T + 1),
                                .n_outputs = b->T,
                                .outputs = b->outputs};
  return PARL_STATUS_OK;
}

static parl_status open_bench(bench *b, const parl_backend *backend) {
  PARL_TRY(parl_model_create(&b->shape->model, b->V, backend, NULL, &b->model));
  PARL_TRY(parl_model_init_weights(b->model, 1));
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, parl_workers_get_count(b->workers), &b->peaks));
  return open_batch(b);
}

static parl_status open_training(bench *b) {
  parl_optimizer_config optimizer;
  parl_config_set_defaults(&parl_optimizer_section, &optimizer);
  PARL_TRY(parl_optimizer_create(&optimizer, b->model, &b->optimizer));
  parl_train_step_def step = parl_train_step_def_default();
  step.model = b->model;
  step.workers = b->workers;
  step.n_leaves = b->shape->n_leaves;
  step.max_rows = step.max_outputs = b->T;
  return parl_train_step_create(&step, &b->step);
}

static parl_status open_decoders(bench *b, parl_cache_dtype cache) {
  b->group = parl_decoder_advise_slots(b->model, b->T, cache);
  PARL_CHECK(b->group <= MAX_GROUP && b->shape->contexts % b->group == 0);
  const size_t n = b->shape->contexts / b->group, n_threads = parl_workers_get_count(b->workers);
  b->wave = n < n_threads ? n : n_threads;
  PARL_TRY(PARL_ARENA_TAKE(&b->arena, n, &b->decoders));
  const parl_decoder_def decoder = {b->model, .n_slots = b->group, .max_context = b->T,
                                    .max_rows = b->group, .cache = cache};
  for (; b->n_decoders < n; b->n_decoders++)
    PARL_TRY(parl_decoder_create(&decoder, &b->decoders[b->n_decoders]));
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
                                 parl_workspace *ws, float *logits) {
  (void)logits;
  const bench *b = context;
  const size_t row = index * b->T;
  const parl_policy_rows rows = {.n = b->T, .target = slice->tokens + 1, .inv_temperature = 1.0F};
  PARL_TRY(parl_policy_forward(ws, &rows, b->row_loss + row, b->row_entropy + row));
  parl_policy_backward(ws, &rows, b->row_dlogp, NULL);
  return PARL_STATUS_OK;
}

static parl_status train_once(void *context) {
  bench *b = context;
  float *grads = NULL;
  const parl_train_batch batch = {
      .slices = b->slices, .n_slices = b->shape->batch, .n_seqs = b->shape->batch};
  PARL_TRY(parl_train_step_run(b->step, &batch, cross_entropy, b, &grads));
  PARL_TRY(parl_optimizer_step(b->optimizer, b->model, grads, NULL));
  b->n_updates++;
  return parl_model_balance(b->model, parl_train_step_get_load(b->step));
}

/* Whether a step draws, too, which a device does in the same go; a CPU's rows are without that. */
static bool draws(const bench *b) {
  return !parl_model_is_on_host(b->model);
}

/* A step of all contexts of a decoder at position t, fed with the batch's tokens. */
static parl_status decode_step(const bench *b, size_t group, size_t t) {
  parl_decoder *d = b->decoders[group];
  parl_decoder_row rows[MAX_GROUP];
  parl_pick picks[MAX_GROUP] = {{0}};
  parl_sample samples[MAX_GROUP];
  float *logits = NULL, first;
  for (size_t s = 0; s < b->group; s++) {
    const size_t sequence = (group * b->group + s) % b->shape->batch;
    rows[s] = (parl_decoder_row){
        .slot = (int32_t)s, .token = b->slices[sequence].tokens[t], .want_logits = true};
  }
  if (draws(b)) {
    for (size_t s = 0; s < b->group; s++) PARL_TRY(parl_decoder_push(d, &rows[s]));
    PARL_TRY(parl_decoder_begin(d, picks, b->group));
    PARL_TRY(parl_decoder_end_sample(d, b->group, samples));
    first = samples[0].logp;
  } else {
    PARL_TRY(parl_decoder_step(d, rows, b->group, &logits));
    if (t + 1 < b->T) return PARL_STATUS_OK;
    PARL_TRY(parl_decoder_read(d, logits, 1, &first));
  }
  if (isfinite(first)) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_ESTATE, "bench: the logits of context %zu are not finite",
                   group * b->group);
}

/* Task: one decoder's contexts from the first position to the last. */
static parl_status decode_group(void *context, size_t task, size_t worker) {
  (void)worker;
  const bench *b = context;
  const size_t group = (b->first + task) % b->n_decoders;
  for (size_t s = 0; s < b->group; s++) parl_decoder_reset(b->decoders[group], (int32_t)s);
  for (size_t t = 0; t < b->T; t++) PARL_TRY(decode_step(b, group, t));
  return PARL_STATUS_OK;
}

/* Of a step of all rows of a decoder, from its first position on. */
static parl_status count_step(const bench *b, parl_bench_speed *r) {
  parl_decoder *d = b->decoders[0];
  for (size_t s = 0; s < b->group; s++) parl_decoder_reset(d, (int32_t)s);
  const uint64_t before = parl_decoder_count_launches(d);
  PARL_TRY(decode_step(b, 0, 0));
  r->launches = (double)(parl_decoder_count_launches(d) - before);
  r->nodes = (double)parl_decoder_count_nodes(d);
  return PARL_STATUS_OK;
}

static double count_update_launches(const bench *b) {
  const uint64_t n = parl_train_step_count_launches(b->step) +
                     parl_optimizer_count_launches(b->optimizer) +
                     parl_model_count_launches(b->model);
  return (double)n / (double)b->n_updates;
}

/* The next wave: one decoder a thread, round and round through all contexts. */
static parl_status decode_once(void *context) {
  bench *b = context;
  PARL_TRY(parl_workers_run(b->workers, b->wave, decode_group, b));
  b->first = (b->first + b->wave) % b->n_decoders;
  return PARL_STATUS_OK;
}

/* Task: one thread's share of the peak, into gflops [n_threads]. */
static parl_status measure_peak(void *context, size_t task, size_t worker) {
  (void)worker;
  const bench *b = context;
  return parl_bench_peak_gflops(parl_model_get_backend(b->model), &b->peaks[task]);
}

/* Raises *peak to what all threads reach together now. */
static parl_status raise_peak(bench *b, double *peak) {
  const size_t n = parl_workers_get_count(b->workers);
  double sum = 0.0;
  PARL_TRY(parl_workers_run(b->workers, n, measure_peak, b));
  for (size_t i = 0; i < n; i++) sum += b->peaks[i];
  if (sum > *peak) *peak = sum;
  return PARL_STATUS_OK;
}

static parl_status check_loss(const bench *b, parl_bench_speed *r) {
  const size_t n = b->shape->batch * b->T;
  double loss = 0.0;
  for (size_t i = 0; i < n; i++) loss -= (double)b->row_loss[i] / (double)n;
  if (!isfinite(loss))
    return parl_fail(PARL_STATUS_ESTATE, "bench: the loss of %s is %g", b->shape->name, loss);
  r->loss = loss;
  return PARL_STATUS_OK;
}

static parl_status run(bench *b, parl_bench_job job, double seconds, parl_bench_speed *r) {
  const bool trains = job == PARL_BENCH_TRAIN;
  const double context = 0.5 * (double)(b->T + 1); /* mean visible positions */
  const double flops = trains ? parl_model_train_flops(b->model, context)
                              : parl_model_decode_flops(b->model, context);
  const double tokens = (double)(trains ? b->shape->batch * b->T : b->wave * b->group * b->T);
  parl_bench_timing t;
  PARL_TRY(raise_peak(b, &r->peak_gflops));
  PARL_TRY(parl_bench_repeat(trains ? train_once : decode_once, b, seconds, &t));
  PARL_TRY(raise_peak(b, &r->peak_gflops));
  if (trains) {
    PARL_TRY(check_loss(b, r));
    r->launches = count_update_launches(b);
  } else {
    PARL_TRY(count_step(b, r));
  }
  r->n_kept = t.n_kept;
  r->n_dropped = t.n_dropped;
  r->cpu_share = t.cpu_share / (double)parl_workers_get_count(b->workers);
  r->n_params = parl_model_get_n_params(b->model);
  r->tokens_per_s = tokens / t.median_s;
  r->low = tokens / t.slow_s;
  r->high = tokens / t.fast_s;
  r->gflops = 1e-9 * r->tokens_per_s * flops;
  return PARL_STATUS_OK;
}

parl_status parl_bench_engine(const parl_bench_shape *shape, parl_bench_job job,
                              const parl_backend *backend, parl_workers *workers, double seconds,
                              parl_bench_speed *out) {
  PARL_REQUIRE(shape != NULL && backend != NULL && workers != NULL && out != NULL);
  PARL_REQUIRE(shape->batch >= 1 && shape->n_leaves >= 1 && isfinite(seconds));
  bench b = {.shape = shape,
             .workers = workers,
             .T = (size_t)shape->model.max_context,
             .V = shape->vocab_size};
  parl_bench_speed speed = {0};
  parl_arena_init(&b.arena, 0);
  parl_status s = open_bench(&b, backend);
  const bool bf16 = job == PARL_BENCH_DECODE_BF16;
  if (s == PARL_STATUS_OK)
    s = job == PARL_BENCH_TRAIN ? open_training(&b)
                                : open_decoders(&b, bf16 ? PARL_CACHE_BF16 : PARL_CACHE_F32);
  if (s == PARL_STATUS_OK) s = run(&b, job, seconds, &speed);
  close_bench(&b);
  if (s == PARL_STATUS_OK) *out = speed;
  return s;
}
