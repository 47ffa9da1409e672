/* parl/swarm/episode_messages.c - which messages of a group arrive, and in whose place. */
#include "core/seeds.h"
#include "parl/swarm/episode.h"

static bool may_fail(const parl_episode_env *ee) {
  const parl_message_chances *chances = &ee->config->messages;
  return chances->lost > 0 || chances->is_false > 0 || chances->late > 0;
}

static uint64_t get_stream(const parl_launch *l) {
  return parl_rng_stream(PARL_PURPOSE_MESSAGE, (uint64_t)l->ordinal, 0, 0);
}

void parl_episode_delay_message(const parl_episode_env *ee, const parl_episode *ep,
                                parl_launch *launch) {
  const parl_message_chances *chances = &ee->config->messages;
  const int64_t room = ep->sub_limit - launch->steps;
  launch->is_missed = false;
  if (chances->late <= 0 ||
      parl_rng_uniform(ep->job->episode_seed, get_stream(launch), 3) >= chances->late)
    return;
  launch->is_missed = chances->late_steps > room;
  launch->steps += launch->is_missed ? room : chances->late_steps;
}

size_t parl_episode_draw_message(const parl_episode_env *ee, const parl_episode *ep, size_t index) {
  const parl_message_chances *chances = &ee->config->messages;
  const size_t n = ep->n_launches;
  const uint64_t stream = get_stream(&ep->launches[index]);
  double u[3]; /* lost? false? whose; late? is the fourth */
  if (!may_fail(ee)) return index;
  for (uint64_t i = 0; i < 3; i++) u[i] = parl_rng_uniform(ep->job->episode_seed, stream, i);
  if (u[0] < chances->lost || ep->launches[index].is_missed) return n;
  if (u[1] >= chances->is_false) return index;
  if (n == 1) return n;
  const size_t other = (size_t)(u[2] * (double)(n - 1)); /* among the others, in order */
  return other < index ? other : other + 1;
}

parl_status parl_episode_hear(const parl_episode_env *ee, const parl_episode *ep, size_t from,
                              size_t *n) {
  const parl_launch *l = &ep->launches[from];
  return (may_fail(ee) ? parl_env_hear : parl_env_deliver)(
      ee->env, ep->world, l->agent, l->finished, ee->tokens, PARL_ENV_MAX_OBSERVATION, n);
}

void parl_episode_note_message(parl_episode *ep, size_t index, size_t from, double gain) {
  const parl_launch *l = &ep->launches[index];
  parl_stages *stages = &ep->job->out->stages;
  ep->facts.useful += gain != 0;
  if (from != index) {
    const bool is_false = from < ep->n_launches;
    *(is_false ? &ep->facts.false_messages : &ep->facts.lost_messages) += 1;
    parl_stages_lose(stages, index, is_false, gain);
    return;
  }
  ep->facts.finished += l->finished;
  ep->facts.empty_finishes += l->finished && l->steps == 0;
  parl_stages_deliver(stages, index, l->finished, gain);
}

parl_status parl_episode_dismiss(const parl_episode_env *ee, const parl_episode *ep) {
  for (size_t i = 0; i < ep->n_launches && may_fail(ee); i++)
    PARL_TRY(parl_env_dismiss(ee->env, ep->world, ep->launches[i].agent));
  return PARL_STATUS_OK;
}
