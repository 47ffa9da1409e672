/* engine/sampler.h - tokens from masked logits, many at a time, reproducibly.
 *
 * A draw is a function of its logits and its parl_pick only; the caller takes `uniform` from a
 * named position of parl_rng. Thread rule: one thread per sampler. Reading order: parl_pick,
 * parl_sample, init, draw. */
#ifndef PARL_ENGINE_SAMPLER_H
#define PARL_ENGINE_SAMPLER_H
#include <stdint.h>

#include "core/arena.h"
#include "kernels/ops.h"

typedef struct parl_pick {
  const uint64_t *mask; /* [(V+63)/64] bits, at least one set; NULL allows all */
  double temperature;   /* above 0: inverse CDF with `uniform`; 0: argmax (lowest index on ties) */
  double uniform;       /* [0, 1) */
  double top_p;         /* draw from the nucleus of this mass alone, (0, 1]; 0 is 1: from all */
} parl_pick;

typedef struct parl_sample {
  int32_t token;
  float logp; /* log-probability of the token under the masked distribution at this temperature */
  float entropy; /* nats, of that distribution */
  float kept;    /* its probability within the nucleus; 1 where top_p cut nothing off */
} parl_sample;

/* Room for the draws of up to max_rows rows; lives in two arenas. */
typedef struct parl_sampler {
  size_t V, max_rows;
  /* on the device */
  uint64_t *mask;
  double *uniform, *top_p;
  float *inv_temperature;
  int32_t *token;
  float *logp, *entropy, *kept;
  /* the same on the host */
  uint64_t *host_mask;
  double *host_uniform, *host_top_p;
  float *host_inv_temperature;
  int32_t *host_token;
  float *host_logp, *host_entropy, *host_kept;
} parl_sampler;

/* Fails: ENOMEM. */
parl_status parl_sampler_init(parl_sampler *sampler, size_t V, size_t max_rows, parl_arena *host,
                              parl_arena *numbers);
/* Draws a token for each of n rows of logits [n,V] on the queue's device, which are overwritten by
 * probabilities; does not wait. At temperature 0 logp and entropy are those of temperature 1. Never
 * a masked token, not even for logits that are not finite (logp is then not finite either). */
void parl_sampler_begin(parl_sampler *sampler, parl_queue *queue, float *logits,
                        const parl_pick *draws, size_t n);
/* Waits for the n draws that were begun last. Fails: as the device says. */
parl_status parl_sampler_end(parl_sampler *sampler, parl_queue *queue, size_t n, parl_sample *out);

#endif
