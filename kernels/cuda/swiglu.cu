/* kernels/cuda/swiglu.cu - the gated activation: a thread a pair of gate and up. */
#include "kernels/cuda/numbers.cuh"

static __device__ __forceinline__ float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

template <class A>
static __global__ void swiglu_fwd(parl_swiglu_fwd_args a) {
  const size_t i = thread_index(), gate = i / a.F * 2 * a.F + i % a.F;
  if (i >= a.rows * a.F) return;
  const float g = load(acts<A>(a.gate_up) + gate), u = load(acts<A>(a.gate_up) + gate + a.F);
  store(acts<A>(a.out) + i, g * sigmoid(g) * u);
}
template <class A>
void parl_cuda_swiglu_fwd(parl_queue *queue, const parl_swiglu_fwd_args *a) {
  LAUNCH(queue, swiglu_fwd<A>, thread_blocks(a->rows * a->F), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(swiglu_fwd)

template <class A>
static __global__ void swiglu_bwd(parl_swiglu_bwd_args a) {
  const size_t i = thread_index(), gate = i / a.F * 2 * a.F + i % a.F;
  if (i >= a.rows * a.F) return;
  const float g = load(acts<A>(a.gate_up) + gate), u = load(acts<A>(a.gate_up) + gate + a.F);
  const float d = load(acts<A>(a.dout) + i), s = sigmoid(g);
  store(acts<A>(a.dgate_up) + gate, d * u * s * (1.0f + g * (1.0f - s)));
  store(acts<A>(a.dgate_up) + gate + a.F, d * g * s);
}
template <class A>
void parl_cuda_swiglu_bwd(parl_queue *queue, const parl_swiglu_bwd_args *a) {
  LAUNCH(queue, swiglu_bwd<A>, thread_blocks(a->rows * a->F), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(swiglu_bwd)
