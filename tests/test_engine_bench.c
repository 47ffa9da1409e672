/* tests/test_engine_bench.c - the benchmark measures what it says; how fast is not a test. */
#include "engine/bench.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static void test_measures_a_small_shape(void **state) {
  (void)state;
  const parl_bench_shape shape = {
      .name = "tiny", .model = engine_config(2), .vocab_size = ENGINE_VOCAB, .batch = 3};
  const parl_backend *backend = NULL;
  parl_workers *workers = NULL;
  parl_bench_result r = {0};
  assert_ok(parl_backend_cpu(NULL, &backend));
  assert_ok(parl_workers_create(2, &workers));
  assert_ok(parl_bench_engine(&shape, backend, workers, 0.0, &r));
  assert_int_equal(r.n_updates, 1);
  assert_int_equal(r.n_waves, 1);
  assert_true(r.train_tokens_per_s > 0.0 && r.train_gflops > 0.0);
  assert_true(r.decode_tokens_per_s > 0.0 && r.decode_gflops > 0.0);
  assert_true(r.loss > 0.0 && r.loss < 100.0);
  parl_model *m = engine_model(&shape.model, backend, 1);
  assert_int_equal(r.n_params, parl_model_get_n_params(m));
  assert_close(r.train_gflops, 1e-9 * r.train_tokens_per_s * parl_model_train_flops(m, 64.5), 0.0,
               1e-12);
  parl_model_destroy(m);
  parl_workers_destroy(workers);
}

/* Every shape of the table is a valid model. */
static void test_shapes(void **state) {
  (void)state;
  size_t n = 0;
  for (const char *name; (name = parl_bench_shape_name(n)) != NULL; n++) {
    parl_bench_shape shape;
    parl_model *m = NULL;
    assert_ok(parl_bench_shape_find(name, &shape));
    assert_string_equal(shape.name, name);
    assert_ok(parl_model_create(&shape.model, shape.vocab_size, parl_backend_ref(), &m));
    parl_model_destroy(m);
  }
  assert_int_equal(n, 5);
  parl_bench_shape shape;
  assert_fails(parl_bench_shape_find("C", &shape), PARL_STATUS_EINVAL, "quickstart");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_measures_a_small_shape),
      cmocka_unit_test(test_shapes),
  };
  return cmocka_run_group_tests_name("engine benchmark", tests, NULL, NULL);
}
