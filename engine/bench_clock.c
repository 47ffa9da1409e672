/* engine/bench_clock.c - repetitions, timed, and which of them are kept. */
#include <stdlib.h>
#include <time.h>

#include "engine/bench.h"

enum { MAX_SAMPLES = 1024, LEAST_KEPT = 3 };
static const double LEAST_SHARE = 0.93;

static double read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double get_share(const parl_bench_sample *s) {
  return s->cpu_s / s->wall_s;
}

static int by_share(const void *x, const void *y) {
  const double a = get_share(x), b = get_share(y);
  return (a < b) - (a > b);
}

static int by_time(const void *x, const void *y) {
  const parl_bench_sample *a = x, *b = y;
  return (a->wall_s > b->wall_s) - (a->wall_s < b->wall_s);
}

size_t parl_bench_keep(parl_bench_sample *samples, size_t n) {
  qsort(samples, n, sizeof *samples, by_share);
  const double least = LEAST_SHARE * get_share(&samples[0]);
  size_t n_kept = n < LEAST_KEPT ? n : LEAST_KEPT;
  while (n_kept < n && get_share(&samples[n_kept]) >= least) n_kept++;
  qsort(samples, n_kept, sizeof *samples, by_time);
  return n_kept;
}

static parl_status repeat(parl_status (*once)(void *), void *context, double seconds,
                          parl_bench_sample *samples, size_t *n) {
  PARL_TRY(once(context));
  const double start = read_clock(CLOCK_MONOTONIC);
  double wall = start, cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  *n = 0;
  do {
    PARL_TRY(once(context));
    const double wall_now = read_clock(CLOCK_MONOTONIC);
    const double cpu_now = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    samples[(*n)++] = (parl_bench_sample){wall_now - wall, cpu_now - cpu};
    wall = wall_now;
    cpu = cpu_now;
  } while (wall - start < seconds && *n < MAX_SAMPLES);
  return PARL_STATUS_OK;
}

parl_status parl_bench_repeat(parl_status (*once)(void *context), void *context, double seconds,
                              parl_bench_timing *out) {
  parl_bench_sample *samples = calloc(MAX_SAMPLES, sizeof *samples), sum = {0};
  size_t n = 0;
  if (samples == NULL) return parl_fail(PARL_STATUS_ENOMEM, "bench: no memory");
  const parl_status s = repeat(once, context, seconds, samples, &n);
  const size_t kept = s == PARL_STATUS_OK ? parl_bench_keep(samples, n) : 0;
  for (size_t i = 0; i < kept; i++) {
    sum.wall_s += samples[i].wall_s;
    sum.cpu_s += samples[i].cpu_s;
  }
  if (kept > 0)
    *out = (parl_bench_timing){.median_s = samples[kept / 2].wall_s,
                               .slow_s = samples[(kept - 1) * 9 / 10].wall_s,
                               .fast_s = samples[(kept - 1) / 10].wall_s,
                               .cpu_share = get_share(&sum),
                               .n_kept = kept,
                               .n_dropped = n - kept};
  free(samples);
  return s;
}
