/* engine/dep_schedule.c - images by their owners, in stages or inside of slices: the same packs,
 * accumulators and arithmetic as the balanced stages, on other workers at other times. */
#include <stdlib.h>

#include "engine/dep_internal.h"

/* Slices' images stand side by side, since every image has one place. */
static parl_status find_images(parl_dep_step *d, const parl_dep_step_batch *b) {
  size_t image = 0;
  for (size_t i = 0; i < b->batch.n_slices; i++) {
    size_t rows = 0;
    d->first_image[i] = image;
    for (; rows < b->slices[i].n_given && image < b->n_places; image++) {
      const int64_t *grid = b->media->grid_thw + 3 * image;
      PARL_REQUIRE(b->places[image] == (int32_t)image);
      rows += (size_t)(grid[1] / 2 * (grid[2] / 2));
    }
    PARL_REQUIRE(rows == b->slices[i].n_given);
  }
  d->first_image[b->batch.n_slices] = image;
  return PARL_STATUS_OK;
}

parl_status parl_dep_own(parl_dep_step *dep, const parl_dep_step_batch *batch) {
  const size_t n = batch->batch.n_slices + 1;
  if (batch->n_places != batch->media->n_items || batch->n_places > dep->def.n_leaves)
    return parl_fail(PARL_STATUS_EINVAL,
                     "images of a batch: %zu in %zu places, %zu accumulators; this schedule wants "
                     "each in one place with an accumulator of its own",
                     batch->media->n_items, batch->n_places, dep->def.n_leaves);
  if (n > dep->n_first) {
    size_t *grown = realloc(dep->first_image, n * sizeof *grown);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "images of a batch: no memory");
    dep->first_image = grown;
    dep->n_first = n;
  }
  return find_images(dep, batch);
}

/* ------------------------------------------------------------------------- stages by owner */

static parl_status look(void *context, size_t owner, size_t worker) {
  const parl_dep_run *run = context;
  const parl_dep_step *d = run->dep;
  for (size_t s = owner; s < run->batch->batch.n_slices; s += d->def.n_owners)
    for (size_t i = d->first_image[s]; i < d->first_image[s + 1]; i++)
      PARL_TRY(parl_vision_step_look(d->vision, &run->items, i, worker));
  return PARL_STATUS_OK;
}

static void clear_leaf(const parl_vision_step *v, size_t image, parl_queue *queue) {
  parl_queue_fill(queue, v->leaves[v->leaf[image]], 0, v->range.n * sizeof **v->leaves);
}

static parl_status learn(void *context, size_t owner, size_t worker) {
  const parl_dep_run *run = context;
  const parl_dep_step *d = run->dep;
  for (size_t s = owner; s < run->batch->batch.n_slices; s += d->def.n_owners)
    for (size_t i = d->first_image[s]; i < d->first_image[s + 1]; i++) {
      clear_leaf(d->vision, i, d->vision->towers[worker]->queue);
      PARL_TRY(parl_vision_step_learn(d->vision, &run->items, run->dfeatures, i, worker));
    }
  return PARL_STATUS_OK;
}

parl_status parl_dep_owned_forward(parl_dep_run *run) {
  PARL_TRY(parl_vision_step_plan(run->dep->vision, &run->items));
  return parl_workers_run(run->dep->def.workers, run->dep->def.n_owners, look, run);
}

parl_status parl_dep_owned_backward(parl_dep_run *run) {
  return parl_workers_run(run->dep->def.workers, run->dep->def.n_owners, learn, run);
}

/* -------------------------------------------------------------------------- inside of slices */

void parl_dep_release_towers(parl_dep_step *dep) {
  for (size_t w = 0; dep->held != NULL && w < dep->def.n_owners; w++) {
    for (size_t i = 0; i < dep->held[w].n; i++) parl_tower_destroy(dep->held[w].items[i]);
    free(dep->held[w].items);
  }
  free(dep->held);
  dep->held = NULL;
}

/* The k-th tower of a worker, with room for n patches. */
static parl_status hold(const parl_model *model, parl_dep_towers *held, size_t k, size_t n,
                        parl_tower **out) {
  if (k == held->n) {
    parl_tower **grown = realloc(held->items, (k + 1) * sizeof *grown);
    if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "images of a slice: no memory");
    held->items = grown;
    held->items[held->n++] = NULL;
  }
  if (held->items[k] == NULL || held->items[k]->max_patches < n) {
    parl_tower_destroy(held->items[k]);
    held->items[k] = NULL;
    PARL_TRY(parl_tower_create(model, n, &held->items[k]));
  }
  *out = held->items[k];
  return PARL_STATUS_OK;
}

static parl_status before(void *context, size_t slice, size_t worker) {
  const parl_dep_run *run = context;
  const parl_train_beside *beside = run->batch->batch.beside;
  const parl_dep_step *d = run->dep;
  const parl_model *model = d->def.model;
  if (beside != NULL) PARL_TRY(beside->before(beside->context, slice, worker));
  for (size_t i = d->first_image[slice]; i < d->first_image[slice + 1]; i++) {
    const parl_vision_items one = parl_vision_step_get_pack(d->vision, &run->items, i);
    parl_tower *tower = NULL;
    float *features;
    PARL_TRY(hold(model, &d->held[slice % d->def.n_owners], i - d->first_image[slice],
                  parl_vision_count_patches(&one), &tower));
    PARL_TRY(parl_tower_forward(model, tower, &one, &features));
    parl_copy_floats(tower->queue, features, d->given + d->first_row[i] * model->dims.C,
                     tower->M * model->dims.C);
    PARL_TRY(parl_queue_wait(tower->queue));
  }
  return PARL_STATUS_OK;
}

static parl_status after(void *context, size_t slice, size_t worker) {
  const parl_dep_run *run = context;
  const parl_train_beside *beside = run->batch->batch.beside;
  const parl_dep_step *d = run->dep;
  const parl_model *model = d->def.model;
  for (size_t i = d->first_image[slice]; i < d->first_image[slice + 1]; i++) {
    parl_tower *tower = d->held[slice % d->def.n_owners].items[i - d->first_image[slice]];
    clear_leaf(d->vision, i, tower->queue);
    PARL_TRY(parl_tower_backward(model, tower, d->dgiven + d->first_row[i] * model->dims.C,
                                 d->vision->leaves[d->vision->leaf[i]]));
    PARL_TRY(parl_queue_wait(tower->queue));
  }
  return beside != NULL ? beside->after(beside->context, slice, worker) : PARL_STATUS_OK;
}

parl_status parl_dep_run_inside(parl_dep_run *run, parl_train_step *step, parl_loss loss,
                                void *context, float **grads) {
  parl_dep_step *d = run->dep;
  parl_train_batch batch = run->batch->batch;
  const parl_train_beside beside = {run, before, after};
  if (d->held == NULL) d->held = calloc(d->def.n_owners, sizeof *d->held);
  if (d->held == NULL) return parl_fail(PARL_STATUS_ENOMEM, "images of a batch: no memory");
  batch.beside = &beside;
  PARL_TRY(parl_vision_step_plan(d->vision, &run->items));
  PARL_TRY(parl_train_step_run(step, &batch, loss, context, grads));
  return parl_vision_step_sum(d->vision, *grads);
}
