/* tests/test_decoder.c - the cached decoder against the full forward, and against itself. */

#include "core/rng.h"
#include "engine/decoder.h"
#include "tests/engine_support.h"
#include "tests/support.h"

/* Slot 2 is longer than the decoder's internal block of rows. */
static const size_t LENGTHS[] = {17, 5, 101, 30};
enum { N_SLOTS = 4, TOTAL = 153, MAX_ROWS = 160 };

/* All logits of every slot's text: row order of the batch. */
typedef struct texts {
  engine_batch batch;
  float full[TOTAL * ENGINE_VOCAB];    /* by the full forward */
  float decoded[TOTAL * ENGINE_VOCAB]; /* by the decoder */
} texts;

static texts *texts_create(const parl_model *m) {
  texts *t = calloc(1, sizeof *t);
  parl_workspace *ws = NULL;
  float *logits;
  engine_fill(&t->batch, LENGTHS, N_SLOTS, 1, 21);
  assert_ok(parl_workspace_create(m, TOTAL, TOTAL, &ws));
  assert_ok(parl_model_forward(m, ws, &t->batch.slice, &logits));
  memcpy(t->full, logits, sizeof t->full);
  parl_workspace_destroy(ws);
  return t;
}

/* Feeds `chunk[s]` next tokens of every slot s, in the slots' order, and stores their logits. */
static void feed(parl_decoder *d, texts *t, const size_t chunk[N_SLOTS],
                 const size_t order[N_SLOTS]) {
  parl_decoder_row rows[MAX_ROWS];
  size_t places[MAX_ROWS], n = 0;
  for (size_t i = 0; i < N_SLOTS; i++) {
    const size_t s = order[i];
    const size_t start = (size_t)t->batch.seq_start[s] + parl_decoder_get_length(d, (int32_t)s);
    for (size_t k = 0; k < chunk[s]; k++) {
      places[n] = start + k;
      rows[n++] = (parl_decoder_row){
          .slot = (int32_t)s, .token = t->batch.tokens[start + k], .want_logits = true};
    }
  }
  float *logits;
  assert_ok(parl_decoder_step(d, rows, n, &logits));
  for (size_t i = 0; i < n; i++)
    memcpy(t->decoded + places[i] * ENGINE_VOCAB, logits + i * ENGINE_VOCAB,
           ENGINE_VOCAB * sizeof *logits);
}

/* Random chunks in random slot order until every text is fed. */
static void feed_randomly(parl_decoder *d, texts *t, uint64_t seed) {
  parl_rng_cursor rng = {seed, 3, 0};
  size_t left = TOTAL;
  for (int32_t s = 0; s < N_SLOTS; s++) parl_decoder_reset(d, s);
  while (left > 0) {
    size_t chunk[N_SLOTS], order[N_SLOTS] = {0, 1, 2, 3};
    for (size_t s = 0; s < N_SLOTS; s++) {
      const size_t rest = LENGTHS[s] - parl_decoder_get_length(d, (int32_t)s);
      const size_t most = parl_rng_next_below(&rng, 3) == 0 ? rest : (rest < 3 ? rest : 3);
      chunk[s] = (size_t)parl_rng_next_below(&rng, most + 1);
      left -= chunk[s];
      const size_t j = (size_t)parl_rng_next_below(&rng, s + 1), swap = order[s];
      order[s] = order[j];
      order[j] = swap;
    }
    feed(d, t, chunk, order);
  }
}

static void test_equals_full_forward(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++)
    for (int64_t kv = 1; kv <= 4; kv *= 2) {
      const parl_model_config config = engine_config(kv);
      parl_model *m = engine_model(&config, backends[b], 5);
      texts *t = texts_create(m);
      parl_decoder *d = NULL;
      assert_ok(
          parl_decoder_create(&(parl_decoder_def){m, N_SLOTS, 128, MAX_ROWS, PARL_CACHE_F32}, &d));
      double worst = 0.0;
      for (uint64_t seed = 0; seed < 6; seed++) {
        feed_randomly(d, t, seed);
        const double error = engine_difference(t->decoded, t->full, TOTAL * ENGINE_VOCAB);
        assert_true(error <= 1e-5);
        if (error > worst) worst = error;
      }
      print_message("  %s kv %d: %.1e\n", backends[b]->instructions, (int)kv, worst);
      parl_decoder_destroy(d);
      parl_model_destroy(m);
      free(t);
    }
}

/* The same bits alone and token by token, as in any company and chunking. */
static void test_batch_does_not_matter(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends), order[N_SLOTS] = {0, 1, 2, 3};
  for (size_t b = 0; b < n; b++) {
    const parl_model_config config = engine_config(2);
    parl_model *m = engine_model(&config, backends[b], 5);
    texts *t = texts_create(m);
    float *alone = malloc(sizeof t->decoded);
    parl_decoder *d = NULL;
    assert_ok(
        parl_decoder_create(&(parl_decoder_def){m, N_SLOTS, 101, MAX_ROWS, PARL_CACHE_F32}, &d));
    for (size_t s = 0; s < N_SLOTS; s++)
      for (size_t i = 0; i < LENGTHS[s]; i++) {
        size_t chunk[N_SLOTS] = {0};
        chunk[s] = 1;
        feed(d, t, chunk, order);
      }
    memcpy(alone, t->decoded, sizeof t->decoded);
    for (uint64_t seed = 0; seed < 6; seed++) {
      feed_randomly(d, t, seed); /* reuses the slots */
      assert_memory_equal(alone, t->decoded, sizeof t->decoded);
    }
    parl_decoder_destroy(d);
    parl_model_destroy(m);
    free(alone);
    free(t);
  }
}

/* Keys and values in bf16: near the full forward, and the same bits in any company. */
static void test_bf16_cache(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++)
    for (int64_t kv = 1; kv <= 4; kv *= 4) {
      const parl_model_config config = engine_config(kv);
      parl_model *m = engine_model(&config, backends[b], 5);
      texts *t = texts_create(m);
      float *first = malloc(sizeof t->decoded);
      parl_decoder *d = NULL;
      const parl_decoder_def def = {m, N_SLOTS, 128, MAX_ROWS, PARL_CACHE_BF16};
      assert_ok(parl_decoder_create(&def, &d));
      feed_randomly(d, t, 0);
      memcpy(first, t->decoded, sizeof t->decoded);
      const double error = engine_difference(t->decoded, t->full, TOTAL * ENGINE_VOCAB);
      print_message("  %s kv %d: %.1e\n", backends[b]->instructions, (int)kv, error);
      assert_true(error > 1e-5 && error < 4e-2);
      for (uint64_t seed = 1; seed < 4; seed++) {
        feed_randomly(d, t, seed);
        assert_memory_equal(first, t->decoded, sizeof t->decoded);
      }
      parl_decoder_destroy(d);
      parl_model_destroy(m);
      free(first);
      free(t);
    }
}

enum { TEXT = 20, SHARED = 12 };

/* Logits of the last of tokens [n], of which the slot holds some already. */
static const float *feed_rest(parl_decoder *d, int32_t slot, const int32_t *tokens, size_t n) {
  parl_decoder_row rows[TEXT];
  size_t n_rows = 0;
  for (size_t i = parl_decoder_get_length(d, slot); i < n; i++)
    rows[n_rows++] =
        (parl_decoder_row){.slot = slot, .token = tokens[i], .want_logits = i + 1 == n};
  float *logits;
  assert_ok(parl_decoder_step(d, rows, n_rows, &logits));
  return logits;
}

/* A prefix taken over from another slot, or from the slot's own past, changes no bit. */
static void check_restart(const parl_model_config *config, const parl_backend *backend,
                          parl_cache_dtype cache) {
  parl_model *m = engine_model(config, backend, 5);
  parl_decoder *d = NULL;
  assert_ok(parl_decoder_create(&(parl_decoder_def){m, 4, 32, TEXT, cache}, &d));
  int32_t first[TEXT], second[TEXT];
  for (int32_t i = 0; i < TEXT; i++) {
    first[i] = (3 * i + 1) % ENGINE_VOCAB;
    second[i] = i < SHARED ? first[i] : (first[i] + 1) % ENGINE_VOCAB;
  }
  float want[ENGINE_VOCAB];
  assert_int_equal(parl_decoder_restart(d, 2, &(parl_prefix){.tokens = first, .n = TEXT - 1}), 0);
  (void)feed_rest(d, 2, first, TEXT);
  memcpy(want, feed_rest(d, 0, second, TEXT), sizeof want);
  parl_decoder_reset(d, 0);
  assert_int_equal(parl_decoder_find_prefix(d, &(parl_prefix){.tokens = second, .n = TEXT}).held,
                   SHARED);
  assert_int_equal(parl_decoder_restart(d, 1, &(parl_prefix){.tokens = second, .n = TEXT - 1}),
                   SHARED);
  assert_memory_equal(feed_rest(d, 1, second, TEXT), want, sizeof want);
  assert_int_equal(parl_decoder_restart(d, 1, &(parl_prefix){.tokens = second, .n = SHARED + 3}),
                   SHARED + 3);
  assert_memory_equal(feed_rest(d, 1, second, TEXT), want, sizeof want);
  parl_model_refresh(m); /* the weights may be others now */
  assert_int_equal(parl_decoder_restart(d, 3, &(parl_prefix){.tokens = second, .n = TEXT - 1}), 0);
  assert_memory_equal(feed_rest(d, 3, second, TEXT), want, sizeof want);
  assert_int_equal(parl_decoder_find_prefix(d, &(parl_prefix){.tokens = second, .n = TEXT}).held,
                   TEXT);
  const parl_decoder_row late = {.slot = 1, .token = second[1]}; /* to a text of other weights */
  float *logits;
  assert_ok(parl_decoder_step(d, &late, 1, &logits));
  assert_int_equal(parl_decoder_find_prefix(d, &(parl_prefix){.tokens = second + 1, .n = 1}).held,
                   0);
  parl_decoder_destroy(d);
  parl_model_destroy(m);
}

/* What is pushed is coming and not held; what is taken back was never there. */
static void test_pushed_rows_are_coming(void **state) {
  (void)state;
  const parl_model_config config = engine_config(2);
  parl_model *m = engine_model(&config, parl_backend_ref(), 5);
  parl_decoder *d = NULL;
  const int32_t tokens[] = {1, 2, 3};
  const parl_prefix prefix = {.tokens = tokens, .n = 3};
  float *logits;
  assert_ok(parl_decoder_create(&(parl_decoder_def){m, 2, 4, 6, PARL_CACHE_F32}, &d));
  for (int round = 0; round < 2; round++) {
    assert_int_equal(parl_decoder_restart(d, 0, &prefix), 0);
    for (int i = 0; i < 2; i++)
      assert_ok(parl_decoder_push(d, &(parl_decoder_row){.slot = 0, .token = tokens[i]}));
    const parl_prefix_match match = parl_decoder_find_prefix(d, &prefix);
    assert_int_equal(match.held, 0);
    assert_int_equal(match.coming, 2);
    if (round == 0) parl_decoder_take_back(d);
  }
  assert_ok(parl_decoder_run(d, &logits));
  assert_int_equal(parl_decoder_find_prefix(d, &prefix).held, 2);
  assert_int_equal(parl_decoder_restart(d, 1, &prefix), 2);
  parl_decoder_destroy(d);
  parl_model_destroy(m);
}

static void test_restart_reuses_prefixes(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++)
    for (int64_t kv = 1; kv <= 4; kv *= 4) {
      parl_model_config config = engine_config(kv);
      check_restart(&config, backends[b], PARL_CACHE_F32);
      check_restart(&config, backends[b], PARL_CACHE_BF16);
      config.attention = PARL_ATTENTION_MLA;
      check_restart(&config, backends[b], PARL_CACHE_F32);
      check_restart(&config, backends[b], PARL_CACHE_BF16);
    }
}

typedef struct fixture {
  parl_model *model;
  parl_decoder *decoder; /* 2 slots of 4 tokens, 6 rows */
} fixture;

static fixture fixture_open(void) {
  fixture f = {0};
  const parl_model_config config = engine_config(2);
  f.model = engine_model(&config, parl_backend_ref(), 5);
  assert_ok(parl_decoder_create(&(parl_decoder_def){f.model, 2, 4, 6, PARL_CACHE_F32}, &f.decoder));
  return f;
}

static void fixture_close(fixture *f) {
  parl_decoder_destroy(f->decoder);
  parl_model_destroy(f->model);
}

static void test_overflow_appends_nothing(void **state) {
  (void)state;
  fixture f = fixture_open();
  float *logits = NULL;
  const parl_decoder_row rows[] = {
      {.slot = 0, .token = 1, .want_logits = true}, {.slot = 0, .token = 2, .want_logits = true},
      {.slot = 1, .token = 3, .want_logits = true}, {.slot = 0, .token = 4, .want_logits = true},
      {.slot = 0, .token = 5, .want_logits = true}, {.slot = 0, .token = 6, .want_logits = true}};
  assert_status(parl_decoder_step(f.decoder, rows, 6, &logits), PARL_STATUS_ESTATE);
  assert_contains(parl_error_text(), "slot 0 is full");
  assert_null(logits);
  assert_int_equal(parl_decoder_get_length(f.decoder, 0), 0);
  assert_int_equal(parl_decoder_get_length(f.decoder, 1), 0);
  assert_ok(parl_decoder_step(f.decoder, rows, 5, &logits));
  assert_int_equal(parl_decoder_get_length(f.decoder, 0), 4);
  assert_status(parl_decoder_step(f.decoder, rows, 1, &logits), PARL_STATUS_ESTATE);
  assert_ok(parl_decoder_step(f.decoder, rows + 2, 1, &logits));
  assert_int_equal(parl_decoder_get_length(f.decoder, 1), 2);
  parl_decoder_reset(f.decoder, 0);
  assert_ok(parl_decoder_step(f.decoder, rows, 2, &logits));
  fixture_close(&f);
}

static void test_bad_rows_are_refused(void **state) {
  (void)state;
  fixture f = fixture_open();
  float *logits = NULL;
  const parl_decoder_row bad[] = {{.slot = 2, .token = 1, .want_logits = true},
                                  {.slot = -1, .token = 1, .want_logits = true},
                                  {.slot = 0, .token = ENGINE_VOCAB, .want_logits = true},
                                  {.slot = 0, .token = -1, .want_logits = true}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const parl_decoder_row rows[] = {{.slot = 0, .token = 1, .want_logits = true}, bad[i]};
    assert_status(parl_decoder_step(f.decoder, rows, 2, &logits), PARL_STATUS_EINVAL);
    assert_int_equal(parl_decoder_get_length(f.decoder, 0), 0);
  }
  const parl_decoder_row many[7] = {{.slot = 0, .token = 1, .want_logits = true}};
  assert_status(parl_decoder_step(f.decoder, many, 7, &logits), PARL_STATUS_EINVAL);
  for (int i = 0; i < 4; i++) assert_ok(parl_decoder_push(f.decoder, &many[0]));
  assert_status(parl_decoder_step(f.decoder, many, 3, &logits), PARL_STATUS_EINVAL);
  assert_status(parl_decoder_push(f.decoder, &many[0]), PARL_STATUS_ESTATE);
  assert_int_equal(parl_decoder_get_length(f.decoder, 0), 4);
  parl_decoder_take_back(f.decoder);
  assert_int_equal(parl_decoder_get_length(f.decoder, 0), 0);
  assert_int_equal(parl_decoder_get_max_rows(f.decoder), 6);
  parl_decoder *none = NULL;
  assert_status(parl_decoder_create(&(parl_decoder_def){f.model, 2, 129, 6, PARL_CACHE_F32}, &none),
                PARL_STATUS_EINVAL);
  assert_status(parl_decoder_create(&(parl_decoder_def){f.model, 0, 4, 6, PARL_CACHE_F32}, &none),
                PARL_STATUS_EINVAL);
  assert_status(parl_decoder_create(&(parl_decoder_def){f.model, 2, 4, 0, PARL_CACHE_F32}, &none),
                PARL_STATUS_EINVAL);
  assert_null(none);
  fixture_close(&f);
}

/* Logits come in row order, for the rows that want them only; none at all is fine. */
static void test_wanted_rows(void **state) {
  (void)state;
  fixture f = fixture_open();
  float all[4 * ENGINE_VOCAB], *logits;
  parl_decoder_row rows[] = {{.slot = 1, .token = 1, .want_logits = true},
                             {.slot = 0, .token = 2, .want_logits = true},
                             {.slot = 0, .token = 3, .want_logits = true},
                             {.slot = 1, .token = 4, .want_logits = true}};
  assert_ok(parl_decoder_step(f.decoder, rows, 4, &logits));
  memcpy(all, logits, sizeof all);
  parl_decoder_reset(f.decoder, 0);
  parl_decoder_reset(f.decoder, 1);
  rows[0].want_logits = rows[2].want_logits = false;
  assert_ok(parl_decoder_step(f.decoder, rows, 4, &logits));
  const size_t bytes = ENGINE_VOCAB * sizeof *all;
  assert_memory_equal(logits, all + ENGINE_VOCAB, bytes);
  assert_memory_equal(logits + ENGINE_VOCAB, all + 3 * ENGINE_VOCAB, bytes);
  rows[0].want_logits = false;
  assert_ok(parl_decoder_step(f.decoder, rows, 1, &logits));
  assert_ok(parl_decoder_step(f.decoder, rows, 0, &logits));
  fixture_close(&f);
}

/* The tiny model fits anywhere; wide or long ones want fewer slots; heavy weights want
 * many again. */
static void test_advice(void **state) {
  (void)state;
  parl_model_config config = engine_config(4);
  parl_model *m = engine_model(&config, parl_backend_ref(), 1);
  assert_int_equal(parl_decoder_advise_slots(m, 16, PARL_CACHE_F32), 64);
  assert_int_equal(parl_decoder_advise_slots(m, 512, PARL_CACHE_F32),
                   16); /* 2*2*24*512 floats each */
  assert_int_equal(parl_decoder_advise_slots(m, 1 << 20, PARL_CACHE_F32), 8);
  parl_model_destroy(m);
  config.d_ff = 16384;
  m = engine_model(&config, parl_backend_ref(), 1);
  assert_int_equal(parl_decoder_advise_slots(m, 1 << 20, PARL_CACHE_F32), 64);
  parl_model_destroy(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_full_forward),
      cmocka_unit_test(test_batch_does_not_matter),
      cmocka_unit_test(test_bf16_cache),
      cmocka_unit_test(test_restart_reuses_prefixes),
      cmocka_unit_test(test_pushed_rows_are_coming),
      cmocka_unit_test(test_overflow_appends_nothing),
      cmocka_unit_test(test_bad_rows_are_refused),
      cmocka_unit_test(test_wanted_rows),
      cmocka_unit_test(test_advice),
  };
  return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}
