/* kernels/cuda/rope.cu - rotary position embedding, in place: a thread a pair. */
#include "kernels/cuda/numbers.cuh"

template <class A>
static __global__ void rope(parl_rope_args a) {
  const size_t half = a.D / 2, i = thread_index(), pair = i % half;
  const size_t head = i / half % a.heads, row = i / half / a.heads;
  if (row >= a.rows) return;
  const size_t at = (size_t)a.positions[row] * half + pair;
  const float c = a.cos_table[at], s = a.inverse ? -a.sin_table[at] : a.sin_table[at];
  A *x = acts<A>(a.x) + row * a.ld_x + head * a.head_stride + 2 * pair;
  const float x0 = load(x), x1 = load(x + 1);
  store(x, x0 * c - x1 * s);
  store(x + 1, x0 * s + x1 * c);
}
template <class A>
void parl_cuda_rope(parl_queue *queue, const parl_rope_args *a) {
  LAUNCH(queue, rope<A>, thread_blocks(a->rows * a->heads * (a->D / 2)), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(rope)
