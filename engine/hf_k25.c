/* engine/hf_k25.c - Kimi K2.5 in its real size. Source: k25 5.1, 5.2. */
#include "engine/hf_config.h"
#include "engine/hf_internal.h"

parl_vision_config parl_hf_vision_k25(void) {
  return (parl_vision_config){.n_layers = 27,
                              .d_model = 1152,
                              .n_heads = 16,
                              .d_ff = 4304,
                              .patch = 14,
                              .grid_height = 64,
                              .grid_width = 64,
                              .max_frames = 4,
                              .media_token = 163605};
}

parl_hf_config parl_hf_config_k25(void) {
  parl_hf_config out = {0};
  parl_model_config *c = &out.model;
  out.vocab_size = 163840;
  out.pad_token = 163839;
  parl_config_set_defaults(&parl_model_section, c);
  c->attention = PARL_ATTENTION_MLA;
  c->n_layers = 61;
  c->d_model = 7168;
  c->n_heads = 64;
  c->d_ff = 18432;
  c->max_context = 262144;
  c->rope_theta = 50000.0;
  c->q_lora_rank = 1536;
  c->kv_lora_rank = 512;
  c->qk_nope_head_dim = 128;
  c->qk_rope_head_dim = 64;
  c->v_head_dim = 128;
  c->rope_factor = 64.0;
  c->rope_original_context = 4096;
  c->rope_mscale_all_dim = 1.0;
  c->n_routed_experts = 384;
  c->n_experts_per_tok = 8;
  c->moe_d_ff = 2048;
  c->first_k_dense = 1;
  c->routed_scaling_factor = 2.827;
  c->vision = parl_hf_vision_k25();
  out.is_nested = true;
  return out;
}
