/* parl/learn/sub_learning.c - whose contexts are learned from, and what their advantage says. */
#include "parl/learn/sub_learning.h"

static bool role_learns(const parl_seats *seats, int role) {
  const parl_player *own = &seats->of_role[role];
  return own->kind != NULL ? own->learns : seats->subs.learns;
}

size_t parl_sub_learning_count(const parl_seats *seats, const parl_env_spec *spec,
                               const parl_episode_config *episode) {
  bool any = false;
  for (int role = 0; role < spec->n_roles; role++) any = any || role_learns(seats, role);
  return any ? parl_episode_get_stage_limits(spec, episode).subs : 0;
}

void parl_sub_learning_ask(const parl_seats *seats, const parl_env_spec *spec,
                           const parl_episode_config *episode, parl_trajectories_def *def) {
  def->max_subs = parl_sub_learning_count(seats, spec, episode);
  if (def->max_subs == 0) return;
  def->only_learners = true;
  def->sub_context = spec->limits.sub_context;
  def->stages = parl_episode_get_stage_limits(spec, episode);
}

parl_status parl_sub_learning_add(const parl_trajectory *trajectory, size_t prompt, float advantage,
                                  parl_batch *batch) {
  for (size_t s = 0; s < trajectory->n_subs; s++)
    PARL_TRY(parl_batch_add_uniform(batch, &trajectory->subs[s], prompt, advantage));
  return PARL_STATUS_OK;
}

void parl_sub_learning_measure(const parl_seats *seats, const parl_trajectory *trajectory,
                               double advantage, parl_sub_learning_sums *sums) {
  const parl_stages *stages = &trajectory->stages;
  double choices = 0;
  for (size_t s = 0; s < trajectory->n_subs; s++) choices += trajectory->subs[s].n_choices;
  sums->sub_choices += choices;
  for (size_t m = 0; m < trajectory->n_mains; m++) choices += trajectory->mains[m].n_choices;
  sums->choices += choices;
  for (size_t s = 0; s < stages->n_subs && advantage != 0; s++) {
    if (!role_learns(seats, stages->subs[s].role)) continue;
    sums->subs++;
    sums->misled += stages->subs[s].useful != (advantage > 0);
  }
}
