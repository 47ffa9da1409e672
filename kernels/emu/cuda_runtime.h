/* kernels/emu/cuda_runtime.h - CUDA C on the host: the part of the language and of the runtime that
 * kernels/cuda uses, under CUDA's own names, so that g++ compiles the same sources.
 *
 * A thread of a grid is a fiber; a stream keeps what it is given until somebody waits for it. What
 * is wrong in a kernel (a barrier or a shuffle that not all threads reach, a race, a launch that
 * CUDA would refuse) is an error of the launch, told by cudaGetErrorString.
 * Thread rule: a stream is used by one thread at a time; the rest from any.
 * Reading order: types, the language, collectives, launching, the runtime. */
#ifndef PARL_KERNELS_EMU_CUDA_RUNTIME_H
#define PARL_KERNELS_EMU_CUDA_RUNTIME_H
#define PARL_CUDA_EMULATED
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tuple>

/* --------------------------------------------------------------------------------- types */
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

/* ---------------------------------------------------------------------------- the language */
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline

/* What a thread sees; of the fiber that runs. */
struct parl_emu_place {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};
extern "C" const parl_emu_place *parl_emu_place_now(void);
#define threadIdx (parl_emu_place_now()->thread)
#define blockIdx (parl_emu_place_now()->block)
#define blockDim (parl_emu_place_now()->block_dim)
#define gridDim (parl_emu_place_now()->grid_dim)

extern "C" void *parl_emu_shared(void);
#define PARL_DYNAMIC_SHARED(T, name) T *name = (T *)parl_emu_shared()

static inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
static inline int __ffs(int x) {
  return __builtin_ffs(x);
}
static inline float __uint_as_float(unsigned x) {
  float value;
  memcpy(&value, &x, sizeof value);
  return value;
}

/* ----------------------------------------------------------------------------- collectives */
enum parl_emu_collective {
  PARL_EMU_SYNCWARP,
  PARL_EMU_INDEX,
  PARL_EMU_XOR,
  PARL_EMU_UP,
  PARL_EMU_BALLOT,
  PARL_EMU_MMA
};
/* Waits until all 32 lanes are here, at the same line with the same kind; the lane's result. */
extern "C" uint64_t parl_emu_collect(parl_emu_collective kind, int line, unsigned mask,
                                     uint64_t value, int argument);
/* The same, for m16n8k16: d += a b of the warp, by the fragments of the PTX manual. */
struct parl_emu_fragments {
  float *d;
  const uint32_t *a, *b;
};
extern "C" void parl_emu_barrier(int line);

template <class T>
static inline T parl_emu_shuffle(parl_emu_collective kind, int line, unsigned mask, T x, int by) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves 8 bytes at most");
  uint64_t bits = 0;
  memcpy(&bits, &x, sizeof x);
  bits = parl_emu_collect(kind, line, mask, bits, by);
  memcpy(&x, &bits, sizeof x);
  return x;
}
#define __syncthreads() parl_emu_barrier(__LINE__)
#define __syncwarp() ((void)parl_emu_collect(PARL_EMU_SYNCWARP, __LINE__, 0xffffffffu, 0, 0))
#define __shfl_sync(mask, x, lane) parl_emu_shuffle(PARL_EMU_INDEX, __LINE__, mask, x, (int)(lane))
#define __shfl_xor_sync(mask, x, by) parl_emu_shuffle(PARL_EMU_XOR, __LINE__, mask, x, (int)(by))
#define __shfl_up_sync(mask, x, by) parl_emu_shuffle(PARL_EMU_UP, __LINE__, mask, x, (int)(by))
#define __ballot_sync(mask, is) \
  ((unsigned)parl_emu_collect(PARL_EMU_BALLOT, __LINE__, mask, (is) ? 1 : 0, 0))
#define __any_sync(mask, is) (__ballot_sync(mask, is) != 0)
#define __all_sync(mask, is) (__ballot_sync(mask, is) == 0xffffffffu)

/* ------------------------------------------------------------------------------- launching */
typedef struct parl_emu_stream *cudaStream_t;

/* Copies call [bytes] and gives it to the stream, which runs run(call) once for each thread. */
extern "C" void parl_emu_queue_launch(const char *name, dim3 grid, dim3 block, size_t shared,
                                      cudaStream_t stream, void (*run)(const void *call),
                                      const void *call, size_t bytes);
template <class... P>
struct parl_emu_call {
  void (*kernel)(P...);
  std::tuple<P...> arguments;
  static void run(const void *call) {
    const parl_emu_call *c = (const parl_emu_call *)call;
    std::apply(c->kernel, c->arguments);
  }
};
/* Arguments are what they are now, as in CUDA; nothing lies between them, so that they compare. */
template <class... P, class... Q>
static inline void parl_emu_launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block,
                                   size_t shared, cudaStream_t stream, Q... arguments) {
  parl_emu_call<P...> call = {kernel, std::tuple<P...>(arguments...)};
  __builtin_clear_padding(&call);
  parl_emu_queue_launch(name, grid, block, shared, stream, parl_emu_call<P...>::run, &call,
                        sizeof call);
}
#define PARL_CUDA_CALL(kernel, grid, block, shared, stream, ...) \
  parl_emu_launch(#kernel, kernel, grid, block, shared, stream, __VA_ARGS__)

/* ----------------------------------------------------------------------------- the runtime */
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal };
typedef struct parl_emu_graph *cudaGraph_t;
typedef struct parl_emu_graph *cudaGraphExec_t;
typedef struct parl_emu_task *cudaGraphNode_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum { cudaStreamNonBlocking = 1, cudaHostAllocDefault = 0, cudaMemAttachGlobal = 1 };
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
};
extern "C" {
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaMalloc(void **out, size_t bytes);
cudaError_t cudaMallocManaged(void **out, size_t bytes, unsigned flags);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);

/* In the place of dlopen and dlsym: the fake cuBLAS of kernels/emu/blas.cc, or nothing. */
void *parl_emu_open_library(const char *name, int flags);
void *parl_emu_find_symbol(void *library, const char *symbol);
}

#endif
