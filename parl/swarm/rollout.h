/* parl/swarm/rollout.h - plays episodes: many at once, orchestrators and sub-agents decoding
 * together.
 *
 * A rollout owns one shard per worker: a Lua state, a decoder per policy, slots; while scripts of
 * one run, others decode. Shards pull jobs one by one; where a model is on a device, each has its
 * own, every n_shards-th. What comes out of a job depends on the job and the weights only, never
 * on the shard, the slots or the number of threads.
 * Thread rule: one rollout at a time per object; it uses the workers it was given.
 * Reading order: parl_job, create, run, begin. */
#ifndef PARL_PARL_SWARM_ROLLOUT_H
#define PARL_PARL_SWARM_ROLLOUT_H
#include <stdatomic.h>

#include "core/workers.h"
#include "parl/swarm/look.h"
#include "parl/swarm/observer.h"
#include "parl/swarm/player.h"
#include "parl/swarm/split.h"
#include "parl/swarm/swarm_config.h"
#include "parl/swarm/trajectory.h"

typedef struct parl_job {
  uint64_t task_seed;      /* which world, */
  uint64_t episode_seed;   /* chance inside the episode, and sampling */
  const parl_seats *seats; /* who plays it; nobody in a seat: the rollout's. NULL: the rollout's */
  double temperature;      /* of an orchestrator that samples; 0: greedy */
  double top_p; /* of an orchestrator that samples: the nucleus it samples from; 0 or 1: all */
  parl_trajectory *out;
  parl_part part;            /* but another of its family if its prompt is not of this part */
  const parl_replay *replay; /* what is written before the orchestrator's player is asked, and
                                whether it is at all; borrowed; NULL: it is from the first */
  int64_t quota; /* critical steps, beyond what is replayed, after which the episode is suspended at
                    the end of a turn; 0: none */
} parl_job;

typedef struct parl_rollout_def {
  const char *env_path;
  const parl_json *env_params; /* or NULL */
  const char *script_hash;     /* parl_env_spec.script_hash that it must have; NULL or "": any */
  parl_swarm_config config;
  parl_seats seats; /* main: nobody if every job says who; subs: nobody: reliable scripts */
  size_t n_slots;   /* episodes alive at once, over all shards; 0: as suits the caches, of n_jobs */
  size_t n_jobs;    /* of a run, where that is known: no more slots than these */
  parl_workers *workers;
  const parl_observer *observer;   /* or NULL */
  const parl_script_host *scripts; /* `stop` ends it, ESTOPPED, a callback too; prints; or NULL */
  size_t sub_slots;                /* sub-agents alive at once; 0: 8 an episode */
  bool share_worlds; /* neighbouring jobs of one task share its world; same outcomes */
} parl_rollout_def;

/* Sums over a run, for metrics. */
typedef struct parl_rollout_counts {
  int64_t decoded_tokens; /* rows through a decoder, all models */
  int64_t reused_tokens;  /* not decoded: another context had the same prefix */
  int64_t sampled_tokens;
  int64_t n_cut, cut;        /* as in parl_player_counts */
  double decode_s, script_s; /* seconds of all shards together: of players in seats, and the rest */
  double run_s;              /* from its begin to the end of the last shard, by the clock */
} parl_rollout_counts;

typedef struct parl_rollout parl_rollout;

/* Fails: EINVAL (a context longer than the model's), EFORMAT (another script), ESCRIPT, ENOMEM. */
parl_status parl_rollout_create(const parl_rollout_def *def, parl_rollout **out);
void parl_rollout_destroy(parl_rollout *rollout);
/* Who plays from the next run on: a role's player may change at an update. Seats of players that
 * are named no more are closed, with what their decoders hold; those of the others stay. Memory for
 * sub-agents is that of create: where all were scripts, one at a time is alive. */
void parl_rollout_set_seats(parl_rollout *rollout, const parl_seats *seats);
/* The first shard's environment, for its specification. Borrowed. */
const parl_env *parl_rollout_get_env(const parl_rollout *rollout);
/* Plays the jobs; their trajectories are filled. counts may be NULL. Allocates nothing in C.
 * Fails: ESCRIPT, ELIMIT with task seed and turn, unless env.on_error = "skip": then the
 * trajectory is `failed`. */
parl_status parl_rollout_run(parl_rollout *rollout, const parl_job *jobs, size_t n_jobs,
                             parl_rollout_counts *counts);
/* The same in two halves: what threads the workers have beside the caller play, while it does
 * something else; parl_rollout_end takes part in what is left, waits, and fails as parl_rollout_run
 * does. Until then the jobs, what they borrow, and the weights of who plays stay as they are. */
parl_status parl_rollout_begin(parl_rollout *rollout, const parl_job *jobs, size_t n_jobs);
parl_status parl_rollout_end(parl_rollout *rollout, parl_rollout_counts *counts);
/* In the place of end: what is not played yet is not, and what comes out is not to be read. */
void parl_rollout_abandon(parl_rollout *rollout);
/* Episodes of the last run, and those that failed. The text of the failure of the first job among
 * them, borrowed until the next run; "" if none failed. */
const char *parl_rollout_get_failures(const parl_rollout *rollout, int64_t *n, int64_t *n_failed);

/* Looks at tasks between runs, which plays and changes nothing. Fails: as parl_look_at_part. */
parl_status parl_rollout_look(parl_rollout *rollout, parl_look *looks, size_t n);

/* What the stages of an episode can be at most, for parl_trajectories_def. */
parl_stage_limits parl_episode_get_stage_limits(const parl_env_spec *spec,
                                                const parl_episode_config *config);
/* And what its orchestrator can write. */
size_t parl_episode_get_record_limit(const parl_env_spec *spec, const parl_episode_config *config);

#endif
