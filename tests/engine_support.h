/* tests/engine_support.h - models, batches and measures shared by the engine's tests. */
#ifndef PARL_TESTS_ENGINE_SUPPORT_H
#define PARL_TESTS_ENGINE_SUPPORT_H
#include "engine/optimizer.h"
#include "engine/train_step.h"

enum { ENGINE_VOCAB = 37, ENGINE_MAX_ROWS = 512, ENGINE_MAX_BACKENDS = 6 };

/* Widths that no vector divides, two layers, four heads; large weights, so that every
 * part matters. */
parl_model_config engine_config(int64_t n_kv_heads);
/* Initialised weights, norms off 1 as well; fails the test if it cannot. Destroy with the
 * model's. */
parl_model *engine_model(const parl_model_config *config, const parl_backend *backend,
                         uint64_t seed);
/* The oracle and every level of the CPU backend that this machine runs; returns how many. */
size_t engine_backends(const parl_backend *backends[ENGINE_MAX_BACKENDS]);

/* The same with products in bf16: by units where this machine has them, and emulated; and the
 * oracle that keeps operands in bf16. */
size_t engine_bf16_backends(const parl_backend *backends[ENGINE_MAX_BACKENDS]);

/* A slice with storage of its own; do not copy. */
typedef struct engine_batch {
  parl_slice slice;
  int32_t seq_start[ENGINE_MAX_ROWS + 1], tokens[ENGINE_MAX_ROWS], outputs[ENGINE_MAX_ROWS];
  size_t rows;
} engine_batch;

/* Random tokens; every `stride`-th row is an output, from row 0 on. */
void engine_fill(engine_batch *b, const size_t *lengths, size_t n_seqs, size_t stride,
                 uint64_t seed);

/* The only rank's step over n_leaves, for slices of up to `rows` rows and outputs. */
parl_train_step_def engine_step_def(const parl_model *model, parl_workers *workers, size_t n_leaves,
                                    size_t rows);
parl_train_step *engine_step(const parl_model *model, parl_workers *workers, size_t n_leaves,
                             size_t rows);
/* The slices as one batch. */
parl_train_batch engine_train_batch(const parl_slice *slices, size_t n_slices);

/* An objective for a step: each output is to predict the token that its row has; the means of what
 * the policy said. */
parl_status engine_predict_next(parl_workspace *ws, const parl_slice *slice, float *logp,
                                float *entropy);

/* x [n] = standard normal. */
void engine_normal(float *x, size_t n, uint64_t seed);
double engine_max_abs(const float *x, size_t n);
/* max |a - b| / max |b|; infinite if anything is not finite. */
double engine_difference(const float *a, const float *b, size_t n);

/* The parameters of a model on a backend whose memory is the host's. */
float *engine_params(const parl_model *model);
/* The moments [2 n], to be freed. */
float *engine_read_moments(const parl_optimizer *optimizer, size_t n);
/* A queue of the backend, for the caller to destroy. */
parl_queue *engine_queue(const parl_backend *backend);

#endif
