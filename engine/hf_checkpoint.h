/* engine/hf_checkpoint.h - a checkpoint folder as published: config.json and safetensors.
 *
 * The weights stand in model.safetensors, or in the shards that model.safetensors.index.json lists,
 * as F32 or BF16. Of a Kimi K2.5 folder the text model is read; prediction layers behind the last
 * are passed over. Everything is checked before a model is handed out.
 * Thread rule: pure functions. Reading order: load, the index. */
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
/* Parses a shard index of n bytes and checks it: weight_map is an object of plain file names that
 * end in .safetensors. *out is owned by the caller. Fails: EFORMAT, ENOMEM. */
parl_status parl_hf_index_parse(const char *bytes, size_t n, const char *what, parl_json **out);

#endif
