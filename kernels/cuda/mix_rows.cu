/* kernels/cuda/mix_rows.cu - weighted sums of a table's rows, a thread an element, and their
 * scatter. */
#include "kernels/cuda/scatter.cuh"

static __global__ void mix_rows_fwd(parl_mix_rows_fwd_args a) {
  const size_t i = thread_index(), row = i / a.C, column = i % a.C;
  if (row >= a.rows) return;
  float sum = 0.0f;
  for (size_t k = row * a.taps; k < (row + 1) * a.taps; k++)
    sum += a.weights[k] * a.table[(size_t)a.index[k] * a.C + column];
  a.out[i] = sum;
}
void parl_cuda_mix_rows_fwd(parl_queue *queue, const parl_mix_rows_fwd_args *a) {
  LAUNCH(queue, mix_rows_fwd, thread_blocks(a->rows * a->C), BLOCK, 0, *a);
}

void parl_cuda_mix_rows_bwd(parl_queue *queue, const parl_mix_rows_bwd_args *a) {
  run_scatter(queue, {a->rows * a->taps, a->taps, a->C, a->index, a->weights, a->dout, a->dtable});
}
