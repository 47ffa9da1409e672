/* parl/learn/update_play.c - the episodes of an update: played before it learns, or while the one
 * before learns. */
#include <math.h>

#include "core/clock.h"
#include "core/seeds.h"
#include "parl/learn/update_internal.h"

/* The tasks that begin in place of those of jobs; groups that wait have theirs. */
static parl_status choose_tasks(const parl_updater *u, int64_t update, bool is_ahead,
                                parl_job *jobs) {
  const size_t K = (size_t)u->def.train->group;
  const size_t n_waiting = u->carry != NULL ? parl_carry_get_n(u->carry, is_ahead) : 0;
  const size_t n_new = u->n / K - n_waiting;
  if (u->task_seeds == NULL) return PARL_STATUS_OK;
  PARL_TRY(u->sampler != NULL
               ? parl_task_sampler_draw(u->sampler, update, is_ahead, n_new, u->task_seeds)
               : parl_abilities_draw(&u->abilities, u->def.rollout, u->def.seed, update, &u->room,
                                     n_new, u->task_seeds));
  for (size_t i = n_waiting * K; i < u->n; i++)
    jobs[i].task_seed = u->task_seeds[i / K - n_waiting];
  return PARL_STATUS_OK;
}

/* What update `update` plays, into set. */
static parl_status set_jobs(const parl_updater *u, int64_t update, bool is_ahead,
                            parl_trajectories *set, parl_job *jobs) {
  const uint64_t seed = u->def.seed, at = (uint64_t)update;
  const size_t K = (size_t)u->def.train->group;
  for (size_t i = 0; i < u->n; i++)
    jobs[i] = (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_TRAIN_TASK, at, i / K),
                         .episode_seed = parl_seed(seed, PARL_PURPOSE_TRAIN_EPISODE, at, i),
                         .temperature = u->def.train->temperature,
                         .top_p = u->def.train->top_p,
                         .part = PARL_PART_TRAIN,
                         .out = parl_trajectories_get(set, i)};
  for (size_t i = 0; u->carry != NULL && i < u->n; i++)
    parl_carry_get_job(u->carry, update, i, is_ahead, &jobs[i]);
  return choose_tasks(u, update, is_ahead, jobs);
}

/* Who plays update `update` is seated and has its weights; who sat there before keeps the seat. */
static parl_status load_players(parl_updater *u, int64_t update) {
  const parl_updater_def *d = &u->def;
  if (d->next_seats != NULL)
    parl_rollout_set_seats(d->rollout, update >= d->switch_at ? d->next_seats : d->seats);
  return d->ring != NULL ? parl_policy_ring_load(d->ring, update) : PARL_STATUS_OK;
}

static void swap_sets(parl_updater *u) {
  parl_trajectories *set = u->set;
  parl_job *jobs = u->jobs;
  u->set = u->next_set;
  u->jobs = u->next_jobs;
  u->next_set = set;
  u->next_jobs = jobs;
}

static parl_status play(parl_updater *u, parl_rollout_counts *counts) {
  if (u->is_ahead) {
    u->is_ahead = false;
    swap_sets(u);
    return parl_rollout_end(u->def.rollout, counts);
  }
  PARL_TRY(set_jobs(u, u->update, false, u->set, u->jobs));
  PARL_TRY(load_players(u, u->update));
  return parl_rollout_run(u->def.rollout, u->jobs, u->n, counts);
}

parl_status parl_updater_play(parl_updater *u) {
  parl_rollout_counts counts;
  const double start = parl_clock_s();
  PARL_TRY(play(u, &counts));
  parl_failures_add(&u->failures, u->def.rollout);
  u->metrics.wait_s = parl_clock_s() - start;
  u->metrics.rollout_s = counts.run_s;
  u->metrics.decode_s = counts.decode_s;
  u->metrics.script_s = counts.script_s;
  u->metrics.decode_tokens = (double)counts.decoded_tokens;
  u->metrics.reused_tokens = (double)counts.reused_tokens;
  u->cut_mass =
      counts.n_cut > 0 ? ldexp((double)counts.cut, -32) / (double)counts.n_cut : (double)NAN;
  return PARL_STATUS_OK;
}

parl_status parl_updater_play_ahead(parl_updater *u) {
  const int64_t next = u->update + 1;
  if (!u->def.train->async || next >= u->def.train->updates) return PARL_STATUS_OK;
  const parl_status s = set_jobs(u, next, true, u->next_set, u->next_jobs);
  if (s == PARL_STATUS_ESCRIPT || s == PARL_STATUS_ELIMIT || s == PARL_STATUS_EINVAL)
    return PARL_STATUS_OK; /* it fails the update that it belongs to, which draws again */
  PARL_TRY(s);
  PARL_TRY(load_players(u, next));
  PARL_TRY(parl_rollout_begin(u->def.rollout, u->next_jobs, u->n));
  u->is_ahead = true;
  return PARL_STATUS_OK;
}

void parl_updater_abandon(parl_updater *u) {
  if (!u->is_ahead) return;
  parl_rollout_abandon(u->def.rollout);
  u->is_ahead = false;
}
