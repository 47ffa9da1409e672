/* parl/learn/update.h - what a recipe says of an update: one rollout batch and the optimizer's work
 * on it.
 *
 * Thread rule: plain data. */
#ifndef PARL_PARL_LEARN_UPDATE_H
#define PARL_PARL_LEARN_UPDATE_H
#include "core/config.h"

#define PARL_TRAIN_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                     \
  INT(updates, 150, 0, 10000000, "updates", "rollout batches")                               \
  INT(tasks, 8, 1, 100000, "tasks", "tasks of one update")                                   \
  INT(group, 8, 1, 10000, "rollouts", "rollouts of one task, K")                             \
  INT(minibatches, 1, 1, 1000, "steps", "optimizer steps on one rollout batch")              \
  REAL(temperature, 1.0, 0.01, 100.0, "1", "sampling temperature")                           \
  INT(slots, 0, 0, 100000, "episodes", "episodes alive at once; 0: as suits the caches")     \
  CHOICE(kv_cache, f32, "f32|bf16",                                                          \
         "the decoder's keys and values; bf16: half the memory, sampling is not quite the "  \
         "trainer's policy (objective/logp_gap)")                                            \
  INT(accumulators, 4, 1, 256, "leaves", "of the tree that sums gradients; fixes the order") \
  INT(slice_rows, 512, 8, 1000000, "tokens", "tokens of one slice through the model")        \
  CHOICE(store_episodes, none, "none|sample|all",                                            \
         "training episodes kept in the store with their stages: none, the first group of "  \
         "every update, or all; changes no result")

PARL_CONFIG_STRUCT(parl_train_config, PARL_TRAIN_FIELDS);
enum { PARL_STORE_EPISODES_NONE, PARL_STORE_EPISODES_SAMPLE, PARL_STORE_EPISODES_ALL };
extern const parl_section parl_train_section;

#endif
