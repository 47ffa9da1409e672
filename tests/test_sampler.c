/* tests/test_sampler.c - frequencies, masks, ties, and the log-probability that is reported. */

#include "core/rng.h"
#include "engine/sampler.h"
#include "tests/engine_support.h"
#include "tests/support.h"

enum { V = 70, DRAWS = 40000 };

/* Random logits and a mask of two words; token 0 and 69 are allowed, 63 and 64 are not. */
static void fill(float logits[V], uint64_t mask[2], uint64_t seed) {
  engine_normal(logits, V, seed);
  mask[0] = (parl_rng(seed, 4, 0) | 1) & ~((uint64_t)1 << 63);
  mask[1] = (parl_rng(seed, 4, 1) | (uint64_t)1 << 5) & 0x3e;
}

static bool is_allowed(const uint64_t *mask, size_t i) {
  return mask == NULL || (mask[i / 64] >> (i % 64) & 1) != 0;
}

/* Probabilities and entropy in double. */
static double softmax(const float *logits, const uint64_t *mask, double temperature,
                      double probs[V]) {
  double sum = 0.0, entropy = 0.0;
  for (size_t i = 0; i < V; i++) {
    probs[i] = is_allowed(mask, i) ? exp((double)logits[i] / temperature) : 0.0;
    sum += probs[i];
  }
  for (size_t i = 0; i < V; i++) {
    probs[i] /= sum;
    if (probs[i] > 0.0) entropy -= probs[i] * log(probs[i]);
  }
  return entropy;
}

static parl_sample draw_from(const parl_backend *backend, const float *logits, const uint64_t *mask,
                             double temperature, double top_p, double uniform) {
  float copy[V];
  memcpy(copy, logits, sizeof copy);
  parl_arena arena;
  parl_sampler sampler;
  parl_sample out;
  const parl_pick pick = {mask, temperature, uniform, top_p};
  parl_queue *queue = engine_queue(backend);
  parl_arena_init(&arena, 0);
  assert_ok(parl_sampler_init(&sampler, V, 1, &arena, &arena));
  parl_sampler_begin(&sampler, queue, copy, &pick, 1);
  assert_ok(parl_sampler_end(&sampler, queue, 1, &out));
  parl_arena_deinit(&arena);
  parl_queue_destroy(queue);
  return out;
}

static parl_sample draw(const parl_backend *backend, const float *logits, const uint64_t *mask,
                        double temperature, double uniform) {
  return draw_from(backend, logits, mask, temperature, 0, uniform);
}

/* Probabilities 1/8 1/2 1/8 1/4, the others masked. The nucleus of .7 is tokens 1 and 3, which have
 * .75; that of .8 takes the lower of the two that are left, .875. Log-probabilities stay those of
 * all four. */
static void test_nucleus_by_hand(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  float logits[V];
  const uint64_t mask[(V + 63) / 64] = {15};
  for (size_t i = 0; i < V; i++) logits[i] = 9.0F;
  logits[0] = logits[2] = logf(0.125F);
  logits[1] = logf(0.5F);
  logits[3] = logf(0.25F);
  static const struct {
    double top_p, uniform;
    int32_t token;
    double p, kept;
  } rows[] = {
      {0.7, 0.66, 1, 0.5, 0.75},    {0.7, 0.67, 3, 0.25, 0.75}, {0.7, 0.999, 3, 0.25, 0.75},
      {0.8, 0.14, 0, 0.125, 0.875}, {0.8, 0.15, 1, 0.5, 0.875}, {0.4, 0.99, 1, 0.5, 0.5},
      {1.0, 0.12, 0, 0.125, 1},     {1.0, 0.74, 2, 0.125, 1},   {0.0, 0.99, 3, 0.25, 1},
      {1e-3, 0.5, 1, 0.5, 0.5},     {0.9, 0.999, 3, 0.25, 1.0}, {0.8, 0.72, 3, 0.25, 0.875},
  };
  for (size_t b = 0; b < n; b++) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      const parl_sample s = draw_from(backends[b], logits, mask, 1, rows[i].top_p, rows[i].uniform);
      assert_int_equal(s.token, rows[i].token);
      assert_close((double)s.logp, log(rows[i].p), 1e-5);
      assert_close((double)s.kept, rows[i].kept, 1e-6);
      assert_close((double)s.entropy, 1.75 * log(2), 1e-5);
    }
    const parl_sample greedy = draw_from(backends[b], logits, mask, 0, 0.1, 0.5);
    assert_int_equal(greedy.token, 1);
    assert_close((double)greedy.kept, 1, 0);
  }
}

/* Four equal tokens, each exactly 1/4: a nucleus of 1/2 is the first two and no more, and a draw
 * on the edge of two tokens is the second. */
static void test_nucleus_of_equals(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  const float logits[V] = {0};
  const uint64_t mask[(V + 63) / 64] = {15};
  for (size_t b = 0; b < n; b++) {
    assert_int_equal(draw_from(backends[b], logits, mask, 1, 1, 0.5).token, 2);
    for (int32_t k = 0; k < 4; k++) {
      const parl_sample s = draw_from(backends[b], logits, mask, 1, 0.5, 0.25 * k);
      assert_int_equal(s.token, k / 2);
      assert_close((double)s.kept, 0.5, 0);
    }
  }
}

/* Whatever the mass asked for: nothing outside of the nucleus is drawn, it has that mass, and
 * without its lightest token it would not. */
static void test_nucleus_is_the_least_that_is_enough(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t trial = 0; trial < 40; trial++) {
    parl_rng_cursor rng = {.seed = 31, .stream = trial};
    float logits[V];
    double probs[V], lightest = 1, seen = 0;
    bool is_met[V] = {0};
    for (size_t i = 0; i < V; i++) logits[i] = (float)parl_rng_next_normal(&rng);
    softmax(logits, NULL, 1, probs);
    const double top_p = 0.05 + 0.9 * parl_rng_next_uniform(&rng);
    double kept = 0;
    for (int k = 0; k < 400; k++) {
      const parl_sample s = draw_from(backends[trial % n], logits, NULL, 1, top_p, (k + 0.5) / 400);
      is_met[s.token] = true;
      kept = (double)s.kept;
    }
    for (size_t i = 0; i < V; i++) {
      seen += is_met[i] ? probs[i] : 0;
      if (is_met[i]) lightest = fmin(lightest, probs[i]);
    }
    assert_true(kept >= top_p - 1e-5);
    assert_true(seen <= kept + 1e-5);
    if (fabs(seen - kept) < 1e-5) assert_true(kept - lightest < top_p + 1e-5);
  }
}

static void test_frequencies(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  static const double temperatures[] = {0.5, 1.0, 2.0};
  for (size_t b = 0; b < n; b++)
    for (size_t k = 0; k < 3; k++) {
      float logits[V];
      uint64_t mask[2];
      double probs[V];
      int counts[V] = {0};
      fill(logits, mask, k);
      const double entropy = softmax(logits, mask, temperatures[k], probs);
      for (uint64_t i = 0; i < DRAWS; i++) {
        const double u = parl_rng_uniform(99, 0, i);
        const parl_sample s = draw(backends[b], logits, mask, temperatures[k], u);
        assert_true(is_allowed(mask, (size_t)s.token));
        assert_close(s.logp, log(probs[s.token]), 1e-5);
        assert_close(s.entropy, entropy, 1e-5);
        counts[s.token]++;
      }
      for (size_t i = 0; i < V; i++) { /* five standard deviations, over ~400 cells */
        const double sd = sqrt(DRAWS * probs[i] * (1.0 - probs[i]));
        assert_close(counts[i], DRAWS * probs[i], 5.0 * sd + 1e-9);
      }
    }
}

/* The draw is the inverse CDF itself, so even steps of `uniform` give exact shares. */
static void test_inverse_cdf(void **state) {
  (void)state;
  const float logits[V] = {[3] = logf(1.0F), [5] = logf(2.0F), [69] = logf(5.0F)};
  const uint64_t mask[2] = {1 << 3 | 1 << 5, 1 << 5};
  int counts[V] = {0};
  for (int i = 0; i < 800; i++)
    counts[draw(parl_backend_ref(), logits, mask, 1.0, ((double)i + 0.5) / 800.0).token]++;
  assert_int_equal(counts[3], 100);
  assert_int_equal(counts[5], 200);
  assert_int_equal(counts[69], 500);
  assert_int_equal(draw(parl_backend_ref(), logits, mask, 1.0, 0.0).token, 3);
  assert_int_equal(draw(parl_backend_ref(), logits, mask, 1.0, 1.0 - 0x1p-53).token, 69);
}

/* Chi-square of many draws against the exact probabilities, expected counts of five or more. */
static void test_chi_square(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  for (size_t b = 0; b < n; b++) {
    float logits[V];
    uint64_t mask[2];
    double probs[V], chi = 0.0, freedom = -1.0;
    int counts[V] = {0};
    fill(logits, mask, 11);
    softmax(logits, mask, 1.0, probs);
    for (uint64_t i = 0; i < DRAWS; i++)
      counts[draw(backends[b], logits, mask, 1.0, parl_rng_uniform(5, 6, i)).token]++;
    for (size_t i = 0; i < V; i++) {
      const double due = DRAWS * probs[i];
      if (due < 5.0) continue;
      chi += pow((double)counts[i] - due, 2.0) / due;
      freedom += 1.0;
    }
    assert_true(freedom > 20.0);
    assert_close(chi, freedom, 4.0 * sqrt(2.0 * freedom));
  }
}

/* The weights by hand: 2^32 / 4 and 3 2^32 / 4, so 1/4 is the edge itself, to the last bit below
 * it; and at the largest uniform the last token is the last, likely or not. */
static void test_whole_numbers(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  float logits[V] = {[3] = 0.0F, [69] = logf(3.0F)}, rare[V] = {[3] = 10.0F};
  const uint64_t mask[2] = {1 << 3, 1 << 5};
  for (size_t b = 0; b < n; b++) {
    const double below = 0.25 - 1e-6, above = 0.25 + 1e-6;
    assert_int_equal(draw(backends[b], logits, mask, 1.0, below).token, 3);
    assert_int_equal(draw(backends[b], logits, mask, 1.0, above).token, 69);
    assert_int_equal(draw(backends[b], rare, mask, 1.0, 1.0 - 0x1p-53).token, 69);
  }
}

static void test_greedy(void **state) {
  (void)state;
  float logits[V] = {0};
  uint64_t mask[2] = {~(uint64_t)0xff, 0x3f};
  logits[2] = 9.0F; /* masked */
  logits[20] = logits[65] = 1.5F;
  double probs[V];
  const double entropy = softmax(logits, mask, 1.0, probs);
  const parl_sample s = draw(parl_backend_ref(), logits, mask, 0.0, 0.999);
  assert_int_equal(s.token, 20);
  assert_close(s.logp, log(probs[20]), 1e-6);
  assert_close(s.entropy, entropy, 1e-5);
  logits[65] = 1.6F;
  assert_int_equal(draw(parl_backend_ref(), logits, mask, 0.0, 0.0).token, 65);
  assert_int_equal(draw(parl_backend_ref(), logits, NULL, 0.0, 0.0).token, 2);
}

static void test_one_allowed_token(void **state) {
  (void)state;
  float logits[V];
  engine_normal(logits, V, 1);
  logits[66] = -80.0F;
  const uint64_t mask[2] = {0, 1 << 2};
  for (int i = 0; i < 10; i++) {
    const parl_sample s = draw(parl_backend_ref(), logits, mask, i == 0 ? 0.0 : 1.0, i / 10.0);
    assert_int_equal(s.token, 66);
    assert_close(s.logp, 0.0, 1e-6);
    assert_close(s.entropy, 0.0, 1e-6);
  }
}

/* Broken logits must not leak a masked token, and must not look healthy. */
static void test_nan(void **state) {
  (void)state;
  const parl_backend *backends[ENGINE_MAX_BACKENDS];
  const size_t n = engine_backends(backends);
  float logits[V];
  for (size_t i = 0; i < V; i++) logits[i] = NAN;
  const uint64_t mask[2] = {1 << 7 | 1 << 9, 0};
  for (size_t b = 0; b < n; b++)
    for (int t = 0; t < 2; t++) {
      const parl_sample s = draw(backends[b], logits, mask, t, 0.5);
      assert_true(s.token == 7 || s.token == 9);
      assert_true(!isfinite(s.logp));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nucleus_by_hand),
      cmocka_unit_test(test_nucleus_of_equals),
      cmocka_unit_test(test_nucleus_is_the_least_that_is_enough),
      cmocka_unit_test(test_frequencies),
      cmocka_unit_test(test_inverse_cdf),
      cmocka_unit_test(test_chi_square),
      cmocka_unit_test(test_whole_numbers),
      cmocka_unit_test(test_greedy),
      cmocka_unit_test(test_one_allowed_token),
      cmocka_unit_test(test_nan),
  };
  return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
