/* parl/swarm/cost.h - what an episode takes on a machine that is not infinite: its makespan.
 *
 * Critical steps (parl/swarm/critical_steps.h) let every sub-agent of a launch run at once and
 * charge nothing for starting it. The makespan is the true critical path over the call graph: a
 * launch waits for all of its sub-agents, which wait for a free slot, and steps, launches and
 * starts may cost more than their steps. All in thousandths of a step, whole numbers, so that sums
 * and comparisons are exact.
 * Thread rule: pure functions. Reading order: the fields, parl_cost, makespan, get_share. */
#ifndef PARL_PARL_SWARM_COST_H
#define PARL_PARL_SWARM_COST_H
#include "core/config.h"
#include "parl/swarm/critical_steps.h"

#define PARL_COST_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                          \
  INT(concurrency, 0, 0, 128, "sub-agents",                                                      \
      "that run at once, in slots; the others of a launch wait in order of assignment; 0: all")  \
  REAL(step, 0.0, 0.0, 1000.0, "steps", "what every step takes beside itself")                   \
  REAL(launch, 0.0, 0.0, 1000.0, "steps", "what a launch takes beside its step")                 \
  REAL(spawn, 0.0, 0.0, 1000.0, "steps",                                                         \
       "starting one sub-agent; a launch starts them one after the other")                       \
  INT(slots, 0, 0, 100000, "slots",                                                              \
      "of a machine that an update's episodes share, orchestrators and sub-agents; the metrics " \
      "of "                                                                                      \
      "group slots say what it makes of them; 0: there is none")                                 \
  CHOICE(slot_split, fixed, "fixed|adaptive",                                                    \
         "which slots are orchestrators': a fixed share, or by who waits and is served")         \
  REAL(slot_share, 0.5, 0.0, 1.0, "of the slots",                                                \
       "orchestrators' share, at least one slot and not all; of adaptive at first")              \
  REAL(slot_period, 1.0, 0.1, 1000000.0, "steps", "adaptive: between two looks at the queues")   \
  REAL(slot_move, 0.0, 0.0, 1000000.0, "steps",                                                  \
       "adaptive: a slot that changes sides is out so long")

PARL_CONFIG_STRUCT(parl_cost_config, PARL_COST_FIELDS);
enum { PARL_SLOT_SPLIT_FIXED, PARL_SLOT_SPLIT_ADAPTIVE };
extern const parl_section parl_cost_section;

enum { PARL_COST_UNIT = 1000, PARL_COST_MAX_SLOTS = 128 }; /* of a step: what costs count in */

/* The same in thousandths of a step, rounded to the nearest. */
typedef struct parl_cost {
  int64_t concurrency; /* slots, up to PARL_COST_MAX_SLOTS; 0: as many as sub-agents */
  int64_t step, launch, spawn;
} parl_cost;
parl_cost parl_cost_get(const parl_cost_config *config);

/* In thousandths of a step. */
typedef struct parl_cost_sums {
  int64_t makespan; /* from the first step to the end of the last */
  int64_t queue;    /* sum over sub-agents of the wait for a slot once started */
} parl_cost_sums;

/* Adds the stages [n] to *sums. With S steps of an agent taking S (1 + step):
 *   a stage without sub-agents   S_main (1 + step)
 *   a launch                     S_main (1 + step) + launch + the makespan of its group
 *   a group                      sub-agent i = 1, 2, ... is started at i spawn, begins when a slot
 *                                is free then or later, the slot that is free first, and holds it
 *                                for its steps; the group ends with its last (list scheduling,
 *                                Graham 1969)
 * Without limits or overheads that is critical steps; with one slot, total steps. No sub-agent's
 * step makes it shorter.
 * Fails: EINVAL if a count is negative or a sum overflows; *sums is untouched then. Source: ours;
 * the critical path with a cap of which k25 1.3 is the case without. */
parl_status parl_makespan_add(const parl_stage *stages, size_t n, const parl_cost *cost,
                              parl_cost_sums *sums);

/* The most steps, up to `most`, that each of a launch's n >= 1 sub-agents may have so that their
 * group ends within `left` thousandths, whatever they do with them; -1 if not even none of them
 * does, which takes n spawn. */
int64_t parl_cost_get_share(const parl_cost *cost, size_t n, int64_t left, int64_t most);

#endif
