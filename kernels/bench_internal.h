/* kernels/bench_internal.h - a row at work, shared by the files that list rows.
 */
#ifndef PARL_KERNELS_BENCH_INTERNAL_H
#define PARL_KERNELS_BENCH_INTERNAL_H
#define PARL_ACT_IS_FLOAT
#include "core/arena.h"
#include "kernels/bench.h"

enum { PARL_BENCH_INPUTS = 6 };

/* One row at work. Outputs and packed weights are there twice: of the oracle
 * and of the level. */
typedef struct parl_bench {
  size_t a, b, c;
  parl_queue *queue;            /* of the level; the oracle looks at none */
  float *in[PARL_BENCH_INPUTS]; /* owned by the arena */
  int32_t *index;
  int64_t *starts; /* [2] one segment */
  float *decay;    /* [1] */
  double *sums;    /* [a] or what the row says */
  double *ones;    /* [a] of sample */
  float *packed[2], *out[2], *kept[2], *scratch;
  int32_t *chosen[2]; /* whole numbers of both sides, compared too */
  size_t n_out;       /* floats of out */
  size_t n_chosen;    /* of chosen */
  parl_arena arena;
} parl_bench;

typedef struct parl_bench_spec {
  const char *op;
  size_t a, b, c;
  parl_status (*setup)(parl_bench *t, const parl_backend *const backends[2]);
  void (*step)(parl_bench *t, const parl_backend *backend, int side);
  double flops, bytes; /* of one step, per a * b * c */
} parl_bench_spec;

/* n floats in [-1, 1), zeros for stream 0. Fails: ENOMEM. */
parl_status parl_bench_take(parl_bench *t, size_t n, uint64_t stream, float **out);
/* t->out of n floats, zeros. Fails: ENOMEM. */
parl_status parl_bench_take_outputs(parl_bench *t, size_t n);
/* What bf16 keeps of numbers in [-1, 1]: so both sides compute with the same
 * operands. */
void parl_bench_round_operands(float *x, size_t n);

/* Ops over rows, of an optimizer and of sampling: kernels/bench_rows.c. */
extern const parl_bench_spec parl_bench_row_specs[];
extern const size_t parl_bench_n_row_specs;
/* Ops of the vision tower: kernels/bench_vision.c. */
extern const parl_bench_spec parl_bench_vision_specs[];
extern const size_t parl_bench_n_vision_specs;
/* Ops of sparse layers: kernels/bench_moe.c. */
extern const parl_bench_spec parl_bench_moe_specs[];
extern const size_t parl_bench_n_moe_specs;

#endif
