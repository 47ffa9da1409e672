/* kernels/bench.h - how fast the ops are on this machine, each checked before it is timed.
 *
 * Thread rule: one thread; a benchmark wants the core for itself. Reading order: row, the calls. */
#ifndef PARL_KERNELS_BENCH_H
#define PARL_KERNELS_BENCH_H
#include "kernels/ops.h"

/* What one op of one shape reached; strings are borrowed for the time of the callback. */
typedef struct parl_bench_row {
  const char *name;         /* "linear_fwd 256x64x64" */
  const char *backend;      /* "cpu" */
  const char *instructions; /* "avx512", ... */
  double gflops;            /* 1e9 operations per second, at the median time */
  double gbytes;            /* 1e9 bytes read or written per second, at the median time */
  double percent_of_peak;   /* gflops / what multiply-adds on registers reached just before */
  double best_us;           /* microseconds of a call, of processor time or, on a device, of the
                             * clock: fastest sample, */
  double median_us;         /* median, */
  double p95_us;            /* and the one that 95 % do not exceed */
  double launches;          /* of a call, on a device; 0 on a CPU */
} parl_bench_row;

/* Peak of the backend's multiply-adds on one core, or a card (1e9 operations per second), best of
 * about 20 ms; for the oracle, of the best f32 backend. Fails: ESTATE if a card does. */
parl_status parl_bench_peak_gflops(const parl_backend *backend, double *out);

/* Runs the whole table on a backend; row(context, ...) is called after each. Takes some seconds.
 * Fails: EINVAL for the oracle, a backend whose operands are no floats, or a device without
 * memory that the host may touch;
 * ENOMEM; as the device says; ESTATE if a result differs from the oracle's: there is no
 * time for a wrong result. */
parl_status parl_bench_ops(const parl_backend *backend,
                           void (*row)(void *context, const parl_bench_row *row), void *context);

#endif
