/* parl/swarm/trajectory.h - what a rollout leaves behind: facts, and the tokens that enter the
 * loss.
 *
 * A trajectory is written once by the rollout and only read afterwards. A choice is a token that
 * the policy sampled among at least two allowed ones; prompts, observations, messages and forced
 * tokens are not choices and never enter the loss.
 * Thread rule: one writer, then readers. */
#ifndef PARL_PARL_SWARM_TRAJECTORY_H
#define PARL_PARL_SWARM_TRAJECTORY_H
#include <stdbool.h>
#include <stddef.h>

#include "core/album.h"
#include "core/status.h"
#include "core/text.h"
#include "parl/swarm/recording.h"
#include "parl/swarm/stages.h"

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
  int16_t *turn;   /* [capacity] orchestrator's turn of each choice, from 1; of a sub-agent the turn
                      that launched it */
  uint64_t *masks; /* [capacity, n_words] allowed tokens at each choice */
  int32_t n_shown, max_shown; /* max_shown 0: of an environment that shows no images */
  parl_shown *shown;          /* [max_shown] images among the tokens, in order */
  const parl_album *album;    /* borrowed: their pixels, of the episode */
} parl_sequence;

/* Images that as many tokens can hold. */
int32_t parl_sequence_count_shown(int32_t capacity);

typedef struct parl_trajectory {
  uint64_t task_seed, episode_seed;
  parl_album album;               /* the episode's images */
  bool held_out;                  /* training never sees the task's prompt */
  char family[PARL_FAMILY_BYTES]; /* task kind, "" if the environment has one */
  bool failed;                    /* the environment broke: facts are not to be used */
  bool suspended;                 /* the job's quota ended it: facts are of what was played */
  parl_facts facts;
  bool keep_scores;         /* scores are wanted */
  parl_text scores;         /* JSON object of the environment's named numbers at the end */
  parl_stages stages;       /* empty if they are not wanted, or it failed */
  parl_recording recording; /* of the orchestrator; as stages */
  size_t n_mains, max_mains;
  parl_sequence
      *mains; /* [max_mains] the orchestrator's context; one more each time it is rewritten
                           by a context policy. max_mains 0: not recorded */
  size_t n_subs, max_subs;
  bool only_learners;  /* of sub-agents whose player learns; else of the first */
  parl_sequence *subs; /* [max_subs] contexts of sub-agents */
} parl_trajectory;

typedef struct parl_trajectories parl_trajectories;

typedef struct parl_trajectories_def {
  size_t n;                 /* trajectories */
  size_t max_mains;         /* recorded contexts of the orchestrator; 0: none */
  int32_t context;          /* tokens each of them holds */
  size_t max_subs;          /* recorded sub-agents, the first of an episode; 0: none */
  bool only_learners;       /* of those whose player learns (parl_player.learns) */
  int32_t sub_context;      /* tokens each of them holds */
  int32_t n_words;          /* 64-bit words of a mask */
  bool shows;               /* its environment shows images; allocates as they come */
  bool keep_scores;         /* the environment's named numbers; allocates as they come */
  parl_stage_limits stages; /* parl_episode_get_stage_limits; all 0: none */
  size_t recording; /* tokens of the orchestrator's turns, parl_episode_get_record_limit; 0: none */
} parl_trajectories_def;

/* Everything is allocated here. Fails: ENOMEM. */
parl_status parl_trajectories_create(const parl_trajectories_def *def, parl_trajectories **out);
void parl_trajectories_destroy(parl_trajectories *set);
parl_trajectory *parl_trajectories_get(parl_trajectories *set, size_t i);

#endif
