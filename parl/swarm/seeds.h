/* parl/swarm/seeds.h - where every random number of an experiment comes from.
 *
 * A purpose never shares a stream with another, so training tasks, demonstrations, probes and
 * held-out tasks are different worlds. Their prompts may be the same: see parl/swarm/split.h.
 * Seeds have 53 bits and survive JSON. */
#ifndef PARL_PARL_SWARM_SEEDS_H
#define PARL_PARL_SWARM_SEEDS_H
#include "core/rng.h"

typedef enum parl_purpose {
  PARL_PURPOSE_INIT = 1, /* weights */
  PARL_PURPOSE_DEMO_TASK,
  PARL_PURPOSE_DEMO_EPISODE,
  PARL_PURPOSE_DEMO_STYLE,
  PARL_PURPOSE_PROBE_TASK,
  PARL_PURPOSE_PROBE_EPISODE,
  PARL_PURPOSE_TRAIN_TASK,
  PARL_PURPOSE_TRAIN_EPISODE,
  PARL_PURPOSE_EVAL_TASK,
  PARL_PURPOSE_EVAL_EPISODE,
  PARL_PURPOSE_SPLIT_LOOK,
  PARL_PURPOSE_SPLIT_HASH,
  PARL_PURPOSE_REDRAW
} parl_purpose;

/* The seed of item `index` of `step` for a purpose. */
static inline uint64_t parl_seed(uint64_t seed, parl_purpose purpose, uint64_t step,
                                 uint64_t index) {
  return parl_rng(seed, parl_rng_stream((uint64_t)purpose, step, 0, 0), index) >> 11;
}

#endif
