/* parl/swarm/slots.h - a batch of episodes on a machine whose slots orchestrators and sub-agents
 * share: what a split of them, fixed or by the queues, makes of it.
 *
 * K2.5's framework adjusts the ratio of inference instances of sub-agents and the orchestrator
 * while it runs (k25 1.2); how is not published. Here the recorded stages of a batch are played on
 * `slots` slots in a simulation of discrete events, in thousandths of a step, whole numbers:
 *   - All episodes begin at 0. A stage asks for an orchestrator's slot and holds it for
 *     S_main (1 + step), and `launch` more where it launches; then for a sub-agent's slot for each
 *     of its group, the i-th from i spawn on, for its steps (1 + step). With the last of the group
 *     the next stage asks. Overheads are those of parl/swarm/cost.h; its `concurrency` is not read:
 *     here a machine is shared, there every episode has its own.
 *   - A slot is an orchestrator's or a sub-agent's. Each side serves in order of asking; those who
 *     ask at once in order of episodes, and in an episode of assignment.
 *   - fixed: `share` of the slots are orchestrators', to the nearest, at least one and not all.
 *   - adaptive: it begins so, and at every multiple of `period` the orchestrators' due number is
 *       slots * w_main / (w_main + w_sub), to the nearest, at least one and not all,
 *     w being who waits or is served on each side; where nobody is, it stays. Slots above what is
 *     due go to the other side once they are free, whoever waits; each is out for `move`.
 * One episode on many orchestrators' slots has the makespan of cost.h at `concurrency` the
 * sub-agents' slots; many episodes on enough slots take as long as the longest of them.
 * Thread rule: one thread per object. Reading order: parl_slots_def, result, create, play. */
#ifndef PARL_PARL_SWARM_SLOTS_H
#define PARL_PARL_SWARM_SLOTS_H
#include <stdbool.h>

#include "parl/swarm/cost.h"
#include "parl/swarm/stages.h"

typedef struct parl_slots_def {
  size_t slots, n_main; /* of the machine, >= 2; of them the orchestrators' at first, 1 to all but
                           one */
  bool is_adaptive;
  int64_t period, move; /* thousandths of a step; period >= 1, of adaptive */
} parl_slots_def;
/* As the section says; is_adaptive false where cost.slots is 0. */
parl_slots_def parl_slots_get(const parl_cost_config *config);

/* A side of the machine. In thousandths of a step, of slots or of who asked. */
typedef struct parl_slots_side {
  int64_t n;          /* times that a slot was asked for */
  int64_t busy, held; /* sums over its slots: in use, and there */
  int64_t wait;       /* sum over who asked, until served */
} parl_slots_side;

/* Main: orchestrators. */
typedef struct parl_slots_result {
  int64_t makespan; /* of the batch, thousandths of a step */
  parl_slots_side main, sub;
  int64_t moves; /* of a slot to the other side */
} parl_slots_result;

/* The same in steps and shares. X(name, unit, meaning) by F(X, ...). */
#define PARL_SLOTS_ROWS(F, X)                                                                \
  F(X, batch_makespan, "steps", "of the update's episodes on cost.slots slots")              \
  F(X, main_utilisation, "1", "busy share of orchestrators' slots, until the batch is over") \
  F(X, sub_utilisation, "1", "busy share of sub-agents' slots")                              \
  F(X, slot_utilisation, "1", "busy share of all slots, those on their way included")        \
  F(X, main_wait, "steps", "mean wait of an orchestrator's turn for a slot")                 \
  F(X, sub_wait, "steps", "mean wait of a sub-agent for a slot")                             \
  F(X, slot_moves, "slots", "that changed sides")
#define PARL_SLOTS_ROW_(X, name, unit, meaning) X(name, unit, meaning)
#define PARL_SLOTS_LIST(X) PARL_SLOTS_ROWS(PARL_SLOTS_ROW_, X)
typedef struct parl_slots_means {
#define X(name, unit, meaning) double name;
  PARL_SLOTS_LIST(X)
#undef X
} parl_slots_means;
/* Of a machine of `slots` slots; NaN where nothing was asked for or held. */
parl_slots_means parl_slots_get_means(const parl_slots_result *result, size_t slots);

typedef struct parl_slots parl_slots;

/* For up to max_episodes whose launches have up to max_width sub-agents. All memory is taken here.
 * Fails: EINVAL (def), ENOMEM. */
parl_status parl_slots_create(const parl_slots_def *def, const parl_cost *cost, size_t max_episodes,
                              size_t max_width, parl_slots **out);
/* NULL-safe. */
void parl_slots_destroy(parl_slots *slots);
/* Plays the stages of episodes [n], borrowed for the call.
 * Fails: EINVAL for more of them, or wider launches, than were announced, or if a sum overflows;
 * *out is untouched then. */
parl_status parl_slots_play(parl_slots *slots, const parl_stages *const *episodes, size_t n,
                            parl_slots_result *out);

#endif
