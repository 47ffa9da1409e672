/* engine/flops.h - what a config costs, counted without building it.
 *
 * Thread rule: pure functions. Reading order: parl_shape, parl_shape_count, the FLOPs. */
#ifndef PARL_ENGINE_FLOPS_H
#define PARL_ENGINE_FLOPS_H
#include "engine/model.h"

typedef struct parl_shape {
  double n_params;       /* all of them, embedding, head, tower and projector included */
  double n_tower;        /* those of the vision tower; 0: none */
  double n_projector;    /* those of its projector */
  double n_active;       /* those a token passes: embedding and head, its experts only */
  double n_bias;         /* selection biases, part of neither */
  double cache_bytes;    /* of keys and values, or latents, of a token, f32 */
  double weight_bytes;   /* f32 weights */
  double training_bytes; /* weights, gradient, two moments, f32; activations apart */
} parl_shape;

/* Fails: EINVAL naming the field that is out of range. */
parl_status parl_shape_count(const parl_model_config *config, size_t vocab_size, parl_shape *out);
/* FLOPs of one token at a mean context, two a multiply-add of matrices and attention: forward, and
 * forward with backward, with keys and values expanded from latents (mla); decoding, against the
 * latents themselves. Of experts, those that a token reaches. The config is valid. */
double parl_shape_forward_flops(const parl_model_config *config, size_t vocab_size,
                                double mean_context);
double parl_shape_train_flops(const parl_model_config *config, size_t vocab_size,
                              double mean_context);
/* Forward of one token through layers [first, first + n), and through the head behind the last. */
double parl_shape_stage_flops(const parl_model_config *config, size_t vocab_size,
                              double mean_context, size_t first, size_t n);
/* Forward of an item of so many frames and patches, all frames together, through the tower and the
 * projector, which sees the mean of the frames; and of one patch of an image. */
double parl_shape_item_flops(const parl_model_config *config, size_t vocab_size, double frames,
                             double patches);
double parl_shape_patch_flops(const parl_model_config *config, size_t vocab_size, double patches);
double parl_shape_decode_flops(const parl_model_config *config, size_t vocab_size,
                               double mean_context);

#endif
