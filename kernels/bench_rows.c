/* kernels/bench_rows.c - benchmarks of ops over rows beside the layers'
 * heaviest, of an optimizer's pieces and of sampling.
 *
 * a rows of b, c = 1. Ops that work in place start from the same numbers on
 * both sides. */
#include <math.h>
#include <string.h>

#include "kernels/bench_internal.h"

enum { HEADS = 4 };

/* in: four times [a,b]; index [a]: rows of a table of b; starts: one segment;
 * out: [a,2b], of which the first half is in[0] */
static parl_status setup(parl_bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  const size_t n = t->a * t->b;
  for (size_t i = 0; i < 4; i++) PARL_TRY(parl_bench_take(t, n, i + 1, &t->in[i]));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a, &t->index));
  for (size_t i = 0; i < t->a; i++) t->index[i] = (int32_t)(i % t->b);
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 2, &t->starts));
  t->starts[0] = 0;
  t->starts[1] = (int64_t)n;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a, &t->sums));
  for (size_t i = 0; i < t->a; i++) t->sums[i] = 0.5 + 0.5 * (double)t->in[0][i] * 0.999;
  PARL_TRY(parl_bench_take_outputs(t, 2 * n));
  for (int side = 0; side < 2; side++) memcpy(t->out[side], t->in[0], n * sizeof *t->in[0]);
  return PARL_STATUS_OK;
}

static void step_rmsnorm_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_rmsnorm_bwd_args args = {.rows = t->a,
                                      .C = t->b,
                                      .x = t->in[0],
                                      .ld_x = t->b,
                                      .weight = t->in[1],
                                      .inv_rms = t->in[2],
                                      .dy = t->in[3],
                                      .ld_dy = t->b,
                                      .dx = t->out[side],
                                      .ld_dx = t->b,
                                      .dweight = t->out[side] + t->a * t->b};
  backend->rmsnorm_bwd(t->queue, &args);
}

/* Angles of one turn: a rotation keeps what it turns as long as it is. */
static parl_status setup_rope(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup(t, backends));
  for (size_t i = 0; i < t->a * t->b; i++) {
    const double angle = 3.0 * (double)t->in[1][i];
    t->in[1][i] = (float)cos(angle);
    t->in[2][i] = (float)sin(angle);
  }
  return PARL_STATUS_OK;
}

static void step_rope(parl_bench *t, const parl_backend *backend, int side) {
  const parl_rope_args args = {.rows = t->a,
                               .heads = HEADS,
                               .D = t->b / HEADS,
                               .ld_x = t->b,
                               .head_stride = t->b / HEADS,
                               .x = t->out[side],
                               .positions = t->index,
                               .cos_table = t->in[1],
                               .sin_table = t->in[2]};
  backend->rope(t->queue, &args);
}

static void step_embedding_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_embedding_fwd_args args = {
      .rows = t->a, .C = t->b, .tokens = t->index, .table = t->in[1], .out = t->out[side]};
  backend->embedding_fwd(t->queue, &args);
}

static void step_embedding_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_embedding_bwd_args args = {
      .rows = t->a, .C = t->b, .tokens = t->index, .dout = t->in[1], .dtable = t->out[side]};
  backend->embedding_bwd(t->queue, &args);
}

static void step_policy_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_policy_bwd_args args = {.rows = t->a,
                                     .V = t->b,
                                     .probs = t->in[0],
                                     .target = t->index,
                                     .entropy = t->in[1],
                                     .inv_temperature = 1.0f,
                                     .dlogp = t->in[2],
                                     .dlogits = t->out[side]};
  backend->policy_bwd(t->queue, &args);
}

/* Probabilities: the op takes their logarithms. */
static parl_status setup_policy_bwd(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup(t, backends));
  for (size_t i = 0; i < t->a * t->b; i++) t->in[0][i] = (1.0f + 0.5f * t->in[0][i]) / (float)t->b;
  return PARL_STATUS_OK;
}

static void step_add(parl_bench *t, const parl_backend *backend, int side) {
  const parl_add_args args = {.n = t->a * t->b, .a = 0.5f, .x = t->in[1], .y = t->out[side]};
  backend->add(t->queue, &args);
}

static void step_axpby(parl_bench *t, const parl_backend *backend, int side) {
  const parl_axpby_args args = {
      .n = t->a * t->b, .a = 0.5f, .x = t->in[1], .b = 0.5f, .y = t->out[side]};
  backend->axpby(t->queue, &args);
}

static void step_sum_squares(parl_bench *t, const parl_backend *backend, int side) {
  const parl_sum_squares_args args = {
      .n_segments = 1, .starts = t->starts, .x = t->in[1], .out = t->sums};
  backend->sum_squares(t->queue, &args);
  t->out[side][0] =
      parl_queue_wait(t->queue) == PARL_STATUS_OK ? (float)t->sums[0] : (float)(double)NAN;
}

static void step_copy_rows(parl_bench *t, const parl_backend *backend, int side) {
  const parl_copy2d_args args = {.rows = t->a,
                                 .groups = HEADS,
                                 .width = t->b / HEADS,
                                 .unit = sizeof(float),
                                 .from = t->in[1],
                                 .from_row = t->b,
                                 .from_group = t->b / HEADS,
                                 .to = t->out[side],
                                 .to_row = 2 * t->b,
                                 .to_group = 2 * t->b / HEADS};
  backend->copy2d(t->queue, &args);
}

static void step_transpose(parl_bench *t, const parl_backend *backend, int side) {
  const parl_copy2d_args args = {.rows = t->a,
                                 .groups = t->b,
                                 .width = 1,
                                 .unit = sizeof(float),
                                 .from = t->in[1],
                                 .from_row = t->b,
                                 .from_group = 1,
                                 .to = t->out[side],
                                 .to_row = 1,
                                 .to_group = t->a};
  backend->copy2d(t->queue, &args);
}

static void step_to_act(parl_bench *t, const parl_backend *backend, int side) {
  const parl_to_act_args args = {.n = t->a * t->b, .x = t->in[1], .y = t->out[side]};
  backend->to_act(t->queue, &args);
}

static void step_sum_heads(parl_bench *t, const parl_backend *backend, int side) {
  const parl_sum_heads_args args = {.rows = t->a,
                                    .heads = HEADS,
                                    .D = t->b / HEADS,
                                    .x = t->in[1],
                                    .ld_x = t->b,
                                    .head_stride = t->b / HEADS,
                                    .y = t->out[side],
                                    .ld_y = t->b / HEADS};
  backend->sum_heads(t->queue, &args);
}

static void step_sigmoid_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_sigmoid_fwd_args args = {.n = t->a * t->b, .x = t->out[side]};
  backend->sigmoid_fwd(t->queue, &args);
}

/* y (1 - y) = -1 at the golden ratio: what is multiplied again and again keeps
 * its size. */
static parl_status setup_sigmoid_bwd(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup(t, backends));
  for (size_t i = 0; i < t->a * t->b; i++) t->in[1][i] = 1.618034f;
  return PARL_STATUS_OK;
}

static void step_sigmoid_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_sigmoid_bwd_args args = {.n = t->a * t->b, .y = t->in[1], .dy = t->out[side]};
  backend->sigmoid_bwd(t->queue, &args);
}

/* Of a sum of squares of 1, so that it stays as it is. */
static void step_normalise(parl_bench *t, const parl_backend *backend, int side) {
  t->sums[0] = 1.0;
  const parl_normalise_args args = {.n = t->a * t->b, .squares = t->sums, .x = t->out[side]};
  backend->normalise(t->queue, &args);
}

static void step_round_int4(parl_bench *t, const parl_backend *backend, int side) {
  const parl_round_int4_args args = {
      .rows = t->a, .columns = t->b, .w = t->in[1], .out = t->out[side]};
  backend->round_int4(t->queue, &args);
}

/* Packed forms differ by level: the rows of the products, which read them,
 * compare their content. */
static parl_status setup_pack(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup(t, backends));
  for (int side = 0; side < 2; side++)
    PARL_TRY(
        parl_bench_take(t, backends[side]->linear_pack_elements(t->a, t->b), 0, &t->packed[side]));
  return PARL_STATUS_OK;
}

static void step_pack(parl_bench *t, const parl_backend *backend, int side) {
  const parl_linear_pack_args args = {
      .N = t->a, .K = t->b, .w = t->in[1], .packed = t->packed[side]};
  backend->linear_pack(t->queue, &args);
}

/* in[1]: temperatures of 1; in[2], in[3], in[4]: log-probabilities, entropies and what the nucleus
 * holds, of either side */
static parl_status setup_sample(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup(t, backends));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a, &t->ones));
  PARL_TRY(parl_bench_take(t, t->a, 0, &t->in[4]));
  for (size_t i = 0; i < t->a; i++) {
    t->in[1][i] = 1.0f;
    t->ones[i] = 1.0;
  }
  t->n_chosen = t->a;
  for (int side = 0; side < 2; side++) PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->a, &t->chosen[side]));
  return PARL_STATUS_OK;
}

static void step_sample(parl_bench *t, const parl_backend *backend, int side) {
  const parl_sample_args args = {.rows = t->a,
                                 .V = t->b,
                                 .logits = t->out[side],
                                 .inv_temperature = t->in[1],
                                 .uniform = t->sums,
                                 .top_p = t->ones,
                                 .token = t->chosen[side],
                                 .logp = t->in[2],
                                 .entropy = t->in[3],
                                 .kept = t->in[4]};
  backend->sample(t->queue, &args);
}

/* Per a * b. */
const parl_bench_spec parl_bench_row_specs[] = {
    {"linear_pack", 256, 256, 1, setup_pack, step_pack, 0.0, 8.0},
    {"rmsnorm_bwd", 1024, 128, 1, setup, step_rmsnorm_bwd, 10.0, 16.0},
    {"rope", 1024, 128, 1, setup_rope, step_rope, 3.0, 8.0},
    {"embedding_fwd", 1024, 128, 1, setup, step_embedding_fwd, 0.0, 8.0},
    {"embedding_bwd", 1024, 128, 1, setup, step_embedding_bwd, 1.0, 12.0},
    {"policy_bwd", 1024, 128, 1, setup_policy_bwd, step_policy_bwd, 2.0, 8.0},
    {"sample", 64, 128, 1, setup_sample, step_sample, 5.0, 8.0},
    {"add", 1024, 256, 1, setup, step_add, 2.0, 12.0},
    {"axpby", 1024, 256, 1, setup, step_axpby, 3.0, 12.0},
    {"sum_squares", 1024, 256, 1, setup, step_sum_squares, 2.0, 4.0},
    {"normalise", 1024, 256, 1, setup, step_normalise, 1.0, 8.0},
    {"copy2d", 1024, 256, 1, setup, step_copy_rows, 0.0, 8.0},
    {"copy2d transpose", 256, 256, 1, setup, step_transpose, 0.0, 8.0},
    {"to_act", 1024, 256, 1, setup, step_to_act, 0.0, 8.0},
    {"sum_heads", 1024, 128, 1, setup, step_sum_heads, 1.0, 5.0},
    {"sigmoid_fwd", 1024, 64, 1, setup, step_sigmoid_fwd, 4.0, 8.0},
    {"sigmoid_bwd", 1024, 64, 1, setup_sigmoid_bwd, step_sigmoid_bwd, 3.0, 12.0},
    {"round_int4", 256, 256, 1, setup, step_round_int4, 4.0, 8.0},
};
const size_t parl_bench_n_row_specs = sizeof parl_bench_row_specs / sizeof *parl_bench_row_specs;
