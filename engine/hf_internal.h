/* engine/hf_internal.h - what the reader and the writer of published folders share. */
#ifndef PARL_ENGINE_HF_INTERNAL_H
#define PARL_ENGINE_HF_INTERNAL_H
#include "core/json.h"
#include "engine/hf_checkpoint.h"
#include "engine/model.h"

#define PARL_HF_CONFIG "config.json"
#define PARL_HF_PREPROCESSOR "preprocessor_config.json"
#define PARL_HF_WHOLE "model.safetensors"
#define PARL_HF_INDEX "model.safetensors.index.json"
#define PARL_HF_TEXT_PREFIX "language_model."

/* Row of the published tensor that is row `row` of the model's. */
size_t parl_hf_find_row(const parl_model *model, const parl_model_tensor *tensor, size_t row);

/* Whether a key is absent or null. */
bool parl_hf_is_absent(const parl_json *node);
/* Leaves *out alone if the key is absent or null. Fails: EFORMAT. */
parl_status parl_hf_read_optional(const parl_json *object, const char *key, double *out);
/* A key that may be absent, or must be this text, this flag. Fails: EFORMAT. */
parl_status parl_hf_check_text(const parl_json *json, const char *key, const char *wanted);
parl_status parl_hf_check_flag(const parl_json *json, const char *key, bool wanted);

/* The tower that the root of a kimi_k25 config describes, if it does; the text is read already.
 * Fails: EFORMAT naming the key: what the engine would compute differently is refused. */
parl_status parl_hf_vision_read(const parl_json *root, parl_model_config *config);
/* Members of the root: vision_config, in both spellings, and the token of the placeholders. */
void parl_hf_vision_write(const parl_model_config *config, parl_json_writer *w);
/* Kimi K2.5's. */
parl_vision_config parl_hf_vision_k25(void);

/* Of an object that is read whole: any other key than the n names fails, with the nearest. `name`
 * is the object's in the message. Fails: EFORMAT. */
parl_status parl_hf_check_keys(const parl_json *object, const char *name, const char *const *names,
                               size_t n);
/* Of an object with many keys that nobody here reads: one that is neither among the n names nor
 * known to be of no matter, and near to a name that is absent, is that name misspelt.
 * Fails: EFORMAT naming both. */
parl_status parl_hf_check_misspelt(const parl_json *object, const char *const *names, size_t n);

#endif
