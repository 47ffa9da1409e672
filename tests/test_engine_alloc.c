/* tests/test_engine_alloc.c - training and decoding allocate nothing once they run, and the k-th
 * failed allocation of anything is reported, without a leak.
 *
 * The C library's allocator is wrapped here, which the sanitizers do not allow: there the tests are
 * skipped. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/checkpoint.h"
#include "engine/decoder.h"
#include "engine/sampler.h"
#include "engine/train_step.h"
#include "tests/engine_support.h"
#include "tests/support.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { IS_WRAPPED = 1 };

static atomic_long n_calls, n_live;
static atomic_long fail_in; /* the allocation that fails, counted down; 0: none */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *old, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

static bool must_fail(void) {
  atomic_fetch_add(&n_calls, 1);
  if (atomic_load(&fail_in) == 0 || atomic_fetch_sub(&fail_in, 1) != 1) return false;
  errno = ENOMEM;
  return true;
}

static void *counted(void *p) {
  if (p != NULL) atomic_fetch_add(&n_live, 1);
  return p;
}

void *malloc(size_t n) {
  return must_fail() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t n, size_t each) {
  return must_fail() ? NULL : counted(__libc_calloc(n, each));
}

void *realloc(void *old, size_t n) {
  if (must_fail()) return NULL;
  void *p = __libc_realloc(old, n);
  return old == NULL ? counted(p) : p;
}

void *aligned_alloc(size_t alignment, size_t n) {
  return must_fail() ? NULL : counted(__libc_memalign(alignment, n));
}

int posix_memalign(void **out, size_t alignment, size_t n) {
  *out = aligned_alloc(alignment, n);
  return *out == NULL ? ENOMEM : 0;
}

void free(void *p) {
  if (p != NULL) atomic_fetch_sub(&n_live, 1);
  __libc_free(p);
}
#else
enum { IS_WRAPPED = 0 };
static long n_calls, n_live, fail_in;
#endif

enum { ROWS = 24, SLICES = 6, SLOTS = 3, THREADS = 2 };

/* Everything a run keeps. */
typedef struct engine {
  parl_model *model;
  parl_optimizer *opt;
  parl_workers *workers; /* made once, outside what may fail */
  parl_train_step *step;
  parl_decoder *decoder;
} engine;

static parl_status engine_open(engine *e, const parl_backend *backend) {
  const parl_model_config config = engine_config(2);
  parl_optimizer_config o;
  parl_config_set_defaults(&parl_optimizer_section, &o);
  PARL_TRY(parl_model_create(&config, ENGINE_VOCAB, backend, NULL, &e->model));
  parl_model_init_weights(e->model, 1);
  PARL_TRY(parl_optimizer_create(&o, e->model, &e->opt));
  const parl_train_step_def step = engine_step_def(e->model, e->workers, 2, ROWS);
  PARL_TRY(parl_train_step_create(&step, &e->step));
  return parl_decoder_create(&(parl_decoder_def){e->model, SLOTS, 64, ROWS, PARL_CACHE_F32},
                             &e->decoder);
}

static void engine_close(engine *e) {
  parl_decoder_destroy(e->decoder);
  parl_train_step_destroy(e->step);
  parl_optimizer_destroy(e->opt);
  parl_model_destroy(e->model);
  *e = (engine){.workers = e->workers};
}

static parl_status keep_logits(void *context, size_t index, const parl_slice *slice,
                               parl_workspace *ws, float *logits) {
  (void)ws;
  (void)context;
  (void)index;
  (void)slice;
  (void)logits;
  return PARL_STATUS_OK;
}

static void work(engine *e, const parl_slice *slices) {
  float *grads, *logits;
  const parl_train_batch batch = engine_train_batch(slices, SLICES);
  assert_ok(parl_train_step_run(e->step, &batch, keep_logits, NULL, &grads));
  assert_ok(parl_optimizer_step(e->opt, e->model, grads, NULL));
  for (int32_t s = 0; s < SLOTS; s++) parl_decoder_reset(e->decoder, s);
  for (int i = 0; i < 5; i++) {
    const parl_decoder_row rows[] = {{.slot = 0, .token = 1, .want_logits = true},
                                     {.slot = 1, .token = 2, .want_logits = false},
                                     {.slot = 1, .token = 3, .want_logits = true},
                                     {.slot = 2, .token = 4, .want_logits = true}};
    assert_ok(parl_decoder_step(e->decoder, rows, 4, &logits));
    const parl_pick picks[] = {{NULL, 1.0, 0.5, 0.0}, {NULL, 0.0, 0.0, 0.0}, {NULL, 2.0, 0.1, 0.5}};
    parl_sample samples[3];
    assert_ok(parl_decoder_sample(e->decoder, picks, 3, samples));
  }
}

static void test_steady_state_allocates_nothing(void **state) {
  (void)state;
  if (!IS_WRAPPED) skip();
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends), lengths[] = {5, 7, 12};
  engine_batch *batch = calloc(1, sizeof *batch);
  engine_fill(batch, lengths, 3, 2, 1);
  parl_slice slices[SLICES];
  for (size_t i = 0; i < SLICES; i++) slices[i] = batch->slice;
  engine e = {0};
  assert_ok(parl_workers_create(THREADS, &e.workers));
  for (size_t b = 0; b < n; b++) {
    assert_ok(engine_open(&e, backends[b]));
    work(&e, slices);
    const long before = n_calls;
    for (int i = 0; i < 3; i++) work(&e, slices);
    assert_int_equal(n_calls - before, 0);
    engine_close(&e);
  }
  parl_workers_destroy(e.workers);
  free(batch);
}

static void test_failed_allocations_of_create(void **state) {
  (void)state;
  if (!IS_WRAPPED) skip();
  engine e = {0};
  assert_ok(parl_workers_create(THREADS, &e.workers));
  parl_status s = PARL_STATUS_ENOMEM;
  int k = 0;
  while (s != PARL_STATUS_OK) {
    const long live = n_live;
    fail_in = ++k;
    s = engine_open(&e, parl_backend_ref());
    fail_in = 0;
    engine_close(&e);
    assert_int_equal(n_live, live);
    if (s != PARL_STATUS_OK) assert_status(s, PARL_STATUS_ENOMEM);
  }
  print_message("  %d allocations failed\n", k - 1);
  assert_true(k > 10);
  parl_workers_destroy(e.workers);
}

/* Failed saves and loads report, leak nothing, and leave weights as they were. */
static void test_failed_allocations_of_checkpoints(void **state) {
  (void)state;
  if (!IS_WRAPPED) skip();
  const parl_checkpoint_meta meta = {.vocab = "cafe", .progress = "{}"};
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  engine e = {0};
  assert_ok(parl_workers_create(1, &e.workers));
  assert_ok(engine_open(&e, parl_backend_ref()));
  for (int is_load = 0; is_load < 2; is_load++) {
    parl_status s = PARL_STATUS_ENOMEM;
    int k = 0;
    while (s != PARL_STATUS_OK) {
      const long live = n_live;
      const float probe = engine_params(e.model)[3] = (float)k;
      fail_in = ++k;
      s = is_load ? parl_checkpoint_load(path, e.model, e.opt, "cafe", NULL)
                  : parl_checkpoint_save(path, e.model, e.opt, &meta, NULL);
      fail_in = 0;
      assert_int_equal(n_live, live);
      if (s == PARL_STATUS_OK) break;
      assert_status(s, PARL_STATUS_ENOMEM);
      assert_close(engine_params(e.model)[3], probe, 0.0);
    }
    print_message("  %s: %d allocations failed\n", is_load ? "load" : "save", k - 1);
    assert_true(k > 2);
  }
  engine_close(&e);
  parl_workers_destroy(e.workers);
  parl_test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steady_state_allocates_nothing),
      cmocka_unit_test(test_failed_allocations_of_create),
      cmocka_unit_test(test_failed_allocations_of_checkpoints),
  };
  return cmocka_run_group_tests_name("engine allocations", tests, NULL, NULL);
}
