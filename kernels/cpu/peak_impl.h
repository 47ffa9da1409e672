/* kernels/cpu/peak_impl.h - the multiply-add speed that the matrix products are measured against.
 *
 * On registers: multiply-adds of f32, of pairs where the set has them, or of tiles.
 * Included by ops_impl.h only. */
#include <time.h>

/* Time that this thread ran: what other programs take from the core does not count. */
static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

#if defined(AMX_TILES) && !defined(AMX_EMULATED)
static double peak_gflops(double ms) {
  enum { ROUNDS = 5000, FLOPS = 4 * 2 * SIDE * SIDE * 2 * SIDE };
  double best = 0.0;
  const double start = now_ms();
  tiles_open();
  do {
    const double before = now_ms();
    for (int round = 0; round < ROUNDS; round++) {
      tile_product(0, 4, 6);
      tile_product(1, 4, 7);
      tile_product(2, 5, 6);
      tile_product(3, 5, 7);
    }
    const double gflops = FLOPS * (double)ROUNDS / (now_ms() - before) * 1e-6;
    if (gflops > best) best = gflops;
  } while (now_ms() - start < ms);
  tiles_close();
  return best;
}
#else
#ifdef SOFT_NAME
#define STEP vf_fma
#define STEP_PRODUCTS 1
#else
#define STEP vf_fma_pairs
#define STEP_PRODUCTS 2
#endif
static double peak_gflops(double ms) {
  enum { CHAINS = 12, ROUNDS = 20000 };
  vf sum[CHAINS], x = vf_set1(0.5f), y = vf_set1(1e-3f);
  UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = vf_set1((float)i);
  double best = 0.0;
  const double start = now_ms();
  do {
    const double before = now_ms();
    for (int round = 0; round < ROUNDS; round++) {
      UNROLL for (int i = 0; i < CHAINS; i++) {
        sum[i] = STEP(x, y, sum[i]);
        HOLD(sum[i]);
      }
    }
    const double flops = 2.0 * STEP_PRODUCTS * W * CHAINS * (double)ROUNDS;
    const double gflops = flops / (now_ms() - before) * 1e-6;
    if (gflops > best) best = gflops;
  } while (now_ms() - start < ms);
  vf all = sum[0];
  UNROLL for (int i = 1; i < CHAINS; i++) all += sum[i];
  volatile float sink = vf_sum(all); /* else the work above has no purpose and disappears */
  (void)sink;
  return best;
}
#endif
