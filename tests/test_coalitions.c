/* tests/test_coalitions.c - shares of games by hand, and what holds of them in any game. */
#include <math.h>

#include "core/rng.h"
#include "parl/learn/coalitions.h"
#include "tests/support.h"

enum { MOST = 16 };

/* What the set of players (bits) is worth. */
typedef double game(const void *what, unsigned players);

/* Shares of a game that is asked as the plan says; returns how often. */
static size_t play(const parl_coalitions *c, game *worth, const void *what,
                   double out[MOST][PARL_N_SHARES]) {
  const unsigned all = (1U << c->n_players) - 1;
  size_t order[MOST], players[MOST];
  parl_shares s = {.order = order, .made = out};
  double v[PARL_N_SHARES] = {worth(what, all), 2 * worth(what, all), 1};
  parl_shares_begin(&s, c, v);
  for (size_t k = 0; k < c->n; k++) {
    size_t o, n_blocks;
    unsigned in = 0;
    parl_coalitions_find(c, k, &o, &n_blocks);
    assert_int_equal(n_blocks == 0, k == 0);
    parl_coalitions_get_order(c, o, players);
    for (size_t i = 0; i < parl_coalitions_get_begin(c, o, n_blocks); i++) in |= 1U << players[i];
    assert_true(in != all); /* that is known */
    v[0] = worth(what, in);
    v[1] = 2 * v[0];
    parl_shares_take(&s, k, v);
  }
  return c->n;
}

/* Players 0 and 1 can do one row, player 2 another. */
static double rows(const void *what, unsigned players) {
  (void)what;
  return ((players & 3) != 0) + (players >> 2 & 1);
}

static double at_random(const void *what, unsigned players) {
  return parl_rng_uniform(*(const uint64_t *)what, 1, players);
}

/* Two who made the same: each half of it where leaving out either changes nothing, in a pair of
 * orders already; the first all of it in the written order. */
static void test_two_on_one_row(void **state) {
  (void)state;
  double made[MOST][PARL_N_SHARES];
  assert_true(rows(NULL, 7) == rows(NULL, 6) && rows(NULL, 7) == rows(NULL, 5));
  for (uint64_t seed = 0; seed < 20; seed++) {
    const parl_coalitions c = parl_coalitions_make(3, 2, SIZE_MAX, seed);
    assert_int_equal(play(&c, rows, NULL, made), 5);
    assert_true(made[0][0] == 0.5 && made[1][0] == 0.5 && made[2][0] == 1);
    assert_true(made[0][1] == 1 && made[2][1] == 2 && made[2][2] == 0);
  }
  const parl_coalitions c = parl_coalitions_make(3, 0, SIZE_MAX, 4);
  assert_int_equal(play(&c, rows, NULL, made), 3);
  assert_true(made[0][0] == 1 && made[1][0] == 0 && made[2][0] == 1);
}

/* A glove game (one left, two right; a pair is worth 1): 2/3, 1/6, 1/6 over many orders. */
static double gloves(const void *what, unsigned players) {
  (void)what;
  return (players & 1) != 0 && (players & 6) != 0;
}

static void test_many_orders_are_shapley(void **state) {
  (void)state;
  double made[MOST][PARL_N_SHARES];
  const parl_coalitions c = parl_coalitions_make(3, 1000, SIZE_MAX, 9);
  play(&c, gloves, NULL, made);
  assert_close(made[0][0], 2.0 / 3, 0.03);
  assert_close(made[1][0], 1.0 / 6, 0.03);
  assert_close(made[2][0], 1.0 / 6, 0.03);
}

/* Any game, any number of players, orders and values: never more is asked for than may be, and
 * shares sum to v(all) - v(none). */
static void test_efficiency(void **state) {
  (void)state;
  double made[MOST][PARL_N_SHARES];
  for (uint64_t seed = 0; seed < 300; seed++) {
    const size_t n = 1 + seed % 10, n_orders = seed % 5, most = 1 + seed * 7 % 23;
    const parl_coalitions c = parl_coalitions_make(n, n_orders, most, seed);
    assert_true(play(&c, at_random, &seed, made) <= most);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += made[i][0];
    assert_close(sum, at_random(&seed, (1U << n) - 1) - at_random(&seed, 0), 1e-12);
  }
}

/* An odd order is the reverse of the one before; the next pair is another; each has all players. */
static void test_orders(void **state) {
  (void)state;
  const parl_coalitions c = parl_coalitions_make(MOST, 6, SIZE_MAX, 3);
  size_t a[MOST], b[MOST], next[MOST], n_other = 0, seen = 0;
  for (size_t o = 0; o < 6; o += 2) {
    parl_coalitions_get_order(&c, o, a);
    parl_coalitions_get_order(&c, o + 1, b);
    parl_coalitions_get_order(&c, (o + 2) % 6, next);
    for (size_t i = 0; i < MOST; i++) {
      assert_int_equal(a[i], b[MOST - 1 - i]);
      seen |= (size_t)1 << a[i];
      n_other += a[i] != next[i];
    }
    assert_int_equal(seen, (1U << MOST) - 1);
  }
  assert_true(n_other > MOST);
}

/* 16 players, 4 values: none, two within the first order, one within its reverse. */
static void test_blocks(void **state) {
  (void)state;
  const parl_coalitions c = parl_coalitions_make(16, 2, 4, 3);
  size_t order, n_blocks;
  assert_int_equal(c.n, 4);
  assert_int_equal(parl_coalitions_get_n_blocks(&c, 0), 3);
  assert_int_equal(parl_coalitions_get_n_blocks(&c, 1), 2);
  assert_int_equal(parl_coalitions_get_begin(&c, 0, 1), 5);
  assert_int_equal(parl_coalitions_get_begin(&c, 0, 2), 10);
  assert_int_equal(parl_coalitions_get_begin(&c, 1, 1), 8);
  parl_coalitions_find(&c, 3, &order, &n_blocks);
  assert_true(order == 1 && n_blocks == 1);
  /* not even one value for each order: there are fewer orders */
  assert_int_equal(parl_coalitions_make(16, 10, 4, 3).n_orders, 3);
  assert_int_equal(parl_coalitions_make(16, 10, 1, 3).n_orders, 1);
}

/* Who adds the same to whoever is there has that, exactly, and who adds nothing nothing; a value
 * that is not known leaves its two blocks unknown, no other. */
static double sums(const void *what, unsigned players) {
  (void)what;
  double sum = 0.5;
  for (unsigned i = 0; i < 5; i++) sum += players >> i & 1 ? i : 0;
  return sum;
}

static void test_sums_and_unknown(void **state) {
  (void)state;
  double made[MOST][PARL_N_SHARES];
  size_t order[MOST];
  const parl_coalitions c = parl_coalitions_make(5, 3, SIZE_MAX, 8);
  play(&c, sums, NULL, made);
  assert_true(made[0][0] == 0);
  for (size_t i = 0; i < 5; i++) assert_close(made[i][0], (double)i, 1e-12);
  const parl_coalitions one = parl_coalitions_make(5, 1, SIZE_MAX, 8);
  parl_shares s = {.order = order, .made = made};
  parl_shares_begin(&s, &one, (double[PARL_N_SHARES]){5});
  for (size_t k = 0; k < one.n; k++)
    parl_shares_take(&s, k, (double[PARL_N_SHARES]){k == 2 ? (double)NAN : (double)k});
  for (size_t i = 0; i < 5; i++)
    assert_true(i == 1 || i == 2 ? isnan(made[order[i]][0]) : made[order[i]][0] == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_on_one_row), cmocka_unit_test(test_many_orders_are_shapley),
      cmocka_unit_test(test_efficiency),     cmocka_unit_test(test_orders),
      cmocka_unit_test(test_blocks),         cmocka_unit_test(test_sums_and_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
