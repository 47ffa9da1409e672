/* tests/test_ops_support.h - what the tests of the ops share: guarded buffers, inputs, levels.
 *
 * A buffer lies between guard words of a NaN that no computation makes; so does every gap between
 * its rows, and an output before it is written. Reading order: buffer, inputs, levels. */
#ifndef PARL_TESTS_TEST_OPS_SUPPORT_H
#define PARL_TESTS_TEST_OPS_SUPPORT_H
#define PARL_ACT_IS_FLOAT /* backends that are tried keep operands in f32 */
#include "core/rng.h"
#include "kernels/check.h"
#include "kernels/ops.h"
#include "tests/cuda/level.h"
#include "tests/support.h"

#define GUARD_BITS 0x7fa5a5a5u
enum { GUARD = 64 }; /* floats before and behind a buffer */

static inline float guard_value(void) {
  const uint32_t bits = GUARD_BITS;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline bool is_guard(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits == GUARD_BITS;
}

/* A matrix [rows, columns] with ld floats between rows, owned, all guard words at first. */
typedef struct buffer {
  size_t rows, columns, ld;
  float *x;     /* the first element */
  float *block; /* what to free */
  size_t n_block;
} buffer;

/* shift: floats by which the start misses the alignment of 64 bytes. */
static inline buffer buffer_create(size_t rows, size_t columns, size_t ld, size_t shift) {
  buffer b = {.rows = rows, .columns = columns, .ld = ld};
  b.n_block = ((rows ? (rows - 1) * ld + columns : 0) + 2 * GUARD + shift + 15) / 16 * 16;
  b.block = aligned_alloc(64, b.n_block * sizeof(float));
  assert_non_null(b.block);
  for (size_t i = 0; i < b.n_block; i++) b.block[i] = guard_value();
  b.x = b.block + GUARD + shift;
  return b;
}

static inline void buffer_destroy(buffer *b) {
  free(b->block);
  *b = (buffer){0};
}

/* True if nothing outside the elements was written. */
static inline bool buffer_is_intact(const buffer *b) {
  const size_t first = (size_t)(b->x - b->block);
  for (size_t i = 0; i < b->n_block; i++) {
    const size_t at = i - first;
    const bool inside =
        i >= first && b->rows > 0 && at / b->ld < b->rows && at % b->ld < b->columns;
    if (!inside && !is_guard(b->block[i])) return false;
  }
  return true;
}

/* Fixed, or TEST_SEED from the environment; printed by every failure. */
static inline uint64_t test_seed(void) {
  const char *text = getenv("TEST_SEED");
  return text ? strtoull(text, NULL, 0) : 20260101u;
}

typedef enum regime { CENTRED, OFFSET, TINY, CONSTANT, N_REGIMES } regime;
static const char *const regime_names[] = {"centred", "offset 1000", "scale 1e-6", "constant"};
/* A regime is other numbers in the same places, which no sanitizer sees. */
static inline regime get_end_of_regimes(void) {
  return parl_test_is_short() ? OFFSET : N_REGIMES;
}

/* Roughly normal, quickly: four 16-bit uniforms of one draw, summed, with variance 1. */
static inline double draw_bell(parl_rng_cursor *cursor) {
  const uint64_t bits = parl_rng_next(cursor);
  const uint64_t sum =
      (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
  return ((double)sum / 65536.0 - 2.0) * 1.7320508;
}

static inline float draw(regime how, parl_rng_cursor *cursor) {
  if (how == CONSTANT) return 0.75f;
  const double z = draw_bell(cursor);
  switch (how) {
    case OFFSET:
      return (float)(1000.0 + z);
    case TINY:
      return (float)(1e-6 * z);
    case CONSTANT:
      return 0.75f;
    default:
      return (float)z;
  }
}

static inline void buffer_fill(buffer *b, regime how, uint64_t stream) {
  parl_rng_cursor cursor = {.seed = test_seed(), .stream = stream};
  for (size_t r = 0; r < b->rows; r++)
    for (size_t c = 0; c < b->columns; c++) b->x[r * b->ld + c] = draw(how, &cursor);
}

/* The instruction sets to try; a missing one is skipped, a set that is the oracle itself fails. */
#ifdef PARL_TEST_CUDA /* the same tests once more, of the emulated kernels */
static const char *const level_names[] = {"cuda:f32", "cuda:bf16"};
enum { N_F32_LEVELS = 2, N_LEVELS = 2 };
#else
static const char *const level_names[] = {
    "avx512",           "avx2",           "portable",           "amx",         "avx512-bf16",
    "avx512-bf16-soft", "avx2-bf16-soft", "portable-bf16-soft", "amx-emulated"};
enum { N_F32_LEVELS = 3, N_LEVELS = 9 };
#endif

/* What a level is compared with, and how much operands kept in bf16 may add to its tolerance: each
 * side rounds what it writes. */
static inline const parl_backend *get_oracle(const parl_backend *level) {
#ifdef PARL_TEST_CUDA
  return cuda_oracle(level);
#else
  (void)level;
  return parl_backend_ref();
#endif
}
static inline double rounding_of(const parl_backend *level) {
  return get_oracle(level) == parl_backend_ref() ? 0.0 : 0x1p-7;
}

static inline const parl_backend *get_level(const char *level) {
#ifdef PARL_TEST_CUDA
  return cuda_level(level + strlen("cuda:"));
#endif
  const parl_backend *backend = NULL;
  if (parl_backend_cpu(level, &backend) != PARL_STATUS_OK) skip();
  if (backend == parl_backend_ref() || strcmp(backend->name, "ref") == 0 ||
      strcmp(backend->instructions, level) != 0)
    fail_msg("backend cpu:%s is %s (%s): nothing to compare", level, backend->name,
             backend->instructions);
  return backend;
}

/* The bf16 number nearest to x, ties to even; of a NaN, a NaN. */
static inline float to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t rest = bits & 0xffffu, last = bits >> 16 & 1u;
  if (isnan(x))
    bits |= 0x400000u;
  else if (rest > 0x8000u || (rest == 0x8000u && last == 1u))
    bits += 0x10000u;
  bits &= 0xffff0000u;
  memcpy(&x, &bits, sizeof x);
  return x;
}

#endif
