/* kernels/cpu/plain.c - copies, sums and rounding, the same for all instruction sets. */
#include <math.h>
#include <string.h>

#include "core/bf16.h"
#include "kernels/cpu/cpu_internal.h"

/* One element a piece: a transposition, most often. */
static void copy_elements(const parl_copy2d_args *a) {
  const char *from = a->from;
  char *to = a->to;
  for (size_t r = 0; r < a->rows; r++)
    for (size_t g = 0; g < a->groups; g++)
      memcpy(to + (r * a->to_row + g * a->to_group) * sizeof(float),
             from + (r * a->from_row + g * a->from_group) * sizeof(float), sizeof(float));
}

void parl_plain_copy2d(PARL_NO_QUEUE, const parl_copy2d_args *a) {
  if (a->width == 1 && a->unit == sizeof(float)) {
    copy_elements(a);
    return;
  }
  for (size_t r = 0; r < a->rows; r++)
    for (size_t g = 0; g < a->groups; g++)
      memcpy((char *)a->to + (r * a->to_row + g * a->to_group) * a->unit,
             (const char *)a->from + (r * a->from_row + g * a->from_group) * a->unit,
             a->width * a->unit);
}

void parl_plain_to_act(PARL_NO_QUEUE, const parl_to_act_args *a) {
  memcpy(a->y, a->x, a->n * sizeof *a->x);
}

void parl_plain_axpby(PARL_NO_QUEUE, const parl_axpby_args *a) {
  if (a->x == NULL) {
    for (size_t i = 0; i < a->n; i++) a->y[i] *= a->b;
    return;
  }
  for (size_t i = 0; i < a->n; i++) a->y[i] = a->a * a->x[i] + a->b * a->y[i];
}

void parl_plain_sum_heads(PARL_NO_QUEUE, const parl_sum_heads_args *a) {
  for (size_t r = 0; r < a->rows; r++)
    for (size_t i = 0; i < a->D; i++) {
      double sum = 0.0;
      for (size_t h = 0; h < a->heads; h++)
        sum += (double)a->x[r * a->ld_x + h * a->head_stride + i];
      a->y[r * a->ld_y + i] = (float)sum;
    }
}

void parl_plain_normalise(PARL_NO_QUEUE, const parl_normalise_args *a) {
  const float scale = (float)(1.0 / (sqrt(*a->squares) + 1e-7));
  for (size_t i = 0; i < a->n; i++) a->x[i] *= scale;
}

/* ---------------------------------------------------------------------------------- int4 */

enum { LARGEST = 7 };

/* Not finite if one of the n weights is not. */
static float find_scale(size_t n, const float *w) {
  float largest = 0.0F;
  for (size_t i = 0; i < n; i++) {
    const float size = fabsf(w[i]);
    if (size > largest || isnan(size)) largest = size;
  }
  if (!isfinite(largest)) return NAN;
  return parl_bf16_to_float(parl_bf16_from_float(largest / (float)LARGEST));
}

static float round_weight(float w, float scale) {
  float q = rintf(w / scale);
  if (q > (float)LARGEST) q = (float)LARGEST;
  if (q < -(float)LARGEST) q = -(float)LARGEST;
  return q * scale;
}

void parl_plain_round_int4(PARL_NO_QUEUE, const parl_round_int4_args *a) {
  for (size_t row = 0; row < a->rows; row++)
    for (size_t start = 0; start < a->columns; start += PARL_INT4_GROUP) {
      const size_t left = a->columns - start, n = left < PARL_INT4_GROUP ? left : PARL_INT4_GROUP;
      const size_t place = row * a->columns + start;
      const float scale = find_scale(n, a->w + place);
      for (size_t i = place; i < place + n; i++)
        a->out[i] = scale <= 0.0F ? 0.0F : round_weight(a->w[i], scale);
    }
}

/* -------------------------------------------------------------------------------- sampling */

static bool is_allowed(const uint64_t *mask, size_t token) {
  return mask == NULL || (mask[token / 64] >> (token % 64) & 1) != 0;
}

size_t parl_plain_find_argmax(const float *logits, size_t V, const uint64_t *mask) {
  size_t best = V;
  for (size_t i = 0; i < V; i++)
    if (is_allowed(mask, i) && (best == V || logits[i] > logits[best])) best = i;
  return best;
}

/* A probability in whole parts of 2^-32: their sums are exact, in any order. */
static uint64_t weigh(float p) {
  const uint64_t one = (uint64_t)1 << 32;
  if (!(p > 0.0F)) return 0; /* NaN, too */
  return p < 1.0F ? (uint64_t)((double)p * (double)one) : one;
}

/* What the tokens of at least `least` weigh together. */
static uint64_t weigh_from(const float *probs, size_t V, uint64_t least) {
  uint64_t sum = 0;
  for (size_t i = 0; i < V; i++) {
    const uint64_t w = weigh(probs[i]);
    if (w >= least) sum += w;
  }
  return sum;
}

/* The tokens drawn from: those above `least`, and the first n_ties of those that weigh `least`. */
typedef struct nucleus {
  uint64_t least, mass;
  size_t n_ties;
} nucleus;

/* The largest weight from which on tokens weigh enough, by bisection; 0 < enough <= their sum. */
static nucleus find_nucleus(const float *probs, size_t V, uint64_t enough) {
  uint64_t low = 1, high = ((uint64_t)1 << 32) + 1;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    if (weigh_from(probs, V, middle) >= enough)
      low = middle;
    else
      high = middle;
  }
  const uint64_t above = weigh_from(probs, V, low + 1);
  const uint64_t n_ties = (enough - above + low - 1) / low;
  return (nucleus){.least = low, .mass = above + n_ties * low, .n_ties = (size_t)n_ties};
}

/* Masked tokens have probability zero and so are never met. */
size_t parl_plain_find_quantile(const float *probs, size_t V, double top_p, double uniform,
                                float *kept) {
  const uint64_t total = weigh_from(probs, V, 0);
  nucleus n = {.mass = total};
  *kept = 1.0F;
  if (top_p < 1 && total > 0) {
    n = find_nucleus(probs, V, (uint64_t)ceil(top_p * (double)total));
    *kept = (float)((double)n.mass / (double)total);
  }
  const uint64_t goal = (uint64_t)(uniform * (double)n.mass); /* below: uniform <= 1 - 2^-53 */
  uint64_t sum = 0;
  for (size_t i = 0; i < V; i++) {
    const uint64_t w = weigh(probs[i]);
    if (w < n.least || (w == n.least && n.n_ties == 0)) continue;
    if (w == n.least) n.n_ties--;
    sum += w;
    if (sum > goal) return i;
  }
  return V;
}
