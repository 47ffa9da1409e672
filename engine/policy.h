/* engine/policy.h - what a policy thinks of given tokens: log-probabilities, and their gradient.
 *
 * Between a forward and its backward, a slice's logits become probabilities, and those the
 * gradient of a loss with respect to the logits, all in place and in the workspace; the host
 * sees two numbers a row. Thread rule: one thread per workspace. Reading order:
 * parl_policy_rows, forward, backward. */
#ifndef PARL_ENGINE_POLICY_H
#define PARL_ENGINE_POLICY_H
#include "engine/model.h"

/* The first n outputs of the last forward. */
typedef struct parl_policy_rows {
  size_t n;              /* 0 to the slice's outputs */
  const uint64_t *mask;  /* [n, (V+63)/64] bits of the allowed tokens, one at least; NULL: all */
  const int32_t *target; /* [n] allowed tokens */
  float inv_temperature;
} parl_policy_rows;

/* The logits of ws become probabilities. logp [n] of the targets and entropy [n] in nats, under the
 * softmax of logits * inv_temperature over the allowed tokens.
 * Fails: as the device says. */
parl_status parl_policy_forward(parl_workspace *ws, const parl_policy_rows *rows, float *logp,
                                float *entropy);
/* The probabilities become the gradient of a loss with respect to the logits, given that with
 * respect to logp, dlogp [n], and to entropy, dentropy [n] or NULL; zero behind the n rows, which
 * are those of the last parl_policy_forward. */
void parl_policy_backward(parl_workspace *ws, const parl_policy_rows *rows, const float *dlogp,
                          const float *dentropy);

#endif
