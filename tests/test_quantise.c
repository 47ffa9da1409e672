/* tests/test_quantise.c - int4 by groups of 32, and a model whose experts are rounded: it computes
 * what a model with those very weights does, and its gradient goes to the weights behind them. */
#include "core/bf16.h"
#include "core/rng.h"
#include "engine/checkpoint.h"
#include "engine/decoder.h"
#include "engine/model_internal.h"
#include "tests/engine_support.h"
#include "tests/support.h"

static void round_int4(size_t rows, size_t columns, const float *w, float *out) {
  const parl_backend *backend = NULL;
  assert_ok(parl_backend_cpu("portable", &backend));
  const parl_round_int4_args args = {rows, columns, w, out};
  backend->round_int4(NULL, &args);
}

/* One whole group and a short one: largest 3.5, scale 0.5; largest 14, scale 2. */
static void test_by_hand(void **state) {
  (void)state;
  float w[36] = {0}, out[36];
  const float first[] = {3.5F, -3.5F, 0.24F, 0.25F, 0.26F, -0.75F, 1.3F, 0.0F};
  const float due[] = {3.5F, -3.5F, 0.0F, 0.0F, 0.5F, -1.0F, 1.5F, 0.0F};
  memcpy(w, first, sizeof first);
  w[32] = -14.0F;
  w[33] = 3.0F; /* halfway between 1 and 2 times the scale: to even */
  w[34] = 5.0F;
  w[35] = 0.9F;
  round_int4(1, 36, w, out);
  for (size_t i = 0; i < 8; i++) assert_close((double)out[i], (double)due[i], 0.0);
  for (size_t i = 8; i < 32; i++) assert_close((double)out[i], 0.0, 0.0);
  assert_close((double)out[32], -14.0, 0.0);
  assert_close((double)out[33], 4.0, 0.0);
  assert_close((double)out[34], 4.0, 0.0);
  assert_close((double)out[35], 0.0, 0.0);
}

/* A scale is a bf16: 1 / 7 becomes 0.142578125, so the largest weight moves as well. */
static void test_scale_is_stored_as_bf16(void **state) {
  (void)state;
  const float w[] = {1.0F, -0.5F};
  float out[2];
  round_int4(1, 2, w, out);
  assert_close((double)out[0], 7 * 0.142578125, 0.0);
  assert_close((double)out[1], -4 * 0.142578125, 0.0); /* 3.507 rounds to 4 */
}

/* Errors are at most half a scale, there are 15 levels, and rounding twice is rounding once. */
static void test_properties(void **state) {
  (void)state;
  enum { ROWS = 40, COLUMNS = 77 };
  float w[ROWS * COLUMNS], once[ROWS * COLUMNS], twice[ROWS * COLUMNS];
  engine_normal(w, ROWS * COLUMNS, 3);
  for (size_t i = 0; i < ROWS * COLUMNS; i++) w[i] *= powf(10.0F, (float)(i / COLUMNS) - 20.0F);
  round_int4(ROWS, COLUMNS, w, once);
  round_int4(ROWS, COLUMNS, once, twice);
  assert_memory_equal(once, twice, sizeof once);
  for (size_t row = 0; row < ROWS; row++)
    for (size_t start = 0; start < COLUMNS; start += PARL_INT4_GROUP) {
      const size_t n = COLUMNS - start < PARL_INT4_GROUP ? COLUMNS - start : PARL_INT4_GROUP;
      const float *x = w + row * COLUMNS + start, *y = once + row * COLUMNS + start;
      const double scale =
          (double)parl_bf16_to_float(parl_bf16_from_float((float)(engine_max_abs(x, n) / 7.0)));
      for (size_t i = 0; i < n; i++) {
        const double level = (double)y[i] / scale;
        assert_close(level, rint(level), 0.0);
        assert_true(fabs(level) <= 7.0);
        assert_true(fabs((double)x[i] - (double)y[i]) <= 0.5000001 * scale);
      }
    }
}

/* A weight that is not finite stays visible. */
static void test_bad_weights(void **state) {
  (void)state;
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 3; i++) {
    float w[] = {0.0F, bad[i], 0.0F}, out[3];
    round_int4(1, 3, w, out);
    assert_true(isnan(out[1]));
  }
}

/* ---------------------------------------------------------------------------------- models */

static const size_t LENGTHS[] = {11, 1, 18, 30};
enum { N_SEQS = 4, ROWS_IN_ALL = 60 };

static parl_model_config sparse_config(int quant) {
  parl_model_config c = engine_config(2);
  c.attention = PARL_ATTENTION_MLA;
  c.d_model = 40; /* a whole group and a short one */
  c.n_routed_experts = 4;
  c.moe_d_ff = 35;
  c.first_k_dense = 0;
  c.expert_quant = quant;
  return c;
}

/* Puts what the model's experts compute with into its parameters. */
static void round_parameters(parl_model *m) {
  for (size_t i = 0; i < m->n_matrices; i++) {
    const parl_matrix *w = m->matrices[i];
    if (w->rounded == NULL) continue;
    memcpy(m->params + w->offset, w->rounded, w->N * w->K * sizeof *w->rounded);
  }
}

typedef struct run {
  parl_workspace *ws;
  engine_batch *batch;
  float *logits, *grads;
  size_t n_logits;
} run;

static void run_open(run *r, const parl_model *m) {
  r->batch = calloc(1, sizeof *r->batch);
  engine_fill(r->batch, LENGTHS, N_SEQS, 3, 7);
  r->n_logits = r->batch->slice.n_outputs * ENGINE_VOCAB;
  r->grads = calloc(parl_model_get_n_params(m), sizeof *r->grads);
  assert_ok(parl_workspace_create(m, ROWS_IN_ALL, ROWS_IN_ALL, &r->ws));
  assert_ok(parl_model_forward(m, r->ws, &r->batch->slice, &r->logits));
  float *c = malloc(r->n_logits * sizeof *c);
  engine_normal(c, r->n_logits, 11);
  assert_ok(parl_model_backward(m, r->ws, &r->batch->slice, c, r->grads));
  free(c);
}

static void run_close(run *r) {
  parl_workspace_destroy(r->ws);
  free(r->batch);
  free(r->grads);
}

static void compare_decoding(const parl_model *a, const parl_model *b) {
  const parl_model *models[] = {a, b};
  float kept[8 * ENGINE_VOCAB];
  for (size_t k = 0; k < 2; k++) {
    parl_decoder *d = NULL;
    parl_decoder_row rows[8];
    float *logits;
    const parl_decoder_def def = {
        .model = models[k], .n_slots = 1, .max_context = 16, .max_rows = 8};
    assert_ok(parl_decoder_create(&def, &d));
    for (int i = 0; i < 8; i++)
      rows[i] = (parl_decoder_row){.slot = 0, .token = 3 * i, .want_logits = true};
    assert_ok(parl_decoder_step(d, rows, 8, &logits));
    if (k == 0) memcpy(kept, logits, sizeof kept);
    assert_memory_equal(kept, logits, sizeof kept);
    parl_decoder_destroy(d);
  }
}

/* Forward, decoding and gradients are those of a plain model with the rounded weights: the
 * gradient of a rounded weight is handed to the weight behind it as it is. */
static void test_straight_through(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    const parl_model_config rounded = sparse_config(PARL_EXPERT_QUANT_INT4);
    const parl_model_config plain = sparse_config(PARL_EXPERT_QUANT_NONE);
    parl_model *a = engine_model(&rounded, backends[b], 5);
    parl_model *c = engine_model(&rounded, backends[b], 5);
    parl_model *d = engine_model(&plain, backends[b], 5);
    const size_t n_bytes = parl_model_get_n_params(a) * sizeof(float);
    assert_memory_equal(engine_params(a), engine_params(d), n_bytes);
    round_parameters(c);
    memcpy(engine_params(d), engine_params(c), n_bytes);
    parl_model_refresh(d);
    assert_true(memcmp(engine_params(a), engine_params(d), n_bytes) != 0);
    run r, due;
    run_open(&r, a);
    run_open(&due, d);
    assert_memory_equal(r.logits, due.logits, r.n_logits * sizeof(float));
    assert_memory_equal(r.grads, due.grads, n_bytes);
    compare_decoding(a, d);
    run_close(&r);
    run_close(&due);
    parl_model_destroy(a);
    parl_model_destroy(c);
    parl_model_destroy(d);
  }
}

/* A run without rounding may be continued with it. */
static void test_checkpoints_are_shared(void **state) {
  (void)state;
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 8];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/a", folder);
  const parl_model_config plain = sparse_config(PARL_EXPERT_QUANT_NONE);
  const parl_model_config rounded = sparse_config(PARL_EXPERT_QUANT_INT4);
  parl_model *a = engine_model(&plain, parl_backend_ref(), 5);
  parl_model *b = engine_model(&rounded, parl_backend_ref(), 6);
  assert_ok(parl_checkpoint_save(path, a, NULL, &(parl_checkpoint_meta){0}, NULL));
  assert_ok(parl_checkpoint_load(path, b, NULL, NULL, NULL));
  assert_memory_equal(engine_params(a), engine_params(b),
                      parl_model_get_n_params(a) * sizeof(float));
  parl_model_destroy(a);
  parl_model_destroy(b);
  parl_test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),          cmocka_unit_test(test_scale_is_stored_as_bf16),
      cmocka_unit_test(test_properties),       cmocka_unit_test(test_bad_weights),
      cmocka_unit_test(test_straight_through), cmocka_unit_test(test_checkpoints_are_shared),
  };
  return cmocka_run_group_tests_name("quantise", tests, NULL, NULL);
}
