/* engine/dep_internal.h - a batch's images under the schedules that are there to compare with. */
#ifndef PARL_ENGINE_DEP_INTERNAL_H
#define PARL_ENGINE_DEP_INTERNAL_H
#include "engine/dep_step.h"
#include "engine/vision_step_internal.h"

/* Towers of an owner that holds a slice's images: as many as a slice had, each as large as an image
 * that it had. */
typedef struct parl_dep_towers {
  size_t n;
  parl_tower **items; /* [n], owned */
} parl_dep_towers;

struct parl_dep_step {
  parl_dep_step_def def;
  parl_queue *queue;
  parl_arena arena, numbers; /* on the host, on the device */
  parl_vision_step *vision;
  size_t max_given; /* rows of a batch that there is room for; images are not more */
  float *given, *dgiven, *dfeatures; /* [max_given,C] on the device */
  size_t *first_row;                 /* [max_given] of each image's features */
  size_t *first_image;               /* [slices + 1] but BALANCED: of a slice; owned */
  size_t n_first;
  parl_dep_towers *held; /* [n_owners] INSIDE; owned */
};

/* One run. */
typedef struct parl_dep_run {
  parl_dep_step *dep;
  const parl_dep_step_batch *batch;
  parl_vision_items items;
  const float *dfeatures;
} parl_dep_run;

/* Which images are a slice's, and whether they can be run so. Fails: EINVAL saying what is wanted,
 * ENOMEM. */
parl_status parl_dep_own(parl_dep_step *dep, const parl_dep_step_batch *batch);
/* Stages 1 and 3, an owner a task. */
parl_status parl_dep_owned_forward(parl_dep_run *run);
parl_status parl_dep_owned_backward(parl_dep_run *run);
/* The train step with towers inside: features go to the slices' rows, gradients to accumulators. */
parl_status parl_dep_run_inside(parl_dep_run *run, parl_train_step *step, parl_loss loss,
                                void *context, float **grads);
void parl_dep_release_towers(parl_dep_step *dep);

#endif
