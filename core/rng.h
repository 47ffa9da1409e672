/* core/rng.h - random numbers without state: Philox4x32-10.
 *
 * A number is a pure function of (seed, stream, index), so it is the same on every machine and for
 * any number of threads or order of work. Name streams with parl_rng_stream; count indices
 * yourself. Thread rule: pure functions. Reading order: parl_rng, the distributions,
 * parl_rng_cursor. */
#ifndef PARL_CORE_RNG_H
#define PARL_CORE_RNG_H
#include <stddef.h>
#include <stdint.h>

/* 64 random bits. Source: Salmon et al. 2011, Philox4x32 with 10 rounds; key = seed,
 * counter = (stream, index / 2), index % 2 selects the half of the block. */
uint64_t parl_rng(uint64_t seed, uint64_t stream, uint64_t index);

/* The raw block function, for tests against the published vectors. counter [4], key [2], out [4].
 */
void parl_rng_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream number mixed from a purpose (core/seeds.h) and up to three coordinates (SplitMix64
 * finaliser). */
uint64_t parl_rng_stream(uint64_t purpose, uint64_t a, uint64_t b, uint64_t c);

/* Chains a hash of numbers: mixes two more into h. No cryptography. */
static inline uint64_t parl_rng_mix(uint64_t h, uint64_t a, uint64_t b) {
  return parl_rng_stream(h, a, b, 0);
}

/* Uniform in [0, 1), 53 bits. */
double parl_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* A position in one stream; every draw advances `index`. */
typedef struct parl_rng_cursor {
  uint64_t seed, stream, index;
} parl_rng_cursor;

/* 64 random bits; one draw. */
uint64_t parl_rng_next(parl_rng_cursor *cursor);

/* Uniform in [0, 1), 53 bits; one draw. */
double parl_rng_next_uniform(parl_rng_cursor *cursor);

/* Uniform integer in [0, n), n >= 1, without modulo bias; one draw, seldom more.
 * Source: Lemire 2019, algorithm 5. */
uint64_t parl_rng_next_below(parl_rng_cursor *cursor, uint64_t n);

/* Standard normal; two draws. Source: Box & Muller 1958, the cosine half. */
double parl_rng_next_normal(parl_rng_cursor *cursor);

#endif
