/* engine/hf_config.h - a published config.json as a config of this engine, and back.
 *
 * Read: DeepSeek-V3, Kimi K2, Kimi K2.5 with its vision tower (mla), Llama (gqa); rope_theta with
 * rope_scaling, or rope_parameters; the tower's keys as published (vt_hidden_size,
 * init_pos_emb_height) or as transformers has them (hidden_size, pos_emb_height). Whatever the
 * engine would compute differently is refused, never skipped. Thread rule: pure functions. Reading
 * order: parl_hf_config, parse, write.
 * Source: checkpoints' config.json; transformers, DeepseekV3Config and LlamaConfig. */
#ifndef PARL_ENGINE_HF_CONFIG_H
#define PARL_ENGINE_HF_CONFIG_H
#include "core/json.h"
#include "engine/model.h"

typedef struct parl_hf_config {
  parl_model_config model; /* max_context is the published one */
  size_t vocab_size;       /* tokens */
  size_t n_extra_layers;   /* published prediction layers behind the last, which are not read */
  int64_t pad_token;       /* whose embedding transformers does not train; -1: none */
  bool is_nested;          /* the text model stands under text_config, its tensors under
                              language_model. */
} parl_hf_config;

/* Parses n bytes; `what` names them in errors. Fails: EFORMAT naming the key and what is wrong
 * with it, ENOMEM. */
parl_status parl_hf_config_parse(const char *bytes, size_t n, const char *what,
                                 parl_hf_config *out);
/* Reads a file. Fails: as above, EIO. */
parl_status parl_hf_config_read(const char *path, parl_hf_config *out);
/* Writes the object of a config.json: deepseek_v3 for mla, llama for gqa, kimi_k25 with a tower.
 * dtype is the weights', "float32" or "bfloat16". What is parl's own (bias_update_rate) is not
 * published.
 * Fails: EINVAL naming the field if neither kind can say it, ENOMEM. */
parl_status parl_hf_config_write(const parl_model_config *config, size_t vocab_size,
                                 const char *dtype, parl_json_writer *w);
/* Kimi K2.5 in its real size. Source: k25 5.1, 5.2. */
parl_hf_config parl_hf_config_k25(void);

#endif
