/* engine/deal.c - a heap of pieces, then one of hands. */
#include "engine/deal.h"

#include <stdbool.h>

/* Whether a comes behind b: it is less, or as much and of a higher number. */
static bool is_behind(const double *keys, size_t a, size_t b) {
  const bool is_later = a > b;
  return keys[a] < keys[b] || (is_later && keys[a] <= keys[b]);
}

/* Whether a comes before b: it is less, or as much and of a lower number. */
static bool is_before(const double *keys, size_t a, size_t b) {
  const bool is_earlier = a < b;
  return keys[a] < keys[b] || (is_earlier && keys[a] <= keys[b]);
}

/* heap [n] is one, the first on top as `comes` says, but for its place `at`. */
static void sink(const double *keys, bool (*comes)(const double *, size_t, size_t), size_t *heap,
                 size_t n, size_t at) {
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && comes(keys, heap[child + 1], heap[child])) child++;
    if (!comes(keys, heap[child], heap[at])) return;
    const size_t moved = heap[at];
    heap[at] = heap[child];
    heap[child] = moved;
  }
}

void parl_deal_sort(size_t n, const double *costs, size_t *order) {
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t i = n / 2; i-- > 0;) sink(costs, is_behind, order, n, i);
  for (size_t end = n; end-- > 1;) {
    const size_t last = order[0];
    order[0] = order[end];
    order[end] = last;
    sink(costs, is_behind, order, end, 0);
  }
}

void parl_deal(size_t n, const double *costs, const size_t *order, size_t n_hands, size_t *hands,
               double *loads, size_t *heap) {
  for (size_t h = 0; h < n_hands; h++) {
    loads[h] = 0.0;
    heap[h] = h;
  }
  for (size_t i = 0; i < n; i++) {
    hands[order[i]] = heap[0];
    loads[heap[0]] += costs[order[i]];
    sink(loads, is_before, heap, n_hands, 0);
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
