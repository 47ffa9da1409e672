/* engine/vision.h - images to rows of the backbone's width, and back: MoonViT-3D and its projector.
 *
 * The backbone knows no pixels. Features are made for all items of a batch and kept, their
 * activations are not (stage 1); slices are given rows of features and give back their gradients
 * (stage 2, engine/model.h); the tower then computes each item again and goes backward (stage 3).
 * An item is an image, or a clip of up to max_frames frames: all its patches attend to each other,
 * none to those of another item. An item's features have the same bits whatever it is packed with.
 * Thread rule: one thread per tower; a step spreads packs over its workers.
 * Reading order: parl_vision_items, parl_tower, parl_vision_step.
 * Source: k25 5.2; docs/vision.md. */
#ifndef PARL_ENGINE_VISION_H
#define PARL_ENGINE_VISION_H
#include "core/workers.h"
#include "engine/model.h"

enum { PARL_VISION_MAX_SIDE = 512 /* patches */ };

/* Packed items, on the host. */
typedef struct parl_vision_items {
  size_t n_items;
  const int64_t *grid; /* [n_items,3] frames; rows, columns of patches, both even */
  const float *pixels; /* [patches, 3 patch^2] c,y,x; item after item, frame after frame, raster */
} parl_vision_items;

size_t parl_vision_count_patches(const parl_vision_items *items);
/* Rows of features: of each item rows / 2 * columns / 2, however many frames. */
size_t parl_vision_count_rows(const parl_vision_items *items);
/* Whether the model can look at them. Fails: EINVAL naming the item and what is out of range. */
parl_status parl_vision_check(const parl_model *model, const parl_vision_items *items);

/* First and number of the parameters of tower and projector; n 0: the model sees nothing. */
typedef struct parl_vision_range {
  size_t first, n;
} parl_vision_range;
parl_vision_range parl_vision_get_range(const parl_model *model);

/* Activations of one pack of items. */
typedef struct parl_tower parl_tower;
/* Room for packs of up to max_patches patches. Fails: EINVAL for a blind model, ENOMEM. */
parl_status parl_tower_create(const parl_model *model, size_t max_patches, parl_tower **out);
void parl_tower_destroy(parl_tower *tower);
/* *features = [rows,C] on the model's device, owned by the tower, valid until its next use. Keeps
 * what backward needs. Fails: EINVAL as parl_vision_check, or for too many patches. */
parl_status parl_tower_forward(const parl_model *model, parl_tower *tower,
                               const parl_vision_items *items, float **features);
/* Adds the gradient of the last forward to grads [n of the range], given dfeatures [rows,C], both
 * on the device. Uses the forward up. Fails: ESTATE without one. */
parl_status parl_tower_backward(const parl_model *model, parl_tower *tower, const float *dfeatures,
                                float *grads);
/* Of its activations, on host and device. */
size_t parl_tower_get_bytes(const parl_tower *tower);
/* Waits; then n numbers on its device, to the host. */
parl_status parl_tower_read(parl_tower *tower, const float *from, size_t n, float *to);

/* The stages over all items of a batch. Items are packed in order, and each pack is given an
 * accumulator, longest first (engine/deal.h), by what their FLOPs are and never by the number of
 * threads; accumulators are summed over a fixed tree: 1 or 4 threads give the same bits. Workers
 * take packs, and accumulators, the dearest first. */
typedef struct parl_vision_step parl_vision_step;

typedef struct parl_vision_step_def {
  const parl_model *model; /* borrowed */
  parl_workers *workers;   /* borrowed */
  size_t n_leaves;         /* >= 1 */
  size_t pack_patches; /* a pack takes items while it has no more, and fewer of a small batch, so
                              that accumulators have two packs; a larger item is one alone */
  size_t max_patches;  /* of an item, at least pack_patches */
  size_t max_items;    /* of a batch */
  size_t max_rows;     /* of a batch's features */
} parl_vision_step_def;

/* Fails: EINVAL, ENOMEM. */
parl_status parl_vision_step_create(const parl_vision_step_def *def, parl_vision_step **out);
void parl_vision_step_destroy(parl_vision_step *step);
/* Stage 1: *features = [rows,C] of all items, on the device, owned by the step until its next
 * forward. Fails: EINVAL naming the item. */
parl_status parl_vision_step_forward(parl_vision_step *step, const parl_vision_items *items,
                                     float **features);
/* Stage 3: computes the same items again and adds their gradient, given dfeatures [rows,C], to
 * grads [n_params of the model]; both on the device. Fails: as above. */
parl_status parl_vision_step_backward(parl_vision_step *step, const parl_vision_items *items,
                                      const float *dfeatures, float *grads);

#endif
