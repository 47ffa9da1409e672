/* tests/test_model.c - the network against a naive copy, its gradient against
 * finite differences. */

#include "core/rng.h"
#include "engine/model.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static const size_t LENGTHS[] = {11, 1, 18};
enum { N_SEQS = 3, ROWS = 30 };

typedef struct run {
  parl_model *model;
  parl_workspace *ws;
  engine_batch *batch;
  float *logits; /* borrowed from ws */
  float *grads;  /* [n_params] */
  size_t n_params, n_logits;
} run;

static void run_open(run *r, const parl_model_config *config, const parl_backend *backend,
                     size_t stride) {
  r->model = engine_model(config, backend, 5);
  assert_ok(parl_workspace_create(r->model, ROWS, ROWS, &r->ws));
  r->batch = calloc(1, sizeof *r->batch);
  engine_fill(r->batch, LENGTHS, N_SEQS, stride, 7);
  r->n_params = parl_model_get_n_params(r->model);
  r->n_logits = r->batch->slice.n_outputs * ENGINE_VOCAB;
  r->grads = calloc(r->n_params, sizeof *r->grads);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &r->logits));
}

static void run_close(run *r) {
  parl_workspace_destroy(r->ws);
  parl_model_destroy(r->model);
  free(r->batch);
  free(r->grads);
}

/* dlogits of the loss sum_i c_i logits_i, c normal; the gradient lands in r->grads. */
static float *run_backward(run *r) {
  float *c = malloc(r->n_logits * sizeof *c);
  engine_normal(c, r->n_logits, 11);
  assert_ok(parl_model_backward(r->model, r->ws, &r->batch->slice, c, r->grads));
  return c;
}

/* ------------------------------------------------------------------ a naive copy, in double */

static const float *find_weight(parl_model *m, int layer, const char *part) {
  char name[96];
  if (layer < 0)
    snprintf(name, sizeof name, "%s.weight", part);
  else
    snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, part);
  size_t n;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(t[i].name, name) == 0) return engine_params(m) + t[i].offset;
  fail_msg("no tensor %s", name);
  return NULL;
}

static void naive_product(const float *w, size_t n, size_t k, const double *x, double *y) {
  for (size_t i = 0; i < n; i++) {
    y[i] = 0.0;
    for (size_t j = 0; j < k; j++) y[i] += (double)w[i * k + j] * x[j];
  }
}

static void naive_norm(const float *w, const double *x, size_t n, double eps, double *y) {
  double squares = 0.0;
  for (size_t i = 0; i < n; i++) squares += x[i] * x[i];
  for (size_t i = 0; i < n; i++) y[i] = x[i] / sqrt(squares / (double)n + eps) * (double)w[i];
}

static void naive_rotate(double *x, size_t heads, size_t D, size_t position, double theta) {
  for (size_t h = 0; h < heads; h++)
    for (size_t i = 0; i < D / 2; i++) {
      const double angle = (double)position * pow(theta, -2.0 * (double)i / (double)D);
      double *p = x + h * D + 2 * i;
      const double a = p[0], b = p[1];
      p[0] = a * cos(angle) - b * sin(angle);
      p[1] = a * sin(angle) + b * cos(angle);
    }
}

enum { MAX_T = 32, MAX_C = 64, MAX_QKV = 128 };
typedef struct naive {
  double x[MAX_T][MAX_C], q[MAX_T][MAX_QKV], k[MAX_T][MAX_QKV], v[MAX_T][MAX_QKV];
} naive;

static void naive_attend(const naive *s, const parl_model_config *c, size_t t, double *out) {
  const size_t D = (size_t)c->head_dim;
  for (size_t h = 0; h < (size_t)c->n_heads; h++) {
    const size_t group = h / (size_t)(c->n_heads / c->n_kv_heads);
    double p[MAX_T], sum = 0.0;
    for (size_t u = 0; u <= t; u++) {
      double score = 0.0;
      for (size_t i = 0; i < D; i++) score += s->q[t][h * D + i] * s->k[u][group * D + i];
      sum += p[u] = exp(score / sqrt((double)D));
    }
    for (size_t i = 0; i < D; i++) {
      out[h * D + i] = 0.0;
      for (size_t u = 0; u <= t; u++) out[h * D + i] += p[u] / sum * s->v[u][group * D + i];
    }
  }
}

static void naive_layer(naive *s, parl_model *m, int layer, size_t T) {
  const parl_model_config *c = parl_model_get_config(m);
  const size_t C = (size_t)c->d_model, F = (size_t)c->d_ff, D = (size_t)c->head_dim;
  const size_t H = (size_t)c->n_heads, H_kv = (size_t)c->n_kv_heads;
  double h[MAX_C], mixed[MAX_QKV], delta[MAX_C], gate[MAX_C], up[MAX_C];
  for (size_t t = 0; t < T; t++) {
    naive_norm(find_weight(m, layer, "input_layernorm"), s->x[t], C, c->norm_eps, h);
    naive_product(find_weight(m, layer, "self_attn.q_proj"), H * D, C, h, s->q[t]);
    naive_product(find_weight(m, layer, "self_attn.k_proj"), H_kv * D, C, h, s->k[t]);
    naive_product(find_weight(m, layer, "self_attn.v_proj"), H_kv * D, C, h, s->v[t]);
    naive_rotate(s->q[t], H, D, t, c->rope_theta);
    naive_rotate(s->k[t], H_kv, D, t, c->rope_theta);
  }
  for (size_t t = 0; t < T; t++) {
    naive_attend(s, c, t, mixed);
    naive_product(find_weight(m, layer, "self_attn.o_proj"), C, H * D, mixed, delta);
    for (size_t i = 0; i < C; i++) s->x[t][i] += delta[i];
    naive_norm(find_weight(m, layer, "post_attention_layernorm"), s->x[t], C, c->norm_eps, h);
    naive_product(find_weight(m, layer, "mlp.gate_proj"), F, C, h, gate);
    naive_product(find_weight(m, layer, "mlp.up_proj"), F, C, h, up);
    for (size_t i = 0; i < F; i++) gate[i] *= up[i] / (1.0 + exp(-gate[i]));
    naive_product(find_weight(m, layer, "mlp.down_proj"), C, F, gate, delta);
    for (size_t i = 0; i < C; i++) s->x[t][i] += delta[i];
  }
}

/* out [T,V] of one sequence. */
static void naive_forward(parl_model *m, const int32_t *tokens, size_t T, float *out) {
  const parl_model_config *c = parl_model_get_config(m);
  const size_t C = (size_t)c->d_model;
  naive *s = calloc(1, sizeof *s);
  const float *table = find_weight(m, -1, "model.embed_tokens");
  for (size_t t = 0; t < T; t++)
    for (size_t i = 0; i < C; i++) s->x[t][i] = (double)table[(size_t)tokens[t] * C + i];
  for (int i = 0; i < (int)c->n_layers; i++) naive_layer(s, m, i, T);
  for (size_t t = 0; t < T; t++) {
    double h[MAX_C], logits[ENGINE_VOCAB];
    naive_norm(find_weight(m, -1, "model.norm"), s->x[t], C, c->norm_eps, h);
    naive_product(find_weight(m, -1, "lm_head"), ENGINE_VOCAB, C, h, logits);
    for (size_t v = 0; v < ENGINE_VOCAB; v++) out[t * ENGINE_VOCAB + v] = (float)logits[v];
  }
  free(s);
}

static void test_forward_equals_naive(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  float *expected = malloc(ROWS * ENGINE_VOCAB * sizeof *expected);
  for (size_t b = 0; b < n; b++)
    for (int64_t kv = 1; kv <= 4; kv *= 2) {
      const parl_model_config config = engine_config(kv);
      run r;
      run_open(&r, &config, backends[b], 1);
      for (size_t s = 0; s < N_SEQS; s++) {
        const size_t start = (size_t)r.batch->seq_start[s];
        naive_forward(r.model, r.batch->tokens + start, LENGTHS[s],
                      expected + start * ENGINE_VOCAB);
      }
      const double error = engine_difference(r.logits, expected, ROWS * ENGINE_VOCAB);
      print_message("  %s %s kv %d: %.1e\n", backends[b]->name, backends[b]->instructions, (int)kv,
                    error);
      assert_true(error <= 1e-5);
      run_close(&r);
    }
  free(expected);
}

/* ------------------------------------------------------------------------------- gradient */

static double loss(run *r, const float *c) {
  float *logits;
  parl_model_refresh(r->model);
  assert_ok(parl_model_forward(r->model, r->ws, &r->batch->slice, &logits));
  double sum = 0.0;
  for (size_t i = 0; i < r->n_logits; i++) sum += (double)c[i] * (double)logits[i];
  return sum;
}

/* Fourth-order central difference in parameter i. f32 activations carry noise of ~1e-7 of the loss,
 * so the step is wide (0.01 at weights of 0.3) and the order high: half or twice the step is
 * worse. */
static double difference_quotient(run *r, const float *c, size_t i) {
  float *p = engine_params(r->model) + i;
  const float middle = *p, h = 0.01F;
  double value[5] = {0};
  for (int k = -2; k <= 2; k++) {
    if (k == 0) continue;
    *p = middle + (float)k * h;
    value[k + 2] = loss(r, c);
  }
  *p = middle;
  return (8.0 * (value[3] - value[1]) - (value[4] - value[0])) / (12.0 * (double)h);
}

static double check_tensor(run *r, const float *c, const parl_model_tensor *t) {
  const float *g = r->grads + t->offset;
  const double scale = engine_max_abs(g, t->n);
  assert_true(scale > 0.0 && isfinite(scale));
  double worst = 0.0;
  parl_rng_cursor rng = {3, t->offset, 0};
  for (int k = 0; k < 50; k++) {
    const size_t i = (size_t)parl_rng_next_below(&rng, t->n);
    const double error = fabs(difference_quotient(r, c, t->offset + i) - (double)g[i]) / scale;
    worst = fmax(worst, error);
    if (!(error <= 2e-4)) {
      print_error("%s[%zu]: %g, difference quotient %g\n", t->name, i, (double)g[i],
                  difference_quotient(r, c, t->offset + i));
      fail();
    }
  }
  return worst;
}

static void test_gradient_equals_finite_differences(void **state) {
  (void)state;
  for (int64_t kv = 1; kv <= 4; kv *= 2) {
    const parl_model_config config = engine_config(kv);
    run r;
    run_open(&r, &config, parl_backend_ref(), 3);
    float *c = run_backward(&r);
    size_t n_tensors;
    const parl_model_tensor *tensors = parl_model_get_tensors(r.model, &n_tensors);
    double worst = 0.0;
    for (size_t i = 0; i < n_tensors; i++) worst = fmax(worst, check_tensor(&r, c, &tensors[i]));
    print_message("  kv %d: worst error relative to the tensor's largest gradient %.1e\n", (int)kv,
                  worst);
    free(c);
    run_close(&r);
  }
}

static void test_backends_agree_on_every_gradient(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  if (n < 2) skip();
  for (int64_t kv = 1; kv <= 4; kv *= 2) {
    const parl_model_config config = engine_config(kv);
    run ref, fast;
    run_open(&ref, &config, backends[0], 3);
    free(run_backward(&ref));
    size_t n_tensors;
    const parl_model_tensor *t = parl_model_get_tensors(ref.model, &n_tensors);
    for (size_t b = 1; b < n; b++) {
      run_open(&fast, &config, backends[b], 3);
      free(run_backward(&fast));
      double worst = 0.0;
      for (size_t i = 0; i < n_tensors; i++)
        worst = fmax(worst,
                     engine_difference(fast.grads + t[i].offset, ref.grads + t[i].offset, t[i].n));
      print_message("  %s kv %d: worst tensor %.1e\n", backends[b]->instructions, (int)kv, worst);
      assert_true(worst <= 1e-5);
      run_close(&fast);
    }
    run_close(&ref);
  }
}

/* --------------------------------------------------------------------------------- slices */

static void test_packed_equals_one_by_one(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  const parl_model_config config = engine_config(2);
  for (size_t b = 0; b < n; b++) {
    run r;
    run_open(&r, &config, backends[b], 1);
    float *packed = malloc(r.n_logits * sizeof *packed), *sum = calloc(r.n_params, sizeof *sum);
    memcpy(packed, r.logits, r.n_logits * sizeof *packed);
    float *c = run_backward(&r);
    for (size_t s = 0; s < N_SEQS; s++) {
      const size_t start = (size_t)r.batch->seq_start[s];
      const int32_t bounds[] = {0, (int32_t)LENGTHS[s]};
      int32_t outputs[ROWS];
      for (int32_t i = 0; i < bounds[1]; i++) outputs[i] = i;
      const parl_slice one = {.n_seqs = 1,
                              .seq_start = bounds,
                              .tokens = r.batch->tokens + start,
                              .n_outputs = LENGTHS[s],
                              .outputs = outputs};
      float *logits;
      assert_ok(parl_model_forward(r.model, r.ws, &one, &logits));
      assert_memory_equal(logits, packed + start * ENGINE_VOCAB,
                          LENGTHS[s] * ENGINE_VOCAB * sizeof *logits);
      assert_ok(parl_model_backward(r.model, r.ws, &one, c + start * ENGINE_VOCAB, sum));
    }
    assert_true(engine_difference(sum, r.grads, r.n_params) <= 2e-6);
    free(packed);
    free(sum);
    free(c);
    run_close(&r);
  }
}

/* A subset of outputs is the same logits, and the gradient of a loss that ignores the others. */
static void test_outputs_subset(void **state) {
  (void)state;
  const parl_model_config config = engine_config(4);
  run all, some;
  run_open(&all, &config, parl_backend_ref(), 1);
  run_open(&some, &config, parl_backend_ref(), 4);
  float *c = run_backward(&some), *full = calloc(all.n_logits, sizeof *full);
  for (size_t i = 0; i < some.batch->slice.n_outputs; i++) {
    const size_t row = (size_t)some.batch->outputs[i];
    assert_memory_equal(some.logits + i * ENGINE_VOCAB, all.logits + row * ENGINE_VOCAB,
                        ENGINE_VOCAB * sizeof *full);
    memcpy(full + row * ENGINE_VOCAB, c + i * ENGINE_VOCAB, ENGINE_VOCAB * sizeof *full);
  }
  assert_ok(parl_model_backward(all.model, all.ws, &all.batch->slice, full, all.grads));
  assert_true(engine_difference(some.grads, all.grads, all.n_params) <= 1e-6);
  free(c);
  free(full);
  run_close(&all);
  run_close(&some);
}

static void test_no_outputs(void **state) {
  (void)state;
  const parl_model_config config = engine_config(4);
  run r;
  run_open(&r, &config, parl_backend_ref(), 1);
  r.batch->slice.n_outputs = 0;
  assert_ok(parl_model_forward(r.model, r.ws, &r.batch->slice, &r.logits));
  assert_ok(parl_model_backward(r.model, r.ws, &r.batch->slice, r.logits, r.grads));
  assert_true(engine_max_abs(r.grads, r.n_params) <= 0.0);
  run_close(&r);
}

static void test_bad_slices_are_refused(void **state) {
  (void)state;
  parl_model_config config = engine_config(4);
  config.max_context = 18;
  run r;
  run_open(&r, &config, parl_backend_ref(), 1);
  float *logits = NULL;
  parl_slice *s = &r.batch->slice;
  const parl_slice good = *s;
#define REFUSED() assert_status(parl_model_forward(r.model, r.ws, s, &logits), PARL_STATUS_EINVAL)
  r.batch->tokens[4] = ENGINE_VOCAB;
  REFUSED();
  r.batch->tokens[4] = -1;
  REFUSED();
  r.batch->tokens[4] = 0;
  s->n_seqs = 0;
  REFUSED();
  *s = good;
  const int32_t empty[] = {0, 5, 5, 9}, late[] = {1, 5, 6, 9}, back[] = {0, 5, 3, 9},
                overlong[] = {0, 19}, too_many[] = {0, 16, 31};
  const int32_t *const bad_starts[] = {empty, late, back};
  for (size_t i = 0; i < 3; i++) {
    s->seq_start = bad_starts[i];
    REFUSED();
  }
  s->seq_start = overlong;
  s->n_seqs = 1;
  REFUSED();
  s->seq_start = too_many;
  s->n_seqs = 2;
  REFUSED();
  *s = good;
  const int32_t twice[] = {1, 1}, beyond[] = {1, ROWS}, negative[] = {-1, 1};
  const int32_t *const bad_outputs[] = {twice, beyond, negative};
  s->n_outputs = 2;
  for (size_t i = 0; i < 3; i++) {
    s->outputs = bad_outputs[i];
    REFUSED();
  }
  *s = good;
  s->n_outputs = ROWS + 1;
  REFUSED();
#undef REFUSED
  assert_null(logits);
  *s = good;
  s->n_outputs--;
  assert_status(parl_model_backward(r.model, r.ws, s, r.logits, r.grads), PARL_STATUS_ESTATE);
  *s = good;
  assert_ok(parl_model_forward(r.model, r.ws, s, &r.logits));
  assert_ok(parl_model_backward(r.model, r.ws, s, r.logits, r.grads));
  assert_status(parl_model_backward(r.model, r.ws, s, r.logits, r.grads), PARL_STATUS_ESTATE);
  run_close(&r);
}

/* --------------------------------------------------------------------------------- config */

static void test_bad_configs_are_refused(void **state) {
  (void)state;
  const parl_model_config good = engine_config(4);
  parl_model *m = NULL;
#define REFUSED(field, value, vocab, text)                                      \
  do {                                                                          \
    parl_model_config c = good;                                                 \
    c.field = (value);                                                          \
    assert_status(parl_model_create(&c, (vocab), parl_backend_ref(), NULL, &m), \
                  PARL_STATUS_EINVAL);                                          \
    assert_contains(parl_error_text(), text);                                   \
  } while (0)
  REFUSED(n_kv_heads, 3, 10, "n_kv_heads = 3");
  REFUSED(head_dim, 5, 10, "head_dim = 5");
  REFUSED(n_layers, 0, 10, "n_layers = 0");
  REFUSED(d_model, 1 << 20, 10, "d_model");
  REFUSED(norm_eps, (double)NAN, 10, "norm_eps");
  REFUSED(n_layers, 2, 1, "1 is outside");
  REFUSED(n_layers, 2, (size_t)1 << 40, "vocabulary");
#undef REFUSED
  assert_null(m);
}

/* Whoever asks to stop need not wait for a large model's weights. */
static void test_new_weights_stop(void **state) {
  (void)state;
  const parl_model_config config = engine_config(2);
  atomic_int stop = 1;
  parl_model *m = NULL, *from = engine_model(&config, parl_backend_ref(), 1);
  assert_fails(parl_model_create(&config, ENGINE_VOCAB, parl_backend_ref(), &stop, &m),
               PARL_STATUS_ESTOPPED, "while the weights were made");
  assert_null(m);
  stop = 0;
  assert_ok(parl_model_create(&config, ENGINE_VOCAB, parl_backend_ref(), &stop, &m));
  stop = 1;
  assert_fails(parl_model_init_weights(m, 1), PARL_STATUS_ESTOPPED, "while the weights were made");
  assert_fails(parl_model_copy_weights(m, from), PARL_STATUS_ESTOPPED, "weights were made");
  for (size_t i = 0; i < parl_model_get_n_params(m); i++)
    assert_close((double)engine_params(m)[i], 0.0, 0.0);
  assert_ok(parl_model_refresh(m)); /* a step's is never left half-way */
  stop = 0;
  assert_ok(parl_model_init_weights(m, 1));
  parl_model_destroy(m);
  parl_model_destroy(from);
}

static void test_tensor_table(void **state) {
  (void)state;
  const parl_model_config config = engine_config(2);
  parl_model *m = engine_model(&config, parl_backend_ref(), 1);
  size_t n, end = 0;
  const parl_model_tensor *t = parl_model_get_tensors(m, &n);
  assert_int_equal(n, 3 + 2 * 9);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(t[i].offset, end);
    assert_int_equal(t[i].n, t[i].shape[0] * (t[i].n_dims == 2 ? t[i].shape[1] : 1));
    assert_int_equal(t[i].decay, t[i].n_dims == 2);
    end += t[i].n;
  }
  assert_int_equal(end, parl_model_get_n_params(m));
  assert_string_equal(t[0].name, "model.embed_tokens.weight");
  assert_string_equal(t[2].name, "model.layers.0.self_attn.q_proj.weight");
  assert_string_equal(t[3].name, "model.layers.0.self_attn.k_proj.weight");
  assert_int_equal(t[3].shape[0], 12);
  assert_string_equal(t[n - 1].name, "lm_head.weight");
  parl_model_destroy(m);
}

static void test_init_and_copy(void **state) {
  (void)state;
  parl_model_config config = engine_config(2);
  parl_model *a = engine_model(&config, parl_backend_ref(), 1);
  parl_model *b = engine_model(&config, parl_backend_ref(), 1);
  parl_model *c = engine_model(&config, parl_backend_ref(), 2);
  const size_t bytes = parl_model_get_n_params(a) * sizeof(float);
  assert_memory_equal(engine_params(a), engine_params(b), bytes);
  assert_memory_not_equal(engine_params(a), engine_params(c), bytes);
  double squares = 0.0;
  for (size_t i = 0; i < 37 * 20; i++) squares += pow((double)engine_params(a)[i], 2.0);
  assert_close(sqrt(squares / (37 * 20)), 0.3, 0.03);
  assert_ok(parl_model_copy_weights(c, a));
  assert_memory_equal(engine_params(a), engine_params(c), bytes);
  config.rope_theta = 500.0;
  parl_model *other = engine_model(&config, parl_backend_ref(), 2);
  assert_status(parl_model_copy_weights(other, a), PARL_STATUS_EINVAL);
  assert_contains(parl_error_text(), "rope_theta");
  parl_model_destroy(a);
  parl_model_destroy(b);
  parl_model_destroy(c);
  parl_model_destroy(other);
}

/* Two matrices and one attention pair, counted by hand: C 20, q 24, kv 12, F 28, V 37, L 2. */
static void test_flops(void **state) {
  (void)state;
  const parl_model_config config = engine_config(2);
  parl_model *m = engine_model(&config, parl_backend_ref(), 1);
  const double macs = 2 * (20 * 48 + 24 * 20 + 3 * 20 * 28) + 20 * 37;
  assert_close(parl_model_decode_flops(m, 0.0), 2 * macs, 0.0);
  assert_close(parl_model_decode_flops(m, 10.0), 2 * (macs + 2 * 2 * 24 * 10), 0.0);
  assert_close(parl_model_train_flops(m, 0.0), 6 * macs, 0.0);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_naive),
      cmocka_unit_test(test_gradient_equals_finite_differences),
      cmocka_unit_test(test_backends_agree_on_every_gradient),
      cmocka_unit_test(test_packed_equals_one_by_one),
      cmocka_unit_test(test_outputs_subset),
      cmocka_unit_test(test_no_outputs),
      cmocka_unit_test(test_bad_slices_are_refused),
      cmocka_unit_test(test_bad_configs_are_refused),
      cmocka_unit_test(test_new_weights_stop),
      cmocka_unit_test(test_tensor_table),
      cmocka_unit_test(test_init_and_copy),
      cmocka_unit_test(test_flops),
  };
  return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
