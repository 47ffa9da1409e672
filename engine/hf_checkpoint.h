/* engine/hf_checkpoint.h - a checkpoint folder as published: config.json and safetensors.
 *
 * The weights stand in model.safetensors, or in the shards that model.safetensors.index.json lists,
 * as F32 or BF16. Of a Kimi K2.5 folder the text model is read, and the vision tower if the config
 * describes one; prediction layers behind the last are passed over. Everything is checked before a
 * model is handed out.
 * Thread rule: pure functions. Reading order: load, the index, publish, save. */
#ifndef PARL_ENGINE_HF_CHECKPOINT_H
#define PARL_ENGINE_HF_CHECKPOINT_H
#include "core/json.h"
#include "engine/model.h"

/* Loads a folder into a new model, owned by the caller. max_context in tokens replaces the
 * published one unless it is 0: it changes no weight.
 * Fails: EIO, EFORMAT naming the file and what is wrong (a key of the config; a tensor that is
 * missing, extra, twice, of another shape or type, or not finite), ENOMEM, EINVAL for a max_context
 * out of range. */
parl_status parl_hf_checkpoint_load(const char *folder, size_t max_context,
                                    const parl_backend *backend, parl_model **out);
enum { PARL_HF_NAME_BYTES = 160 };
/* A tensor's published name: a text model beside a tower (is_nested, as parl_hf_config has it) has
 * its own under language_model. */
void parl_hf_name_tensor(bool is_nested, const parl_model_tensor *tensor,
                         char name[PARL_HF_NAME_BYTES]);
/* Parses a shard index of n bytes and checks it: weight_map is an object of plain file names that
 * end in .safetensors. *out is owned by the caller. Fails: EFORMAT, ENOMEM. */
parl_status parl_hf_index_parse(const char *bytes, size_t n, const char *what, parl_json **out);
/* to [n] = from [n], a tensor of the model in the order of rows in which it is published. Llama
 * rotates pairs that lie half a head apart, where the engine's are neighbours: its rows of q_proj
 * and k_proj change places; all others stay. */
void parl_hf_publish(const parl_model *model, const parl_model_tensor *tensor, const float *from,
                     float *to);

typedef struct parl_hf_save_options {
  bool is_bf16;       /* rounded to nearest even; selection biases stay f32. false: f32 */
  size_t shard_bytes; /* most bytes of weights in a file that holds more than one tensor */
} parl_hf_save_options;

typedef struct parl_hf_saved {
  size_t n_files; /* of weights */
  double bytes;   /* of weights */
} parl_hf_saved;

/* Writes the folder: it appears when it is whole. *out may be NULL. Fails: EINVAL if the config
 * cannot be published, as parl_hf_config_write says, or if shard_bytes is 0; ESTATE naming a tensor
 * that is not finite; EIO, also if anything has the folder's name; ENOMEM. */
parl_status parl_hf_checkpoint_save(const char *folder, parl_model *model,
                                    const parl_hf_save_options *options, parl_hf_saved *out);

#endif
