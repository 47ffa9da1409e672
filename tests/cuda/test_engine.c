/* tests/cuda/test_engine.c - the engine on the emulated card: some updates and a few draws of
 * tiny models give what the CPU gives; nothing of the card is left over; every failed allocation
 * of the card is an error. */
#include "core/workers.h"
#include "engine/decoder.h"
#include "engine/model_internal.h"
#include "engine/muon.h"
#include "engine/preset.h"
#include "kernels/cuda/cuda.h"
#include "kernels/emu/emu.h"
#include "tests/engine_support.h"
#include "tests/support.h"

#ifdef PARL_TEST_CARD
enum { UPDATES = 5 };
#else
enum { UPDATES = 2 };
#endif
enum { SLICES = 2 };

typedef struct result {
  double norm[UPDATES], balance[UPDATES];
  float logp, entropy; /* means of the last slice's */
  float *weights;      /* [n], owned, as the next */
  float *grads;        /* [n] of the first update */
  size_t n;
  int32_t tokens[6];
  float logits[ENGINE_VOCAB];
} result;

static const parl_backend *get_cuda(const char *dtype) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cuda(dtype, PARL_CUDA_BLAS, &backend));
  return backend;
}

static const struct kind {
  const char *preset;
  int optimizer;
} KINDS[] = {{"dense", PARL_OPTIMIZER_ADAMW}, {"k2", PARL_OPTIMIZER_MUONCLIP}};

static parl_status predict_next(void *context, size_t i, const parl_slice *slice,
                                parl_workspace *ws, float *logits) {
  result *r = context;
  (void)i;
  (void)logits;
  return engine_predict_next(ws, slice, &r->logp, &r->entropy);
}

static parl_status train(const struct kind *k, parl_model *m, parl_optimizer *opt,
                         parl_train_step *step, result *r) {
  static const size_t lengths[] = {5, 9};
  engine_batch batches[SLICES];
  parl_slice slices[SLICES];
  parl_optimizer_info info;
  float *grads;
  for (size_t i = 0; i < SLICES; i++) {
    engine_fill(&batches[i], lengths, 2, 2, i);
    slices[i] = batches[i].slice;
  }
  const parl_train_batch batch = engine_train_batch(slices, SLICES);
  for (int u = 0; u < UPDATES; u++) {
    PARL_TRY(parl_train_step_run(step, &batch, predict_next, r, &grads));
    if (u == 0) PARL_TRY(parl_train_step_read(step, grads, r->grads));
    if (k->optimizer == PARL_OPTIMIZER_MUONCLIP)
      parl_optimizer_set_scores(opt, parl_train_step_get_max_scores(step));
    PARL_TRY(parl_optimizer_step(opt, m, grads, &info));
    PARL_TRY(parl_model_balance(m, parl_train_step_get_load(step)));
    r->norm[u] = info.grad_norm;
    r->balance[u] = parl_train_step_get_balance(step);
  }
  return PARL_STATUS_OK;
}

/* A prompt, then draws and argmaxes. */
static parl_status decode(const parl_model *m, result *r) {
  const parl_decoder_def def = {m, .n_slots = 2, .max_context = 16, .max_rows = 8};
  parl_decoder *d = NULL;
  float *logits;
  PARL_TRY(parl_decoder_create(&def, &d));
  for (int32_t s = 0; s < 2; s++) parl_decoder_reset(d, s);
  int32_t next[2] = {4, 5};
  const uint64_t mask = 0x7fff;
  parl_status status = PARL_STATUS_OK;
  for (size_t i = 0; i < 3 && status == PARL_STATUS_OK; i++) {
    const parl_decoder_row rows[] = {{.slot = 1, .token = next[0], .want_logits = true},
                                     {.slot = 0, .token = next[1], .want_logits = true}};
    const parl_pick picks[] = {{&mask, 0.7, 0.15 + 0.2 * (double)i, 0.8}, {NULL, 0.0, 0.0, 0.0}};
    parl_sample samples[2] = {{0}};
    status = parl_decoder_step(d, rows, 2, &logits);
    if (status == PARL_STATUS_OK) status = parl_decoder_read(d, logits, ENGINE_VOCAB, r->logits);
    if (status == PARL_STATUS_OK) status = parl_decoder_sample(d, picks, 2, samples);
    for (size_t s = 0; s < 2; s++) r->tokens[2 * i + s] = next[s] = samples[s].token;
  }
  parl_decoder_destroy(d);
  return status;
}

/* All that there is of a model, on a backend. */
static parl_status run(const struct kind *k, const parl_backend *backend, result *r) {
  parl_model_config c = engine_config(4);
  parl_optimizer_config config;
  parl_workers *workers = NULL;
  parl_model *m = NULL;
  parl_optimizer *opt = NULL;
  parl_train_step *step = NULL;
  assert_ok(parl_model_apply_preset(k->preset, &c));
  if (c.n_routed_experts > 0) c.n_group = c.topk_group = 2;
  parl_config_set_defaults(&parl_optimizer_section, &config);
  config.kind = k->optimizer;
  config.qk_clip = 0.05;
  assert_ok(parl_workers_create(1, &workers));
  parl_status s = parl_model_create(&c, ENGINE_VOCAB, backend, NULL, &m);
  if (s == PARL_STATUS_OK) s = parl_model_init_weights(m, 5);
  if (s == PARL_STATUS_OK) s = parl_optimizer_create(&config, m, &opt);
  if (s == PARL_STATUS_OK) s = parl_optimizer_set_workers(opt, m, workers);
  if (s == PARL_STATUS_OK) {
    parl_train_step_def def = parl_train_step_def_default();
    def.model = m;
    def.workers = workers;
    def.max_rows = def.max_outputs = 64;
    s = parl_train_step_create(&def, &step);
  }
  r->n = m != NULL ? parl_model_get_n_params(m) : 0;
  r->grads = calloc(r->n + 1, sizeof *r->grads);
  r->weights = calloc(r->n + 1, sizeof *r->weights);
  if (s == PARL_STATUS_OK && k->optimizer == PARL_OPTIMIZER_MUONCLIP)
    s = parl_train_step_track_scores(step);
  if (s == PARL_STATUS_OK) s = train(k, m, opt, step, r);
  if (s == PARL_STATUS_OK) s = decode(m, r);
  if (s == PARL_STATUS_OK) s = parl_model_read(m, 0, r->n, r->weights);
  parl_train_step_destroy(step);
  parl_optimizer_destroy(opt);
  parl_model_destroy(m);
  parl_workers_destroy(workers);
  return s;
}

static void close_result(result *r) {
  free(r->weights);
  free(r->grads);
}

static void compare(const result *got, const result *want, double within) {
  for (int u = 0; u < UPDATES; u++) {
    assert_close(got->norm[u], want->norm[u], within * fabs(want->norm[u]));
    assert_close(got->balance[u], want->balance[u], within * fabs(want->balance[u]));
  }
  assert_close((double)got->logp, (double)want->logp, within * fabs((double)want->logp));
  assert_close((double)got->entropy, (double)want->entropy, within * (double)want->entropy);
  assert_true(engine_difference(got->logits, want->logits, ENGINE_VOCAB) < within);
  assert_true(engine_difference(got->grads, want->grads, want->n) < within);
  assert_true(engine_difference(got->weights, want->weights, want->n) < within);
  assert_memory_equal(got->tokens, want->tokens, sizeof want->tokens);
}

/* In f32 as the CPU does; twice the same bits, in whatever order blocks and warps run. */
static void test_updates(void **state) {
  const struct kind *k = *state;
  const parl_backend *cpu = NULL;
  result want = {.n = 0}, got[2] = {{.n = 0}, {.n = 0}};
  const size_t before = parl_emu_count_allocations();
  assert_ok(parl_backend_cpu("portable", &cpu));
  assert_ok(run(k, cpu, &want));
  for (int i = 0; i < 2; i++) {
    parl_emu_set_order(i == 0 ? PARL_EMU_FORWARD : PARL_EMU_RANDOM, 3);
    assert_ok(run(k, get_cuda("f32"), &got[i]));
    compare(&got[i], &want, 1e-3);
  }
  assert_memory_equal(got[0].weights, got[1].weights, want.n * sizeof(float));
  assert_int_equal(parl_emu_count_allocations(), before);
  assert_int_equal(parl_emu_count_streams(), 0);
  close_result(&want);
  for (int i = 0; i < 2; i++) close_result(&got[i]);
}

/* With operands in bf16 as the oracle that keeps them so; sums differ, so draws may. */
static void test_updates_in_bf16(void **state) {
  const struct kind *k = *state;
  result want = {.n = 0}, got = {.n = 0};
  assert_ok(run(k, parl_backend_ref_bf16_acts(), &want));
  assert_ok(run(k, get_cuda("bf16"), &got));
  for (int u = 0; u < UPDATES; u++) assert_close(got.norm[u], want.norm[u], 0.03 * want.norm[u]);
  assert_close((double)got.logp, (double)want.logp, 0.03 * fabs((double)want.logp));
  assert_true(engine_difference(got.weights, want.weights, want.n) < 0.03);
  close_result(&want);
  close_result(&got);
}

/* Newton-Schulz in bf16, matrices of a shape together, leaves whole updates where that in f32, of
 * one after the other, has them. */
static void test_newton_schulz(void **state) {
  (void)state;
  parl_backend one_by_one = *get_cuda("bf16");
  result want = {.n = 0}, got = {.n = 0};
  one_by_one.orthogonalise = NULL;
  assert_ok(run(&KINDS[1], &one_by_one, &want));
  assert_ok(run(&KINDS[1], get_cuda("bf16"), &got));
  for (int u = 0; u < UPDATES; u++) {
    assert_close(got.norm[u], want.norm[u], 1e-3 * want.norm[u]);
    assert_close(got.balance[u], want.balance[u], 1e-3 * want.balance[u]);
  }
  assert_close((double)got.logp, (double)want.logp, 1e-3 * fabs((double)want.logp));
  assert_close((double)got.entropy, (double)want.entropy, 1e-3 * (double)want.entropy);
  assert_true(engine_difference(got.weights, want.weights, want.n) < 1e-2);
  assert_true(engine_difference(got.weights, want.weights, want.n) > 0.0);
  close_result(&want);
  close_result(&got);
}

/* Each of three matrices as the oracle orthogonalises it alone. */
static void test_orthogonalise(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{1, 1}, {7, 5}, {33, 33}, {130, 70}};
  static const char *const dtypes[] = {"f32", "bf16"};
  static const double within[] = {1e-4, 4e-2};
  enum { MATRICES = 3 };
  for (size_t k = 0; k < 2 * sizeof shapes / sizeof *shapes; k++) {
    const size_t rows = shapes[k / 2][0], columns = shapes[k / 2][1], n = rows * columns;
    const parl_backend *cuda = get_cuda(dtypes[k % 2]), *ref = parl_backend_ref();
    parl_arena numbers, host;
    parl_arena_init_from(&numbers, 0, &cuda->device()->memory);
    parl_arena_init(&host, 0);
    parl_queue *queue = engine_queue(cuda), *plain = engine_queue(ref);
    float *x = calloc(MATRICES * n, sizeof *x), *got = calloc(MATRICES * n, sizeof *got);
    float *on_card, *room;
    parl_muon muon = {.most = 1};
    assert_ok(PARL_ARENA_TAKE(&numbers, MATRICES * n, &on_card));
    assert_ok(PARL_ARENA_TAKE(&numbers, MATRICES * 2 * (n + columns * columns), &room));
    assert_ok(PARL_ARENA_TAKE(&host, n, &muon.x));
    assert_ok(PARL_ARENA_TAKE(&host, n, &muon.y));
    assert_ok(PARL_ARENA_TAKE(&host, columns * columns, &muon.a));
    assert_ok(PARL_ARENA_TAKE(&host, columns * columns, &muon.b));
    assert_ok(PARL_ARENA_TAKE(&host, 1, &muon.squares));
    assert_ok(PARL_ARENA_TAKE(&host, 2, &muon.bounds));
    for (size_t i = 0; i < MATRICES; i++) {
      double squares = 0.0;
      engine_normal(x + i * n, n, 10 * k + i);
      for (size_t j = 0; j < n; j++) squares += pow((double)x[i * n + j], 2.0);
      for (size_t j = 0; j < n; j++) x[i * n + j] /= (float)sqrt(squares);
    }
    parl_queue_upload(queue, on_card, x, MATRICES * n * sizeof *x);
    const parl_orthogonalise_args args = {.n = MATRICES,
                                          .rows = rows,
                                          .columns = columns,
                                          .steps = 5,
                                          .a = 3.4445f,
                                          .b = -4.7750f,
                                          .c = 2.0315f,
                                          .x = on_card,
                                          .room = room};
    PARL_RUN(queue, orthogonalise, &args);
    assert_ok(parl_queue_download(queue, got, on_card, MATRICES * n * sizeof *got));
    for (size_t i = 0; i < MATRICES; i++) {
      parl_muon_orthogonalise(&muon, plain, rows, columns, x + i * n);
      assert_true(engine_difference(got + i * n, x + i * n, n) < within[k % 2]);
    }
    free(x), free(got);
    parl_queue_destroy(queue);
    parl_queue_destroy(plain);
    parl_arena_deinit(&numbers);
    parl_arena_deinit(&host);
  }
}

/* The n-th allocation of the card fails: an error, and nothing is left over. */
static void test_no_memory(void **state) {
  (void)state;
#ifdef PARL_TEST_CARD /* where memory does not end when it is told to */
  skip();
#else
  const size_t before = parl_emu_count_allocations();
  parl_status s = PARL_STATUS_ENOMEM;
  size_t n = 0;
  for (n = 1; s != PARL_STATUS_OK; n += 1 + n / 8) {
    result r = {.n = 0};
    parl_emu_fail_allocation(n);
    s = run(&KINDS[0], get_cuda("f32"), &r);
    assert_true(s == PARL_STATUS_OK || s == PARL_STATUS_ENOMEM);
    assert_int_equal(parl_emu_count_allocations(), before);
    close_result(&r);
  }
  assert_true(n > 3);
  parl_emu_fail_allocation(0);
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_updates, (void *)&KINDS[0]),
      cmocka_unit_test_prestate(test_updates, (void *)&KINDS[1]),
      cmocka_unit_test_prestate(test_updates_in_bf16, (void *)&KINDS[0]),
      cmocka_unit_test_prestate(test_updates_in_bf16, (void *)&KINDS[1]),
      cmocka_unit_test(test_newton_schulz),
      cmocka_unit_test(test_orthogonalise),
      cmocka_unit_test(test_no_memory),
  };
  cmocka_set_test_filter(getenv("TEST_ONLY"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
