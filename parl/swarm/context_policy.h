/* parl/swarm/context_policy.h - what becomes of an orchestrator's context that fills up (k25 1.8).
 *
 * With `none` a full context ends the episode as a failure. The others rewrite the context at the
 * end of the turn in which its fill reaches the threshold; what was recorded stays recorded, and
 * the episode goes on in a new sequence:
 *   hide_tool_result  keeps the prompt, all that the orchestrator wrote, and the observations of
 *                     the latest turn
 *   summary           keeps the prompt, followed by the environment's `summarize`
 *   discard_all       keeps the prompt
 * Thread rule: as the episode. */
#ifndef PARL_PARL_SWARM_CONTEXT_POLICY_H
#define PARL_PARL_SWARM_CONTEXT_POLICY_H
#include "parl/swarm/episode.h"

enum {
  PARL_CONTEXT_POLICY_NONE,
  PARL_CONTEXT_POLICY_HIDE_TOOL_RESULT,
  PARL_CONTEXT_POLICY_SUMMARY,
  PARL_CONTEXT_POLICY_DISCARD_ALL
};

/* Contexts of one episode that are recorded at most: 1 without a policy. */
size_t parl_episode_max_mains(const parl_episode_config *config);

/* Rewrites the context if it is time. *fits is false if the episode has no recorded context left or
 * the rewritten one is as full as before: then the orchestrator's context is full.
 * Fails: as `summarize` does. */
parl_status parl_context_policy_apply(const parl_episode_env *ee, parl_context *c, bool *fits);

#endif
