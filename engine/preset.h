/* engine/preset.h - named architectures whose sizes follow from the dense ones.
 *
 * Thread rule: pure functions. */
#ifndef PARL_ENGINE_PRESET_H
#define PARL_ENGINE_PRESET_H
#include "engine/model.h"

/* Names in order: "dense", "mla", "moe", "k2", "k2_wide"; NULL beyond the last. */
const char *parl_model_preset_name(size_t i);

/* Sets the architecture of a config; n_layers, d_model, n_heads, head_dim and d_ff are read.
 *   dense  gqa, no experts
 *   mla    a head's values and unrotated part as wide as head_dim, the rotated part half of it;
 *          latents of d_model / 2
 *   moe    8 routed experts, 2 for a token, and a shared one; three of them together are as wide as
 *          d_ff, a multiple of 8 each; one dense layer in front where there are more than one
 *   k2     both
 *   k2_wide  both, for small widths: queries of full rank, a latent of d_model, and a rope key of
 *            two heads' width, since all heads share it
 * The proportions of heads, and experts of a token that are together as wide as the dense layer,
 * are K2's. Fails: EINVAL naming the nearest preset. Source: k25 5; counts and latents ours. */
parl_status parl_model_apply_preset(const char *name, parl_model_config *config);

#endif
