/* kernels/cuda/numbers.cuh - what all kernels share: numbers in f32 or bf16, sums over a warp.
 *
 * A kernel computes in f32 and keeps operands of products as A, which is float or bf16; a vector
 * that a row owns is summed by one warp, lane after lane in steps of 32, then by shuffles: the same
 * order whatever the other rows are. Reading order: load and store, the warp, launching. */
#ifndef PARL_KERNELS_CUDA_NUMBERS_CUH
#define PARL_KERNELS_CUDA_NUMBERS_CUH
#include <cuda_bf16.h>

#include "kernels/cuda/cuda_internal.h"

typedef __nv_bfloat16 bf16;

enum { WARP = 32, BLOCK = 256 }; /* threads */
#define EVERY_LANE 0xffffffffu

static __device__ __forceinline__ float load(const float *p) {
  return *p;
}
static __device__ __forceinline__ float load(const bf16 *p) {
  return __bfloat162float(*p);
}
static __device__ __forceinline__ void store(float *p, float x) {
  *p = x;
}
static __device__ __forceinline__ void store(bf16 *p, float x) {
  *p = __float2bfloat16_rn(x);
}

/* The elements of an opaque operand. */
template <class A>
static __host__ __device__ __forceinline__ const A *acts(const parl_act *p) {
  return (const A *)(const void *)p;
}
template <class A>
static __host__ __device__ __forceinline__ A *acts(parl_act *p) {
  return (A *)(void *)p;
}

static __device__ __forceinline__ size_t thread_index() {
  return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}
static __device__ __forceinline__ unsigned lane_index() {
  return threadIdx.x % WARP;
}
/* Of all warps of a grid in one dimension. */
static __device__ __forceinline__ size_t warp_index() {
  return thread_index() / WARP;
}

/* Sums and largest of a warp, the same in each lane. All lanes take part. */
static __device__ __forceinline__ float warp_sum(float x) {
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(EVERY_LANE, x, step);
  return x;
}
static __device__ __forceinline__ float warp_max(float x) {
  for (int step = WARP / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(EVERY_LANE, x, step));
  return x;
}
static __device__ __forceinline__ double warp_sum(double x) {
  for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(EVERY_LANE, x, step);
  return x;
}

/* The sum of the lanes up to this one. All lanes take part. */
template <class T>
static __device__ __forceinline__ T warp_sum_up_to(T x) {
  for (unsigned step = 1; step < WARP; step *= 2) {
    const T left = __shfl_up_sync(EVERY_LANE, x, step);
    if (lane_index() >= step) x += left;
  }
  return x;
}

/* Of what the lanes have found, which is `none` for nothing: that of the largest value, the lowest
 * on ties; the same in each lane, whatever is no number. All lanes take part. */
static __device__ __forceinline__ unsigned warp_best(float value, unsigned found, unsigned none) {
  for (int step = WARP / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(EVERY_LANE, value, step);
    const unsigned there = __shfl_xor_sync(EVERY_LANE, found, step);
    if (there != none && (found == none || other > value || (other == value && there < found))) {
      value = other;
      found = there;
    }
  }
  return __shfl_sync(EVERY_LANE, found, 0); /* with NaN lanes may differ */
}

static __device__ __forceinline__ float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

/* PARL_LAUNCH of a grid that may be empty, which then does nothing: of no rows, no segments. */
#define LAUNCH(queue, kernel, grid, block, shared, ...)              \
  do {                                                               \
    const dim3 grid_ = (grid);                                       \
    if (grid_.x > 0 && grid_.y > 0 && grid_.z > 0)                   \
      PARL_LAUNCH(queue, kernel, grid_, block, shared, __VA_ARGS__); \
  } while (0)

static inline size_t ceil_div(size_t n, size_t by) {
  return (n + by - 1) / by;
}
/* Blocks for a thread an element, and for a warp a row. */
static inline unsigned thread_blocks(size_t n) {
  return (unsigned)ceil_div(n, BLOCK);
}
static inline unsigned warp_blocks(size_t n_warps) {
  return (unsigned)ceil_div(n_warps, BLOCK / WARP);
}

#endif
