/* kernels/cpu/peak_impl.h - the multiply-add speed that the matrix products are measured against.
 *
 * Included by ops_impl.h only. */
#include <time.h>

/* Time that this thread ran: what other programs take from the core does not count. */
static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double PEAK_NAME(double ms) {
  enum { CHAINS = 12, ROUNDS = 20000 };
  vf sum[CHAINS], x = vf_set1(0.5f), y = vf_set1(1e-3f);
  UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = vf_set1((float)i);
  double best = 0.0;
  const double start = now_ms();
  do {
    const double before = now_ms();
    for (int round = 0; round < ROUNDS; round++) {
      UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = vf_fma(sum[i], x, y);
        HOLD(sum[i]);
      }
    }
    const double flops = 2.0 * W * CHAINS * (double)ROUNDS;
    const double gflops = flops / (now_ms() - before) * 1e-6;
    if (gflops > best) best = gflops;
  } while (now_ms() - start < ms);
  vf all = sum[0];
  UNROLL for (int i = 1; i < CHAINS; i++) all += sum[i];
  volatile float sink = vf_sum(all); /* else the work above has no purpose and disappears */
  (void)sink;
  return best;
}
