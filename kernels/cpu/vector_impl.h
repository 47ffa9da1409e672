/* kernels/cpu/vector_impl.h - one vector type of VEC_BYTES and what the ops do with it.
 *
 * Included by ops_impl.h only. The few operations that C has no operator for are given per
 * instruction set; all else is written once with GCC's vector extensions. A product that must be
 * fused is spelled vf_fma, so that every tile and tail rounds alike.
 * Reading order: the types, the per-set part, exp and log, the shuffles. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if VEC_BYTES > 16
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
/* Keeps a value in its register: gcc folds a load into each of its uses, doubling the loads. */
#if VEC_BYTES > 16
#define HOLD(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define HOLD(v) __asm__("" : "+x"(v))
#elif defined(__aarch64__)
#define HOLD(v) __asm__("" : "+w"(v))
#else
#define HOLD(v) (void)(v)
#endif
#define UNROLL _Pragma("GCC unroll 32")

typedef float vf __attribute__((vector_size(VEC_BYTES)));
typedef int32_t vi __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t vu __attribute__((vector_size(VEC_BYTES)));     /* may wrap, as bits of a NaN do */
typedef uint16_t vh __attribute__((vector_size(VEC_BYTES / 2))); /* bf16 */
typedef float vf_half __attribute__((vector_size(VEC_BYTES / 2)));
typedef double vd __attribute__((vector_size(VEC_BYTES)));

enum { W = VEC_BYTES / (int)sizeof(float) };

INLINE vf vf_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void vf_store(float *p, vf v) {
  memcpy(p, &v, sizeof v);
}

#if VEC_BYTES == 64
static const vi lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

INLINE vf vf_set1(float x) {
  return _mm512_set1_ps(x);
}
INLINE vf vf_fma(vf a, vf b, vf c) {
  return _mm512_fmadd_ps(a, b, c);
}
/* A NaN in b stays a NaN. */
INLINE vf vf_max(vf a, vf b) {
  return _mm512_max_ps(a, b);
}
INLINE vf vf_min(vf a, vf b) {
  return _mm512_min_ps(a, b);
}
INLINE vf vf_sqrt(vf a) {
  return _mm512_sqrt_ps(a);
}
/* The first n of W lanes; zeros, or nothing, in the others. */
INLINE vf vf_load_part(const float *p, size_t n) {
  return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
INLINE void vf_store_part(float *p, vf v, size_t n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), v);
}
#elif VEC_BYTES == 32
static const vi lanes = {0, 1, 2, 3, 4, 5, 6, 7};

INLINE vf vf_set1(float x) {
  return _mm256_set1_ps(x);
}
INLINE vf vf_fma(vf a, vf b, vf c) {
  return _mm256_fmadd_ps(a, b, c);
}
INLINE vf vf_max(vf a, vf b) {
  return _mm256_max_ps(a, b);
}
INLINE vf vf_min(vf a, vf b) {
  return _mm256_min_ps(a, b);
}
INLINE vf vf_sqrt(vf a) {
  return _mm256_sqrt_ps(a);
}
INLINE vf vf_load_part(const float *p, size_t n) {
  return _mm256_maskload_ps(p, (__m256i)(lanes < (int32_t)n));
}
INLINE void vf_store_part(float *p, vf v, size_t n) {
  _mm256_maskstore_ps(p, (__m256i)(lanes < (int32_t)n), v);
}
#else
static const vi lanes = {0, 1, 2, 3};

INLINE vf vf_set1(float x) {
  return (vf){x, x, x, x};
}
INLINE vf vf_fma(vf a, vf b, vf c) {
  return a * b + c;
}
INLINE vf vf_max(vf a, vf b) {
  const vi m = a > b;
  return (vf)((m & (vi)a) | (~m & (vi)b));
}
INLINE vf vf_min(vf a, vf b) {
  const vi m = a < b;
  return (vf)((m & (vi)a) | (~m & (vi)b));
}
INLINE vf vf_sqrt(vf a) {
  return (vf){__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]),
              __builtin_sqrtf(a[3])};
}
INLINE vf vf_load_part(const float *p, size_t n) {
  vf v = {0};
  for (size_t i = 0; i < n; i++) v[i] = p[i];
  return v;
}
INLINE void vf_store_part(float *p, vf v, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = v[i];
}
#endif

/* n lanes, where n may be the whole vector. */
INLINE vf vf_load_n(const float *p, size_t n) {
  return n >= (size_t)W ? vf_load(p) : vf_load_part(p, n);
}
INLINE void vf_store_n(float *p, vf v, size_t n) {
  if (n >= (size_t)W)
    vf_store(p, v);
  else
    vf_store_part(p, v, n);
}

INLINE vf vf_select(vi mask, vf yes, vf no) {
  return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}
/* All ones in the first n lanes. */
INLINE vi vi_first(size_t n) {
  return lanes < (int32_t)(n < (size_t)W ? n : (size_t)W);
}

/* The first n lanes of bf16, zeros in the others. */
INLINE vf vf_load_bf16(const uint16_t *p, size_t n) {
  vh v = {0};
  if (n >= (size_t)W)
    memcpy(&v, p, sizeof v);
  else
    memcpy(&v, p, n * sizeof *p);
  return (vf)(__builtin_convertvector(v, vu) << 16);
}
/* Rounds to nearest, ties to even; a NaN stays one. */
INLINE void vf_store_bf16(uint16_t *p, vf v, size_t n) {
  const vu bits = (vu)v, rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  const vf kept = vf_select(v == v, (vf)rounded, (vf)(bits | 0x400000u));
  const vh half = __builtin_convertvector((vu)kept >> 16, vh);
  memcpy(p, &half, (n < (size_t)W ? n : (size_t)W) * sizeof *p);
}

/* e^x with a relative error below 2e-7; below -87.3 it stays at the least normal number, above
 * 88.3 at 2.4e38. A NaN stays a NaN. Source: the Cephes library's expf. */
INLINE vf vf_exp(vf x) {
  const vf magic = vf_set1(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
  x = vf_min(vf_set1(88.3f), vf_max(vf_set1(-87.3f), x));
  const vf t = vf_fma(x, vf_set1(1.44269504f), magic);
  const vf n = t - magic;
  vf r = vf_fma(n, vf_set1(-0.693359375f), x);
  r = vf_fma(n, vf_set1(2.12194440e-4f), r);
  vf p = vf_fma(vf_set1(1.9875691500e-4f), r, vf_set1(1.3981999507e-3f));
  p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
  p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
  p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
  p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
  p = vf_fma(p, r * r, r + vf_set1(1.0f));
  return (vf)((vu)p + ((vu)t << 23));
}

/* 2^x for x up to 126, as softmax needs it: relative error below 2e-7, and below x = -126 the
 * least normal number. A NaN stays a NaN. Coefficients: ours, least relative error on
 * [-1/2, 1/2]. */
INLINE vf vf_exp2(vf x) {
  const vf magic = vf_set1(12582912.0f);
  x = vf_max(vf_set1(-126.0f), x);
  const vf t = x + magic;
  const vf r = x - (t - magic);
  vf p = vf_fma(vf_set1(1.53533585e-4f), r, vf_set1(1.33988757e-3f));
  p = vf_fma(p, r, vf_set1(9.61843738e-3f));
  p = vf_fma(p, r, vf_set1(5.55033247e-2f));
  p = vf_fma(p, r, vf_set1(2.40226479e-1f));
  p = vf_fma(p, r, vf_set1(6.93147203e-1f));
  p = vf_fma(p, r, vf_set1(1.0f));
  return (vf)((vu)p + ((vu)t << 23));
}

/* log x of a positive normal number, relative error below 2e-7. Source: Cephes, logf. */
INLINE vf vf_log(vf x) {
  /* x = m 2^e with m in [sqrt 1/2, sqrt 2) */
  const vi exponent = (vi)((vu)x - 0x3f3504f3u) >> 23;
  const vf e = __builtin_convertvector(exponent, vf);
  const vf m = (vf)((vu)x - ((vu)exponent << 23));
  const vf f = m - vf_set1(1.0f), z = f * f;
  vf y = vf_fma(vf_set1(7.0376836292e-2f), f, vf_set1(-1.1514610310e-1f));
  y = vf_fma(y, f, vf_set1(1.1676998740e-1f));
  y = vf_fma(y, f, vf_set1(-1.2420140846e-1f));
  y = vf_fma(y, f, vf_set1(1.4249322787e-1f));
  y = vf_fma(y, f, vf_set1(-1.6668057665e-1f));
  y = vf_fma(y, f, vf_set1(2.0000714765e-1f));
  y = vf_fma(y, f, vf_set1(-2.4999993993e-1f));
  y = vf_fma(y, f, vf_set1(3.3333331174e-1f));
  y = vf_fma(y * f, z, vf_set1(-2.12194440e-4f) * e);
  y = vf_fma(vf_set1(-0.5f), z, y);
  return vf_fma(vf_set1(0.693359375f), e, f + y);
}

/* Lane i of the result is lane mask[i] of a and b laid end to end. */
INLINE vf vf_shuffle(vf a, vf b, vi mask) {
#if __has_builtin(__builtin_shuffle)
  return __builtin_shuffle(a, b, mask);
#else
  vf out;
  UNROLL for (int i = 0; i < W; i++) out[i] = mask[i] < W ? a[mask[i]] : b[mask[i] - W];
  return out;
#endif
}

/* One butterfly step at distance d: lanes without bit d keep `a`, the others take their partner
 * from `b` (low), or the other way round (high). log2(W) steps transpose W vectors. */
INLINE vf vf_low(vf a, vf b, int d) {
  return vf_shuffle(a, b, (lanes & ~d) + (((lanes & d) != 0) & W));
}
INLINE vf vf_high(vf a, vf b, int d) {
  return vf_shuffle(a, b, (lanes | d) + (((lanes & d) != 0) & W));
}

/* Sum and maximum of all lanes, in one fixed order. */
INLINE float vf_sum(vf v) {
  UNROLL for (int d = W / 2; d > 0; d /= 2) v += vf_shuffle(v, v, lanes ^ d);
  return v[0];
}
INLINE float vf_top(vf v) {
  UNROLL for (int d = W / 2; d > 0; d /= 2) v = vf_max(v, vf_shuffle(v, v, lanes ^ d));
  return v[0];
}

/* Lane i of the result is the sum of the lanes of v[i]; v is used up. */
INLINE vf vf_sums(vf v[W]) {
  UNROLL for (int d = 1; d < W; d *= 2) {
    const vi from_b = ((lanes & d) != 0) & W;
    UNROLL for (int i = 0; i < W; i += 2 * d) {
      const vf mine = vf_shuffle(v[i], v[i + d], lanes + from_b);
      v[i] = mine + vf_shuffle(v[i], v[i + d], (lanes ^ d) + from_b);
    }
  }
  return v[0];
}

/* Rows become columns. */
INLINE void vf_transpose(vf v[W]) {
  UNROLL for (int d = 1; d < W; d *= 2) {
    UNROLL for (int i = 0; i < W; i++) {
      if ((i & d) == 0) {
        const vf low = vf_low(v[i], v[i + d], d), high = vf_high(v[i], v[i + d], d);
        v[i] = low;
        v[i + d] = high;
      }
    }
  }
}

INLINE size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}
INLINE size_t round_up(size_t n, size_t unit) {
  return (n + unit - 1) / unit * unit;
}
