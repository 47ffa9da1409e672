/* tests/test_rng.c - the published vectors, and the distributions on top of them. */
#include "core/seeds.h"
#include "tests/support.h"

/* Source: Random123 1.14, tests/kat_vectors, "philox4x32 10". */
static void test_published_vectors(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], due[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t out[4] = {0};
    parl_rng_philox4x32(cases[i].counter, cases[i].key, out);
    assert_memory_equal(out, cases[i].due, sizeof out);
  }
}

static void test_layout_of_seed_stream_index(void **state) {
  (void)state;
  assert_true(parl_rng(0, 0, 0) == UINT64_C(0xe169c58d6627e8d5));
  assert_true(parl_rng(0, 0, 1) == UINT64_C(0x9b00dbd8bc57ac4c));
  const uint64_t seed = UINT64_C(0x299f31d0a4093822), stream = UINT64_C(0x0370734413198a2e);
  const uint64_t index = UINT64_C(2) * 0x05a308d3243f6a88; /* the top bit is lost to the doubling */
  const uint32_t counter[4] = {0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344};
  const uint32_t key[2] = {0xa4093822, 0x299f31d0};
  uint32_t out[4];
  parl_rng_philox4x32(counter, key, out);
  assert_true(parl_rng(seed, stream, index) == ((uint64_t)out[1] << 32 | out[0]));
  assert_true(parl_rng(seed, stream, index + 1) == ((uint64_t)out[3] << 32 | out[2]));
}

static void test_cursor_is_the_function(void **state) {
  (void)state;
  parl_rng_cursor c = {7, 8, 100};
  for (uint64_t i = 100; i < 110; i++) assert_true(parl_rng_next(&c) == parl_rng(7, 8, i));
  assert_true(c.index == 110 && c.seed == 7 && c.stream == 8);
  for (uint64_t i = 110; i < 120; i++)
    assert_close(parl_rng_next_uniform(&c), parl_rng_uniform(7, 8, i), 0);
}

/* Chi-squared of counts against equal shares. */
static double get_chi2(const size_t *counts, size_t n_bins, double n_draws) {
  const double due = n_draws / (double)n_bins;
  double sum = 0;
  for (size_t i = 0; i < n_bins; i++) {
    const double d = (double)counts[i] - due;
    sum += d * d / due;
  }
  return sum;
}

static void test_uniform(void **state) {
  (void)state;
  enum { N_DRAWS = 1000000, N_BINS = 100 };
  size_t counts[N_BINS] = {0};
  double sum = 0, sum2 = 0, lag = 0, last = 0.5;
  parl_rng_cursor c = {12345, 1, 0};
  for (int i = 0; i < N_DRAWS; i++) {
    const double u = parl_rng_next_uniform(&c);
    assert_true(u >= 0.0 && u < 1.0);
    counts[(size_t)(u * N_BINS)]++;
    sum += u;
    sum2 += u * u;
    lag += (u - 0.5) * (last - 0.5);
    last = u;
  }
  assert_close(sum / N_DRAWS, 0.5, 5 * 0.2887 / 1000, 0); /* 5 standard errors */
  assert_close(sum2 / N_DRAWS, 1.0 / 3, 5 * 0.2981 / 1000, 0);
  assert_close(lag / N_DRAWS, 0, 5 * (1.0 / 12) / 1000, 0);
  const double chi2 = get_chi2(counts, N_BINS, N_DRAWS); /* 99 degrees: mean 99, sd 14.07 */
  assert_close(chi2, 99, 5 * 14.07, 0);
}

static void test_uniform_reaches_its_ends(void **state) {
  (void)state;
  double low = 1, high = 0;
  for (uint64_t i = 0; i < 100000; i++) {
    const double u = parl_rng_uniform(3, 4, i);
    low = u < low ? u : low;
    high = u > high ? u : high;
  }
  assert_true(low < 1e-4 && high > 1 - 1e-4);
}

static void test_below_is_in_range_and_unbiased(void **state) {
  (void)state;
  enum { N_DRAWS = 300000 };
  static const uint64_t bounds[] = {1, 2, 3, 7, 10, 64};
  for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
    size_t counts[64] = {0};
    parl_rng_cursor c = {99, b, 0};
    for (int i = 0; i < N_DRAWS; i++) {
      const uint64_t x = parl_rng_next_below(&c, bounds[b]);
      assert_true(x < bounds[b]);
      counts[x]++;
    }
    const double degrees = (double)bounds[b] - 1;
    const double chi2 = get_chi2(counts, (size_t)bounds[b], N_DRAWS);
    assert_true(chi2 <= degrees + 5 * sqrt(2 * degrees) + 1e-9);
  }
}

/* With n = 3 * 2^62 a plain modulo makes the lowest quarter of 2^64, so the lowest third of the
 * range, twice as frequent: 1/2 instead of 1/3. */
static void test_below_has_no_modulo_bias(void **state) {
  (void)state;
  enum { N_DRAWS = 100000 };
  const uint64_t n = UINT64_C(3) << 62;
  size_t thirds[3] = {0};
  parl_rng_cursor c = {5, 6, 0};
  for (int i = 0; i < N_DRAWS; i++) {
    const uint64_t x = parl_rng_next_below(&c, n);
    assert_true(x < n);
    thirds[x >> 62]++;
  }
  for (int i = 0; i < 3; i++) assert_close((double)thirds[i] / N_DRAWS, 1.0 / 3, 0.0075, 0);
  assert_true(c.index > N_DRAWS); /* a quarter of the draws is rejected */
}

static void test_normal(void **state) {
  (void)state;
  enum { N_DRAWS = 400000 };
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  size_t n_tail = 0;
  parl_rng_cursor c = {2024, 3, 0};
  for (int i = 0; i < N_DRAWS; i++) {
    const double x = parl_rng_next_normal(&c);
    assert_true(isfinite(x));
    m1 += x;
    m2 += x * x;
    m3 += x * x * x;
    m4 += x * x * x * x;
    n_tail += fabs(x) > 1.959963984540054;
  }
  assert_true(c.index == 2 * N_DRAWS);
  const double se =
      1 / sqrt((double)N_DRAWS); /* of the mean; the moments' sd are 1, 1.41, 3.87, 9.8 */
  assert_close(m1 / N_DRAWS, 0, 5 * se, 0);
  assert_close(m2 / N_DRAWS, 1, 5 * 1.415 * se, 0);
  assert_close(m3 / N_DRAWS, 0, 5 * 3.873 * se, 0);
  assert_close(m4 / N_DRAWS, 3, 5 * 9.798 * se, 0);
  assert_close((double)n_tail / N_DRAWS, 0.05, 5 * 0.218 * se, 0);
}

static int compare(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void test_streams_differ(void **state) {
  (void)state;
  enum { N = 10 };
  static uint64_t streams[N * N * N * N];
  size_t n = 0;
  for (uint64_t p = 0; p < N; p++)
    for (uint64_t a = 0; a < N; a++)
      for (uint64_t b = 0; b < N; b++)
        for (uint64_t c = 0; c < N; c++) streams[n++] = parl_rng_stream(p, a, b, c);
  qsort(streams, n, sizeof streams[0], compare);
  for (size_t i = 1; i < n; i++) assert_true(streams[i - 1] != streams[i]);
}

/* No two purposes have one number, and none of their first streams is another's. Numbers stay for
 * ever: these were drawn from before there was a list. */
static void test_purposes_differ(void **state) {
  (void)state;
  enum { MOST = 256, STEPS = 4 };
  static const uint64_t numbers[] = {
#define X(name, number, meaning) number,
      PARL_PURPOSE_LIST(X)
#undef X
  };
  static uint64_t streams[MOST * STEPS];
  const size_t n = sizeof numbers / sizeof numbers[0];
  size_t n_streams = 0;
  assert_true(n <= MOST);
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < i; k++) assert_true(numbers[i] != numbers[k]);
    for (uint64_t a = 0; a < STEPS; a++)
      streams[n_streams++] = parl_rng_stream(numbers[i], a, 0, 0);
  }
  qsort(streams, n_streams, sizeof streams[0], compare);
  for (size_t i = 1; i < n_streams; i++) assert_true(streams[i - 1] != streams[i]);
  assert_int_equal(PARL_PURPOSE_REDRAW, 13);
  assert_int_equal(PARL_PURPOSE_RANDOM, 103);
  assert_int_equal(PARL_PURPOSE_BOOTSTRAP, 201);
}

/* Neighbouring seeds, streams and indices flip half of the bits. */
static void test_avalanche(void **state) {
  (void)state;
  enum { N = 2000 };
  double flipped[3] = {0};
  for (uint64_t i = 0; i < N; i++) {
    const uint64_t x = parl_rng(i, i, i);
    flipped[0] += __builtin_popcountll(x ^ parl_rng(i ^ 1, i, i));
    flipped[1] += __builtin_popcountll(x ^ parl_rng(i, i ^ 1, i));
    flipped[2] += __builtin_popcountll(x ^ parl_rng(i, i, i ^ 1));
  }
  for (int k = 0; k < 3; k++) assert_close(flipped[k] / N, 32, 5 * 4 / sqrt((double)N), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published_vectors),
      cmocka_unit_test(test_layout_of_seed_stream_index),
      cmocka_unit_test(test_cursor_is_the_function),
      cmocka_unit_test(test_uniform),
      cmocka_unit_test(test_uniform_reaches_its_ends),
      cmocka_unit_test(test_below_is_in_range_and_unbiased),
      cmocka_unit_test(test_below_has_no_modulo_bias),
      cmocka_unit_test(test_normal),
      cmocka_unit_test(test_streams_differ),
      cmocka_unit_test(test_purposes_differ),
      cmocka_unit_test(test_avalanche),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
