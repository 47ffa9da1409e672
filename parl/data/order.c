/* parl/data/order.c - a permutation, number by number. */
#include "parl/data/order.h"

#include "core/rng.h"

enum { ROUNDS = 6 };

static uint64_t permute(uint64_t key, unsigned half, uint64_t x) {
  const uint64_t mask = (UINT64_C(1) << half) - 1;
  uint64_t left = x >> half, right = x & mask;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    const uint64_t next = left ^ (parl_rng_mix(key, round, right) & mask);
    left = right;
    right = next;
  }
  return left << half | right;
}

uint64_t parl_order_get(uint64_t key, uint64_t n, uint64_t i) {
  unsigned half = 1;
  while (half < 31 && UINT64_C(1) << (2 * half) < n) half++;
  do {
    i = permute(key, half, i);
  } while (i >= n);
  return i;
}
