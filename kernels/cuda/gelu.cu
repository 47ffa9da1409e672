/* kernels/cuda/gelu.cu - y = x P(x) and its gradient, by erf or by tanh: a thread an element; the
 * formulas are kernels/ref/gelu.c's. */
#include "kernels/cuda/numbers.cuh"

/* P(x), and P'(x) in *slope. Beyond FAR both are what they tend to, and x^3 may overflow. */
static __device__ __forceinline__ float gate(float x, bool exact, float *slope) {
  const float FAR = 20.0f, ROOT = 0.79788456f /* sqrt(2 / pi) */;
  if (exact) {
    *slope = expf(-x * x / 2.0f) * (ROOT / 2.0f);
    return 0.5f * erfcf(-x * 0.70710678f);
  }
  const float t = tanhf(ROOT * (x + 0.044715f * x * x * x));
  *slope = fabsf(x) > FAR ? 0.0f : 0.5f * (1.0f - t * t) * ROOT * (1.0f + 3.0f * 0.044715f * x * x);
  return 0.5f * (1.0f + t);
}

template <class A>
static __global__ void gelu_fwd(parl_gelu_fwd_args a) {
  const size_t i = thread_index();
  if (i >= a.n) return;
  float slope;
  const float x = load(acts<A>(a.x) + i);
  store(acts<A>(a.y) + i, x * gate(x, a.exact, &slope));
}
template <class A>
void parl_cuda_gelu_fwd(parl_queue *queue, const parl_gelu_fwd_args *a) {
  LAUNCH(queue, gelu_fwd<A>, thread_blocks(a->n), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(gelu_fwd)

template <class A>
static __global__ void gelu_bwd(parl_gelu_bwd_args a) {
  const size_t i = thread_index();
  if (i >= a.n) return;
  float slope;
  const float x = load(acts<A>(a.x) + i), p = gate(x, a.exact, &slope);
  store(acts<A>(a.dx) + i, load(acts<A>(a.dy) + i) * (p + x * slope));
}
template <class A>
void parl_cuda_gelu_bwd(parl_queue *queue, const parl_gelu_bwd_args *a) {
  LAUNCH(queue, gelu_bwd<A>, thread_blocks(a->n), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(gelu_bwd)
