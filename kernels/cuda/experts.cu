/* kernels/cuda/experts.cu - each expert's product of its own rows; kernels/ref/moe.c has the
 * formulas.
 *
 * Only the device knows how many rows an expert has. So a fixed number of blocks walks over the
 * tiles of all experts, and what is done for each row strides over as many as there are. */
#include "kernels/cuda/products.cuh"
#include "kernels/cuda/swiglu.cuh"

/* Rows i0 .. of expert e, which has those from `start` to `end` - 1. */
struct expert_tile {
  size_t e, start, end, i0;
};
static __device__ bool find_expert_tile(const int32_t *first, size_t E, size_t which,
                                        expert_tile *out) {
  for (size_t e = 0; e < E; e++) {
    const size_t start = (size_t)first[e], end = (size_t)first[e + 1];
    const size_t n = (end - start + SIDE - 1) / SIDE;
    if (which < n) {
      *out = {e, start, end, which * SIDE};
      return true;
    }
    which -= n;
  }
  return false;
}

/* A product of every expert's rows: y [n,N] = x [n,K] w^T, or, with w across, w being [K,N]. */
template <class A>
struct expert_product {
  const int32_t *first; /* [E + 1] */
  size_t E, N, K;
  const A *x, *w;
  size_t w_stride; /* between experts */
  A *y;
};

template <class A, bool IS_ACROSS>
static __global__ void multiply_experts(expert_product<A> p) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t j0 = (size_t)blockIdx.y * SIDE;
  expert_tile t;
  for (size_t which = blockIdx.x; find_expert_tile(p.first, p.E, which, &t); which += gridDim.x) {
    const size_t rows = t.end - t.start;
    const operand<A, false> x = {p.x + t.start * p.K, p.K, rows};
    const operand<A, IS_ACROSS> w = {p.w + t.e * p.w_stride, IS_ACROSS ? p.N : p.K, p.N};
    A *y = p.y + t.start * p.N;
    float sums[SUMS];
    multiply_tile(x, w, t.i0, j0, 0, p.K, shared, sums);
    write_tile<A>(t.i0, j0, rows, p.N, sums,
                  [&](size_t m, size_t n, float sum) { store(y + m * p.N + n, sum); });
  }
}

enum { TILES_OF_EXPERT = 16, MOST_BLOCKS = 512 };
static unsigned expert_blocks(size_t E) {
  return (unsigned)(E * TILES_OF_EXPERT < MOST_BLOCKS ? E * TILES_OF_EXPERT : MOST_BLOCKS);
}

template <class A, bool IS_ACROSS>
static void run_experts(parl_queue *queue, const expert_product<A> &p) {
  const dim3 grid(expert_blocks(p.E), tiles_of(p.N));
  LAUNCH(queue, (multiply_experts<A, IS_ACROSS>), grid, THREADS, product_bytes<A>(), p);
}

/* dw [N,K] of each expert += dy^T x of its rows. Block z: the expert. */
template <class A>
static __global__ void add_expert_weights(const int32_t *first, size_t N, size_t K, const A *dy,
                                          const A *x, float *dw, size_t dw_stride) {
  PARL_DYNAMIC_SHARED(A, shared);
  const size_t i0 = (size_t)blockIdx.x * SIDE, j0 = (size_t)blockIdx.y * SIDE;
  const size_t start = (size_t)first[blockIdx.z], end = (size_t)first[blockIdx.z + 1];
  if (start == end) return; /* the whole block */
  const operand<A, true> rows = {dy, N, N}, columns = {x, K, K};
  float *to = dw + blockIdx.z * dw_stride, sums[SUMS];
  multiply_tile(rows, columns, i0, j0, start, end, shared, sums);
  write_tile<A>(i0, j0, N, K, sums, [&](size_t n, size_t k, float sum) { to[n * K + k] += sum; });
}

template <class A>
static void run_expert_weights(parl_queue *queue, const parl_experts_fwd_args *f, size_t N,
                               size_t K, const parl_act *dy, const parl_act *x, float *dw,
                               size_t dw_stride) {
  const dim3 grid(tiles_of(N), tiles_of(K), (unsigned)f->E);
  LAUNCH(queue, add_expert_weights<A>, grid, THREADS, product_bytes<A>(), f->first, N, K,
         acts<A>(dy), acts<A>(x), dw, dw_stride);
}

/* ------------------------------------------------------------------------------- the gated unit */

enum { UNIT_BLOCKS = 256 };

template <class A>
static __global__ void expert_units(parl_experts_fwd_args a) {
  const size_t n = (size_t)a.first[a.E] * a.F, step = (size_t)gridDim.x * BLOCK;
  for (size_t i = thread_index(); i < n; i += step) {
    const A *gate = acts<A>(a.inner) + i / a.F * 2 * a.F + i % a.F;
    store(acts<A>(a.act) + i, swiglu_of(load(gate), load(gate + a.F)));
  }
}

/* inner becomes its gradient; act is that of the unit. */
template <class A>
static __global__ void expert_units_back(parl_experts_fwd_args a) {
  const size_t n = (size_t)a.first[a.E] * a.F, step = (size_t)gridDim.x * BLOCK;
  for (size_t i = thread_index(); i < n; i += step) {
    A *gate = acts<A>(a.inner) + i / a.F * 2 * a.F + i % a.F;
    const swiglu_gradient d = swiglu_back(load(gate), load(gate + a.F), load(acts<A>(a.act) + i));
    store(gate, d.gate);
    store(gate + a.F, d.up);
  }
}

/* ------------------------------------------------------------------------------------- the ops */

template <class A>
void parl_cuda_experts_fwd(parl_queue *queue, const parl_experts_fwd_args *a) {
  run_experts<A, false>(
      queue, {a->first, a->E, 2 * a->F, a->C, acts<A>(a->input), acts<A>(a->gate_up.packed),
              a->gate_up.packed_stride, acts<A>(a->inner)});
  LAUNCH(queue, expert_units<A>, UNIT_BLOCKS, BLOCK, 0, *a);
  run_experts<A, false>(queue,
                        {a->first, a->E, a->C, a->F, acts<A>(a->act), acts<A>(a->down.packed),
                         a->down.packed_stride, acts<A>(a->output)});
}
PARL_CUDA_BOTH(experts_fwd)

template <class A>
void parl_cuda_experts_bwd(parl_queue *queue, const parl_experts_bwd_args *a) {
  const parl_experts_fwd_args *f = &a->fwd;
  const size_t C = f->C, F = f->F;
  run_expert_weights<A>(queue, f, C, F, a->doutput, f->act, a->ddown, f->down.dw_stride);
  run_experts<A, true>(queue, {f->first, f->E, F, C, acts<A>(a->doutput), acts<A>(f->down.packed),
                               f->down.packed_stride, acts<A>(f->act)});
  LAUNCH(queue, expert_units_back<A>, UNIT_BLOCKS, BLOCK, 0, *f);
  run_expert_weights<A>(queue, f, 2 * F, C, f->inner, f->input, a->dgate_up, f->gate_up.dw_stride);
  run_experts<A, true>(queue,
                       {f->first, f->E, C, 2 * F, acts<A>(f->inner), acts<A>(f->gate_up.packed),
                        f->gate_up.packed_stride, acts<A>(a->dinput)});
}
PARL_CUDA_BOTH(experts_bwd)
