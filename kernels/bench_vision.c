/* kernels/bench_vision.c - benchmarks of what the vision tower has and the decoder has not.
 *
 * a rows of b; c = 1, or the taps of a row. */
#include "kernels/bench_internal.h"

/* in: x, dy [a,b], weight and bias [2b], moments [2a]; out: [a + 2, b] */
static parl_status setup_norm(parl_bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  PARL_TRY(parl_bench_take(t, t->a * t->b, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, t->a * t->b, 2, &t->in[1]));
  PARL_TRY(parl_bench_take(t, 2 * t->b, 3, &t->in[2]));
  PARL_TRY(parl_bench_take(t, 2 * t->a, 4, &t->in[3]));
  return parl_bench_take_outputs(t, (t->a + 2) * t->b);
}

static void step_layernorm_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_layernorm_fwd_args args = {.rows = t->a,
                                        .C = t->b,
                                        .x = t->in[0],
                                        .ld_x = t->b,
                                        .weight = t->in[2],
                                        .bias = t->in[2] + t->b,
                                        .eps = 1e-5f,
                                        .y = t->out[side],
                                        .ld_y = t->b};
  backend->layernorm_fwd(t->queue, &args);
}

static void step_layernorm_bwd(parl_bench *t, const parl_backend *backend, int side) {
  float *out = t->out[side];
  const parl_layernorm_bwd_args args = {.rows = t->a,
                                        .C = t->b,
                                        .x = t->in[0],
                                        .ld_x = t->b,
                                        .weight = t->in[2],
                                        .mean = t->in[3],
                                        .inv_std = t->in[3] + t->a,
                                        .dy = t->in[1],
                                        .ld_dy = t->b,
                                        .dx = out,
                                        .ld_dx = t->b,
                                        .dweight = out + t->a * t->b,
                                        .dbias = out + (t->a + 1) * t->b};
  backend->layernorm_bwd(t->queue, &args);
}

/* in: x between -4 and 4, dy [a,b] */
static parl_status setup_gelu(parl_bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  const size_t n = t->a * t->b;
  for (size_t i = 0; i < 2; i++) PARL_TRY(parl_bench_take(t, n, i + 1, &t->in[i]));
  for (size_t i = 0; i < n; i++) t->in[0][i] *= 4.0f;
  return parl_bench_take_outputs(t, n);
}

static void run_gelu_fwd(parl_bench *t, const parl_backend *backend, int side, bool exact) {
  const parl_gelu_fwd_args args = {
      .n = t->a * t->b, .exact = exact, .x = t->in[0], .y = t->out[side]};
  backend->gelu_fwd(t->queue, &args);
}

static void step_gelu_fwd(parl_bench *t, const parl_backend *backend, int side) {
  run_gelu_fwd(t, backend, side, false);
}

static void step_gelu_fwd_exact(parl_bench *t, const parl_backend *backend, int side) {
  run_gelu_fwd(t, backend, side, true);
}

static void run_gelu_bwd(parl_bench *t, const parl_backend *backend, int side, bool exact) {
  const parl_gelu_bwd_args args = {
      .n = t->a * t->b, .exact = exact, .x = t->in[0], .dy = t->in[1], .dx = t->out[side]};
  backend->gelu_bwd(t->queue, &args);
}

static void step_gelu_bwd(parl_bench *t, const parl_backend *backend, int side) {
  run_gelu_bwd(t, backend, side, false);
}

static void step_gelu_bwd_exact(parl_bench *t, const parl_backend *backend, int side) {
  run_gelu_bwd(t, backend, side, true);
}

/* in: table or dout [a,b], weights [a,c]; index [a,c]: c neighbours of row r, around the end */
static parl_status setup_mix(parl_bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  PARL_TRY(parl_bench_take(t, t->a * t->b, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, t->a * t->c, 2, &t->in[1]));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a * t->c, &t->index));
  for (size_t i = 0; i < t->a * t->c; i++) t->index[i] = (int32_t)((i / t->c + i % t->c) % t->a);
  return parl_bench_take_outputs(t, t->a * t->b);
}

static void step_mix_rows_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_mix_rows_fwd_args args = {.rows = t->a,
                                       .taps = t->c,
                                       .C = t->b,
                                       .weights = t->in[1],
                                       .index = t->index,
                                       .table = t->in[0],
                                       .out = t->out[side]};
  backend->mix_rows_fwd(t->queue, &args);
}

static void step_mix_rows_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_mix_rows_bwd_args args = {.rows = t->a,
                                       .taps = t->c,
                                       .C = t->b,
                                       .weights = t->in[1],
                                       .index = t->index,
                                       .dout = t->in[0],
                                       .dtable = t->out[side]};
  backend->mix_rows_bwd(t->queue, &args);
}

/* Per a * b * c. What a tap reads, and in the gradient writes, counts. */
const parl_bench_spec parl_bench_vision_specs[] = {
    {"layernorm_fwd", 1024, 128, 1, setup_norm, step_layernorm_fwd, 8.0, 8.0},
    {"layernorm_bwd", 1024, 128, 1, setup_norm, step_layernorm_bwd, 16.0, 16.0},
    {"gelu_fwd", 1024, 256, 1, setup_gelu, step_gelu_fwd, 25.0, 8.0},
    {"gelu_fwd exact", 1024, 256, 1, setup_gelu, step_gelu_fwd_exact, 40.0, 8.0},
    {"gelu_bwd", 1024, 256, 1, setup_gelu, step_gelu_bwd, 32.0, 12.0},
    {"gelu_bwd exact", 1024, 256, 1, setup_gelu, step_gelu_bwd_exact, 42.0, 12.0},
    {"mix_rows_fwd", 1024, 128, 16, setup_mix, step_mix_rows_fwd, 2.0, 4.0},
    {"mix_rows_fwd", 1024, 128, 1, setup_mix, step_mix_rows_fwd, 2.0, 8.0},
    {"mix_rows_bwd", 1024, 128, 16, setup_mix, step_mix_rows_bwd, 2.0, 12.0},
    {"mix_rows_bwd", 1024, 128, 1, setup_mix, step_mix_rows_bwd, 2.0, 12.0},
};
const size_t parl_bench_n_vision_specs =
    sizeof parl_bench_vision_specs / sizeof *parl_bench_vision_specs;
