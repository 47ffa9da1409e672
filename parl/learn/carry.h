/* parl/learn/carry.h - episodes that were not finished within an update's quota, for the next one
 * (partial rollout, Kimi K1.5 2.6.2).
 *
 * A group of which a rollout is not finished waits whole, for its advantage needs all of it. What
 * waits is the tokens that orchestrators wrote, with their behaviour log-probabilities: the next
 * update plays them again to where they were, which decodes nothing of the orchestrator's, and goes
 * on with its own weights. So an episode's tokens may be of several policies, each with the
 * probability that its own gave it.
 * What is collected becomes what waits by `commit`, at the end of an update.
 * Thread rule: one thread per object. Reading order: parl_carry_def, create, get_job, collect,
 * commit. */
#ifndef PARL_PARL_LEARN_CARRY_H
#define PARL_PARL_LEARN_CARRY_H
#include "core/json.h"
#include "parl/swarm/rollout.h"

typedef struct parl_carry_def {
  size_t n_groups, K; /* of an update; rollouts of a group */
  size_t recording;   /* tokens of one, parl_episode_get_record_limit */
  int64_t quota;      /* critical steps of an episode in one update */
  uint64_t seed;      /* of the run */
} parl_carry_def;

/* What an update carried. */
typedef struct parl_carry_counts {
  size_t n_carried; /* groups that it handed on */
  double
      staleness; /* mean over learned choices of the updates since they were written; NaN: none */
} parl_carry_counts;

typedef struct parl_carry parl_carry;
/* Fails: ENOMEM. */
parl_status parl_carry_create(const parl_carry_def *def, parl_carry **out);
/* NULL-safe. */
void parl_carry_destroy(parl_carry *carry);

/* Groups that wait: the first of an update's. is_ahead: as below. */
size_t parl_carry_get_n(const parl_carry *carry, bool is_ahead);
/* Seeds, replay and quota of job i of an update into *job: groups that wait come first, in the
 * order in which they began, with the task seeds that they were collected with, then new tasks.
 * is_ahead: the update before it is collected, and not committed yet. */
void parl_carry_get_job(parl_carry *carry, int64_t update, size_t i, bool is_ahead, parl_job *job);
/* Whether group g of the jobs [n_groups * K] that were played so waits, since a rollout is
 * suspended and none failed; it is collected then. Once a group, in order. */
bool parl_carry_collect(parl_carry *carry, int64_t update, size_t g, const parl_job *jobs);
/* The update is over: what was collected waits, nothing else does. */
parl_carry_counts parl_carry_commit(parl_carry *carry);

/* As the member "carried" of an open object, and back; without it nothing waits.
 * Fails: EFORMAT if it does not fit the recipe. */
void parl_carry_write(const parl_carry *carry, parl_json_writer *w);
parl_status parl_carry_read(parl_carry *carry, const parl_json *object);

#endif
