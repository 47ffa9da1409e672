/* engine/preset.c - the table of architectures. */
#include "engine/preset.h"

#include <string.h>

static const struct preset {
  const char *name;
  bool is_mla, is_sparse, is_wide;
} PRESETS[] = {{"dense", false, false, false},
               {"mla", true, false, false},
               {"moe", false, true, false},
               {"k2", true, true, false},
               {"k2_wide", true, true, true}};
enum { N_PRESETS = sizeof PRESETS / sizeof PRESETS[0] };

const char *parl_model_preset_name(size_t i) {
  return i < N_PRESETS ? PRESETS[i].name : NULL;
}

static void set_latent(parl_model_config *c) {
  const int64_t latent = c->d_model > 1 ? c->d_model / 2 : 1;
  c->attention = PARL_ATTENTION_MLA;
  c->q_lora_rank = latent;
  c->kv_lora_rank = latent;
  c->qk_nope_head_dim = c->head_dim;
  c->qk_rope_head_dim = (c->head_dim + 3) / 4 * 2; /* half a head, even */
  c->v_head_dim = c->head_dim;
}

static void widen_latent(parl_model_config *c) {
  c->q_lora_rank = 0;
  c->kv_lora_rank = c->d_model;
  c->qk_rope_head_dim = c->head_dim < 256 ? 2 * c->head_dim : 512;
}

static void set_sparse(parl_model_config *c) {
  c->n_routed_experts = 8;
  c->n_experts_per_tok = 2;
  c->n_shared_experts = 1;
  c->moe_d_ff = (c->d_ff + 23) / 24 * 8; /* a third, as a multiple of 8 */
  c->first_k_dense = c->n_layers > 1 ? 1 : 0;
  c->n_group = 1;
  c->topk_group = 1;
}

parl_status parl_model_apply_preset(const char *name, parl_model_config *config) {
  PARL_REQUIRE(name != NULL && config != NULL);
  const char *names[N_PRESETS];
  for (size_t i = 0; i < N_PRESETS; i++) {
    names[i] = PRESETS[i].name;
    if (strcmp(name, names[i]) != 0) continue;
    config->attention = PARL_ATTENTION_GQA;
    config->n_routed_experts = 0;
    if (PRESETS[i].is_mla) set_latent(config);
    if (PRESETS[i].is_wide) widen_latent(config);
    if (PRESETS[i].is_sparse) set_sparse(config);
    return PARL_STATUS_OK;
  }
  const char *near = parl_nearest(name, names, N_PRESETS);
  return parl_fail(PARL_STATUS_EINVAL,
                   "unknown preset \"%s\"; valid: dense, mla, moe, k2, k2_wide%s%s%s", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
