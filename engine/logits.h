/* engine/logits.h - logits, loss and gradients of plain token sequences, with images among them,
 * and the features of images alone: how a model is compared with another implementation.
 * Thread rule: one thread; allocates. */
#ifndef PARL_ENGINE_LOGITS_H
#define PARL_ENGINE_LOGITS_H
#include "engine/vision.h"

typedef struct parl_logits_def {
  const parl_model *model;
  size_t B, T;
  const int32_t *tokens;  /* [B,T] */
  const int32_t *targets; /* [B,T] the token due after each position; -1: not in the loss. NULL: the
                             next token of the sequence, unless that is a placeholder of items */
  const parl_vision_items *items; /* whose features stand, in reading order, where the token is the
                                     model's vision.media_token; NULL: tokens alone */
} parl_logits_def;

/* logits [B,T,V] of every position. grads [n_params], unless NULL, is overwritten with the gradient
 * of *loss, the mean cross-entropy in nats of the positions in the loss; T >= 2 without targets.
 * Fails: EINVAL for a token, a target or a length out of range, for other than one placeholder a
 * row of features, if nothing is in the loss; ENOMEM. */
parl_status parl_logits_compute(const parl_logits_def *def, float *logits, double *loss,
                                float *grads);

/* features [rows,C] of the items. grads [n_params], unless NULL, is overwritten with the gradient
 * of sum(features cotangent), cotangent [rows,C]. Fails: EINVAL, ENOMEM. */
parl_status parl_features_compute(const parl_model *model, const parl_vision_items *items,
                                  const float *cotangent, float *features, float *grads);

#endif
