/* kernels/cuda/optimizer.cu - flat vectors [n] in segments: AdamW, y += a x, sums of squares.
 *
 * One launch for all segments. How long one is only the device knows, so that each gets a number of
 * blocks that depends on how many there are, and these stride over it. */
#include "kernels/cuda/numbers.cuh"

enum { ALL_BLOCKS = 1024, LEAST_BLOCKS = 8 };

static unsigned blocks_of_segment(size_t n_segments) {
  const size_t blocks = ALL_BLOCKS / n_segments;
  return (unsigned)(blocks > LEAST_BLOCKS ? blocks : LEAST_BLOCKS);
}

/* Block x: the segment; y: which of its parts. */
static __global__ void adamw(parl_adamw_args a) {
  const size_t s = blockIdx.x;
  const float decay = a.decay[s] * a.weight_decay;
  if (a.decay[s] < 0.0f) return;
  const int64_t step = (int64_t)gridDim.y * BLOCK, end = a.starts[s + 1];
  for (int64_t i = a.starts[s] + (int64_t)blockIdx.y * BLOCK + threadIdx.x; i < end; i += step) {
    const float g = a.grads[i] * a.grad_scale, p = a.params[i];
    const float m = a.beta1 * a.m[i] + (1.0f - a.beta1) * g;
    const float v = a.beta2 * a.v[i] + (1.0f - a.beta2) * g * g;
    a.m[i] = m;
    a.v[i] = v;
    a.params[i] = p - a.lr * (m / a.correction1 / (sqrtf(v / a.correction2) + a.eps) + decay * p);
  }
}
void parl_cuda_adamw(parl_queue *queue, const parl_adamw_args *a) {
  if (a->n_segments == 0) return;
  PARL_LAUNCH(queue, adamw, dim3((unsigned)a->n_segments, blocks_of_segment(a->n_segments)), BLOCK,
              0, *a);
}

static __global__ void add(parl_add_args a) {
  const size_t i = thread_index();
  if (i < a.n) a.y[i] += a.a * a.x[i];
}
void parl_cuda_add(parl_queue *queue, const parl_add_args *a) {
  LAUNCH(queue, add, thread_blocks(a->n), BLOCK, 0, *a);
}

/* parts [n_segments, gridDim.y] of warps: what each part of a segment sums, in double. */
static __global__ void sum_parts(parl_sum_squares_args a, double *parts) {
  const int64_t step = (int64_t)gridDim.y * WARP, end = a.starts[blockIdx.x + 1];
  double sum = 0.0;
  for (int64_t i = a.starts[blockIdx.x] + (int64_t)blockIdx.y * WARP + threadIdx.x; i < end;
       i += step)
    sum += (double)a.x[i] * (double)a.x[i];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) parts[(size_t)blockIdx.x * gridDim.y + blockIdx.y] = sum;
}
/* A warp a segment. */
static __global__ void add_parts(size_t n_parts, const double *parts, double *out) {
  double sum = 0.0;
  for (size_t i = threadIdx.x; i < n_parts; i += WARP) sum += parts[blockIdx.x * n_parts + i];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}
void parl_cuda_sum_squares(parl_queue *queue, const parl_sum_squares_args *a) {
  if (a->n_segments == 0) return;
  const unsigned n = (unsigned)a->n_segments, n_parts = blocks_of_segment(n);
  double *parts = (double *)parl_cuda_scratch(queue, a->n_segments * n_parts * sizeof *parts);
  if (parts == NULL) return; /* the queue knows why */
  PARL_LAUNCH(queue, sum_parts, dim3(n, n_parts), WARP, 0, *a, parts);
  PARL_LAUNCH(queue, add_parts, n, WARP, 0, (size_t)n_parts, (const double *)parts, a->out);
}
