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

/* One number a fact: a row makes the field, the name that Lua reward functions use, the column of
 * the store (parl/run/rows.c), the mean over episodes (parl/swarm/means.h) and with it the metric
 * "episode/NAME" and the row of `parl eval`, the report's JSON and CSV.
 * F(X, name, digits of its mean, label, unit, meaning); X is handed through. docs/extending.md says
 * what else a new fact needs. */
#define PARL_FACT_ROWS(F, X)                                                                       \
  F(X, r_perf, 3, "r_perf", "1", "environment score in [0,1]")                                     \
  F(X, success, 3, "success", "0/1", "the task is solved perfectly")                               \
  F(X, critical_steps, 2, "critical steps", "steps", "sum over stages of S_main + max S_sub")      \
  F(X, total_steps, 2, "total steps", "steps", "sum over stages of S_main + sum S_sub")            \
  F(X, optimum_steps, 2, "optimum", "steps", "least critical steps for a perfect result")          \
  F(X, optimum_width, 2, "optimum width", "sub-agents",                                            \
    "widest launch of the optimum, 0: works alone; NaN if unstated")                               \
  F(X, serial_steps, 2, "serial steps", "steps", "steps of working alone")                         \
  F(X, last_gain_steps, 2, "last gain", "steps",                                                   \
    "critical steps at the last step that changed r_perf")                                         \
  F(X, budget_steps, 2, "budget", "steps",                                                         \
    "budget of the episode, in what episode.budget_counts says; 0 if none")                        \
  F(X, turns, 2, "turns", "turns", "orchestrator turns")                                           \
  F(X, launches, 2, "launches", "turns", "turns that launched a group")                            \
  F(X, created, 2, "created", "agents", "create_subagent calls")                                   \
  F(X, assigned, 2, "assigned", "sub-agents", "assign_task calls that started a sub-agent")        \
  F(X, finished, 2, "finished", "sub-agents", "assigned sub-agents that returned finished")        \
  F(X, useful, 2, "useful", "sub-agents", "assigned sub-agents whose message changed r_perf")      \
  F(X, max_width, 2, "max width", "sub-agents", "largest group launched in one turn")              \
  F(X, cap_width, 0, "width cap", "sub-agents", "most sub-agents one turn may launch")             \
  F(X, sub_steps, 2, "sub steps", "steps", "steps of all sub-agents")                              \
  F(X, sub_max_steps, 2, "longest sub steps", "steps", "sum over stages of the longest sub-agent") \
  F(X, duplicates, 2, "duplicates", "sub-agents",                                                  \
    "assignments whose whole task was assigned before in the episode")                             \
  F(X, empty_finishes, 2, "empty finishes", "sub-agents",                                          \
    "finished sub-agents that did nothing: 0 steps")                                               \
  F(X, tokens, 1, "tokens", "tokens", "tokens the orchestrator sampled")                           \
  F(X, rewrites, 2, "rewrites", "times", "the context policy rewrote the orchestrator's context")  \
  F(X, context, 1, "context", "tokens", "length of the orchestrator's context at the end")         \
  F(X, makespan, 2, "makespan", "steps",                                                           \
    "critical path with the slots and overheads of the section cost")                              \
  F(X, queue_steps, 2, "queueing", "steps", "sum over sub-agents of the wait for a slot")          \
  F(X, sub_tokens, 1, "tokens of sub-agents", "tokens",                                            \
    "tokens that sub-agents wrote, forced ones too")                                               \
  F(X, all_tokens, 1, "tokens of all agents", "tokens",                                            \
    "tokens that all agents wrote, forced ones too")                                               \
  F(X, budget_used, 2, "budget used", "steps",                                                     \
    "what the episode cost, in what episode.budget_counts says")                                   \
  F(X, lost_messages, 2, "lost messages", "messages", "messages of sub-agents that were lost")     \
  F(X, false_messages, 2, "false messages", "messages",                                            \
    "messages in whose place another sub-agent's arrived")
/* X(name, unit, meaning) */
#define PARL_FACT_PLAIN_(X, name, digits, label, unit, meaning) X(name, unit, meaning)
#define PARL_FACT_LIST(X) PARL_FACT_ROWS(PARL_FACT_PLAIN_, X)
typedef enum parl_fact {
#define X(name, unit, meaning) PARL_FACT_##name,
  PARL_FACT_LIST(X)
#undef X
      PARL_N_FACTS
} parl_fact;
typedef struct parl_facts {
#define X(name, unit, meaning) double name;
  PARL_FACT_LIST(X)
#undef X
  parl_end end;
  parl_optimum_kind optimum_is; /* what optimum_steps are */
} parl_facts;

#endif
