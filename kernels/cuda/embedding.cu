/* kernels/cuda/embedding.cu - row lookup and its scatter.
 *
 * A thread a piece of a row, of 16 bytes where rows consist of such. */
#include "kernels/cuda/scatter.cuh"

template <class T>
static __global__ void embedding_fwd(parl_embedding_fwd_args a, size_t width) {
  const size_t i = thread_index(), row = i / width, column = i % width;
  if (row >= a.rows) return;
  ((T *)(void *)a.out)[i] =
      ((const T *)(const void *)a.table)[(size_t)a.tokens[row] * width + column];
}
template <class A>
void parl_cuda_embedding_fwd(parl_queue *queue, const parl_embedding_fwd_args *a) {
  const size_t size = a->is_act ? sizeof(A) : sizeof(float), bytes = a->C * size;
  const size_t n = a->rows * bytes;
  if (((uintptr_t)a->table | (uintptr_t)a->out | bytes) % sizeof(uint4) == 0)
    LAUNCH(queue, embedding_fwd<uint4>, thread_blocks(n / sizeof(uint4)), BLOCK, 0, *a,
           bytes / sizeof(uint4));
  else if (size == sizeof(uint32_t))
    LAUNCH(queue, embedding_fwd<uint32_t>, thread_blocks(n / size), BLOCK, 0, *a, a->C);
  else
    LAUNCH(queue, embedding_fwd<uint16_t>, thread_blocks(n / size), BLOCK, 0, *a, a->C);
}
PARL_CUDA_BOTH(embedding_fwd)

void parl_cuda_embedding_bwd(parl_queue *queue, const parl_embedding_bwd_args *a) {
  run_scatter(queue, {a->rows, 1, a->C, a->tokens, NULL, a->dout, a->dtable});
}
