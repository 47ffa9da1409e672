/* parl/trajectory.h - what a rollout leaves behind: facts, and the tokens that enter the loss.
 *
 * A trajectory is written once by the rollout and only read afterwards. A choice is a token that
 * the policy sampled among at least two allowed ones; prompts, observations, messages and forced
 * tokens are not choices and never enter the loss.
 * Thread rule: one writer, then readers. */
#ifndef PARL_PARL_TRAJECTORY_H
#define PARL_PARL_TRAJECTORY_H
#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "parl/facts.h"

enum { PARL_FAMILY_BYTES = 32 };

/* One context, as the model reads it. */
typedef struct parl_sequence {
  int32_t n_tokens, n_choices;
  int32_t capacity; /* tokens */
  int32_t n_words;  /* 64-bit words of one mask */
  int32_t *tokens;  /* [capacity] */
  int32_t *at;      /* [capacity] position of each choice; its logits are those of row at - 1 */
  float
      *logp; /* [capacity] behaviour log-probability of each choice, nats; 0 for a demonstration */
  uint64_t *masks; /* [capacity, n_words] allowed tokens at each choice */
} parl_sequence;

typedef struct parl_trajectory {
  uint64_t task_seed, episode_seed;
  char family[PARL_FAMILY_BYTES]; /* task kind, "" if the environment has one */
  bool failed;                    /* the environment broke: facts are not to be used */
  parl_facts facts;
  parl_sequence main; /* capacity 0: not recorded */
  size_t n_subs, max_subs;
  parl_sequence *subs; /* [max_subs] contexts of sub-agents, recorded for imitation only */
} parl_trajectory;

typedef struct parl_trajectories parl_trajectories;

/* n trajectories whose orchestrator contexts hold `context` tokens and whose first max_subs
 * sub-agents' hold sub_context (0: not recorded). n_words: words of a mask. Everything is
 * allocated here. Fails: ENOMEM. */
parl_status parl_trajectories_create(size_t n, int32_t context, size_t max_subs,
                                     int32_t sub_context, int32_t n_words, parl_trajectories **out);
void parl_trajectories_destroy(parl_trajectories *set);
size_t parl_trajectories_get_count(const parl_trajectories *set);
parl_trajectory *parl_trajectories_get(parl_trajectories *set, size_t i);

#endif
