/* engine/gallery.c - features by content, behind one lock. */
#include "engine/gallery.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/media.h"
#include "engine/gallery_internal.h"

enum { MOST_BYTES = 64 << 20, LEAST_PATCHES = 64 };

typedef struct exhibit {
  uint64_t content;
  size_t n; /* rows */
  float *rows;
} exhibit;

struct parl_gallery {
  const parl_model *model; /* borrowed */
  pthread_mutex_t lock;
  pthread_cond_t empty; /* no visitor is left */
  size_t n_visitors;
  uint64_t generation; /* of the weights that made the features */
  size_t n, room;
  exhibit *exhibits; /* [n] sorted by content */
  size_t bytes;
  parl_arena numbers; /* their rows, on the device */
  parl_tower *tower;  /* NULL: not needed yet */
  size_t max_patches; /* that it has room for */
  parl_media media;
  int64_t n_encoded;
};

parl_status parl_gallery_create(const parl_model *model, parl_gallery **out) {
  parl_gallery *g = calloc(1, sizeof *g);
  if (g == NULL) return parl_fail(PARL_STATUS_ENOMEM, "gallery: no memory");
  parl_media_config config = parl_media_config_default();
  config.patch = (int)model->config.vision.patch;
  parl_media_init(&g->media, &config);
  g->model = model;
  parl_arena_init_from(&g->numbers, 0, &model->backend->device()->memory);
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->empty, NULL);
  *out = g;
  return PARL_STATUS_OK;
}

void parl_gallery_destroy(parl_gallery *gallery) {
  if (gallery == NULL) return;
  parl_tower_destroy(gallery->tower);
  parl_media_deinit(&gallery->media);
  parl_arena_deinit(&gallery->numbers);
  pthread_cond_destroy(&gallery->empty);
  pthread_mutex_destroy(&gallery->lock);
  free(gallery->exhibits);
  free(gallery);
}

parl_status parl_model_refuse_images(void) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "the environment returned an image, but model.vision.n_layers = 0: the model "
                   "sees nothing; set model.vision.n_layers to 1 or more (docs/vision.md)");
}

parl_status parl_model_get_gallery(const parl_model *model, parl_gallery **out) {
  if (model->gallery == NULL) return parl_model_refuse_images();
  *out = model->gallery;
  return PARL_STATUS_OK;
}

static bool is_stale(const parl_gallery *g) {
  return g->generation != g->model->generation || g->bytes > MOST_BYTES;
}

void parl_gallery_enter(parl_gallery *gallery) {
  pthread_mutex_lock(&gallery->lock);
  while (is_stale(gallery) && gallery->n_visitors > 0)
    pthread_cond_wait(&gallery->empty, &gallery->lock);
  if (is_stale(gallery)) {
    parl_arena_reset(&gallery->numbers);
    gallery->n = gallery->bytes = 0;
    gallery->generation = gallery->model->generation;
  }
  gallery->n_visitors++;
  pthread_mutex_unlock(&gallery->lock);
}

void parl_gallery_leave(parl_gallery *gallery) {
  pthread_mutex_lock(&gallery->lock);
  if (--gallery->n_visitors == 0) pthread_cond_broadcast(&gallery->empty);
  pthread_mutex_unlock(&gallery->lock);
}

int64_t parl_gallery_get_n_encoded(parl_gallery *gallery) {
  pthread_mutex_lock(&gallery->lock);
  const int64_t n = gallery->n_encoded;
  pthread_mutex_unlock(&gallery->lock);
  return n;
}

/* Place of the first exhibit whose content is not less. */
static size_t find(const parl_gallery *g, uint64_t content) {
  size_t low = 0, high = g->n;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (g->exhibits[middle].content < content)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static parl_status make_room(parl_gallery *g) {
  if (g->n < g->room) return PARL_STATUS_OK;
  const size_t room = g->room > 0 ? 2 * g->room : 64;
  exhibit *grown = realloc(g->exhibits, room * sizeof *grown);
  if (grown == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "gallery: no memory for %zu images", room);
  g->exhibits = grown;
  g->room = room;
  return PARL_STATUS_OK;
}

static parl_status open_tower(parl_gallery *g, size_t n_patches) {
  if (n_patches <= g->max_patches) return PARL_STATUS_OK;
  const size_t wanted = n_patches > LEAST_PATCHES ? n_patches : LEAST_PATCHES;
  parl_tower_destroy(g->tower);
  g->tower = NULL;
  g->max_patches = 0;
  PARL_TRY(parl_tower_create(g->model, wanted, &g->tower));
  g->max_patches = wanted;
  return PARL_STATUS_OK;
}

static parl_status encode(parl_gallery *g, const parl_image *image, exhibit *out) {
  const size_t C = g->model->dims.C;
  float *features;
  parl_media_clear(&g->media);
  PARL_TRY(parl_media_add_image(&g->media, image));
  const parl_vision_items items = {1, g->media.grid_thw, g->media.pixels};
  PARL_TRY(open_tower(g, g->media.n_patches));
  PARL_TRY(parl_tower_forward(g->model, g->tower, &items, &features));
  out->n = parl_vision_count_rows(&items);
  PARL_TRY(parl_arena_take(&g->numbers, out->n, C * sizeof *out->rows, (void **)&out->rows));
  parl_copy_floats(g->tower->queue, features, out->rows, out->n * C);
  PARL_TRY(parl_queue_wait(g->tower->queue));
  g->bytes += out->n * C * sizeof *out->rows;
  g->n_encoded++;
  return PARL_STATUS_OK;
}

static parl_status look(parl_gallery *g, const parl_picture *picture, const exhibit **out) {
  const size_t place = find(g, picture->content);
  if (place == g->n || g->exhibits[place].content != picture->content) {
    exhibit new = {.content = picture->content};
    PARL_TRY(make_room(g));
    PARL_TRY(encode(g, &picture->image, &new));
    for (size_t i = g->n++; i > place; i--) g->exhibits[i] = g->exhibits[i - 1];
    g->exhibits[place] = new;
  }
  *out = &g->exhibits[place];
  return PARL_STATUS_OK;
}

parl_status parl_gallery_look(parl_gallery *gallery, const parl_picture *picture, int32_t n,
                              const float **rows) {
  const exhibit *found;
  pthread_mutex_lock(&gallery->lock);
  parl_status s = look(gallery, picture, &found);
  if (s == PARL_STATUS_OK && found->n != (size_t)n)
    s = parl_fail(PARL_STATUS_EINVAL,
                  "an image of %d x %d pixels has %zu rows at model.vision.patch = %d, but %d "
                  "placeholders: the environment was opened for another patch",
                  picture->image.width, picture->image.height, found->n,
                  gallery->media.config.patch, (int)n);
  if (s == PARL_STATUS_OK) *rows = found->rows;
  pthread_mutex_unlock(&gallery->lock);
  return s;
}
