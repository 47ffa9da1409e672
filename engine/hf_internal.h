/* engine/hf_internal.h - what the reader and the writer of published folders share. */
#ifndef PARL_ENGINE_HF_INTERNAL_H
#define PARL_ENGINE_HF_INTERNAL_H
#include "core/json.h"
#include "engine/model.h"

#define PARL_HF_CONFIG "config.json"
#define PARL_HF_WHOLE "model.safetensors"
#define PARL_HF_INDEX "model.safetensors.index.json"

/* Row of the published tensor that is row `row` of the model's. */
size_t parl_hf_find_row(const parl_model *model, const parl_model_tensor *tensor, size_t row);

/* Of an object that is read whole: any other key than the n names fails, with the nearest. `name`
 * is the object's in the message. Fails: EFORMAT. */
parl_status parl_hf_check_keys(const parl_json *object, const char *name, const char *const *names,
                               size_t n);
/* Of an object with many keys that nobody here reads: one that is neither among the n names nor
 * known to be of no matter, and near to a name that is absent, is that name misspelt.
 * Fails: EFORMAT naming both. */
parl_status parl_hf_check_misspelt(const parl_json *object, const char *const *names, size_t n);

#endif
