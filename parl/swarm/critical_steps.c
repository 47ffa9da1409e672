/* parl/swarm/critical_steps.c - one walk over the stages; the two costs differ in how a group
 * counts. */
#include "parl/swarm/critical_steps.h"

#include <stdbool.h>

static parl_status add(int64_t *sum, int64_t steps, size_t stage, const char *whose) {
  if (steps < 0)
    return parl_fail(PARL_STATUS_EINVAL, "stage %zu: %s has %lld steps; valid: 0 or more", stage,
                     whose, (long long)steps);
  if (__builtin_add_overflow(*sum, steps, sum))
    return parl_fail(PARL_STATUS_EINVAL, "stage %zu: the sum of steps exceeds %lld", stage,
                     (long long)INT64_MAX);
  return PARL_STATUS_OK;
}

/* The group's cost: its longest member along the critical path, all members in total. */
static parl_status add_group(const parl_stage *stage, size_t t, bool longest_only, int64_t *sum) {
  PARL_REQUIRE(stage->n_subs == 0 || stage->sub_steps != NULL);
  int64_t group = 0;
  for (size_t i = 0; i < stage->n_subs; i++) {
    int64_t steps = 0;
    PARL_TRY(add(&steps, stage->sub_steps[i], t, "a sub-agent"));
    if (!longest_only)
      PARL_TRY(add(&group, steps, t, "a sub-agent"));
    else if (steps > group)
      group = steps;
  }
  return add(sum, group, t, "the group");
}

static parl_status walk(const parl_stage *stages, size_t n_stages, bool longest_only,
                        int64_t *out) {
  PARL_REQUIRE(stages != NULL || n_stages == 0);
  PARL_REQUIRE(out != NULL);
  int64_t sum = 0;
  for (size_t t = 0; t < n_stages; t++) {
    PARL_TRY(add(&sum, stages[t].main_steps, t, "the orchestrator"));
    PARL_TRY(add_group(&stages[t], t, longest_only, &sum));
  }
  *out = sum;
  return PARL_STATUS_OK;
}

parl_status parl_critical_steps(const parl_stage *stages, size_t n_stages, int64_t *out) {
  return walk(stages, n_stages, true, out);
}

parl_status parl_total_steps(const parl_stage *stages, size_t n_stages, int64_t *out) {
  return walk(stages, n_stages, false, out);
}
