/* engine/feature_cache_internal.h - a model makes its feature cache, and takes it down. */
#ifndef PARL_ENGINE_FEATURE_CACHE_INTERNAL_H
#define PARL_ENGINE_FEATURE_CACHE_INTERNAL_H
#include "engine/feature_cache.h"
#include "engine/vision_internal.h"

/* Of a model with a tower, which is borrowed. Fails: ENOMEM. */
parl_status parl_feature_cache_create(const parl_model *model, parl_feature_cache **out);
void parl_feature_cache_destroy(parl_feature_cache *cache);

#endif
