/* engine/dep_step.h - a training batch with images: K2.5's decoupled encoder process.
 *
 * Three stages (engine/vision.h): features of every distinct image, the backbone's train step over
 * slices that are given them, and the tower backward with what the backbone gives back. An image
 * that stands in many places is encoded once, and its gradients are added in the order of the
 * places: so nothing depends on threads.
 * Two other schedules of the same work, to compare with, want every image in one place, and an
 * accumulator for each; then all three give the same bits.
 * Thread rule: one thread per object; it uses the workers it was given.
 * Reading order: parl_dep_schedule, parl_dep_step_def, parl_dep_step_batch, run.
 * Source: k25 7; docs/vision.md. */
#ifndef PARL_ENGINE_DEP_STEP_H
#define PARL_ENGINE_DEP_STEP_H
#include "core/media.h"
#include "engine/train_step.h"
#include "engine/vision.h"

typedef struct parl_dep_step parl_dep_step;

/* An image's owner is the train step's leaf that has the slice in which it stands. */
typedef enum parl_dep_schedule {
  PARL_DEP_BALANCED, /* stages 1 and 3 take images from all slices, the dearest first */
  PARL_DEP_OWNED,    /* the same stages, but a task of them is all images of one owner */
  PARL_DEP_INSIDE,   /* no stages: forward of a slice's images before its own, backward after its
                        own, their activations held meanwhile */
} parl_dep_schedule;

typedef struct parl_dep_step_def {
  const parl_model *model;    /* borrowed; it sees */
  parl_workers *workers;      /* borrowed */
  size_t n_leaves;            /* of the tower's gradient, >= 1 */
  size_t max_patches;         /* of an image */
  size_t pack_patches;        /* 0: 256; 1: every image alone; else as parl_vision_step_def's */
  parl_dep_schedule schedule; /* but BALANCED wants n_leaves >= images, pack_patches 1 */
  size_t n_owners;            /* but BALANCED: leaves of the train step */
} parl_dep_step_def;

/* Images of a batch, and where they stand. */
typedef struct parl_dep_step_batch {
  parl_train_batch batch;  /* its slices' given and dgiven are set by the run: */
  parl_slice *slices;      /* the same slices */
  const parl_media *media; /* the distinct images, at the model's patch */
  size_t n_places;         /* >= 1 */
  const int32_t *places;   /* [n_places] number of the image of each place, in the order of the
                            slices' given rows: a place takes all rows of its image */
} parl_dep_step_batch;

/* Room for rows grows until a batch has as many as ever will be. Fails: EINVAL for a size of 0,
 * ENOMEM. */
parl_status parl_dep_step_create(const parl_dep_step_def *def, parl_dep_step **out);
void parl_dep_step_destroy(parl_dep_step *dep);
/* As parl_train_step_run, of a step that has all leaves; grads are those of the tower, too. Fails:
 * likewise; EINVAL for a blind model, if the places' rows are not the slices', or if the schedule
 * wants what the batch has not; ENOMEM. */
parl_status parl_dep_step_run(parl_dep_step *dep, parl_train_step *step,
                              const parl_dep_step_batch *batch, parl_loss loss, void *context,
                              float **grads);
/* Processor seconds [images] of the last run's stage 1 and of stage 3, where each image is alone;
 * owned by the step. Inside of slices there are none: the slice's are all. */
const double *parl_dep_step_get_seconds(const parl_dep_step *dep, int stage);
/* FLOPs [images] of each image's forward through the tower, likewise. */
const double *parl_dep_step_get_flops(const parl_dep_step *dep);
/* What the schedule holds of images: towers' activations, features, their gradients. */
size_t parl_dep_step_get_bytes(const parl_dep_step *dep);

#endif
