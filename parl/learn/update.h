/* parl/learn/update.h - an update: one rollout batch, its rewards, and the optimizer's work on it.
 *
 * An updater has all that updates share: the table of terms, schedules, trajectories, the learner.
 * It knows neither run nor store: whoever owns it stores what an update measured and saves its
 * state.
 * Thread rule: one thread per updater; it uses the workers it was given.
 * Reading order: the recipe's fields, parl_updater_def, create, run, the state. */
#ifndef PARL_PARL_LEARN_UPDATE_H
#define PARL_PARL_LEARN_UPDATE_H
#include <stdatomic.h>

#include "core/config.h"
#include "core/json.h"
#include "parl/learn/abilities.h"
#include "parl/learn/carry.h"
#include "parl/learn/credit.h"
#include "parl/learn/gradient_shares.h"
#include "parl/learn/learner.h"
#include "parl/learn/metrics.h"
#include "parl/learn/policy_ring.h"
#include "parl/learn/task_sampler.h"
#include "parl/reward/reward.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/rollout.h"
#include "parl/swarm/slots.h"

#define PARL_TRAIN_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                           \
  INT(updates, 150, 0, 10000000, "updates", "rollout batches")                                     \
  INT(tasks, 8, 1, 100000, "tasks", "tasks of one update")                                         \
  INT(group, 8, 1, 10000, "rollouts", "rollouts of one task, K")                                   \
  INT(minibatches, 1, 1, 1000, "steps", "optimizer steps on one rollout batch, of a part each")    \
  INT(epochs, 1, 1, 1000, "passes", "over the minibatches of one rollout batch")                   \
  INT(staleness, 0, 0, 64, "updates", "the policy that plays is that of so many updates ago")      \
  FLAG(                                                                                            \
      async, false,                                                                                \
      "the next update is played while this one learns (train.staleness >= 1, run.threads >= 2); " \
      "changes no result")                                                                         \
  REAL(logp_noise, 0.0, 0.0, 10.0, "nats",                                                         \
       "sd of Gaussian noise on the log-probabilities recorded while playing")                     \
  REAL(temperature, 1.0, 0.01, 100.0, "1", "sampling temperature")                                 \
  REAL(top_p, 1.0, 0.001, 1.0, "of the mass",                                                      \
       "sample from the likeliest tokens that have it together; recorded log-probabilities stay "  \
       "the policy's")                                                                             \
  INT(slots, 0, 0, 100000, "episodes", "episodes alive at once; 0: as suits the caches")           \
  CHOICE(kv_cache, f32, "f32|bf16",                                                                \
         "the decoder's keys and values; bf16: half the memory, sampling is not quite the "        \
         "trainer's policy (objective/logp_gap)")                                                  \
  INT(partial, 0, 0, 1000000, "steps",                                                             \
      "critical steps of an episode in one update; one that is not finished goes on in the "       \
      "next, with its group; 0: every episode is played to its end")                               \
  TEXT(                                                                                            \
      abilities, "",                                                                               \
      "kinds of task that updates begin and their shares: how_many=1,where=1, or a single kind, "  \
      "how_many_image=1; demonstrations and evaluation have all kinds; empty: as the environment " \
      "draws")                                                                                     \
  CHOICE(                                                                                          \
      sampling, uniform, "uniform|curriculum|prioritised",                                         \
      "which of the candidates of a task begins: the only one; one of the easiest, of more and "   \
      "more; the likelier, the more often its like fails")                                         \
  INT(candidates, 8, 1, 1000, "tasks", "drawn for each that begins (curriculum, prioritised)")     \
  REAL(curriculum_over, 0.6, 0.0, 1.0, "of updates", "until any candidate may begin")              \
  REAL(priority_floor, 0.1, 0.0, 1000.0, "1", "added to 1 - success, a candidate's chance")        \
  INT(priority_window, 16, 1, 1000000, "groups", "of like tasks whose mean success counts")        \
  CHOICE(priority_of, success, "success|r_perf", "what the success of an episode is")              \
  INT(gradient_shares_every, 0, 0, 1000000, "updates",                                             \
      "between measurements of every term's share of the gradient, a backward pass each; 0: none " \
      "(objective.credit = episode)")                                                              \
  INT(accumulators, 4, 1, 256, "leaves", "of the tree that sums gradients; fixes the order")       \
  INT(slice_rows, 512, 8, 1000000, "tokens", "tokens of one slice through the model")              \
  CHOICE(store_episodes, none, "none|sample|all",                                                  \
         "training episodes kept in the store with their stages: none, the first group of "        \
         "every update, or all; changes no result")

PARL_CONFIG_STRUCT(parl_train_config, PARL_TRAIN_FIELDS);
enum { PARL_STORE_EPISODES_NONE, PARL_STORE_EPISODES_SAMPLE, PARL_STORE_EPISODES_ALL };
extern const parl_section parl_train_section;

/* Everything is borrowed and outlives the updater. */
typedef struct parl_updater_def {
  const parl_train_config *train;
  const parl_objective_config *objective;
  const parl_optimizer_config *optimizer;
  const parl_episode_config *episode;
  const parl_cost_config *cost; /* of episodes */
  const parl_reward_config *reward;
  const parl_schedule_config *weights; /* [PARL_N_TERMS] of the built-in terms */
  const parl_own_terms *own_terms;     /* the recipe's, or NULL */
  const parl_env_spec *spec;
  uint64_t seed;           /* of tasks and of chance in episodes */
  parl_model *model;       /* its weights change */
  parl_rollout *rollout;   /* who plays; train.async: its workers are not those of the updater */
  const parl_seats *seats; /* who sits in it, */
  const parl_seats *next_seats; /* and who does from update switch_at on; NULL: the same */
  int64_t switch_at;
  parl_policy_ring *ring; /* whose player is seated in it; NULL: the model itself is */
  parl_workers *workers;
  const atomic_int *stop; /* non-zero ends an update, ESTOPPED; or NULL */
} parl_updater_def;

/* To be read between updates; what else is in it is of parl/learn. */
typedef struct parl_updater {
  parl_updater_def def;
  int64_t update;       /* updates done */
  size_t n_steps;       /* optimizer steps of the update under way: 0, it can be made anew */
  parl_metrics metrics; /* of the last update */
  parl_term_table *table;
  parl_metric_table *metric_table;
  double *weights;        /* [n of table] of the last update */
  parl_failures failures; /* of the updates done */
  size_t n;               /* episodes of an update: tasks * group */
  size_t n_groups;        /* of the last update that were kept */
  parl_job *jobs;         /* [n] with what they were played to */
  double *terms;          /* [n, n of table], dropped groups closed up */
  double *advantage;      /* [n] of the episodes kept */
  size_t *kept;           /* [n] job of each row of terms */

  parl_learner *learner;
  parl_trajectories *set, *next_set; /* of jobs; of next_jobs */
  parl_job *next_jobs;               /* [n] train.async: of the update after; NULL without */
  bool is_ahead;                     /* next_jobs are being played */
  parl_reward *reward;
  parl_schedule **schedules;       /* [n of table] of the terms' weights */
  double *states;                  /* [n of table] of the schedules before the update */
  parl_detector_state seen;        /* of the updates done */
  parl_outcome *outcomes;          /* [group] */
  parl_abilities abilities;        /* n = 0: tasks are of any kind */
  parl_ability_room room;          /* [tasks] where there are */
  parl_task_sampler *sampler;      /* NULL: tasks are the stream's */
  uint64_t *task_seeds;            /* [tasks] of those that begin, with a sampler or abilities */
  parl_carry *carry;               /* NULL: no episode goes on in the next update */
  parl_gradient_shares *gradients; /* NULL: not measured */
  parl_slots *slots;               /* NULL: no machine is simulated */
  const parl_stages **stages;      /* [n] of the episodes kept; NULL without slots */
  parl_credit *credit;             /* NULL: every choice has the advantage of its episode */
  double cut_mass;                 /* of the rollout; NaN: nothing was cut off */
  float *choices;                  /* [tokens of a context] their advantages */
} parl_updater;

/* Fails: EINVAL naming a term, ENOMEM naming the fields. */
parl_status parl_updater_create(const parl_updater_def *def, parl_updater **out);
void parl_updater_destroy(parl_updater *u);
/* The weights of update u->update, by their schedules, out [n of table]: once an update, in order;
 * of update 0 any number of times. */
parl_status parl_updater_get_weights(parl_updater *u, double *out);
/* Plays, rewards, learns: update u->update; fills u->metrics and moves u->update on. Allocates
 * nothing. Fails: ESTOPPED; with u->n_steps 0 all is where it was before. */
parl_status parl_updater_run(parl_updater *u);
/* Of the last update: what metrics.mean_abs_shaped_only would have been with every weight but
 * r_perf's times scale; 0 if every group was dropped. Fails: as parl_advantage. */
parl_status parl_updater_get_shaped_only(const parl_updater *u, double scale, double *out);
/* Members of an open object: what the next update depends on beside weights, optimizer, u->update
 * and the last metrics. */
void parl_updater_write_state(const parl_updater *u, parl_json_writer *w);
/* From the object that they were written to; what it lacks, an older parl did not have. Fails:
 * ENOMEM. */
parl_status parl_updater_read_state(parl_updater *u, const parl_json *object);

#endif
