/* tests/cuda/bugs.cu - see bugs.h; and the twin of the unit's product. */
#include "kernels/cuda/products.cuh"
extern "C" {
#include "tests/cuda/bugs.h"
}

/* ---------------------------------------------------------------- what should not be waited for */

static __global__ void half_at_barrier(float *out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1.0f;
}
static __global__ void two_barriers(float *out) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1.0f;
}
static __global__ void shuffle_after_leaving(float *out) {
  if (lane_index() >= 16) return;
  out[threadIdx.x] = __shfl_xor_sync(EVERY_LANE, 1.0f, 1);
}
static __global__ void two_shuffles(float *out) {
  float x = 1.0f;
  if (lane_index() < 16)
    x = __shfl_xor_sync(EVERY_LANE, x, 1);
  else
    x = __shfl_xor_sync(EVERY_LANE, x, 2);
  out[threadIdx.x] = x;
}
static __global__ void half_mask(float *out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffffu, 1.0f, 1);
}
static __global__ void shuffle_beside_barrier(float *out) {
  if (lane_index() < 16)
    __syncthreads();
  else
    out[threadIdx.x] = __shfl_xor_sync(EVERY_LANE, 1.0f, 1);
}

/* --------------------------------------------------------------------- what nobody has written */

static __global__ void reads_fresh_shared(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  out[threadIdx.x] = shared[threadIdx.x];
}
static __global__ void reads_fresh_global(float *out) {
  out[threadIdx.x] += 1.0f;
}

/* ---------------------------------------------------------------------------- what is unordered */

/* A barrier is missing between a warp's words and another's reading them. */
static __global__ void missing_barrier(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  out[threadIdx.x] = shared[(threadIdx.x + 32) % BUG_OUT];
}
static __global__ void with_barrier(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  __syncthreads();
  if (blockIdx.x == 0) out[threadIdx.x] = shared[(threadIdx.x + 32) % BUG_OUT];
}
/* And one between reading and the next words. */
static __global__ void overwritten_too_early(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  float sum = 0.0f;
  for (int i = 0; i < 2; i++) {
    shared[threadIdx.x] = 1.0f + (float)i;
    __syncthreads();
    sum += shared[(threadIdx.x + 32) % BUG_OUT];
  }
  out[threadIdx.x] = sum;
}
/* Lane 0 reads what others of its warp have read, too, and writes there. */
static __global__ void marked_too_early(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  __syncthreads();
  const float x = shared[0];
  if (threadIdx.x == 0) shared[0] = x + 1.0f;
  out[threadIdx.x] = x;
}
static __global__ void missing_syncwarp(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  out[threadIdx.x] = shared[threadIdx.x ^ 1];
}
static __global__ void with_syncwarp(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = 1.0f;
  __syncwarp();
  if (blockIdx.x == 0) out[threadIdx.x] = shared[threadIdx.x ^ 1];
}
/* Both blocks write everything. */
static __global__ void blocks_collide(float *out) {
  out[threadIdx.x] = (float)blockIdx.x;
}
/* Each block counts without an atomic. */
static __global__ void blocks_count(float *out) {
  if (blockIdx.x == 0 || threadIdx.x == 0) out[threadIdx.x] = 1.0f;
}

/* ----------------------------------------------------------------------- what leaves its memory */

static __global__ void past_shared(float *out) {
  PARL_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x + 1] = 1.0f;
  out[threadIdx.x] = 1.0f;
}
static __global__ void past_global(float *out) {
  out[threadIdx.x + 1] = 1.0f;
}

struct bug {
  const char *name;
  void (*kernel)(float *out);
  unsigned blocks, threads;
  size_t shared;
};
static const bug bugs[] = {
#define BUG(name, blocks, threads, shared) \
  { #name, name, blocks, threads, shared }
    BUG(half_at_barrier, 1, 64, 0),
    BUG(two_barriers, 1, 64, 0),
    BUG(shuffle_after_leaving, 1, 64, 0),
    BUG(two_shuffles, 1, 64, 0),
    BUG(half_mask, 1, 64, 0),
    BUG(shuffle_beside_barrier, 1, 64, 0),
    BUG(reads_fresh_shared, 1, 64, 256),
    BUG(reads_fresh_global, 1, 64, 0),
    BUG(missing_barrier, 1, 64, 256),
    BUG(with_barrier, 2, 64, 256),
    BUG(overwritten_too_early, 1, 64, 256),
    BUG(marked_too_early, 1, 32, 128),
    BUG(missing_syncwarp, 1, 64, 256),
    BUG(with_syncwarp, 2, 64, 256),
    BUG(blocks_collide, 2, 64, 0),
    BUG(blocks_count, 2, 64, 0),
    BUG(past_shared, 1, 64, 256),
    BUG(past_global, 1, 64, 0),
#undef BUG
    {"empty_grid", with_barrier, 0, 64, 256},
    {"half_a_warp", with_barrier, 1, 48, 256},
    {"too_many_threads", with_barrier, 1, 1056, 256},
    {"too_much_shared", with_barrier, 1, 64, 49153},
};

static void launch(parl_queue *queue, const char *name, float *out) {
  for (const bug &b : bugs)
    if (strcmp(b.name, name) == 0) {
      queue->where = b.name;
      PARL_LAUNCH(queue, b.kernel, b.blocks, b.threads, b.shared, out);
      return;
    }
  parl_cuda_fail(queue, PARL_STATUS_EINVAL, name, "no such bug");
}

/* Memory for n floats of the device behind a queue; both freed by close. */
struct place {
  parl_queue *queue;
  float *memory;
  size_t bytes;
};
static parl_status open_place(place *p, size_t n) {
  const parl_backend *backend;
  PARL_TRY(parl_backend_cuda("bf16", PARL_CUDA_BLAS, &backend));
  PARL_TRY(parl_queue_create(backend, &p->queue));
  p->bytes = n * sizeof(float);
  p->memory = (float *)backend->device()->memory.alloc(&p->bytes);
  if (p->memory != NULL) return PARL_STATUS_OK;
  parl_queue_destroy(p->queue);
  return PARL_STATUS_ENOMEM;
}
static parl_status close_place(place *p, parl_status s) {
  p->queue->backend->device()->memory.free(p->memory, p->bytes);
  parl_queue_destroy(p->queue);
  return s;
}

parl_status bug_run(const char *name, float *out) {
  place p;
  PARL_TRY(open_place(&p, BUG_OUT));
  launch(p.queue, name, p.memory);
  return close_place(&p, parl_queue_download(p.queue, out, p.memory, BUG_OUT * sizeof *out));
}

void bug_launch_nowhere(parl_queue *queue, float *out) {
  PARL_CUDA_CALL(with_barrier, 1, BUG_OUT, BUG_OUT * sizeof *out, (cudaStream_t)NULL, out);
  parl_cuda_note(queue, cudaGetLastError(), "with_barrier");
}

/* ---------------------------------------------------------------------------------- the twin */

static __device__ float half_of(uint32_t pair, int half) {
  return __uint_as_float(half ? pair & 0xffff0000u : pair << 16);
}

/* multiply_fragments by shuffles: written apart from the emulator's, for a card to compare, too. */
static __device__ void multiply_by_shuffles(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  const unsigned g = lane_index() / 4, t = lane_index() % 4;
  for (int j = 0; j < 2; j++)
    for (unsigned l = 0; l < 4; l++) {
      const uint32_t a0 = __shfl_sync(EVERY_LANE, a[2 * j], g * 4 + l);
      const uint32_t a1 = __shfl_sync(EVERY_LANE, a[2 * j + 1], g * 4 + l);
      const uint32_t b0 = __shfl_sync(EVERY_LANE, b[j], 2 * t * 4 + l);
      const uint32_t b1 = __shfl_sync(EVERY_LANE, b[j], (2 * t + 1) * 4 + l);
      for (int half = 0; half < 2; half++) {
        d[0] += half_of(a0, half) * half_of(b0, half);
        d[1] += half_of(a0, half) * half_of(b1, half);
        d[2] += half_of(a1, half) * half_of(b0, half);
        d[3] += half_of(a1, half) * half_of(b1, half);
      }
    }
}

enum { TWIN_ROWS = 16, TWIN_COLS = 8 };

static __device__ uint32_t pair_of(float low, float high) {
  bf16 both[2];
  uint32_t pair;
  store(both, low);
  store(both + 1, high);
  memcpy(&pair, both, sizeof pair);
  return pair;
}

static __global__ void multiply_both(const float *a, const float *b, float *by_unit,
                                     float *by_shuffles) {
  const unsigned g = lane_index() / 4, t = lane_index() % 4;
  uint32_t fa[4], fb[2];
  float sums[2][4] = {};
  for (unsigned i = 0; i < 4; i++) {
    const float *from = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    fa[i] = pair_of(from[0], from[1]);
  }
  for (unsigned j = 0; j < 2; j++) {
    const float *from = b + (2 * t + j * 8) * TWIN_COLS + g;
    fb[j] = pair_of(from[0], from[TWIN_COLS]);
  }
  multiply_fragments(sums[0], fa, fb);
  multiply_by_shuffles(sums[1], fa, fb);
  for (unsigned i = 0; i < 4; i++) {
    const unsigned at = (g + i / 2 * 8) * TWIN_COLS + 2 * t + i % 2;
    by_unit[at] = sums[0][i];
    by_shuffles[at] = sums[1][i];
  }
}

parl_status bug_multiply(const float *a, const float *b, float *by_unit, float *by_shuffles) {
  enum { OF_A = 256, OF_B = 128, OF_D = TWIN_ROWS * TWIN_COLS };
  place p;
  PARL_TRY(open_place(&p, OF_A + OF_B + 2 * OF_D));
  float *d = p.memory + OF_A + OF_B;
  parl_queue_upload(p.queue, p.memory, a, OF_A * sizeof *a);
  parl_queue_upload(p.queue, p.memory + OF_A, b, OF_B * sizeof *b);
  PARL_LAUNCH(p.queue, multiply_both, 1, WARP, 0, (const float *)p.memory,
              (const float *)(p.memory + OF_A), d, d + OF_D);
  parl_status s = parl_queue_download(p.queue, by_unit, d, OF_D * sizeof *d);
  if (s == PARL_STATUS_OK)
    s = parl_queue_download(p.queue, by_shuffles, d + OF_D, OF_D * sizeof *d);
  return close_place(&p, s);
}
