/* engine/flops.c - sums over the layers of a config, in double: a real size overflows nothing. */
#include "engine/flops.h"

#include "engine/model_internal.h"

/* Weights of one layer's attention without norms; its multiply-adds a token are as many. */
static double attention_weights(const parl_model_dims *d) {
  const double C = (double)d->C, q = (double)d->q, mixed = (double)d->mixed;
  if (!d->is_mla) return (double)d->qkv * C + mixed * C;
  const double latents = (double)d->latents * C, q_b = (double)d->Rq * q;
  return latents + q_b + (double)(d->H * (d->Dn + d->Dv)) * (double)d->R + mixed * C;
}

static double norm_weights(const parl_model_dims *d) {
  return 2.0 * (double)d->C + (d->is_mla ? (double)(d->Rq + d->R) : 0.0);
}

static double sparse_layers(const parl_model_dims *d) {
  return (double)(d->L - d->first_moe);
}

/* Feed-forward weights of a layer with n of its routed experts. */
static double layer_ffn_weights(const parl_model_dims *d, size_t layer, double n) {
  const double C = (double)d->C, expert = 3.0 * (double)d->Fe * C;
  if (layer < d->first_moe) return 3.0 * (double)d->F * C;
  return (double)d->router.n_experts * C + 3.0 * (double)d->Fs * C + n * expert;
}

/* The same of all layers. */
static double ffn_weights(const parl_model_dims *d, double n) {
  return (double)d->first_moe * layer_ffn_weights(d, 0, n) +
         sparse_layers(d) * layer_ffn_weights(d, d->first_moe, n);
}

static double all_weights(const parl_model_dims *d, double n_experts) {
  const double outside = (2.0 * (double)d->V + 1.0) * (double)d->C;
  const double layer = attention_weights(d) + norm_weights(d);
  return outside + (double)d->L * layer + ffn_weights(d, n_experts);
}

parl_status parl_shape_count(const parl_model_config *config, size_t vocab_size, parl_shape *out) {
  PARL_TRY(parl_model_check_config(config, vocab_size));
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  const double E = (double)d.router.n_experts, L = (double)d.L, bytes = sizeof(float);
  const double entry = (double)(d.is_mla ? d.entry : 2 * d.kv);
  const double tower = parl_vision_count_tower(&d), projector = parl_vision_count_projector(&d);
  *out = (parl_shape){.n_params = all_weights(&d, E) + tower + projector,
                      .n_tower = tower,
                      .n_projector = projector,
                      .n_active = all_weights(&d, (double)d.router.n_chosen),
                      .n_bias = sparse_layers(&d) * E,
                      .cache_bytes = bytes * L * entry};
  out->weight_bytes = bytes * (out->n_params + out->n_bias);
  out->training_bytes = 4.0 * out->weight_bytes;
  return PARL_STATUS_OK;
}

/* Weights a token passes in a forward. */
static double token_macs(const parl_model_dims *d) {
  return (double)d->L * attention_weights(d) + ffn_weights(d, (double)d->router.n_chosen) +
         (double)d->V * (double)d->C;
}

/* Queries against keys, and mixing values, at one visible position: expanded, as in training. */
static double expanded_macs(const parl_model_dims *d) {
  return (double)d->L * (double)(d->q + d->mixed);
}

/* The same when decoding: a head meets the latent and the rope key, and mixes latents. */
static double absorbed_macs(const parl_model_dims *d) {
  if (!d->is_mla) return expanded_macs(d);
  return (double)d->L * (double)d->H * (double)(d->entry + d->R);
}

double parl_shape_forward_flops(const parl_model_config *config, size_t vocab_size,
                                double mean_context) {
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  return 2.0 * (token_macs(&d) + expanded_macs(&d) * mean_context);
}

double parl_shape_stage_flops(const parl_model_config *config, size_t vocab_size,
                              double mean_context, size_t first, size_t n) {
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  const double attention = attention_weights(&d) + (double)(d.q + d.mixed) * mean_context;
  double macs = first + n == d.L ? (double)d.V * (double)d.C : 0.0;
  for (size_t i = first; i < first + n; i++)
    macs += attention + layer_ffn_weights(&d, i, (double)d.router.n_chosen);
  return 2.0 * macs;
}

double parl_shape_train_flops(const parl_model_config *config, size_t vocab_size,
                              double mean_context) {
  return 3.0 * parl_shape_forward_flops(config, vocab_size, mean_context);
}

double parl_shape_decode_flops(const parl_model_config *config, size_t vocab_size,
                               double mean_context) {
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  return 2.0 * (token_macs(&d) + absorbed_macs(&d) * mean_context);
}

/* Of the projector's products a merged patch makes a quarter. */
double parl_vision_count_flops(const parl_model_dims *d, double frames, double patches) {
  const parl_vision_dims *v = &d->vision;
  const double D = (double)v->D, F = (double)v->F, L = (double)v->L;
  const double block = 4.0 * D * D + 2.0 * F * D + 2.0 * D * patches;
  const double projector = (4.0 * D + (double)d->C) * D / frames;
  return 2.0 * patches * ((double)v->pixels * D + L * block + projector);
}

double parl_shape_item_flops(const parl_model_config *config, size_t vocab_size, double frames,
                             double patches) {
  const parl_model_dims d = parl_model_dims_make(config, vocab_size);
  return parl_vision_count_flops(&d, frames, patches);
}

double parl_shape_patch_flops(const parl_model_config *config, size_t vocab_size, double patches) {
  return parl_shape_item_flops(config, vocab_size, 1.0, patches) / patches;
}
