/* kernels/cpu/policy_impl.h - masked log-softmax and entropy, row by row.
 *
 * Included by ops_impl.h only. */
#include <float.h>

/* All ones in the lanes v.. that the mask allows and that lie before V. */
INLINE vi allowed(const uint64_t *mask, size_t v, size_t V) {
  const vi inside = vi_first(V - v);
  if (mask == NULL) return inside;
  const int32_t bits = (int32_t)(uint32_t)(mask[v / 64] >> (v % 64));
  return inside & (((((vi){0} + bits) >> lanes) & 1) != 0);
}

/* Scaled logits to z, very small where not allowed; returns their maximum. z may be logits. */
static float policy_scores(const float *logits, const uint64_t *mask, size_t V, float scale,
                           float *z) {
  const vf least_score = vf_set1(-FLT_MAX);
  vf top = least_score;
  for (size_t v = 0; v < V; v += W) {
    const vf scaled = vf_load_n(logits + v, V - v) * vf_set1(scale);
    const vf kept = vf_select(allowed(mask, v, V), scaled, least_score);
    top = vf_max(top, kept);
    vf_store_n(z + v, kept, V - v);
  }
  return vf_top(top);
}

static void policy_fwd(PARL_NO_QUEUE, const parl_policy_fwd_args *a) {
  const vf zero = vf_set1(0.0f);
  for (size_t row = 0; row < a->rows; row++) {
    const uint64_t *mask = a->mask ? a->mask + row * ((a->V + 63) / 64) : NULL;
    float *probs = a->probs + row * a->V;
    const float max = policy_scores(a->logits + row * a->V, mask, a->V, a->inv_temperature, probs);
    const float chosen = a->target ? probs[a->target[row]] - max : 0.0f;
    vf sum = zero, weighted = zero;
    for (size_t v = 0; v < a->V; v += W) {
      const vi keep = allowed(mask, v, a->V);
      const vf z = vf_select(keep, vf_load_n(probs + v, a->V - v) - vf_set1(max), zero);
      const vf e = vf_select(keep, vf_exp(z), zero);
      sum += e;
      weighted = vf_fma(e, z, weighted);
      vf_store_n(probs + v, e, a->V - v);
    }
    const float total = vf_sum(sum), log_total = logf(total);
    if (a->target) a->logp[row] = chosen - log_total;
    a->entropy[row] = log_total - vf_sum(weighted) / total;
    scale_row(probs, a->V, 1.0f / total);
  }
}

static void policy_bwd(PARL_NO_QUEUE, const parl_policy_bwd_args *a) {
  const vf zero = vf_set1(0.0f);
  for (size_t row = 0; row < a->rows; row++) {
    const float *probs = a->probs + row * a->V;
    float *dlogits = a->dlogits + row * a->V;
    const float dlogp = a->dlogp[row] * a->inv_temperature;
    const float dentropy = a->dentropy ? a->dentropy[row] * a->inv_temperature : 0.0f;
    const vf entropy = vf_set1(a->entropy[row]);
    for (size_t v = 0; v < a->V; v += W) {
      const size_t n = a->V - v;
      const vf p = vf_load_n(probs + v, n);
      /* p (log p + H) tends to 0 with p: below the normal numbers it is 0 */
      const vf surprise = vf_log(vf_max(vf_set1(FLT_MIN), p)) + entropy;
      const vf curve = vf_select(p > zero, surprise, zero) * vf_set1(-dentropy);
      vf_store_n(dlogits + v, p * (curve - vf_set1(dlogp)), n);
    }
    dlogits[a->target[row]] += dlogp;
  }
}

static void sample(PARL_NO_QUEUE, const parl_sample_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const uint64_t *mask = a->mask ? a->mask + row * ((a->V + 63) / 64) : NULL;
    float *logits = a->logits + row * a->V;
    const bool greedy = !(a->inv_temperature[row] > 0.0f);
    const size_t argmax = parl_plain_find_argmax(logits, a->V, mask);
    const parl_policy_fwd_args policy = {.rows = 1,
                                         .V = a->V,
                                         .logits = logits,
                                         .mask = mask,
                                         .inv_temperature = greedy ? 1.0f : a->inv_temperature[row],
                                         .probs = logits,
                                         .entropy = &a->entropy[row]};
    policy_fwd(NULL, &policy);
    size_t token = argmax;
    a->kept[row] = 1.0f;
    if (!greedy)
      token = parl_plain_find_quantile(logits, a->V, a->top_p[row], a->uniform[row], &a->kept[row]);
    if (token == a->V) token = argmax; /* every probability is NaN: logp will say so */
    a->token[row] = (int32_t)token;
    a->logp[row] = (float)log((double)logits[token]);
  }
}
