/* kernels/cuda/attention.cu - attention over packed sequences, flash style; kernels/ref/attention.c
 * has the formulas.
 *
 * A block has OWN query rows of a head and walks over the keys in tiles of WARP, with a running
 * maximum. Block x: tiles; y: the head; z: which columns of the values. */
#include "kernels/cuda/attention.cuh"

/* Keys that each row of the warp sees of the tile at `key`. */
static __device__ void count_seen(const tile &t, size_t key, bool both_ways, int seen[ROWS]) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const size_t row = t.first + threadIdx.x / WARP * ROWS + r;
    const size_t end = both_ways || row >= t.end ? t.end : row + 1;
    seen[r] = count_places(key, end);
  }
}

template <class A, int WIDE>
static __device__ progress<WIDE> attend(const parl_attention_fwd_args &a, const tile &t,
                                        size_t head, size_t c0, float *shared) {
  const size_t group = head / (a.H / a.H_kv), n = rows_of(t);
  const size_t end = a.both_ways ? t.end : t.first + n;
  const rows_view<A> q = view_rows<A>(a.q, a.ld_q, head * a.D, t.first, n);
  progress<WIDE> p = no_progress<WIDE>();
  const int from[ROWS] = {0};
  int seen[ROWS];
  for (size_t key = t.start; key < end; key += WARP) {
    const size_t n_keys = (size_t)count_places(key, end);
    float scores[ROWS];
    dot_tiles(q, view_rows<A>(a.k, a.ld_k, group * a.D, key, n_keys), a.D, shared, scores);
    stage_columns(view_rows<A>(a.v, a.ld_v, group * a.Dv, key, n_keys), c0, WIDE, a.Dv,
                  shared + DOT_FLOATS);
    count_seen(t, key, a.both_ways, seen);
    weigh_scores<WIDE>(seen, a.scale, scores, &p);
    __syncthreads(); /* values are there; dot_tiles waits before they are staged anew */
    add_weighted<WIDE>(scores, from, seen, shared + DOT_FLOATS, shared, p.mixed);
  }
  return p;
}

/* largest [blocks, H]: of the scores that a block has seen. */
template <class A, int WIDE>
static __global__ void attention_fwd(parl_attention_fwd_args a, float *largest) {
  PARL_DYNAMIC_SHARED(float, shared);
  const size_t head = blockIdx.y, c0 = (size_t)blockIdx.z * WARP * WIDE;
  const unsigned warp = threadIdx.x / WARP;
  tile_walk walk = {0, 0};
  tile t;
  float most = -INFINITY;
  for (size_t which = blockIdx.x; find_tile(a, which, &walk, &t); which += gridDim.x) {
    const progress<WIDE> p = attend<A, WIDE>(a, t, head, c0, shared);
    float factor[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const size_t row = t.first + warp * ROWS + r;
      factor[r] = 1.0f / p.sum[r];
      if (row >= t.end) continue;
      if (c0 == 0 && lane_index() == 0) a.lse[row * a.H + head] = p.top[r] + logf(p.sum[r]);
      most = fmaxf(most, p.top[r]);
    }
    write_rows<A, WIDE>(acts<A>(a.out) + t.first * a.ld_out + head * a.Dv, a.ld_out, rows_of(t), c0,
                        a.Dv, factor, p.mixed);
  }
  if (largest == NULL || c0 != 0) return;
  __syncthreads();
  if (lane_index() == 0) shared[warp] = most;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < WARPS; w++) most = fmaxf(most, shared[w]);
  largest[blockIdx.x * a.H + head] = most;
}

/* max_scores [H] raised to the largest of n blocks; a thread a head. */
static __global__ void raise_max_scores(size_t n, size_t H, const float *largest,
                                        float *max_scores) {
  const size_t head = thread_index();
  if (head >= H) return;
  float most = max_scores[head];
  for (size_t i = 0; i < n; i++) most = fmaxf(most, largest[i * H + head]);
  max_scores[head] = most;
}

template <class A, int WIDE>
static void run_attention_fwd(parl_queue *queue, const parl_attention_fwd_args *a) {
  const size_t pieces = pieces_of(a->Dv, WIDE);
  const unsigned blocks = tile_blocks(a, a->H * pieces);
  float *largest = NULL;
  if (blocks == 0) return;
  if (a->max_scores != NULL) {
    largest = (float *)parl_cuda_scratch(queue, blocks * a->H * sizeof(float));
    if (largest == NULL) return; /* the queue knows why */
  }
  PARL_LAUNCH(queue, (attention_fwd<A, WIDE>), dim3(blocks, (unsigned)a->H, (unsigned)pieces),
              WARPS * WARP, (DOT_FLOATS + column_floats(WIDE)) * sizeof(float), *a, largest);
  if (largest != NULL)
    PARL_LAUNCH(queue, raise_max_scores, thread_blocks(a->H), BLOCK, 0, (size_t)blocks, a->H,
                (const float *)largest, a->max_scores);
}

template <class A>
void parl_cuda_attention_fwd(parl_queue *queue, const parl_attention_fwd_args *a) {
  run_by_width(a->Dv, [&](auto wide) { run_attention_fwd<A, wide.value>(queue, a); });
}
PARL_CUDA_BOTH(attention_fwd)
