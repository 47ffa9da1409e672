/* kernels/cuda/cuda_internal.h - what every .cu of the backend needs: the ops' types, how a kernel
 * is launched into a queue, where scratch comes from, which ops are kept for both dtypes.
 *
 * An op only queues: it launches kernels, takes scratch, and returns. What fails stays with its
 * queue, which runs nothing from then on and says it at parl_queue_wait. kernels/emu runs the same
 * sources on the host. Reading order: the queue, launching, the ops. */
#ifndef PARL_KERNELS_CUDA_CUDA_INTERNAL_H
#define PARL_KERNELS_CUDA_CUDA_INTERNAL_H
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef _Noreturn
#define _Noreturn [[noreturn]]
#endif
extern "C" {
#include "kernels/cuda/cuda.h"
}
#include "kernels/ops.h"

typedef struct parl_cuda_blas parl_cuda_blas;

/* A stream, what ops need on it, and the first thing that failed. */
struct parl_cuda_queue {
  parl_queue head;
  cudaStream_t stream;
  void *scratch; /* on the device, [scratch_bytes] */
  size_t scratch_bytes;
  unsigned char *staging; /* of the host, pinned: [STAGING_BYTES], the first staged_bytes in use */
  size_t staged_bytes;
  bool records;         /* what it is given becomes a graph */
  uint64_t n_before;    /* launches before that */
  parl_cuda_blas *blas; /* NULL: not asked for yet; kernels/cuda/blas.h */
  parl_status status;   /* of the first failure */
  char failure[512];    /* its text: what, where and why */
};

static inline parl_cuda_queue *parl_cuda_queue_of(parl_queue *queue) {
  return (parl_cuda_queue *)(void *)queue;
}

/* `bytes` of the device's memory for the kernels of one op, contents unspecified; the next call, of
 * this op or another, has the same: for kernels one after the other. NULL: there is none, which the
 * queue remembers. */
void *parl_cuda_scratch(parl_queue *queue, size_t bytes);
/* `bytes` of the device's memory, the caller's to cudaFree; NULL: there is none, which the queue
 * remembers. what: borrowed, a name. */
void *parl_cuda_take(parl_queue *queue, size_t bytes, const char *what);
/* Whether large products of this backend, or of its twin, may go to cuBLAS: not of "cuda:own". */
bool parl_cuda_uses_blas(const parl_backend *backend);
/* False, and remembered by the queue, if a call of CUDA failed. what: borrowed, a name. */
bool parl_cuda_note(parl_queue *queue, cudaError_t error, const char *what);
/* The same for a failure that has no code of CUDA's. */
void parl_cuda_fail(parl_queue *queue, parl_status status, const char *what, const char *why);

/* Launches `kernel` (in parentheses if it is a template of several arguments) with `shared` bytes
 * of dynamic shared memory, at most 48 KiB. A grid or block of 0, which CUDA refuses, fails. */
#define PARL_LAUNCH(queue, kernel, grid, block, shared, ...)                    \
  do {                                                                          \
    parl_cuda_queue *queue_ = parl_cuda_queue_of(queue);                        \
    if (queue_->status == PARL_STATUS_OK) {                                     \
      PARL_CUDA_CALL(kernel, grid, block, shared, queue_->stream, __VA_ARGS__); \
      queue_->head.n_launches++;                                                \
      parl_cuda_note(queue, cudaGetLastError(), #kernel);                       \
    }                                                                           \
  } while (0)

/* T name[]: the dynamic shared memory of the launch. The only kind there is: a static __shared__
 * in a template would be lost on the emulator. */
#ifndef PARL_CUDA_EMULATED
#define PARL_CUDA_CALL(kernel, grid, block, shared, stream, ...) \
  (kernel)<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__)
#define PARL_DYNAMIC_SHARED(T, name)                                \
  extern __shared__ __align__(16) unsigned char parl_cuda_shared[]; \
  T *name = (T *)(void *)parl_cuda_shared
#endif

/* Ops that touch operands of products: a template of what those are, float or bf16. The others are
 * plain functions. */
/* clang-format off */
#define PARL_CUDA_ACT_OP_LIST(X) \
  X(linear_pack) X(linear_fwd) X(linear_bwd_input) X(linear_bwd_weight) X(experts_fwd) \
  X(experts_bwd) X(rmsnorm_fwd) X(rmsnorm_bwd) X(rope) X(attention_fwd) X(attention_bwd) \
  X(attention_decode) X(swiglu_fwd) X(swiglu_bwd) X(embedding_fwd) X(combine_fwd) \
  X(combine_bwd) X(layernorm_fwd) X(layernorm_bwd) X(gelu_fwd) X(gelu_bwd) X(to_act) \
  X(sum_heads)
#define PARL_CUDA_PLAIN_OP_LIST(X) \
  X(embedding_bwd) X(policy_fwd) X(policy_bwd) X(adamw) X(add) X(sum_squares) X(sample) \
  X(mix_rows_fwd) X(mix_rows_bwd) X(copy2d) X(axpby) X(sigmoid_fwd) X(sigmoid_bwd) \
  X(route_fwd) X(route_bwd) X(balance) X(dispatch) X(count_load) X(normalise) X(round_int4)
/* clang-format on */

#define X(op)        \
  template <class A> \
  void parl_cuda_##op(parl_queue *queue, const parl_##op##_args *args);
PARL_CUDA_ACT_OP_LIST(X)
#undef X
#define X(op) void parl_cuda_##op(parl_queue *queue, const parl_##op##_args *args);
PARL_CUDA_PLAIN_OP_LIST(X)
#undef X

/* Of parl_backend, but of no list there. */
template <class A>
void parl_cuda_orthogonalise(parl_queue *queue, const parl_orthogonalise_args *args);

/* Behind the definition of an op of the first list. */
#define PARL_CUDA_BOTH(op)                                                     \
  template void parl_cuda_##op<float>(parl_queue *, const parl_##op##_args *); \
  template void parl_cuda_##op<__nv_bfloat16>(parl_queue *, const parl_##op##_args *);

#endif
