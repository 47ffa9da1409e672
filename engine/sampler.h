/* engine/sampler.h - one token from masked logits, reproducibly.
 *
 * The draw is a function of its arguments only; the caller takes `uniform` from a named position of
 * parl_rng. Thread rule: pure functions. */
#ifndef PARL_ENGINE_SAMPLER_H
#define PARL_ENGINE_SAMPLER_H
#include <stdint.h>

#include "kernels/ops.h"

typedef struct parl_sample {
  int32_t token;
  float logp; /* log-probability of the token under the masked distribution at this temperature */
  float entropy; /* nats, of that distribution */
} parl_sample;

/* logits [V] are overwritten by probabilities. mask [(V+63)/64], at least one bit set; NULL allows
 * all. A temperature above 0 samples by inverse CDF with `uniform` in [0,1); 0 takes the argmax
 * (lowest index on ties) and reports logp and entropy at temperature 1. Never returns a masked
 * token, not even for logits that are not finite (logp is then not finite either). */
parl_sample parl_sampler_draw(const parl_backend *backend, float *logits, size_t V,
                              const uint64_t *mask, double temperature, double uniform);

#endif
