/* tests/test_ops_bf16.c - products with bf16 operands: how they round, and that levels agree.
 *
 * Reading order: products, a case by hand, properties, names. */
#include <float.h>
#include <math.h>

#include "tests/test_ops_support.h"

static const char *const levels[] = {
    "amx",         "avx512-bf16", "avx512-bf16-soft", "avx2-bf16-soft", "portable-bf16-soft",
    "amx-emulated"};
enum { N_BF16 = sizeof levels / sizeof *levels };

/* The three products of one x [M,K], W [N,K] and dy [M,N], owned. */
typedef struct products {
  size_t M, N, K;
  float *x, *w, *dy;
  float *y, *dx, *dw; /* results */
} products;

static float *normal(size_t n, uint64_t stream) {
  float *x = malloc(n * sizeof *x);
  assert_non_null(x);
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = stream};
  for (size_t i = 0; i < n; i++) x[i] = draw(CENTRED, &cursor);
  return x;
}

static products open_products(size_t M, size_t N, size_t K) {
  return (products){M,
                    N,
                    K,
                    normal(M * K, 1),
                    normal(N * K, 2),
                    normal(M * N, 3),
                    normal(M * N, 4),
                    normal(M * K, 5),
                    normal(N * K, 6)};
}

static void close_products(products *p) {
  float *const owned[] = {p->x, p->w, p->dy, p->y, p->dx, p->dw};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

static void run(const parl_backend *b, products *p) {
  float *packed = malloc(b->linear_pack_elements(p->N, p->K) * sizeof *packed);
  assert_non_null(packed);
  const parl_linear_pack_args pack = {.N = p->N, .K = p->K, .w = p->w, .packed = packed};
  b->linear_pack(NULL, &pack);
  const parl_linear_fwd_args forward = {.M = p->M,
                                        .N = p->N,
                                        .K = p->K,
                                        .x = p->x,
                                        .ld_x = p->K,
                                        .packed = packed,
                                        .y = p->y,
                                        .ld_y = p->N};
  b->linear_fwd(NULL, &forward);
  const parl_linear_bwd_input_args input = {.M = p->M,
                                            .N = p->N,
                                            .K = p->K,
                                            .dy = p->dy,
                                            .ld_dy = p->N,
                                            .w = p->w,
                                            .packed = packed,
                                            .dx = p->dx,
                                            .ld_dx = p->K};
  b->linear_bwd_input(NULL, &input);
  memset(p->dw, 0, p->N * p->K * sizeof *p->dw);
  const parl_linear_bwd_weight_args weight = {.M = p->M,
                                              .N = p->N,
                                              .K = p->K,
                                              .dy = p->dy,
                                              .ld_dy = p->N,
                                              .x = p->x,
                                              .ld_x = p->K,
                                              .dw = p->dw};
  b->linear_bwd_weight(NULL, &weight);
  free(packed);
}

static const parl_backend *level(void **state) {
  return get_level(levels[(size_t)(uintptr_t)*state]);
}

/* Two ties: 1 + 2^-8 goes down to 1, 1 + 3 2^-8 goes up to 1 + 2^-6; pi becomes 3.140625 and -0.1
 * becomes -205 / 2048. All sums are exact. */
static void test_by_hand(void **state) {
  const parl_backend *b = level(state);
  const float x[] = {1.00390625f, 1.01171875f, -2.0f, 0.5f};
  const float w[] = {1.0f, 3.14159265f, -0.1f, 2.0f};
  const float y[] = {1.0f + 1.015625f * 3.140625f, -205.0f / 2048 + 2.03125f,
                     -2.0f + 0.5f * 3.140625f, 205.0f / 1024 + 1.0f};
  const float dx[] = {1.0f - 1.015625f * 205 / 2048, 3.140625f + 2.03125f,
                      -2.0f - 0.5f * 205 / 2048, -6.28125f + 1.0f};
  const float dw[] = {1.0f + 4.0f, 1.015625f - 1.0f, 1.015625f - 1.0f,
                      1.015625f * 1.015625f + 0.25f};
  products p = open_products(2, 2, 2);
  memcpy(p.x, x, sizeof x);
  memcpy(p.w, w, sizeof w);
  memcpy(p.dy, x, sizeof x); /* the gradient of y is x itself */
  run(b, &p);
  for (size_t i = 0; i < 4; i++) {
    if (p.y[i] != y[i] || p.dx[i] != dx[i] || p.dw[i] != dw[i])
      fail_msg("%s, element %zu: y %.9g dx %.9g dw %.9g, not %.9g %.9g %.9g", b->instructions, i,
               (double)p.y[i], (double)p.dx[i], (double)p.dw[i], (double)y[i], (double)dx[i],
               (double)dw[i]);
  }
  close_products(&p);
}

static const size_t sides[] = {1, 2, 15, 16, 17, 33, 300};
enum { N_SIDES = sizeof sides / sizeof *sides };

static bool same_bits(const products *p, const products *q) {
  return memcmp(p->y, q->y, p->M * p->N * sizeof *p->y) == 0 &&
         memcmp(p->dx, q->dx, p->M * p->K * sizeof *p->y) == 0 &&
         memcmp(p->dw, q->dw, p->N * p->K * sizeof *p->y) == 0;
}

/* Calls check(b, M, N, K) for many extents. */
static void for_extents(const parl_backend *b,
                        void (*check)(const parl_backend *b, size_t M, size_t N, size_t K)) {
  for (size_t m = 0; m < N_SIDES; m++)
    for (size_t n = 0; n < N_SIDES; n++)
      for (size_t k = 0; k < N_SIDES; k++)
        if (sides[m] * sides[n] * sides[k] < 200000) check(b, sides[m], sides[n], sides[k]);
}

static void check_rounds_first(const parl_backend *b, size_t M, size_t N, size_t K) {
  products p = open_products(M, N, K), q = open_products(M, N, K);
  for (size_t i = 0; i < M * K; i++) q.x[i] = to_bf16(q.x[i]);
  for (size_t i = 0; i < N * K; i++) q.w[i] = to_bf16(q.w[i]);
  for (size_t i = 0; i < M * N; i++) q.dy[i] = to_bf16(q.dy[i]);
  run(b, &p);
  run(b, &q);
  if (!same_bits(&p, &q))
    fail_msg("%s, %zu x %zu x %zu: operands are not rounded to the nearest", b->instructions, M, N,
             K);
  close_products(&p);
  close_products(&q);
}

static void test_rounds_first(void **state) {
  for_extents(level(state), check_rounds_first);
}

static void check_against_portable(const parl_backend *b, size_t M, size_t N, size_t K) {
  const parl_backend *portable = NULL;
  assert_ok(parl_backend_cpu("portable-bf16-soft", &portable));
  products p = open_products(M, N, K), q = open_products(M, N, K);
  run(b, &p);
  run(portable, &q);
  if (!same_bits(&p, &q))
    fail_msg("%s, %zu x %zu x %zu: not the bits of the portable level", b->instructions, M, N, K);
  close_products(&p);
  close_products(&q);
}

/* vdpbf16ps and its emulations add in the same order; a tile product has an order of its own. */
static void test_levels_agree(void **state) {
  const parl_backend *b = level(state);
  if (strncmp(b->instructions, "amx", 3) == 0) skip();
  for_extents(b, check_against_portable);
}

/* What is not finite shows in its own row and column, and nowhere else; denormal operands count
 * as zero. */
static void test_extremes(void **state) {
  enum { SIZE = 19 };
  const parl_backend *b = level(state);
  products p = open_products(SIZE, SIZE, SIZE);
  for (size_t i = 0; i < SIZE * SIZE; i++) p.w[i] = fabsf(p.w[i]) + 0.1f;
  p.x[2 * SIZE + 3] = guard_value();
  p.x[4 * SIZE + 5] = INFINITY;
  p.x[6 * SIZE + 18] = -FLT_MAX; /* rounds to minus infinity */
  for (size_t i = 0; i < SIZE; i++) p.x[7 * SIZE + i] = 1e-40f;
  run(b, &p);
  for (size_t i = 0; i < SIZE; i++)
    for (size_t j = 0; j < SIZE; j++) {
      const float y = p.y[i * SIZE + j], dw = p.dw[i * SIZE + j];
      assert_int_equal(isnan(y) != 0, i == 2);
      assert_int_equal(isinf(y) != 0, i == 4 || i == 6);
      if (i == 4) assert_true(y > 0);
      if (i == 6) assert_true(y < 0);
      if (i == 7) assert_true(y == 0.0f);
      assert_int_equal(isfinite(dw) != 0, j != 3 && j != 5 && j != 18);
    }
  close_products(&p);
}

static void expect(const char *name, const char *dtype, const char *instructions) {
  const parl_backend *b = NULL;
  assert_ok(parl_backend_select(name, dtype, &b));
  assert_string_equal(b->instructions, instructions);
  assert_string_equal(b->f32()->dtype, "f32");
}

static void test_names(void **state) {
  (void)state;
  const parl_backend *best = NULL, *units = NULL, *b = NULL;
  assert_ok(parl_backend_find("cpu", &best));
  expect("cpu", NULL, best->instructions);
  expect("cpu", "f32", best->instructions);
  expect("cpu:portable", NULL, "portable");
  expect("cpu:portable", "auto", "portable");
  expect("cpu:portable", "bf16", "portable-bf16-soft");
  expect("cpu:portable-bf16-soft", "bf16", "portable-bf16-soft");
  expect("cpu:amx-emulated", "auto", "amx-emulated");
  expect("ref", "auto", "double accumulation");
  const bool has_units = parl_backend_cpu("amx", &units) == PARL_STATUS_OK ||
                         parl_backend_cpu("avx512-bf16", &units) == PARL_STATUS_OK;
  expect("cpu", "auto", has_units ? units->instructions : best->instructions);
  if (has_units) expect("cpu:bf16", NULL, units->instructions);
  if (has_units) expect("cpu", "bf16", units->instructions);
  assert_ok(parl_backend_select("cpu:bf16-soft", NULL, &b));
  assert_ptr_equal(b->f32(), best);
  assert_fails(parl_backend_select("ref", "bf16", &b), PARL_STATUS_EINVAL, "ref computes in f32");
  assert_fails(parl_backend_select("cpu:bf16", "f32", &b), PARL_STATUS_EINVAL, "not in f32");
  assert_fails(parl_backend_select("cpu", "f16", &b), PARL_STATUS_EINVAL, "bf16, auto");
}

typedef struct property {
  const char *name;
  void (*test)(void **state);
} property;
static const property properties[] = {{"by hand", test_by_hand},
                                      {"operands are rounded", test_rounds_first},
                                      {"same bits as the portable level", test_levels_agree},
                                      {"extremes", test_extremes}};
enum { N_PROPERTIES = sizeof properties / sizeof *properties };

int main(void) {
  static struct CMUnitTest tests[N_PROPERTIES * N_BF16 + 1];
  static char names[N_PROPERTIES * N_BF16][64];
  for (size_t i = 0; i < N_PROPERTIES * N_BF16; i++) {
    const property *p = &properties[i / N_BF16];
    snprintf(names[i], sizeof names[i], "%s on cpu:%s", p->name, levels[i % N_BF16]);
    tests[i] = (struct CMUnitTest){names[i], p->test, NULL, NULL, (void *)(uintptr_t)(i % N_BF16)};
  }
  tests[N_PROPERTIES * N_BF16] = (struct CMUnitTest)cmocka_unit_test(test_names);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
