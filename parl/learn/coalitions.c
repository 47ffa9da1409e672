/* parl/learn/coalitions.c - orders, their blocks, and what comes of each block. */
#include "parl/learn/coalitions.h"

#include <string.h>

#include "core/seeds.h"
#include "core/status.h"

/* --- which --- */

parl_coalitions parl_coalitions_make(size_t n_players, size_t n_orders, size_t most,
                                     uint64_t seed) {
  PARL_CHECK(n_players >= 1 && most >= 1);
  const size_t asked = n_orders > 0 ? n_orders : 1, each = n_players - 1;
  const size_t inner = most - 1 < asked * each ? most - 1 : asked * each;
  return (parl_coalitions){.n_players = n_players,
                           .n_orders = inner >= asked ? asked
                                       : inner > 0    ? inner
                                                      : 1,
                           .n = 1 + inner,
                           .is_drawn = n_orders > 0,
                           .seed = seed};
}

void parl_coalitions_get_order(const parl_coalitions *c, size_t order, size_t *out) {
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_CREDIT, 1, order / 2, 0);
  const size_t n = c->n_players;
  for (size_t i = 0; i < n; i++) out[i] = i;
  if (!c->is_drawn) return;
  for (size_t i = 0; i + 1 < n; i++) {
    const size_t other = i + (size_t)(parl_rng_uniform(c->seed, stream, i) * (double)(n - i));
    const size_t was = out[i];
    out[i] = out[other];
    out[other] = was;
  }
  for (size_t i = 0; order % 2 == 1 && i < n / 2; i++) {
    const size_t was = out[i];
    out[i] = out[n - 1 - i];
    out[n - 1 - i] = was;
  }
}

/* Values are dealt to the orders in turn, so the first may have one more. */
size_t parl_coalitions_get_n_blocks(const parl_coalitions *c, size_t order) {
  const size_t inner = c->n - 1;
  return 1 + inner / c->n_orders + (order < inner % c->n_orders);
}

size_t parl_coalitions_get_begin(const parl_coalitions *c, size_t order, size_t b) {
  return c->n_players * b / parl_coalitions_get_n_blocks(c, order);
}

void parl_coalitions_find(const parl_coalitions *c, size_t k, size_t *order, size_t *n_blocks) {
  size_t o = 0, left = k;
  while (left > parl_coalitions_get_n_blocks(c, o) - 1)
    left -= parl_coalitions_get_n_blocks(c, o++) - 1;
  *order = o;
  *n_blocks = left;
}

/* --- shares --- */

void parl_shares_begin(parl_shares *s, const parl_coalitions *of, const double all[PARL_N_SHARES]) {
  s->of = *of;
  memcpy(s->all, all, sizeof s->all);
  memset(s->made, 0, of->n_players * sizeof *s->made);
}

/* What block b of the order made is shared alike by its players. */
static void share(parl_shares *s, size_t order, size_t b, const double from[PARL_N_SHARES],
                  const double to[PARL_N_SHARES]) {
  const size_t begin = parl_coalitions_get_begin(&s->of, order, b);
  const size_t end = parl_coalitions_get_begin(&s->of, order, b + 1);
  const double n = (double)(end - begin) * (double)s->of.n_orders;
  for (size_t i = begin; i < end; i++)
    for (size_t which = 0; which < PARL_N_SHARES; which++)
      s->made[s->order[i]][which] += (to[which] - from[which]) / n;
}

void parl_shares_take(parl_shares *s, size_t k, const double value[PARL_N_SHARES]) {
  size_t order, b;
  parl_coalitions_find(&s->of, k, &order, &b);
  if (k == 0) memcpy(s->none, value, sizeof s->none);
  if (b <= 1) parl_coalitions_get_order(&s->of, order, s->order);
  if (b > 0) share(s, order, b - 1, b == 1 ? s->none : s->last, value);
  memcpy(s->last, value, sizeof s->last);
  if (b + 1 == parl_coalitions_get_n_blocks(&s->of, order)) share(s, order, b, value, s->all);
}
