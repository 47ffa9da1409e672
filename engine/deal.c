/* engine/deal.c - a sort in place by a heap, then hand by hand. */
#include "engine/deal.h"

#include <stdbool.h>

/* Whether piece a comes behind piece b. */
static bool is_behind(const double *costs, size_t a, size_t b) {
  return costs[a] < costs[b] || (costs[a] <= costs[b] && a > b);
}

/* order [n] is a heap, whose first comes last, but for its place `at`. */
static void sink_piece(const double *costs, size_t *order, size_t n, size_t at) {
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && is_behind(costs, order[child + 1], order[child])) child++;
    if (!is_behind(costs, order[child], order[at])) return;
    const size_t piece = order[at];
    order[at] = order[child];
    order[child] = piece;
  }
}

void parl_deal_sort(size_t n, const double *costs, size_t *order) {
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t i = n / 2; i-- > 0;) sink_piece(costs, order, n, i);
  for (size_t end = n; end-- > 1;) {
    const size_t last = order[0];
    order[0] = order[end];
    order[end] = last;
    sink_piece(costs, order, end, 0);
  }
}

void parl_deal(size_t n, const double *costs, const size_t *order, size_t n_hands, size_t *hands,
               double *loads) {
  for (size_t h = 0; h < n_hands; h++) loads[h] = 0.0;
  for (size_t i = 0; i < n; i++) {
    size_t least = 0;
    for (size_t h = 1; h < n_hands; h++)
      if (loads[h] < loads[least]) least = h;
    hands[order[i]] = least;
    loads[least] += costs[order[i]];
  }
}

double parl_deal_max(size_t n, const double *loads) {
  double max = loads[0];
  for (size_t i = 1; i < n; i++)
    if (loads[i] > max) max = loads[i];
  return max;
}

double parl_deal_sum(size_t n, const double *loads) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += loads[i];
  return sum;
}
