/* parl/reward/reward.h - r = sum over the table of terms of w(t) * term; its first rows are
 * lambda1 r_parallel + lambda2 r_finish + r_perf (k25 1.1), and lambda_early r_early, which is ours
 * and off by default.
 *
 * The paper gives no formula for r_parallel and r_finish; each definition here is named and
 * stated. Each may also be a Lua expression, and a recipe may add terms that are.
 * Terms are computed of a whole group, the K rollouts of one task, so that a term may compare them.
 * Thread rule: a parl_reward is used by one thread at a time.
 * Reading order: the section, parl_outcome, create, parl_reward_group. */
#ifndef PARL_PARL_REWARD_REWARD_H
#define PARL_PARL_REWARD_REWARD_H
#include "core/config.h"
#include "parl/reward/terms.h"
#include "parl/swarm/trajectory.h"

/* r_parallel: instantiation = min(assigned, parallel_cap) / parallel_cap
 *             concurrency   = (sub_steps / sub_max_steps) / cap_width
 *             overlap       = 1 - critical_steps / total_steps: the share of all steps that run
 *                             beside the critical path
 *             width         = min(1, max_width / optimum_width); needs an environment that states
 *                             the width of its optimum
 *             log_count     = min(1, log(1 + assigned) / log(1 + parallel_cap)): the first launches
 *                             earn the most
 *             realised      = r_perf * max(0, 1 - critical_steps / serial_steps): the share of the
 *                             steps of working alone that was saved, of what was achieved; needs an
 *                             environment that states those
 * r_finish:   returned      = finished / assigned
 *             useful        = useful / assigned
 *             non_empty     = (finished - empty_finishes) / assigned
 * All are 0 without assignments, and where their denominator is 0. The width of the optimum and the
 * steps of working alone are what the environment's `optimum` says of the task.
 * r_perf:     the environment's score
 * r_early:    success * (budget_steps - critical_steps) / budget_steps if the episode ended itself
 *             by `finish`, else 0; 0 without a budget, never below 0
 * Nothing in the paper pays for stopping: its budget is a constraint, and a policy that has solved
 * its task may idle until the budget ends. r_early pays for what is left of it, of solved tasks
 * only: ending at once, or before the task is solved, earns nothing, so whatever lambda_early is,
 * an unsolved episode never gets more than a solved one. Source: ours.
 *
 * An expression sees, for the rollout it is evaluated of: every fact by its name (swarm/facts.h),
 * scores.NAME (what the environment's `score` and `details` return), update, k and K: its place in
 * the group, from 1, and the group's size; stages[t], turn t (swarm/stages.h): main, its own steps,
 * r_perf after it, width, and subs[j], sub-agents in the order of assignment: steps, role (from 1,
 * in the environment's order), task (its tokens' numbers, a text), gain, and, true or false,
 * finished, useful, duplicate, lost, is_false; and group[i], i from 1 to K, with the same facts,
 * `scores` and `stages` of each rollout. All of it is read-only; nothing is kept between
 * evaluations. */
#define PARL_REWARD_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                  \
  CHOICE(parallel, instantiation,                                                          \
         "instantiation|concurrency|overlap|width|lua|log_count|realised",                 \
         "definition of r_parallel; overlap was called speed_up")                          \
  INT(parallel_cap, 12, 1, 10000, "sub-agents",                                            \
      "launches that earn the full reward of instantiation and log_count")                 \
  TEXT(parallel_lua, "", "Lua expression of the facts when parallel = \"lua\"")            \
  CHOICE(finish, returned, "returned|useful|lua|non_empty", "definition of r_finish")      \
  TEXT(finish_lua, "", "Lua expression of the facts when finish = \"lua\"")                \
  TEXT(perf_lua, "",                                                                       \
       "Lua expression of the facts that replaces r_perf; empty: the environment's score") \
  TEXT(early_lua, "",                                                                      \
       "Lua expression of the facts that replaces r_early; empty: what is left of the budget")
PARL_CONFIG_STRUCT(parl_reward_config, PARL_REWARD_FIELDS);
extern const parl_section parl_reward_section;

/* In the order of the CHOICE lists. */
typedef enum parl_parallel {
  PARL_PARALLEL_INSTANTIATION,
  PARL_PARALLEL_CONCURRENCY,
  PARL_PARALLEL_OVERLAP,
  PARL_PARALLEL_WIDTH,
  PARL_PARALLEL_LUA,
  PARL_PARALLEL_LOG_COUNT,
  PARL_PARALLEL_REALISED,
  PARL_N_PARALLEL
} parl_parallel;
typedef enum parl_finish {
  PARL_FINISH_RETURNED,
  PARL_FINISH_USEFUL,
  PARL_FINISH_LUA,
  PARL_FINISH_NON_EMPTY,
  PARL_N_FINISH
} parl_finish;

/* A finished rollout, as terms see it. Borrowed. */
typedef struct parl_outcome {
  const parl_facts *facts;
  const char *scores; /* JSON object of the environment's named numbers; NULL: they were not kept */
  const parl_stages *stages; /* NULL: they were not kept */
  const char *family;        /* task kind; NULL: "" */
  uint64_t episode_seed;     /* names the errors of judges */
} parl_outcome;
/* Of a trajectory that did not fail. */
parl_outcome parl_outcome_of(const parl_trajectory *trajectory);

/* The rollouts of one task. Borrowed. */
typedef struct parl_group {
  const parl_outcome *of; /* [K] */
  size_t K;
  int64_t update;
} parl_group;

typedef struct parl_reward parl_reward;
/* Compiles Lua expressions if any. table is borrowed. Fails: EINVAL (a choice out of range, a "lua"
 * without its expression), ESCRIPT, ENOMEM. */
parl_status parl_reward_create(const parl_reward_config *config, const parl_term_table *table,
                               parl_reward **out);
/* NULL-safe. */
void parl_reward_destroy(parl_reward *reward);
/* The table that it was created with. Borrowed. */
const parl_term_table *parl_reward_get_table(const parl_reward *reward);
/* Whether an expression names `scores`: outcomes have to have them. */
bool parl_reward_wants_scores(const parl_reward *reward);
/* Whether an expression names `stages`: outcomes have to have them. */
bool parl_reward_wants_stages(const parl_reward *reward);
/* Raw terms of every rollout of a group, before their weights: out [K, n of the table]. Built-in
 * formulas allocate nothing but for the largest K so far. Fails: EINVAL if K is 0, a built-in term
 * is not finite, the task states no width that one needs, or stages that an expression names were
 * not kept; ESCRIPT, ELIMIT if an expression fails
 * or is not finite: the text names the term, the expression and the rollout. out is untouched
 * then. */
parl_status parl_reward_group(parl_reward *reward, const parl_group *group, double *out);
/* The same of rollout k alone: out [n of the table]. */
parl_status parl_reward_one(parl_reward *reward, const parl_group *group, size_t k, double *out);
/* The same, but terms that are expressions or of the recipe's own are not evaluated: they are 0. */
parl_status parl_reward_built_in(parl_reward *reward, const parl_group *group, size_t k,
                                 double *out);

/* Whether a term has a budget that is estimated of the warm start: toggle. */
bool parl_reward_wants_estimate(const parl_reward *reward);
/* Estimates such budgets of finished episodes of the warm start, outcomes [n]: before, all are
 * +inf. Fails: ENOMEM. */
parl_status parl_reward_estimate(parl_reward *reward, const parl_outcome *outcomes, size_t n);
/* Members of an open object: what was estimated. Read takes what write wrote; what is not there
 * stays. Fails: ENOMEM. */
void parl_reward_write_state(const parl_reward *reward, parl_json_writer *w);
parl_status parl_reward_read_state(parl_reward *reward, const parl_json *object);

/* Before anything is trained: creates the reward and tries it on groups of K made-up episodes, of
 * which every other finishes at once and the rest launch three sub-agents; any score is 1. Fails:
 * as create and group do. */
parl_status parl_reward_check(const parl_reward_config *config, const parl_term_table *table,
                              size_t K);
/* Whether the environment states what the definitions need: the width of its optimum, of a task as
 * an example, and the scores that expressions name, of the same task before its first turn. Fails:
 * EINVAL naming the field; as the script and group do. */
parl_status parl_reward_check_env(const parl_reward_config *config, const parl_term_table *table,
                                  parl_env *env);

#endif
