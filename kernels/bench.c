/* kernels/bench.c - the table of benchmarks and the clock around it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "kernels/bench_internal.h"

enum { MAX_SAMPLES = 101, SAMPLE_US = 200, BUDGET_US = 60000, PEAK_MS = 5 };
typedef parl_bench bench;
typedef parl_bench_spec spec;

parl_status parl_bench_take(bench *t, size_t n, uint64_t stream, float **out) {
  float *x;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n, &x));
  for (size_t i = 0; i < n; i++)
    x[i] = stream ? (float)(2.0 * parl_rng_uniform(1, stream, i) - 1.0) : 0.0f;
  *out = x;
  return PARL_STATUS_OK;
}

parl_status parl_bench_take_outputs(bench *t, size_t n) {
  t->n_out = n;
  PARL_TRY(parl_bench_take(t, n, 0, &t->out[0]));
  return parl_bench_take(t, n, 0, &t->out[1]);
}

void parl_bench_round_operands(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = ldexpf(roundf(ldexpf(x[i], 7)), -7);
}

/* in: x [a,c], w [b,c], dy [a,b]; out the largest of the three */
static parl_status setup_linear(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(parl_bench_take(t, t->a * t->c, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, t->b * t->c, 2, &t->in[1]));
  PARL_TRY(parl_bench_take(t, t->a * t->b, 3, &t->in[2]));
  parl_bench_round_operands(t->in[0], t->a * t->c);
  parl_bench_round_operands(t->in[1], t->b * t->c);
  parl_bench_round_operands(t->in[2], t->a * t->b);
  for (int side = 0; side < 2; side++) {
    const size_t n = backends[side]->linear_pack_elements(t->b, t->c);
    PARL_TRY(parl_bench_take(t, n, 0, &t->packed[side]));
    const parl_linear_pack_args args = {
        .N = t->b, .K = t->c, .w = t->in[1], .packed = t->packed[side]};
    backends[side]->linear_pack(t->queue, &args);
  }
  const size_t most = t->a > t->b ? t->a : t->b;
  return parl_bench_take_outputs(t, most * (t->b > t->c ? t->b : t->c) + t->b);
}

/* With a bias over the residual: y grows, by as much on both sides. */
static void step_linear_fwd(bench *t, const parl_backend *backend, int side) {
  const parl_linear_fwd_args args = {.M = t->a,
                                     .N = t->b,
                                     .K = t->c,
                                     .x = t->in[0],
                                     .ld_x = t->c,
                                     .packed = t->packed[side],
                                     .bias = t->in[4],
                                     .residual = t->in[4] != NULL ? t->out[side] : NULL,
                                     .y = t->out[side],
                                     .ld_y = t->b};
  backend->linear_fwd(t->queue, &args);
}

static void step_linear_bwd_input(bench *t, const parl_backend *backend, int side) {
  const parl_linear_bwd_input_args args = {.M = t->a,
                                           .N = t->b,
                                           .K = t->c,
                                           .dy = t->in[2],
                                           .ld_dy = t->b,
                                           .w = t->in[1],
                                           .packed = t->packed[side],
                                           .dx = t->out[side],
                                           .ld_dx = t->c};
  backend->linear_bwd_input(t->queue, &args);
}

static void step_linear_bwd_weight(bench *t, const parl_backend *backend, int side) {
  const parl_linear_bwd_weight_args args = {
      .M = t->a,
      .N = t->b,
      .K = t->c,
      .dy = t->in[2],
      .ld_dy = t->b,
      .x = t->in[0],
      .ld_x = t->c,
      .dw = t->out[side],
      .dbias = t->in[4] != NULL ? t->out[side] + t->b * t->c : NULL};
  backend->linear_bwd_weight(t->queue, &args);
}

/* in[4] [b]: a bias, whose gradient stands behind the weights'; without it there is none */
static parl_status setup_bias(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_linear(t, backends));
  return parl_bench_take(t, t->b, 4, &t->in[4]);
}

enum { SEQUENCES = 4 };

/* SEQUENCES of a rows, b heads (one of keys in decoding), c wide. in: q, k, v,
 * out, dout; lse */
static parl_status setup_attention(bench *t, const parl_backend *const backends[2]) {
  const size_t rows = SEQUENCES * t->a, n = rows * t->b * t->c;
  for (size_t i = 0; i < 5; i++) PARL_TRY(parl_bench_take(t, n, i + 1, &t->in[i]));
  PARL_TRY(parl_bench_take(t, rows * t->b, 0, &t->in[5]));
  size_t scratch = backends[0]->attention_scratch_floats(t->a, t->c, t->c);
  const size_t other = backends[1]->attention_scratch_floats(t->a, t->c, t->c);
  if (other > scratch) scratch = other;
  PARL_TRY(parl_bench_take(t, scratch, 0, &t->scratch));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, SEQUENCES + 1, &t->index));
  for (size_t s = 0; s <= SEQUENCES; s++) t->index[s] = (int32_t)(s * t->a);
  return parl_bench_take_outputs(t, 3 * n);
}

static parl_attention_fwd_args attention_args(bench *t, float *out) {
  const size_t ld = t->b * t->c;
  return (parl_attention_fwd_args){.n_seqs = SEQUENCES,
                                   .seq_start = t->index,
                                   .H = t->b,
                                   .H_kv = t->b,
                                   .D = t->c,
                                   .Dv = t->c,
                                   .scale = (float)(1.0 / sqrt((double)t->c)),
                                   .q = t->in[0],
                                   .ld_q = ld,
                                   .k = t->in[1],
                                   .ld_k = ld,
                                   .v = t->in[2],
                                   .ld_v = ld,
                                   .out = out,
                                   .ld_out = ld,
                                   .lse = t->in[5],
                                   .scratch = t->scratch};
}

static void step_attention_fwd(bench *t, const parl_backend *backend, int side) {
  const parl_attention_fwd_args args = attention_args(t, t->out[side]);
  backend->attention_fwd(t->queue, &args);
}

static void step_attention_fwd_both(bench *t, const parl_backend *backend, int side) {
  parl_attention_fwd_args args = attention_args(t, t->out[side]);
  args.both_ways = true;
  backend->attention_fwd(t->queue, &args);
}

static parl_status setup_attention_bwd(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_attention(t, backends));
  const parl_attention_fwd_args args = attention_args(t, t->in[3]);
  backends[1]->attention_fwd(t->queue, &args);
  return PARL_STATUS_OK;
}

static parl_status setup_attention_bwd_both(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_attention(t, backends));
  parl_attention_fwd_args args = attention_args(t, t->in[3]);
  args.both_ways = true;
  backends[1]->attention_fwd(t->queue, &args);
  return PARL_STATUS_OK;
}

static void run_attention_bwd(bench *t, const parl_backend *backend, int side, bool both_ways) {
  const size_t ld = t->b * t->c, n = SEQUENCES * t->a * ld;
  float *out = t->out[side];
  parl_attention_bwd_args args = {.fwd = attention_args(t, t->in[3]),
                                  .dout = t->in[4],
                                  .ld_dout = ld,
                                  .dq = out,
                                  .ld_dq = ld,
                                  .dk = out + n,
                                  .ld_dk = ld,
                                  .dv = out + 2 * n,
                                  .ld_dv = ld};
  args.fwd.both_ways = both_ways;
  backend->attention_bwd(t->queue, &args);
}

static void step_attention_bwd(bench *t, const parl_backend *backend, int side) {
  run_attention_bwd(t, backend, side, false);
}

static void step_attention_bwd_both(bench *t, const parl_backend *backend, int side) {
  run_attention_bwd(t, backend, side, true);
}

/* SEQUENCES slots with contexts of a positions; all heads share one head of
 * keys. The last position is appended: it is what lies there already. */
static parl_status setup_decode(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_attention(t, backends));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 2 * SEQUENCES, &t->index));
  for (size_t s = 0; s < SEQUENCES; s++) {
    t->index[s] = (int32_t)t->a;
    t->index[SEQUENCES + s] = (int32_t)s;
  }
  t->n_out = SEQUENCES * t->b * t->c;
  return PARL_STATUS_OK;
}

static void step_decode(bench *t, const parl_backend *backend, int side) {
  const size_t ld = t->b * t->c, last = (t->a - 1) * t->c;
  const parl_attention_decode_args args = {.rows = SEQUENCES,
                                           .H = t->b,
                                           .H_kv = 1,
                                           .D = t->c,
                                           .Dv = t->c,
                                           .context = t->a,
                                           .scale = (float)(1.0 / sqrt((double)t->c)),
                                           .q = t->in[0],
                                           .ld_q = ld,
                                           .k = t->in[1] + last,
                                           .ld_k = t->a * t->c,
                                           .v = t->in[2] + last,
                                           .ld_v = t->a * t->c,
                                           .k_cache = t->in[1],
                                           .v_cache = t->in[2],
                                           .slots = t->index + SEQUENCES,
                                           .lengths = t->index,
                                           .out = t->out[side],
                                           .ld_out = ld,
                                           .scratch = t->scratch};
  backend->attention_decode(t->queue, &args);
}

/* Element-wise ops over a rows of b: in [a, 2b] four times */
static parl_status setup_rows(bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  for (size_t i = 0; i < 4; i++) PARL_TRY(parl_bench_take(t, 2 * t->a * t->b, i + 1, &t->in[i]));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a, &t->index));
  for (size_t i = 0; i < t->a; i++) t->index[i] = (int32_t)(i % t->b);
  return parl_bench_take_outputs(t, 2 * t->a * t->b);
}

static void step_rmsnorm_fwd(bench *t, const parl_backend *backend, int side) {
  const parl_rmsnorm_fwd_args args = {.rows = t->a,
                                      .C = t->b,
                                      .x = t->in[0],
                                      .ld_x = t->b,
                                      .weight = t->in[1],
                                      .eps = 1e-6f,
                                      .y = t->out[side],
                                      .ld_y = t->b};
  backend->rmsnorm_fwd(t->queue, &args);
}

static void step_swiglu_fwd(bench *t, const parl_backend *backend, int side) {
  const parl_swiglu_fwd_args args = {
      .rows = t->a, .F = t->b, .gate_up = t->in[0], .out = t->out[side]};
  backend->swiglu_fwd(t->queue, &args);
}

static void step_swiglu_bwd(bench *t, const parl_backend *backend, int side) {
  const parl_swiglu_bwd_args args = {
      .rows = t->a, .F = t->b, .gate_up = t->in[0], .dout = t->in[1], .dgate_up = t->out[side]};
  backend->swiglu_bwd(t->queue, &args);
}

static void step_policy_fwd(bench *t, const parl_backend *backend, int side) {
  const parl_policy_fwd_args args = {.rows = t->a,
                                     .V = t->b,
                                     .logits = t->in[0],
                                     .target = t->index,
                                     .inv_temperature = 1.0f,
                                     .probs = t->out[side],
                                     .logp = t->in[2],
                                     .entropy = t->in[3]};
  backend->policy_fwd(t->queue, &args);
}

/* The second moments are positive, and the same for both sides. */
static parl_status setup_adamw(bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_rows(t, backends));
  for (size_t i = 0; i < t->a * t->b; i++) t->in[1][i] = t->in[2][i] = fabsf(t->in[0][i]);
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 2, &t->starts));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 1, &t->decay));
  t->starts[0] = 0;
  t->starts[1] = (int64_t)(t->a * t->b);
  t->decay[0] = 1.0f;
  return PARL_STATUS_OK;
}

static void step_adamw(bench *t, const parl_backend *backend, int side) {
  float *half = t->out[side] + t->a * t->b;
  const parl_adamw_args args = {.n_segments = 1,
                                .starts = t->starts,
                                .decay = t->decay,
                                .params = t->out[side],
                                .grads = t->in[0],
                                .m = half,
                                .v = t->in[1 + side],
                                .grad_scale = 1.0f,
                                .lr = 1e-3f,
                                .beta1 = 0.9f,
                                .beta2 = 0.99f,
                                .eps = 1e-8f,
                                .weight_decay = 0.1f,
                                .correction1 = 0.5f,
                                .correction2 = 0.5f};
  backend->adamw(t->queue, &args);
}

/* Operations and bytes are per a * b * c. Attention counts the half that is causal, or all. */
static const spec specs[] = {
    {"linear_fwd", 1, 128, 128, setup_linear, step_linear_fwd, 2.0, 4.0},
    {"linear_fwd", 16, 128, 128, setup_linear, step_linear_fwd, 2.0, 0.0},
    {"linear_fwd", 256, 64, 64, setup_linear, step_linear_fwd, 2.0, 0.0},
    {"linear_fwd", 1024, 128, 128, setup_linear, step_linear_fwd, 2.0, 0.0},
    {"linear_fwd", 4096, 256, 256, setup_linear, step_linear_fwd, 2.0, 0.0},
    {"linear_fwd", 1024, 1024, 256, setup_linear, step_linear_fwd, 2.0, 0.0},
    {"linear_fwd + bias + residual", 1024, 128, 128, setup_bias, step_linear_fwd, 2.0, 0.0},
    {"linear_bwd_input", 256, 64, 64, setup_linear, step_linear_bwd_input, 2.0, 0.0},
    {"linear_bwd_input", 1024, 128, 128, setup_linear, step_linear_bwd_input, 2.0, 0.0},
    {"linear_bwd_input", 4096, 256, 256, setup_linear, step_linear_bwd_input, 2.0, 0.0},
    {"linear_bwd_input", 1024, 1024, 256, setup_linear, step_linear_bwd_input, 2.0, 0.0},
    {"linear_bwd_weight", 256, 64, 64, setup_linear, step_linear_bwd_weight, 2.0, 0.0},
    {"linear_bwd_weight", 1024, 128, 128, setup_linear, step_linear_bwd_weight, 2.0, 0.0},
    {"linear_bwd_weight", 4096, 256, 256, setup_linear, step_linear_bwd_weight, 2.0, 0.0},
    {"linear_bwd_weight", 1024, 1024, 256, setup_linear, step_linear_bwd_weight, 2.0, 0.0},
    {"linear_bwd_weight + bias", 1024, 128, 128, setup_bias, step_linear_bwd_weight, 2.0, 0.0},
    {"attention_fwd", 128, 4, 32, setup_attention, step_attention_fwd, 2.0 * SEQUENCES * 128, 0.0},
    {"attention_fwd", 256, 8, 32, setup_attention, step_attention_fwd, 2.0 * SEQUENCES * 256, 0.0},
    {"attention_bwd", 128, 4, 32, setup_attention_bwd, step_attention_bwd, 5.0 * SEQUENCES * 128,
     0.0},
    {"attention_bwd", 256, 8, 32, setup_attention_bwd, step_attention_bwd, 5.0 * SEQUENCES * 256,
     0.0},
    {"attention_fwd both ways", 256, 8, 32, setup_attention, step_attention_fwd_both,
     4.0 * SEQUENCES * 256, 0.0},
    {"attention_bwd both ways", 256, 8, 32, setup_attention_bwd_both, step_attention_bwd_both,
     10.0 * SEQUENCES * 256, 0.0},
    {"attention_decode", 128, 4, 32, setup_decode, step_decode, 4.0 * SEQUENCES, 2.0 * SEQUENCES},
    {"attention_decode", 512, 4, 32, setup_decode, step_decode, 4.0 * SEQUENCES, 2.0 * SEQUENCES},
    {"rmsnorm_fwd", 1024, 128, 1, setup_rows, step_rmsnorm_fwd, 4.0, 8.0},
    {"swiglu_fwd", 1024, 256, 1, setup_rows, step_swiglu_fwd, 5.0, 12.0},
    {"swiglu_bwd", 1024, 256, 1, setup_rows, step_swiglu_bwd, 10.0, 20.0},
    {"policy_fwd", 1024, 128, 1, setup_rows, step_policy_fwd, 5.0, 8.0},
    {"adamw", 1024, 256, 1, setup_adamw, step_adamw, 12.0, 28.0},
};

/* ------------------------------------------------------------------------------------
 * the clock */

/* Time that this thread ran, as what other programs take from the core does not count; or, for a
 * device, that passed. */
static double now_us(bool is_device) {
  struct timespec t;
  clock_gettime(is_device ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

parl_status parl_bench_peak_gflops(const parl_backend *backend, double *out) {
  if (backend->peak_gflops == NULL) PARL_TRY(parl_backend_cpu(NULL, &backend));
  const double peak = backend->peak_gflops(20.0);
  if (!(peak > 0.0))
    return parl_fail(PARL_STATUS_ESTATE, "bench: no peak of %s was measured", backend->name);
  *out = peak;
  return PARL_STATUS_OK;
}

/* Both sides start from zeros and take one step. */
static parl_status check(bench *t, const spec *s, const parl_backend *const backends[2]) {
  /* between the products of an expert levels of bf16 round what the oracle
   * keeps */
  const bool is_rounded =
      strcmp(backends[1]->dtype, "bf16") == 0 && strncmp(s->op, "experts", 7) == 0;
  const double tolerance = is_rounded ? 0x1p-6 : 1e-4;
  double most = 0.0;
  for (int side = 0; side < 2; side++) s->step(t, backends[side], side);
  PARL_TRY(parl_queue_wait(t->queue));
  for (size_t i = 0; i < t->n_chosen; i++)
    if (t->chosen[0][i] != t->chosen[1][i])
      return parl_fail(PARL_STATUS_ESTATE,
                       "%s %zux%zux%zu on %s: choice %zu is %d, the oracle's %d", s->op, s->a, s->b,
                       s->c, backends[1]->instructions, i, t->chosen[1][i], t->chosen[0][i]);
  for (size_t i = 0; i < t->n_out; i++) most = fmax(most, fabs((double)t->out[0][i]));
  for (size_t i = 0; i < t->n_out; i++) {
    const double difference = fabs((double)t->out[0][i] - (double)t->out[1][i]);
    if (!(difference <= tolerance * most))
      return parl_fail(PARL_STATUS_ESTATE,
                       "%s %zux%zux%zu on %s: element %zu is %g, the oracle has %g", s->op, s->a,
                       s->b, s->c, backends[1]->instructions, i, (double)t->out[1][i],
                       (double)t->out[0][i]);
  }
  return PARL_STATUS_OK;
}

/* Microseconds of so many steps, until a device is done with them. */
static parl_status time_once(bench *t, const spec *s, const parl_backend *backend, size_t steps,
                             double *out) {
  const bool is_device = backend->device() != parl_device_host();
  const double start = now_us(is_device);
  for (size_t i = 0; i < steps; i++) s->step(t, backend, 1);
  PARL_TRY(parl_queue_wait(t->queue));
  *out = now_us(is_device) - start;
  return PARL_STATUS_OK;
}

static parl_status time_steps(bench *t, const spec *s, const parl_backend *backend,
                              parl_bench_row *row) {
  double samples[MAX_SAMPLES], us = 0.0, total_us = 0.0;
  size_t n = 0, steps = 1;
  for (;;) { /* warm up and find how many steps make a sample */
    PARL_TRY(time_once(t, s, backend, steps, &us));
    if (us > SAMPLE_US) break;
    steps *= 2;
  }
  const uint64_t before = t->queue->n_launches;
  while (n < 5 || (n < MAX_SAMPLES && total_us < BUDGET_US)) {
    PARL_TRY(time_once(t, s, backend, steps, &us));
    total_us += us;
    samples[n++] = us / (double)steps;
  }
  row->launches = (double)(t->queue->n_launches - before) / (double)(n * steps);
  qsort(samples, n, sizeof *samples, by_size);
  row->best_us = samples[0];
  row->median_us = samples[n / 2];
  row->p95_us = samples[(n * 95 + 99) / 100 - 1];
  return PARL_STATUS_OK;
}

static parl_status run(const spec *s, const parl_backend *backend, bench *t,
                       void (*report)(void *context, const parl_bench_row *row), void *context) {
  const parl_backend *const backends[2] = {parl_backend_ref(), backend};
  t->a = s->a, t->b = s->b, t->c = s->c;
  PARL_TRY(parl_queue_create(backend, &t->queue));
  PARL_TRY(s->setup(t, backends));
  PARL_TRY(parl_queue_wait(t->queue)); /* the oracle reads what it made */
  PARL_TRY(check(t, s, backends));
  char name[64];
  snprintf(name, sizeof name, "%s %zux%zux%zu", s->op, s->a, s->b, s->c);
  parl_bench_row row = {
      .name = name, .backend = backend->name, .instructions = backend->instructions};
  const double peak = backend->peak_gflops(PEAK_MS);
  PARL_TRY(time_steps(t, s, backend, &row));
  const double size = (double)(s->a * s->b * s->c);
  row.gflops = s->flops * size / row.median_us * 1e-3;
  row.gbytes = s->bytes * size / row.median_us * 1e-3;
  row.percent_of_peak = 100.0 * row.gflops / peak;
  report(context, &row);
  return PARL_STATUS_OK;
}

static parl_status run_all(const spec *of, size_t n, const parl_backend *backend,
                           void (*row)(void *context, const parl_bench_row *row), void *context) {
  for (size_t i = 0; i < n; i++) {
    bench t = {0};
    parl_arena_init_from(&t.arena, 0, &backend->device()->shared);
    const parl_status status = run(&of[i], backend, &t, row, context);
    parl_queue_destroy(t.queue);
    parl_arena_deinit(&t.arena);
    PARL_TRY(status);
  }
  return PARL_STATUS_OK;
}

parl_status parl_bench_ops(const parl_backend *backend,
                           void (*row)(void *context, const parl_bench_row *row), void *context) {
  PARL_REQUIRE(row != NULL);
  if (backend->peak_gflops == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "the oracle is what ops are checked against, not timed");
  if (backend->act_bytes != sizeof(float))
    return parl_fail(PARL_STATUS_EINVAL,
                     "backend %s keeps operands in %s: its ops are timed in f32 only; --dtype f32",
                     backend->name, backend->dtype);
  if (backend->device()->shared.alloc == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "backend %s: its ops are not timed", backend->name);
  PARL_TRY(run_all(specs, sizeof specs / sizeof *specs, backend, row, context));
  PARL_TRY(run_all(parl_bench_row_specs, parl_bench_n_row_specs, backend, row, context));
  PARL_TRY(run_all(parl_bench_vision_specs, parl_bench_n_vision_specs, backend, row, context));
  return run_all(parl_bench_moe_specs, parl_bench_n_moe_specs, backend, row, context);
}
