/* parl/swarm/stages.h - what every turn of an episode did and cost, sub-agent by sub-agent.
 *
 * The facts of an episode that count steps and sub-agents are sums over its stages, so whoever has
 * the stages can count them again: parl_stages_get_facts does, and docs/store.md shows how outside
 * of this program. Thread rule: one writer, then readers. Reading order: the records, parl_stages,
 * get_facts, append_json; the rest is the episode's. */
#ifndef PARL_PARL_SWARM_STAGES_H
#define PARL_PARL_SWARM_STAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"
#include "parl/swarm/cost.h"
#include "parl/swarm/facts.h"

/* A sub-agent of a stage, in the order of assignment. */
typedef struct parl_sub_record {
  int32_t steps;        /* S_sub,i; they count even if its message does not arrive */
  uint32_t first_token; /* of its task, into parl_stages.tokens */
  uint16_t n_tokens;    /* of its task that are kept */
  double gain;          /* of r_perf by its message; negative where that made it fall */
  int8_t role;          /* index into the environment's roles */
  bool finished;        /* it ended by `finish`, and its message arrived */
  bool useful;          /* its message changed r_perf */
  bool duplicate;       /* its whole task was assigned before in the episode */
  bool lost, is_false;  /* its message: it was lost, another's arrived in its place */
  bool is_cut;          /* its task had more tokens, for which there was no room */
} parl_sub_record;

/* One turn of the orchestrator, the first being turn 1; also one that ended the episode, which may
 * have cost nothing. */
typedef struct parl_stage_record {
  double r_perf;      /* after the stage; 0 after one that overflowed the context */
  int32_t main_steps; /* S_main */
  uint32_t first_sub; /* into parl_stages.subs */
  uint32_t width;     /* sub-agents that it launched */
} parl_stage_record;

/* The most that is kept; all 0: nothing is. */
typedef struct parl_stage_limits {
  size_t stages, subs, tokens;
} parl_stage_limits;

typedef struct parl_stages {
  parl_stage_limits most;
  size_t n, n_subs, n_tokens;
  parl_stage_record *items; /* [most.stages] stage i is turn i + 1 */
  parl_sub_record *subs;    /* [most.subs] */
  int16_t *tokens;          /* [most.tokens] values of tasks, as the vocabulary numbers them */
} parl_stages;

/* Counts again what follows from the stages: critical_steps, total_steps, turns, launches,
 * assigned, finished, useful, duplicates, max_width, sub_steps, sub_max_steps, empty_finishes, and
 * r_perf if there is a stage. The other facts of *out stay. Fails: as parl_critical_steps. */
parl_status parl_stages_get_facts(const parl_stages *stages, parl_facts *out);
/* Counts makespan and queue_steps again, at any cost: what the same episode would have taken with
 * other slots and overheads. The other facts of *out stay. Fails: as parl_makespan_add. */
parl_status parl_stages_get_cost(const parl_stages *stages, const parl_cost *cost, parl_facts *out);

/* The first n stages, as a view of the same arrays. */
parl_stages parl_stages_get_first(const parl_stages *stages, size_t n);
/* The stages without sub-agent `sub`, from 0, of a stage, from 0; without the whole stage if that
 * was its only one, or sub is -1. By formula: what the others did stays, a duplicate of a task that
 * is now assigned once is none, and r_perf lacks what the messages left out had added. Exact where
 * the others would have done the same (docs/reward-research.md). *to holds what *from can hold. */
void parl_stages_copy_without(const parl_stages *from, size_t stage, int sub, parl_stages *to);

/* Appends [{"main":1,"r_perf":0.5,"subs":[{"steps":3,"role":"scout","task":"row:2 row:3",
 * "finished":1,"useful":1,"duplicate":1,"lost":1,"false":1}]}, ...]: a stage without sub-agents has
 * no "subs"; of the last five only what is true stands there. A task that was cut ends in " ...".
 * env names roles and tokens. Fails: ENOMEM. */
parl_status parl_stages_append_json(const parl_stages *stages, const parl_env *env, parl_text *out);

/* --- the episode writes; nothing happens where nothing is kept --- */

void parl_stages_clear(parl_stages *stages);
/* A turn begins; r_perf is what the one before left. */
void parl_stages_begin(parl_stages *stages, double r_perf);
/* The turn launches a sub-agent with this task. */
void parl_stages_add_sub(parl_stages *stages, const parl_env_spec *spec, int role,
                         const parl_call *task, bool duplicate);
/* What the turn cost: its own steps are added up, those of its group are set. */
void parl_stages_spend(parl_stages *stages, const parl_stage *cost);
/* The message of the turn's sub-agent `index` arrived; gain is the change of r_perf. */
void parl_stages_deliver(parl_stages *stages, size_t index, bool finished, double gain);
/* It did not: it was lost, or (is_false) another's arrived in its place, which changed r_perf by
 * gain. */
void parl_stages_lose(parl_stages *stages, size_t index, bool is_false, double gain);
/* The episode is over; r_perf is its own. */
void parl_stages_end(parl_stages *stages, double r_perf);

#endif
