/* tests/test_muon.c - Newton-Schulz by hand, one step of Muon, and QK-Clip measured again. */
#define PARL_ACT_IS_FLOAT
#include "engine/model_internal.h"
#include "engine/muon.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "tests/engine_support.h"
#include "tests/support.h"

/* What five steps make of a singular value: x <- 3.4445 x - 4.775 x^3 + 2.0315 x^5. */
static double iterate(double x) {
  for (int i = 0; i < 5; i++) x = 3.4445 * x - 4.7750 * pow(x, 3.0) + 2.0315 * pow(x, 5.0);
  return x;
}

typedef struct bench {
  parl_arena arena;
  parl_model *model;
  parl_queue *queue;
  parl_muon muon;
} bench;

/* Scratch for matrices up to 24 x 28. */
static void bench_open(bench *b) {
  const parl_model_config config = engine_config(4);
  parl_muon_group *groups;
  size_t n_groups;
  parl_arena_init(&b->arena, 0);
  b->model = engine_model(&config, parl_backend_ref(), 1);
  b->queue = engine_queue(parl_backend_ref());
  assert_ok(parl_muon_group_matrices(b->model, false, &b->arena, &groups, &n_groups));
  assert_ok(parl_muon_init(&b->muon, &b->arena, b->model, groups, n_groups));
}

static void bench_close(bench *b) {
  parl_model_destroy(b->model);
  parl_queue_destroy(b->queue);
  parl_arena_deinit(&b->arena);
}

/* m = sum_k s_k u_k v_k^T with u, v from the columns of Householder reflections. */
static void compose(size_t rows, size_t columns, const double *s, size_t n, float *m) {
  double a[32], c[32], aa = 0.0, cc = 0.0;
  for (size_t i = 0; i < rows; i++) aa += pow(a[i] = sin(1.0 + (double)i), 2.0);
  for (size_t i = 0; i < columns; i++) cc += pow(c[i] = cos(2.0 + (double)i), 2.0);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      double sum = 0.0;
      for (size_t k = 0; k < n; k++)
        sum += s[k] * ((i == k) - 2.0 * a[i] * a[k] / aa) * ((j == k) - 2.0 * c[j] * c[k] / cc);
      m[i * columns + j] = (float)sum;
    }
}

/* Singular vectors stay, singular values go through the polynomial: tall, wide and square. */
static void test_orthogonalise_by_hand(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{7, 5}, {5, 7}, {6, 6}, {1, 9}, {20, 28}};
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n_backends = engine_backends(backends);
  bench b;
  bench_open(&b);
  for (size_t k = 0; k < n_backends; k++)
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      const size_t rows = shapes[i][0], columns = shapes[i][1];
      const size_t n = rows < columns ? rows : columns;
      double s[32], squares = 0.0;
      float m[1024], due[1024];
      for (size_t v = 0; v < n; v++) squares += pow(s[v] = 0.1 + 3.0 / (1.0 + (double)v), 2.0);
      compose(rows, columns, s, n, m);
      for (size_t v = 0; v < n; v++) s[v] = iterate(s[v] / sqrt(squares));
      compose(rows, columns, s, n, due);
      parl_queue *queue = engine_queue(backends[k]);
      parl_muon_orthogonalise(&b.muon, queue, rows, columns, m);
      parl_queue_destroy(queue);
      assert_true(engine_difference(m, due, rows * columns) <= 2e-5);
    }
  bench_close(&b);
}

static void test_zero_stays_zero(void **state) {
  (void)state;
  bench b;
  bench_open(&b);
  float m[12] = {0};
  parl_muon_orthogonalise(&b.muon, b.queue, 3, 4, m);
  assert_true(engine_max_abs(m, 12) <= 0.0);
  bench_close(&b);
}

/* A row of one: U is the sign times p(1). Two steps with Nesterov, decay and the scale of 0.2. */
static void test_update_by_hand(void **state) {
  (void)state;
  bench b;
  bench_open(&b);
  float w[] = {2.0F}, g[] = {-4.0F}, momentum[] = {0.0F};
  const parl_muon_args args = {.rows = 1,
                               .columns = 1,
                               .params = w,
                               .grads = g,
                               .momentum = momentum,
                               .grad_scale = 0.5,
                               .lr = 0.1,
                               .mu = 0.95,
                               .weight_decay = 0.3};
  parl_muon_update(&b.muon, b.queue, &args);
  double due = 2.0 * (1 - 0.03) + 0.1 * 0.2 * iterate(1.0);
  assert_close((double)momentum[0], -2.0, 1e-6);
  assert_close((double)w[0], due, 1e-6);
  g[0] = 3.0F; /* momentum -1.9 + 1.5 = -0.4; with Nesterov -0.38 + 1.5 > 0 */
  parl_muon_update(&b.muon, b.queue, &args);
  due = due * (1 - 0.03) - 0.1 * 0.2 * iterate(1.0);
  assert_close((double)momentum[0], -0.4, 1e-6);
  assert_close((double)w[0], due, 1e-6);
  bench_close(&b);
}

static void test_which_tensors(void **state) {
  (void)state;
  const parl_model_tensor q = {.name = "model.layers.0.self_attn.q_proj.weight", .n_dims = 2};
  const parl_model_tensor norm = {.name = "model.layers.0.input_layernorm.weight", .n_dims = 1};
  const parl_model_tensor table = {.name = "model.embed_tokens.weight", .n_dims = 2};
  const parl_model_tensor head = {.name = "lm_head.weight", .n_dims = 2};
  assert_true(parl_muon_takes(&q));
  assert_false(parl_muon_takes(&norm) || parl_muon_takes(&table) || parl_muon_takes(&head));
}

/* -------------------------------------------------------------------------------- QK-Clip */

static const size_t LENGTHS[] = {45, 1, 18};
enum { N_SEQS = 3, ROWS = 64 };

static parl_model_config clip_config(int attention, int64_t n_kv_heads, int64_t q_lora_rank) {
  parl_model_config c = engine_config(n_kv_heads);
  c.n_layers = 1; /* clipping changes what later layers see */
  c.attention = attention;
  c.q_lora_rank = q_lora_rank;
  c.kv_lora_rank = 9;
  c.qk_nope_head_dim = 5;
  c.qk_rope_head_dim = 6;
  c.v_head_dim = 7;
  return c;
}

/* The largest scores of the one layer, [4]. */
static void measure(const parl_model *m, float scores[4]) {
  engine_batch *batch = calloc(1, sizeof *batch);
  parl_workspace *ws = NULL;
  float *logits;
  engine_fill(batch, LENGTHS, N_SEQS, 3, 7);
  assert_ok(parl_workspace_create(m, ROWS, ROWS, &ws));
  assert_ok(parl_workspace_track_scores(ws, m));
  assert_ok(parl_model_forward(m, ws, &batch->slice, &logits));
  for (size_t h = 0; h < 4; h++) scores[h] = -INFINITY;
  parl_workspace_take_max_scores(ws, scores);
  const parl_attention_fwd_args v = parl_attention_view(m, ws, &ws->layers[0].attention);
  for (size_t h = 0; h < 4; h++) { /* once more, plainly */
    double top = -INFINITY;
    for (size_t s = 0; s < N_SEQS; s++)
      for (int32_t t = batch->seq_start[s]; t < batch->seq_start[s + 1]; t++)
        for (int32_t u = batch->seq_start[s]; u <= t; u++) {
          double sum = 0.0;
          for (size_t i = 0; i < v.D; i++)
            sum += (double)v.q[(size_t)t * v.ld_q + h * v.D + i] *
                   (double)v.k[(size_t)u * v.ld_k + h / (v.H / v.H_kv) * v.D + i];
          top = fmax(top, sum * (double)v.scale);
        }
    assert_close((double)scores[h], top, 1e-6, 1e-5);
  }
  float none[4] = {1e30F, 1e30F, 1e30F, 1e30F};
  parl_workspace_take_max_scores(ws, none); /* forgotten */
  assert_true(none[0] >= 1e30F);
  parl_workspace_destroy(ws);
  free(batch);
}

/* Clipped heads come down to tau, the others keep their scores. */
static void test_clip(void **state) {
  (void)state;
  const parl_model_config configs[] = {
      clip_config(PARL_ATTENTION_MLA, 4, 11), clip_config(PARL_ATTENTION_MLA, 4, 0),
      clip_config(PARL_ATTENTION_GQA, 4, 0), clip_config(PARL_ATTENTION_GQA, 2, 0)};
  for (size_t k = 0; k < sizeof configs / sizeof configs[0]; k++) {
    parl_model *m = engine_model(&configs[k], parl_backend_ref(), 5);
    float before[4], after[4];
    measure(m, before);
    float sorted = before[0];
    for (size_t h = 1; h < 4; h++) sorted = fmaxf(sorted, before[h]);
    const double tau = 0.6 * (double)sorted;
    size_t n_above = 0;
    for (size_t h = 0; h < 4; h++) n_above += (double)before[h] > tau;
    assert_int_equal(parl_muon_clip_heads(m, before, tau), n_above);
    parl_model_refresh(m);
    measure(m, after);
    for (size_t h = 0; h < 4; h++)
      assert_close((double)after[h], fmin((double)before[h], tau), 0.0, 2e-5);
    assert_int_equal(parl_muon_clip_heads(m, after, 1.001 * tau), 0);
    parl_model_destroy(m);
  }
}

/* The rows of the shared rope key, and values, are untouched. */
static void test_clip_leaves_the_shared_key(void **state) {
  (void)state;
  const parl_model_config config = clip_config(PARL_ATTENTION_MLA, 4, 11);
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  parl_model *old = engine_model(&config, parl_backend_ref(), 5);
  const float scores[] = {4.0F, 1.0F, 1.0F, 1.0F};
  assert_int_equal(parl_muon_clip_heads(m, scores, 1.0), 1);
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t i = 0; i < n; i++) {
    const float *x = engine_params(m) + t[i].offset;
    const float *y = engine_params(old) + t[i].offset;
    const bool is_q = strstr(t[i].name, "q_b_proj") != NULL;
    const bool is_kv = strstr(t[i].name, "kv_b_proj") != NULL;
    for (size_t k = 0; k < t[i].n; k++) {
      const size_t row = t[i].n_dims == 2 ? k / t[i].shape[1] : 0;
      double factor = 1.0; /* gamma = 1/4 for head 0, rows 0..4 nope, 5..10 rope or values */
      if (is_q && row < 11) factor = row < 5 ? 0.5 : 0.25;
      if (is_kv && row < 5) factor = 0.5;
      assert_close((double)x[k], factor * (double)y[k], 1e-12, 1e-6);
    }
  }
  parl_model_destroy(m);
  parl_model_destroy(old);
}

/* ------------------------------------------------------------------------------- training */

typedef struct task {
  double loss;
  const parl_backend *backend;
} task;

/* Mean of -log p(successor of the token). */
static parl_status predict(void *context, size_t i, const parl_slice *slice, parl_workspace *ws,
                           float *logits) {
  (void)ws;
  (void)i;
  task *t = context;
  float logp[ROWS], entropy[ROWS], dlogp[ROWS];
  int32_t target[ROWS];
  const size_t n = slice->n_outputs;
  for (size_t r = 0; r < n; r++) {
    target[r] = (slice->tokens[slice->outputs[r]] + 1) % ENGINE_VOCAB;
    dlogp[r] = -1.0F / (float)n;
  }
  const parl_policy_fwd_args fwd = {.rows = n,
                                    .V = ENGINE_VOCAB,
                                    .logits = logits,
                                    .target = target,
                                    .inv_temperature = 1.0F,
                                    .probs = logits,
                                    .logp = logp,
                                    .entropy = entropy};
  t->backend->policy_fwd(NULL, &fwd);
  const parl_policy_bwd_args bwd = {.rows = n,
                                    .V = ENGINE_VOCAB,
                                    .probs = logits,
                                    .target = target,
                                    .entropy = entropy,
                                    .inv_temperature = 1.0F,
                                    .dlogp = dlogp,
                                    .dlogits = logits};
  t->backend->policy_bwd(NULL, &bwd);
  t->loss = 0.0;
  for (size_t r = 0; r < n; r++) t->loss -= (double)logp[r] / (double)n;
  return PARL_STATUS_OK;
}

/* Sixty steps of MuonClip on one batch; returns the last loss, the clip events and the weights,
 * which the caller frees. */
static double train(double qk_clip, size_t n_threads, size_t *n_clipped, float **weights,
                    size_t *n_bytes) {
  parl_model_config config = clip_config(PARL_ATTENTION_MLA, 4, 11);
  config.n_layers = 2;
  config.n_routed_experts = 4;
  task t = {0};
  assert_ok(parl_backend_cpu(NULL, &t.backend));
  parl_model *m = engine_model(&config, t.backend, 5);
  parl_optimizer_config oc;
  parl_config_set_defaults(&parl_optimizer_section, &oc);
  oc.kind = PARL_OPTIMIZER_MUONCLIP;
  oc.lr = 0.02;
  oc.qk_clip = qk_clip;
  parl_optimizer *opt = NULL;
  parl_workers *workers = NULL;
  engine_batch *batch = calloc(1, sizeof *batch);
  engine_fill(batch, LENGTHS, N_SEQS, 1, 7);
  assert_ok(parl_workers_create(n_threads, &workers));
  parl_train_step *step = engine_step(m, workers, 2, ROWS);
  const parl_train_batch all = engine_train_batch(&batch->slice, 1);
  assert_null(parl_train_step_get_max_scores(step));
  assert_ok(parl_optimizer_create(&oc, m, &opt));
  assert_ok(parl_optimizer_set_workers(opt, m, workers));
  assert_true(parl_optimizer_wants_scores(opt));
  assert_ok(parl_train_step_track_scores(step));
  *n_clipped = 0;
  for (int i = 0; i < 60; i++) {
    float *grads;
    parl_optimizer_info info;
    assert_ok(parl_train_step_run(step, &all, predict, &t, &grads));
    parl_optimizer_set_scores(opt, parl_train_step_get_max_scores(step));
    assert_ok(parl_optimizer_step(opt, m, grads, &info));
    parl_model_balance(m, parl_train_step_get_load(step));
    *n_clipped += info.n_clipped_heads;
  }
  *n_bytes = parl_model_get_n_params(m) * sizeof(float);
  *weights = malloc(*n_bytes);
  memcpy(*weights, engine_params(m), *n_bytes);
  parl_optimizer_destroy(opt);
  parl_train_step_destroy(step);
  parl_workers_destroy(workers);
  parl_model_destroy(m);
  free(batch);
  return t.loss;
}

static void test_training(void **state) {
  (void)state;
  size_t n_free, n_tight, n_bytes;
  float *weights[2];
  const double loose = train(1e6, 1, &n_free, &weights[0], &n_bytes);
  const double tight = train(0.5, 1, &n_tight, &weights[1], &n_bytes);
  print_message("  loss %.3f, with clipping %.3f (%zu events); at first about %.3f\n", loose, tight,
                n_tight, log(ENGINE_VOCAB));
  assert_true(loose < 1.0 && tight < 1.5);
  assert_int_equal(n_free, 0);
  assert_true(n_tight > 0);
  free(weights[0]);
  free(weights[1]);
}

/* Tensors are spread over threads; every weight has the same bits. */
static void test_threads_do_not_matter(void **state) {
  (void)state;
  size_t n_one, n_many, n_bytes;
  float *one, *many;
  const double loss = train(0.5, 1, &n_one, &one, &n_bytes);
  for (size_t n_threads = 2; n_threads <= 8; n_threads += 3) {
    assert_close(train(0.5, n_threads, &n_many, &many, &n_bytes), loss, 0.0);
    assert_int_equal(n_one, n_many);
    assert_memory_equal(one, many, n_bytes);
    free(many);
  }
  free(one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orthogonalise_by_hand),
      cmocka_unit_test(test_zero_stays_zero),
      cmocka_unit_test(test_update_by_hand),
      cmocka_unit_test(test_which_tensors),
      cmocka_unit_test(test_clip),
      cmocka_unit_test(test_clip_leaves_the_shared_key),
      cmocka_unit_test(test_training),
      cmocka_unit_test(test_threads_do_not_matter),
  };
  return cmocka_run_group_tests_name("muon", tests, NULL, NULL);
}
