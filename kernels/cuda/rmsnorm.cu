/* kernels/cuda/rmsnorm.cu - RMSNorm over the last axis: a warp a row; the formulas are
 * kernels/ref/rmsnorm.c's.
 *
 * dweight sums over rows: runs of a fixed number of them first, then the runs in their order. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/numbers.cuh"

template <class X, class A>
static __global__ void rmsnorm_fwd(parl_rmsnorm_fwd_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  const X *x = (const X *)(const void *)a.x + row * a.ld_x;
  A *y = acts<A>(a.y) + row * a.ld_y;
  float sum = 0.0f;
  for (size_t c = lane_index(); c < a.C; c += WARP) sum += load(x + c) * load(x + c);
  const float r = 1.0f / sqrtf(warp_sum(sum) / (float)a.C + a.eps);
  if (lane_index() == 0 && a.inv_rms != NULL) a.inv_rms[row] = r;
  for (size_t c = lane_index(); c < a.C; c += WARP) store(y + c, load(x + c) * r * a.weight[c]);
}
template <class A>
void parl_cuda_rmsnorm_fwd(parl_queue *queue, const parl_rmsnorm_fwd_args *a) {
  if (a->x_is_act)
    LAUNCH(queue, (rmsnorm_fwd<A, A>), warp_blocks(a->rows), BLOCK, 0, *a);
  else
    LAUNCH(queue, (rmsnorm_fwd<float, A>), warp_blocks(a->rows), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(rmsnorm_fwd)

template <class X, class A>
static __global__ void rmsnorm_dx(parl_rmsnorm_bwd_args a) {
  const size_t row = warp_index();
  if (row >= a.rows) return;
  const X *x = (const X *)(const void *)a.x + row * a.ld_x;
  const A *dy = acts<A>(a.dy) + row * a.ld_dy;
  X *dx = (X *)(void *)a.dx + row * a.ld_dx;
  const float r = a.inv_rms[row];
  float dot = 0.0f;
  for (size_t c = lane_index(); c < a.C; c += WARP)
    dot += a.weight[c] * load(dy + c) * (load(x + c) * r);
  const float pull = warp_sum(dot) / (float)a.C;
  for (size_t c = lane_index(); c < a.C; c += WARP)
    store(dx + c, load(dx + c) + r * (a.weight[c] * load(dy + c) - load(x + c) * r * pull));
}

/* What a row adds to dweight of a column. */
template <class X, class A>
struct rmsnorm_terms {
  parl_rmsnorm_bwd_args a;
  __device__ float operator()(size_t row, size_t c) const {
    return load(acts<A>(a.dy) + row * a.ld_dy + c) *
           (load((const X *)(const void *)a.x + row * a.ld_x + c) * a.inv_rms[row]);
  }
};

template <class X, class A>
static void run_rmsnorm_bwd(parl_queue *queue, const parl_rmsnorm_bwd_args *a) {
  if (a->rows == 0) return;
  float *room = room_for_runs(queue, a->rows, a->C);
  if (room == NULL) return;
  PARL_LAUNCH(queue, (rmsnorm_dx<X, A>), warp_blocks(a->rows), BLOCK, 0, *a);
  add_column_sums(queue, a->rows, a->C, rmsnorm_terms<X, A>{*a}, room, a->dweight);
}
template <class A>
void parl_cuda_rmsnorm_bwd(parl_queue *queue, const parl_rmsnorm_bwd_args *a) {
  if (a->x_is_act)
    run_rmsnorm_bwd<A, A>(queue, a);
  else
    run_rmsnorm_bwd<float, A>(queue, a);
}
PARL_CUDA_BOTH(rmsnorm_bwd)
