/* engine/pipeline.c - stages go on as far as what they wait for is done, until all are through. */
#include "engine/pipeline.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct pipeline {
  size_t n_stages, n_micro;
  const double *forward, *backward;
  double *forward_end, *backward_end; /* [n_stages, n_micro] */
  double *now;                        /* [n_stages] when the stage is free */
  size_t *done;                       /* [n_stages] of its 2 n_micro turns */
} pipeline;

/* Turn `k` of stage i: a micro-batch, forward or back. */
static size_t find_turn(const pipeline *p, size_t i, size_t k, bool *is_forward) {
  const size_t ahead = p->n_stages - 1 - i;
  const size_t first = ahead < p->n_micro ? ahead : p->n_micro;
  *is_forward = true;
  if (k < first) return k;
  const size_t left = p->n_micro - first, turn = k - first;
  if (turn >= 2 * left) { /* backwards alone */
    *is_forward = false;
    return turn - left;
  }
  *is_forward = turn % 2 == 0;
  return *is_forward ? first + turn / 2 : turn / 2;
}

/* Whether stage i could take its next turn. */
static bool go_on(pipeline *p, size_t i) {
  if (p->done[i] == 2 * p->n_micro) return false;
  bool is_forward;
  const size_t m = find_turn(p, i, p->done[i], &is_forward), at = i * p->n_micro + m;
  double ready = 0.0;
  if (is_forward && i > 0) ready = p->forward_end[at - p->n_micro];
  if (!is_forward && i + 1 < p->n_stages) ready = p->backward_end[at + p->n_micro];
  if (!(ready >= 0.0)) return false; /* not yet known */
  p->now[i] = fmax(p->now[i], ready) + (is_forward ? p->forward : p->backward)[at];
  (is_forward ? p->forward_end : p->backward_end)[at] = p->now[i];
  p->done[i]++;
  return true;
}

static double simulate(pipeline *p) {
  double span = 0.0;
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < p->n_stages; i++)
      while (go_on(p, i)) moved = true;
  }
  for (size_t i = 0; i < p->n_stages; i++) {
    PARL_CHECK(p->done[i] == 2 * p->n_micro);
    span = fmax(span, p->now[i]);
  }
  return span;
}

parl_status parl_pipeline_simulate(size_t n_stages, size_t n_micro, const double *forward,
                                   const double *backward, double *span) {
  PARL_REQUIRE(n_stages >= 1 && n_micro >= 1);
  const size_t n = n_stages * n_micro;
  pipeline p = {.n_stages = n_stages,
                .n_micro = n_micro,
                .forward = forward,
                .backward = backward,
                .forward_end = calloc(2 * n + n_stages, sizeof(double)),
                .done = calloc(n_stages, sizeof(size_t))};
  const bool has_room = p.forward_end != NULL && p.done != NULL;
  if (has_room) {
    p.backward_end = p.forward_end + n;
    p.now = p.backward_end + n;
    for (size_t i = 0; i < 2 * n; i++) p.forward_end[i] = -1.0;
    *span = simulate(&p);
  }
  free(p.forward_end);
  free(p.done);
  return has_room ? PARL_STATUS_OK
                  : parl_fail(PARL_STATUS_ENOMEM, "pipeline of %zu stages: no memory", n_stages);
}
