/* kernels/cuda/policy.cuh - the masked softmax of a row by a warp. */
#ifndef PARL_KERNELS_CUDA_POLICY_CUH
#define PARL_KERNELS_CUDA_POLICY_CUH
#include "kernels/cuda/numbers.cuh"

static __device__ __forceinline__ bool is_allowed(const uint64_t *mask, size_t v) {
  return mask == NULL || (mask[v / 64] >> (v % 64) & 1) != 0;
}
static __device__ __forceinline__ const uint64_t *mask_of(const uint64_t *mask, size_t row,
                                                          size_t V) {
  return mask != NULL ? mask + row * ((V + 63) / 64) : NULL;
}

/* Of the allowed tokens: the largest logit, and with z = (logit - largest) scale the sums of
 * exp(z) and of exp(z) z. */
struct row_sums {
  float largest, scale, sum, weighted;
};

static __device__ row_sums sum_row(const float *logits, const uint64_t *mask, size_t V,
                                   float scale) {
  row_sums s = {-INFINITY, scale, 0.0f, 0.0f};
  for (size_t v = lane_index(); v < V; v += WARP)
    if (is_allowed(mask, v)) s.largest = fmaxf(s.largest, logits[v]);
  s.largest = warp_max(s.largest);
  for (size_t v = lane_index(); v < V; v += WARP) {
    if (!is_allowed(mask, v)) continue;
    const float z = (logits[v] - s.largest) * scale, e = expf(z);
    s.sum += e;
    s.weighted += e * z;
  }
  s.sum = warp_sum(s.sum);
  s.weighted = warp_sum(s.weighted);
  return s;
}

static __device__ __forceinline__ float entropy_of(const row_sums &s) {
  return logf(s.sum) - s.weighted / s.sum;
}

/* probs [V], which may be logits */
static __device__ void write_probs(const row_sums &s, const float *logits, const uint64_t *mask,
                                   size_t V, float *probs) {
  for (size_t v = lane_index(); v < V; v += WARP)
    probs[v] = is_allowed(mask, v) ? expf((logits[v] - s.largest) * s.scale) / s.sum : 0.0f;
}

#endif
