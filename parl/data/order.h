/* parl/data/order.h - an order of n things without a list of them.
 *
 * Thread rule: pure functions. */
#ifndef PARL_PARL_DATA_ORDER_H
#define PARL_PARL_DATA_ORDER_H
#include <stdint.h>

/* Place i of a permutation of 0..n-1 that the key names: a Feistel network over the next power of
 * four, walked until it is inside. i < n. Source: Black & Rogaway 2002, "cycle walking". */
uint64_t parl_order_get(uint64_t key, uint64_t n, uint64_t i);

#endif
