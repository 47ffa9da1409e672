/* parl/swarm/chooser.c - random play. */
#include "parl/swarm/chooser.h"

#include "core/seeds.h"
#include "parl/swarm/rollout.h"

/* The allowed token number k, from 0. */
static int32_t pick(const uint64_t *mask, size_t k) {
  int32_t word = 0;
  for (;; word++) {
    const size_t n = (size_t)__builtin_popcountll(mask[word]);
    if (k < n) break;
    k -= n;
  }
  uint64_t bits = mask[word];
  for (; k > 0; k--) bits &= bits - 1;
  return word * 64 + __builtin_ctzll(bits);
}

static parl_status choose_random(void *context, const parl_choice *choice, int32_t *token) {
  (void)context;
  const uint64_t stream = parl_rng_stream(PARL_PURPOSE_RANDOM, (uint64_t)choice->agent, 0, 0);
  for (uint64_t draw = 0; draw < 2; draw++) {
    const uint64_t index = 2 * (uint64_t)choice->n_tokens + draw;
    const double u = parl_rng_uniform(choice->job->episode_seed, stream, index);
    *token = pick(choice->mask, (size_t)(u * (double)choice->n_allowed));
    if (*token != PARL_TOKEN_FINISH) break;
  }
  return PARL_STATUS_OK;
}

const parl_chooser parl_random_chooser = {choose_random, NULL};
