/* engine/dep_step.c - features to their places, gradients back from them. */
#include <stdlib.h>

#include "engine/dep_internal.h"

enum { PACK_PATCHES = 256, LEAST_ROWS = 256 };

static void give_back(parl_dep_step *s) {
  parl_vision_step_destroy(s->vision);
  parl_arena_deinit(&s->numbers);
  parl_arena_deinit(&s->arena);
  s->vision = NULL;
  s->max_given = 0;
  parl_arena_init(&s->arena, 0);
  parl_arena_init_from(&s->numbers, 0, &s->def.model->backend->device()->memory);
}

static parl_status allocate(parl_dep_step *s, size_t n) {
  const parl_dep_step_def *def = &s->def;
  const size_t row = def->model->dims.C * sizeof(float);
  const size_t wanted = def->pack_patches > 0 ? def->pack_patches : PACK_PATCHES;
  const size_t pack = def->max_patches < wanted ? def->max_patches : wanted;
  const parl_vision_step_def vision = {.model = def->model,
                                       .workers = def->workers,
                                       .n_leaves = def->n_leaves,
                                       .pack_patches = pack,
                                       .max_patches = def->max_patches,
                                       .max_items = n,
                                       .max_rows = n};
  PARL_TRY(parl_arena_take(&s->numbers, n, row, (void **)&s->given));
  PARL_TRY(parl_arena_take(&s->numbers, n, row, (void **)&s->dgiven));
  PARL_TRY(parl_arena_take(&s->numbers, n, row, (void **)&s->dfeatures));
  PARL_TRY(PARL_ARENA_TAKE(&s->arena, n, &s->first_row));
  PARL_TRY(parl_vision_step_create(&vision, &s->vision));
  s->max_given = n;
  return PARL_STATUS_OK;
}

/* For n rows at least. */
static parl_status make_room(parl_dep_step *s, size_t n) {
  if (n <= s->max_given) return PARL_STATUS_OK;
  const size_t twice = 2 * s->max_given, wanted = n > twice ? n : twice;
  give_back(s);
  return parl_fail_context(allocate(s, wanted > LEAST_ROWS ? wanted : LEAST_ROWS),
                           "images of a batch in %zu rows", n);
}

parl_status parl_dep_step_create(const parl_dep_step_def *def, parl_dep_step **out) {
  PARL_REQUIRE(def != NULL && def->model != NULL && def->workers != NULL && out != NULL);
  PARL_REQUIRE(def->n_leaves >= 1 && def->max_patches >= 1);
  PARL_REQUIRE(def->schedule == PARL_DEP_BALANCED ||
               (def->pack_patches == 1 && def->n_owners >= 1));
  parl_dep_step *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "images of a batch: no memory");
  s->def = *def;
  give_back(s);
  const parl_status status = parl_queue_create(def->model->backend, &s->queue);
  if (status == PARL_STATUS_OK)
    *out = s;
  else
    parl_dep_step_destroy(s);
  return status;
}

void parl_dep_step_destroy(parl_dep_step *dep) {
  if (dep == NULL) return;
  parl_queue_destroy(dep->queue);
  parl_dep_release_towers(dep);
  give_back(dep);
  free(dep->first_image);
  free(dep);
}

static size_t count_rows(const parl_media *media, size_t item) {
  const int64_t *grid = media->grid_thw + 3 * item;
  return (size_t)(grid[1] / 2 * (grid[2] / 2));
}

/* Whether the places take the slices' rows, all of them; then there is room for them. */
static parl_status prepare(parl_dep_step *s, const parl_dep_step_batch *b) {
  const parl_media *media = b->media;
  size_t n_given = 0, n_placed = 0;
  for (size_t i = 0; i < b->batch.n_slices; i++) n_given += b->slices[i].n_given;
  for (size_t p = 0; p < b->n_places; p++) {
    PARL_REQUIRE(b->places[p] >= 0 && (size_t)b->places[p] < media->n_items);
    n_placed += count_rows(media, (size_t)b->places[p]);
  }
  if (n_given != n_placed)
    return parl_fail(
        PARL_STATUS_EINVAL,
        "images of a batch: %zu rows of slices are given, images have %zu at model.vision.patch = "
        "%d",
        n_given, n_placed, media->config.patch);
  size_t row = 0;
  for (size_t i = 0; i < media->n_items; i++) row += count_rows(media, i);
  PARL_TRY(make_room(s, row > n_given ? row : n_given));
  row = 0;
  for (size_t i = 0; i < media->n_items; i++) {
    s->first_row[i] = row;
    row += count_rows(media, i);
  }
  return PARL_STATUS_OK;
}

/* Every slice's rows lie side by side. */
static void place(parl_dep_step *s, const parl_dep_step_batch *b) {
  const size_t C = s->def.model->dims.C;
  size_t row = 0;
  for (size_t i = 0; i < b->batch.n_slices; i++) {
    parl_slice *slice = &b->slices[i];
    slice->given = slice->n_given > 0 ? s->given + row * C : NULL;
    slice->dgiven = slice->n_given > 0 ? s->dgiven + row * C : NULL;
    row += slice->n_given;
  }
}

/* Copies features to their places. */
static void give(parl_dep_step *s, const parl_dep_step_batch *b, const float *features) {
  const size_t C = s->def.model->dims.C;
  for (size_t p = 0, row = 0; p < b->n_places; p++) {
    const size_t item = (size_t)b->places[p], n = count_rows(b->media, item);
    parl_copy_floats(s->queue, features + s->first_row[item] * C, s->given + row * C, n * C);
    row += n;
  }
}

/* Sums the gradients of an image's places, in their order. */
static void collect(parl_dep_step *s, const parl_dep_step_batch *b, size_t n_rows) {
  const size_t C = s->def.model->dims.C;
  parl_queue_fill(s->queue, s->dfeatures, 0, n_rows * C * sizeof *s->dfeatures);
  for (size_t p = 0, row = 0; p < b->n_places; p++) {
    const size_t item = (size_t)b->places[p], n = count_rows(b->media, item);
    const parl_add_args add = {.n = n * C,
                               .a = 1.0F,
                               .x = s->dgiven + row * C,
                               .y = s->dfeatures + s->first_row[item] * C};
    PARL_RUN(s->queue, add, &add);
    row += n;
  }
}

static parl_status run_stages(parl_dep_run *run, parl_train_step *step, parl_loss loss,
                              void *context, float **grads) {
  parl_dep_step *dep = run->dep;
  const bool is_owned = dep->def.schedule == PARL_DEP_OWNED;
  float *features = dep->vision->features;
  PARL_TRY(is_owned ? parl_dep_owned_forward(run)
                    : parl_vision_step_forward(dep->vision, &run->items, &features));
  give(dep, run->batch, features);
  PARL_TRY(parl_queue_wait(dep->queue));
  PARL_TRY(parl_train_step_run(step, &run->batch->batch, loss, context, grads));
  if (parl_train_step_is_forward_only(step)) return PARL_STATUS_OK;
  collect(dep, run->batch, parl_vision_count_rows(&run->items));
  PARL_TRY(parl_queue_wait(dep->queue));
  run->dfeatures = dep->dfeatures;
  if (!is_owned) return parl_vision_step_backward(dep->vision, &run->items, dep->dfeatures, *grads);
  PARL_TRY(parl_dep_owned_backward(run));
  return parl_vision_step_sum(dep->vision, *grads);
}

parl_status parl_dep_step_run(parl_dep_step *dep, parl_train_step *step,
                              const parl_dep_step_batch *batch, parl_loss loss, void *context,
                              float **grads) {
  const parl_media *media = batch->media;
  parl_dep_run run = {
      .dep = dep, .batch = batch, .items = {media->n_items, media->grid_thw, media->pixels}};
  float *sum;
  PARL_REQUIRE(batch->n_places > 0);
  PARL_TRY(prepare(dep, batch));
  if (dep->def.schedule != PARL_DEP_BALANCED) PARL_TRY(parl_dep_own(dep, batch));
  place(dep, batch);
  if (dep->def.schedule == PARL_DEP_INSIDE)
    PARL_TRY(parl_dep_run_inside(&run, step, loss, context, &sum));
  else
    PARL_TRY(run_stages(&run, step, loss, context, &sum));
  *grads = sum;
  return PARL_STATUS_OK;
}

const double *parl_dep_step_get_seconds(const parl_dep_step *dep, int stage) {
  return dep->vision->seconds[stage == 3];
}

const double *parl_dep_step_get_flops(const parl_dep_step *dep) {
  return dep->vision->costs;
}

size_t parl_dep_step_get_bytes(const parl_dep_step *dep) {
  const size_t row = dep->def.model->dims.C * sizeof(float);
  const bool is_inside = dep->def.schedule == PARL_DEP_INSIDE;
  size_t bytes = (is_inside ? 2 : 4) * dep->max_given * row; /* given, dgiven; features, theirs */
  for (size_t w = 0; !is_inside && w < dep->vision->n_towers; w++)
    bytes += parl_tower_get_bytes(dep->vision->towers[w]);
  for (size_t o = 0; is_inside && o < dep->def.n_owners; o++)
    for (size_t i = 0; i < dep->held[o].n; i++)
      bytes += parl_tower_get_bytes(dep->held[o].items[i]);
  return bytes;
}
