/* parl/learn/coalitions.h - what each of several made, averaged over the orders in which they come.
 *
 * v(S) is what it is worth that the players in S take part, and those alone; v(all) is known. In an
 * order of the n players, player i makes v(those before it and i) - v(those before it). Its share
 * is the mean of that over orders: over all n! the Shapley value; here over n_orders drawn ones,
 * each second the reverse of the one before it (an antithetic pair: who comes first in one comes
 * last in the other), or over the one order in which they were written. So leaving out one at a
 * time gives 0 to each of two who made the same; an average of orders gives each half, the written
 * order all to the first.
 *
 * An order costs n - 1 values, and v(none) is shared. Where there may be fewer, orders are cut into
 * blocks of nearly equal size, whose players share alike what the block made: coarser, at any cost.
 * Shares always sum to v(all) - v(none), whatever was drawn and cut, up to rounding. Drawn orders
 * are unbiased for the Shapley value where no block has two players; who changes nothing has
 * exactly 0 there.
 *
 * Source: Shapley 1953; orders drawn: Castro, Gomez, Tejada 2009; with their reverse: Mitchell,
 * Cooper, Frank, Holmes 2022. Blocks: ours.
 * Thread rule: one thread per object. Reading order: parl_coalitions, its members, parl_shares. */
#ifndef PARL_PARL_LEARN_COALITIONS_H
#define PARL_PARL_LEARN_COALITIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which values are asked for. Plain data. */
typedef struct parl_coalitions {
  size_t n_players; /* >= 1 */
  size_t n_orders;  /* >= 1 */
  size_t n;         /* coalitions whose value is asked for, the empty one first */
  bool is_drawn;    /* false: the one order 0 1 2 ... */
  uint64_t seed;
} parl_coalitions;

/* n_orders 0: the written one. most: values that may be asked for, >= 1; where orders are left
 * without one, there are fewer. */
parl_coalitions parl_coalitions_make(size_t n_players, size_t n_orders, size_t most, uint64_t seed);
/* Players of order `order`, out [n_players]. */
void parl_coalitions_get_order(const parl_coalitions *c, size_t order, size_t *out);
/* Coalition k < n: order and how many blocks of it take part, 0 of the first: none. */
void parl_coalitions_find(const parl_coalitions *c, size_t k, size_t *order, size_t *n_blocks);
/* Blocks of an order, and the players in front of block b; b = n_blocks: n_players. */
size_t parl_coalitions_get_n_blocks(const parl_coalitions *c, size_t order);
size_t parl_coalitions_get_begin(const parl_coalitions *c, size_t order, size_t b);

/* Several values at once are shared out, each for itself. */
enum { PARL_N_SHARES = 3 };

/* Shares as their values come in. Arrays are the caller's. */
typedef struct parl_shares {
  parl_coalitions of;
  size_t *order;                 /* [n_players] */
  double (*made)[PARL_N_SHARES]; /* [n_players] the result */
  double all[PARL_N_SHARES], none[PARL_N_SHARES], last[PARL_N_SHARES];
} parl_shares;

/* `all`: v(all). */
void parl_shares_begin(parl_shares *s, const parl_coalitions *of, const double all[PARL_N_SHARES]);
/* Coalition k has this value; k = 0, 1, ..., n - 1, after the last of which made is complete. NaN:
 * not known; then what needs it is not known either. */
void parl_shares_take(parl_shares *s, size_t k, const double value[PARL_N_SHARES]);

#endif
