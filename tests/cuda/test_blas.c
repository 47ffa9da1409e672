/* tests/cuda/test_blas.c - which products go to cuBLAS, what comes of them, and that the fake one
 * refuses what the real one would, or would not and should. */
#define PARL_ACT_IS_FLOAT /* so both members of a union are */
#include "core/bf16.h"
#include "core/rng.h"
#include "kernels/cuda/cuda.h"
#include "kernels/emu/emu.h"
#include "tests/support.h"

enum { M = 264, N = 272, K = 256, LD = 288 }; /* multiples of 8: aligned in bf16, too */

static const parl_backend *get(const char *dtype, parl_cuda_products products) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, products, &backend));
  return backend;
}

/* A queue, and memory of the device behind it. */
typedef struct place {
  parl_queue *queue;
  parl_arena arena;
  uint64_t stream;
} place;

static void open_place(place *p, const parl_backend *backend) {
  *p = (place){.stream = 1};
  parl_arena_init_from(&p->arena, 0, &backend->device()->memory);
  assert_ok(parl_queue_create(backend, &p->queue));
}
static void close_place(place *p) {
  parl_queue_destroy(p->queue);
  parl_arena_deinit(&p->arena);
}

/* Operands of whole sixteenths, which bf16 keeps, rows apart by ld; on the host and on the card. */
static float *make(place *p, size_t rows, size_t columns, size_t ld, parl_act **on_card) {
  const size_t n = (rows - 1) * ld + columns, bytes = p->queue->backend->act_bytes;
  float *x = calloc(n, sizeof *x);
  uint16_t *narrow = calloc(n, sizeof *narrow);
  void *room = NULL;
  assert_non_null(x);
  assert_non_null(narrow);
  for (size_t i = 0; i < n; i++) {
    x[i] = (float)(int)(33.0 * parl_rng_uniform(7, p->stream, i)) / 16.0f - 1.0f;
    narrow[i] = parl_bf16_from_float(x[i]);
  }
  p->stream++;
  assert_ok(parl_arena_take(&p->arena, n, bytes, &room));
  parl_queue_upload(p->queue, room, bytes == 2 ? (const void *)narrow : x, n * bytes);
  free(narrow);
  *on_card = room;
  return x;
}
static float *make_f32(place *p, size_t rows, size_t columns, size_t ld, float **on_card) {
  const size_t n = (rows - 1) * ld + columns;
  float *x = calloc(n, sizeof *x);
  void *room = NULL;
  assert_non_null(x);
  for (size_t i = 0; i < n; i++)
    x[i] = (float)(int)(33.0 * parl_rng_uniform(7, p->stream, i)) / 16.0f - 1.0f;
  p->stream++;
  assert_ok(parl_arena_take(&p->arena, n, sizeof *x, &room));
  parl_queue_upload(p->queue, room, x, n * sizeof *x);
  *on_card = room;
  return x;
}

/* What the card has is what the host has, but for the rounding of what is kept in bf16. */
static void compare(place *p, const void *on_card, const float *want, size_t rows, size_t columns,
                    size_t ld, bool is_act) {
  const bool is_bf16 = is_act && p->queue->backend->act_bytes == 2;
  const size_t n = (rows - 1) * ld + columns;
  uint16_t *narrow = calloc(n, sizeof *narrow);
  float *got = calloc(n, sizeof *got);
  assert_non_null(got);
  assert_non_null(narrow);
  assert_ok(parl_queue_download(p->queue, is_bf16 ? (void *)narrow : got, on_card,
                                n * (is_bf16 ? 2 : 4)));
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) {
      const size_t i = r * ld + c;
      if (is_bf16) got[i] = parl_bf16_to_float(narrow[i]);
      assert_close((double)got[i], (double)want[i],
                   (is_bf16 ? 0x1p-8 : 1e-6) * fabs((double)want[i]) + 1e-4);
    }
  free(narrow);
  free(got);
}

/* y = x W^T, with what may be added; y may lie on the residual. */
static void try_forward(place *p, bool y_is_act, bool has_bias, int residual) {
  parl_act *x = NULL, *w = NULL, *y_act = NULL;
  float *bias = NULL, *y = NULL, *kept = NULL;
  float *host_x = make(p, M, K, LD, &x), *host_w = make(p, N, K, K, &w);
  float *host_bias = make_f32(p, 1, N, N, &bias), *host_kept = make_f32(p, M, N, LD, &kept);
  float *host_y = y_is_act ? make(p, M, N, LD, &y_act) : make_f32(p, M, N, LD, &y);
  if (y_is_act) y = (float *)y_act;
  if (residual == 2) {
    y = kept;
    memcpy(host_y, host_kept, ((M - 1) * LD + N) * sizeof *host_y);
  }
  parl_linear_fwd_args args = {.M = M,
                               .N = N,
                               .K = K,
                               .x = x,
                               .ld_x = LD,
                               .packed = w,
                               .y = y,
                               .y_is_act = y_is_act,
                               .ld_y = LD,
                               .bias = has_bias ? bias : NULL,
                               .residual = residual > 0 ? kept : NULL};
  PARL_RUN(p->queue, linear_fwd, &args);
  args.x = host_x, args.packed = host_w, args.y = host_y;
  if (has_bias) args.bias = host_bias;
  if (residual > 0) args.residual = residual == 2 ? host_y : host_kept;
  parl_backend_ref()->linear_fwd(NULL, &args);
  compare(p, y, host_y, M, N, LD, y_is_act);
  free(host_x), free(host_w), free(host_bias), free(host_kept), free(host_y);
}

static void try_input(place *p, bool accumulate) {
  parl_act *dy = NULL, *packed = NULL, *dx = NULL;
  float *w = NULL;
  float *host_dy = make(p, M, N, LD, &dy), *host_dx = make(p, M, K, LD, &dx);
  const uint64_t stream = p->stream;
  float *host_w = make(p, N, K, K, &packed);
  p->stream = stream; /* the same numbers */
  free(make_f32(p, N, K, K, &w));
  parl_linear_bwd_input_args args = {.M = M,
                                     .N = N,
                                     .K = K,
                                     .dy = dy,
                                     .ld_dy = LD,
                                     .w = w,
                                     .packed = packed,
                                     .dx = dx,
                                     .ld_dx = LD,
                                     .accumulate = accumulate};
  PARL_RUN(p->queue, linear_bwd_input, &args);
  args.dy = host_dy, args.w = args.packed = host_w, args.dx = host_dx;
  parl_backend_ref()->linear_bwd_input(NULL, &args);
  compare(p, dx, host_dx, M, K, LD, true);
  free(host_dy), free(host_dx), free(host_w);
}

static void try_weight(place *p) {
  parl_act *dy = NULL, *x = NULL;
  float *dw = NULL, *dbias = NULL;
  float *host_dy = make(p, M, N, LD, &dy), *host_x = make(p, M, K, LD, &x);
  float *host_dw = make_f32(p, N, K, K, &dw), *host_dbias = make_f32(p, 1, N, N, &dbias);
  parl_linear_bwd_weight_args args = {
      .M = M, .N = N, .K = K, .dy = dy, .ld_dy = LD, .x = x, .ld_x = LD, .dw = dw, .dbias = dbias};
  PARL_RUN(p->queue, linear_bwd_weight, &args);
  args.dy = host_dy, args.x = host_x, args.dw = host_dw, args.dbias = host_dbias;
  parl_backend_ref()->linear_bwd_weight(NULL, &args);
  compare(p, dw, host_dw, N, K, K, false);
  compare(p, dbias, host_dbias, 1, N, N, false);
  free(host_dy), free(host_x), free(host_dw), free(host_dbias);
}

/* All three products as the oracle has them; which of them went to cuBLAS. */
static void test_products(void **state) {
  const char *dtype = *state;
  place p;
  parl_emu_set_blas(1);
  open_place(&p, get(dtype, PARL_CUDA_BLAS));
  const size_t before = parl_emu_count_products();
  try_forward(&p, false, false, 0);
  try_forward(&p, false, true, 0);
  try_forward(&p, false, true, 1);
  try_forward(&p, false, false, 2);
  try_forward(&p, true, false, 0);
  try_input(&p, false);
  try_input(&p, true);
  try_weight(&p);
  assert_int_equal(parl_emu_count_products() - before, 8);
  try_forward(&p, true, true, 0); /* would be rounded twice in bf16 */
  assert_int_equal(parl_emu_count_products() - before, strcmp(dtype, "f32") == 0 ? 9 : 8);
  assert_string_equal(parl_emu_get_refusal(), "");
  close_place(&p);
  parl_emu_set_blas(0);
  assert_int_equal(parl_emu_count_allocations(), 0);
  assert_int_equal(parl_emu_count_streams(), 0);
}

/* Own kernels where there is no cuBLAS, where none is wanted, where an extent is small, and where
 * something is not aligned. */
static void test_own(void **state) {
  (void)state;
  const parl_backend *own = get("bf16", PARL_CUDA_OWN);
  const size_t before = parl_emu_count_products();
  place p;
  assert_string_equal(own->name, "cuda:own");
  assert_string_equal(own->f32()->name, "cuda:own");
  open_place(&p, get("f32", PARL_CUDA_BLAS)); /* none is found */
  try_weight(&p);
  close_place(&p);
  parl_emu_set_blas(1);
  open_place(&p, own);
  try_weight(&p);
  close_place(&p);
  open_place(&p, get("f32", PARL_CUDA_BLAS));
  parl_act *x = NULL;
  float *y = NULL, *host_x = make(&p, LD, LD, LD, &x);
  free(make_f32(&p, LD, LD, LD, &y));
  const size_t extents[][3] = {{255, 256, 256}, {256, 255, 256}, {256, 256, 255}};
  for (size_t i = 0; i < 6; i++) { /* then x and y begin at an odd place, and y's rows do */
    const size_t *e = extents[i % 3];
    const parl_linear_fwd_args args = {.M = i < 3 ? e[0] : 256,
                                       .N = i < 3 ? e[1] : 256,
                                       .K = i < 3 ? e[2] : 256,
                                       .x = (float *)x + (i == 3),
                                       .ld_x = LD,
                                       .packed = x,
                                       .y = y + (i == 4),
                                       .ld_y = i == 5 ? LD - 1 : LD};
    PARL_RUN(p.queue, linear_fwd, &args);
  }
  assert_ok(parl_queue_wait(p.queue));
  assert_int_equal(parl_emu_count_products(), before);
  free(host_x);
  close_place(&p);
  parl_emu_set_blas(0);
}

/* No memory for the workspace: an error, and nothing is lost. */
static void test_no_room(void **state) {
  (void)state;
  place p;
  parl_act *x = NULL;
  float *y = NULL;
  parl_emu_set_blas(1);
  open_place(&p, get("f32", PARL_CUDA_BLAS));
  free(make(&p, LD, LD, LD, &x));
  free(make_f32(&p, LD, LD, LD, &y));
  const parl_linear_fwd_args args = {
      .M = 256, .N = 256, .K = 256, .x = (float *)x, .ld_x = LD, .packed = x, .y = y, .ld_y = LD};
  parl_emu_fail_allocation(1); /* the workspace */
  PARL_RUN(p.queue, linear_fwd, &args);
  assert_fails(parl_queue_wait(p.queue), PARL_STATUS_ENOMEM, "33554432 bytes asked");
  PARL_RUN(p.queue, linear_fwd, &args);
  assert_ok(parl_queue_wait(p.queue));
  close_place(&p);
  parl_emu_set_blas(0);
  assert_int_equal(parl_emu_count_allocations(), 0);
}

/* ---------------------------------------------------------------- what the fake one refuses */

typedef int (*create_call)(void **handle);
typedef int (*handle_call)(void *handle);
typedef int (*pointer_call)(void *handle, void *pointer);
typedef int (*workspace_call)(void *handle, void *workspace, size_t bytes);
typedef int (*math_call)(void *handle, int mode);
typedef int (*multiply_call)(void *handle, int op_a, int op_b, int m, int n, int k,
                             const void *alpha, const void *a, int type_a, int ld_a, const void *b,
                             int type_b, int ld_b, const void *beta, void *c, int type_c, int ld_c,
                             int compute, int algorithm);

void *parl_emu_open_library(const char *name, int flags);
void *parl_emu_find_symbol(void *library, const char *symbol);

static void *find(const char *symbol) {
  void *library = parl_emu_open_library("libcublas.so.13", 2);
  assert_non_null(library);
  return parl_emu_find_symbol(library, symbol);
}
static int multiply(void *handle, int n, int ld, const float *a, float *c, int compute) {
  multiply_call call;
  void *symbol = find("cublasGemmEx");
  const float one = 1.0f;
  memcpy(&call, &symbol, sizeof call);
  return call(handle, 0, 0, n, n, n, &one, a, 0, ld, a, 0, ld, &one, c, 0, ld, compute, -1);
}
#define CALL(type, symbol, ...)              \
  do {                                       \
    type call_;                              \
    void *symbol_ = find(symbol);            \
    memcpy(&call_, &symbol_, sizeof call_);  \
    assert_int_equal(call_(__VA_ARGS__), 0); \
  } while (0)

static void assert_refused(int code, const char *why) {
  const char *text = parl_emu_get_refusal();
  if (code == 0 || strstr(text, why) == NULL) fail_msg("%d, \"%s\", not \"%s\"", code, text, why);
}

static void test_refusals(void **state) {
  (void)state;
  enum { SIDE = 32, MATH = 16, F32 = 68, TF32 = 77 };
  place p, other;
  float *a = NULL, *c = NULL;
  void *handle = NULL, *workspace = NULL, *stream;
  parl_emu_set_blas(1);
  open_place(&p, get("f32", PARL_CUDA_BLAS));
  open_place(&other, get("f32", PARL_CUDA_BLAS));
  free(make_f32(&p, SIDE, SIDE, SIDE, &a));
  free(make_f32(&p, SIDE, SIDE, SIDE, &c));
  assert_ok(parl_arena_take(&p.arena, 1, 4096, &workspace));
  memcpy(&stream, p.queue + 1, sizeof stream); /* behind the head */
  CALL(create_call, "cublasCreate_v2", &handle);
  assert_refused(multiply(a, SIDE, SIDE, a, c, F32), "no such handle");
  assert_refused(multiply(handle, SIDE, SIDE, a, c, F32), "no stream");
  CALL(workspace_call, "cublasSetWorkspace_v2", handle, workspace, 4096);
  CALL(pointer_call, "cublasSetStream_v2", handle, stream);
  assert_refused(multiply(handle, SIDE, SIDE, a, c, F32), "no workspace"); /* set too early */
  CALL(workspace_call, "cublasSetWorkspace_v2", handle, workspace, 4096);
  assert_refused(multiply(handle, SIDE, SIDE, a, c, F32), "less than f32");
  CALL(math_call, "cublasSetMathMode", handle, MATH);
  assert_refused(multiply(handle, SIDE, SIDE, a, c, TF32), "less than f32");
  assert_refused(multiply(handle, SIDE, SIDE - 1, a, c, F32), "leading dimension");
  assert_refused(multiply(handle, SIDE - 4, SIDE - 3, a, c, F32), "not aligned");
  assert_refused(multiply(handle, SIDE / 2, SIDE, a + 1, c, F32), "not aligned");
  assert_refused(multiply(handle, SIDE, 64 * SIDE, a, c, F32), "leaves the memory");
  assert_refused(multiply(handle, SIDE, SIDE, (const float *)&p, c, F32), "leaves the memory");
  assert_int_equal(multiply(handle, SIDE, SIDE, a, c, F32), 0);
  assert_ok(parl_queue_wait(p.queue));
  assert_int_equal(multiply(handle, SIDE, SIDE, a, c, F32), 0);
  CALL(handle_call, "cublasDestroy_v2", handle); /* before its product is done */
  assert_fails(parl_queue_wait(p.queue), PARL_STATUS_ESTATE, "the handle was destroyed");
  close_place(&other);
  close_place(&p);
  parl_emu_set_blas(0);
}

/* A matrix, or the workspace, that is freed before its product is done. */
static void test_freed(void **state) {
  const bool is_workspace = *state != NULL;
  enum { SIDE = 32, MATH = 16, F32 = 68 };
  place p;
  float *a = NULL, *c = NULL;
  void *handle = NULL, *workspace = NULL, *stream;
  parl_arena arena;
  parl_emu_set_blas(1);
  open_place(&p, get("f32", PARL_CUDA_BLAS));
  parl_arena_init_from(&arena, 0, &p.queue->backend->device()->memory);
  free(make_f32(&p, SIDE, SIDE, SIDE, &a));
  assert_ok(PARL_ARENA_TAKE(is_workspace ? &p.arena : &arena, SIDE * SIDE, &c));
  assert_ok(parl_arena_take(is_workspace ? &arena : &p.arena, 1, 4096, &workspace));
  memcpy(&stream, p.queue + 1, sizeof stream);
  CALL(create_call, "cublasCreate_v2", &handle);
  CALL(pointer_call, "cublasSetStream_v2", handle, stream);
  CALL(workspace_call, "cublasSetWorkspace_v2", handle, workspace, 4096);
  CALL(math_call, "cublasSetMathMode", handle, MATH);
  assert_int_equal(multiply(handle, SIDE, SIDE, a, c, F32), 0);
  parl_arena_deinit(&arena);
  assert_fails(parl_queue_wait(p.queue), PARL_STATUS_ESTATE,
               is_workspace ? "the workspace was freed" : "a matrix was freed");
  CALL(handle_call, "cublasDestroy_v2", handle);
  close_place(&p);
  parl_emu_set_blas(0);
}

static void test_describe(void **state) {
  (void)state;
  char text[256] = "";
  assert_ok(parl_cuda_describe(text, sizeof text));
  assert_non_null(strstr(text, "own kernels: neither"));
  parl_emu_set_blas(1);
  assert_ok(parl_cuda_describe(text, sizeof text));
  assert_non_null(strstr(text, "emulator, compute capability 8.0, 64.0 GiB"));
  assert_non_null(strstr(text, "cuBLAS 13.0.2 (libcublas.so.13)"));
  parl_emu_set_blas(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_products, (void *)(uintptr_t) "f32"),
      cmocka_unit_test_prestate(test_products, (void *)(uintptr_t) "bf16"),
      cmocka_unit_test(test_own),
      cmocka_unit_test(test_no_room),
      cmocka_unit_test(test_refusals),
      {"freed matrix", test_freed, NULL, NULL, NULL},
      {"freed workspace", test_freed, NULL, NULL, (void *)(uintptr_t)1},
      cmocka_unit_test(test_describe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
