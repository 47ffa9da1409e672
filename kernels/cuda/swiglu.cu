/* kernels/cuda/swiglu.cu - the gated activation: a thread a pair of gate and up. */
#include "kernels/cuda/swiglu.cuh"

template <class A>
static __global__ void swiglu_fwd(parl_swiglu_fwd_args a) {
  const size_t i = thread_index(), gate = i / a.F * 2 * a.F + i % a.F;
  if (i >= a.rows * a.F) return;
  const float g = load(acts<A>(a.gate_up) + gate), u = load(acts<A>(a.gate_up) + gate + a.F);
  store(acts<A>(a.out) + i, swiglu_of(g, u));
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
  const swiglu_gradient d = swiglu_back(g, u, load(acts<A>(a.dout) + i));
  store(acts<A>(a.dgate_up) + gate, d.gate);
  store(acts<A>(a.dgate_up) + gate + a.F, d.up);
}
template <class A>
void parl_cuda_swiglu_bwd(parl_queue *queue, const parl_swiglu_bwd_args *a) {
  LAUNCH(queue, swiglu_bwd<A>, thread_blocks(a->rows * a->F), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(swiglu_bwd)
