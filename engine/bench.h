/* engine/bench.h - how fast a size trains and decodes on this machine.
 *
 * Training: forward, a cross-entropy loss, backward and an optimizer step over a batch of full
 * sequences, one sequence a slice. Decoding: a shape's contexts from their first token to the
 * last, in decoders of as many as parl_decoder_advise_slots says. Both over all threads of the
 * caller, and beside the multiply-adds that the same threads reach together just before and after.
 * Thread rule: one measurement at a time; reads the clocks.
 * Reading order: parl_bench_shape, the table, parl_bench_engine, parl_bench_repeat. */
#ifndef PARL_ENGINE_BENCH_H
#define PARL_ENGINE_BENCH_H
#include "core/workers.h"
#include "engine/model.h"

typedef struct parl_bench_shape {
  const char *name;
  parl_model_config model; /* max_context is the length of a sequence */
  size_t vocab_size;       /* tokens */
  size_t batch;            /* sequences of an update */
  size_t contexts;         /* to decode */
  size_t n_leaves;         /* gradients that a training step keeps */
  bool is_large;           /* minutes a repetition on a CPU, and gigabytes */
} parl_bench_shape;

typedef enum parl_bench_job {
  PARL_BENCH_TRAIN,
  PARL_BENCH_DECODE,
  PARL_BENCH_DECODE_BF16, /* keys and values stored in bf16 */
  PARL_BENCH_N_JOBS
} parl_bench_job;

typedef struct parl_bench_speed {
  double tokens_per_s; /* median of the repetitions kept */
  double low, high;    /* tokens/s that 10 % and 90 % of them do not exceed */
  double gflops;       /* at the median; nothing counted that is computed again */
  double peak_gflops;  /* multiply-adds of all threads at once, better of before and after */
  double cpu_share;    /* of the threads' time the processors gave to this process, kept ones */
  size_t n_kept, n_dropped; /* repetitions, after one of warm-up */
  size_t n_params;
  double launches; /* on a device: of a step of decoding, or an update; 0 on a CPU */
  double nodes;    /* of the graph that a step of decoding is; 0: it is none */
  double loss;     /* training: nats per token after the last update; decoding: 0 */
} parl_bench_speed;

/* The shapes of the benchmark: "quickstart"; "A", "B", which other implementations are measured
 * with, and of each "_mqa", one key head, and "_mla", "_moe", "_mla_moe", presets of
 * engine/preset.h; the large ones "124M", its "_gqa" of 4 key heads, and "1B_mla_moe" of 32
 * experts. Fails: EINVAL naming the nearest. */
parl_status parl_bench_shape_find(const char *name, parl_bench_shape *out);
/* Names in table order, NULL beyond the last. */
const char *parl_bench_shape_name(size_t i);
/* "train", "decode" or "decode_bf16": a row of the benchmark is named <job>_<shape>. */
const char *parl_bench_job_name(parl_bench_job job);

/* Repeats the job for at least `seconds`, at least once. Repetitions in which the process had less
 * than 0.93 of the processor time a second of the one that had most are dropped, those with least
 * first, as long as three remain: other programs ran.
 * Fails: EINVAL, ENOMEM; ESTATE if a loss or a logit is not finite: a wrong result voids the
 * time. */
parl_status parl_bench_engine(const parl_bench_shape *shape, parl_bench_job job,
                              const parl_backend *backend, parl_workers *workers, double seconds,
                              parl_bench_speed *out);

/* One timed repetition. */
typedef struct parl_bench_sample {
  double wall_s, cpu_s; /* seconds that passed; processor time of all threads in them */
} parl_bench_sample;

/* Repetitions of anything, those that were kept. */
typedef struct parl_bench_timing {
  double median_s, slow_s, fast_s; /* of a repetition; 10 % are slower, faster than the latter */
  double cpu_share;                /* processor time of all threads / time that passed */
  size_t n_kept, n_dropped;        /* after one of warm-up */
} parl_bench_timing;

/* Calls once(context) to warm up, then again for at least `seconds`, at least once. Fails: ENOMEM;
 * as `once`. */
parl_status parl_bench_repeat(parl_status (*once)(void *context), void *context, double seconds,
                              parl_bench_timing *out);

/* Sorts the samples kept to the front, ascending by wall_s; returns how many, n >= 1. */
size_t parl_bench_keep(parl_bench_sample *samples, size_t n);

#endif
