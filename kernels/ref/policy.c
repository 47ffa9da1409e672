/* kernels/ref/policy.c - masked log-softmax, entropy, and their gradient.
 *
 * logits [rows,V], mask bits [rows, ceil(V/64)] -> probs [rows,V], logp [rows], entropy [rows]
 *   z = logits / T over the allowed tokens;  log p = z - log sum exp z;  H = -sum p log p
 *   dlogits = ( dlogp (onehot(target) - p) - dH p (log p + H) ) / T */
#include <math.h>

#include "kernels/ref/ref_internal.h"

static bool is_allowed(const uint64_t *mask, size_t v) {
  return mask == NULL || (mask[v / 64] >> (v % 64) & 1u) != 0;
}

void parl_ref_policy_fwd(PARL_NO_QUEUE, const parl_policy_fwd_args *a) {
  const size_t words = (a->V + 63) / 64;
  for (size_t row = 0; row < a->rows; row++) {
    const float *logits = a->logits + row * a->V;
    const uint64_t *mask = a->mask ? a->mask + row * words : NULL;
    float *probs = a->probs + row * a->V;
    const double scale = (double)a->inv_temperature;
    double top = -INFINITY, sum = 0.0, weighted = 0.0;
    for (size_t v = 0; v < a->V; v++)
      if (is_allowed(mask, v)) top = fmax(top, scale * (double)logits[v]);
    for (size_t v = 0; v < a->V; v++)
      if (is_allowed(mask, v)) {
        const double z = scale * (double)logits[v] - top;
        sum += exp(z);
        weighted += exp(z) * z;
      }
    if (a->target) a->logp[row] = (float)(scale * (double)logits[a->target[row]] - top - log(sum));
    a->entropy[row] = (float)(log(sum) - weighted / sum);
    for (size_t v = 0; v < a->V; v++)
      probs[v] = is_allowed(mask, v) ? (float)(exp(scale * (double)logits[v] - top) / sum) : 0.0f;
  }
}

void parl_ref_policy_bwd(PARL_NO_QUEUE, const parl_policy_bwd_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const float *probs = a->probs + row * a->V;
    const double dlogp = (double)a->dlogp[row];
    const double dentropy = a->dentropy ? (double)a->dentropy[row] : 0.0;
    for (size_t v = 0; v < a->V; v++) {
      const double p = (double)probs[v];
      double d = dlogp * ((v == (size_t)a->target[row] ? 1.0 : 0.0) - p);
      if (p > 0.0) d -= dentropy * p * (log(p) + (double)a->entropy[row]);
      a->dlogits[row * a->V + v] = (float)(d * (double)a->inv_temperature);
    }
  }
}

static size_t find_argmax(const float *logits, size_t V, const uint64_t *mask) {
  size_t best = V;
  for (size_t v = V; v-- > 0;)
    if (is_allowed(mask, v) && (best == V || !(logits[v] < logits[best]))) best = v;
  return best;
}

static uint64_t weigh(float p) {
  return p > 0.0F ? (uint64_t)ldexp(fmin((double)p, 1.0), 32) : 0;
}

/* A place in the order of tokens by weight, the lower token first among equals. */
typedef struct place {
  uint64_t weight;
  size_t token;
} place;

static bool is_before(place a, place b) {
  return a.weight > b.weight || (a.weight == b.weight && a.token < b.token);
}

/* The last place of the nucleus: tokens are taken one after another until they weigh enough. */
static place find_last(const float *probs, size_t V, uint64_t enough) {
  place last = {UINT64_MAX, 0};
  for (uint64_t sum = 0; sum < enough; sum += last.weight) {
    place next = {0, V};
    for (size_t v = 0; v < V; v++) {
      const place x = {weigh(probs[v]), v};
      if (is_before(last, x) && is_before(x, next)) next = x;
    }
    last = next;
  }
  return last;
}

static uint64_t weigh_within(const float *probs, size_t v, place last) {
  const place x = {weigh(probs[v]), v};
  return is_before(last, x) ? 0 : x.weight;
}

/* From the end: the first token that leaves more than the goal in front of what is behind it. */
static size_t find_quantile(const float *probs, size_t V, double top_p, double uniform,
                            float *kept) {
  uint64_t all = 0, total = 0, left;
  size_t found = V;
  *kept = 1.0F;
  for (size_t v = 0; v < V; v++) all += weigh(probs[v]);
  if (all == 0) return V;
  const place last = find_last(probs, V, (uint64_t)ceil(top_p * (double)all));
  for (size_t v = 0; v < V; v++) total += weigh_within(probs, v, last);
  if (top_p < 1) *kept = (float)((double)total / (double)all);
  const uint64_t goal = (uint64_t)(uniform * (double)total);
  left = total;
  for (size_t v = V; v-- > 0 && left > goal; left -= weigh_within(probs, v, last)) found = v;
  return found;
}

void parl_ref_sample(PARL_NO_QUEUE, const parl_sample_args *a) {
  for (size_t row = 0; row < a->rows; row++) {
    const uint64_t *mask = a->mask ? a->mask + row * ((a->V + 63) / 64) : NULL;
    float *logits = a->logits + row * a->V;
    const bool is_greedy = a->inv_temperature[row] <= 0.0F;
    const size_t argmax = find_argmax(logits, a->V, mask);
    parl_policy_fwd_args policy = {.rows = 1,
                                   .V = a->V,
                                   .logits = logits,
                                   .mask = mask,
                                   .inv_temperature = is_greedy ? 1.0F : a->inv_temperature[row],
                                   .probs = logits,
                                   .entropy = &a->entropy[row]};
    parl_ref_policy_fwd(NULL, &policy);
    size_t drawn = argmax;
    a->kept[row] = 1.0F;
    if (!is_greedy)
      drawn = find_quantile(logits, a->V, a->top_p[row], a->uniform[row], &a->kept[row]);
    a->token[row] = (int32_t)(drawn < a->V ? drawn : argmax);
    a->logp[row] = (float)log((double)logits[a->token[row]]);
  }
}
