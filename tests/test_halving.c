/* tests/test_halving.c - asynchronous successive halving: by hand, whatever order results come in,
 * and with rows that fail or take no part. */
#include <math.h>

#include "core/rng.h"
#include "experiments/halving.h"
#include "tests/support.h"

enum { N = 40, RUNGS = 3, ETA = 3 };

static const double UNKNOWN = (double)NAN;

static void decide(const double *results, const bool *is_out, size_t n, size_t n_rungs, size_t eta,
                   size_t *level, bool *is_over) {
  static const bool none[N] = {false};
  assert_ok(parl_halving_decide(results, is_out ? is_out : none, n, n_rungs, eta, level, is_over));
}

/* Of the first rung go on: row 0 of the first two, row 2 of three, row 3 of four, row 5 of
 * six. They come to the second rung in this order: there row 2 of two, row 5 of four. */
static void test_by_hand(void **state) {
  (void)state;
  double results[6][2] = {{.5, UNKNOWN}, {.4, UNKNOWN}, {.7, UNKNOWN},
                          {.6, UNKNOWN}, {.1, UNKNOWN}, {.9, UNKNOWN}};
  size_t level[6];
  bool is_over[6];
  decide(&results[0][0], NULL, 6, 2, 2, level, is_over);
  static const size_t first[] = {1, 0, 1, 1, 0, 1}, both[] = {1, 0, 2, 1, 0, 2};
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(level[i], first[i]);
    assert_int_equal(is_over[i], first[i] == 0);
  }
  results[0][1] = .5;
  results[2][1] = .8;
  results[5][1] = .9;
  decide(&results[0][0], NULL, 6, 2, 2, level, is_over);
  assert_int_equal(level[2], 2); /* known without row 3, row 5 only with it */
  assert_int_equal(level[5], 1);
  assert_false(is_over[0]);
  results[3][1] = .2;
  decide(&results[0][0], NULL, 6, 2, 2, level, is_over);
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(level[i], both[i]);
    assert_int_equal(is_over[i], both[i] < 2);
  }
}

/* A gap hides what lies behind it; of too few the best goes on, once all are known; equal ones go
 * on in their order. */
static void test_few(void **state) {
  (void)state;
  double results[3] = {.1, UNKNOWN, .9};
  size_t level[3];
  bool is_over[3];
  decide(results, NULL, 3, 1, 4, level, is_over);
  for (size_t i = 0; i < 3; i++) assert_true(level[i] == 0 && !is_over[i]);
  results[1] = .9;
  decide(results, NULL, 3, 1, 4, level, is_over);
  assert_true(level[0] == 0 && level[1] == 1 && level[2] == 0 && is_over[2]);
  results[1] = results[0] = results[2] = -HUGE_VAL; /* nobody is left */
  decide(results, NULL, 3, 1, 4, level, is_over);
  for (size_t i = 0; i < 3; i++) assert_true(level[i] == 0 && is_over[i]);
  const bool is_out[] = {false, true, false};
  const double others[] = {.2, UNKNOWN, .1}; /* the one that is out is not waited for */
  decide(others, is_out, 3, 1, 2, level, is_over);
  assert_true(level[0] == 1 && level[1] == 1 && level[2] == 0 && is_over[2] && !is_over[1]);
}

typedef struct sweep {
  double all[N][RUNGS], known[N][RUNGS];
  size_t level[N], reached[N]; /* reached: rungs whose result is known */
  bool is_over[N];
} sweep;

static void make_results(sweep *s, uint64_t seed) {
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < RUNGS; k++) {
      const double u = parl_rng_uniform(seed, i, k);
      s->all[i][k] = u < 0.05 ? -HUGE_VAL : floor(20 * u) / 20; /* some equal, some failed */
      s->known[i][k] = UNKNOWN;
    }
}

/* Trains one row of those that may be; which one is chance. False: none may. */
static bool advance(sweep *s, parl_rng_cursor *chance) {
  size_t may[N], n = 0;
  for (size_t i = 0; i < N; i++)
    if (s->reached[i] < RUNGS && s->reached[i] <= s->level[i]) may[n++] = i;
  if (n == 0) return false;
  const size_t row = may[(size_t)((double)n * parl_rng_next_uniform(chance))];
  s->known[row][s->reached[row]] = s->all[row][s->reached[row]];
  s->reached[row]++;
  return true;
}

/* Whatever comes in first, the same rows go on; nobody is called back, and nobody who is over goes
 * on after all. */
static void test_order_does_not_matter(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 20; seed++) {
    size_t first[N];
    for (uint64_t order = 0; order < 5; order++) {
      sweep s = {.reached = {0}};
      parl_rng_cursor chance = {seed, 1000 + order, 0};
      make_results(&s, seed);
      while (advance(&s, &chance)) {
        sweep before = s;
        decide(&s.known[0][0], NULL, N, RUNGS, ETA, s.level, s.is_over);
        for (size_t i = 0; i < N; i++) {
          assert_true(s.level[i] >= before.level[i]);
          if (before.is_over[i]) assert_true(s.is_over[i] && s.level[i] == before.level[i]);
        }
      }
      size_t n_through = 0;
      for (size_t i = 0; i < N; i++) {
        if (order == 0) first[i] = s.level[i];
        assert_int_equal(s.level[i], first[i]);
        assert_int_equal(s.is_over[i], s.level[i] < RUNGS);
        n_through += s.level[i] == RUNGS;
      }
      assert_in_range(n_through, 1, N / ETA);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_few),
      cmocka_unit_test(test_order_does_not_matter),
  };
  return cmocka_run_group_tests_name("halving", tests, NULL, NULL);
}
