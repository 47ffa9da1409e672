/* engine/feature_cache.c - features by content, behind one lock; a tower works outside of it.
 *
 * Who meets a new picture enters it as busy, encodes it, and says so; who meets it meanwhile waits.
 * Which thread encodes a picture, and in which order, changes no bit. */
#include "engine/feature_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/media.h"
#include "engine/feature_cache_internal.h"

enum { MOST_BYTES = 64 << 20, LEAST_PATCHES = 64 };

typedef struct entry {
  uint64_t content;
  float *rows;
  bool is_busy; /* the rows are not there yet */
} entry;

/* What one thread at a time encodes with. */
typedef struct encoder {
  struct encoder *next;
  parl_tower *tower;  /* NULL: not needed yet */
  size_t max_patches; /* that it has room for */
  parl_media media;
} encoder;

struct parl_feature_cache {
  const parl_model *model; /* borrowed */
  pthread_mutex_t lock;
  pthread_cond_t changed; /* no reader is left, or an entry is no longer busy */
  size_t n_readers;
  uint64_t generation; /* of the weights that made the features */
  size_t n, room;
  entry *entries; /* [n] sorted by content */
  size_t bytes;
  parl_arena numbers; /* their rows, on the device */
  encoder *free;      /* as many as worked at once */
  int64_t n_encoded;
};

static void encoder_destroy(encoder *s) {
  parl_tower_destroy(s->tower);
  parl_media_deinit(&s->media);
  free(s);
}

static parl_status encoder_create(const parl_model *model, encoder **out) {
  encoder *s = calloc(1, sizeof *s);
  if (s == NULL) return parl_fail(PARL_STATUS_ENOMEM, "feature cache: no memory");
  parl_media_config config = parl_media_config_default();
  config.patch = (int)model->config.vision.patch;
  parl_media_init(&s->media, &config);
  *out = s;
  return PARL_STATUS_OK;
}

parl_status parl_feature_cache_create(const parl_model *model, parl_feature_cache **out) {
  parl_feature_cache *g = calloc(1, sizeof *g);
  if (g == NULL) return parl_fail(PARL_STATUS_ENOMEM, "feature cache: no memory");
  g->model = model;
  parl_arena_init_from(&g->numbers, 0, &model->backend->device()->memory);
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->changed, NULL);
  *out = g;
  return PARL_STATUS_OK;
}

void parl_feature_cache_destroy(parl_feature_cache *cache) {
  if (cache == NULL) return;
  for (encoder *next, *s = cache->free; s != NULL; s = next) {
    next = s->next;
    encoder_destroy(s);
  }
  parl_arena_deinit(&cache->numbers);
  pthread_cond_destroy(&cache->changed);
  pthread_mutex_destroy(&cache->lock);
  free(cache->entries);
  free(cache);
}

parl_status parl_model_refuse_images(void) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "the environment returned an image, but model.vision.n_layers = 0: the model "
                   "sees nothing; set model.vision.n_layers to 1 or more (docs/vision.md)");
}

parl_status parl_model_refuse_clip(int frames, int64_t max_frames) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "the environment returned a clip of %d frames, but model.vision.max_frames = "
                   "%lld",
                   frames, (long long)max_frames);
}

parl_status parl_model_get_feature_cache(const parl_model *model, parl_feature_cache **out) {
  if (model->feature_cache == NULL) return parl_model_refuse_images();
  *out = model->feature_cache;
  return PARL_STATUS_OK;
}

static bool is_stale(const parl_feature_cache *g) {
  return g->generation != g->model->generation || g->bytes > MOST_BYTES;
}

void parl_feature_cache_enter(parl_feature_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  while (is_stale(cache) && cache->n_readers > 0) pthread_cond_wait(&cache->changed, &cache->lock);
  if (is_stale(cache)) {
    parl_arena_reset(&cache->numbers);
    cache->n = cache->bytes = 0;
    cache->generation = cache->model->generation;
  }
  cache->n_readers++;
  pthread_mutex_unlock(&cache->lock);
}

void parl_feature_cache_leave(parl_feature_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  if (--cache->n_readers == 0) pthread_cond_broadcast(&cache->changed);
  pthread_mutex_unlock(&cache->lock);
}

int64_t parl_feature_cache_get_n_encoded(parl_feature_cache *cache) {
  pthread_mutex_lock(&cache->lock);
  const int64_t n = cache->n_encoded;
  pthread_mutex_unlock(&cache->lock);
  return n;
}

/* Place of the first entry whose content is not less. */
static size_t find(const parl_feature_cache *g, uint64_t content) {
  size_t low = 0, high = g->n;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (g->entries[middle].content < content)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static parl_status make_room(parl_feature_cache *g) {
  if (g->n < g->room) return PARL_STATUS_OK;
  const size_t room = g->room > 0 ? 2 * g->room : 64;
  entry *grown = realloc(g->entries, room * sizeof *grown);
  if (grown == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "feature cache: no memory for %zu images", room);
  g->entries = grown;
  g->room = room;
  return PARL_STATUS_OK;
}

static parl_status open_tower(const parl_model *model, encoder *s, size_t n_patches) {
  if (n_patches <= s->max_patches) return PARL_STATUS_OK;
  const size_t wanted = n_patches > LEAST_PATCHES ? n_patches : LEAST_PATCHES;
  parl_tower_destroy(s->tower);
  s->tower = NULL;
  s->max_patches = 0;
  PARL_TRY(parl_tower_create(model, wanted, &s->tower));
  s->max_patches = wanted;
  return PARL_STATUS_OK;
}

/* Without the lock: rows [n,C] of the image. */
static parl_status encode(const parl_model *model, encoder *s, const parl_picture *picture,
                          size_t n, float *rows) {
  float *features;
  parl_media_clear(&s->media);
  PARL_TRY(parl_media_add_frames(&s->media, &picture->image, picture->frames));
  const parl_vision_items items = {1, s->media.grid_thw, s->media.pixels};
  PARL_CHECK(parl_vision_count_rows(&items) == n);
  PARL_TRY(open_tower(model, s, s->media.n_patches));
  PARL_TRY(parl_tower_forward(model, s->tower, &items, &features));
  parl_copy_floats(s->tower->queue, features, rows, n * model->dims.C);
  return parl_queue_wait(s->tower->queue);
}

/* A place for a new picture among the entries, busy. */
static parl_status enter_picture(parl_feature_cache *g, const parl_picture *picture, size_t n,
                                 float **rows) {
  const size_t C = g->model->dims.C;
  PARL_TRY(make_room(g));
  PARL_TRY(parl_arena_take(&g->numbers, n, C * sizeof **rows, (void **)rows));
  const size_t place = find(g, picture->content);
  for (size_t i = g->n++; i > place; i--) g->entries[i] = g->entries[i - 1];
  g->entries[place] = (entry){picture->content, *rows, true};
  g->bytes += n * C * sizeof **rows;
  return PARL_STATUS_OK;
}

static parl_status take_encoder(parl_feature_cache *g, encoder **out) {
  if (g->free == NULL) return encoder_create(g->model, out);
  *out = g->free;
  g->free = g->free->next;
  return PARL_STATUS_OK;
}

/* Encodes a new picture, in whose stead nobody else does it meanwhile. */
static parl_status encode_picture(parl_feature_cache *g, const parl_picture *picture, size_t n) {
  encoder *s = NULL;
  float *rows = NULL;
  PARL_TRY(take_encoder(g, &s));
  parl_status status = enter_picture(g, picture, n, &rows);
  if (status == PARL_STATUS_OK) {
    pthread_mutex_unlock(&g->lock);
    status = encode(g->model, s, picture, n, rows);
    pthread_mutex_lock(&g->lock);
    const size_t place = find(g, picture->content); /* others may have come before it */
    g->entries[place].is_busy = false;
    g->n_encoded += status == PARL_STATUS_OK;
    if (status != PARL_STATUS_OK)
      for (size_t i = place; i + 1 < g->n; i++) g->entries[i] = g->entries[i + 1];
    g->n -= status != PARL_STATUS_OK;
    pthread_cond_broadcast(&g->changed);
  }
  s->next = g->free;
  g->free = s;
  return status;
}

/* With the lock: *rows of the picture, encoded here or elsewhere. */
static parl_status look(parl_feature_cache *g, const parl_picture *picture, size_t n,
                        const float **rows) {
  for (;;) {
    const size_t place = find(g, picture->content);
    const entry *e = &g->entries[place];
    if (place == g->n || e->content != picture->content) {
      PARL_TRY(encode_picture(g, picture, n));
    } else if (e->is_busy) {
      pthread_cond_wait(&g->changed, &g->lock);
    } else {
      *rows = e->rows;
      return PARL_STATUS_OK;
    }
  }
}

parl_status parl_feature_cache_look(parl_feature_cache *cache, const parl_picture *picture,
                                    int32_t n, const float **rows) {
  const parl_image image = parl_image_get_frame(&picture->image, picture->frames, 0);
  parl_media_config config = parl_media_config_default();
  parl_media_size size;
  config.patch = (int)cache->model->config.vision.patch;
  if (picture->frames > cache->model->config.vision.max_frames)
    return parl_model_refuse_clip(picture->frames, cache->model->config.vision.max_frames);
  PARL_TRY(parl_media_fit(&config,
                          picture->frames > 1 ? config.max_patches_frame : config.max_patches,
                          image.width, image.height, &size));
  if (size.n_tokens != n)
    return parl_fail(PARL_STATUS_EINVAL,
                     "an image of %d x %d pixels has %d rows at model.vision.patch = %d, but %d "
                     "placeholders: the environment was opened for another patch",
                     image.width, image.height, size.n_tokens, config.patch, (int)n);
  pthread_mutex_lock(&cache->lock);
  const parl_status s = look(cache, picture, (size_t)n, rows);
  pthread_mutex_unlock(&cache->lock);
  return s;
}
