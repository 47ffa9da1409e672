/* engine/bench.h - how fast a size trains and decodes on this machine.
 *
 * Training: forward, a cross-entropy loss, backward and an optimizer step over a batch of full
 * sequences, one sequence a slice. Decoding: 512 contexts from their first token to the last, in
 * decoders of as many as parl_decoder_advise_slots says. Both over all threads of the caller.
 * Thread rule: one measurement at a time; reads the monotonic clock.
 * Reading order: parl_bench_shape, the table, parl_bench_engine. */
#ifndef PARL_ENGINE_BENCH_H
#define PARL_ENGINE_BENCH_H
#include "core/workers.h"
#include "engine/model.h"

typedef struct parl_bench_shape {
  const char *name;
  parl_model_config model; /* max_context is the length of a sequence */
  size_t vocab_size;       /* tokens */
  size_t batch;            /* sequences of an update */
} parl_bench_shape;

typedef struct parl_bench_result {
  size_t n_params;
  double train_tokens_per_s, train_gflops;   /* median update; without recomputation */
  double decode_tokens_per_s, decode_gflops; /* median wave: one decoder a thread */
  size_t n_updates, n_waves;                 /* timed, after one of warm-up */
  double loss;                               /* nats per token after the last update */
} parl_bench_result;

/* The shapes of the benchmark: "quickstart"; "A", "B" with as many key heads as query heads;
 * "A-kv1", "B-kv1" with one. Fails: EINVAL naming the valid ones. */
parl_status parl_bench_shape_find(const char *name, parl_bench_shape *out);
/* Names in table order, NULL beyond the last. */
const char *parl_bench_shape_name(size_t i);

/* Measures for at least `seconds` each, training then decoding, at least one update and one wave.
 * Fails: EINVAL, ENOMEM; ESTATE if a loss or a logit is not finite: a wrong result voids the
 * time. */
parl_status parl_bench_engine(const parl_bench_shape *shape, const parl_backend *backend,
                              parl_workers *workers, double seconds, parl_bench_result *out);

#endif
