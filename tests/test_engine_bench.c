/* tests/test_engine_bench.c - the benchmark measures what it says; how fast is not a test. */
#include <math.h>
#include <string.h>

#include "engine/bench.h"
#include "engine/layout.h"
#include "engine/preset.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static parl_bench_speed measure(const parl_bench_shape *shape, parl_bench_job job) {
  const parl_backend *backend = NULL;
  parl_workers *workers = NULL;
  parl_bench_speed r = {0};
  assert_ok(parl_backend_cpu(NULL, &backend));
  assert_ok(parl_workers_create(2, &workers));
  assert_ok(parl_bench_engine(shape, job, backend, workers, 0.0, &r));
  parl_workers_destroy(workers);
  assert_int_equal(r.n_kept, 1);
  assert_int_equal(r.n_dropped, 0);
  assert_true(r.tokens_per_s > 0.0 && r.peak_gflops > 0.0 && r.cpu_share > 0.0);
  assert_close(r.low, r.tokens_per_s, 0.0);
  assert_close(r.high, r.tokens_per_s, 0.0);
  return r;
}

static void test_measures_a_small_shape(void **state) {
  (void)state;
  const parl_bench_shape shape = {.name = "tiny",
                                  .model = engine_config(2),
                                  .vocab_size = ENGINE_VOCAB,
                                  .batch = 3,
                                  .contexts = 512,
                                  .n_leaves = 8};
  parl_model *m = engine_model(&shape.model, parl_backend_ref(), 1);
  parl_bench_speed r = measure(&shape, PARL_BENCH_TRAIN);
  assert_true(r.loss > 0.0 && r.loss < 100.0);
  assert_int_equal(r.n_params, parl_model_get_n_params(m));
  const double context = 0.5 * (double)(shape.model.max_context + 1);
  double flops = parl_model_train_flops(m, context);
  assert_close(r.gflops, 1e-9 * r.tokens_per_s * flops, 1e-12 * r.gflops);
  r = measure(&shape, PARL_BENCH_DECODE);
  flops = parl_model_decode_flops(m, context);
  assert_close(r.gflops, 1e-9 * r.tokens_per_s * flops, 1e-12 * r.gflops);
  parl_model_destroy(m);
}

/* Shares 1.9, 1.8, 1.0, 1.9 and 0.5 of two processors: the two of others' time are dropped, unless
 * fewer than three would remain. */
static void test_keeps_undisturbed_repetitions(void **state) {
  (void)state;
  const parl_bench_sample all[] = {{2.0, 3.8}, {1.0, 1.8}, {3.0, 3.0}, {1.5, 2.85}, {4.0, 2.0}};
  parl_bench_sample s[5];
  memcpy(s, all, sizeof s);
  assert_int_equal(parl_bench_keep(s, 5), 3);
  const double times[] = {1.0, 1.5, 2.0};
  for (size_t i = 0; i < 3; i++) assert_close(s[i].wall_s, times[i], 0.0);
  memcpy(s, all + 1, 4 * sizeof *s);
  assert_int_equal(parl_bench_keep(s, 4), 3);
  assert_close(s[2].wall_s, 3.0, 0.0); /* the better of the two disturbed ones */
  assert_int_equal(parl_bench_keep(s, 1), 1);
  for (size_t i = 0; i < 5; i++) s[i] = (parl_bench_sample){1.0, 0.1 + 0.001 * (double)i};
  assert_int_equal(parl_bench_keep(s, 5), 5); /* all alike: whatever the share */
}

/* Every shape of the table is a valid model. */
static void test_shapes(void **state) {
  (void)state;
  size_t n = 0, n_large = 0;
  for (const char *name; (name = parl_bench_shape_name(n)) != NULL; n++) {
    parl_bench_shape shape;
    parl_model *m = NULL;
    assert_ok(parl_bench_shape_find(name, &shape));
    assert_string_equal(shape.name, name);
    n_large += shape.is_large;
    if (shape.is_large) continue; /* gigabytes */
    assert_ok(parl_model_create(&shape.model, shape.vocab_size, parl_backend_ref(), NULL, &m));
    assert_int_equal(parl_model_get_n_sparse_layers(m) > 0, strstr(name, "_moe") != NULL);
    assert_int_equal(shape.model.attention == PARL_ATTENTION_MLA, strstr(name, "_mla") != NULL);
    parl_model_destroy(m);
  }
  assert_int_equal(n, 14);
  assert_int_equal(n_large, 3);
  parl_bench_shape shape;
  assert_fails(parl_bench_shape_find("A_mqq", &shape), PARL_STATUS_EINVAL, "\"A_mqa\"");
}

/* Large shapes are as large as their names say, all experts counted. */
static void test_large_shapes(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double n_params;
  } cases[] = {{"124M", 124e6}, {"124M_gqa", 115e6}, {"1B_mla_moe", 1.03e9}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    parl_bench_shape shape;
    parl_layout layout;
    parl_config_set_defaults(&parl_layout_section, &layout);
    assert_ok(parl_bench_shape_find(cases[i].name, &shape));
    assert_true(shape.is_large);
    const double n = parl_layout_count(&layout, &shape.model, shape.vocab_size, 0).n_params;
    if (!(fabs(n / cases[i].n_params - 1) < 0.01)) print_error("%s: %g\n", cases[i].name, n);
    assert_true(fabs(n / cases[i].n_params - 1) < 0.01);
  }
}

/* Sizes follow from the dense ones; fields of a former preset do not stay. */
static void test_presets(void **state) {
  (void)state;
  parl_model_config c, dense;
  parl_config_set_defaults(&parl_model_section, &dense);
  c = dense;
  c.d_model = 256;
  c.head_dim = 32;
  c.d_ff = 688;
  assert_ok(parl_model_apply_preset("k2", &c));
  assert_int_equal(c.attention, PARL_ATTENTION_MLA);
  assert_int_equal(c.kv_lora_rank, 128);
  assert_int_equal(c.qk_nope_head_dim + c.qk_rope_head_dim, 48);
  assert_int_equal(c.moe_d_ff, 232); /* 3 * 232 = 696, the least multiple of 24 from 688 on */
  assert_int_equal(c.first_k_dense, 1);
  assert_ok(parl_model_apply_preset("k2_wide", &c));
  assert_int_equal(c.q_lora_rank, 0);
  assert_int_equal(c.kv_lora_rank, 256);
  assert_int_equal(c.qk_rope_head_dim, 64);
  c.n_layers = 1;
  assert_ok(parl_model_apply_preset("moe", &c));
  assert_int_equal(c.attention, PARL_ATTENTION_GQA);
  assert_int_equal(c.first_k_dense, 0);
  assert_ok(parl_model_apply_preset("dense", &c));
  assert_int_equal(c.n_routed_experts, 0);
  assert_fails(parl_model_apply_preset("k3", &c), PARL_STATUS_EINVAL, "k2");
  /* The least and the oddest sizes are valid models too. */
  for (size_t i = 0; parl_model_preset_name(i) != NULL; i++) {
    parl_model *m = NULL;
    c = dense;
    c.d_model = c.d_ff = c.n_heads = c.n_kv_heads = 1;
    c.head_dim = 2;
    assert_ok(parl_model_apply_preset(parl_model_preset_name(i), &c));
    assert_ok(parl_model_create(&c, 2, parl_backend_ref(), NULL, &m));
    parl_model_destroy(m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_measures_a_small_shape),
      cmocka_unit_test(test_keeps_undisturbed_repetitions),
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_large_shapes),
      cmocka_unit_test(test_presets),
  };
  return cmocka_run_group_tests_name("engine benchmark", tests, NULL, NULL);
}
