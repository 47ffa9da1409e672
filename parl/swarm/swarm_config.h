/* parl/swarm/swarm_config.h - what a recipe says of the environment, its episodes and the
 * sub-agents.
 *
 * Thread rule: plain data. */
#ifndef PARL_PARL_SWARM_SWARM_CONFIG_H
#define PARL_PARL_SWARM_SWARM_CONFIG_H
#include "core/config.h"
#include "lua/env.h"
#include "parl/swarm/cost.h"

#define PARL_ENV_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                          \
  TEXT(file, "", "environment script")                                                          \
  REAL(memory_mib, 256.0, 1.0, 65536.0, "MiB", "memory cap of one Lua state")                   \
  REAL(callback_s, 5.0, 0.001, 3600.0, "s", "processor time one callback may take")             \
  INT(instructions, 0, 0, 9007199254740991, "instructions",                                     \
      "deterministic limit of one callback; 0: off")                                            \
  CHOICE(on_error, stop, "stop|skip",                                                           \
         "an episode whose script or player fails: stop the run, or leave it (in training its " \
         "group) out")                                                                          \
  REAL(max_failures, 0.05, 0.0, 1.0, "of the episodes",                                         \
       "skip: more failures than this in a phase (200 episodes of it at least) fail the run")   \
  REAL(holdout, 0.2, 0.0, 0.9, "of the prompts",                                                \
       "prompts that only evaluation sees, where a family has enough of them; 0: none")         \
  INT(holdout_seed, 1, 0, 9007199254740991, "1", "which prompts these are")

#define PARL_EPISODE_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                       \
  REAL(budget_factor, 1.6, 0.0, 1000.0, "optimum",                                               \
       "budget as a multiple of the task's optimum; 0: none")                                    \
  INT(budget_steps, 0, 0, 1000000000, "steps",                                                   \
      "fixed budget, in what budget_counts says; 0: budget_factor decides")                      \
  CHOICE(budget_counts, critical, "critical|total|makespan|tokens",                              \
         "what the budget counts: critical or total steps, the makespan (section cost), or the " \
         "tokens that all agents write (budget_steps only)")                                     \
  INT(max_width, 0, 0, 128, "sub-agents", "most of one launch; 0: the environment's own limit")  \
  FLAG(legal, 1, "add the environment's `legal` to the grammar mask")                            \
  FLAG(mask, 1, "mask tokens that the grammar does not allow; off: malformed calls cost a step") \
  CHOICE(context_policy, none, "none|hide_tool_result|summary|discard_all",                      \
         "what happens when the orchestrator's context fills up; none: overflow is a failure")   \
  REAL(context_threshold, 0.8, 0.1, 1.0, "of the limit", "fill at which the policy acts")        \
  INT(max_direct, 1, 1, 64, "calls", "direct calls in one orchestrator turn")

#define PARL_AGENTS_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                         \
  CHOICE(subs, policy, "policy|scripted|trained",                                                 \
         "sub-agents: frozen, the warm start's policy or a script; trained: the policy that "     \
         "learns, which learns from their choices, too")                                          \
  TEXT(checkpoint, "",                                                                            \
       "policy: a checkpoint file, of a model of any size, instead of this run's own warm start") \
  TEXT(next_checkpoint, "", "policy: the checkpoint that takes over at update switch_at")         \
  INT(switch_at, 0, 0, 10000000, "updates", "first update with next_checkpoint")                  \
  TEXT(roles, "",                                                                                 \
       "who else plays a role, as \"ROLE=scripted,ROLE=scripted:0.8,ROLE=policy,ROLE=trained,"    \
       "ROLE=FILE\": a script and its reliability, the warm start, the policy that learns, a "    \
       "checkpoint")                                                                              \
  TEXT(style, "",                                                                                 \
       "scripted: expert style of the sub-agents; empty: the orchestrator's, or the first")       \
  REAL(reliability, 1.0, 0.0, 1.0, "1", "scripted: chance that a sub-agent works at all")         \
  REAL(temperature, 1.0, 0.0, 100.0, "1", "policy: sampling temperature; 0: greedy")              \
  REAL(message_loss, 0.0, 0.0, 1.0, "1",                                                          \
       "chance that a sub-agent's message is lost: <unfinished> and nothing else arrives")        \
  REAL(message_false, 0.0, 0.0, 1.0, "1",                                                         \
       "chance that one that is not lost is false: another sub-agent's of the launch "            \
       "arrives in its place; of a launch of one, nothing does")                                  \
  REAL(message_late, 0.0, 0.0, 1.0, "1",                                                          \
       "chance that one is late: the launch waits late_steps more for it, and if that is beyond " \
       "what a sub-agent may take, it waits so long and the message is lost")                     \
  INT(late_steps, 3, 1, 10000, "steps", "how late, where message_late > 0")

PARL_CONFIG_STRUCT(parl_env_config, PARL_ENV_FIELDS);
PARL_CONFIG_STRUCT(parl_episode_config, PARL_EPISODE_FIELDS);
PARL_CONFIG_STRUCT(parl_agents_config, PARL_AGENTS_FIELDS);
extern const parl_section parl_env_section, parl_episode_section, parl_agents_section;

enum { PARL_BUDGET_CRITICAL, PARL_BUDGET_TOTAL, PARL_BUDGET_MAKESPAN, PARL_BUDGET_TOKENS };
enum { PARL_SUBS_POLICY, PARL_SUBS_SCRIPTED, PARL_SUBS_TRAINED };
enum { PARL_ON_ERROR_STOP, PARL_ON_ERROR_SKIP };

/* Limits of Lua states; patch: model.vision.patch. scripts may be NULL. */
parl_env_options parl_env_config_get_options(const parl_env_config *config, int64_t patch,
                                             const parl_script_host *scripts);

/* Chances of a sub-agent's message, agents.message_loss, message_false and message_late. */
typedef struct parl_message_chances {
  double lost, is_false, late;
  int64_t late_steps;
} parl_message_chances;

/* What a rollout reads; sub-agents are its seats. */
typedef struct parl_swarm_config {
  parl_env_config env;
  parl_episode_config episode;
  parl_cost_config cost;
  parl_message_chances messages;
  int64_t patch; /* model.vision.patch: what an image is in tokens; 0: its default */
} parl_swarm_config;

/* That a script, with what it includes, is the one that was meant, `hash`; NULL or "": any.
 * Fails: EFORMAT. */
parl_status parl_script_check_hash(const parl_env_spec *spec, const char *hash);

#endif
