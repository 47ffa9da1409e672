/* parl/reward/reward.h - r = lambda1 r_parallel + lambda2 r_finish + r_perf (k25 1.1), and
 * lambda_early r_early, which is ours and off by default.
 *
 * The paper gives no formula for r_parallel and r_finish; each definition here is named and
 * stated. Each may also be a Lua expression of the facts.
 * Thread rule: a parl_reward is used by one thread at a time. */
#ifndef PARL_PARL_REWARD_REWARD_H
#define PARL_PARL_REWARD_REWARD_H
#include "core/config.h"
#include "parl/reward/terms.h"
#include "parl/swarm/facts.h"

/* r_parallel: instantiation = min(assigned, parallel_cap) / parallel_cap
 *             concurrency   = (sub_steps / sub_max_steps) / cap_width
 *             overlap       = 1 - critical_steps / total_steps: the share of all steps that run
 *                             beside the critical path
 *             width         = min(1, max_width / optimum_width); needs an environment that states
 *                             the width of its optimum
 * r_finish:   returned      = finished / assigned
 *             useful        = useful / assigned
 * All are 0 without assignments, and where their denominator is 0.
 * r_early:    success * (budget_steps - critical_steps) / budget_steps if the episode ended itself
 *             by `finish`, else 0; 0 without a budget, never below 0
 * Nothing in the paper pays for stopping: its budget is a constraint, and a policy that has solved
 * its task may idle until the budget ends. r_early pays for what is left of it, of solved tasks
 * only: ending at once, or before the task is solved, earns nothing, so whatever lambda_early is,
 * an unsolved episode never gets more than a solved one. Source: ours. */
#define PARL_REWARD_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                  \
  CHOICE(parallel, instantiation, "instantiation|concurrency|overlap|width|lua",           \
         "definition of r_parallel; overlap was called speed_up")                          \
  INT(parallel_cap, 12, 1, 10000, "sub-agents",                                            \
      "launches that earn the full instantiation reward")                                  \
  TEXT(parallel_lua, "", "Lua expression of the facts when parallel = \"lua\"")            \
  CHOICE(finish, returned, "returned|useful|lua", "definition of r_finish")                \
  TEXT(finish_lua, "", "Lua expression of the facts when finish = \"lua\"")                \
  TEXT(perf_lua, "",                                                                       \
       "Lua expression of the facts that replaces r_perf; empty: the environment's score") \
  TEXT(early_lua, "",                                                                      \
       "Lua expression of the facts that replaces r_early; empty: what is left of the budget")
PARL_CONFIG_STRUCT(parl_reward_config, PARL_REWARD_FIELDS);
extern const parl_section parl_reward_section;

typedef struct parl_reward parl_reward;
/* Compiles Lua expressions if any. Fails: EINVAL (a choice out of range, a "lua" without its
 * expression), ESCRIPT, ENOMEM. */
parl_status parl_reward_create(const parl_reward_config *config, parl_reward **out);
void parl_reward_destroy(parl_reward *reward);
/* Before anything is trained: creates the reward and tries it on two episodes, one that finishes at
 * once and one that launches three sub-agents. Fails: as create and get_terms do. */
parl_status parl_reward_check(const parl_reward_config *config);
/* Raw terms of an episode, before their weights. Fails: ESCRIPT if an expression fails or is not
 * finite, EINVAL if a built-in term is not finite or the task
 * states no width that one needs; *out is untouched then. */
parl_status parl_reward_get_terms(parl_reward *reward, const parl_facts *facts,
                                  parl_reward_terms *out);
/* Whether the environment states what the definitions need: the width of its optimum, of a task as
 * an example. Fails: EINVAL naming the field; as the script does. */
parl_status parl_reward_check_env(const parl_reward_config *config, parl_env *env);
/* Sum of weight * term. */
double parl_reward_total(const parl_reward_terms *terms, const parl_reward_terms *weights);

#endif
