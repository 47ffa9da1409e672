/* engine/dep_step.h - a training batch with images: K2.5's decoupled encoder process.
 *
 * Three stages (engine/vision.h): features of every distinct image, the backbone's train step over
 * slices that are given them, and the tower backward with what the backbone gives back. An image
 * that stands in many places is encoded once, and its gradients are added in the order of the
 * places: so nothing depends on threads.
 * Thread rule: one thread per object; it uses the workers it was given.
 * Reading order: parl_dep_step_def, parl_dep_step_batch, run.
 * Source: k25 7; docs/vision.md. */
#ifndef PARL_ENGINE_DEP_STEP_H
#define PARL_ENGINE_DEP_STEP_H
#include "core/media.h"
#include "engine/train_step.h"
#include "engine/vision.h"

typedef struct parl_dep_step parl_dep_step;

typedef struct parl_dep_step_def {
  const parl_model *model; /* borrowed; it sees */
  parl_workers *workers;   /* borrowed */
  size_t n_leaves;         /* of the tower's gradient, >= 1 */
  size_t max_patches;      /* of an image */
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
 * likewise; EINVAL for a blind model, or if the places' rows are not the slices'; ENOMEM. */
parl_status parl_dep_step_run(parl_dep_step *dep, parl_train_step *step,
                              const parl_dep_step_batch *batch, parl_loss loss, void *context,
                              float **grads);

#endif
