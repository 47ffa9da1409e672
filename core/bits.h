/* core/bits.h - a set of small whole numbers, a bit each: the least of it, and the next, are found
 * by words of 64.
 *
 * What a scan over many things would find in order, for a 64th of its reads, or less: below `from`
 * nothing is looked at. Thread rule: one thread per object. */
#ifndef PARL_CORE_BITS_H
#define PARL_CORE_BITS_H
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"

typedef struct parl_bits {
  size_t n;        /* numbers are below it */
  size_t from;     /* words before this one are 0 */
  uint64_t *words; /* [(n + 63) / 64] */
} parl_bits;

/* The empty set of numbers below n, in the arena. Fails: ENOMEM. */
static inline parl_status parl_bits_init(parl_bits *b, size_t n, parl_arena *arena) {
  *b = (parl_bits){.n = n, .from = (n + 63) / 64};
  PARL_TRY(PARL_ARENA_TAKE(arena, b->from, &b->words));
  for (size_t w = 0; w < b->from; w++) b->words[w] = 0;
  return PARL_STATUS_OK;
}

static inline void parl_bits_add(parl_bits *b, size_t i) {
  b->words[i / 64] |= (uint64_t)1 << (i % 64);
  if (i / 64 < b->from) b->from = i / 64;
}

static inline void parl_bits_remove(parl_bits *b, size_t i) {
  b->words[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static inline void parl_bits_put(parl_bits *b, size_t i, bool is_in) {
  if (is_in)
    parl_bits_add(b, i);
  else
    parl_bits_remove(b, i);
}

/* The least number of the set that is i or more; n: none. */
static inline size_t parl_bits_next(const parl_bits *b, size_t i) {
  const size_t n_words = (b->n + 63) / 64;
  size_t w = i / 64;
  if (w < b->from) w = b->from;
  if (w >= n_words) return b->n;
  uint64_t left = b->words[w];
  if (w == i / 64) left &= UINT64_MAX << (i % 64);
  while (left == 0)
    if (++w < n_words)
      left = b->words[w];
    else
      return b->n;
  return w * 64 + (size_t)__builtin_ctzll(left);
}

/* The least of the set; n: none. */
static inline size_t parl_bits_first(parl_bits *b) {
  const size_t n_words = (b->n + 63) / 64;
  while (b->from < n_words && b->words[b->from] == 0) b->from++;
  return b->from < n_words ? b->from * 64 + (size_t)__builtin_ctzll(b->words[b->from]) : b->n;
}

#endif
