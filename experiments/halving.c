/* experiments/halving.c - asynchronous successive halving. */
#include "experiments/halving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rung {
  const double *results; /* [n_rows] stride n_rungs */
  size_t stride, eta;
  const size_t *rows; /* [n] in the order in which they come to it */
  size_t n;
  size_t *best; /* [n_best] those whose results are known, the best first */
  size_t n_best;
  size_t *next; /* [n_next] those that go on, in their order */
  size_t n_next;
  size_t k, *level; /* this rung; of all rows */
} rung;

static double get(const rung *r, size_t row) {
  return r->results[row * r->stride];
}

/* Stable: of equal results the earlier row is better. */
static void insert(rung *r, size_t row) {
  size_t k = r->n_best++;
  for (; k > 0 && get(r, row) > get(r, r->best[k - 1]); k--) r->best[k] = r->best[k - 1];
  r->best[k] = row;
}

static void promote(rung *r, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const size_t row = r->best[i];
    if (!isfinite(get(r, row)) || r->level[row] > r->k) continue;
    r->level[row] = r->k + 1;
    r->next[r->n_next++] = row;
  }
}

/* Whether every row of a rung that has all its rows is known. */
static bool decide(rung *r, bool has_all) {
  for (size_t i = 0; i < r->n; i++) {
    if (isnan(get(r, r->rows[i]))) return false;
    insert(r, r->rows[i]);
    promote(r, r->n_best / r->eta);
  }
  if (has_all && r->n_next == 0 && r->n > 0) promote(r, 1);
  return has_all;
}

parl_status parl_halving_decide(const double *results, const bool *is_out, size_t n_rows,
                                size_t n_rungs, size_t eta, size_t *level, bool *is_over) {
  size_t *lists = calloc(3 * n_rows + 1, sizeof *lists);
  if (lists == NULL) return parl_fail(PARL_STATUS_ENOMEM, "halving: no memory for %zu", n_rows);
  size_t *rows = lists, *best = lists + n_rows, *next = best + n_rows, n = 0;
  bool has_all = true;
  for (size_t i = 0; i < n_rows; i++) {
    level[i] = is_out[i] ? n_rungs : 0;
    is_over[i] = false;
    if (!is_out[i]) rows[n++] = i;
  }
  for (size_t k = 0; k < n_rungs; k++) {
    rung r = {results + k, n_rungs, eta, rows, n, best, 0, next, 0, k, level};
    has_all = decide(&r, has_all);
    for (size_t i = 0; i < n; i++) is_over[rows[i]] = has_all && level[rows[i]] == k;
    memcpy(rows, next, r.n_next * sizeof *rows);
    n = r.n_next;
  }
  free(lists);
  return PARL_STATUS_OK;
}
