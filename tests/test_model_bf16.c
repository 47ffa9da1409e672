/* tests/test_model_bf16.c - a model whose products have bf16 operands against the same in f32:
 * logits, gradients, decoding, training, threads. */
#include <math.h>

#include "core/rng.h"
#include "engine/decoder.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static const size_t LENGTHS[] = {11, 1, 18, 70};
enum { N_SEQS = 4, ROWS = 100 };

/* Plain heads, and latents with experts. */
static parl_model_config make_config(bool is_full) {
  parl_model_config c = engine_config(2);
  c.d_model = 64;
  c.d_ff = 96;
  c.head_dim = 16;
  c.init_std = 0.15;
  if (!is_full) return c;
  c.attention = PARL_ATTENTION_MLA;
  c.q_lora_rank = 40;
  c.kv_lora_rank = 33;
  c.qk_nope_head_dim = 16;
  c.qk_rope_head_dim = 8;
  c.v_head_dim = 16;
  c.n_routed_experts = 4;
  c.n_experts_per_tok = 4; /* all: a choice could differ */
  c.n_shared_experts = 1;
  c.moe_d_ff = 32;
  c.first_k_dense = 1;
  return c;
}

/* What else a layer may be made of. */
enum { DIRECT_QUERIES, NO_SHARED, INT4, RECOMPUTED, N_VARIANTS };
static parl_model_config make_variant(int which) {
  parl_model_config c = make_config(true);
  if (which == DIRECT_QUERIES) c.q_lora_rank = 0;
  if (which == NO_SHARED) c.n_shared_experts = 0;
  if (which == INT4) c.expert_quant = PARL_EXPERT_QUANT_INT4;
  if (which == RECOMPUTED) c.recompute = PARL_RECOMPUTE_LAYER;
  return c;
}

typedef struct run {
  parl_model *model;
  parl_workspace *ws;
  engine_batch *batch;
  float *logits; /* [n_logits] borrowed from ws */
  float *grads;  /* [n_params] */
  size_t n_params, n_logits;
} run;

/* Gradients of a normal cotangent, the same for every backend. */
static void run_open(run *r, parl_model_config config, const parl_backend *backend) {
  r->model = engine_model(&config, backend, 5);
  assert_ok(parl_workspace_create(r->model, ROWS, ROWS, &r->ws));
  r->batch = calloc(1, sizeof *r->batch);
  engine_fill(r->batch, LENGTHS, N_SEQS, 1, 7);
  r->n_params = parl_model_get_n_params(r->model);
  r->n_logits = ROWS * ENGINE_VOCAB;
  r->grads = calloc(r->n_params, sizeof *r->grads);
  float *c = malloc(r->n_logits * sizeof *c);
  engine_normal(c, r->n_logits, 11);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &r->logits));
  assert_ok(parl_model_backward(r->model, r->ws, &r->batch->slice, c, r->grads));
  free(c);
}

static void run_close(run *r) {
  parl_workspace_destroy(r->ws);
  parl_model_destroy(r->model);
  free(r->batch);
  free(r->grads);
}

static double cosine(const float *a, const float *b, size_t n) {
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return ab / sqrt(aa * bb);
}

static void compare(const parl_backend *backend, const char *name, parl_model_config config) {
  run exact, rounded;
  run_open(&exact, config, backend->f32());
  run_open(&rounded, config, backend);
  const double logits = cosine(exact.logits, rounded.logits, exact.n_logits);
  double worst = 1.0;
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(exact.model, &n);
  for (size_t i = 0; i < n; i++) {
    if (!t[i].trained) continue;
    const double c = cosine(exact.grads + t[i].offset, rounded.grads + t[i].offset, t[i].n);
    if (!(c >= 0.999))
      fail_msg("%s, %s: gradient of %s: %.6f", backend->instructions, name, t[i].name, c);
    worst = fmin(worst, c);
  }
  print_message("  %-20s %s: 1 - cosine: logits %.1e, worst gradient %.1e\n", backend->instructions,
                name, 1.0 - logits, 1.0 - worst);
  assert_true(logits >= 0.9999 && logits < 1.0); /* 1: nothing was rounded */
  run_close(&exact);
  run_close(&rounded);
}

static void test_near_f32(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_bf16_backends(backends);
  for (size_t b = 0; b < n; b++) {
    compare(backends[b], "gqa", make_config(false));
    compare(backends[b], "mla, moe", make_config(true));
  }
}

/* Whatever else a layer is made of, no operand is taken for floats. */
static void test_operands_of_another_size(void **state) {
  (void)state;
  static const char *const names[N_VARIANTS] = {"direct queries", "no shared experts", "int4",
                                                "recomputed"};
  const parl_backend *backend;
  assert_ok(parl_backend_find("ref:bf16-acts", &backend));
  assert_int_equal(backend->act_bytes, 2);
  for (int v = 0; v < N_VARIANTS; v++) compare(backend, names[v], make_variant(v));
}

/* ---------------------------------------------------------------------------------- decoding */

/* Every text from its first token to its last, at most `most` tokens of each at a time. */
static void decode(parl_decoder *d, const engine_batch *batch, size_t most, float *out) {
  for (int32_t s = 0; s < N_SEQS; s++) parl_decoder_reset(d, s);
  for (size_t left = ROWS; left > 0;) {
    parl_decoder_row rows[ROWS];
    size_t places[ROWS], n = 0;
    for (size_t s = 0; s < N_SEQS; s++) {
      const size_t held = parl_decoder_get_length(d, (int32_t)s);
      for (size_t i = held; i < LENGTHS[s] && i < held + most; i++, n++) {
        places[n] = (size_t)batch->seq_start[s] + i;
        rows[n] = (parl_decoder_row){
            .slot = (int32_t)s, .token = batch->tokens[places[n]], .want_logits = true};
      }
    }
    float *logits;
    assert_ok(parl_decoder_step(d, rows, n, &logits));
    for (size_t i = 0; i < n; i++)
      memcpy(out + places[i] * ENGINE_VOCAB, logits + i * ENGINE_VOCAB, ENGINE_VOCAB * sizeof *out);
    left -= n;
  }
}

static double log_prob(const float *logits, size_t token) {
  double sum = 0.0;
  for (size_t v = 0; v < ENGINE_VOCAB; v++) sum += exp((double)logits[v] - (double)logits[token]);
  return -log(sum);
}

/* The cached decoder rounds at other places (absorbed latents) or differs in the last bit of f32,
 * which can tip a rounding to bf16: what a policy sees is a gap in log-probabilities. */
static void check_decoding(const parl_backend *backend, bool is_full) {
  run r;
  parl_decoder *d = NULL;
  run_open(&r, make_config(is_full), backend);
  const parl_decoder_def def = {r.model, N_SEQS, 70, ROWS, PARL_CACHE_F32};
  assert_ok(parl_decoder_create(&def, &d));
  float *one = malloc(r.n_logits * sizeof *one), *many = malloc(r.n_logits * sizeof *many);
  decode(d, r.batch, 1, one);
  double mean = 0.0, most = 0.0;
  for (size_t i = 0; i < ROWS; i++)
    for (size_t v = 0; v < ENGINE_VOCAB; v++) {
      const size_t at = i * ENGINE_VOCAB;
      const double gap = fabs(log_prob(one + at, v) - log_prob(r.logits + at, v));
      mean += gap / (double)r.n_logits;
      most = fmax(most, gap);
    }
  print_message("  %-20s %s: log-prob gap: mean %.1e, largest %.1e\n", backend->instructions,
                is_full ? "mla, moe" : "gqa", mean, most);
  assert_true(mean <= (is_full ? 0.02 : 1e-4) && most <= (is_full ? 0.2 : 1e-2));
  for (size_t chunk = 2; chunk < 20; chunk += 5) {
    decode(d, r.batch, chunk, many);
    assert_memory_equal(one, many, r.n_logits * sizeof *one);
  }
  parl_decoder_destroy(d);
  run_close(&r);
  free(one);
  free(many);
}

static void test_decoding(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_bf16_backends(backends);
  for (size_t b = 0; b < n; b++) {
    check_decoding(backends[b], false);
    check_decoding(backends[b], true);
  }
}

/* ---------------------------------------------------------------------------------- training */

enum { N_SLICES = 6, TOKENS = 24, UPDATES = 60, FEW_UPDATES = 6 };

typedef struct task {
  const parl_backend *backend;
  engine_batch parts[N_SLICES];
  parl_slice slices[N_SLICES];
  double losses[N_SLICES]; /* nats per token, of the last update */
} task;

/* Next-token cross entropy of a slice of one sequence. */
static parl_status cross_entropy(void *context, size_t index, const parl_slice *slice,
                                 parl_workspace *ws, float *logits) {
  (void)ws;
  task *t = context;
  float logp[TOKENS], entropy[TOKENS], dlogp[TOKENS];
  const int32_t *target = slice->tokens + 1;
  const parl_policy_fwd_args forward = {.rows = TOKENS - 1,
                                        .V = ENGINE_VOCAB,
                                        .logits = logits,
                                        .target = target,
                                        .inv_temperature = 1.0F,
                                        .probs = logits,
                                        .logp = logp,
                                        .entropy = entropy};
  t->backend->policy_fwd(NULL, &forward);
  t->losses[index] = 0.0;
  for (size_t i = 0; i < TOKENS - 1; i++) {
    t->losses[index] -= (double)logp[i] / (TOKENS - 1);
    dlogp[i] = -1.0F / ((TOKENS - 1) * N_SLICES);
  }
  const parl_policy_bwd_args backward = {.rows = TOKENS - 1,
                                         .V = ENGINE_VOCAB,
                                         .probs = logits,
                                         .target = target,
                                         .entropy = entropy,
                                         .inv_temperature = 1.0F,
                                         .dlogp = dlogp,
                                         .dlogits = logits};
  t->backend->policy_bwd(NULL, &backward);
  memset(logits + (TOKENS - 1) * ENGINE_VOCAB, 0, ENGINE_VOCAB * sizeof *logits);
  return PARL_STATUS_OK;
}

/* Learns six random texts by heart; the loss of the last update, and the weights (owned). */
static double learn(const parl_backend *backend, parl_model_config shape, int n_updates,
                    size_t n_threads, int64_t kind, float **weights) {
  task *t = calloc(1, sizeof *t);
  parl_workers *workers = NULL;
  parl_optimizer *optimizer = NULL;
  parl_optimizer_config config;
  const size_t length = TOKENS;
  t->backend = backend;
  for (size_t i = 0; i < N_SLICES; i++) {
    engine_fill(&t->parts[i], &length, 1, 1, i);
    t->slices[i] = t->parts[i].slice;
  }
  parl_model *model = engine_model(&shape, backend, 3);
  parl_config_set_defaults(&parl_optimizer_section, &config);
  config.kind = (int)kind;
  config.lr = 3e-3;
  assert_ok(parl_workers_create(n_threads, &workers));
  parl_train_step *step = engine_step(model, workers, 4, TOKENS);
  const parl_train_batch batch = engine_train_batch(t->slices, N_SLICES);
  assert_ok(parl_optimizer_create(&config, model, &optimizer));
  for (int i = 0; i < n_updates; i++) {
    float *grads;
    assert_ok(parl_train_step_run(step, &batch, cross_entropy, t, &grads));
    assert_ok(parl_optimizer_step(optimizer, model, grads, NULL));
  }
  double loss = 0.0;
  for (size_t i = 0; i < N_SLICES; i++) loss += t->losses[i] / N_SLICES;
  const size_t n = parl_model_get_n_params(model);
  *weights = malloc(n * sizeof **weights);
  memcpy(*weights, engine_params(model), n * sizeof **weights);
  parl_optimizer_destroy(optimizer);
  parl_train_step_destroy(step);
  parl_workers_destroy(workers);
  parl_model_destroy(model);
  free(t);
  return loss;
}

/* By heart in bf16 as in f32; and for any number of threads to the same bits. */
static void check_learning(const parl_backend *backend, int64_t kind) {
  float *weights, *other;
  const parl_model_config shape = make_config(false);
  const int n_updates = parl_test_is_short() ? FEW_UPDATES : UPDATES;
  const double exact = learn(backend->f32(), shape, n_updates, 1, kind, &weights);
  free(weights);
  const double rounded = learn(backend, shape, n_updates, 1, kind, &weights);
  print_message("  %-20s optimizer %d: loss %.4f, in f32 %.4f\n", backend->instructions, (int)kind,
                rounded, exact);
  if (n_updates == UPDATES) assert_true(exact < 0.2 && rounded < exact * 1.25 + 0.01);
  for (size_t threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
    assert_true(learn(backend, shape, n_updates, threads, kind, &other) == rounded);
    parl_model *m = engine_model(&shape, backend, 3);
    assert_memory_equal(weights, other, parl_model_get_n_params(m) * sizeof *weights);
    parl_model_destroy(m);
    free(other);
  }
  free(weights);
}

static void test_learning(void **state) {
  (void)state;
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cpu("bf16", &backend));
  check_learning(backend, PARL_OPTIMIZER_ADAMW);
  check_learning(backend, PARL_OPTIMIZER_MUONCLIP);
}

/* A few updates of either optimizer go the same way. */
static void test_learning_of_another_size(void **state) {
  (void)state;
  const parl_backend *backend;
  assert_ok(parl_backend_find("ref:bf16-acts", &backend));
  static const int64_t kinds[] = {PARL_OPTIMIZER_ADAMW, PARL_OPTIMIZER_MUONCLIP};
  const parl_model_config shape = make_config(true);
  for (size_t i = 0; i < 2; i++) {
    const int64_t kind = kinds[i];
    float *weights;
    const double start = learn(backend->f32(), shape, 1, 2, kind, &weights);
    free(weights);
    const double exact = learn(backend->f32(), shape, FEW_UPDATES, 2, kind, &weights);
    free(weights);
    const double rounded = learn(backend, shape, FEW_UPDATES, 2, kind, &weights);
    free(weights);
    print_message("  optimizer %d: loss %.4f, kept in bf16 %.4f, at first %.4f\n", (int)kind, exact,
                  rounded, start);
    assert_true(exact < 0.9 * start && fabs(rounded - exact) <= 0.05 * (start - exact));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_near_f32), cmocka_unit_test(test_operands_of_another_size),
      cmocka_unit_test(test_decoding), cmocka_unit_test(test_learning),
      cmocka_unit_test(test_learning_of_another_size)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
