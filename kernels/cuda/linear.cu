/* kernels/cuda/linear.cu - products of a layer: y = x W^T and its gradients; kernels/ref/linear.c
 * has the formulas.
 *
 * Large ones are cuBLAS' (kernels/cuda/blas.h). In the others a block has a tile of the result
 * (kernels/cuda/products.cuh). Block x and y: which tile; z of gradients of weights: which run of
 * rows. W is packed as it lies, rounded to the operands' type. */
#include "kernels/cuda/blas.h"
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/products.cuh"

template <class A>
static __global__ void linear_pack(parl_linear_pack_args a) {
  const size_t i = thread_index();
  if (i < a.N * a.K) store(acts<A>(a.packed) + i, a.w[i]);
}
template <class A>
void parl_cuda_linear_pack(parl_queue *queue, const parl_linear_pack_args *a) {
  LAUNCH(queue, linear_pack<A>, thread_blocks(a->N * a->K), BLOCK, 0, *a);
}
PARL_CUDA_BOTH(linear_pack)

template <class Y, class A>
static __global__ void linear_fwd(parl_linear_fwd_args a) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE;
  const operand<A, false> x = {acts<A>(a.x), a.ld_x, a.M};
  const operand<A, false> w = {acts<A>(a.packed), a.K, a.N};
  Y *y = (Y *)(void *)a.y;
  float sums[SUMS];
  multiply_tile(x, w, i0, j0, 0, a.K, shared, sums);
  write_tile<A>(i0, j0, a.M, a.N, sums, [&](size_t m, size_t n, float sum) {
    if (a.bias != NULL) sum += a.bias[n];
    if (a.residual != NULL) sum += a.residual[m * a.ld_y + n];
    store(y + m * a.ld_y + n, sum);
  });
}

/* y = bias + residual, either of which may not be there; y may alias the residual. */
static __global__ void begin_sums(parl_linear_fwd_args a) {
  const size_t i = thread_index(), m = i / a.N, n = i % a.N, at = m * a.ld_y + n;
  if (m >= a.M) return;
  a.y[at] = (a.bias != NULL ? a.bias[n] : 0.0f) + (a.residual != NULL ? a.residual[at] : 0.0f);
}

/* A product that is added to what begin_sums left; of operands it would be rounded twice. */
template <class A>
static bool multiply_by_blas(parl_queue *queue, const parl_linear_fwd_args *a) {
  const bool adds = a->bias != NULL || a->residual != NULL;
  const parl_cuda_product product = {.rows = a->M,
                                     .cols = a->N,
                                     .n = a->K,
                                     .a = a->x,
                                     .b = a->packed,
                                     .ld_a = a->ld_x,
                                     .ld_b = a->K,
                                     .a_is_across = false,
                                     .b_is_across = true,
                                     .is_bf16 = sizeof(A) == sizeof(bf16),
                                     .c_is_bf16 = a->y_is_act && sizeof(A) == sizeof(bf16),
                                     .c = a->y,
                                     .ld_c = a->ld_y,
                                     .accumulate = adds};
  if ((adds && product.c_is_bf16) || !parl_cuda_blas_takes(queue, &product)) return false;
  if (adds && (a->bias != NULL || a->residual != a->y))
    LAUNCH(queue, begin_sums, thread_blocks(a->M * a->N), BLOCK, 0, *a);
  parl_cuda_blas_multiply(queue, &product);
  return true;
}

template <class A>
void parl_cuda_linear_fwd(parl_queue *queue, const parl_linear_fwd_args *a) {
  if (multiply_by_blas<A>(queue, a)) return;
  const dim3 grid(tiles_of(a->M), tiles_of(a->N));
  if (a->y_is_act)
    LAUNCH(queue, (linear_fwd<A, A>), grid, THREADS, product_bytes<A>(), *a);
  else
    LAUNCH(queue, (linear_fwd<float, A>), grid, THREADS, product_bytes<A>(), *a);
}
PARL_CUDA_BOTH(linear_fwd)

/* W: of floats if T is, which multiplies in f32 what is kept in A. */
template <class T, class A>
static __global__ void linear_bwd_input(parl_linear_bwd_input_args a, const T *w) {
  PARL_DYNAMIC_SHARED(T, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE;
  const operand<A, false> dy = {acts<A>(a.dy), a.ld_dy, a.M};
  const operand<T, true> columns = {w, a.K, a.K};
  A *dx = acts<A>(a.dx);
  float sums[SUMS];
  multiply_tile(dy, columns, i0, j0, 0, a.N, shared, sums);
  write_tile<T>(i0, j0, a.M, a.K, sums, [&](size_t m, size_t k, float sum) {
    A *to = dx + m * a.ld_dx + k;
    store(to, a.accumulate ? load(to) + sum : sum);
  });
}
template <class A>
static bool multiply_by_blas(parl_queue *queue, const parl_linear_bwd_input_args *a) {
  const bool is_bf16 = sizeof(A) == sizeof(bf16);
  const parl_cuda_product product = {.rows = a->M,
                                     .cols = a->K,
                                     .n = a->N,
                                     .a = a->dy,
                                     .b = is_bf16 ? (const void *)a->packed : a->w,
                                     .ld_a = a->ld_dy,
                                     .ld_b = a->K,
                                     .a_is_across = false,
                                     .b_is_across = false,
                                     .is_bf16 = is_bf16,
                                     .c_is_bf16 = is_bf16,
                                     .c = a->dx,
                                     .ld_c = a->ld_dx,
                                     .accumulate = a->accumulate};
  if (product.b == NULL || !parl_cuda_blas_takes(queue, &product)) return false;
  parl_cuda_blas_multiply(queue, &product);
  return true;
}

template <class A>
void parl_cuda_linear_bwd_input(parl_queue *queue, const parl_linear_bwd_input_args *a) {
  if (multiply_by_blas<A>(queue, a)) return;
  const dim3 grid(tiles_of(a->M), tiles_of(a->K));
  if (sizeof(A) == sizeof(float) || a->packed == NULL)
    LAUNCH(queue, (linear_bwd_input<float, A>), grid, THREADS, product_bytes<float>(), *a, a->w);
  else
    LAUNCH(queue, (linear_bwd_input<A, A>), grid, THREADS, product_bytes<A>(), *a,
           acts<A>(a->packed));
}
PARL_CUDA_BOTH(linear_bwd_input)

/* ------------------------------------------------------------------------ gradients of weights */

/* The sums over a run of `run_rows` rows: added to dw, or, if there are several, kept in
 * runs [n_runs,N,K]. */
template <class A>
static __global__ void linear_bwd_weight(parl_linear_bwd_weight_args a, size_t run_rows,
                                         float *runs) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE;
  const size_t first = blockIdx.z * run_rows;
  const size_t end = first + run_rows < a.M ? first + run_rows : a.M;
  const operand<A, true> dy = {acts<A>(a.dy), a.ld_dy, a.N}, x = {acts<A>(a.x), a.ld_x, a.K};
  float sums[SUMS];
  multiply_tile(dy, x, i0, j0, first, end, shared, sums);
  write_tile<A>(i0, j0, a.N, a.K, sums, [&](size_t n, size_t k, float sum) {
    const size_t at = n * a.K + k;
    if (runs == NULL)
      a.dw[at] += sum;
    else
      runs[blockIdx.z * a.N * a.K + at] = sum;
  });
}

template <class A>
struct bias_terms {
  const A *dy;
  size_t ld_dy;
  __device__ float operator()(size_t row, size_t n) const {
    return load(dy + row * ld_dy + n);
  }
};

/* Rows of a run: all, or fewer where the tiles alone would leave most of a card idle. Of the
 * extents only, so that the bits are those of any other run of the program. */
static size_t pick_run_rows(const parl_linear_bwd_weight_args *a) {
  enum { ENOUGH_BLOCKS = 512, LEAST_ROWS = 512 };
  const size_t tiles = (size_t)tiles_of(a->N) * tiles_of(a->K);
  const size_t wanted = tiles < ENOUGH_BLOCKS ? ENOUGH_BLOCKS / tiles : 1;
  const size_t rows = ceil_div(ceil_div(a->M, wanted), DEPTH) * DEPTH;
  return rows > LEAST_ROWS ? rows : LEAST_ROWS;
}

template <class A>
static bool multiply_by_blas(parl_queue *queue, const parl_linear_bwd_weight_args *a) {
  const parl_cuda_product product = {.rows = a->N,
                                     .cols = a->K,
                                     .n = a->M,
                                     .a = a->dy,
                                     .b = a->x,
                                     .ld_a = a->ld_dy,
                                     .ld_b = a->ld_x,
                                     .a_is_across = true,
                                     .b_is_across = false,
                                     .is_bf16 = sizeof(A) == sizeof(bf16),
                                     .c_is_bf16 = false,
                                     .c = a->dw,
                                     .ld_c = a->K,
                                     .accumulate = true};
  if (!parl_cuda_blas_takes(queue, &product)) return false;
  parl_cuda_blas_multiply(queue, &product);
  return true;
}

/* dw by own kernels, in room for `runs` of them, or for one. */
template <class A>
static void multiply_by_runs(parl_queue *queue, const parl_linear_bwd_weight_args *a,
                             size_t run_rows, float *runs) {
  const size_t n_runs = ceil_div(a->M, run_rows), n = a->N * a->K;
  LAUNCH(queue, linear_bwd_weight<A>, dim3(tiles_of(a->N), tiles_of(a->K), (unsigned)n_runs),
         THREADS, product_bytes<A>(), *a, run_rows, runs);
  if (runs != NULL)
    LAUNCH(queue, add_runs, thread_blocks(n), BLOCK, 0, n_runs, n, (const float *)runs, a->dw);
}

template <class A>
void parl_cuda_linear_bwd_weight(parl_queue *queue, const parl_linear_bwd_weight_args *a) {
  const bool is_done = multiply_by_blas<A>(queue, a);
  const size_t run_rows = pick_run_rows(a), n_runs = ceil_div(a->M, run_rows), n = a->N * a->K;
  const size_t floats = !is_done && n_runs > 1 ? n_runs * n : 0;
  const size_t of_bias = a->dbias != NULL ? ceil_div(a->M, RUN_ROWS) * a->N : 0;
  const size_t most = floats > of_bias ? floats : of_bias; /* of one after the other */
  float *room = most > 0 ? (float *)parl_cuda_scratch(queue, most * sizeof *room) : NULL;
  if (most > 0 && room == NULL) return; /* the queue knows why */
  if (!is_done) multiply_by_runs<A>(queue, a, run_rows, floats > 0 ? room : NULL);
  if (a->dbias != NULL)
    add_column_sums(queue, a->M, a->N, bias_terms<A>{acts<A>(a->dy), a->ld_dy}, room, a->dbias);
}
PARL_CUDA_BOTH(linear_bwd_weight)
