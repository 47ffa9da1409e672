/* parl/learn/policy_ring.h - policies of earlier updates, so that whoever plays is as old as asked.
 *
 * Version v is the policy after v updates; 0 is the warm start's. The ring keeps the last n + 1 of
 * them, the newest included, and a model of its own to play with: seats name it once, its weights
 * change between runs.
 * Thread rule: one thread per ring. Reading order: create, load, keep. */
#ifndef PARL_PARL_LEARN_POLICY_RING_H
#define PARL_PARL_LEARN_POLICY_RING_H
#include "engine/model.h"

typedef struct parl_policy_ring {
  size_t n;           /* updates between the policy that plays and the one that learns, >= 1 */
  parl_model *player; /* owned; what parl_policy_ring_load put there */
  parl_model **kept;  /* [n + 1] owned; version v is in v mod (n + 1) */
} parl_policy_ring;

/* All of it holds the weights of `model`, version 0. Fails: ENOMEM. */
parl_status parl_policy_ring_create(const parl_model *model, size_t n, parl_policy_ring **out);
/* NULL-safe. */
void parl_policy_ring_destroy(parl_policy_ring *ring);
/* Before update `update` is played: the player is version max(0, update - n). */
parl_status parl_policy_ring_load(parl_policy_ring *ring, int64_t update);
/* `model` is version `version`, the next one. Until then a stopped update has changed nothing. */
parl_status parl_policy_ring_keep(parl_policy_ring *ring, int64_t version, const parl_model *model);
/* Updates by which the player of update `update` is behind. */
int64_t parl_policy_ring_get_age(const parl_policy_ring *ring, int64_t update);

#endif
