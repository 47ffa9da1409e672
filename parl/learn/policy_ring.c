/* parl/learn/policy_ring.c - n + 1 models in a ring. */
#include "parl/learn/policy_ring.h"

#include <stdlib.h>

static parl_status copy(const parl_model *from, parl_model **out) {
  PARL_TRY(parl_model_create(parl_model_get_config(from), parl_model_get_vocab_size(from),
                             parl_model_get_backend(from), NULL, out));
  return parl_model_copy_weights(*out, from);
}

parl_status parl_policy_ring_create(const parl_model *model, size_t n, parl_policy_ring **out) {
  PARL_REQUIRE(n >= 1);
  parl_policy_ring *ring = calloc(1, sizeof *ring);
  if (ring != NULL) ring->kept = calloc(n + 1, sizeof(parl_model *));
  if (ring == NULL || ring->kept == NULL) {
    free(ring);
    return parl_fail(PARL_STATUS_ENOMEM, "policy ring: no memory for %zu policies", n + 1);
  }
  ring->n = n;
  parl_status s = copy(model, &ring->player);
  for (size_t i = 0; s == PARL_STATUS_OK && i <= n; i++) s = copy(model, &ring->kept[i]);
  if (s != PARL_STATUS_OK) {
    parl_policy_ring_destroy(ring);
    return s;
  }
  *out = ring;
  return PARL_STATUS_OK;
}

void parl_policy_ring_destroy(parl_policy_ring *ring) {
  if (ring == NULL) return;
  for (size_t i = 0; i <= ring->n; i++) parl_model_destroy(ring->kept[i]);
  parl_model_destroy(ring->player);
  free(ring->kept);
  free(ring);
}

int64_t parl_policy_ring_get_age(const parl_policy_ring *ring, int64_t update) {
  return update < (int64_t)ring->n ? update : (int64_t)ring->n;
}

static parl_model *get_version(const parl_policy_ring *ring, int64_t version) {
  return ring->kept[version % (int64_t)(ring->n + 1)];
}

parl_status parl_policy_ring_load(parl_policy_ring *ring, int64_t update) {
  const int64_t version = update - parl_policy_ring_get_age(ring, update);
  return parl_model_copy_weights(ring->player, get_version(ring, version));
}

parl_status parl_policy_ring_keep(parl_policy_ring *ring, int64_t version,
                                  const parl_model *model) {
  return parl_model_copy_weights(get_version(ring, version), model);
}
