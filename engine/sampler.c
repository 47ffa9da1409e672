/* engine/sampler.c - inverse-CDF draw and argmax over the allowed tokens. */
#include "engine/sampler.h"

#include <math.h>

static bool is_allowed(const uint64_t *mask, size_t token) {
  return mask == NULL || (mask[token / 64] >> (token % 64) & 1) != 0;
}

/* Lowest allowed token of the highest logit; the first allowed one if every comparison fails (NaN).
 */
static size_t find_argmax(const float *logits, size_t V, const uint64_t *mask) {
  size_t best = V;
  for (size_t i = 0; i < V; i++)
    if (is_allowed(mask, i) && (best == V || logits[i] > logits[best])) best = i;
  return best;
}

/* First token whose cumulated probability exceeds uniform * total. Masked tokens have probability
 * zero and so are never met; rounding at the end falls back to the last possible token. */
static size_t find_quantile(const float *probs, size_t V, double uniform) {
  double total = 0.0, sum = 0.0;
  for (size_t i = 0; i < V; i++) total += (double)probs[i];
  size_t last = V;
  for (size_t i = 0; i < V; i++) {
    if (!(probs[i] > 0.0F)) continue;
    sum += (double)probs[i];
    last = i;
    if (sum > uniform * total) break;
  }
  return last;
}

parl_sample parl_sampler_draw(const parl_backend *backend, float *logits, size_t V,
                              const uint64_t *mask, double temperature, double uniform) {
  const bool greedy = !(temperature > 0.0);
  const size_t argmax = find_argmax(logits, V, mask);
  PARL_CHECK(argmax < V);
  float entropy, logp;
  const parl_policy_fwd_args policy = {
      .rows = 1,
      .V = V,
      .logits = logits,
      .mask = mask,
      .inv_temperature = greedy ? 1.0F : (float)(1.0 / temperature),
      .probs = logits,
      .logp = &logp,
      .entropy = &entropy};
  backend->policy_fwd(NULL, &policy);
  size_t token = greedy ? argmax : find_quantile(logits, V, uniform);
  if (token == V) token = argmax; /* every probability is NaN: logp will say so */
  return (parl_sample){
      .token = (int32_t)token, .logp = (float)log((double)logits[token]), .entropy = entropy};
}
