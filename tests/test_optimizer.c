/* tests/test_optimizer.c - AdamW worked by hand, warm-up, clipping, decay, and what is refused. */

#include "engine/optimizer.h"
#include "tests/engine_support.h"
#include "tests/support.h"

typedef struct fixture {
  parl_model *model;
  parl_optimizer *opt;
  float *params;          /* borrowed [n] */
  float *grads;           /* [n] */
  size_t n, matrix, norm; /* floats; offsets of the first matrix and the first norm */
} fixture;

static parl_optimizer_config plain(void) {
  parl_optimizer_config config;
  parl_config_set_defaults(&parl_optimizer_section, &config);
  config.lr = 0.1;
  config.warmup = 0;
  config.clip = 0.0;
  return config;
}

static fixture fixture_open(const parl_optimizer_config *config, const parl_backend *backend) {
  fixture f = {0};
  const parl_model_config c = engine_config(2);
  f.model = engine_model(&c, backend, 1);
  f.params = engine_params(f.model);
  f.n = parl_model_get_n_params(f.model);
  f.grads = calloc(f.n, sizeof *f.grads);
  assert_ok(parl_optimizer_create(config, f.model, &f.opt));
  size_t n_tensors;
  f.norm = parl_model_get_tensors(f.model, &n_tensors)[1].offset;
  return f;
}

static void fixture_close(fixture *f) {
  parl_optimizer_destroy(f->opt);
  parl_model_destroy(f->model);
  free(f->grads);
}

static double moment(const fixture *f, size_t i) {
  float x = 0.0F;
  assert_ok(parl_optimizer_read_moments(f->opt, i, 1, &x));
  return (double)x;
}

/* p = 1, g = 0.5 then -0.5, lr 0.1, decay 0.1:
 *   step 1: m = 0.05, v = 0.0025, m^ = 0.5, v^ = 0.25, p = 1 - 0.1 (1 + 0.1) = 0.89; a norm: 0.9
 *   step 2: m = -0.005, v = 0.004975, m^ = -0.005/0.19, v^ = 0.004975/0.0199 = 0.25,
 *           p = 0.89 - 0.1 (-0.0526316 + 0.089) = 0.8863632; a norm: 0.9 + 0.0052632 */
static void test_two_steps_by_hand(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    parl_optimizer_config config = plain();
    config.weight_decay = 0.1;
    fixture f = fixture_open(&config, backends[b]);
    const float untouched = f.params[f.matrix + 1];
    f.params[f.matrix] = f.params[f.norm] = 1.0F;
    parl_optimizer_info info;
    f.grads[f.matrix] = f.grads[f.norm] = 0.5F;
    assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, &info));
    assert_close(info.grad_norm, sqrt(0.5), 1e-9);
    assert_close(info.lr, 0.1, 0.0);
    assert_false(info.clipped);
    assert_close(f.params[f.matrix], 0.89, 1e-6);
    assert_close(f.params[f.norm], 0.9, 1e-6);
    assert_close(f.params[f.matrix + 1], (double)untouched * 0.99, 1e-6);
    f.grads[f.matrix] = f.grads[f.norm] = -0.5F;
    assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, NULL));
    assert_close(f.params[f.matrix], 0.8863632, 1e-6);
    assert_close(f.params[f.norm], 0.9052632, 1e-6);
    assert_int_equal(parl_optimizer_get_steps(f.opt), 2);
    assert_close(moment(&f, f.matrix), -0.005, 1e-7);
    assert_close(moment(&f, f.n + f.matrix), 0.004975, 1e-7);
    fixture_close(&f);
  }
}

/* Gradient (3, 4) has norm 5; clip 1 makes it (0.6, 0.8), so m = 0.06, 0.08. */
static void test_clip(void **state) {
  (void)state;
  parl_optimizer_config config = plain();
  config.clip = 1.0;
  fixture f = fixture_open(&config, parl_backend_ref());
  parl_optimizer_info info;
  f.grads[f.matrix] = 3.0F;
  f.grads[f.norm] = 4.0F;
  assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, &info));
  assert_true(info.clipped);
  assert_close(info.grad_norm, 5.0, 1e-12);
  assert_close(moment(&f, f.matrix), 0.06, 1e-7);
  assert_close(moment(&f, f.norm), 0.08, 1e-7);
  f.grads[f.matrix] = 0.6F;
  f.grads[f.norm] = 0.7F;
  assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, &info));
  assert_false(info.clipped);
  fixture_close(&f);
}

static void test_warmup(void **state) {
  (void)state;
  parl_optimizer_config config = plain();
  config.warmup = 4;
  fixture f = fixture_open(&config, parl_backend_ref());
  static const double expected[] = {0.025, 0.05, 0.075, 0.1, 0.1, 0.1};
  for (size_t i = 0; i < 6; i++) {
    parl_optimizer_info info;
    assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, &info));
    assert_close(info.lr, expected[i], 1e-12);
  }
  fixture_close(&f);
}

/* The step refreshes: logits follow the parameters at once. */
static void test_step_refreshes(void **state) {
  (void)state;
  const parl_optimizer_config config = plain();
  fixture f = fixture_open(&config, parl_backend_ref());
  const size_t lengths[] = {3};
  engine_batch *batch = calloc(1, sizeof *batch);
  engine_fill(batch, lengths, 1, 1, 1);
  parl_workspace *ws = NULL;
  float *logits;
  assert_ok(parl_workspace_create(f.model, 3, 3, &ws));
  engine_normal(f.grads, f.n, 3);
  assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, NULL));
  assert_ok(parl_model_forward(f.model, ws, &batch->slice, &logits));
  const float after = logits[5];
  parl_model_refresh(f.model);
  assert_ok(parl_model_forward(f.model, ws, &batch->slice, &logits));
  assert_close(after, logits[5], 0.0);
  parl_workspace_destroy(ws);
  free(batch);
  fixture_close(&f);
}

static void test_bad_gradients_change_nothing(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, -INFINITY, 1e20F};
  parl_optimizer_config config = plain();
  fixture f = fixture_open(&config, parl_backend_ref());
  float *before = malloc(f.n * sizeof *before);
  engine_normal(f.grads, f.n, 3);
  assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, NULL));
  memcpy(before, f.params, f.n * sizeof *before);
  float *moments = engine_read_moments(f.opt, f.n);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    f.grads[f.n - 1] = bad[i];
    assert_status(parl_optimizer_step(f.opt, f.model, f.grads, NULL), PARL_STATUS_EINVAL);
    if (!isfinite(bad[i])) assert_contains(parl_error_text(), "lm_head.weight");
    assert_memory_equal(before, f.params, f.n * sizeof *before);
    float *now = engine_read_moments(f.opt, f.n);
    assert_memory_equal(moments, now, 2 * f.n * sizeof *moments);
    free(now);
    assert_int_equal(parl_optimizer_get_steps(f.opt), 1);
  }
  free(before);
  free(moments);
  fixture_close(&f);
}

/* Clipping makes a huge finite gradient harmless. */
static void test_huge_gradient_is_clipped(void **state) {
  (void)state;
  parl_optimizer_config config = plain();
  config.clip = 1.0;
  fixture f = fixture_open(&config, parl_backend_ref());
  f.grads[f.matrix] = 1e30F;
  assert_ok(parl_optimizer_step(f.opt, f.model, f.grads, NULL));
  assert_close(moment(&f, f.matrix), 0.1, 1e-6);
  fixture_close(&f);
}

static void test_bad_config(void **state) {
  (void)state;
  parl_optimizer_config config = plain();
  const parl_model_config c = engine_config(2);
  parl_model *m = engine_model(&c, parl_backend_ref(), 1);
  parl_optimizer *opt = NULL;
  config.beta2 = 1.0;
  assert_status(parl_optimizer_create(&config, m, &opt), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "optimizer.beta2");
  assert_null(opt);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_steps_by_hand),
      cmocka_unit_test(test_clip),
      cmocka_unit_test(test_warmup),
      cmocka_unit_test(test_step_refreshes),
      cmocka_unit_test(test_bad_gradients_change_nothing),
      cmocka_unit_test(test_huge_gradient_is_clipped),
      cmocka_unit_test(test_bad_config),
  };
  return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
