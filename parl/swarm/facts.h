/* parl/swarm/facts.h - what is known of a finished episode.
 *
 * The input of reward terms, metrics and the report. Thread rule: plain data. */
#ifndef PARL_PARL_SWARM_FACTS_H
#define PARL_PARL_SWARM_FACTS_H
#include <stdint.h>

#include "lua/env.h"

/* What ended an episode. X(name, text) */
#define PARL_END_LIST(X) \
  X(FINISH, "finish")    \
  X(BUDGET, "budget")    \
  X(CONTEXT, "context")  \
  X(TURNS, "turns")      \
  X(ERROR, "error")
typedef enum parl_end {
#define X(name, text) PARL_END_##name,
  PARL_END_LIST(X)
#undef X
      PARL_N_ENDS
} parl_end;
/* Borrowed text, "?" out of range. */
const char *parl_end_text(parl_end end);
/* The end of a text; PARL_N_ENDS if it is none. */
parl_end parl_end_find(const char *text);

/* One number a fact; the list makes the struct and the names Lua reward functions and metrics use.
 * X(name, unit, meaning) */
#define PARL_FACT_LIST(X)                                                                         \
  X(r_perf, "1", "environment score in [0,1]")                                                    \
  X(success, "0/1", "the task is solved perfectly")                                               \
  X(critical_steps, "steps", "sum over stages of S_main + max S_sub")                             \
  X(total_steps, "steps", "sum over stages of S_main + sum S_sub")                                \
  X(optimum_steps, "steps", "least critical steps for a perfect result")                          \
  X(optimum_width, "sub-agents", "widest launch of the optimum, 0: works alone; NaN if unstated") \
  X(serial_steps, "steps", "steps of working alone")                                              \
  X(last_gain_steps, "steps", "critical steps at the last step that changed r_perf")              \
  X(budget_steps, "steps", "critical-step budget of the episode; 0 if none")                      \
  X(turns, "turns", "orchestrator turns")                                                         \
  X(launches, "turns", "turns that launched a group")                                             \
  X(created, "agents", "create_subagent calls")                                                   \
  X(assigned, "sub-agents", "assign_task calls that started a sub-agent")                         \
  X(finished, "sub-agents", "assigned sub-agents that returned finished")                         \
  X(useful, "sub-agents", "assigned sub-agents whose message changed r_perf")                     \
  X(max_width, "sub-agents", "largest group launched in one turn")                                \
  X(cap_width, "sub-agents", "most sub-agents one turn may launch")                               \
  X(sub_steps, "steps", "steps of all sub-agents")                                                \
  X(sub_max_steps, "steps", "sum over stages of the longest sub-agent")                           \
  X(duplicates, "sub-agents", "assignments whose whole task was assigned before in the episode")  \
  X(empty_finishes, "sub-agents", "finished sub-agents that did nothing: 0 steps")                \
  X(tokens, "tokens", "tokens the orchestrator sampled")                                          \
  X(rewrites, "times", "the context policy rewrote the orchestrator's context")                   \
  X(context, "tokens", "length of the orchestrator's context at the end")
typedef struct parl_facts {
#define X(name, unit, meaning) double name;
  PARL_FACT_LIST(X)
#undef X
  parl_end end;
  parl_optimum_kind optimum_is; /* what optimum_steps are */
} parl_facts;

#endif
