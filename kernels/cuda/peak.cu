/* kernels/cuda/peak.cu - what a card reaches that only multiplies and adds on registers. */
#include <time.h>

#include "kernels/cuda/device.h"
#include "kernels/cuda/products.cuh"

enum { CHAINS = 8, BLOCKS_OF_UNIT = 8 /* of a multiprocessor */ };

/* Sums that do not wait for each other: of fragments, or of numbers. Operations of a thread in a
 * step: 2 * CHAINS, or its share of as many products of 16 x 8 x 16. */
static __device__ float multiply(const bf16 *, size_t steps) {
  const uint32_t a[4] = {0x3f803f80u, 0x3f803f80u, 0x3f803f80u, 0x3f803f80u}, b[2] = {a[0], a[0]};
  float sums[CHAINS][4] = {}, sum = 0.0f;
  for (size_t i = 0; i < steps; i++)
#pragma unroll
    for (int c = 0; c < CHAINS; c++) multiply_fragments(sums[c], a, b);
#pragma unroll
  for (int c = 0; c < CHAINS; c++) sum += sums[c][0];
  return sum;
}
static __device__ float multiply(const float *, size_t steps) {
  float sums[CHAINS], sum = 0.0f;
#pragma unroll
  for (int c = 0; c < CHAINS; c++) sums[c] = (float)(threadIdx.x + (unsigned)c);
  for (size_t i = 0; i < steps; i++)
#pragma unroll
    for (int c = 0; c < CHAINS; c++) sums[c] = sums[c] * 0.999f + 0.5f;
#pragma unroll
  for (int c = 0; c < CHAINS; c++) sum += sums[c];
  return sum;
}

template <class A>
static __global__ void multiply_on_registers(size_t steps, float *out) {
  out[thread_index()] = multiply((const A *)NULL, steps);
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Twice as many steps until they take as long. */
template <class A>
static double measure(parl_queue *queue, size_t blocks, float *out, double ms) {
  const int of_step = 2 * (sizeof(A) == sizeof(float) ? 1 : 16 * 8 * 16 / WARP) * CHAINS;
  for (size_t steps = 4;; steps *= 2) {
    const double start = now_s();
    LAUNCH(queue, multiply_on_registers<A>, (unsigned)blocks, BLOCK, 0, steps, out);
    if (parl_queue_wait(queue) != PARL_STATUS_OK) return 0.0;
    const double seconds = now_s() - start;
    if (seconds * 1e3 >= ms)
      return (double)of_step * (double)steps * (double)(blocks * BLOCK) / seconds * 1e-9;
  }
}

template <class A>
double parl_cuda_peak_gflops(double ms) {
  const parl_backend *backend;
  parl_queue *queue = NULL;
  cudaDeviceProp card;
  double rate = 0.0;
  if (cudaGetDeviceProperties(&card, 0) != cudaSuccess ||
      parl_backend_cuda("f32", PARL_CUDA_OWN, &backend) != PARL_STATUS_OK ||
      parl_queue_create(backend, &queue) != PARL_STATUS_OK)
    return 0.0;
  const size_t blocks = (size_t)card.multiProcessorCount * BLOCKS_OF_UNIT;
  float *out = (float *)parl_cuda_scratch(queue, blocks * BLOCK * sizeof *out);
  if (out != NULL) rate = measure<A>(queue, blocks, out, ms);
  parl_queue_destroy(queue);
  return rate;
}
template double parl_cuda_peak_gflops<float>(double ms);
template double parl_cuda_peak_gflops<bf16>(double ms);
