/* tests/cuda/test_device.c - what a card must do, emulated or real: the product of its units by the
 * twin in shuffles, bit for bit, and copies. */
#include "core/arena.h"
#include "core/rng.h"
#include "kernels/cuda/cuda.h"
#include "tests/cuda/bugs.h"
#include "tests/support.h"

/* Two layouts of the fragments, written apart, and plain sums: k ascending, so to the same bits. */
static void test_product(void **state) {
  (void)state;
  float a[256], b[128], unit[128], shuffles[128];
  parl_rng_cursor cursor = {.seed = 3, .stream = 1};
  for (size_t i = 0; i < 256; i++) a[i] = (float)parl_rng_next_below(&cursor, 255) - 127.0f;
  for (size_t i = 0; i < 128; i++) b[i] = ((float)parl_rng_next_below(&cursor, 255) - 127.0f) / 64;
  assert_ok(bug_multiply(a, b, unit, shuffles));
  assert_memory_equal(unit, shuffles, sizeof unit);
  for (size_t i = 0; i < 16; i++)
    for (size_t j = 0; j < 8; j++) {
      float sum = 0.0f;
      for (size_t k = 0; k < 16; k++) sum += a[i * 16 + k] * b[k * 8 + j];
      assert_true(unit[i * 8 + j] == sum);
    }
}

static const parl_backend *get_backend(const char *dtype) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, PARL_CUDA_BLAS, &backend));
  return backend;
}

/* More than the staging memory holds, changed at once after each upload. */
static void test_copies(void **state) {
  (void)state;
  enum { N = 700000 };
  const parl_backend *backend = get_backend("f32");
  parl_arena arena;
  parl_arena_init_from(&arena, 0, &backend->device()->memory);
  parl_queue *queue = NULL;
  assert_ok(parl_queue_create(backend, &queue));
  float *on_card = NULL, *host = malloc(N * sizeof *host);
  assert_non_null(host);
  assert_ok(PARL_ARENA_TAKE(&arena, N, &on_card));
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) host[i] = (float)i + (float)round;
    parl_queue_upload(queue, on_card, host, N * sizeof *host);
    memset(host, 0, N * sizeof *host);
    const parl_axpby_args args = {.n = N, .a = 0.0f, .x = NULL, .b = 2.0f, .y = on_card};
    PARL_RUN(queue, axpby, &args);
    assert_ok(parl_queue_download(queue, host, on_card, N * sizeof *host));
    for (size_t i = 0; i < N; i += 997) assert_true(host[i] == 2.0f * ((float)i + (float)round));
  }
  parl_queue_fill(queue, on_card, 0, 4);
  assert_ok(parl_queue_download(queue, host, on_card, 8));
  assert_true(host[0] == 0.0f && host[1] != 0.0f);
  free(host);
  parl_queue_destroy(queue);
  parl_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_product), cmocka_unit_test(test_copies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
