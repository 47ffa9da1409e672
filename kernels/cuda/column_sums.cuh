/* kernels/cuda/column_sums.cuh - sums over the rows of a matrix that is computed as it is read.
 *
 * Rows are summed in runs of RUN_ROWS, the runs then in their order: no atomics, and the same bits
 * whenever the number of rows is the same. */
#ifndef PARL_KERNELS_CUDA_COLUMN_SUMS_CUH
#define PARL_KERNELS_CUDA_COLUMN_SUMS_CUH
#include "kernels/cuda/numbers.cuh"

enum { RUN_ROWS = 64, COLUMNS = 64 }; /* of a block: a thread a column */

/* runs [n_runs,C] = the sums of terms(row, column) over each run's rows */
template <class Terms>
static __global__ void sum_runs(size_t rows, size_t C, Terms terms, float *runs) {
  const size_t c = (size_t)blockIdx.y * COLUMNS + threadIdx.x;
  const size_t first = (size_t)blockIdx.x * RUN_ROWS;
  const size_t end = first + RUN_ROWS < rows ? first + RUN_ROWS : rows;
  if (c >= C) return;
  float sum = 0.0f;
  for (size_t row = first; row < end; row++) sum += terms(row, c);
  runs[blockIdx.x * C + c] = sum;
}

/* out [C] += the runs */
static __global__ void add_runs(size_t n_runs, size_t C, const float *runs, float *out) {
  const size_t c = thread_index();
  if (c >= C) return;
  float sum = 0.0f;
  for (size_t run = 0; run < n_runs; run++) sum += runs[run * C + c];
  out[c] += sum;
}

/* Room for the runs of one op, which may sum one thing after another in it. NULL: the queue knows
 * why. */
static inline float *room_for_runs(parl_queue *queue, size_t rows, size_t C) {
  return (float *)parl_cuda_scratch(queue, ceil_div(rows, RUN_ROWS) * C * sizeof(float));
}

/* out [C] += the sums of terms(row, column) over all rows */
template <class Terms>
static void add_column_sums(parl_queue *queue, size_t rows, size_t C, Terms terms, float *room,
                            float *out) {
  if (rows == 0) return;
  const size_t n_runs = ceil_div(rows, RUN_ROWS);
  const unsigned blocks = (unsigned)ceil_div(C, COLUMNS);
  PARL_LAUNCH(queue, sum_runs<Terms>, dim3((unsigned)n_runs, blocks), COLUMNS, 0, rows, C, terms,
              room);
  PARL_LAUNCH(queue, add_runs, blocks, COLUMNS, 0, n_runs, C, (const float *)room, out);
}

#endif
