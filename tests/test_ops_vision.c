/* tests/test_ops_vision.c - the ops of the vision tower: parity of every level with the oracle,
 * cases worked by hand, what a NaN may reach, and the order of what is added.
 *
 * Gradients against finite differences: test_ops_grad.c; rows in pieces: test_ops_invariance.c.
 * Reading order: one case per op, the table, the rest. */
#include "core/bf16.h"
#include "tests/test_ops_trial.h"

/* Largest |x - mean| of a regime. */
static float spread_of(const trial *t) {
  return t->how == TINY ? 6e-6f : t->how == CONSTANT ? 1e-3f : 6.0f;
}

static void case_layernorm_fwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, ld = gap(t, C);
  const parl_layernorm_fwd_args args = {.rows = rows,
                                        .C = C,
                                        .x = input(t, rows, C, ld),
                                        .ld_x = ld,
                                        .weight = input_as(t, 1, C, C, CENTRED)->x,
                                        .bias = input_as(t, 1, C, C, TINY)->x,
                                        .eps = 1e-5f,
                                        .y = output(t, "y", rows, C, ld),
                                        .ld_y = ld,
                                        .mean = output(t, "mean", 1, rows, rows),
                                        .inv_std = output(t, "inv_std", 1, rows, rows)};
  RUN(t, layernorm_fwd, false, &args);
  if (t->now != FOR_BOUND) return;
  const float *mean = t->outputs[ON_REF][1].x, *inv_std = t->outputs[ON_REF][2].x;
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < C; c++)
      bound_of(t, 0)[r * ld + c] = args.weight[c] * inv_std[r] * spread_of(t) + args.bias[c];
    bound_of(t, 1)[r] = fabsf(mean[r]) + spread_of(t) / 6.0f;
    bound_of(t, 2)[r] = inv_std[r];
  }
}

static void case_layernorm_bwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, ld = gap(t, C);
  float *mean = input_as(t, 1, rows, rows, CONSTANT)->x;
  float *inv_std = input_as(t, 1, rows, rows, CONSTANT)->x;
  const parl_layernorm_bwd_args args = {.rows = rows,
                                        .C = C,
                                        .x = input(t, rows, C, ld),
                                        .ld_x = ld,
                                        .weight = input_as(t, 1, C, C, CENTRED)->x,
                                        .mean = mean,
                                        .inv_std = inv_std,
                                        .dy = input(t, rows, C, ld),
                                        .ld_dy = ld,
                                        .dx = in_out(t, "dx", rows, C, ld),
                                        .ld_dx = ld,
                                        .dweight = in_out(t, "dweight", 1, C, C),
                                        .dbias = in_out(t, "dbias", 1, C, C)};
  for (size_t r = 0; r < rows; r++) {
    double sum = 0.0, squares = 0.0;
    for (size_t c = 0; c < C; c++) sum += (double)args.x[r * ld + c] / (double)C;
    for (size_t c = 0; c < C; c++)
      squares += pow((double)args.x[r * ld + c] - sum, 2.0) / (double)C;
    mean[r] = (float)sum;
    inv_std[r] = (float)(1.0 / sqrt(squares + 1e-5));
  }
  RUN(t, layernorm_bwd, false, &args);
  if (t->now != FOR_BOUND) return;
  for (size_t r = 0; r < rows; r++) {
    const float *dy = args.dy + r * ld, normed = inv_std[r] * spread_of(t);
    float pushed = 0.0f;
    for (size_t c = 0; c < C; c++) pushed = fmaxf(pushed, args.weight[c] * dy[c]);
    for (size_t c = 0; c < C; c++) {
      bound_of(t, 0)[r * ld + c] += inv_std[r] * pushed * (2.0f + normed * normed);
      bound_of(t, 1)[c] += dy[c] * normed;
      bound_of(t, 2)[c] += dy[c];
    }
  }
}

static void case_gelu_fwd(trial *t) {
  const size_t n = t->s.a * t->s.b;
  parl_gelu_fwd_args args = {.n = n, .x = input(t, 1, n, n)};
  for (int exact = 0; exact < 2; exact++) {
    args.exact = exact == 1;
    args.y = output(t, exact ? "y, exact" : "y by tanh", 1, n, n);
    RUN(t, gelu_fwd, true, &args); /* |x| P(|x|) */
  }
  float *both = in_out(t, "y over x", 1, n, n);
  memcpy(both, args.x, n * sizeof *both);
  args.x = args.y = both;
  RUN(t, gelu_fwd, true, &args);
}

static void case_gelu_bwd(trial *t) {
  const size_t n = t->s.a * t->s.b;
  parl_gelu_bwd_args args = {.n = n, .x = input(t, 1, n, n), .dy = input(t, 1, n, n)};
  for (size_t i = 0; i < 3; i++) {
    args.exact = i != 0;
    args.dx = in_out(t, i == 2 ? "dx over dy" : i == 1 ? "dx, exact" : "dx by tanh", 1, n, n);
    if (t->now == FOR_BOUND)
      for (size_t k = 0; k < n; k++) bound_of(t, i)[k] = 1.2f * args.dy[k];
    if (i == 2) {
      memcpy(args.dx, args.dy, n * sizeof *args.dx);
      args.dy = args.dx;
    }
    RUN(t, gelu_bwd, false, &args);
  }
}

enum { TABLE = 50 };

static void case_mix_rows_fwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, taps = rows % 2 ? 16 : 3;
  const parl_mix_rows_fwd_args args = {.rows = rows,
                                       .taps = taps,
                                       .C = C,
                                       .weights = input(t, rows, taps, taps),
                                       .index = indices(t, rows * taps, TABLE),
                                       .table = input(t, TABLE, C, C),
                                       .out = output(t, "out", rows, C, C)};
  RUN(t, mix_rows_fwd, true, &args);
}

static void case_mix_rows_bwd(trial *t) {
  const size_t rows = t->s.a, C = t->s.b, taps = rows % 2 ? 16 : 3;
  const parl_mix_rows_bwd_args args = {.rows = rows,
                                       .taps = taps,
                                       .C = C,
                                       .weights = input(t, rows, taps, taps),
                                       .index = indices(t, rows * taps, TABLE),
                                       .dout = input(t, rows, C, C),
                                       .dtable = in_out(t, "dtable", TABLE, C, C)};
  RUN(t, mix_rows_bwd, true, &args);
}

static const trial_row rows[] = {
#define X(op, tolerance, source) {#op, tolerance, case_##op, 'r'},
    PARL_VISION_OP_LIST(X)
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static void test_parity(void **state) {
  const size_t which = (size_t)(uintptr_t)*state;
  static const size_t edges[] = {1, 33, 48, 257};
  static const shape real[] = {{32, 128, 1}, {5, 512, 1}, {512, 64, 1}};
  const parl_backend *backend = get_level(level_names[which % N_LEVELS]);
  for (regime how = CENTRED; how < N_REGIMES; how++) {
    for (size_t i = 0; i < 16; i++)
      run_trial(&rows[which / N_LEVELS], backend, (shape){edges[i / 4], edges[i % 4], 1}, how);
    for (size_t i = 0; i < 3; i++) run_trial(&rows[which / N_LEVELS], backend, real[i], how);
  }
}

/* ------------------------------------------------------------------------ by hand, all backends */

/* The oracle, then the f32 levels that this machine has. */
#define FOR_EACH_BACKEND(b)                     \
  for (size_t i_ = 0; i_ <= N_F32_LEVELS; i_++) \
    for (const parl_backend *b = backend_at(i_); b != NULL; b = NULL)

static const parl_backend *backend_at(size_t i) {
  const parl_backend *backend = NULL;
  if (i == 0) return parl_backend_ref();
  return parl_backend_cpu(level_names[i - 1], &backend) == PARL_STATUS_OK ? backend : NULL;
}

static void expect(const parl_backend *b, const char *what, float is, double want, double within) {
  if (!(fabs((double)is - want) <= within))
    fail_msg("%s on %s: %.9g, not %.9g", what, b->instructions, (double)is, want);
}

/* x = 1, 2, 3, 6: mean 3, biased variance 3.5 (by n - 1: 4.67); with eps 0.5 a standard deviation
 * of 2. */
static void test_layernorm_by_hand(void **state) {
  (void)state;
  FOR_EACH_BACKEND(b) {
    const float x[] = {1, 2, 3, 6}, weight[] = {1, 2, 3, 4}, bias[] = {10, 20, 30, 40};
    const double want[] = {9.0, 19.0, 30.0, 46.0};
    float y[4], mean, inv_std;
    parl_layernorm_fwd_args args = {.rows = 1,
                                    .C = 4,
                                    .x = x,
                                    .ld_x = 4,
                                    .weight = weight,
                                    .bias = bias,
                                    .eps = 0.5f,
                                    .y = y,
                                    .ld_y = 4,
                                    .mean = &mean,
                                    .inv_std = &inv_std};
    b->layernorm_fwd(NULL, &args);
    for (size_t c = 0; c < 4; c++) expect(b, "layernorm", y[c], want[c], 1e-5);
    expect(b, "mean", mean, 3.0, 0.0);
    expect(b, "inv_std", inv_std, 0.5, 0.0);
    y[3] = 0.0f;
    args.mean = args.inv_std = NULL; /* whoever goes forward only */
    b->layernorm_fwd(NULL, &args);
    expect(b, "layernorm without its moments", y[3], 46.0, 1e-5);
  }
}

/* A million and one of two digits: a mean that is rounded to 1/16 would show in every element. */
static void test_layernorm_far(void **state) {
  (void)state;
  enum { C = 37 };
  const double mean = 18.0 / C, inv_std = 1.0 / sqrt(mean * (1.0 - mean) + 1e-5);
  float x[C], ones[C], zeros[C] = {0}, y[C];
  for (size_t c = 0; c < C; c++) x[c] = 1e6f + (float)(c % 2), ones[c] = 1.0f;
  const parl_layernorm_fwd_args args = {.rows = 1,
                                        .C = C,
                                        .x = x,
                                        .ld_x = C,
                                        .weight = ones,
                                        .bias = zeros,
                                        .eps = 1e-5f,
                                        .y = y,
                                        .ld_y = C};
  FOR_EACH_BACKEND(b) {
    b->layernorm_fwd(NULL, &args);
    for (size_t c = 0; c < C; c++)
      expect(b, "layernorm far from 0", y[c], ((double)(c % 2) - mean) * inv_std, 1e-6);
  }
}

/* Values of both forms from tables of erf and tanh; they differ in the fourth digit. */
static void test_gelu_by_hand(void **state) {
  (void)state;
  const float x[] = {0.0f, 1.0f, -1.0f, 3.0f, -3.0f};
  const double exact[] = {0.0, 0.8413447461, -0.1586552539, 2.9959503, -0.0040496940};
  const double by_tanh[] = {0.0, 0.8411919906, -0.1588080094, 2.9963626, -0.0036373920};
  FOR_EACH_BACKEND(b) {
    float y[5];
    parl_gelu_fwd_args args = {.n = 5, .exact = true, .x = x, .y = y};
    b->gelu_fwd(NULL, &args);
    for (size_t i = 0; i < 5; i++) expect(b, "gelu, exact", y[i], exact[i], 5e-7);
    args.exact = false;
    b->gelu_fwd(NULL, &args);
    for (size_t i = 0; i < 5; i++) expect(b, "gelu by tanh", y[i], by_tanh[i], 5e-7);
  }
}

/* Far from 0 a value is x or 0 and its slope 1 or 0, however large x is: nothing overflows on the
 * way. */
static void test_gelu_far(void **state) {
  (void)state;
  const float x[] = {20.0f, -20.0f, 1e4f, -1e4f, 1e15f, -1e15f, 3e38f, -3e38f};
  const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
  FOR_EACH_BACKEND(b)
  for (int exact = 0; exact < 2; exact++) {
    float y[8], dx[8];
    b->gelu_fwd(NULL, &(parl_gelu_fwd_args){.n = 8, .exact = exact == 1, .x = x, .y = y});
    const parl_gelu_bwd_args back = {.n = 8, .exact = exact == 1, .x = x, .dy = ones, .dx = dx};
    b->gelu_bwd(NULL, &back);
    for (size_t i = 0; i < 8; i++) {
      const double size = fabs((double)x[i]);
      expect(b, "gelu far out", y[i], i % 2 ? 0.0 : (double)x[i], 1e-7 * size);
      expect(b, "its slope", dx[i], i % 2 ? 0.0 : 1.0, 1e-6);
    }
  }
}

/* Two taps of one row add up; so do two rows; and 1e8 - 1e8 + 1 is 1 in this order only. */
static void test_mix_rows_order(void **state) {
  (void)state;
  FOR_EACH_BACKEND(b) {
    const float table[] = {1, 10, 2, 20}, weights[] = {0.5f, -1, 2, 0.25f};
    const int32_t index[] = {0, 1, 1, 1};
    float out[4];
    const parl_mix_rows_fwd_args forward = {2, 2, 2, weights, index, table, out};
    b->mix_rows_fwd(NULL, &forward);
    expect(b, "row 0", out[1], -15.0, 0.0);
    expect(b, "row 1", out[3], 45.0, 0.0);
    float dtable[] = {100, 100, 100, 100};
    const parl_mix_rows_bwd_args back = {2, 2, 2, weights, index, table, dtable};
    b->mix_rows_bwd(NULL, &back); /* table serves as dout */
    expect(b, "d table[0,1]", dtable[1], 105.0, 0.0);
    expect(b, "d table[1,1]", dtable[3], 100.0 - 10.0 + 2.25 * 20.0, 0.0);
    const float large[] = {1e8f, -1e8f, 1}, one[] = {1, 1, 1};
    const int32_t zeros[3] = {0};
    float sum = 0.0f;
    b->mix_rows_bwd(NULL, &(parl_mix_rows_bwd_args){1, 3, 1, large, zeros, one, &sum});
    expect(b, "taps in order", sum, 1.0, 0.0);
    sum = 0.0f;
    b->mix_rows_bwd(NULL, &(parl_mix_rows_bwd_args){3, 1, 1, large, zeros, one, &sum});
    expect(b, "rows in order", sum, 1.0, 0.0);
  }
}

/* A row's NaN is its own, and what it adds to sums over rows. */
static void test_nan(void **state) {
  (void)state;
  enum { C = 37 };
  FOR_EACH_BACKEND(b) {
    float x[2 * C], y[2 * C], dx[2 * C] = {0}, ones[2 * C], sums[2][C] = {{0}}, mean[2], inv_std[2];
    for (size_t i = 0; i < 2 * C; i++) x[i] = (float)(i % 5), ones[i] = 1.0f;
    x[C - 1] = NAN;
    const parl_layernorm_fwd_args norm = {.rows = 2,
                                          .C = C,
                                          .x = x,
                                          .ld_x = C,
                                          .weight = ones,
                                          .bias = ones,
                                          .eps = 1e-5f,
                                          .y = y,
                                          .ld_y = C,
                                          .mean = mean,
                                          .inv_std = inv_std};
    b->layernorm_fwd(NULL, &norm);
    const parl_layernorm_bwd_args back = {.rows = 2,
                                          .C = C,
                                          .x = x,
                                          .ld_x = C,
                                          .weight = ones,
                                          .mean = mean,
                                          .inv_std = inv_std,
                                          .dy = ones,
                                          .ld_dy = C,
                                          .dx = dx,
                                          .ld_dx = C,
                                          .dweight = sums[0],
                                          .dbias = sums[1]};
    b->layernorm_bwd(NULL, &back);
    for (size_t c = 0; c < C; c++) {
      assert_true(isnan(y[c]) && isnan(dx[c]) && isnan(sums[0][c]));
      assert_true(isfinite(y[C + c]) && isfinite(dx[C + c]) && isfinite(sums[1][c]));
    }
    for (int exact = 0; exact < 2; exact++) {
      b->gelu_fwd(NULL, &(parl_gelu_fwd_args){.n = C, .exact = exact == 1, .x = x, .y = y});
      b->gelu_bwd(NULL,
                  &(parl_gelu_bwd_args){.n = C, .exact = exact == 1, .x = x, .dy = ones, .dx = dx});
      for (size_t c = 0; c < C; c++) assert_int_equal(isnan(y[c]) || isnan(dx[c]), c == C - 1);
      assert_true(isnan(y[C - 1]) && isnan(dx[C - 1]));
    }
  }
}

static void test_checks(void **state) {
  (void)state;
  float x[4] = {0}, y[4], mean;
  parl_layernorm_fwd_args norm = {
      .rows = 1, .C = 4, .x = x, .ld_x = 4, .weight = x, .bias = x, .y = y, .ld_y = 4};
  assert_ok(parl_layernorm_fwd_check(&norm));
  norm.mean = &mean;
  assert_int_equal(parl_layernorm_fwd_check(&norm), PARL_STATUS_EINVAL);
  norm.mean = NULL;
  norm.eps = -1.0f;
  assert_int_equal(parl_layernorm_fwd_check(&norm), PARL_STATUS_EINVAL);
  int32_t index[] = {0, -1};
  const parl_mix_rows_fwd_args mix = {1, 2, 2, x, index, x, y};
  assert_int_equal(parl_mix_rows_fwd_check(&mix), PARL_STATUS_EINVAL);
  const parl_mix_rows_bwd_args back = {1, 2, 2, x, index, x, y};
  assert_int_equal(parl_mix_rows_bwd_check(&back), PARL_STATUS_EINVAL);
  index[1] = 1;
  assert_ok(parl_mix_rows_fwd_check(&mix));
  assert_ok(parl_mix_rows_bwd_check(&back));
}

/* Operands kept in bf16 are what the oracle makes of the rounded ones, rounded once more. */
static void expect_act(const uint16_t *acts, const float *want, size_t n) {
  for (size_t i = 0; i < n; i++) assert_int_equal(acts[i], parl_bf16_from_float(want[i]));
}

static void test_bf16_acts(void **state) {
  (void)state;
  enum { N = 6 };
  const parl_backend *ref = parl_backend_ref(), *acts = parl_backend_ref_bf16_acts();
  float x[N], wide[N], want[N], dx[2][N] = {{0}}, sums[2][2][N] = {{{0}}}, mean, inv_std;
  uint16_t narrow[N], made[N];
  parl_act *in = (parl_act *)(void *)narrow, *out = (parl_act *)(void *)made;
  for (size_t i = 0; i < N; i++) {
    x[i] = 0.37f * (float)i - 0.9f;
    narrow[i] = parl_bf16_from_float(x[i]);
    wide[i] = parl_bf16_to_float(narrow[i]);
  }
  for (int exact = 0; exact < 2; exact++) {
    ref->gelu_fwd(NULL, &(parl_gelu_fwd_args){N, exact == 1, wide, want});
    acts->gelu_fwd(NULL, &(parl_gelu_fwd_args){N, exact == 1, in, out});
    expect_act(made, want, N);
    ref->gelu_bwd(NULL, &(parl_gelu_bwd_args){N, exact == 1, wide, wide, want});
    acts->gelu_bwd(NULL, &(parl_gelu_bwd_args){N, exact == 1, in, in, out});
    expect_act(made, want, N);
  }
  parl_layernorm_fwd_args norm = {.rows = 1,
                                  .C = N,
                                  .x = x,
                                  .ld_x = N,
                                  .weight = x,
                                  .bias = wide,
                                  .eps = 1e-5f,
                                  .y = want,
                                  .ld_y = N,
                                  .mean = &mean,
                                  .inv_std = &inv_std};
  ref->layernorm_fwd(NULL, &norm);
  norm.y_act = out;
  norm.y_is_act = true;
  acts->layernorm_fwd(NULL, &norm);
  expect_act(made, want, N);
  parl_layernorm_bwd_args back = {.rows = 1,
                                  .C = N,
                                  .x = x,
                                  .ld_x = N,
                                  .weight = x,
                                  .mean = &mean,
                                  .inv_std = &inv_std,
                                  .ld_dy = N,
                                  .ld_dx = N};
  for (int side = 0; side < 2; side++) {
    back.dy_is_act = side == 1;
    back.dy = side == 1 ? in : wide;
    back.dx = dx[side], back.dweight = sums[side][0], back.dbias = sums[side][1];
    (side == 1 ? acts : ref)->layernorm_bwd(NULL, &back);
  }
  assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
  assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
}

int main(void) {
  static struct CMUnitTest tests[N_ROWS * N_LEVELS + 8];
  static char names[N_ROWS * N_LEVELS][64];
  size_t n = 0;
  for (size_t i = 0; i < N_ROWS * N_LEVELS; i++) {
    const char *level = level_names[i % N_LEVELS];
    /* an emulated level is the f32 level with other products */
    if (strstr(level, "soft") != NULL) continue;
    snprintf(names[n], sizeof names[n], "%s on cpu:%s", rows[i / N_LEVELS].op, level);
    tests[n] = (struct CMUnitTest){names[n], test_parity, NULL, NULL, (void *)(uintptr_t)i};
    n++;
  }
  const struct CMUnitTest by_hand[] = {cmocka_unit_test(test_layernorm_by_hand),
                                       cmocka_unit_test(test_gelu_by_hand),
                                       cmocka_unit_test(test_gelu_far),
                                       cmocka_unit_test(test_mix_rows_order),
                                       cmocka_unit_test(test_nan),
                                       cmocka_unit_test(test_layernorm_far),
                                       cmocka_unit_test(test_checks),
                                       cmocka_unit_test(test_bf16_acts)};
  memcpy(tests + n, by_hand, sizeof by_hand);
  cmocka_set_test_filter(getenv("TEST_ONLY")); /* "rope on *" */
  return _cmocka_run_group_tests("tests", tests, n + sizeof by_hand / sizeof *by_hand, NULL, NULL);
}
