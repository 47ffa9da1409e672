/* engine/hf_internal.h - what the reader and the writer of published folders share. */
#ifndef PARL_ENGINE_HF_INTERNAL_H
#define PARL_ENGINE_HF_INTERNAL_H
#include "engine/model.h"

#define PARL_HF_CONFIG "config.json"
#define PARL_HF_WHOLE "model.safetensors"
#define PARL_HF_INDEX "model.safetensors.index.json"

/* Row of the published tensor that is row `row` of the model's. */
size_t parl_hf_find_row(const parl_model *model, const parl_model_tensor *tensor, size_t row);

#endif
