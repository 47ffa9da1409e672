/* experiments/report_reach.c - changes of r_perf in the order of critical steps, added up. */
#include "experiments/report_reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

/* A change of 0 is kept too: it says when an episode ended. */
static parl_status add_gain(parl_reach_log *log, parl_reach_gain gain) {
  if (log->n == log->capacity) {
    const size_t capacity = 2 * log->capacity + 256;
    parl_reach_gain *grown = realloc(log->gains, capacity * sizeof *grown);
    if (grown == NULL)
      return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu changes of r_perf", capacity);
    log->gains = grown;
    log->capacity = capacity;
  }
  log->gains[log->n++] = gain;
  return PARL_STATUS_OK;
}

/* S_main + max S_sub of a turn. */
static double get_cost(const parl_json *stage) {
  const parl_json *subs = parl_json_find(stage, "subs");
  double longest = 0;
  for (const parl_json *s = parl_json_get_first(subs); s != NULL; s = parl_json_get_next(s))
    longest = fmax(longest, parl_json_get_number(parl_json_find(s, "steps")));
  return parl_json_get_number(parl_json_find(stage, "main")) + longest;
}

static parl_status add_stages(parl_reach_log *log, const parl_json *stages, size_t family) {
  double steps = 0, r_perf = 0;
  PARL_TRY(add_gain(log, (parl_reach_gain){.family = family, .begins = true}));
  for (const parl_json *s = parl_json_get_first(stages); s != NULL; s = parl_json_get_next(s)) {
    const parl_json *main = parl_json_find(s, "main"), *score = parl_json_find(s, "r_perf");
    const double cost = get_cost(s), now = parl_json_get_number(score);
    if (main == NULL || score == NULL || !isfinite(cost) || !isfinite(now))
      return parl_fail(PARL_STATUS_EFORMAT, "turns of an episode: one without main or r_perf");
    steps += cost;
    if (now != r_perf || parl_json_get_next(s) == NULL)
      PARL_TRY(add_gain(log, (parl_reach_gain){steps, now - r_perf, family, false}));
    r_perf = now;
  }
  return PARL_STATUS_OK;
}

parl_status parl_reach_add(parl_reach_log *log, const char *stages, size_t family) {
  parl_json *root = NULL;
  if (stages == NULL || stages[0] == '\0') {
    log->is_incomplete = true;
    return PARL_STATUS_OK;
  }
  PARL_TRY(parl_json_parse(stages, strlen(stages), "turns of an episode", &root));
  const parl_status s = add_stages(log, root, family);
  parl_json_destroy(root);
  return s;
}

static int compare(const void *left, const void *right) {
  const parl_reach_gain *a = left, *b = right;
  if (a->steps != b->steps) return a->steps < b->steps ? -1 : 1;
  return (a->gain > b->gain) - (a->gain < b->gain); /* one order of additions, so one sum */
}

static bool is_of(const parl_reach_gain *gain, size_t family) {
  return family == 0 || gain->family == family;
}

void parl_reach_get(parl_reach_log *log, size_t family, parl_reach *out) {
  enum { SLACK = 1000000000 }; /* sums of gains are exact to less than 1 in this */
  double sum = 0;
  size_t target = 0;
  *out = (parl_reach){.n_episodes = 0};
  if (log->is_incomplete) return;
  if (log->n > 0) qsort(log->gains, log->n, sizeof *log->gains, compare);
  for (size_t i = 0; i < log->n; i++) {
    if (!is_of(&log->gains[i], family)) continue;
    out->n_episodes += log->gains[i].begins;
    out->end = log->gains[i].steps;
  }
  for (size_t i = 0; i < log->n; i++) {
    const double steps = log->gains[i].steps;
    if (is_of(&log->gains[i], family)) sum += log->gains[i].gain;
    if (i + 1 < log->n && log->gains[i + 1].steps == steps) continue;
    const double mean = sum / (double)out->n_episodes + 1.0 / SLACK;
    for (; target < PARL_REACH_TARGETS && mean >= parl_reach_target(target); target++) {
      out->steps[target] = steps;
      out->is_reached[target] = true;
    }
  }
  for (; target < PARL_REACH_TARGETS; target++) out->steps[target] = out->end;
}

void parl_reach_deinit(parl_reach_log *log) {
  free(log->gains);
  *log = (parl_reach_log){0};
}
