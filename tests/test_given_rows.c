/* tests/test_given_rows.c - the seam between a backbone and a tower: rows that are given instead of
 * looked up, and what comes back for them; in slices and in decoders. */
#include "engine/decoder.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { ROWS = 19, GIVEN = 7, MAX_C = 64 };
static const int32_t PLACES[GIVEN] = {1, 2, 3, 8, 12, 13, 18}; /* two runs, two alone; the end */

typedef struct rig {
  const parl_backend *backend;
  parl_model *model;
  parl_workspace *ws;
  engine_batch batch;
  size_t C, n_params;
  float given[GIVEN * MAX_C], dgiven[GIVEN * MAX_C];
  float *dlogits, *grads;
} rig;

static void rig_open(rig *r, const parl_backend *backend) {
  static const size_t lengths[] = {10, 9};
  const parl_model_config c = engine_config(2);
  *r = (rig){.backend = backend, .model = engine_model(&c, backend, 3), .C = (size_t)c.d_model};
  assert_true(r->C <= MAX_C);
  assert_ok(parl_workspace_create(r->model, ROWS, ROWS, &r->ws));
  engine_fill(&r->batch, lengths, 2, 1, 5);
  for (int32_t i = 0; i < ROWS; i++) r->batch.tokens[i] = i + 2; /* every token once */
  r->n_params = parl_model_get_n_params(r->model);
  r->grads = calloc(r->n_params, sizeof *r->grads);
  r->dlogits = calloc((size_t)ROWS * ENGINE_VOCAB, sizeof *r->dlogits);
  engine_normal(r->dlogits, (size_t)ROWS * ENGINE_VOCAB, 7);
}

static void rig_close(rig *r) {
  parl_workspace_destroy(r->ws);
  parl_model_destroy(r->model);
  free(r->grads);
  free(r->dlogits);
}

/* The slice with rows given: placeholders of one token in their stead. */
static parl_slice give(rig *r, int32_t placeholder) {
  parl_slice s = r->batch.slice;
  s.n_given = GIVEN;
  s.given_rows = PLACES;
  s.given = r->given;
  s.dgiven = r->dgiven;
  for (size_t i = 0; i < GIVEN; i++) r->batch.tokens[PLACES[i]] = placeholder;
  return s;
}

/* logits [ROWS,V] of its own and the gradient in r->grads. */
static void run(rig *r, const parl_slice *slice, float *logits) {
  float *out;
  assert_ok(parl_model_forward(r->model, r->ws, slice, &out));
  memcpy(logits, out, (size_t)ROWS * ENGINE_VOCAB * sizeof *logits);
  memset(r->grads, 0, r->n_params * sizeof *r->grads);
  assert_ok(parl_model_backward(r->model, r->ws, slice, r->dlogits, r->grads));
}

/* Given what would have been looked up, the logits have the same bits; the gradient that went to
 * the embeddings comes back instead, and no embedding is touched by a placeholder. */
static void test_given_is_as_looked_up(void **state) {
  (void)state;
  static float before[ROWS * ENGINE_VOCAB], after[ROWS * ENGINE_VOCAB];
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    rig r;
    rig_open(&r, backends[b]);
    run(&r, &r.batch.slice, before);
    float *table = engine_params(r.model), due[GIVEN * MAX_C];
    for (size_t i = 0; i < GIVEN; i++) {
      const size_t at = (size_t)r.batch.tokens[PLACES[i]] * r.C;
      memcpy(r.given + i * r.C, table + at, r.C * sizeof *table);
      memcpy(due + i * r.C, r.grads + at, r.C * sizeof *due);
    }
    float *rest = calloc(r.n_params, sizeof *rest);
    memcpy(rest, r.grads, r.n_params * sizeof *rest);
    for (size_t i = 0; i < GIVEN; i++)
      memset(rest + (size_t)r.batch.tokens[PLACES[i]] * r.C, 0, r.C * sizeof *rest);
    const parl_slice slice = give(&r, 1);
    memset(r.dgiven, 0xff, sizeof r.dgiven);
    run(&r, &slice, after);
    assert_memory_equal(before, after, sizeof before);
    assert_memory_equal(r.dgiven, due, GIVEN * r.C * sizeof *due);
    assert_memory_equal(r.grads, rest, r.n_params * sizeof *rest);
    for (size_t k = 0; k < r.C; k++) assert_true(r.grads[r.C + k] == 0.0F); /* token 1's */
    free(rest);
    rig_close(&r);
  }
}

/* What is given counts, and not the placeholder: d sum(logits dlogits) / d given by differences. */
static void test_dgiven_by_differences(void **state) {
  (void)state;
  static float logits[ROWS * ENGINE_VOCAB], other[ROWS * ENGINE_VOCAB];
  rig r;
  rig_open(&r, parl_backend_ref());
  engine_normal(r.given, GIVEN * r.C, 9);
  parl_slice slice = give(&r, 1);
  run(&r, &slice, logits);
  float dgiven[GIVEN * MAX_C];
  memcpy(dgiven, r.dgiven, sizeof dgiven);
  const double largest = engine_max_abs(dgiven, GIVEN * r.C);
  for (size_t i = 0; i < GIVEN * r.C; i += 5) {
    const float x = r.given[i], h = 1e-2F;
    double values[2];
    for (int k = 0; k < 2; k++) {
      float *out;
      r.given[i] = k ? x + h : x - h;
      assert_ok(parl_model_forward(r.model, r.ws, &slice, &out));
      values[k] = 0.0;
      for (size_t j = 0; j < (size_t)ROWS * ENGINE_VOCAB; j++)
        values[k] += (double)out[j] * (double)r.dlogits[j];
    }
    r.given[i] = x;
    assert_close((values[1] - values[0]) / (2.0 * (double)h), (double)dgiven[i], 5e-3 * largest);
  }
  slice = give(&r, 20); /* another placeholder: nothing changes */
  run(&r, &slice, other);
  assert_memory_equal(logits, other, sizeof logits);
  rig_close(&r);
}

/* A slice without outputs leaves early: no gradient of another slice may stay behind. */
static void test_nothing_in_the_loss(void **state) {
  (void)state;
  rig r;
  float *out;
  rig_open(&r, parl_backend_ref());
  parl_slice slice = give(&r, 1);
  slice.n_outputs = 0;
  memset(r.dgiven, 0xff, sizeof r.dgiven);
  assert_ok(parl_model_forward(r.model, r.ws, &slice, &out));
  assert_ok(parl_model_backward(r.model, r.ws, &slice, r.dlogits, r.grads));
  for (size_t i = 0; i < GIVEN * r.C; i++) assert_true(r.dgiven[i] == 0.0F);
  slice.dgiven = NULL; /* not wanted */
  assert_ok(parl_model_forward(r.model, r.ws, &slice, &out));
  assert_ok(parl_model_backward(r.model, r.ws, &slice, r.dlogits, r.grads));
  rig_close(&r);
}

/* A sequence in a slice of its own: its rows' gradients have the same bits. */
static void test_another_slice(void **state) {
  (void)state;
  static float logits[ROWS * ENGINE_VOCAB];
  static const int32_t places[] = {2, 3, 8}, bounds[] = {0, 9}; /* of the second sequence */
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    rig r;
    float alone[3 * MAX_C], *out;
    rig_open(&r, backends[b]);
    engine_normal(r.given, GIVEN * r.C, 9);
    const parl_slice both = give(&r, 1);
    run(&r, &both, logits);
    const parl_slice one = {.n_seqs = 1,
                            .seq_start = bounds,
                            .tokens = both.tokens + 10,
                            .n_outputs = 9,
                            .outputs = both.outputs,
                            .n_given = 3,
                            .given_rows = places,
                            .given = r.given + 4 * r.C,
                            .dgiven = alone};
    assert_ok(parl_model_forward(r.model, r.ws, &one, &out));
    assert_memory_equal(out, logits + 10 * ENGINE_VOCAB, 9 * ENGINE_VOCAB * sizeof *out);
    assert_ok(parl_model_backward(r.model, r.ws, &one, r.dlogits + 10 * ENGINE_VOCAB, r.grads));
    assert_memory_equal(alone, r.dgiven + 4 * r.C, 3 * r.C * sizeof *alone);
    rig_close(&r);
  }
}

static void test_bad_rows(void **state) {
  (void)state;
  static const int32_t bad[][2] = {{3, 3}, {4, 2}, {-1, 2}, {3, ROWS}};
  rig r;
  float *out;
  rig_open(&r, parl_backend_ref());
  parl_slice slice = give(&r, 1);
  slice.n_given = 2;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    slice.given_rows = bad[i];
    assert_fails(parl_model_forward(r.model, r.ws, &slice, &out), PARL_STATUS_EINVAL, "given row");
  }
  rig_close(&r);
}

/* -------------------------------------------------------------------------------- decoders */

/* Feeds n tokens of which rows 2 to 4 are given, after the first `known`. */
static void feed(parl_decoder *d, int32_t slot, const int32_t *tokens, size_t n, size_t known,
                 const float *given, uint64_t content, size_t C, float *logits) {
  parl_decoder_row rows[ROWS];
  float *out;
  size_t n_rows = 0;
  for (size_t i = known; i < n; i++) {
    const bool is_given = i >= 2 && i < 5;
    rows[n_rows++] = (parl_decoder_row){.slot = slot,
                                        .token = tokens[i],
                                        .want_logits = i + 1 == n,
                                        .given = is_given ? given + (i - 2) * C : NULL,
                                        .content = is_given ? content : 0};
  }
  assert_ok(parl_decoder_step(d, rows, n_rows, &out));
  memcpy(logits, out, ENGINE_VOCAB * sizeof *logits);
}

/* Two images of one size have the same tokens: the second context may take over what stands before
 * its image, and no more; of the same image, all of it. */
static void test_images_share_no_cache(void **state) {
  (void)state;
  enum { N = 8 };
  static const int32_t tokens[N] = {4, 5, 1, 1, 1, 6, 7, 8};
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    rig r;
    rig_open(&r, backends[b]);
    float images[2][3 * MAX_C], first[ENGINE_VOCAB], second[ENGINE_VOCAB], due[ENGINE_VOCAB];
    engine_normal(images[0], 3 * r.C, 11);
    engine_normal(images[1], 3 * r.C, 12);
    parl_decoder *d = NULL;
    const parl_decoder_def def = {
        .model = r.model, .n_slots = 3, .max_context = ROWS, .max_rows = ROWS};
    assert_ok(parl_decoder_create(&def, &d));
    parl_decoder_reset(d, 0);
    feed(d, 0, tokens, N, 0, images[0], 77, r.C, first);
    uint64_t contents[N] = {0, 0, 88, 88, 88, 0, 0, 0};
    const parl_prefix prefix = {tokens, contents, N - 1};
    assert_int_equal(parl_decoder_restart(d, 1, &prefix), 2);
    feed(d, 1, tokens, N, 2, images[1], 88, r.C, second);
    parl_decoder_reset(d, 2);
    feed(d, 2, tokens, N, 0, images[1], 88, r.C, due);
    assert_memory_equal(second, due, sizeof due);
    assert_true(memcmp(first, second, sizeof first) != 0);
    assert_int_equal(parl_decoder_find_prefix(d, &(parl_prefix){tokens, NULL, N}).held, 2);
    for (size_t i = 2; i < 5; i++) contents[i] = 77; /* the first image once more */
    assert_int_equal(parl_decoder_restart(d, 2, &prefix), N - 1);
    feed(d, 2, tokens, N, N - 1, images[0], 77, r.C, due);
    assert_memory_equal(first, due, sizeof due);
    parl_decoder_reset(d, 0);
    assert_int_equal(parl_decoder_find_prefix(d, &prefix).held,
                     N - 1); /* contents were taken over */
    const parl_decoder_row odd[] = {{.token = 1, .content = 3}, {.token = 1, .given = images[0]}};
    float *out;
    for (size_t i = 0; i < 2; i++)
      assert_fails(parl_decoder_step(d, &odd[i], 1, &out), PARL_STATUS_EINVAL, "given");
    parl_decoder_destroy(d);
    rig_close(&r);
  }
}

/* A decoder's logits after an image are the slice's. */
static void test_decoder_as_slice(void **state) {
  (void)state;
  rig r;
  rig_open(&r, parl_backend_ref());
  static const int32_t tokens[6] = {4, 5, 1, 1, 1, 6}, bounds[] = {0, 6}, output[] = {5};
  static const int32_t places[] = {2, 3, 4};
  float logits[ENGINE_VOCAB], *out;
  engine_normal(r.given, 3 * r.C, 9);
  parl_decoder *d = NULL;
  const parl_decoder_def def = {.model = r.model, .n_slots = 1, .max_context = 6, .max_rows = 2};
  assert_ok(parl_decoder_create(&def, &d));
  for (size_t i = 0; i < 6; i += 2) { /* the image lies across steps */
    parl_decoder_row rows[2];
    for (size_t k = 0; k < 2; k++) {
      const bool is_given = i + k >= 2 && i + k < 5;
      rows[k] = (parl_decoder_row){.token = tokens[i + k],
                                   .want_logits = k == 1,
                                   .given = is_given ? r.given + (i + k - 2) * r.C : NULL,
                                   .content = is_given};
    }
    assert_ok(parl_decoder_step(d, rows, 2, &out));
    memcpy(logits, out, sizeof logits);
  }
  const parl_slice slice = {.n_seqs = 1,
                            .seq_start = bounds,
                            .tokens = tokens,
                            .n_outputs = 1,
                            .outputs = output,
                            .n_given = 3,
                            .given_rows = places,
                            .given = r.given};
  assert_ok(parl_model_forward(r.model, r.ws, &slice, &out));
  assert_true(engine_difference(logits, out, ENGINE_VOCAB) < 1e-5);
  parl_decoder_destroy(d);
  rig_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_given_is_as_looked_up),
      cmocka_unit_test(test_dgiven_by_differences),
      cmocka_unit_test(test_nothing_in_the_loss),
      cmocka_unit_test(test_another_slice),
      cmocka_unit_test(test_bad_rows),
      cmocka_unit_test(test_images_share_no_cache),
      cmocka_unit_test(test_decoder_as_slice),
  };
  return cmocka_run_group_tests_name("given_rows", tests, NULL, NULL);
}
