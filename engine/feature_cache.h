/* engine/feature_cache.h - what a model sees of pictures: each is encoded once while the weights
 * stay, and whoever decodes with the model shares its features.
 *
 * A visit is a stretch of work with features that were looked at: within it they stay. Features of
 * other weights, and those above 64 MiB, are dropped between visits.
 * Thread rule: any threads at once, each encodes what it meets first. Weights change outside of
 * visits. Reading order: enter, look, leave. */
#ifndef PARL_ENGINE_FEATURE_CACHE_H
#define PARL_ENGINE_FEATURE_CACHE_H
#include "core/album.h"
#include "engine/model.h"

typedef struct parl_feature_cache parl_feature_cache;

/* The model's own, borrowed. Fails: EINVAL naming model.vision.n_layers for a blind model. */
parl_status parl_model_get_feature_cache(const parl_model *model, parl_feature_cache **out);
/* Fails: EINVAL as above: what a model without a tower cannot do. */
parl_status parl_model_refuse_images(void);
/* Fails: EINVAL naming model.vision.max_frames, which a clip is longer than. */
parl_status parl_model_refuse_clip(int frames, int64_t max_frames);

/* Waits until what must be dropped is no longer in use. Visits do not nest. */
void parl_feature_cache_enter(parl_feature_cache *cache);
/* *rows = features [n,C] of the picture on the model's device, n being its placeholders. Inside of
 * a visit. Fails: EINVAL naming model.vision.patch if it has another number of rows, and as
 * parl_model_refuse_clip; ENOMEM; as the device says. */
parl_status parl_feature_cache_look(parl_feature_cache *cache, const parl_picture *picture,
                                    int32_t n, const float **rows);
void parl_feature_cache_leave(parl_feature_cache *cache);
/* Pictures encoded since the model was made. */
int64_t parl_feature_cache_get_n_encoded(parl_feature_cache *cache);

#endif
