/* parl/swarm/critical_steps.h - cost of an episode along its critical path, and in total.
 *
 * Thread rule: pure functions. Reading order: stage, critical_steps, total_steps. */
#ifndef PARL_PARL_SWARM_CRITICAL_STEPS_H
#define PARL_PARL_SWARM_CRITICAL_STEPS_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* One orchestrator turn: either direct tool calls, or the launch of a group. */
typedef struct parl_stage {
  int64_t main_steps; /* S_main, steps >= 0: one per direct call; 1 for a launch, however wide */
  size_t n_subs;      /* width: sub-agents launched in this stage */
  const int64_t *sub_steps; /* [n_subs] S_sub,i, steps >= 0; borrowed */
} parl_stage;

/* Sum over stages of S_main(t) + max_i S_sub,i(t); the max over an empty group is 0.
 *   stages [n_stages] in · *out steps
 * Fails: EINVAL if a count is negative or the sum overflows; *out is untouched then.
 * Source: Kimi K2.5 report section 3; k25 1.3. */
parl_status parl_critical_steps(const parl_stage *stages, size_t n_stages, int64_t *out);

/* Sum over stages of S_main(t) + sum_i S_sub,i(t). Otherwise as above. */
parl_status parl_total_steps(const parl_stage *stages, size_t n_stages, int64_t *out);

#endif
