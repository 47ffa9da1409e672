/* kernels/bench_moe.c - benchmarks of sparse layers: routing, experts, and the
 * way there and back.
 *
 * a tokens, b experts of which CHOSEN are chosen, c wide. */
#include <math.h>
#include <string.h>

#include "kernels/bench_internal.h"

enum { CHOSEN = 4 };

static parl_router make_router(const parl_bench *t) {
  return (parl_router){.n_experts = t->b,
                       .n_chosen = CHOSEN,
                       .n_group = 1,
                       .topk_group = 1,
                       .normalise = true,
                       .scale = 2.0};
}

/* in: scores [a,b], biases [b], gradients of weights; index: one sequence, then
 * the oracle's choices [a,CHOSEN] */
static parl_status setup_route(parl_bench *t, const parl_backend *const backends[2]) {
  const size_t n = t->a * CHOSEN;
  PARL_TRY(parl_bench_take(t, t->a * t->b, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, t->b, 2, &t->in[1]));
  PARL_TRY(parl_bench_take(t, n, 3, &t->in[2]));
  PARL_TRY(parl_bench_take(t, n, 0, &t->in[3]));
  for (size_t i = 0; i < t->a * t->b; i++) t->in[0][i] = 0.5f + 0.4f * t->in[0][i];
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 2 + n, &t->index));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, 1, &t->sums));
  t->index[0] = 0;
  t->index[1] = (int32_t)t->a;
  const parl_route_fwd_args args = {.router = make_router(t),
                                    .rows = t->a,
                                    .scores = t->in[0],
                                    .bias = t->in[1],
                                    .chosen = t->index + 2,
                                    .weights = t->in[3]};
  backends[0]->route_fwd(t->queue, &args);
  t->n_chosen = 2 * n + t->b + 1;
  for (int side = 0; side < 2; side++) {
    PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->n_chosen, &t->chosen[side]));
    memset(t->chosen[side], 0, t->n_chosen * sizeof *t->chosen[side]);
  }
  return parl_bench_take_outputs(t, t->a * t->b + n);
}

static void step_route_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_route_fwd_args args = {.router = make_router(t),
                                    .rows = t->a,
                                    .scores = t->in[0],
                                    .bias = t->in[1],
                                    .chosen = t->chosen[side],
                                    .weights = t->out[side]};
  backend->route_fwd(t->queue, &args);
}

static void step_route_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_route_bwd_args args = {.router = make_router(t),
                                    .rows = t->a,
                                    .scores = t->in[0],
                                    .chosen = t->index + 2,
                                    .dweights = t->in[2],
                                    .dscores = t->out[side]};
  backend->route_bwd(t->queue, &args);
}

static void step_balance(parl_bench *t, const parl_backend *backend, int side) {
  const parl_balance_args args = {.router = make_router(t),
                                  .n_seqs = 1,
                                  .seq_start = t->index,
                                  .scores = t->in[0],
                                  .chosen = t->index + 2,
                                  .weight = 1.0,
                                  .dscores = t->out[side],
                                  .loss = t->sums};
  t->sums[0] = 0.0;
  backend->balance(t->queue, &args);
}

static void step_dispatch(parl_bench *t, const parl_backend *backend, int side) {
  int32_t *first = t->chosen[side];
  const parl_dispatch_args args = {.rows = t->a,
                                   .n_experts = t->b,
                                   .n_chosen = CHOSEN,
                                   .chosen = t->index + 2,
                                   .first = first,
                                   .row_of = first + t->b + 1,
                                   .place_of = first + t->b + 1 + t->a * CHOSEN};
  backend->dispatch(t->queue, &args);
}

/* in: outputs [a CHOSEN, c], weights, gradients [a,c]; index: assignments,
 * every choice its own */
static parl_status setup_combine(parl_bench *t, const parl_backend *const backends[2]) {
  (void)backends;
  const size_t n = t->a * CHOSEN;
  PARL_TRY(parl_bench_take(t, n * t->c, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, n, 2, &t->in[1]));
  PARL_TRY(parl_bench_take(t, t->a * t->c, 3, &t->in[2]));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n, &t->index));
  for (size_t i = 0; i < n; i++) /* choice k of a token lies in the k-th part */
    t->index[i] = (int32_t)(i % CHOSEN * t->a + i / CHOSEN);
  return parl_bench_take_outputs(t, n * t->c + n);
}

static void step_combine_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_combine_fwd_args args = {.rows = t->a,
                                      .C = t->c,
                                      .n_chosen = CHOSEN,
                                      .place_of = t->index,
                                      .weights = t->in[1],
                                      .output = t->in[0],
                                      .out = t->out[side]};
  backend->combine_fwd(t->queue, &args);
}

static void step_combine_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const size_t n = t->a * CHOSEN;
  const parl_combine_bwd_args args = {.rows = t->a,
                                      .C = t->c,
                                      .n_chosen = CHOSEN,
                                      .place_of = t->index,
                                      .weights = t->in[1],
                                      .output = t->in[0],
                                      .dout = t->in[2],
                                      .doutput = t->out[side],
                                      .dweights = t->out[side] + n * t->c};
  backend->combine_bwd(t->queue, &args);
}

/* a rows at each of b experts, c wide inside and out. in: input, weights of
 * gate and up, of down, gradients of outputs, of weights (both); kept: gate and
 * up, then their product, of the oracle */
static parl_status setup_experts(parl_bench *t, const parl_backend *const backends[2]) {
  const size_t n = t->a * t->b, matrix = t->c * t->c;
  PARL_TRY(parl_bench_take(t, n * t->c, 1, &t->in[0]));
  PARL_TRY(parl_bench_take(t, 2 * t->b * matrix, 2, &t->in[1]));
  PARL_TRY(parl_bench_take(t, t->b * matrix, 3, &t->in[2]));
  PARL_TRY(parl_bench_take(t, n * t->c, 4, &t->in[3]));
  PARL_TRY(parl_bench_take(t, 3 * t->b * matrix, 0, &t->in[4]));
  parl_bench_round_operands(t->in[0], n * t->c);
  parl_bench_round_operands(t->in[1], 2 * t->b * matrix);
  parl_bench_round_operands(t->in[2], t->b * matrix);
  parl_bench_round_operands(t->in[3], n * t->c);
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, t->b + 1, &t->index));
  for (size_t e = 0; e <= t->b; e++) t->index[e] = (int32_t)(e * t->a);
  for (int side = 0; side < 2; side++) {
    const size_t wide = backends[side]->linear_pack_elements(2 * t->c, t->c);
    const size_t square = backends[side]->linear_pack_elements(t->c, t->c);
    PARL_TRY(parl_bench_take(t, t->b * (wide + square), 0, &t->packed[side]));
    PARL_TRY(parl_bench_take(t, 3 * n * t->c, 0, &t->kept[side]));
    for (size_t e = 0; e < t->b; e++) {
      const parl_linear_pack_args up = {.N = 2 * t->c,
                                        .K = t->c,
                                        .w = t->in[1] + e * 2 * matrix,
                                        .packed = t->packed[side] + e * wide};
      const parl_linear_pack_args down = {.N = t->c,
                                          .K = t->c,
                                          .w = t->in[2] + e * matrix,
                                          .packed = t->packed[side] + t->b * wide + e * square};
      backends[side]->linear_pack(t->queue, &up);
      backends[side]->linear_pack(t->queue, &down);
    }
  }
  PARL_TRY(parl_bench_take(t, 3 * n * t->c, 0, &t->scratch));
  return parl_bench_take_outputs(t, n * t->c);
}

/* What forward makes lies in `made`. */
static parl_experts_fwd_args view_experts(const parl_bench *t, const parl_backend *backend,
                                          int side, float *made) {
  const size_t n = t->a * t->b, matrix = t->c * t->c;
  const size_t wide = backend->linear_pack_elements(2 * t->c, t->c);
  const size_t square = backend->linear_pack_elements(t->c, t->c);
  return (parl_experts_fwd_args){
      .E = t->b,
      .C = t->c,
      .F = t->c,
      .first = t->index,
      .gate_up = {t->packed[side], wide, t->in[1], 2 * matrix, 2 * matrix},
      .down = {t->packed[side] + t->b * wide, square, t->in[2], matrix, matrix},
      .input = t->in[0],
      .inner = made,
      .act = made + 2 * n * t->c,
      .output = t->out[side]};
}

static void step_experts_fwd(parl_bench *t, const parl_backend *backend, int side) {
  const parl_experts_fwd_args args = view_experts(t, backend, side, t->scratch);
  backend->experts_fwd(t->queue, &args);
}

static parl_status setup_experts_bwd(parl_bench *t, const parl_backend *const backends[2]) {
  PARL_TRY(setup_experts(t, backends));
  for (int side = 0; side < 2; side++) {
    const parl_experts_fwd_args args = view_experts(t, backends[0], 0, t->kept[side]);
    backends[0]->experts_fwd(t->queue, &args);
  }
  parl_bench_round_operands(t->kept[0], 3 * t->a * t->b * t->c);
  memcpy(t->kept[1], t->kept[0], 3 * t->a * t->b * t->c * sizeof *t->kept[0]);
  return PARL_STATUS_OK;
}

/* Gradients take the place of what forward made, so it is copied first. */
static void step_experts_bwd(parl_bench *t, const parl_backend *backend, int side) {
  const size_t n = t->a * t->b * t->c;
  memcpy(t->scratch, t->kept[side], 3 * n * sizeof *t->scratch);
  const parl_experts_bwd_args args = {.fwd = view_experts(t, backend, side, t->scratch),
                                      .doutput = t->in[3],
                                      .dinput = t->out[side],
                                      .dgate_up = t->in[4],
                                      .ddown = t->in[4] + 2 * t->b * t->c * t->c};
  backend->experts_bwd(t->queue, &args);
}

/* Per a * b * c. */
const parl_bench_spec parl_bench_moe_specs[] = {
    {"route_fwd", 1024, 64, 1, setup_route, step_route_fwd, CHOSEN, 4.0},
    {"route_bwd", 1024, 64, 1, setup_route, step_route_bwd, 0.0, 4.0},
    {"balance", 1024, 64, 1, setup_route, step_balance, 8.0, 12.0},
    {"dispatch", 1024, 64, 1, setup_route, step_dispatch, 0.0, 12.0 * CHOSEN / 64},
    {"combine_fwd", 1024, 1, 128, setup_combine, step_combine_fwd, 2.0 * CHOSEN, 4.0 * CHOSEN + 8},
    {"combine_bwd", 1024, 1, 128, setup_combine, step_combine_bwd, 3.0 * CHOSEN, 8.0 * CHOSEN + 4},
    {"experts_fwd", 16, 8, 128, setup_experts, step_experts_fwd, 6.0 * 128, 0.0},
    {"experts_fwd", 64, 8, 256, setup_experts, step_experts_fwd, 6.0 * 256, 0.0},
    {"experts_bwd", 16, 8, 128, setup_experts_bwd, step_experts_bwd, 12.0 * 128, 0.0},
    {"experts_bwd", 64, 8, 256, setup_experts_bwd, step_experts_bwd, 12.0 * 256, 0.0},
};
const size_t parl_bench_n_moe_specs = sizeof parl_bench_moe_specs / sizeof *parl_bench_moe_specs;
