/* parl/swarm/context_policy.c - rewriting a context from the origins of its tokens. */
#include "parl/swarm/context_policy.h"

#include <string.h>

enum { MAX_REWRITES = 15 };

size_t parl_episode_max_mains(const parl_episode_config *config) {
  return config->context_policy == PARL_CONTEXT_POLICY_NONE ? 1 : 1 + MAX_REWRITES;
}

static bool keeps(int policy, int origin, int latest) {
  if (origin == 0) return true;
  if (policy != PARL_CONTEXT_POLICY_HIDE_TOOL_RESULT) return false;
  return origin > 0 || origin == -latest;
}

/* The sequence that the episode goes on in: the next recorded one, or the same again. */
static parl_sequence *next_sequence(parl_context *c) {
  parl_trajectory *out = c->episode->job->out;
  if (!c->record) return c->sequence;
  return out->n_mains < out->max_mains ? &out->mains[out->n_mains++] : NULL;
}

/* Copies what the policy keeps; `to` may be `from`, for a token never moves up. An image's tokens
 * are of one observation: it stays whole, or goes. */
static void copy_kept(int policy, int latest, const parl_sequence *from, int16_t *origin,
                      parl_sequence *to) {
  int32_t n = 0, n_shown = 0, k = 0;
  for (int32_t i = 0; i < from->n_tokens; i++) {
    const bool is_image = k < from->n_shown && from->shown[k].at == i;
    const parl_shown shown = is_image ? from->shown[k++] : (parl_shown){0};
    if (!keeps(policy, origin[i], latest)) continue;
    if (is_image) to->shown[n_shown++] = (parl_shown){n, shown.n, shown.picture};
    to->tokens[n] = from->tokens[i];
    origin[n++] = origin[i];
  }
  to->n_tokens = n;
  to->n_shown = n_shown;
  to->album = from->album;
}

parl_status parl_context_policy_apply(const parl_episode_env *ee, parl_context *c, bool *fits) {
  const parl_episode_config *config = &ee->config->episode;
  *fits = true;
  if (config->context_policy == PARL_CONTEXT_POLICY_NONE) return PARL_STATUS_OK;
  const double threshold = config->context_threshold * (double)c->limit;
  if ((double)c->sequence->n_tokens < threshold) return PARL_STATUS_OK;
  size_t n = 0;
  if (config->context_policy == PARL_CONTEXT_POLICY_SUMMARY)
    PARL_TRY(
        parl_env_summarize(ee->env, c->episode->world, ee->tokens, PARL_ENV_MAX_OBSERVATION, &n));
  const int turn = (int)c->episode->facts.turns;
  parl_sequence *from = c->sequence, *to = next_sequence(c);
  *fits = to != NULL;
  if (!*fits) return PARL_STATUS_OK;
  copy_kept(config->context_policy, turn, from, c->origin, to);
  if (to != from) to->n_choices = 0;
  c->sequence = to;
  *fits = (double)(to->n_tokens + (int32_t)n) < threshold;
  if (!*fits) return PARL_STATUS_OK;
  if (n > 0) PARL_TRY(parl_context_add_shown(ee, c, to->n_tokens));
  memcpy(to->tokens + to->n_tokens, ee->tokens, n * sizeof *to->tokens);
  for (size_t i = 0; i < n; i++) c->origin[to->n_tokens + (int32_t)i] = (int16_t)-turn;
  to->n_tokens += (int32_t)n;
  c->is_new = true;
  c->episode->facts.rewrites++;
  return PARL_STATUS_OK;
}
