/* engine/logits.h - logits, loss and gradients of plain token sequences: how a model is compared
 * with another implementation. Thread rule: one thread; allocates. */
#ifndef PARL_ENGINE_LOGITS_H
#define PARL_ENGINE_LOGITS_H
#include "engine/model.h"

/* tokens [B,T] -> logits [B,T,V] of every position. grads [n_params], unless NULL, is overwritten
 * with the gradient of *loss, the mean cross-entropy in nats of the B (T - 1) next tokens; T >= 2
 * then. Fails: EINVAL for a token or a length out of range, ENOMEM. */
parl_status parl_logits_compute(const parl_model *model, const int32_t *tokens, size_t B, size_t T,
                                float *logits, double *loss, float *grads);

#endif
