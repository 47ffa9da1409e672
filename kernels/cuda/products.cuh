/* kernels/cuda/products.cuh - a tile of a matrix product: what linear layers and experts share.
 *
 * sums (i, j) = the sum over k of a (i, k) b (j, k). A block of THREADS has a tile of SIDE x SIDE
 * of them, walks over k in steps of DEPTH that it stages in shared memory, and adds in f32, k
 * ascending, whatever the other tiles are. Operands in bf16 go to the units (m16n8k16), those of
 * f32 to the cores. Reading order: operand, staging, the units, the cores, multiply_tile. */
#ifndef PARL_KERNELS_CUDA_PRODUCTS_CUH
#define PARL_KERNELS_CUDA_PRODUCTS_CUH
#include "kernels/cuda/numbers.cuh"

enum {
  SIDE = 64,
  DEPTH = 32,
  THREADS = 128,
  PITCH = DEPTH + 8, /* elements between staged rows: lanes of a fragment read different banks */
  SUMS = SIDE * SIDE / THREADS
};
template <class T>
static constexpr size_t product_bytes() {
  return 2 * SIDE * PITCH * sizeof(T);
}

/* A matrix (i, k), n of i: at[i ld + k], or with k across at[k ld + i]. */
template <class S, bool IS_ACROSS>
struct operand {
  const S *at;
  size_t ld, n;
  __device__ float get(size_t i, size_t k) const {
    return load(IS_ACROSS ? at + k * ld + i : at + i * ld + k);
  }
};

/* SIDE x DEPTH elements from (i0, k0) on, zeros beyond n and k_end. Neighbouring threads read
 * neighbours. */
template <class T, class S, bool IS_ACROSS>
static __device__ void stage_operand(const operand<S, IS_ACROSS> &x, size_t i0, size_t k0,
                                     size_t k_end, T *to) {
  for (unsigned at = threadIdx.x; at < SIDE * DEPTH; at += THREADS) {
    const unsigned i = IS_ACROSS ? at % SIDE : at / DEPTH, k = IS_ACROSS ? at / SIDE : at % DEPTH;
    const bool is_there = i0 + i < x.n && k0 + k < k_end;
    store(to + i * PITCH + k, is_there ? x.get(i0 + i, k0 + k) : 0.0f);
  }
}

/* ------------------------------------------------------------------------------- the units */

/* d [16,8] += a [16,16] b [16,8] of a warp. With g = lane / 4, t = lane % 4: a[i + 2 j] is the pair
 * a (g + 8 i, 2 t + 8 j), b[j] the pair b (2 t + 8 j, g), d[2 i + h] is d (g + 8 i, 2 t + h).
 * Source: PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type". */
static __device__ __forceinline__ void multiply_fragments(float d[4], const uint32_t a[4],
                                                          const uint32_t b[2]) {
#ifdef PARL_CUDA_EMULATED
  const parl_emu_fragments parts = {d, a, b};
  parl_emu_collect(PARL_EMU_MMA, __LINE__, EVERY_LANE, (uint64_t)(uintptr_t)&parts, 0);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

static __device__ __forceinline__ uint32_t load_pair(const bf16 *p) {
  uint32_t pair;
  memcpy(&pair, p, sizeof pair);
  return pair;
}

/* Where sum x of this thread lies in the tile: a warp has 32 x 32 of it, 2 x 4 fragments. */
static __device__ __forceinline__ void find_sum(const bf16 *, int x, unsigned *row, unsigned *col) {
  const unsigned warp = threadIdx.x / WARP, lane = lane_index();
  *row = warp / 2 * 32 + x / 16 * 16 + lane / 4 + x % 4 / 2 * 8;
  *col = warp % 2 * 32 + x / 4 % 4 * 8 + lane % 4 * 2 + x % 2;
}

/* Adds the products of what is staged; fragments beyond n_rows and n_cols of the tile are left. */
static __device__ void add_products(const bf16 *a, const bf16 *b, size_t n_rows, size_t n_cols,
                                    float sums[SUMS]) {
  const unsigned warp = threadIdx.x / WARP, g = lane_index() / 4, t = lane_index() % 4;
  const unsigned row0 = warp / 2 * 32, col0 = warp % 2 * 32;
#pragma unroll
  for (int k = 0; k < DEPTH; k += 16)
#pragma unroll
    for (int m = 0; m < 2; m++) {
      if (row0 + m * 16 >= n_rows) continue; /* the same for the whole warp, as below */
      const bf16 *from = a + (row0 + m * 16 + g) * PITCH + k + 2 * t;
      const uint32_t part[4] = {load_pair(from), load_pair(from + 8 * PITCH), load_pair(from + 8),
                                load_pair(from + 8 * PITCH + 8)};
#pragma unroll
      for (int n = 0; n < 4; n++) {
        if (col0 + n * 8 >= n_cols) continue;
        const bf16 *to = b + (col0 + n * 8 + g) * PITCH + k + 2 * t;
        const uint32_t other[2] = {load_pair(to), load_pair(to + 8)};
        multiply_fragments(sums + (m * 4 + n) * 4, part, other);
      }
    }
}

/* ------------------------------------------------------------------------------- the cores */

enum { OWN_ROWS = 4, OWN_COLS = SUMS / OWN_ROWS, ACROSS = SIDE / OWN_COLS };

/* A thread has OWN_ROWS neighbouring rows, and columns that lie ACROSS apart. */
static __device__ __forceinline__ void find_sum(const float *, int x, unsigned *row,
                                                unsigned *col) {
  *row = threadIdx.x / ACROSS * OWN_ROWS + x / OWN_COLS;
  *col = threadIdx.x % ACROSS + x % OWN_COLS * ACROSS;
}

static __device__ void add_products(const float *a, const float *b, size_t n_rows, size_t,
                                    float sums[SUMS]) {
  const float *rows = a + threadIdx.x / ACROSS * OWN_ROWS * PITCH;
  const float *cols = b + threadIdx.x % ACROSS * PITCH;
  if (threadIdx.x / ACROSS * OWN_ROWS >= n_rows) return;
  for (int k = 0; k < DEPTH; k++) {
#pragma unroll
    for (int c = 0; c < OWN_COLS; c++) {
      const float y = cols[c * ACROSS * PITCH + k];
#pragma unroll
      for (int r = 0; r < OWN_ROWS; r++) sums[r * OWN_COLS + c] += rows[r * PITCH + k] * y;
    }
  }
}

/* --------------------------------------------------------------------------------- the tile */

/* sums of the tile at (i0, j0) over k0 .. k_end - 1, from zeros on. shared [product_bytes<T>()]:
 * all threads of the block take part. */
template <class T, class SA, bool A_ACROSS, class SB, bool B_ACROSS>
static __device__ void multiply_tile(const operand<SA, A_ACROSS> &a, const operand<SB, B_ACROSS> &b,
                                     size_t i0, size_t j0, size_t k0, size_t k_end, T *shared,
                                     float sums[SUMS]) {
  T *b_part = shared + SIDE * PITCH;
#pragma unroll
  for (int x = 0; x < SUMS; x++) sums[x] = 0.0f;
  for (size_t k = k0; k < k_end; k += DEPTH) {
    __syncthreads(); /* what was staged before is used up */
    stage_operand(a, i0, k, k_end, shared);
    stage_operand(b, j0, k, k_end, b_part);
    __syncthreads();
    add_products(shared, b_part, a.n - i0, b.n - j0, sums);
  }
}

/* write(i, j, sum) for each of this thread's sums that the matrix has. */
template <class T, class Write>
static __device__ void write_tile(size_t i0, size_t j0, size_t n_i, size_t n_j,
                                  const float sums[SUMS], Write write) {
#pragma unroll
  for (int x = 0; x < SUMS; x++) {
    unsigned row, col;
    find_sum((const T *)NULL, x, &row, &col);
    if (i0 + row < n_i && j0 + col < n_j) write(i0 + row, j0 + col, sums[x]);
  }
}

static inline unsigned tiles_of(size_t n) {
  return (unsigned)ceil_div(n, SIDE);
}

#endif
