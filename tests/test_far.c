/* tests/test_far.c - everything the engine does, on a device whose memory the host cannot touch,
 * to the bits that the CPU has; and the device itself: it must notice a host that touches it,
 * and an op that is given memory of the host. Reading order: the device, models, training,
 * decoding, files. */
#include <sys/wait.h>
#include <unistd.h>

#include "core/workers.h"
#include "engine/checkpoint.h"
#include "engine/decoder.h"
#include "engine/expert_balance.h"
#include "engine/hf_checkpoint.h"
#include "engine/logits.h"
#include "engine/model_internal.h"
#include "engine/preset.h"
#include "kernels/far/far.h"
#include "tests/engine_support.h"
#include "tests/support.h"

/* ------------------------------------------------------------------------------- the device */

static void test_copies(void **state) {
  (void)state;
  parl_queue *queue = engine_queue(parl_backend_far());
  parl_arena numbers;
  float *x, *y, from[3] = {1.0F, 2.0F, 3.0F}, to[3] = {0};
  parl_arena_init_from(&numbers, 0, &parl_backend_far()->device()->memory);
  assert_ok(PARL_ARENA_TAKE(&numbers, 3, &x));
  assert_ok(PARL_ARENA_TAKE(&numbers, 3, &y));
  assert_int_equal((uintptr_t)y % 256, 0);
  parl_queue_upload(queue, x, from, sizeof from);
  parl_queue_fill(queue, y, 0, sizeof from);
  const parl_add_args add = {.n = 3, .a = 2.0F, .x = x, .y = y};
  PARL_RUN(queue, add, &add);
  assert_ok(parl_queue_download(queue, to, y, sizeof to));
  for (size_t i = 0; i < 3; i++) assert_close((double)to[i], 2.0 * (double)from[i], 0.0);
  parl_arena_deinit(&numbers);
  parl_queue_destroy(queue);
}

/* What the child writes to standard error, and how it ended. */
static int run_child(void (*body)(void), char *text, size_t n_text) {
  int ends[2], status = 0;
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    body();
    _exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; n + 1 < n_text && (got = read(ends[0], text + n, n_text - 1 - n)) > 0;)
    n += (size_t)got;
  text[n] = '\0';
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

/* A planted access of the host, after an op of this file. */
static void touch(void) {
  const parl_backend *backend = parl_backend_far();
  parl_queue *queue = NULL;
  parl_arena numbers;
  float *x;
  parl_arena_init_from(&numbers, 0, &backend->device()->memory);
  if (parl_queue_create(backend, &queue) != PARL_STATUS_OK) return;
  if (PARL_ARENA_TAKE(&numbers, 8, &x) != PARL_STATUS_OK) return;
  parl_queue_fill(queue, x, 0, 8 * sizeof *x);
  const parl_axpby_args args = {.n = 8, .b = 1.0F, .y = x};
  PARL_RUN(queue, axpby, &args);
  ((volatile float *)x)[3] = 1.0F;
}

static void test_access_by_the_host_is_caught(void **state) {
  (void)state;
  char text[8192];
  const int status = run_child(touch, text, sizeof text);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGSEGV);
  assert_contains(text, "far: the host touched memory of the device");
  assert_contains(text, "tests/test_far.c:");
}

static void test_memory_of_the_host_is_refused(void **state) {
  (void)state;
  parl_queue *queue = engine_queue(parl_backend_far());
  parl_arena numbers;
  float *x, mine[4] = {0};
  parl_arena_init_from(&numbers, 0, &parl_backend_far()->device()->memory);
  assert_ok(PARL_ARENA_TAKE(&numbers, 4, &x));
  const parl_add_args add = {.n = 4, .a = 1.0F, .x = mine, .y = x};
  PARL_RUN(queue, add, &add);
  assert_status(parl_queue_wait(queue), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "far: add at tests/test_far.c:");
  assert_contains(parl_error_text(), ": x is no memory of the device");
  assert_ok(parl_queue_wait(queue)); /* said once */
  parl_queue_upload(queue, mine, mine, sizeof mine);
  assert_status(parl_queue_wait(queue), PARL_STATUS_EINVAL);
  parl_queue_upload(queue, x, x, sizeof mine);
  assert_status(parl_queue_wait(queue), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "from is memory of the device");
  parl_queue_fill(queue, x, 0, 1 << 30);
  assert_status(parl_queue_wait(queue), PARL_STATUS_EINVAL);
  assert_status(parl_queue_download(queue, x, x, sizeof mine), PARL_STATUS_EINVAL);
  parl_arena_deinit(&numbers);
  parl_queue_destroy(queue);
}

/* ---------------------------------------------------------------------------------- models */

static const struct kind {
  const char *preset;
  int64_t n_kv_heads;
  int quant, optimizer, recompute, first_k_dense;
} KINDS[] = {
    {"dense", 4, 0, PARL_OPTIMIZER_ADAMW, 0, 0},
    {"dense", 2, 0, PARL_OPTIMIZER_MUONCLIP, 1, 0},
    {"mla", 4, 0, PARL_OPTIMIZER_MUONCLIP, 0, 0},
    {"moe", 2, 0, PARL_OPTIMIZER_ADAMW, 1, 1},
    {"k2", 4, 0, PARL_OPTIMIZER_MUONCLIP, 0, 1},
    {"k2_wide", 4, 0, PARL_OPTIMIZER_ADAMW, 0, 0},
    {"k2", 4, PARL_EXPERT_QUANT_INT4, PARL_OPTIMIZER_MUONCLIP, 0, 0},
};
enum { N_KINDS = sizeof KINDS / sizeof KINDS[0], SLICES = 3 };

static parl_model_config make_config(const struct kind *k) {
  parl_model_config c = engine_config(k->n_kv_heads);
  assert_ok(parl_model_apply_preset(k->preset, &c));
  c.expert_quant = k->quant;
  c.recompute = k->recompute;
  c.first_k_dense = k->first_k_dense;
  if (c.n_routed_experts > 0) c.n_group = c.topk_group = 2;
  return c;
}

static parl_model *make_model(const parl_model_config *c, bool is_far) {
  const parl_backend *backend = parl_backend_far();
  parl_model *m = NULL;
  if (!is_far) assert_ok(parl_backend_cpu(NULL, &backend));
  assert_ok(parl_model_create(c, ENGINE_VOCAB, backend, NULL, &m));
  assert_ok(parl_model_init_weights(m, 5));
  return m;
}

static void assert_same_weights(const parl_model *a, const parl_model *b) {
  const size_t n = parl_model_get_n_params(a);
  float *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
  assert_ok(parl_model_read(a, 0, n, x));
  assert_ok(parl_model_read(b, 0, n, y));
  assert_memory_equal(x, y, n * sizeof *x);
  free(x);
  free(y);
}

/* -------------------------------------------------------------------------------- training */

static parl_status predict_next(void *context, size_t i, const parl_slice *slice,
                                parl_workspace *ws, float *logits) {
  float logp, entropy;
  (void)context;
  (void)i;
  (void)logits;
  PARL_TRY(engine_predict_next(ws, slice, &logp, &entropy));
  assert_true(isfinite(logp) && isfinite(entropy));
  return PARL_STATUS_OK;
}

/* Two updates with everything there is: QK-Clip bites, experts are balanced. */
static void train(const struct kind *k, parl_model *m, parl_workers *workers,
                  parl_optimizer **opt) {
  static const size_t lengths[] = {5, 9};
  engine_batch batches[SLICES];
  parl_slice slices[SLICES];
  parl_optimizer_config config;
  parl_optimizer_info info;
  parl_load_stats stats;
  float *grads;
  parl_config_set_defaults(&parl_optimizer_section, &config);
  config.kind = k->optimizer;
  config.qk_clip = 1e-4;
  config.weight_decay = 0.1;
  assert_ok(parl_optimizer_create(&config, m, opt));
  assert_ok(parl_optimizer_set_workers(*opt, m, workers));
  parl_train_step_def def = parl_train_step_def_default();
  def.model = m;
  def.workers = workers;
  def.max_rows = def.max_outputs = ENGINE_MAX_ROWS;
  parl_train_step *step;
  assert_ok(parl_train_step_create(&def, &step));
  assert_ok(parl_train_step_track_scores(step));
  for (size_t i = 0; i < SLICES; i++) {
    engine_fill(&batches[i], lengths, 2, 2, i);
    slices[i] = batches[i].slice;
  }
  const parl_train_batch batch = engine_train_batch(slices, SLICES);
  for (int u = 0; u < 2; u++) {
    assert_ok(parl_train_step_run(step, &batch, predict_next, NULL, &grads));
    parl_optimizer_set_scores(*opt, parl_train_step_get_max_scores(step));
    assert_ok(parl_optimizer_step(*opt, m, grads, &info));
    assert_ok(parl_model_balance(m, parl_train_step_get_load(step)));
    assert_ok(parl_model_measure_load(m, parl_train_step_get_load(step), &stats));
    assert_true(k->optimizer == PARL_OPTIMIZER_ADAMW || info.n_clipped_heads > 0);
    assert_true(parl_model_get_n_sparse_layers(m) == 0 || parl_train_step_get_balance(step) > 0.0);
  }
  parl_train_step_destroy(step);
}

/* -------------------------------------------------------------------------------- decoding */

/* A prompt, its prefix taken over by another slot, then draws; the tokens and logits come back. */
static void decode(const parl_model *m, parl_cache_dtype cache, int32_t tokens[8], float *last) {
  const parl_decoder_def def = {m, .n_slots = 3, .max_context = 16, .max_rows = 8, .cache = cache};
  parl_decoder *d = NULL;
  float *logits;
  assert_ok(parl_decoder_create(&def, &d));
  for (int32_t s = 0; s < 3; s++) parl_decoder_reset(d, s);
  const parl_decoder_row prompt[] = {{.slot = 0, .token = 1, .want_logits = false},
                                     {.slot = 0, .token = 2, .want_logits = false},
                                     {.slot = 0, .token = 3, .want_logits = true}};
  assert_ok(parl_decoder_step(d, prompt, 3, &logits));
  assert_int_equal(
      parl_decoder_restart(d, 2, &(parl_prefix){.tokens = (int32_t[]){1, 2, 3, 4}, .n = 4}), 3);
  int32_t next[2] = {4, 5};
  const uint64_t mask = 0x7fff;
  for (size_t i = 0; i < 4; i++) {
    const parl_decoder_row rows[] = {{.slot = 2, .token = next[0], .want_logits = true},
                                     {.slot = 0, .token = next[1], .want_logits = true}};
    const parl_pick picks[] = {{&mask, 0.7, 0.15 + 0.2 * (double)i, 0.8}, {NULL, 0.0, 0.0, 0.0}};
    parl_sample samples[2];
    assert_ok(parl_decoder_step(d, rows, 2, &logits));
    assert_ok(parl_decoder_read(d, logits, ENGINE_VOCAB, last));
    assert_ok(parl_decoder_sample(d, picks, 2, samples));
    for (size_t s = 0; s < 2; s++) {
      assert_true(samples[s].logp <= 0.0F && samples[s].entropy >= 0.0F);
      tokens[2 * i + s] = next[s] = samples[s].token;
    }
  }
  parl_decoder_destroy(d);
}

static void compare_decoding(const parl_model *far, const parl_model *cpu) {
  for (parl_cache_dtype cache = PARL_CACHE_F32; cache <= PARL_CACHE_BF16; cache++) {
    int32_t tokens[2][8];
    float last[2][ENGINE_VOCAB];
    decode(far, cache, tokens[0], last[0]);
    decode(cpu, cache, tokens[1], last[1]);
    assert_memory_equal(tokens[0], tokens[1], sizeof tokens[0]);
    assert_memory_equal(last[0], last[1], sizeof last[0]);
  }
}

/* ----------------------------------------------------------------------------------- files */

/* To a checkpoint and back, on either side; to a published folder and back; by copies. */
static void compare_files(parl_model *far, parl_optimizer *opt, const parl_model *cpu,
                          bool is_published) {
  char root[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 20];
  char folder[PARL_TEST_PATH_BYTES + 20];
  parl_test_temp_folder(root);
  snprintf(path, sizeof path, "%s/x.safetensors", root);
  snprintf(folder, sizeof folder, "%s/published", root);
  const parl_checkpoint_meta meta = {.vocab = "", .progress = ""};
  parl_model *back = NULL, *published = NULL;
  assert_ok(parl_checkpoint_save(path, far, opt, &meta, NULL));
  assert_ok(parl_checkpoint_open_model(path, parl_model_get_backend(cpu), &back));
  assert_same_weights(back, cpu);
  assert_ok(parl_checkpoint_load(path, far, opt, NULL, NULL));
  assert_same_weights(far, cpu);
  const parl_hf_save_options options = {.shard_bytes = 1 << 20};
  if (is_published) {
    assert_ok(parl_hf_checkpoint_save(folder, far, &options, NULL));
    assert_ok(parl_hf_checkpoint_load(folder, 0, parl_backend_far(), &published));
    assert_same_weights(published, cpu);
    parl_model_destroy(published);
  }
  assert_ok(parl_model_init_weights(back, 9));
  assert_ok(parl_model_copy_weights(back, far));
  assert_same_weights(back, cpu);
  parl_model_destroy(back);
  parl_test_remove_folder(root);
}

static void test_engine(void **state) {
  const struct kind *k = &KINDS[(size_t)(uintptr_t)*state];
  const parl_model_config config = make_config(k);
  parl_workers *workers = NULL;
  assert_ok(parl_workers_create(2, &workers));
  parl_model *models[2];
  parl_optimizer *opts[2];
  for (int is_far = 0; is_far < 2; is_far++) {
    models[is_far] = make_model(&config, is_far != 0);
    train(k, models[is_far], workers, &opts[is_far]);
  }
  const size_t n = parl_model_get_n_params(models[0]);
  float *moments[2];
  for (int i = 0; i < 2; i++) moments[i] = engine_read_moments(opts[i], n);
  assert_same_weights(models[1], models[0]);
  assert_memory_equal(moments[0], moments[1], 2 * n * sizeof(float));
  compare_decoding(models[1], models[0]);
  /* no published architecture has grouped keys and experts */
  compare_files(models[1], opts[1], models[0], strcmp(k->preset, "moe") != 0);
  for (int i = 0; i < 2; i++) {
    free(moments[i]);
    parl_optimizer_destroy(opts[i]);
    parl_model_destroy(models[i]);
  }
  parl_workers_destroy(workers);
}

static void test_logits_and_gradients(void **state) {
  (void)state;
  const parl_model_config config = make_config(&KINDS[4]);
  const int32_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8};
  float logits[2][8 * ENGINE_VOCAB], *grads[2];
  double loss[2];
  for (int i = 0; i < 2; i++) {
    parl_model *m = make_model(&config, i == 1);
    const size_t n = parl_model_get_n_params(m);
    grads[i] = calloc(n, sizeof(float));
    assert_ok(parl_logits_compute(&(parl_logits_def){.model = m, .B = 2, .T = 4, .tokens = tokens},
                                  logits[i], &loss[i], grads[i]));
    if (i == 1) assert_memory_equal(grads[0], grads[1], n * sizeof(float));
    parl_model_destroy(m);
  }
  assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
  assert_close(loss[0], loss[1], 0.0);
  free(grads[0]);
  free(grads[1]);
}

int main(void) {
  static struct CMUnitTest tests[N_KINDS + 4];
  static char names[N_KINDS][64];
  size_t n = 0;
  for (size_t i = 0; i < N_KINDS; i++) {
    snprintf(names[i], sizeof names[i], "engine: %s, %zu", KINDS[i].preset, i);
    tests[n++] = (struct CMUnitTest){names[i], test_engine, NULL, NULL, (void *)(uintptr_t)i};
  }
  tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_logits_and_gradients);
  tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_copies);
  tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_access_by_the_host_is_caught);
  tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_memory_of_the_host_is_refused);
  return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
