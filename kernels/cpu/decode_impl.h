/* kernels/cpu/decode_impl.h - attention of single rows to caches of keys and values.
 *
 * Bound by the bytes of the cache: what was rounded to bf16 is widened as it is loaded. A query
 * head with keys of its own reads them as they lie; heads that share keys widen and transpose them
 * once for all.
 * Included by ops_impl.h only. Reading order: cached, own_heads, shared_heads, attention_decode. */

enum {
  SHARED_HEADS = BACK_ROWS, /* query heads that share a transposed block of keys */
  MIX_HEADS = 4             /* heads with keys of their own that are mixed side by side */
};
/* One head's share of a row. */
typedef struct decode_part {
  size_t n, D, Dv, ld_v; /* visible positions; widths; distance between values in the cache */
  const float *q;        /* [heads, D] */
  const void *k, *v;     /* [n, D], [n, ld_v] */
  float *out;            /* [heads, Dv] */
  float scale, *scratch;
} decode_part;

/* Elements at.. of a cache. */
INLINE vf cached(const void *cache, size_t at, size_t n, bool bf16) {
  return bf16 ? vf_load_bf16((const uint16_t *)cache + at, n)
              : vf_load_n((const float *)cache + at, n);
}

INLINE void append(const float *x, size_t n, void *cache, size_t at, bool bf16) {
  for (size_t i = 0; i < n; i += W) {
    const vf v = vf_load_n(x + i, n - i);
    if (bf16)
      vf_store_bf16((uint16_t *)cache + at + i, v, n - i);
    else
      vf_store_n((float *)cache + at + i, v, n - i);
  }
}

/* Scores of one query against keys t.. of `count` <= W; lanes behind count are 0. */
INLINE vf key_scores(const decode_part *p, size_t t, size_t count, bool bf16) {
  vf v[W];
  UNROLL for (size_t i = 0; i < W; i++) v[i] = vf_set1(0.0f);
  for (size_t d = 0; d < p->D; d += W) {
    const size_t width = least(W, p->D - d);
    const vf left = vf_load_n(p->q + d, width);
    UNROLL for (size_t i = 0; i < W; i++) {
      if (i < count) v[i] = vf_fma(left, cached(p->k, (t + i) * p->D + d, width, bf16), v[i]);
    }
  }
  return vf_sums(v);
}

/* out[d..] = sum of s[t] v[t] for `parts` heads side by side, which hides the latency of a sum;
 * one or two vectors of components. */
INLINE void mix_columns(const decode_part *p, int parts, const float *s, size_t d, int vectors,
                        bool bf16) {
  const size_t n = p->n, ld = p->ld_v, Dv = p->Dv, padded = round_up(n, W);
  vf sum[MIX_HEADS][2];
  UNROLL for (int i = 0; i < parts; i++) {
    UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vf_set1(0.0f);
  }
  for (size_t t = 0; t < n; t++) UNROLL for (int i = 0; i < parts; i++) {
      const vf weight = vf_set1(s[(size_t)i * padded + t]);
      UNROLL for (int j = 0; j < vectors; j++) {
        const size_t place = d + (size_t)(j * W);
        sum[i][j] = vf_fma(weight, cached(p[i].v, t * ld + place, Dv - place, bf16), sum[i][j]);
      }
    }
  UNROLL for (int i = 0; i < parts; i++) {
    UNROLL for (int j = 0; j < vectors; j++) {
      const size_t place = d + (size_t)(j * W);
      vf_store_n(p[i].out + place, sum[i][j], Dv - place);
    }
  }
}

/* `parts` heads of one row, each with keys of its own. */
INLINE void own_heads(const decode_part *p, int parts, bool bf16) {
  const size_t n = p->n, padded = round_up(n, W);
  float *s = p->scratch, sums[MIX_HEADS], max;
  for (int i = 0; i < parts; i++) {
    float *row = s + (size_t)i * padded;
    size_t t = 0;
    for (; t + W <= n; t += W) vf_store(row + t, key_scores(&p[i], t, W, bf16));
    if (t < n) vf_store(row + t, key_scores(&p[i], t, n - t, bf16));
    sums[i] = softmax_row(row, n, padded, p->scale, &max);
  }
  size_t d = 0;
  for (; d + W < p->Dv; d += 2 * W) mix_columns(p, parts, s, d, 2, bf16);
  if (d < p->Dv) mix_columns(p, parts, s, d, 1, bf16);
  for (int i = 0; i < parts; i++) scale_row(p[i].out, p->Dv, 1.0f / sums[i]);
}

/* [n, width] as f32: the cache itself, or its copy in `wide`. */
INLINE const float *widen(const void *cache, size_t n, float *wide, bool bf16) {
  if (!bf16) return cache;
  for (size_t i = 0; i < n; i += W) vf_store_n(wide + i, cached(cache, i, n - i, true), n - i);
  return wide;
}

INLINE void shared_heads(const decode_part *p, size_t heads, bool bf16) {
  const size_t padded = round_up(p->n, PANEL);
  float *kt = p->scratch, *s = kt + p->D * padded, *wide = s + heads * padded;
  const float *k = widen(p->k, p->n * p->D, wide, bf16);
  transpose(k, p->n, p->D, p->D, kt, padded, W);
  score_rows(p->q, p->D, heads, p->D, kt, padded, p->n, s);
  float sums[SHARED_HEADS], max;
  for (size_t i = 0; i < heads; i++)
    sums[i] = softmax_row(s + i * padded, p->n, round_up(p->n, W), p->scale, &max);
  const float *v = p->v == p->k ? k : widen(p->v, p->n * p->ld_v, wide, bf16);
  mix_rows(s, padded, heads, p->n, v, p->ld_v, p->Dv, p->out, p->Dv);
  for (size_t i = 0; i < heads; i++) scale_row(p->out + i * p->Dv, p->Dv, 1.0f / sums[i]);
}

/* Appends to key head g of a row and describes its query heads. */
INLINE decode_part append_head(const parl_attention_decode_args *a, size_t row, size_t g,
                               bool bf16) {
  const size_t heads = a->H / a->H_kv, last = (size_t)a->lengths[row] - 1;
  const size_t size = bf16 ? sizeof(uint16_t) : sizeof(float);
  const size_t head = (size_t)a->slots[row] * a->H_kv + g; /* of all slots */
  char *k = (char *)a->k_cache + head * a->context * a->D * size, *v = k;
  append(a->k + row * a->ld_k + g * a->D, a->D, k, last * a->D, bf16);
  if (a->v != NULL) {
    v = (char *)a->v_cache + head * a->context * a->Dv * size;
    append(a->v + row * a->ld_v + g * a->Dv, a->Dv, v, last * a->Dv, bf16);
  }
  return (decode_part){.n = last + 1,
                       .D = a->D,
                       .Dv = a->Dv,
                       .ld_v = a->v == NULL ? a->D : a->Dv,
                       .q = a->q + row * a->ld_q + g * heads * a->D,
                       .k = k,
                       .v = v,
                       .out = a->out + row * a->ld_out + g * heads * a->Dv,
                       .scale = a->scale,
                       .scratch = a->scratch};
}

/* Key heads that serve one query head each. */
INLINE void decode_own(const parl_attention_decode_args *a, size_t row, bool bf16) {
  decode_part p[MIX_HEADS];
  size_t g = 0;
  for (; g + MIX_HEADS <= a->H_kv; g += MIX_HEADS) {
    for (size_t i = 0; i < MIX_HEADS; i++) p[i] = append_head(a, row, g + i, bf16);
    own_heads(p, MIX_HEADS, bf16);
  }
  for (; g < a->H_kv; g++) {
    p[0] = append_head(a, row, g, bf16);
    own_heads(p, 1, bf16);
  }
}

INLINE void decode_shared(const parl_attention_decode_args *a, size_t row, bool bf16) {
  const size_t heads = a->H / a->H_kv;
  for (size_t g = 0; g < a->H_kv; g++) {
    decode_part p = append_head(a, row, g, bf16);
    for (size_t i = 0; i < heads; i += SHARED_HEADS) {
      shared_heads(&p, least(SHARED_HEADS, heads - i), bf16);
      p.q += SHARED_HEADS * a->D;
      p.out += SHARED_HEADS * a->Dv;
    }
  }
}

INLINE void decode_rows(const parl_attention_decode_args *a, bool bf16) {
  for (size_t row = 0; row < a->rows; row++) {
    if (a->lengths[row] == 0)
      for (size_t i = 0; i < a->H * a->Dv; i++) a->out[row * a->ld_out + i] = 0.0f;
    else if (a->H == a->H_kv)
      decode_own(a, row, bf16);
    else
      decode_shared(a, row, bf16);
  }
}

static void attention_decode(PARL_NO_QUEUE, const parl_attention_decode_args *a) {
  if (a->bf16)
    decode_rows(a, true);
  else
    decode_rows(a, false);
}
