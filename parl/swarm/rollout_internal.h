/* parl/swarm/rollout_internal.h - what the parts of a rollout share: rollout.c builds shards and
 * runs them, rollout_play.c is how one of them plays. */
#ifndef PARL_PARL_SWARM_ROLLOUT_INTERNAL_H
#define PARL_PARL_SWARM_ROLLOUT_INTERNAL_H
#include "core/bits.h"
#include "parl/swarm/episode.h"

enum { PARL_MAX_ANSWERS = 512, PARL_MAX_SEATS = 64, PARL_ROLLOUT_ERROR_BYTES = 2048 };

/* A player of a side in a shard. */
typedef struct parl_seat {
  parl_player player;
  bool is_main;
  void *state;   /* what the player's open made */
  size_t n_open; /* questions without an answer */
} parl_seat;

/* The contexts of a side, and which of them need a look: nothing here is found by a scan over all,
 * and everything is found in the order in which a scan would find it. */
typedef struct parl_context_pool {
  size_t n;
  parl_context *contexts; /* [n] */
  parl_bits free, done;   /* by state */
  parl_bits asking;       /* those that choose and have not asked their player */
} parl_context_pool;

typedef struct parl_shard {
  parl_env *env;
  parl_episode_env ee;
  parl_arena arena;
  parl_task_pool tasks;
  size_t n_dealt; /* jobs taken of those dealt to it */
  size_t n_episodes;
  parl_episode *episodes;           /* [n_episodes] */
  parl_bits idle, unsettled;        /* not live; over, or waiting for contexts of sub-agents */
  parl_context_pool mains, subs;    /* the context of orchestrator i is that of episode i */
  parl_seat *seats[PARL_MAX_SEATS]; /* [n_seats] in the order in which they were opened */
  size_t n_seats;
  parl_question *questions; /* [most contexts of a side] of the next submission */
  parl_answer *answers;     /* [PARL_MAX_ANSWERS] */
  uint64_t last_id;         /* of a question */
  parl_player_counts played;
  parl_rollout_counts counts;
  double end_s;                         /* of its part of the last run, of the clock */
  int64_t n_failed;                     /* episodes that were dropped */
  const parl_job *failed_job;           /* the first of them in the order of jobs; NULL: none */
  char error[PARL_ROLLOUT_ERROR_BYTES]; /* its text */
} parl_shard;

struct parl_rollout {
  parl_swarm_config config;
  parl_seats seats;
  const atomic_int *stop;
  parl_workers *workers;
  size_t n_shards;
  parl_shard *shards;
  const parl_job *jobs;
  size_t n_jobs;
  atomic_size_t next_job; /* n_jobs: none are begun any more */
  bool is_dealt;          /* shard s plays jobs s, s + n_shards, ...; else whoever is first */
  parl_looks looking;     /* of the last parl_rollout_look */
  atomic_bool is_abandoned;
  double begin_s; /* of the last run, of the clock */
};

/* The seat of a player, which is opened if there is none. Fails: as the player does; EINVAL for too
 * many. */
parl_status parl_shard_find_seat(parl_shard *sh, const parl_player *player, bool is_main,
                                 parl_seat **out);
/* Takes down where a context, or an episode with its orchestrator's, is now; no question of it is
 * open. */
void parl_shard_note_context(parl_context_pool *p, const parl_context *c);
void parl_shard_note_episode(parl_shard *sh, const parl_episode *ep);
/* Plays jobs until there are none. Fails: as parl_rollout_run; episodes may be alive then. */
parl_status parl_shard_play(parl_rollout *r, parl_shard *sh);
/* Drops all episodes that are alive. */
void parl_shard_clear(parl_shard *sh);

#endif
