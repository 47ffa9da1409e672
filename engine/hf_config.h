/* engine/hf_config.h - a published config.json as a config of this engine.
 *
 * Read: DeepSeek-V3, Kimi K2 and, of Kimi K2.5, the text model; rope_theta with rope_scaling, or
 * rope_parameters. Whatever the engine would compute differently is refused, never skipped.
 * Thread rule: pure functions. Source: checkpoints' config.json; transformers, DeepseekV3Config. */
#ifndef PARL_ENGINE_HF_CONFIG_H
#define PARL_ENGINE_HF_CONFIG_H
#include "engine/model.h"

typedef struct parl_hf_config {
  parl_model_config model; /* max_context is the published one */
  size_t vocab_size;       /* tokens */
  size_t n_extra_layers;   /* published prediction layers behind the last, which are not read */
  bool is_nested;          /* the text model stands under text_config, its tensors under
                              language_model. */
} parl_hf_config;

/* Parses n bytes; `what` names them in errors. Fails: EFORMAT naming the key and what is wrong
 * with it, ENOMEM. */
parl_status parl_hf_config_parse(const char *bytes, size_t n, const char *what,
                                 parl_hf_config *out);
/* Reads a file. Fails: as above, EIO. */
parl_status parl_hf_config_read(const char *path, parl_hf_config *out);
/* The text model of Kimi K2.5 in its real size. Source: k25 5.1. */
parl_hf_config parl_hf_config_k25(void);

#endif
