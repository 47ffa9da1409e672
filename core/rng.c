/* core/rng.c - Philox4x32-10 and the distributions on top of it. */
#include "core/rng.h"

#include <math.h>

void parl_rng_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * x0;
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * x2;
    x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
    x1 = (uint32_t)p1;
    x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
    x3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

uint64_t parl_rng(uint64_t seed, uint64_t stream, uint64_t index) {
  const uint64_t block = index / 2;
  const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                               (uint32_t)(stream >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t out[4];
  parl_rng_philox4x32(counter, key, out);
  const size_t half = (size_t)(index % 2) * 2;
  return (uint64_t)out[half + 1] << 32 | out[half];
}

static uint64_t mix(uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t parl_rng_stream(uint64_t purpose, uint64_t a, uint64_t b, uint64_t c) {
  return mix(mix(mix(mix(purpose) ^ a) ^ b) ^ c);
}

static double to_unit(uint64_t bits) {
  return (double)(bits >> 11) * 0x1p-53;
}

double parl_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return to_unit(parl_rng(seed, stream, index));
}

uint64_t parl_rng_next(parl_rng_cursor *cursor) {
  return parl_rng(cursor->seed, cursor->stream, cursor->index++);
}

double parl_rng_next_uniform(parl_rng_cursor *cursor) {
  return to_unit(parl_rng_next(cursor));
}

uint64_t parl_rng_next_below(parl_rng_cursor *cursor, uint64_t n) {
  const uint64_t threshold = (0 - n) % n;
  for (;;) {
    const unsigned __int128 product = (unsigned __int128)parl_rng_next(cursor) * n;
    if ((uint64_t)product >= threshold) return (uint64_t)(product >> 64);
  }
}

double parl_rng_next_normal(parl_rng_cursor *cursor) {
  const double radius = sqrt(-2.0 * log(1.0 - parl_rng_next_uniform(cursor)));
  return radius * cos(6.283185307179586476925 * parl_rng_next_uniform(cursor));
}
