/* kernels/cuda/attention.cuh - what the attention kernels share: where tiles of packed sequences
 * lie, and the dot products of the rows of two tiles.
 *
 * A block of WARPS warps has a tile of OWN rows, OWN / WARPS a warp, and walks over tiles of WARP
 * others, a lane each: queries over keys, or keys over queries. Sums of a row go tile after tile
 * from the start of its own sequence: their bits do not depend on the other sequences. */
#ifndef PARL_KERNELS_CUDA_ATTENTION_CUH
#define PARL_KERNELS_CUDA_ATTENTION_CUH
#include "kernels/cuda/numbers.cuh"

enum {
  WARPS = 4,
  ROWS = 4,           /* own rows of a warp */
  OWN = WARPS * ROWS, /* of a block */
  DEPTH = 32,         /* components staged at a time */
  PITCH = DEPTH + 1,  /* floats between staged rows: lanes read different banks */
  MOST_WIDE = 8       /* a lane sums at most so many columns, WARP apart */
};

/* How many of the WARP places from `first` on lie before `end`. */
static __device__ __forceinline__ int count_places(size_t first, size_t end) {
  return end <= first ? 0 : (int)(end - first < WARP ? end - first : WARP);
}

/* Floats of shared memory that dot_tiles and stage_columns want. */
enum { DOT_FLOATS = (OWN + WARP) * PITCH };
static __host__ __device__ constexpr size_t column_floats(int wide) {
  return (size_t)WARP * WARP * wide;
}

/* Rows of a matrix from `first`, n of them: a view of one head. */
template <class A>
struct rows_view {
  const A *at;
  size_t ld, n;
};
template <class A>
static __device__ rows_view<A> view_rows(const parl_act *x, size_t ld, size_t column, size_t first,
                                         size_t n) {
  return {acts<A>(x) + first * ld + column, ld, n};
}

/* n_rows x DEPTH components from `depth` on into shared memory, zeros beyond the rows and D. */
template <class A>
static __device__ void stage_rows(const rows_view<A> &x, size_t n_rows, size_t depth, size_t D,
                                  float *to) {
  for (size_t i = threadIdx.x; i < n_rows * DEPTH; i += WARPS * WARP) {
    const size_t row = i / DEPTH, d = depth + i % DEPTH;
    to[row * PITCH + i % DEPTH] = row < x.n && d < D ? load(x.at + row * x.ld + d) : 0.0f;
  }
}

/* dots[r] = own row r of the warp times the lane's other row, D components each. Every thread of
 * the block takes part; `shared` [DOT_FLOATS] is in use until the next barrier. */
template <class A>
static __device__ void dot_tiles(const rows_view<A> &own, const rows_view<A> &other, size_t D,
                                 float *shared, float dots[ROWS]) {
  float *own_part = shared, *other_part = shared + OWN * PITCH;
  const float *mine = own_part + threadIdx.x / WARP * ROWS * PITCH;
  const float *lanes = other_part + lane_index() * PITCH;
#pragma unroll
  for (int r = 0; r < ROWS; r++) dots[r] = 0.0f;
  for (size_t depth = 0; depth < D; depth += DEPTH) {
    __syncthreads(); /* what was staged before is used up */
    stage_rows(own, OWN, depth, D, own_part);
    stage_rows(other, WARP, depth, D, other_part);
    __syncthreads();
#pragma unroll
    for (int d = 0; d < DEPTH; d++)
#pragma unroll
      for (int r = 0; r < ROWS; r++) dots[r] += mine[r * PITCH + d] * lanes[d];
  }
}

/* columns c0 .. c0 + WARP * wide - 1 of the other rows, [WARP][WARP * wide]. */
template <class A>
static __device__ void stage_columns(const rows_view<A> &x, size_t c0, int wide, size_t D,
                                     float *to) {
  const size_t width = (size_t)WARP * wide;
  for (size_t i = threadIdx.x; i < WARP * width; i += WARPS * WARP) {
    const size_t row = i / width, c = c0 + i % width;
    to[i] = row < x.n && c < D ? load(x.at + row * x.ld + c) : 0.0f;
  }
}

/* Lanes' weights for each row of the warp, where all its lanes read them: [WARP][ROWS] of `room`,
 * which has as much for every warp of the block. */
enum { WEIGHT_FLOATS = WARPS * WARP * ROWS };
static_assert((int)WEIGHT_FLOATS <= (int)DOT_FLOATS, "weights take the place of used dot products");
static __device__ const float *share_weights(const float weights[ROWS], float *room) {
  float *shared = room + threadIdx.x / WARP * WARP * ROWS;
  __syncwarp(); /* what was there is used up */
#pragma unroll
  for (int r = 0; r < ROWS; r++) shared[lane_index() * ROWS + r] = weights[r];
  __syncwarp();
  return shared;
}

/* sums[r] += weights[r] of lane j times staged row j, for j in from[r] .. to[r] - 1: what a row
 * does not see is not touched, be it no number. `room` is shared memory, [WEIGHT_FLOATS]. */
template <int WIDE>
static __device__ void add_weighted(const float weights[ROWS], const int from[ROWS],
                                    const int to[ROWS], const float *staged, float *room,
                                    float sums[ROWS][WIDE]) {
  const float *shared = share_weights(weights, room);
  for (int j = 0; j < WARP; j++) {
    const float *row = staged + j * WARP * WIDE + lane_index();
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const float weight = shared[j * ROWS + r];
      if (j < from[r] || j >= to[r]) continue; /* the same for the whole warp */
#pragma unroll
      for (int m = 0; m < WIDE; m++) sums[r][m] += weight * row[m * WARP];
    }
  }
}

/* Where a warp's rows are: the largest score so far, the sum of exponentials below it, and the sums
 * of values. */
template <int WIDE>
struct progress {
  float top[ROWS], sum[ROWS], mixed[ROWS][WIDE];
};

template <int WIDE>
static __device__ progress<WIDE> no_progress() {
  progress<WIDE> p;
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    p.top[r] = -INFINITY, p.sum[r] = 0.0f;
#pragma unroll
    for (int m = 0; m < WIDE; m++) p.mixed[r][m] = 0.0f;
  }
  return p;
}

/* Scores become weights: exp(score - the largest so far), and what was summed before shrinks. */
template <int WIDE>
static __device__ void weigh_scores(const int seen[ROWS], float scale, float scores[ROWS],
                                    progress<WIDE> *p) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const bool is_seen = (int)lane_index() < seen[r];
    const float score = is_seen ? scores[r] * scale : -INFINITY;
    const float top = fmaxf(p->top[r], warp_max(score));
    const float shrink = expf(p->top[r] - top);
    scores[r] = is_seen ? expf(score - top) : 0.0f;
    p->sum[r] = p->sum[r] * shrink + warp_sum(scores[r]);
    p->top[r] = top;
#pragma unroll
    for (int m = 0; m < WIDE; m++) p->mixed[r][m] *= shrink;
  }
}

/* to[r] columns c0 + lane + WARP m = sums[r] factor[r], of the rows that there are. */
template <class A, int WIDE>
static __device__ void write_rows(A *to, size_t ld, size_t n, size_t c0, size_t D,
                                  const float factor[ROWS], const float sums[ROWS][WIDE]) {
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const size_t row = threadIdx.x / WARP * ROWS + r;
#pragma unroll
    for (int m = 0; m < WIDE; m++) {
      const size_t c = c0 + lane_index() + m * WARP;
      if (row < n && c < D) store(to + row * ld + c, sums[r][m] * factor[r]);
    }
  }
}

/* A tile of OWN rows: of the sequence start .. end - 1 those from `first` on. */
struct tile {
  size_t start, end, first;
};
static __device__ __forceinline__ size_t rows_of(const tile &t) {
  return t.end - t.first < OWN ? t.end - t.first : OWN;
}

/* Tiles of all sequences, one after the other. The host knows neither how many rows there are nor
 * how long sequences are: blocks take every gridDim.x-th tile. */
struct tile_walk {
  size_t sequence, before; /* tiles in front of this sequence's */
};
static __device__ bool find_tile(const parl_attention_fwd_args &f, size_t which, tile_walk *walk,
                                 tile *out) {
  for (; walk->sequence < f.n_seqs; walk->sequence++) {
    const size_t start = (size_t)f.seq_start[walk->sequence];
    const size_t end = (size_t)f.seq_start[walk->sequence + 1];
    const size_t n = (end - start + OWN - 1) / OWN;
    if (which < walk->before + n) {
      *out = {start, end, start + (which - walk->before) * OWN};
      return true;
    }
    walk->before += n;
  }
  return false;
}

/* Blocks along x of a grid whose y and z take n: enough to fill a device of some 150 processors
 * several times. */
static inline unsigned tile_blocks(const parl_attention_fwd_args *f, size_t n) {
  enum { ENOUGH = 2048, A_SEQUENCE = 16 };
  const size_t wanted = ceil_div(ENOUGH, n), most = A_SEQUENCE * f->n_seqs;
  return (unsigned)(wanted < most ? wanted : most);
}

/* How many columns a lane sums, 1, 2, 4 or MOST_WIDE, and how many such pieces D makes. */
static inline int wide_of(size_t D) {
  int wide = 1;
  while (wide < MOST_WIDE && D > (size_t)WARP * wide) wide *= 2;
  return wide;
}
/* run(wide): with wide.value the number of columns for D, a constant. */
template <int N>
struct wide_constant {
  static constexpr int value = N;
};
template <class Run>
static inline void run_by_width(size_t D, Run run) {
  switch (wide_of(D)) {
    case 1:
      run(wide_constant<1>());
      break;
    case 2:
      run(wide_constant<2>());
      break;
    case 4:
      run(wide_constant<4>());
      break;
    default:
      run(wide_constant<MOST_WIDE>());
  }
}
static inline size_t pieces_of(size_t D, int wide) {
  return ceil_div(D, (size_t)WARP * wide);
}

#endif
