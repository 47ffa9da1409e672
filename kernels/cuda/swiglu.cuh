/* kernels/cuda/swiglu.cuh - silu(g) u and its gradients, for layers and for experts. */
#ifndef PARL_KERNELS_CUDA_SWIGLU_CUH
#define PARL_KERNELS_CUDA_SWIGLU_CUH
#include "kernels/cuda/numbers.cuh"

struct swiglu_gradient {
  float gate, up;
};

static __device__ __forceinline__ float swiglu_of(float g, float u) {
  return g * sigmoid(g) * u;
}
static __device__ __forceinline__ swiglu_gradient swiglu_back(float g, float u, float d) {
  const float s = sigmoid(g);
  return {d * u * s * (1.0f + g * (1.0f - s)), d * g * s};
}

#endif
