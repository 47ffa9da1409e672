/* kernels/cuda/scatter.cuh - rows added to those of a table that an index names, in their order.
 *
 * to[index[i]] += weight[i] from[i / taps], i = 0, 1, ... The warp of the first i that names a row
 * of the table adds all of them to it, one after the other, as a loop over i would: the same bits
 * as that, no atomics, and no need to know how many rows the table has. Warps of an i that is not
 * the first leave as soon as they have seen that, which in a text is soon. */
#ifndef PARL_KERNELS_CUDA_SCATTER_CUH
#define PARL_KERNELS_CUDA_SCATTER_CUH
#include "kernels/cuda/numbers.cuh"

enum { SCATTER_COLUMNS = 4 * WARP, AT_ONCE = 4 /* rows under way from memory */ };

struct scatter_args {
  size_t n, taps, C;
  const int32_t *index; /* [n] */
  const float *weights; /* [n], or NULL: ones */
  const float *from;    /* [n / taps, C] */
  float *to;
};

/* Whether an entry in front of i names what i names. */
static __device__ bool is_named_before(const int32_t *index, size_t i) {
  for (size_t first = 0; first < i; first += WARP) {
    const size_t j = first + lane_index();
    if (__any_sync(EVERY_LANE, j < i && index[j] == index[i])) return true;
  }
  return false;
}

/* sums [4] of a lane's columns += the entries first + the bits of `named`, in their order */
static __device__ void add_entries(const scatter_args &a, size_t first, unsigned named, size_t c0,
                                   float sums[4]) {
  while (named != 0) {
    float x[AT_ONCE][4], weight[AT_ONCE];
    int n = 0;
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
      const size_t i = first + (named != 0 ? __ffs((int)named) - 1 : 0);
      n += named != 0;
      weight[k] = a.weights != NULL ? a.weights[i] : 1.0f;
#pragma unroll
      for (int m = 0; m < 4; m++) {
        const size_t c = c0 + m * WARP;
        x[k][m] = named != 0 && c < a.C ? a.from[i / a.taps * a.C + c] : 0.0f;
      }
      named &= named - 1;
    }
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++)
#pragma unroll
      for (int m = 0; m < 4; m++)
        if (k < n) sums[m] += weight[k] * x[k][m];
  }
}

/* Block x: the entry, a warp; y: which SCATTER_COLUMNS. */
static __global__ void scatter(scatter_args a) {
  const size_t i = blockIdx.x, c0 = (size_t)blockIdx.y * SCATTER_COLUMNS + lane_index();
  if (is_named_before(a.index, i)) return;
  float *to = a.to + (size_t)a.index[i] * a.C, sums[4];
#pragma unroll
  for (int m = 0; m < 4; m++) sums[m] = c0 + m * WARP < a.C ? to[c0 + m * WARP] : 0.0f;
  for (size_t first = i / WARP * WARP; first < a.n; first += WARP) {
    const size_t j = first + lane_index();
    add_entries(a, first, __ballot_sync(EVERY_LANE, j >= i && j < a.n && a.index[j] == a.index[i]),
                c0, sums);
  }
#pragma unroll
  for (int m = 0; m < 4; m++)
    if (c0 + m * WARP < a.C) to[c0 + m * WARP] = sums[m];
}

static inline void run_scatter(parl_queue *queue, const scatter_args &a) {
  const unsigned pieces = (unsigned)ceil_div(a.C, SCATTER_COLUMNS);
  LAUNCH(queue, scatter, dim3((unsigned)a.n, pieces), WARP, 0, a);
}

#endif
