/* kernels/cuda/moe.cu - which experts a token goes to, in which order tokens lie at experts, and
 * what comes back from them. The formulas are kernels/ref/moe.c's. */
#include "kernels/cuda/numbers.cuh"

static __global__ void sigmoid_fwd(parl_sigmoid_fwd_args a) {
  const size_t i = thread_index();
  if (i < a.n) a.x[i] = sigmoid(a.x[i]);
}
void parl_cuda_sigmoid_fwd(parl_queue *queue, const parl_sigmoid_fwd_args *a) {
  LAUNCH(queue, sigmoid_fwd, thread_blocks(a->n), BLOCK, 0, *a);
}

static __global__ void sigmoid_bwd(parl_sigmoid_bwd_args a) {
  const size_t i = thread_index();
  if (i < a.n) a.dy[i] *= a.y[i] * (1.0f - a.y[i]);
}
void parl_cuda_sigmoid_bwd(parl_queue *queue, const parl_sigmoid_bwd_args *a) {
  LAUNCH(queue, sigmoid_bwd, thread_blocks(a->n), BLOCK, 0, *a);
}

/* ----------------------------------------------------------------- the counting sort by expert */

enum { SORT_BLOCK = 256, SORT_WARPS = SORT_BLOCK / WARP };

/* Block e counts its choices into first[e + 1]. */
static __global__ void count_choices(parl_dispatch_args a) {
  PARL_DYNAMIC_SHARED(int32_t, counts); /* [SORT_WARPS] */
  const size_t n = a.rows * a.n_chosen;
  int32_t count = 0;
  for (size_t i0 = 0; i0 < n; i0 += SORT_BLOCK) {
    const size_t i = i0 + threadIdx.x;
    count += __popc(__ballot_sync(EVERY_LANE, i < n && a.chosen[i] == (int32_t)blockIdx.x));
  }
  if (lane_index() == 0) counts[threadIdx.x / WARP] = count;
  __syncthreads();
  if (threadIdx.x != 0) return;
  int32_t sum = 0;
  for (int w = 0; w < SORT_WARPS; w++) sum += counts[w];
  a.first[blockIdx.x + 1] = sum;
}

/* One warp: counts become where each expert begins. */
static __global__ void add_counts(parl_dispatch_args a) {
  int32_t before = 0;
  for (size_t e0 = 0; e0 < a.n_experts; e0 += WARP) {
    const size_t e = e0 + threadIdx.x;
    const int32_t up_to = warp_sum_up_to(e < a.n_experts ? a.first[e + 1] : 0);
    if (e < a.n_experts) a.first[e + 1] = before + up_to;
    before += __shfl_sync(EVERY_LANE, up_to, WARP - 1);
  }
  if (threadIdx.x == 0) a.first[0] = 0;
}

/* Block e places its choices in their order. */
static __global__ void place_choices(parl_dispatch_args a) {
  PARL_DYNAMIC_SHARED(int32_t, counts); /* [SORT_WARPS] */
  const unsigned warp = threadIdx.x / WARP, below = (1u << lane_index()) - 1;
  const size_t n = a.rows * a.n_chosen;
  int32_t place = a.first[blockIdx.x];
  for (size_t i0 = 0; i0 < n; i0 += SORT_BLOCK) {
    const size_t i = i0 + threadIdx.x;
    const bool is_mine = i < n && a.chosen[i] == (int32_t)blockIdx.x;
    const unsigned who = __ballot_sync(EVERY_LANE, is_mine);
    if (lane_index() == 0) counts[warp] = __popc(who);
    __syncthreads();
    int32_t before = 0, all = 0;
    for (unsigned w = 0; w < SORT_WARPS; w++) {
      if (w < warp) before += counts[w];
      all += counts[w];
    }
    if (is_mine) {
      const int32_t at = place + before + __popc(who & below);
      a.place_of[i] = at;
      a.row_of[at] = (int32_t)(i / a.n_chosen);
    }
    place += all;
    __syncthreads(); /* before the next counts */
  }
}

void parl_cuda_dispatch(parl_queue *queue, const parl_dispatch_args *a) {
  const unsigned E = (unsigned)a->n_experts;
  const size_t shared = SORT_WARPS * sizeof(int32_t);
  LAUNCH(queue, count_choices, E, SORT_BLOCK, shared, *a);
  LAUNCH(queue, add_counts, 1, WARP, 0, *a);
  LAUNCH(queue, place_choices, E, SORT_BLOCK, shared, *a);
}

static __global__ void count_load(parl_count_load_args a) {
  const size_t e = thread_index();
  if (e < a.n_experts) a.load[e] += (int64_t)a.first[e + 1] - a.first[e];
}
void parl_cuda_count_load(parl_queue *queue, const parl_count_load_args *a) {
  LAUNCH(queue, count_load, thread_blocks(a->n_experts), BLOCK, 0, *a);
}

/* --------------------------------------------------------------------------------- and back */

template <class Y, class A>
static __global__ void combine_fwd(parl_combine_fwd_args a) {
  const size_t i = thread_index(), row = i / a.C, column = i % a.C;
  if (row >= a.rows) return;
  Y *out = (Y *)(void *)a.out + i;
  float sum = load(out);
  for (size_t k = row * a.n_chosen; k < (row + 1) * a.n_chosen; k++)
    sum += (a.weights != NULL ? a.weights[k] : 1.0f) *
           load(acts<A>(a.output) + (size_t)a.place_of[k] * a.C + column);
  store(out, sum);
}
template <class A>
void parl_cuda_combine_fwd(parl_queue *queue, const parl_combine_fwd_args *a) {
  const unsigned blocks = thread_blocks(a->rows * a->C);
  if (a->out_is_act)
    LAUNCH(queue, (combine_fwd<A, A>), blocks, BLOCK, 0, *a);
  else
    LAUNCH(queue, (combine_fwd<float, A>), blocks, BLOCK, 0, *a);
}
PARL_CUDA_BOTH(combine_fwd)

/* A warp a choice. */
template <class A>
static __global__ void combine_bwd(parl_combine_bwd_args a) {
  const size_t i = warp_index();
  if (i >= a.rows * a.n_chosen) return;
  const size_t at = (size_t)a.place_of[i] * a.C;
  const float *dout = a.dout + i / a.n_chosen * a.C, weight = a.weights[i];
  float dot = 0.0f;
  for (size_t c = lane_index(); c < a.C; c += WARP) {
    dot += dout[c] * load(acts<A>(a.output) + at + c);
    store(acts<A>(a.doutput) + at + c, weight * dout[c]);
  }
  dot = warp_sum(dot);
  if (lane_index() == 0) a.dweights[i] = dot;
}
template <class A>
void parl_cuda_combine_bwd(parl_queue *queue, const parl_combine_bwd_args *a) {
  LAUNCH(queue, combine_bwd<A>, warp_blocks(a->rows * a->n_chosen), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(combine_bwd)
