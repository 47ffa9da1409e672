/* parl/swarm/episode_context.c - a context begins, and takes what nobody chose: text and images. */
#include <string.h>

#include "parl/swarm/episode.h"

void parl_context_init(const parl_episode_env *ee, parl_context *c, parl_episode *ep, int ordinal,
                       parl_agent agent, parl_sequence *recorded) {
  const bool is_main = ordinal == 0;
  const parl_grammar_def def = {.use_legal = ee->config->episode.legal,
                                .may_launch = is_main,
                                .max_direct = is_main ? (int)ee->config->episode.max_direct : 1,
                                .max_width = (int)ee->config->episode.max_width};
  c->state = PARL_CONTEXT_RUNNING;
  c->episode = ep;
  c->is_main = is_main;
  c->ordinal = ordinal;
  c->agent = agent;
  c->seat = NULL;
  c->asked = 0;
  c->limit = is_main ? ee->spec->limits.context : ee->spec->limits.sub_context;
  c->record = recorded != NULL && recorded->capacity > 0;
  c->sequence = c->record ? recorded : &c->own;
  c->sequence->n_tokens = 0;
  c->sequence->n_choices = 0;
  c->sequence->n_shown = 0;
  c->sequence->album = &ep->job->out->album;
  c->n_taken = 0;
  c->is_new = true;
  c->steps = 0;
  c->n_written = 0;
  c->finished = false;
  parl_grammar_init(&c->grammar, ee->env, ep->world, agent, is_main, &def, c->turn, c->room);
}

bool parl_context_append(parl_context *c, const int32_t *tokens, size_t n) {
  parl_sequence *s = c->sequence;
  if (n > (size_t)(c->limit - s->n_tokens)) return false;
  memcpy(s->tokens + s->n_tokens, tokens, n * sizeof *tokens);
  for (size_t i = 0; c->is_main && i < n; i++)
    c->origin[s->n_tokens + (int32_t)i] = (int16_t)-c->episode->facts.turns;
  s->n_tokens += (int32_t)n;
  c->n_taken += (int32_t)n;
  return true;
}

static parl_status add_shown(parl_sequence *s, parl_album *album, const parl_env_shown *from,
                             int32_t base) {
  for (size_t i = 0; i < from->n; i++) {
    const parl_picture *picture = &from->album->items[from->items[i].picture];
    parl_shown shown = from->items[i];
    PARL_TRY(parl_album_add(album, picture, &shown.picture));
    PARL_CHECK(s->n_shown < s->max_shown);
    shown.at += base;
    s->shown[s->n_shown++] = shown;
  }
  return PARL_STATUS_OK;
}

parl_status parl_context_add_shown(const parl_episode_env *ee, const parl_context *c,
                                   int32_t base) {
  if (ee->spec->vision.width == 0) return PARL_STATUS_OK;
  const parl_env_shown shown = parl_env_get_shown(ee->env);
  return parl_fail_context(add_shown(c->sequence, &c->episode->job->out->album, &shown, base), "%s",
                           ee->spec->path);
}

parl_status parl_context_observe(const parl_episode_env *ee, parl_context *c, size_t n,
                                 bool *fits) {
  const int32_t base = c->sequence->n_tokens;
  *fits = parl_context_append(c, ee->tokens, n);
  return *fits && n > 0 ? parl_context_add_shown(ee, c, base) : PARL_STATUS_OK;
}

parl_status parl_context_begin(const parl_episode_env *ee, parl_context *c, int32_t head, size_t n,
                               bool *fits) {
  *fits = parl_context_append(c, &head, 1);
  return *fits ? parl_context_observe(ee, c, n, fits) : PARL_STATUS_OK;
}
