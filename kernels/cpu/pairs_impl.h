/* kernels/cpu/pairs_impl.h - bf16 operands: two neighbours of a contraction in a lane of 32 bits.
 *
 * The even one lies in the lower half. Pairs travel as vf and in float arrays, as bits that nobody
 * reads as floats. Rounding is to the nearest, ties to even; denormals become zero and NaN stays
 * NaN, as in the instructions. A product of two bf16 is exact in f32, so a step of the sum is two
 * additions that round: the odd product first, as vdpbf16ps has it.
 * Included by ops_impl.h only. Reading order: the per-set part, columns, rows. */

#ifdef __AVX512BF16__
INLINE vf vf_fma_pairs(vf a, vf b, vf c) {
  return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}
/* Lane i holds (even[i], odd[i]). */
INLINE vf vf_pair(vf even, vf odd) {
  const __m512i low = _mm512_set_epi32(0x1f000f, 0x1e000e, 0x1d000d, 0x1c000c, 0x1b000b, 0x1a000a,
                                       0x190009, 0x180008, 0x170007, 0x160006, 0x150005, 0x140004,
                                       0x130003, 0x120002, 0x110001, 0x100000);
  return (vf)_mm512_permutexvar_epi16(low, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}
/* Lane i holds elements 2 i and 2 i + 1 of a and b laid end to end. */
INLINE vf vf_pair_neighbours(vf a, vf b) {
  return (vf)_mm512_cvtne2ps_pbh(b, a);
}
#else
INLINE vf vf_fma_pairs(vf a, vf b, vf c) {
  const vu high = {0};
  const vf odd_a = (vf)((vu)a & (high | 0xffff0000u)), odd_b = (vf)((vu)b & (high | 0xffff0000u));
  return vf_fma((vf)((vu)a << 16), (vf)((vu)b << 16), vf_fma(odd_a, odd_b, c));
}
/* The upper half of a lane is x in bf16; the lower is to be ignored. */
INLINE vu round_bf16(vf x) {
  const vu bits = (vu)x, magnitude = bits & 0x7fffffffu;
  const vu rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  const vf quiet = (vf)(bits | 0x400000u), zero = (vf)(bits & 0x80000000u);
  vf y = vf_select((vi)(magnitude > 0x7f800000u), quiet, (vf)rounded);
  y = vf_select((vi)(magnitude < 0x00800000u), zero, y);
  return (vu)y;
}
INLINE vf vf_pair(vf even, vf odd) {
  return (vf)((round_bf16(odd) & 0xffff0000u) | round_bf16(even) >> 16);
}
INLINE vf vf_pair_neighbours(vf a, vf b) {
  return vf_pair(vf_shuffle(a, b, 2 * lanes), vf_shuffle(a, b, 2 * lanes + 1));
}
#endif

/* A vector from column `at` of a row of n, zeros behind them. */
INLINE vf load_some(const float *p, size_t at, size_t n) {
  return at < n ? vf_load_n(p + at, n - at) : vf_set1(0.0f);
}

/* Neighbours in a row become pairs: to[r, 0..pairs) from rows of `columns`, zeros behind them. */
static void pair_columns(const float *from, size_t rows, size_t columns, size_t ld_from, float *to,
                         size_t pairs) {
  for (size_t r = 0; r < rows; r++, from += ld_from, to += pairs)
    for (size_t p = 0; p < pairs; p += W) {
      const vf low = load_some(from, 2 * p, columns), high = load_some(from, 2 * p + W, columns);
      vf_store_n(to + p, vf_pair_neighbours(low, high), pairs - p);
    }
}

/* Neighbours in a column become pairs: to[p, 0..width) from rows 2 p and 2 p + 1, zeros behind
 * `rows` and `columns`; width is a multiple of W. */
static void pair_rows(const float *from, size_t rows, size_t columns, size_t ld_from, float *to,
                      size_t pairs, size_t width) {
  for (size_t p = 0; p < pairs; p++, to += width) {
    const float *even = from + 2 * p * ld_from, *odd = even + ld_from;
    const size_t n_even = 2 * p < rows ? columns : 0, n_odd = 2 * p + 1 < rows ? columns : 0;
    for (size_t c = 0; c < width; c += W)
      vf_store(to + c, vf_pair(load_some(even, c, n_even), load_some(odd, c, n_odd)));
  }
}
