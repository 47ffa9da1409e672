/* tests/test_ops_check.c - backends by name, and arguments that must be refused. */
#define PARL_ACT_IS_FLOAT
#include "kernels/bench.h"
#include "kernels/check.h"
#include "tests/support.h"

static void test_names(void **state) {
  (void)state;
  const parl_backend *backend = NULL, *other = NULL;
  assert_int_equal(parl_backend_find("ref", &backend), PARL_STATUS_OK);
  assert_ptr_equal(backend, parl_backend_ref());
  assert_int_equal(parl_backend_find("cpu", &backend), PARL_STATUS_OK);
  assert_int_equal(parl_backend_cpu("auto", &other), PARL_STATUS_OK);
  assert_ptr_equal(backend, other);
  assert_int_equal(parl_backend_find("cpu:portable", &other), PARL_STATUS_OK);
  assert_string_equal(other->instructions, "portable");
  other = NULL;
  assert_int_equal(parl_backend_find("cpu:mmx", &other), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "avx2"));
  assert_int_equal(parl_backend_find("gpu", &other), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "cpu:avx512"));
  assert_null(other);
  double peak = -1.0;
  assert_ok(parl_backend_cpu("portable", &other));
  assert_ok(parl_bench_peak_gflops(other, &peak));
  assert_true(peak > 0.0);
}

static void test_checks(void **state) {
  (void)state;
  float x[8] = {0}, y[8] = {0};
  parl_linear_fwd_args linear = {
      .M = 1, .N = 4, .K = 4, .x = x, .ld_x = 4, .packed = x, .y = y, .ld_y = 4};
  assert_int_equal(parl_linear_fwd_check(&linear), PARL_STATUS_OK);
  linear.ld_y = 3;
  assert_int_equal(parl_linear_fwd_check(&linear), PARL_STATUS_EINVAL);
  assert_non_null(strstr(parl_error_text(), "ld_y"));
  const uint64_t mask = 2;
  const int32_t target = 0;
  parl_policy_fwd_args policy = {.rows = 1,
                                 .V = 8,
                                 .logits = x,
                                 .mask = &mask,
                                 .inv_temperature = 1.0f,
                                 .probs = y,
                                 .entropy = y,
                                 .logp = x};
  assert_int_equal(parl_policy_fwd_check(&policy), PARL_STATUS_OK);
  policy.target = &target;
  assert_int_equal(parl_policy_fwd_check(&policy), PARL_STATUS_EINVAL);
  parl_swiglu_bwd_args swiglu = {.rows = 1, .F = 4, .gate_up = x, .dout = y, .dgate_up = x};
  assert_int_equal(parl_swiglu_bwd_check(&swiglu), PARL_STATUS_OK);
  swiglu.dout = x;
  assert_int_equal(parl_swiglu_bwd_check(&swiglu), PARL_STATUS_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_checks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
