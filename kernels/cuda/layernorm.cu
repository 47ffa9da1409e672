/* kernels/cuda/layernorm.cu - LayerNorm over the last axis: a warp a row; the formulas are
 * kernels/ref/layernorm.c's.
 *
 * Elements are taken from the row's first one before anything is summed, so that a row that lies
 * far from 0 loses no digits. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/numbers.cuh"

template <class Y>
static __global__ void layernorm_fwd(parl_layernorm_fwd_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  const float *x = a.x + row * a.ld_x, origin = x[0];
  Y *y = (Y *)(void *)a.y + row * a.ld_y;
  float sum = 0.0f, squares = 0.0f;
  for (size_t c = lane_index(); c < a.C; c += WARP) sum += x[c] - origin;
  const float mean = warp_sum(sum) / (float)a.C;
  for (size_t c = lane_index(); c < a.C; c += WARP) {
    const float d = x[c] - origin - mean;
    squares += d * d;
  }
  const float r = 1.0f / sqrtf(warp_sum(squares) / (float)a.C + a.eps);
  if (lane_index() == 0 && a.mean != NULL) {
    a.mean[row] = origin + mean;
    a.inv_std[row] = r;
  }
  for (size_t c = lane_index(); c < a.C; c += WARP)
    store(y + c, (x[c] - origin - mean) * r * a.weight[c] + a.bias[c]);
}
template <class A>
void parl_cuda_layernorm_fwd(parl_queue *queue, const parl_layernorm_fwd_args *a) {
  if (a->y_is_act)
    LAUNCH(queue, layernorm_fwd<A>, warp_blocks(a->rows), BLOCK, 0, *a);
  else
    LAUNCH(queue, layernorm_fwd<float>, warp_blocks(a->rows), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(layernorm_fwd)

template <class Y>
static __global__ void layernorm_dx(parl_layernorm_bwd_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  const float *x = a.x + row * a.ld_x, mean = a.mean[row], r = a.inv_std[row];
  const Y *dy = (const Y *)(const void *)a.dy + row * a.ld_dy;
  float *dx = a.dx + row * a.ld_dx, sum = 0.0f, dot = 0.0f;
  for (size_t c = lane_index(); c < a.C; c += WARP) {
    const float pushed = a.weight[c] * load(dy + c);
    sum += pushed;
    dot += pushed * ((x[c] - mean) * r);
  }
  sum = warp_sum(sum) / (float)a.C;
  dot = warp_sum(dot) / (float)a.C;
  for (size_t c = lane_index(); c < a.C; c += WARP)
    dx[c] += r * (a.weight[c] * load(dy + c) - (sum + (x[c] - mean) * r * dot));
}

/* What a row adds to a column of dbias, and of dweight. */
template <class Y>
struct dy_terms {
  parl_layernorm_bwd_args a;
  __device__ float operator()(size_t row, size_t c) const {
    return load((const Y *)(const void *)a.dy + row * a.ld_dy + c);
  }
};
template <class Y>
struct normed_terms {
  parl_layernorm_bwd_args a;
  __device__ float operator()(size_t row, size_t c) const {
    return load((const Y *)(const void *)a.dy + row * a.ld_dy + c) *
           ((a.x[row * a.ld_x + c] - a.mean[row]) * a.inv_std[row]);
  }
};

template <class Y>
static void run_layernorm_bwd(parl_queue *queue, const parl_layernorm_bwd_args *a) {
  if (a->rows == 0) return;
  float *room = room_for_runs(queue, a->rows, a->C);
  if (room == NULL) return;
  PARL_LAUNCH(queue, layernorm_dx<Y>, warp_blocks(a->rows), BLOCK, 0, *a);
  add_column_sums(queue, a->rows, a->C, normed_terms<Y>{*a}, room, a->dweight);
  add_column_sums(queue, a->rows, a->C, dy_terms<Y>{*a}, room, a->dbias);
}
template <class A>
void parl_cuda_layernorm_bwd(parl_queue *queue, const parl_layernorm_bwd_args *a) {
  if (a->dy_is_act)
    run_layernorm_bwd<A>(queue, a);
  else
    run_layernorm_bwd<float>(queue, a);
}
PARL_CUDA_BOTH(layernorm_bwd)
