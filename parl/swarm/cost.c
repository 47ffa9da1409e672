/* parl/swarm/cost.c - list scheduling of a launch's sub-agents on the slots there are. */
#include "parl/swarm/cost.h"

#include <math.h>

#define SECTION_TYPE_ parl_cost_config
PARL_CONFIG_SECTION(parl_cost_section, "cost",
                    "what an episode takes beside its steps: `makespan` and what waits",
                    PARL_COST_FIELDS);
#undef SECTION_TYPE_

static int64_t to_thousandths(double steps) {
  return (int64_t)llround(steps * PARL_COST_UNIT);
}

parl_cost parl_cost_get(const parl_cost_config *config) {
  return (parl_cost){.concurrency = config->concurrency,
                     .step = to_thousandths(config->step),
                     .launch = to_thousandths(config->launch),
                     .spawn = to_thousandths(config->spawn)};
}

/* A launch's sub-agents; steps NULL: each has `equal`. */
typedef struct group {
  size_t n;
  const int64_t *steps; /* [n] */
  int64_t equal;
} group;

static parl_status refuse_sum(void) {
  return parl_fail(PARL_STATUS_EINVAL, "cost: a sum exceeds %lld thousandths of a step",
                   (long long)INT64_MAX);
}

static parl_status add(int64_t *sum, int64_t more) {
  return __builtin_add_overflow(*sum, more, sum) ? refuse_sum() : PARL_STATUS_OK;
}

/* *out = steps (1 + step). */
static parl_status get_duration(const parl_cost *cost, int64_t steps, int64_t *out) {
  if (steps < 0)
    return parl_fail(PARL_STATUS_EINVAL, "cost: an agent has %lld steps; valid: 0 or more",
                     (long long)steps);
  return __builtin_mul_overflow(steps, PARL_COST_UNIT + cost->step, out) ? refuse_sum()
                                                                         : PARL_STATUS_OK;
}

/* The slot that is free first, the lowest of equals. */
static size_t find_free(const int64_t *free_at, size_t n) {
  size_t first = 0;
  for (size_t k = 1; k < n; k++)
    if (free_at[k] < free_at[first]) first = k;
  return first;
}

static parl_status run_group(const parl_cost *cost, const group *g, parl_cost_sums *out) {
  int64_t free_at[PARL_COST_MAX_SLOTS] = {0}, started = 0;
  const size_t n_slots = (size_t)cost->concurrency;
  const bool all_run = n_slots == 0 || n_slots >= g->n;
  *out = (parl_cost_sums){0};
  for (size_t i = 0; i < g->n; i++) {
    int64_t end = 0, begin;
    PARL_TRY(add(&started, cost->spawn));
    const size_t slot = all_run ? 0 : find_free(free_at, n_slots);
    begin = all_run || free_at[slot] < started ? started : free_at[slot];
    PARL_TRY(get_duration(cost, g->steps != NULL ? g->steps[i] : g->equal, &end));
    PARL_TRY(add(&end, begin));
    PARL_TRY(add(&out->queue, begin - started));
    free_at[slot] = end;
    if (end > out->makespan) out->makespan = end;
  }
  return PARL_STATUS_OK;
}

static parl_status add_stage(const parl_cost *cost, const parl_stage *stage, parl_cost_sums *sums) {
  int64_t own = 0;
  parl_cost_sums of_group;
  PARL_REQUIRE(stage->n_subs == 0 || stage->sub_steps != NULL);
  PARL_TRY(get_duration(cost, stage->main_steps, &own));
  PARL_TRY(add(&sums->makespan, own));
  if (stage->n_subs == 0) return PARL_STATUS_OK;
  PARL_TRY(run_group(cost, &(group){stage->n_subs, stage->sub_steps, 0}, &of_group));
  PARL_TRY(add(&sums->makespan, cost->launch));
  PARL_TRY(add(&sums->makespan, of_group.makespan));
  return add(&sums->queue, of_group.queue);
}

parl_status parl_makespan_add(const parl_stage *stages, size_t n, const parl_cost *cost,
                              parl_cost_sums *sums) {
  PARL_REQUIRE(stages != NULL || n == 0);
  PARL_REQUIRE(cost->concurrency >= 0 && cost->concurrency <= PARL_COST_MAX_SLOTS);
  parl_cost_sums out = *sums;
  for (size_t t = 0; t < n; t++) PARL_TRY(add_stage(cost, &stages[t], &out));
  *sums = out;
  return PARL_STATUS_OK;
}

static bool is_within(const parl_cost *cost, size_t n, int64_t steps, int64_t left) {
  parl_cost_sums sums;
  return run_group(cost, &(group){n, NULL, steps}, &sums) == PARL_STATUS_OK &&
         sums.makespan <= left;
}

/* The makespan grows with the steps of each, so the bound is found by halving. */
int64_t parl_cost_get_share(const parl_cost *cost, size_t n, int64_t left, int64_t most) {
  int64_t low = -1, high = most; /* low fits, what is above high does not or is not asked for */
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (is_within(cost, n, middle, left))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}
