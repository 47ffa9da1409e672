/* kernels/cuda/decode.cu - one query row against a cache; kernels/ref/attention.c has the formulas.
 *
 * All rows append first, then they attend: a row reads what an earlier row of its slot appended in
 * the same call. A block has a row and HEADS of the heads that share keys; its warps take tiles of
 * WARP keys in turn, and what they found is put together in their order. Block x: the row; y: the
 * heads; z: which columns of the values. */
#include "kernels/cuda/attention.cuh"

enum { HEADS = ROWS };

/* Block x: the row; y: keys, values. A cache [n_slots, H_kv, context, D] gets x [rows, H_kv * D].
 */
template <class A, class T>
static __global__ void append(parl_attention_decode_args a) {
  const size_t row = blockIdx.x, position = (size_t)a.lengths[row] - 1;
  const bool is_value = blockIdx.y == 1;
  const parl_act *x = is_value ? a.v : a.k;
  const size_t ld = is_value ? a.ld_v : a.ld_k, D = is_value ? a.Dv : a.D;
  T *cache = (T *)(is_value ? a.v_cache : a.k_cache);
  if (a.lengths[row] == 0) return;
  for (size_t i = threadIdx.x; i < a.H_kv * D; i += BLOCK) {
    const size_t head = (size_t)a.slots[row] * a.H_kv + i / D;
    store(cache + (head * a.context + position) * D + i % D, load(acts<A>(x) + row * ld + i));
  }
}

/* A row's keys and values of a group, and the queries of the block's heads. */
template <class A, class T>
struct decode_view {
  const T *keys, *values;
  const A *q;
  size_t n, ld_v; /* keys; distance between values */
  int heads;      /* of the block, HEADS at most */
  size_t first_head;
};

template <class A, class T>
static __device__ decode_view<A, T> view_row(const parl_attention_decode_args &a) {
  const size_t heads = a.H / a.H_kv, pieces = (heads + HEADS - 1) / HEADS, row = blockIdx.x;
  const size_t group = blockIdx.y / pieces, within = blockIdx.y % pieces * HEADS;
  const size_t head = ((size_t)a.slots[row] * a.H_kv + group) * a.context;
  decode_view<A, T> v;
  v.keys = (const T *)a.k_cache + head * a.D;
  v.values = a.v_cache != NULL ? (const T *)a.v_cache + head * a.Dv : v.keys;
  v.ld_v = a.v_cache != NULL ? a.Dv : a.D;
  v.n = (size_t)a.lengths[row];
  v.heads = (int)(heads - within < HEADS ? heads - within : HEADS);
  v.first_head = group * heads + within;
  v.q = acts<A>(a.q) + row * a.ld_q + v.first_head * a.D;
  return v;
}

/* scores of the lane's key for each head; q [HEADS, D] in shared memory. */
template <class T>
static __device__ void score_key(const T *key, const float *q, size_t D, float scores[HEADS]) {
#pragma unroll
  for (int h = 0; h < HEADS; h++) scores[h] = 0.0f;
  for (size_t d = 0; d < D; d++) {
    const float k = load(key + d);
#pragma unroll
    for (int h = 0; h < HEADS; h++) scores[h] += q[h * D + d] * k;
  }
}

/* mixed[h] += the n values from `values` on, weighed by weights [n][HEADS]. */
template <class T, int WIDE>
static __device__ void add_values(const T *values, size_t ld, int n, size_t c0, size_t Dv,
                                  const float *weights, float mixed[HEADS][WIDE]) {
  for (int j = 0; j < n; j++) {
    float value[WIDE];
#pragma unroll
    for (int m = 0; m < WIDE; m++) {
      const size_t c = c0 + lane_index() + m * WARP;
      value[m] = c < Dv ? load(values + j * ld + c) : 0.0f;
    }
#pragma unroll
    for (int h = 0; h < HEADS; h++) {
      const float weight = weights[j * HEADS + h];
#pragma unroll
      for (int m = 0; m < WIDE; m++) mixed[h][m] += weight * value[m];
    }
  }
}

/* What a warp leaves for the others: per head the largest score, the sum, the mixed values. */
static __host__ __device__ constexpr size_t found_floats(int wide) {
  return 2 + (size_t)WARP * wide;
}

template <int WIDE>
static __device__ void leave_found(const progress<WIDE> &p, float *found) {
#pragma unroll
  for (int h = 0; h < HEADS; h++) {
    float *to = found + (threadIdx.x / WARP * HEADS + h) * found_floats(WIDE);
    if (lane_index() == 0) to[0] = p.top[h], to[1] = p.sum[h];
#pragma unroll
    for (int m = 0; m < WIDE; m++) to[2 + lane_index() + m * WARP] = p.mixed[h][m];
  }
}

/* Column c of head h from what the warps found, in their order. A warp without keys has a largest
 * score of -inf and counts for nothing. */
template <int WIDE>
static __device__ float merge_found(const float *found, int h, size_t c) {
  float top = -INFINITY, sum = 0.0f, mixed = 0.0f;
  for (int w = 0; w < WARPS; w++) top = fmaxf(top, found[(w * HEADS + h) * found_floats(WIDE)]);
  for (int w = 0; w < WARPS; w++) {
    const float *from = found + (w * HEADS + h) * found_floats(WIDE);
    const float shrink = expf(from[0] - top);
    sum += from[1] * shrink;
    mixed += from[2 + c] * shrink;
  }
  return mixed / sum;
}

template <class A, class T, int WIDE>
static __global__ void attend(parl_attention_decode_args a) {
  PARL_DYNAMIC_SHARED(float, q); /* [HEADS, D], then weights, then what the warps found */
  const decode_view<A, T> view = view_row<A, T>(a);
  const size_t c0 = (size_t)blockIdx.z * WARP * WIDE;
  float *room = q + HEADS * a.D, *found = room + WEIGHT_FLOATS;
  for (size_t i = threadIdx.x; i < HEADS * a.D; i += WARPS * WARP)
    q[i] = i < view.heads * a.D ? load(view.q + i) : 0.0f;
  __syncthreads();
  progress<WIDE> p = no_progress<WIDE>();
  for (size_t key = threadIdx.x / WARP * WARP; key < view.n; key += WARPS * WARP) {
    const int n = count_places(key, view.n);
    const int seen[HEADS] = {n, n, n, n};
    const size_t own = (int)lane_index() < n ? key + lane_index() : key;
    float scores[HEADS];
    score_key(view.keys + own * a.D, q, a.D, scores);
    weigh_scores<WIDE>(seen, a.scale, scores, &p);
    add_values<T, WIDE>(view.values + key * view.ld_v, view.ld_v, n, c0, a.Dv,
                        share_weights(scores, room), p.mixed);
  }
  leave_found<WIDE>(p, found);
  __syncthreads();
  A *out = acts<A>(a.out) + blockIdx.x * a.ld_out + view.first_head * a.Dv;
  for (size_t i = threadIdx.x; i < (size_t)view.heads * WARP * WIDE; i += WARPS * WARP) {
    const size_t h = i / (WARP * WIDE), c = i % (WARP * WIDE);
    const float mixed = view.n > 0 ? merge_found<WIDE>(found, (int)h, c) : 0.0f;
    if (c0 + c < a.Dv) store(out + h * a.Dv + c0 + c, mixed);
  }
}

template <class A, class T, int WIDE>
static void run_attend(parl_queue *queue, const parl_attention_decode_args *a) {
  const size_t found = WARPS * HEADS * found_floats(WIDE);
  const size_t shared = (HEADS * a->D + WEIGHT_FLOATS + found) * sizeof(float);
  const dim3 grid((unsigned)a->rows, (unsigned)(a->H_kv * ceil_div(a->H / a->H_kv, HEADS)),
                  (unsigned)pieces_of(a->Dv, WIDE));
  LAUNCH(queue, (attend<A, T, WIDE>), grid, WARPS * WARP, shared, *a);
}

template <class A, class T>
static void run_decode(parl_queue *queue, const parl_attention_decode_args *a) {
  LAUNCH(queue, (append<A, T>), dim3((unsigned)a->rows, a->v != NULL ? 2 : 1), BLOCK, 0, *a);
  run_by_width(a->Dv, [&](auto wide) { run_attend<A, T, wide.value>(queue, a); });
}

template <class A>
void parl_cuda_attention_decode(parl_queue *queue, const parl_attention_decode_args *a) {
  if (a->bf16)
    run_decode<A, bf16>(queue, a);
  else
    run_decode<A, float>(queue, a);
}
PARL_CUDA_BOTH(attention_decode)
