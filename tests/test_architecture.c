/* tests/test_architecture.c - latent attention, sparse layers and YaRN: gradients against finite
 * differences, backends against each other, decoding against the full forward. */
#include "core/rng.h"
#include "engine/checkpoint.h"
#include "engine/decoder.h"
#include "engine/train_step.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static const size_t LENGTHS[] = {11, 1, 18, 70};
enum { N_SEQS = 4, ROWS = 100 };

typedef struct shape_case {
  const char *name;
  int attention;
  int64_t q_lora_rank, n_experts, n_chosen, n_shared, n_group, topk_group, first_k_dense;
  double rope_factor;
} shape_case;

static const shape_case CASES[] = {
    {"mla", PARL_ATTENTION_MLA, 11, 0, 1, 0, 1, 1, 0, 1.0},
    {"mla, full q", PARL_ATTENTION_MLA, 0, 0, 1, 0, 1, 1, 0, 1.0},
    {"mla, yarn", PARL_ATTENTION_MLA, 11, 0, 1, 0, 1, 1, 0, 8.0},
    {"gqa, yarn", PARL_ATTENTION_GQA, 0, 0, 1, 0, 1, 1, 0, 8.0},
    {"gqa, sparse", PARL_ATTENTION_GQA, 0, 5, 3, 1, 1, 1, 1, 1.0},
    {"mla, sparse, no shared", PARL_ATTENTION_MLA, 11, 5, 2, 0, 1, 1, 0, 1.0},
    {"mla, sparse, groups", PARL_ATTENTION_MLA, 0, 8, 3, 2, 4, 2, 1, 4.0},
};
enum { N_CASES = sizeof CASES / sizeof CASES[0] };

static parl_model_config make_config(const shape_case *s) {
  parl_model_config c = engine_config(2);
  c.attention = s->attention;
  c.q_lora_rank = s->q_lora_rank;
  c.kv_lora_rank = 9;
  c.qk_nope_head_dim = 5;
  c.qk_rope_head_dim = 6;
  c.v_head_dim = 7;
  c.n_routed_experts = s->n_experts;
  c.n_experts_per_tok = s->n_chosen;
  c.n_shared_experts = s->n_shared;
  c.n_group = s->n_group;
  c.topk_group = s->topk_group;
  c.moe_d_ff = 7;
  c.first_k_dense = s->first_k_dense;
  c.routed_scaling_factor = 1.3;
  c.rope_factor = s->rope_factor;
  c.rope_original_context = 16;
  c.rope_beta_fast = 4.0;
  c.rope_mscale = 0.8;
  c.rope_mscale_all_dim = 0.6;
  return c;
}

typedef struct run {
  parl_model *model;
  parl_workspace *ws;
  engine_batch *batch;
  float *logits; /* borrowed from ws */
  float *grads;  /* [n_params] */
  float *c;      /* [n_logits] cotangent */
  size_t n_params, n_logits;
} run;

/* With is_steady, experts' biases outweigh every score, so that a step of a difference quotient
 * changes no choice: 0 and, of groups of two, 1 come first, the last experts are never reached. */
static void run_open(run *r, const parl_model_config *config, const parl_backend *backend,
                     size_t stride, bool is_steady) {
  r->model = engine_model(config, backend, 5);
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(r->model, &n);
  for (size_t i = 0; is_steady && i < n; i++)
    for (size_t k = 0; !t[i].trained && k < t[i].n; k++)
      engine_params(r->model)[t[i].offset + k] = -2.0F * (float)k;
  assert_ok(parl_workspace_create(r->model, ROWS, ROWS, &r->ws));
  r->batch = calloc(1, sizeof *r->batch);
  engine_fill(r->batch, LENGTHS, N_SEQS, stride, 7);
  r->n_params = parl_model_get_n_params(r->model);
  r->n_logits = r->batch->slice.n_outputs * ENGINE_VOCAB;
  r->grads = calloc(r->n_params, sizeof *r->grads);
  r->c = malloc(r->n_logits * sizeof *r->c);
  engine_normal(r->c, r->n_logits, 11);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &r->logits));
  assert_ok(parl_model_backward(r->model, r->ws, &r->batch->slice, r->c, r->grads));
}

static void run_close(run *r) {
  parl_workspace_destroy(r->ws);
  parl_model_destroy(r->model);
  free(r->batch);
  free(r->grads);
  free(r->c);
}

/* ------------------------------------------------------------------------------- gradient */

static double loss(run *r) {
  float *logits;
  parl_model_refresh(r->model);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &logits));
  double sum = 0.0;
  for (size_t i = 0; i < r->n_logits; i++) sum += (double)r->c[i] * (double)logits[i];
  return sum;
}

/* Fourth-order central difference, as in test_model.c. */
static double difference_quotient(run *r, size_t i) {
  float *p = engine_params(r->model) + i;
  const float middle = *p, h = 0.01F;
  double value[5] = {0};
  for (int k = -2; k <= 2; k++) {
    if (k == 0) continue;
    *p = middle + (float)k * h;
    value[k + 2] = loss(r);
  }
  *p = middle;
  return (8.0 * (value[3] - value[1]) - (value[4] - value[0])) / (12.0 * (double)h);
}

static bool is_reached(const parl_model_config *c, const char *name) {
  const char *expert = strstr(name, ".experts.");
  return expert == NULL || strtol(expert + 9, NULL, 10) < c->n_experts_per_tok;
}

/* The worst of some elements, relative to the tensor's largest. */
static double check_tensor(run *r, const parl_model_tensor *t) {
  const float *g = r->grads + t->offset;
  const double scale = engine_max_abs(g, t->n);
  if (!t->trained || !is_reached(parl_model_get_config(r->model), t->name)) {
    assert_true(scale <= 0.0);
    return 0.0;
  }
  assert_true(scale > 0.0 && isfinite(scale));
  double worst = 0.0;
  parl_rng_cursor rng = {3, t->offset, 0};
  for (int k = 0; k < 6; k++) {
    const size_t i = (size_t)parl_rng_next_below(&rng, t->n);
    const double due = difference_quotient(r, t->offset + i);
    const double error = fabs(due - (double)g[i]) / scale;
    worst = fmax(worst, error);
    if (!(error <= 5e-4))
      fail_msg("%s[%zu]: %g, difference quotient %g", t->name, i, (double)g[i], due);
  }
  return worst;
}

static void test_gradient_equals_finite_differences(void **state) {
  (void)state;
  for (size_t s = 0; s < N_CASES; s++) {
    const parl_model_config config = make_config(&CASES[s]);
    run r;
    run_open(&r, &config, parl_backend_ref(), 3, true);
    size_t n;
    const parl_model_tensor *t = parl_model_get_tensors(r.model, &n);
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) worst = fmax(worst, check_tensor(&r, &t[i]));
    print_message("  %-24s worst %.1e\n", CASES[s].name, worst);
    run_close(&r);
  }
}

static void test_backends_agree(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  if (n < 2) skip();
  for (size_t s = 0; s < N_CASES; s++) {
    const parl_model_config config = make_config(&CASES[s]);
    run ref, fast;
    run_open(&ref, &config, backends[0], 3, false);
    size_t n_tensors;
    const parl_model_tensor *t = parl_model_get_tensors(ref.model, &n_tensors);
    for (size_t b = 1; b < n; b++) {
      run_open(&fast, &config, backends[b], 3, false);
      double worst = engine_difference(fast.logits, ref.logits, ref.n_logits);
      for (size_t i = 0; i < n_tensors; i++)
        worst = fmax(worst,
                     engine_difference(fast.grads + t[i].offset, ref.grads + t[i].offset, t[i].n));
      print_message("  %-24s %-8s %.1e\n", CASES[s].name, backends[b]->instructions, worst);
      assert_true(worst <= 1e-5);
      run_close(&fast);
    }
    run_close(&ref);
  }
}

/* A sequence has the same logits, bit for bit, whoever shares its slice. */
static void test_packed_equals_one_by_one(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++)
    for (size_t s = 0; s < N_CASES; s++) {
      const parl_model_config config = make_config(&CASES[s]);
      run r;
      run_open(&r, &config, backends[b], 1, false);
      float *packed = malloc(r.n_logits * sizeof *packed), *logits;
      memcpy(packed, r.logits, r.n_logits * sizeof *packed);
      for (size_t q = 0; q < N_SEQS; q++) {
        const size_t start = (size_t)r.batch->seq_start[q];
        const int32_t bounds[] = {0, (int32_t)LENGTHS[q]};
        const parl_slice one = {.n_seqs = 1,
                                .seq_start = bounds,
                                .tokens = r.batch->tokens + start,
                                .n_outputs = LENGTHS[q],
                                .outputs = r.batch->outputs};
        assert_ok(parl_model_forward(r.model, r.ws, &one, &logits));
        assert_memory_equal(logits, packed + start * ENGINE_VOCAB,
                            LENGTHS[q] * ENGINE_VOCAB * sizeof *logits);
      }
      free(packed);
      run_close(&r);
    }
}

/* What one forward and backward count; three layers, at most four heads and eight experts each. */
typedef struct counts {
  float scores[3 * 4];
  int64_t load[3 * 8];
} counts;

/* Of three layers, so that with a dense first one both kinds are computed again. */
static void observe(const shape_case *c, int recompute, const parl_backend *backend, run *r,
                    counts *found) {
  parl_model_config config = make_config(c);
  config.recompute = recompute;
  config.n_layers = 3;
  run_open(r, &config, backend, 3, false);
  parl_workspace_take_load(r->ws, found->load);
  *found = (counts){0};
  assert_ok(parl_workspace_track_scores(r->ws, r->model));
  parl_workspace_set_aux_weight(r->ws, 0.01);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &r->logits));
  memset(r->grads, 0, r->n_params * sizeof *r->grads);
  assert_ok(parl_model_backward(r->model, r->ws, &r->batch->slice, r->c, r->grads));
  parl_workspace_take_max_scores(r->ws, found->scores);
  parl_workspace_take_load(r->ws, found->load);
}

/* To the same bits, and nothing is counted twice. */
static void test_recomputation_changes_no_bit(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++)
    for (size_t s = 0; s < N_CASES; s++) {
      run kept, again;
      counts one, other;
      observe(&CASES[s], PARL_RECOMPUTE_NONE, backends[b], &kept, &one);
      observe(&CASES[s], PARL_RECOMPUTE_LAYER, backends[b], &again, &other);
      assert_memory_equal(kept.logits, again.logits, kept.n_logits * sizeof(float));
      assert_memory_equal(kept.grads, again.grads, kept.n_params * sizeof(float));
      assert_memory_equal(one.scores, other.scores, sizeof one.scores);
      assert_memory_equal(one.load, other.load, sizeof one.load);
      run_close(&kept);
      run_close(&again);
    }
}

/* ------------------------------------------------------------------------------- decoding */

/* Feeds random chunks of random slots until every text is fed; out [ROWS, V] in row order. */
static void decode(parl_decoder *d, const engine_batch *batch, uint64_t seed, size_t longest,
                   float *out) {
  parl_rng_cursor rng = {seed, 3, 0};
  for (int32_t s = 0; s < N_SEQS; s++) parl_decoder_reset(d, s);
  for (size_t left = ROWS; left > 0;) {
    parl_decoder_row rows[ROWS];
    size_t places[ROWS], n = 0;
    for (size_t k = 0; k < N_SEQS; k++) {
      const size_t s = (k + (size_t)seed) % N_SEQS, held = parl_decoder_get_length(d, (int32_t)s);
      size_t count = (size_t)parl_rng_next_below(&rng, longest + 1);
      if (count > LENGTHS[s] - held) count = LENGTHS[s] - held;
      for (size_t i = 0; i < count; i++) {
        places[n] = (size_t)batch->seq_start[s] + held + i;
        rows[n] = (parl_decoder_row){
            .slot = (int32_t)s, .token = batch->tokens[places[n]], .want_logits = true};
        n++;
      }
    }
    float *logits;
    assert_ok(parl_decoder_step(d, rows, n, &logits));
    for (size_t i = 0; i < n; i++)
      memcpy(out + places[i] * ENGINE_VOCAB, logits + i * ENGINE_VOCAB, ENGINE_VOCAB * sizeof *out);
    left -= n;
  }
}

/* Absorbed, batched, interleaved: as the full forward; and the same bits in any company. */
static void test_decoding(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends), n_floats = ROWS * ENGINE_VOCAB;
  float *first = malloc(n_floats * sizeof *first), *out = malloc(n_floats * sizeof *out);
  for (size_t b = 0; b < n; b++)
    for (size_t s = 0; s < N_CASES; s++) {
      const parl_model_config config = make_config(&CASES[s]);
      run r;
      parl_decoder *d = NULL;
      run_open(&r, &config, backends[b], 1, false);
      assert_ok(
          parl_decoder_create(&(parl_decoder_def){r.model, N_SEQS, 70, ROWS, PARL_CACHE_F32}, &d));
      decode(d, r.batch, 0, 1, first);
      const double error = engine_difference(first, r.logits, n_floats);
      print_message("  %-24s %-20s %.1e\n", CASES[s].name, backends[b]->instructions, error);
      assert_true(error <= 1e-5);
      for (uint64_t seed = 1; seed < 5; seed++) {
        decode(d, r.batch, seed, seed * 20, out);
        assert_memory_equal(out, first, n_floats * sizeof *out);
      }
      parl_decoder_destroy(d);
      run_close(&r);
    }
  free(first);
  free(out);
}

/* ---------------------------------------------------------------------- training, storing */

static parl_status give_cotangent(void *context, size_t i, const parl_slice *slice,
                                  parl_workspace *ws, float *logits) {
  (void)ws;
  (void)context;
  engine_normal(logits, slice->n_outputs * ENGINE_VOCAB, 100 + i);
  return PARL_STATUS_OK;
}

enum { N_SLICES = 9, SLICE_ROWS = 30 };

/* Gradient and loads of nine slices; *grads [n_params] and *load are the caller's to free. Returns
 * the balance loss. */
static double train(const parl_model *m, size_t n_threads, float **grads, int64_t **load) {
  static const size_t lengths[] = {11, 1, 18};
  engine_batch *batches = calloc(N_SLICES, sizeof *batches);
  parl_slice slices[N_SLICES];
  for (size_t i = 0; i < N_SLICES; i++) {
    engine_fill(&batches[i], lengths, 3, 2, 50 + i);
    slices[i] = batches[i].slice;
  }
  parl_workers *workers = NULL;
  float *sum;
  assert_ok(parl_workers_create(n_threads, &workers));
  parl_train_step *step = engine_step(m, workers, 4, SLICE_ROWS);
  const parl_train_batch batch = engine_train_batch(slices, N_SLICES);
  for (int repeat = 0; repeat < 2; repeat++)
    assert_ok(parl_train_step_run(step, &batch, give_cotangent, NULL, &sum));
  const size_t n_load =
      parl_model_get_n_sparse_layers(m) * (size_t)parl_model_get_config(m)->n_routed_experts;
  *grads = malloc(parl_model_get_n_params(m) * sizeof **grads);
  *load = malloc((n_load + 1) * sizeof **load);
  memcpy(*grads, sum, parl_model_get_n_params(m) * sizeof **grads);
  memcpy(*load, parl_train_step_get_load(step), n_load * sizeof **load);
  const double balance = parl_train_step_get_balance(step);
  parl_train_step_destroy(step);
  parl_workers_destroy(workers);
  free(batches);
  return balance;
}

static void test_threads_do_not_matter(void **state) {
  (void)state;
  const parl_model_config config = make_config(&CASES[N_CASES - 1]);
  const size_t E = (size_t)config.n_routed_experts;
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cpu(NULL, &backend));
  parl_model *m = engine_model(&config, backend, 5);
  float *one, *many;
  int64_t *load, *load_many, total = 0;
  const double balance = train(m, 1, &one, &load);
  assert_true(balance > 0.0);
  for (size_t e = 0; e < E; e++) total += load[e];
  assert_int_equal(total, N_SLICES * SLICE_ROWS * config.n_experts_per_tok);
  for (size_t n_threads = 2; n_threads <= 8; n_threads += 3) {
    assert_close(train(m, n_threads, &many, &load_many), balance, 0.0);
    assert_memory_equal(one, many, parl_model_get_n_params(m) * sizeof *one);
    assert_memory_equal(load, load_many, E * sizeof *load);
    free(many);
    free(load_many);
  }
  free(one);
  free(load);
  parl_model_destroy(m);
}

/* The balance loss reaches the router, and a model without sparse layers has none. */
static void test_balance_loss_is_added(void **state) {
  (void)state;
  parl_model_config config = make_config(&CASES[4]);
  float *without, *with;
  int64_t *load;
  config.aux_loss_alpha = 0.0;
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  assert_close(train(m, 1, &without, &load), 0.0, 0.0);
  free(load);
  parl_model_destroy(m);
  config.aux_loss_alpha = 1.0;
  m = engine_model(&config, parl_backend_ref(), 5);
  const double balance = train(m, 1, &with, &load);
  const double layers = (double)parl_model_get_n_sparse_layers(m);
  assert_true(balance > 0.9 * layers && balance < 2.0 * layers); /* 1 where all is even */
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t i = 0; i < n; i++) {
    const double change = engine_difference(with + t[i].offset, without + t[i].offset, t[i].n);
    if (strstr(t[i].name, "mlp.gate.weight") != NULL) assert_true(change > 1e-4);
    if (strstr(t[i].name, "lm_head") != NULL) assert_true(change <= 0.0);
  }
  free(with);
  free(without);
  free(load);
  parl_model_destroy(m);
}

static void test_checkpoint_round_trip(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/a", folder);
  parl_model_config config = make_config(&CASES[N_CASES - 1]);
  parl_model *a = engine_model(&config, parl_backend_ref(), 5);
  parl_model *b = engine_model(&config, parl_backend_ref(), 6);
  const parl_checkpoint_meta meta = {0};
  assert_ok(parl_checkpoint_save(path, a, NULL, &meta, NULL));
  assert_ok(parl_checkpoint_load(path, b, NULL, NULL, NULL));
  assert_memory_equal(engine_params(a), engine_params(b),
                      parl_model_get_n_params(a) * sizeof(float));
  parl_model_destroy(b);
  config.norm_topk_prob = false; /* a flag and a choice count as differences too */
  b = engine_model(&config, parl_backend_ref(), 6);
  assert_fails(parl_checkpoint_load(path, b, NULL, NULL, NULL), PARL_STATUS_EFORMAT,
               "norm_topk_prob");
  assert_fails(parl_model_copy_weights(b, a), PARL_STATUS_EINVAL, "norm_topk_prob");
  parl_model_destroy(a);
  parl_model_destroy(b);
  parl_test_remove_folder(folder);
}

/* --------------------------------------------------------------------------------- config */

static void test_tensor_names(void **state) {
  (void)state;
  const parl_model_config config = make_config(&CASES[5]);
  parl_model *m = engine_model(&config, parl_backend_ref(), 1);
  static const struct {
    const char *name;
    size_t rows, columns;
  } due[] = {{"self_attn.q_a_proj.weight", 11, 20},
             {"self_attn.q_a_layernorm.weight", 11, 0},
             {"self_attn.q_b_proj.weight", 4 * 11, 11},
             {"self_attn.kv_a_proj_with_mqa.weight", 9 + 6, 20},
             {"self_attn.kv_a_layernorm.weight", 9, 0},
             {"self_attn.kv_b_proj.weight", 4 * 12, 9},
             {"self_attn.o_proj.weight", 20, 4 * 7},
             {"mlp.gate.weight", 5, 20},
             {"mlp.gate.e_score_correction_bias", 5, 0},
             {"mlp.experts.4.down_proj.weight", 20, 7}};
  size_t n, end = 0;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t k = 0; k < sizeof due / sizeof due[0]; k++) {
    char name[128];
    snprintf(name, sizeof name, "model.layers.1.%s", due[k].name);
    size_t i = 0;
    while (i < n && strcmp(t[i].name, name) != 0) i++;
    if (i == n) fail_msg("no tensor %s", name);
    assert_int_equal(t[i].shape[0], due[k].rows);
    assert_int_equal(t[i].shape[1], due[k].columns);
  }
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(t[i].offset, end);
    end += t[i].n;
  }
  assert_int_equal(end, parl_model_get_n_params(m));
  parl_model_destroy(m);
}

static void test_bad_configs_are_refused(void **state) {
  (void)state;
  const parl_model_config good = make_config(&CASES[N_CASES - 1]);
  parl_model *m = NULL;
#define REFUSED(field, value, text)                                                           \
  do {                                                                                        \
    parl_model_config c = good;                                                               \
    c.field = (value);                                                                        \
    assert_fails(parl_model_create(&c, 10, parl_backend_ref(), NULL, &m), PARL_STATUS_EINVAL, \
                 text);                                                                       \
  } while (0)
  REFUSED(qk_rope_head_dim, 5, "qk_rope_head_dim = 5");
  REFUSED(n_group, 3, "n_group = 3");
  REFUSED(n_group, 8, "n_group = 8");
  REFUSED(topk_group, 5, "topk_group = 5");
  REFUSED(n_experts_per_tok, 5, "n_experts_per_tok = 5");
  REFUSED(n_routed_experts, 5000, "n_routed_experts");
  REFUSED(kv_lora_rank, 0, "kv_lora_rank");
#undef REFUSED
  assert_null(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradient_equals_finite_differences),
      cmocka_unit_test(test_backends_agree),
      cmocka_unit_test(test_packed_equals_one_by_one),
      cmocka_unit_test(test_recomputation_changes_no_bit),
      cmocka_unit_test(test_decoding),
      cmocka_unit_test(test_threads_do_not_matter),
      cmocka_unit_test(test_balance_loss_is_added),
      cmocka_unit_test(test_checkpoint_round_trip),
      cmocka_unit_test(test_tensor_names),
      cmocka_unit_test(test_bad_configs_are_refused),
  };
  return cmocka_run_group_tests_name("architecture", tests, NULL, NULL);
}
