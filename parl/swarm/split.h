/* parl/swarm/split.h - prompts that only evaluation sees.
 *
 * Tasks are seeds, and two seeds may have one prompt: on wide_search four of five held-out tasks
 * show the policy a prompt that it met in training, and only what a search returns is new. So
 * prompts are split: one is held out if the hash of its tokens, keyed by env.holdout_seed, falls
 * into the first env.holdout of its range. A task of the wrong part is drawn again, within its
 * family, until it is of the right one. The split depends on nothing else, so it holds for every
 * seed, arm and evaluation of a recipe, and no list of prompts is kept.
 *
 * A family with few prompts cannot be split: each stands for much of it. Whether it has few is
 * decided by a sample of tasks: the chance that two have one prompt, at most 1 / 64 where it is
 * split. Its tasks stay as they are, and count as seen.
 * Thread rule: one thread per split. Reading order: part, draw. */
#ifndef PARL_PARL_SWARM_SPLIT_H
#define PARL_PARL_SWARM_SPLIT_H
#include "lua/env.h"

/* Which prompts a task may have. */
typedef enum parl_part {
  PARL_PART_ANY,     /* as drawn */
  PARL_PART_TRAIN,   /* none that is held out */
  PARL_PART_HELD_OUT /* held-out ones only, where the family is split */
} parl_part;

typedef struct parl_draw {
  uint64_t task_seed; /* of the task that is played */
  bool held_out;      /* training never sees its prompt */
} parl_draw;

typedef struct parl_split parl_split;
/* env is borrowed; of its worlds none stays. share in [0, 1): 0 splits nothing. Looks at 256 tasks
 * if share > 0. Fails: ENOMEM, and as parl_env_reset and parl_env_prompt. */
parl_status parl_split_create(parl_env *env, double share, uint64_t seed, parl_split **out);
void parl_split_destroy(parl_split *split);
/* The task that is played for task_seed: itself, or the first of its redraws that is of its family
 * and of the part. A pure function of its arguments and the split. Fails: EINVAL if a thousand
 * redraws are not of the part; as parl_env_reset and parl_env_prompt. */
parl_status parl_split_draw(parl_split *split, parl_part part, uint64_t task_seed, parl_draw *out);

#endif
