/* kernels/cuda/blas.cu - see blas.h. Prototypes and numbers are cuBLAS' own, of versions 12 and 13,
 * so that its headers are not needed. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/blas.h"
#ifdef PARL_CUDA_EMULATED
#define dlopen parl_emu_open_library
#define dlsym parl_emu_find_symbol
enum { RTLD_NOW = 2, RTLD_GLOBAL = 256 };
#else
#include <dlfcn.h>
#endif

enum {
  OP_N = 0, /* cublasOperation_t */
  OP_T = 1,
  TYPE_F32 = 0, /* cudaDataType */
  TYPE_BF16 = 14,
  COMPUTE_32F = 68,   /* cublasComputeType_t */
  NO_REDUCTION = 16,  /* CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION */
  ANY_ALGORITHM = -1, /* cublasGemmAlgo_t */
  LEAST_EXTENT = 256,
  ALIGNMENT = 16,
};
/* As NVIDIA recommends for cards from sm_90 on. */
static const size_t WORKSPACE_BYTES = 32 << 20;

#define CALLS(X)                                                                              \
  X(create, "cublasCreate_v2", (void **handle))                                               \
  X(destroy, "cublasDestroy_v2", (void *handle))                                              \
  X(get_version, "cublasGetVersion_v2", (void *handle, int *version))                         \
  X(set_stream, "cublasSetStream_v2", (void *handle, cudaStream_t stream))                    \
  X(set_workspace, "cublasSetWorkspace_v2", (void *handle, void *workspace, size_t bytes))    \
  X(set_math, "cublasSetMathMode", (void *handle, int mode))                                  \
  X(multiply, "cublasGemmEx",                                                                 \
    (void *handle, int op_a, int op_b, int m, int n, int k, const void *alpha, const void *a, \
     int type_a, int ld_a, const void *b, int type_b, int ld_b, const void *beta, void *c,    \
     int type_c, int ld_c, int compute, int algorithm))

struct library {
  const char *name;
#define X(call, symbol, args) int(*call) args;
  CALLS(X)
#undef X
};

struct parl_cuda_blas {
  library calls;
  void *handle, *workspace; /* of the device, [WORKSPACE_BYTES] */
  bool is_absent;           /* looked for, and not found */
};

static void *find(void *opened, const char *symbol, bool *all) {
  void *address = dlsym(opened, symbol);
  if (address == NULL) *all = false;
  return address;
}

/* The newest there is; its pages are shared, and stay as long as the process. */
static bool open_library(library *out) {
  static const char *const names[][2] = {{"libcublasLt.so.13", "libcublas.so.13"},
                                         {"libcublasLt.so.12", "libcublas.so.12"}};
  for (const auto &name : names) {
    (void)dlopen(name[0], RTLD_NOW | RTLD_GLOBAL); /* the other one needs it */
    void *opened = dlopen(name[1], RTLD_NOW);
    if (opened == NULL) continue;
    bool all = true;
    out->name = name[1];
#define X(call, symbol, args) out->call = (int(*) args)find(opened, symbol, &all);
    CALLS(X)
#undef X
    if (all) return true;
  }
  return false;
}

/* ----------------------------------------------------------------------------------- the handle */

static void fail_call(parl_queue *queue, const char *call, int code) {
  enum { NO_MEMORY = 3 };
  size_t left = 0, all = 0;
  char why[128];
  if (code == NO_MEMORY && cudaMemGetInfo(&left, &all) == cudaSuccess)
    snprintf(why, sizeof why, "no memory: %zu bytes of the card's %zu are free", left, all);
  else
    snprintf(why, sizeof why, "cublasStatus_t %d", code);
  parl_cuda_fail(queue, code == NO_MEMORY ? PARL_STATUS_ENOMEM : PARL_STATUS_ESTATE, call, why);
}

/* Makes the handle of a queue. False: the queue knows why. */
static bool open_handle(parl_queue *queue, parl_cuda_blas *blas) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  blas->workspace = parl_cuda_take(queue, WORKSPACE_BYTES, "cuBLAS");
  if (blas->workspace == NULL) return false;
  const char *call = "cublasCreate";
  int code = blas->calls.create(&blas->handle);
  if (code == 0) {
    call = "cublasSetStream"; /* which takes the workspace away, so it comes first */
    code = blas->calls.set_stream(blas->handle, q->stream);
  }
  if (code == 0) {
    call = "cublasSetWorkspace";
    code = blas->calls.set_workspace(blas->handle, blas->workspace, WORKSPACE_BYTES);
  }
  if (code == 0) {
    call = "cublasSetMathMode";
    code = blas->calls.set_math(blas->handle, NO_REDUCTION);
  }
  if (code != 0) fail_call(queue, call, code);
  return code == 0;
}

void parl_cuda_blas_destroy(parl_cuda_blas *blas) {
  if (blas == NULL) return;
  if (blas->handle != NULL) (void)blas->calls.destroy(blas->handle);
  (void)cudaFree(blas->workspace);
  free(blas);
}

/* The queue's, made when it is first asked for; NULL: there is none, or the queue knows why. */
static parl_cuda_blas *get_blas(parl_queue *queue) {
  parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (q->blas == NULL) {
    parl_cuda_blas *blas = (parl_cuda_blas *)calloc(1, sizeof *blas);
    if (blas == NULL) {
      parl_cuda_fail(queue, PARL_STATUS_ENOMEM, "cuBLAS", "no memory");
      return NULL;
    }
    blas->is_absent = !open_library(&blas->calls);
    if (!blas->is_absent && !open_handle(queue, blas)) {
      parl_cuda_blas_destroy(blas);
      return NULL;
    }
    q->blas = blas;
  }
  return q->blas->is_absent ? NULL : q->blas;
}

void parl_cuda_blas_describe(char *text, size_t n) {
  library calls = {};
  void *handle = NULL;
  int version = 0;
  if (!open_library(&calls)) {
    snprintf(text, n, "own kernels: neither libcublas.so.13 nor libcublas.so.12 is found");
    return;
  }
  if (calls.create(&handle) == 0) {
    (void)calls.get_version(handle, &version);
    (void)calls.destroy(handle);
  }
  snprintf(text, n, "cuBLAS %d.%d.%d (%s) where no extent is below %d", version / 10000,
           version / 100 % 100, version % 100, calls.name, LEAST_EXTENT);
}

/* ---------------------------------------------------------------------------------- the product */

static bool is_aligned(const void *at, size_t ld, bool is_bf16) {
  return (uintptr_t)at % ALIGNMENT == 0 && ld * (is_bf16 ? 2 : 4) % ALIGNMENT == 0;
}

static bool is_for_blas(const parl_cuda_product *p) {
  const size_t least = p->rows < p->cols ? p->rows : p->cols;
  const size_t most_ld = p->ld_a > p->ld_b ? p->ld_a : p->ld_b;
  return least >= LEAST_EXTENT && p->n >= LEAST_EXTENT && p->rows <= INT_MAX &&
         p->cols <= INT_MAX && p->n <= INT_MAX && most_ld <= INT_MAX && p->ld_c <= INT_MAX &&
         is_aligned(p->a, p->ld_a, p->is_bf16) && is_aligned(p->b, p->ld_b, p->is_bf16) &&
         is_aligned(p->c, p->ld_c, p->c_is_bf16);
}

bool parl_cuda_blas_takes(parl_queue *queue, const parl_cuda_product *p) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  if (!parl_cuda_uses_blas(queue->backend) || !is_for_blas(p)) return false;
  return q->status != PARL_STATUS_OK || get_blas(queue) != NULL || q->status != PARL_STATUS_OK;
}

/* cuBLAS counts along columns, where a row-major c is its transpose: c^T = b^T a^T. */
void parl_cuda_blas_multiply(parl_queue *queue, const parl_cuda_product *p) {
  const parl_cuda_queue *q = parl_cuda_queue_of(queue);
  const float alpha = 1.0f, beta = p->accumulate ? 1.0f : 0.0f;
  const int type = p->is_bf16 ? TYPE_BF16 : TYPE_F32, c_type = p->c_is_bf16 ? TYPE_BF16 : TYPE_F32;
  if (q->status != PARL_STATUS_OK) return;
  const int code = q->blas->calls.multiply(
      q->blas->handle, p->b_is_across ? OP_T : OP_N, p->a_is_across ? OP_T : OP_N, (int)p->cols,
      (int)p->rows, (int)p->n, &alpha, p->b, type, (int)p->ld_b, p->a, type, (int)p->ld_a, &beta,
      p->c, c_type, (int)p->ld_c, COMPUTE_32F, ANY_ALGORITHM);
  queue->n_launches++;
  if (code != 0) fail_call(queue, "cublasGemmEx", code);
}
