/* kernels/emu/blas.cc - a fake cuBLAS: the calls that kernels/cuda/blas.cu makes, as strict as they
 * may be taken, and products in plain loops.
 *
 * A product is checked as it is given and done when its stream comes to it, where its memory must
 * still be there. Reading order: state, checks, the product, the calls, the library. */
#include <cuda_bf16.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/emu/emu_internal.h"

enum { OK = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { F32 = 0, BF16 = 14, COMPUTE_32F = 68, MATH = 16, ALIGNMENT = 16 };
static const unsigned LIVES = 0xb1a5b1a5u, DEAD = 0xdeaddeadu;

/* Never freed, so that one that was destroyed is known. */
struct handle {
  handle *next;
  unsigned mark;
  int math;
  cudaStream_t stream;
  void *workspace;
  size_t workspace_bytes;
};

static struct blas_state {
  pthread_mutex_t lock;
  int is_there;
  size_t n_products;
  handle *handles;
  char refusal[256];
} state = {PTHREAD_MUTEX_INITIALIZER, 0, 0, NULL, ""};

static int refuse(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(int code, const char *format, ...) {
  va_list args;
  const parl_emu_guard held(&state.lock);
  va_start(args, format);
  vsnprintf(state.refusal, sizeof state.refusal, format, args);
  va_end(args);
  return code;
}

extern "C" {
void parl_emu_set_blas(int is_there) {
  const parl_emu_guard held(&state.lock);
  state.is_there = is_there;
}
size_t parl_emu_count_products(void) {
  const parl_emu_guard held(&state.lock);
  return state.n_products;
}
const char *parl_emu_get_refusal(void) {
  static thread_local char text[sizeof state.refusal];
  const parl_emu_guard held(&state.lock);
  memcpy(text, state.refusal, sizeof text);
  state.refusal[0] = '\0';
  return text;
}
}

/* --------------------------------------------------------------------------------- checks */

static handle *find_handle(void *wanted) {
  const parl_emu_guard held(&state.lock);
  for (handle *h = state.handles; h != NULL; h = h->next)
    if (h == wanted && h->mark == LIVES) return h;
  return NULL;
}

/* A matrix in columns: element (i, j) at [i + j ld]. */
struct matrix {
  const char *name;
  const void *at;
  int type, rows, cols, ld;
};

static size_t size_of(const matrix *x) {
  return x->type == BF16 ? 2 : 4;
}
static bool is_there(const matrix *x) {
  const size_t elements = (size_t)x->ld * (size_t)(x->cols - 1) + (size_t)x->rows;
  return parl_emu_is_device(x->at, elements * size_of(x));
}

static int check_matrix(const matrix *x) {
  if (x->type != F32 && x->type != BF16)
    return refuse(NOT_SUPPORTED, "%s: type %d", x->name, x->type);
  if (x->ld < x->rows)
    return refuse(INVALID_VALUE, "%s: leading dimension %d of %d rows", x->name, x->ld, x->rows);
  if ((uintptr_t)x->at % ALIGNMENT != 0 || (size_t)x->ld * size_of(x) % ALIGNMENT != 0)
    return refuse(INVALID_VALUE, "%s: not aligned to %d bytes", x->name, (int)ALIGNMENT);
  if (!is_there(x)) return refuse(INVALID_VALUE, "%s: leaves the memory of the device", x->name);
  return OK;
}

/* ------------------------------------------------------------------------------- the product */

struct product {
  handle *h;
  bool a_is_across, b_is_across; /* a is [k,m], or lies as [m,k]: in columns of k or of m */
  int k;
  float alpha, beta;
  matrix a, b, c;
};

static float get(const matrix *x, size_t i, size_t j) {
  const size_t at = i + j * (size_t)x->ld;
  return x->type == BF16 ? __bfloat162float(((const __nv_bfloat16 *)x->at)[at])
                         : ((const float *)x->at)[at];
}

static void put(const matrix *x, size_t i, size_t j, float value) {
  const size_t at = i + j * (size_t)x->ld;
  if (x->type == BF16)
    ((__nv_bfloat16 *)(uintptr_t)x->at)[at] = __float2bfloat16_rn(value);
  else
    ((float *)(uintptr_t)x->at)[at] = value;
}

static const char *run_product(const void *call) {
  const product *p = (const product *)call;
  if (p->h->mark != LIVES) return "cuBLAS: the handle was destroyed before its product was done";
  if (!parl_emu_is_device(p->h->workspace, p->h->workspace_bytes))
    return "cuBLAS: the workspace was freed before its product was done";
  if (!is_there(&p->a) || !is_there(&p->b) || !is_there(&p->c))
    return "cuBLAS: a matrix was freed before its product was done";
  memset(p->h->workspace, 0xff, p->h->workspace_bytes < 64 ? p->h->workspace_bytes : 64);
  for (int j = 0; j < p->c.cols; j++)
    for (int i = 0; i < p->c.rows; i++) {
      float sum = 0.0f;
      for (int k = 0; k < p->k; k++) {
        const size_t m = (size_t)i, n = (size_t)j, l = (size_t)k;
        sum += (p->a_is_across ? get(&p->a, l, m) : get(&p->a, m, l)) *
               (p->b_is_across ? get(&p->b, n, l) : get(&p->b, l, n));
      }
      const float before = p->beta != 0.0f ? p->beta * get(&p->c, (size_t)i, (size_t)j) : 0.0f;
      put(&p->c, (size_t)i, (size_t)j, p->alpha * sum + before);
    }
  return NULL;
}

/* --------------------------------------------------------------------------------- the calls */

static int create(void **out) {
  handle *h = (handle *)calloc(1, sizeof *h);
  if (h == NULL) return ALLOC_FAILED;
  const parl_emu_guard held(&state.lock);
  h->mark = LIVES;
  h->next = state.handles;
  state.handles = h;
  *out = h;
  return OK;
}

static int destroy(void *which) {
  handle *h = find_handle(which);
  if (h == NULL) return refuse(NOT_INITIALIZED, "destroy: no such handle lives");
  h->mark = DEAD;
  return OK;
}

static int get_version(void *, int *version) {
  *version = 130002;
  return OK;
}

/* As cuBLAS does: the workspace is no longer this one's. */
static int set_stream(void *which, cudaStream_t stream) {
  handle *h = find_handle(which);
  if (h == NULL) return refuse(NOT_INITIALIZED, "set stream: no such handle lives");
  if (!parl_emu_is_stream(stream)) return refuse(INVALID_VALUE, "set stream: it does not live");
  h->stream = stream;
  h->workspace = NULL;
  return OK;
}

static int set_workspace(void *which, void *workspace, size_t bytes) {
  handle *h = find_handle(which);
  if (h == NULL) return refuse(NOT_INITIALIZED, "set workspace: no such handle lives");
  if ((uintptr_t)workspace % 256 != 0 || !parl_emu_is_device(workspace, bytes))
    return refuse(INVALID_VALUE, "set workspace: not aligned, or no memory of the device");
  const parl_emu_guard held(&state.lock);
  for (const handle *other = state.handles; other != NULL; other = other->next)
    if (other != h && other->mark == LIVES && other->workspace == workspace) return INVALID_VALUE;
  h->workspace = workspace;
  h->workspace_bytes = bytes;
  return OK;
}

static int set_math(void *which, int mode) {
  handle *h = find_handle(which);
  if (h == NULL) return refuse(NOT_INITIALIZED, "set math: no such handle lives");
  h->math = mode;
  return OK;
}

static int multiply(void *which, int op_a, int op_b, int m, int n, int k, const void *alpha,
                    const void *a, int type_a, int ld_a, const void *b, int type_b, int ld_b,
                    const void *beta, void *c, int type_c, int ld_c, int compute, int) {
  handle *h = find_handle(which);
  if (h == NULL) return refuse(NOT_INITIALIZED, "multiply: no such handle lives");
  if (h->stream == NULL || !parl_emu_is_stream(h->stream))
    return refuse(INVALID_VALUE, "multiply: the handle has no stream that lives");
  if (h->workspace == NULL) return refuse(INVALID_VALUE, "multiply: no workspace of its own");
  if (h->math != MATH || compute != COMPUTE_32F)
    return refuse(INVALID_VALUE, "multiply: adds in less than f32");
  if (m < 1 || n < 1 || k < 1) return refuse(INVALID_VALUE, "multiply: an empty extent");
  if (type_a != type_b || (type_a == F32 && type_c != F32))
    return refuse(NOT_SUPPORTED, "multiply: types %d, %d, %d", type_a, type_b, type_c);
  product p = {h, op_a == 1, op_b == 1, k, 0.0f, 0.0f, {}, {}, {}};
  memcpy(&p.alpha, alpha, sizeof p.alpha);
  memcpy(&p.beta, beta, sizeof p.beta);
  p.a = {"a", a, type_a, p.a_is_across ? k : m, p.a_is_across ? m : k, ld_a};
  p.b = {"b", b, type_b, p.b_is_across ? n : k, p.b_is_across ? k : n, ld_b};
  p.c = {"c", c, type_c, m, n, ld_c};
  const matrix *const all[] = {&p.a, &p.b, &p.c};
  for (const matrix *x : all) {
    const int code = check_matrix(x);
    if (code != OK) return code;
  }
  if (!parl_emu_queue_library(h->stream, run_product, &p, sizeof p)) return ALLOC_FAILED;
  const parl_emu_guard held(&state.lock);
  state.n_products++;
  return OK;
}

/* ------------------------------------------------------------------------------- the library */

void *parl_emu_open_library(const char *name, int) {
  const parl_emu_guard held(&state.lock);
  return state.is_there && strcmp(name, "libcublas.so.13") == 0 ? &state : NULL;
}

void *parl_emu_find_symbol(void *, const char *symbol) {
  static const struct {
    const char *name;
    void *call;
  } calls[] = {{"cublasCreate_v2", (void *)create},
               {"cublasDestroy_v2", (void *)destroy},
               {"cublasGetVersion_v2", (void *)get_version},
               {"cublasSetStream_v2", (void *)set_stream},
               {"cublasSetWorkspace_v2", (void *)set_workspace},
               {"cublasSetMathMode", (void *)set_math},
               {"cublasGemmEx", (void *)multiply}};
  for (const auto &call : calls)
    if (strcmp(call.name, symbol) == 0) return call.call;
  return NULL;
}
