/* kernels/cuda/orthogonalise.cu - Newton-Schulz steps of many matrices of one shape side by side,
 * in the backend's type.
 *
 * X is kept in A, as are S = X^T X and P = b S + c S S, all of them sums in f32. A block has a tile
 * of a result (kernels/cuda/products.cuh). Block x and y: which tile; z: the matrix. */
#include "kernels/cuda/products.cuh"

/* Of all matrices, one behind the other. */
template <class A>
struct iteration {
  size_t rows, columns;
  float a, b, c;
  A *x;     /* [n,rows,columns] */
  A *next;  /* [n,rows,columns] */
  A *gram;  /* S [n,columns,columns] */
  A *mixed; /* P [n,columns,columns] */
};

template <class T, class F>
static __global__ void convert(size_t n, const F *from, T *to) {
  const size_t i = thread_index();
  if (i < n) store(to + i, load(from + i));
}

template <class A>
static __global__ void multiply_self(iteration<A> it) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE, n = it.columns;
  const operand<A, true> x = {it.x + blockIdx.z * it.rows * n, n, n};
  A *gram = it.gram + blockIdx.z * n * n;
  float sums[SUMS];
  multiply_tile(x, x, i0, j0, 0, it.rows, shared, sums);
  write_tile<A>(i0, j0, n, n, sums,
                [&](size_t i, size_t j, float sum) { store(gram + i * n + j, sum); });
}

/* S is symmetric: its rows are its columns. */
template <class A>
static __global__ void mix_powers(iteration<A> it) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE, n = it.columns;
  const A *gram = it.gram + blockIdx.z * n * n;
  const operand<A, false> s = {gram, n, n};
  A *mixed = it.mixed + blockIdx.z * n * n;
  float sums[SUMS];
  multiply_tile(s, s, i0, j0, 0, n, shared, sums);
  write_tile<A>(i0, j0, n, n, sums, [&](size_t i, size_t j, float sum) {
    store(mixed + i * n + j, it.b * load(gram + i * n + j) + it.c * sum);
  });
}

template <class A>
static __global__ void apply_mixed(iteration<A> it) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE, n = it.columns;
  const A *x = it.x + blockIdx.z * it.rows * n;
  const operand<A, false> rows = {x, n, it.rows};
  const operand<A, true> mixed = {it.mixed + blockIdx.z * n * n, n, n};
  A *next = it.next + blockIdx.z * it.rows * n;
  float sums[SUMS];
  multiply_tile(rows, mixed, i0, j0, 0, n, shared, sums);
  write_tile<A>(i0, j0, it.rows, n, sums, [&](size_t i, size_t j, float sum) {
    store(next + i * n + j, it.a * load(x + i * n + j) + sum);
  });
}

template <class A>
void parl_cuda_orthogonalise(parl_queue *queue, const parl_orthogonalise_args *a) {
  const size_t all = a->n * a->rows * a->columns, squares = a->n * a->columns * a->columns;
  A *room = (A *)(void *)a->room;
  iteration<A> it = {a->rows,    a->columns,     a->a,
                     a->b,       a->c,           room,
                     room + all, room + 2 * all, room + 2 * all + squares};
  const dim3 square(tiles_of(a->columns), tiles_of(a->columns), (unsigned)a->n);
  const dim3 whole(tiles_of(a->rows), tiles_of(a->columns), (unsigned)a->n);
  LAUNCH(queue, (convert<A, float>), thread_blocks(all), BLOCK, 0, all, (const float *)a->x, it.x);
  for (int i = 0; i < a->steps; i++) {
    LAUNCH(queue, multiply_self<A>, square, THREADS, product_bytes<A>(), it);
    LAUNCH(queue, mix_powers<A>, square, THREADS, product_bytes<A>(), it);
    LAUNCH(queue, apply_mixed<A>, whole, THREADS, product_bytes<A>(), it);
    A *done = it.x;
    it.x = it.next;
    it.next = done;
  }
  LAUNCH(queue, (convert<float, A>), thread_blocks(all), BLOCK, 0, all, (const A *)it.x, a->x);
}
PARL_CUDA_BOTH(orthogonalise)
