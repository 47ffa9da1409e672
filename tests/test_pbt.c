/* tests/test_pbt.c - population based training: who goes on as whom, and what changes. */
#include <math.h>

#include "experiments/pbt.h"
#include "tests/support.h"

enum { N = 8 };

/* Of eight the worst two, 3 and 6, go on as 1 or 4, the best two. */
static void test_truncation_by_hand(void **state) {
  (void)state;
  const double results[N] = {.5, .9, .5, .1, .8, .6, -HUGE_VAL, .4};
  size_t from[N], n_of[2] = {0};
  for (uint64_t seed = 0; seed < 200; seed++) {
    parl_rng_cursor chance = {seed, 3, 0};
    assert_ok(parl_pbt_exploit(results, N, 0.25, &chance, from));
    for (size_t i = 0; i < N; i++) {
      if (i != 3 && i != 6) assert_int_equal(from[i], i);
      if (i == 3 || i == 6) assert_true(from[i] == 1 || from[i] == 4);
    }
    n_of[0] += from[3] == 1;
    n_of[1] += from[6] == 1;
  }
  assert_in_range(n_of[0], 70, 130);
  assert_in_range(n_of[1], 70, 130);
}

/* Of equal ones the later is worse; at least one moves, and none where all failed. */
static void test_edges(void **state) {
  (void)state;
  const double equal[] = {.5, .5, .5}, failed[] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  const double one[] = {-HUGE_VAL, .1, -HUGE_VAL, -HUGE_VAL};
  size_t from[4];
  parl_rng_cursor chance = {1, 2, 0};
  assert_ok(parl_pbt_exploit(equal, 3, 0.25, &chance, from));
  assert_true(from[0] == 0 && from[1] == 1 && from[2] == 0);
  assert_ok(parl_pbt_exploit(failed, 3, 0.5, &chance, from));
  for (size_t i = 0; i < 3; i++) assert_int_equal(from[i], i);
  assert_ok(parl_pbt_exploit(one, 4, 0.5, &chance, from));
  assert_true(from[0] == 0 && from[1] == 1 && from[2] == 1 && from[3] == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_truncation_by_hand),
      cmocka_unit_test(test_edges),
  };
  return cmocka_run_group_tests_name("pbt", tests, NULL, NULL);
}
