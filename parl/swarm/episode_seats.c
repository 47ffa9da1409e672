/* parl/swarm/episode_seats.c - who sits in an episode, and what is asked of them. */
#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/episode.h"

static parl_status get_grammar_mask(const parl_episode_env *ee, parl_context *c,
                                    size_t *n_allowed) {
  if (ee->config->episode.mask) return parl_grammar_get_mask(&c->grammar, c->mask, n_allowed);
  memset(c->mask, 0, sizeof c->mask[0] * (size_t)ee->n_words);
  for (int t = PARL_TOKEN_PAD + 1; t < ee->spec->n_plain; t++)
    c->mask[t / 64] |= (uint64_t)1 << (t % 64);
  *n_allowed = (size_t)ee->spec->n_plain - 1;
  return PARL_STATUS_OK;
}

parl_status parl_context_get_mask(const parl_episode_env *ee, parl_context *c, size_t *n_allowed) {
  const uint64_t launch = (uint64_t)1 << PARL_TOKEN_ASSIGN;
  PARL_TRY(get_grammar_mask(ee, c, n_allowed));
  if (!c->is_main || !c->episode->replay.bans_launch || (c->mask[0] & launch) == 0)
    return PARL_STATUS_OK;
  c->mask[0] &= ~launch;
  --*n_allowed;
  return PARL_STATUS_OK;
}

int32_t parl_context_only_token(const parl_context *c) {
  int32_t word = 0;
  while (c->mask[word] == 0) word++;
  return word * 64 + __builtin_ctzll(c->mask[word]);
}

void parl_context_get_question(const parl_episode_env *ee, const parl_context *c,
                               parl_question *out) {
  const parl_episode *ep = c->episode;
  *out = (parl_question){.slot = c->slot,
                         .is_new = c->is_new,
                         .job = ep->job,
                         .env = ee->env,
                         .world = ep->world,
                         .agent = c->agent,
                         .turn = (int)ep->facts.turns + c->is_main,
                         .ordinal = c->ordinal,
                         .role = c->role,
                         .tokens = c->sequence->tokens,
                         .n_tokens = (size_t)c->sequence->n_tokens,
                         .shown = {.n = (size_t)c->sequence->n_shown,
                                   .items = c->sequence->shown,
                                   .album = c->sequence->album},
                         .mask = c->player.kind->asks_turns ? NULL : c->mask,
                         .n_allowed = c->player.kind->asks_turns ? 0 : c->n_allowed,
                         .temperature = c->temperature,
                         .top_p = c->is_main || c->player.learns ? ep->job->top_p : 0,
                         .stream = parl_rng_stream(PARL_PURPOSE_SAMPLE, (uint64_t)c->ordinal, 0, 0),
                         .index = (uint64_t)c->n_taken};
}

void parl_context_seat_main(const parl_episode_env *ee, parl_context *main, const parl_job *job) {
  const bool has_own = job->seats != NULL && job->seats->main.kind != NULL;
  main->player = has_own ? job->seats->main : ee->seats->main;
  main->temperature = job->temperature;
}

/* The job's players come first, and that of a role before that of all sub-agents. */
static const parl_player *find_sub_player(const parl_episode_env *ee, const parl_job *job,
                                          int role) {
  if (job->seats != NULL && job->seats->of_role[role].kind != NULL)
    return &job->seats->of_role[role];
  if (job->seats != NULL && job->seats->subs.kind != NULL) return &job->seats->subs;
  if (ee->seats->of_role[role].kind != NULL) return &ee->seats->of_role[role];
  return &ee->seats->subs;
}

parl_status parl_context_seat_sub(const parl_episode_env *ee, parl_context *sub) {
  const parl_player *main = &sub->episode->main->player;
  sub->player = *find_sub_player(ee, sub->episode->job, sub->role);
  sub->temperature = sub->player.learns ? sub->episode->job->temperature : sub->player.temperature;
  if (!parl_player_is_script(&sub->player) || sub->player.style[0] != '\0') return PARL_STATUS_OK;
  if (parl_player_is_script(main))
    sub->player.style = main->style;
  else if (ee->spec->n_styles > 0)
    sub->player.style = ee->spec->styles[0];
  else
    return parl_fail(PARL_STATUS_EINVAL,
                     "%s: has no expert, so its sub-agents cannot be scripted; set agents.subs",
                     ee->spec->path);
  return PARL_STATUS_OK;
}

size_t parl_context_cut_launch(const parl_episode_env *ee, const parl_context *c,
                               const parl_call *calls, size_t n) {
  const size_t most = (size_t)ee->config->episode.max_width;
  const bool is_launch = n > 0 && calls[0].kind == PARL_CALL_ASSIGN;
  return parl_player_is_script(&c->player) && is_launch && most > 0 && n > most ? most : n;
}

bool parl_context_is_reliable(const parl_context *sub) {
  const double reliability = sub->player.reliability;
  if (!parl_player_is_script(&sub->player) || reliability >= 1) return true;
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_RELIABLE, (uint64_t)sub->ordinal, 0, 0);
  return parl_rng_uniform(sub->episode->job->episode_seed, stream, 0) < reliability;
}
