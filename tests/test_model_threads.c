/* tests/test_model_threads.c - the gradient of a batch has the same bits for any number
 * of threads. */

#include "core/rng.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { N_SLICES = 11, MAX_SEQS = 3, MAX_ROWS = 60, LEAVES = 4 };

typedef struct batch {
  engine_batch parts[N_SLICES];
  parl_slice slices[N_SLICES];
  size_t fail_at; /* slice whose loss fails; N_SLICES: none */
} batch;

/* One to three sequences of 1 to 20 tokens in every slice. */
static batch *batch_create(void) {
  batch *b = calloc(1, sizeof *b);
  b->fail_at = N_SLICES;
  parl_rng_cursor rng = {1, 5, 0};
  for (size_t i = 0; i < N_SLICES; i++) {
    size_t lengths[MAX_SEQS];
    const size_t n = 1 + (size_t)parl_rng_next_below(&rng, MAX_SEQS);
    for (size_t s = 0; s < n; s++) lengths[s] = 1 + (size_t)parl_rng_next_below(&rng, 20);
    engine_fill(&b->parts[i], lengths, n, 1 + i % 3, i);
    b->slices[i] = b->parts[i].slice;
  }
  return b;
}

/* Loss sum of squares / 2 of the logits: dlogits = logits, nothing to write. */
static parl_status half_squares(void *context, size_t index, const parl_slice *slice,
                                parl_workspace *ws, float *logits) {
  (void)ws;
  const batch *b = context;
  assert_ptr_equal(slice, &b->slices[index]);
  (void)logits;
  if (index >= b->fail_at) return parl_fail(PARL_STATUS_ELIMIT, "loss of slice %zu", index);
  return PARL_STATUS_OK;
}

typedef struct fixture {
  parl_model *model;
  parl_workers *workers;
  parl_train_step *step;
} fixture;

static fixture fixture_open(const parl_backend *backend, size_t n_threads) {
  fixture f = {0};
  const parl_model_config config = engine_config(2);
  f.model = engine_model(&config, backend, 3);
  assert_ok(parl_workers_create(n_threads, &f.workers));
  f.step = engine_step(f.model, f.workers, LEAVES, MAX_ROWS);
  return f;
}

static void fixture_close(fixture *f) {
  parl_train_step_destroy(f->step);
  parl_workers_destroy(f->workers);
  parl_model_destroy(f->model);
}

static parl_status run(const fixture *f, batch *b, size_t n_slices, float **grads) {
  const parl_train_batch part = engine_train_batch(n_slices > 0 ? b->slices : NULL, n_slices);
  return parl_train_step_run(f->step, &part, half_squares, b, grads);
}

/* Three updates; *hash-like copy of the parameters in `out`, which the caller frees. */
static float *train(const parl_backend *backend, size_t n_threads, batch *b, size_t *n) {
  fixture f = fixture_open(backend, n_threads);
  parl_optimizer_config config;
  parl_config_set_defaults(&parl_optimizer_section, &config);
  parl_optimizer *opt = NULL;
  assert_ok(parl_optimizer_create(&config, f.model, &opt));
  for (int i = 0; i < 3; i++) {
    float *grads;
    assert_ok(run(&f, b, N_SLICES, &grads));
    assert_ok(parl_optimizer_step(opt, f.model, grads, NULL));
  }
  *n = parl_model_get_n_params(f.model);
  float *out = malloc(*n * sizeof *out);
  memcpy(out, engine_params(f.model), *n * sizeof *out);
  parl_optimizer_destroy(opt);
  fixture_close(&f);
  return out;
}

static void test_threads_do_not_matter(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n_backends = engine_backends(backends);
  batch *b = batch_create();
  for (size_t i = 0; i < n_backends; i++) {
    size_t n;
    float *one = train(backends[i], 1, b, &n);
    for (size_t threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
      float *many = train(backends[i], threads, b, &n);
      assert_memory_equal(one, many, n * sizeof *one);
      free(many);
    }
    free(one);
  }
  free(b);
}

/* The sum is that of slice after slice, up to rounding; also with fewer slices than
 * leaves. */
static void test_equals_plain_backward(void **state) {
  (void)state;
  fixture f = fixture_open(parl_backend_ref(), 2);
  batch *b = batch_create();
  const size_t n = parl_model_get_n_params(f.model);
  float *sum = calloc(n, sizeof *sum);
  parl_workspace *ws = NULL;
  assert_ok(parl_workspace_create(f.model, MAX_ROWS, MAX_ROWS, &ws));
  for (size_t i = 0; i < N_SLICES; i++) {
    float *logits, *grads;
    assert_ok(parl_model_forward(f.model, ws, &b->slices[i], &logits));
    assert_ok(parl_model_backward(f.model, ws, &b->slices[i], logits, sum));
    assert_ok(run(&f, b, i + 1, &grads));
    assert_true(engine_difference(grads, sum, n) <= 2e-6);
  }
  parl_workspace_destroy(ws);
  free(sum);
  free(b);
  fixture_close(&f);
}

static void test_no_slices(void **state) {
  (void)state;
  fixture f = fixture_open(parl_backend_ref(), 2);
  batch *b = batch_create();
  float *grads;
  assert_ok(run(&f, b, 2, &grads));
  assert_true(engine_max_abs(grads, parl_model_get_n_params(f.model)) > 0.0);
  assert_ok(run(&f, b, 0, &grads));
  assert_true(engine_max_abs(grads, parl_model_get_n_params(f.model)) <= 0.0);
  free(b);
  fixture_close(&f);
}

static void test_failures_come_back(void **state) {
  (void)state;
  fixture f = fixture_open(parl_backend_ref(), 3);
  batch *b = batch_create();
  float *grads = NULL;
  b->fail_at = 4; /* of leaf 0 = slices 0, 4, 8 */
  assert_status(run(&f, b, N_SLICES, &grads), PARL_STATUS_ELIMIT);
  assert_string_equal(parl_error_text(), "loss of slice 4");
  b->fail_at = N_SLICES;
  b->parts[3].tokens[0] = -1;
  assert_status(run(&f, b, N_SLICES, &grads), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "token -1");
  assert_null(grads);
  b->parts[3].tokens[0] = 1;
  assert_ok(run(&f, b, N_SLICES, &grads));
  parl_train_step *none = NULL;
  const parl_train_step_def good = engine_step_def(f.model, f.workers, 2, 8);
  for (int i = 0; i < 4; i++) {
    parl_train_step_def bad = good;
    if (i == 0) bad.n_leaves = 0;
    if (i == 1) bad.max_rows = bad.max_outputs = 0;
    if (i == 2) bad.n_ranks = 0; /* forgotten */
    if (i == 3) bad.rank = 1;
    assert_status(parl_train_step_create(&bad, &none), PARL_STATUS_EINVAL);
  }
  free(b);
  fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads_do_not_matter),
      cmocka_unit_test(test_equals_plain_backward),
      cmocka_unit_test(test_no_slices),
      cmocka_unit_test(test_failures_come_back),
  };
  return cmocka_run_group_tests_name("model on threads", tests, NULL, NULL);
}
