/* engine/gallery_internal.h - a model makes its gallery, and takes it down. */
#ifndef PARL_ENGINE_GALLERY_INTERNAL_H
#define PARL_ENGINE_GALLERY_INTERNAL_H
#include "engine/gallery.h"
#include "engine/vision_internal.h"

/* Of a model with a tower, which is borrowed. Fails: ENOMEM. */
parl_status parl_gallery_create(const parl_model *model, parl_gallery **out);
void parl_gallery_destroy(parl_gallery *gallery);

#endif
