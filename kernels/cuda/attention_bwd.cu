/* kernels/cuda/attention_bwd.cu - the gradient of attention in two kernels: of queries, by tiles of
 * queries over keys; of keys and values, by tiles of keys over queries. No sum is shared between
 * blocks, so there are no atomics. kernels/ref/attention.c has the formulas.
 *
 * Block x: tiles; y: the head, or the group of heads that share keys; z: which columns. */
#include "kernels/cuda/attention.cuh"

/* delta [n] = dout . out of the rows of a head, a warp a row. */
template <class A>
static __device__ void dot_outputs(const parl_attention_bwd_args &a, size_t head, size_t first,
                                   size_t n, float *delta) {
  const size_t Dv = a.fwd.Dv;
  for (size_t i = threadIdx.x / WARP; i < n; i += WARPS) {
    const A *dout = acts<A>(a.dout) + (first + i) * a.ld_dout + head * Dv;
    const A *out = acts<A>(a.fwd.out) + (first + i) * a.fwd.ld_out + head * Dv;
    float sum = 0.0f;
    for (size_t c = lane_index(); c < Dv; c += WARP) sum += load(dout + c) * load(out + c);
    sum = warp_sum(sum);
    if (lane_index() == 0) delta[i] = sum;
  }
}

/* ---------------------------------------------------------------------------------- of queries */

template <class A, int WIDE>
static __device__ void sum_query_tile(const parl_attention_bwd_args &a, const tile &t, size_t head,
                                      size_t c0, float *shared, float sums[ROWS][WIDE]) {
  const parl_attention_fwd_args &f = a.fwd;
  const size_t group = head / (f.H / f.H_kv), n = rows_of(t), own = threadIdx.x / WARP * ROWS;
  const size_t end = f.both_ways ? t.end : t.first + n;
  float *delta = shared + DOT_FLOATS + column_floats(WIDE);
  const rows_view<A> q = view_rows<A>(f.q, f.ld_q, head * f.D, t.first, n);
  const rows_view<A> dout = view_rows<A>(a.dout, a.ld_dout, head * f.Dv, t.first, n);
  const int from[ROWS] = {0};
  dot_outputs<A>(a, head, t.first, n, delta); /* seen after the barriers of dot_tiles */
  for (size_t key = t.start; key < end; key += WARP) {
    const size_t n_keys = end - key < WARP ? end - key : WARP;
    const rows_view<A> k = view_rows<A>(f.k, f.ld_k, group * f.D, key, n_keys);
    float scores[ROWS], ds[ROWS];
    int seen[ROWS];
    dot_tiles(q, k, f.D, shared, scores);
    dot_tiles(dout, view_rows<A>(f.v, f.ld_v, group * f.Dv, key, n_keys), f.Dv, shared, ds);
    stage_columns(k, c0, WIDE, f.D, shared + DOT_FLOATS);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const size_t row = t.first + own + r, last = f.both_ways || row >= t.end ? t.end : row + 1;
      seen[r] = row >= t.end || last <= key ? 0 : (int)(last - key < WARP ? last - key : WARP);
      const bool is_seen = (int)lane_index() < seen[r];
      const float p = is_seen ? expf(scores[r] * f.scale - f.lse[row * f.H + head]) : 0.0f;
      ds[r] = is_seen ? p * (ds[r] - delta[own + r]) * f.scale : 0.0f;
    }
    __syncthreads();
    add_weighted<WIDE>(ds, from, seen, shared + DOT_FLOATS, shared, sums);
  }
  __syncthreads(); /* before the next tile's delta */
}

template <int WIDE>
static __device__ void clear(float sums[ROWS][WIDE]) {
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int m = 0; m < WIDE; m++) sums[r][m] = 0.0f;
}

template <class A, int WIDE>
static __global__ void attention_dq(parl_attention_bwd_args a) {
  PARL_DYNAMIC_SHARED(float, shared);
  const size_t head = blockIdx.y, c0 = (size_t)blockIdx.z * WARP * WIDE, D = a.fwd.D;
  const float ones[ROWS] = {1.0f, 1.0f, 1.0f, 1.0f};
  tile_walk walk = {0, 0};
  tile t;
  for (size_t which = blockIdx.x; find_tile(a.fwd, which, &walk, &t); which += gridDim.x) {
    float sums[ROWS][WIDE];
    clear<WIDE>(sums);
    sum_query_tile<A, WIDE>(a, t, head, c0, shared, sums);
    write_rows<A, WIDE>(acts<A>(a.dq) + t.first * a.ld_dq + head * D, a.ld_dq, rows_of(t), c0, D,
                        ones, sums);
  }
}

/* -------------------------------------------------------------------------- of keys and values */

/* Adds what the queries of a head from `row` on, n of them, give to the keys of a tile. */
template <class A, int WIDE>
static __device__ void add_queries(const parl_attention_bwd_args &a, const tile &t, size_t head,
                                   size_t row, size_t n, size_t c0, float *shared,
                                   float dk[ROWS][WIDE], float dv[ROWS][WIDE]) {
  const parl_attention_fwd_args &f = a.fwd;
  const size_t group = head / (f.H / f.H_kv), own = threadIdx.x / WARP * ROWS;
  float *staged = shared + DOT_FLOATS, *delta = staged + column_floats(WIDE);
  const rows_view<A> k = view_rows<A>(f.k, f.ld_k, group * f.D, t.first, rows_of(t));
  const rows_view<A> v = view_rows<A>(f.v, f.ld_v, group * f.Dv, t.first, rows_of(t));
  const rows_view<A> q = view_rows<A>(f.q, f.ld_q, head * f.D, row, n);
  const rows_view<A> dout = view_rows<A>(a.dout, a.ld_dout, head * f.Dv, row, n);
  const size_t lane_row = row + lane_index();
  float p[ROWS], ds[ROWS];
  int from[ROWS], to[ROWS];
  dot_outputs<A>(a, head, row, n, delta);
  dot_tiles(k, q, f.D, shared, p);
  dot_tiles(v, dout, f.Dv, shared, ds);
  stage_columns(dout, c0, WIDE, f.Dv, staged);
  const bool is_query = lane_index() < n;
  const float lse = is_query ? f.lse[lane_row * f.H + head] : 0.0f;
  const float lane_delta = is_query ? delta[lane_index()] : 0.0f;
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const size_t key = t.first + own + r;
    from[r] = f.both_ways || key <= row ? 0 : (int)(key - row < WARP ? key - row : WARP);
    to[r] = key < t.end ? (int)n : 0;
    const bool is_seen = (int)lane_index() >= from[r] && (int)lane_index() < to[r];
    p[r] = is_seen ? expf(p[r] * f.scale - lse) : 0.0f;
    ds[r] = is_seen ? p[r] * (ds[r] - lane_delta) * f.scale : 0.0f;
  }
  __syncthreads();
  add_weighted<WIDE>(p, from, to, staged, shared, dv);
  __syncthreads();
  stage_columns(q, c0, WIDE, f.D, staged);
  __syncthreads();
  add_weighted<WIDE>(ds, from, to, staged, shared, dk);
  __syncthreads(); /* before the next queries' delta */
}

template <class A, int WIDE>
static __global__ void attention_dkv(parl_attention_bwd_args a) {
  PARL_DYNAMIC_SHARED(float, shared);
  const parl_attention_fwd_args &f = a.fwd;
  const size_t group = blockIdx.y, heads = f.H / f.H_kv, c0 = (size_t)blockIdx.z * WARP * WIDE;
  const float ones[ROWS] = {1.0f, 1.0f, 1.0f, 1.0f};
  tile_walk walk = {0, 0};
  tile t;
  for (size_t which = blockIdx.x; find_tile(f, which, &walk, &t); which += gridDim.x) {
    float dk[ROWS][WIDE], dv[ROWS][WIDE];
    clear<WIDE>(dk);
    clear<WIDE>(dv);
    for (size_t head = group * heads; head < (group + 1) * heads; head++)
      for (size_t row = f.both_ways ? t.start : t.first; row < t.end; row += WARP)
        add_queries<A, WIDE>(a, t, head, row, t.end - row < WARP ? t.end - row : WARP, c0, shared,
                             dk, dv);
    write_rows<A, WIDE>(acts<A>(a.dk) + t.first * a.ld_dk + group * f.D, a.ld_dk, rows_of(t), c0,
                        f.D, ones, dk);
    write_rows<A, WIDE>(acts<A>(a.dv) + t.first * a.ld_dv + group * f.Dv, a.ld_dv, rows_of(t), c0,
                        f.Dv, ones, dv);
  }
}

/* ---------------------------------------------------------------------------------------------- */

template <class A, int WIDE>
static void run_attention_bwd(parl_queue *queue, const parl_attention_bwd_args *a) {
  const parl_attention_fwd_args *f = &a->fwd;
  const size_t pieces = pieces_of(f->D > f->Dv ? f->D : f->Dv, WIDE);
  const size_t shared = (DOT_FLOATS + column_floats(WIDE) + WARP) * sizeof(float);
  const unsigned H = (unsigned)f->H, H_kv = (unsigned)f->H_kv, z = (unsigned)pieces;
  LAUNCH(queue, (attention_dq<A, WIDE>), dim3(tile_blocks(f, H * pieces), H, z), WARPS * WARP,
         shared, *a);
  LAUNCH(queue, (attention_dkv<A, WIDE>), dim3(tile_blocks(f, H_kv * pieces), H_kv, z),
         WARPS * WARP, shared, *a);
}

template <class A>
void parl_cuda_attention_bwd(parl_queue *queue, const parl_attention_bwd_args *a) {
  run_by_width(a->fwd.D > a->fwd.Dv ? a->fwd.D : a->fwd.Dv,
               [&](auto wide) { run_attention_bwd<A, wide.value>(queue, a); });
}
PARL_CUDA_BOTH(attention_bwd)
