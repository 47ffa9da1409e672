/* core/media.c - sizes, padding, patches, frames. */
#include "core/media.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, SECONDS_A_DAY = 86400 };

static int at_least_1(int x) {
  return x < 1 ? 1 : x;
}

static int shrink(int side, double scale, int limit) {
  const int shrunk = at_least_1((int)(side * scale));
  return shrunk > limit ? limit : shrunk;
}

static int pad(int side, int multiple) {
  return (side + multiple - 1) / multiple * multiple;
}

parl_status parl_media_fit(const parl_media_config *config, int max_patches, int width, int height,
                           parl_media_size *out) {
  PARL_REQUIRE(width >= 1 && height >= 1 && max_patches >= 1);
  const int p = config->patch, limit = config->max_patches_side * p, multiple = p * config->merge;
  const double patches = (double)at_least_1(width / p) * at_least_1(height / p);
  double scale = fmin(1.0, sqrt(max_patches / patches));
  scale = fmin(scale, (double)limit / width);
  scale = fmin(scale, (double)limit / height);
  parl_media_size size = {.width = shrink(width, scale, limit),
                          .height = shrink(height, scale, limit)};
  size.padded_width = pad(size.width, multiple);
  size.padded_height = pad(size.height, multiple);
  if (size.padded_width > limit || size.padded_height > limit)
    return parl_fail(PARL_STATUS_EINVAL,
                     "an image of %d x %d pixels is padded to %d x %d, more than %d patches of %d "
                     "a side",
                     width, height, size.padded_width, size.padded_height, config->max_patches_side,
                     p);
  size.grid_w = size.padded_width / p;
  size.grid_h = size.padded_height / p;
  size.n_tokens = size.grid_w / config->merge * (size.grid_h / config->merge);
  *out = size;
  return PARL_STATUS_OK;
}

/* In the order and the precision of the published code: float after each operation. */
static float normalise(int x, double mean, double std) {
  const float share = (float)(x / 255.0);
  const float centred = (float)((double)share - mean);
  return (float)((double)centred * (1.0 / std));
}

void parl_media_init(parl_media *media, const parl_media_config *config) {
  *media = (parl_media){.config = *config};
  for (int c = 0; c < CHANNELS; c++)
    for (int x = 0; x < 256; x++)
      media->table[c][x] = normalise(x, config->mean[c], config->std[c]);
}

void parl_media_deinit(parl_media *media) {
  free(media->pixels);
  free(media->grid_thw);
  *media = (parl_media){0};
}

void parl_media_clear(parl_media *media) {
  media->n_patches = media->n_items = 0;
}

/* Grows *array to hold n elements, twice as many as before at least. */
static parl_status grow(void **array, size_t n, size_t element_bytes, size_t *room) {
  if (n <= *room) return PARL_STATUS_OK;
  const size_t wanted = n > 2 * *room ? n : 2 * *room;
  void *grown = wanted > SIZE_MAX / element_bytes ? NULL : realloc(*array, wanted * element_bytes);
  if (grown == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu patches or items", wanted);
  *array = grown;
  *room = wanted;
  return PARL_STATUS_OK;
}

static size_t count_values(const parl_media *media) {
  return (size_t)(CHANNELS * media->config.patch * media->config.patch);
}

static parl_status make_room(parl_media *media, size_t n_patches) {
  PARL_TRY(grow((void **)&media->pixels, media->n_patches + n_patches,
                count_values(media) * sizeof(float), &media->max_patches));
  return grow((void **)&media->grid_thw, media->n_items + 1, 3 * sizeof(int64_t),
              &media->max_items);
}

/* One patch, of which the image may cover a part or nothing: the rest is black, normalised. */
static void cut_patch(const parl_media *media, const parl_image *image, int row, int column,
                      float *out) {
  const int p = media->config.patch;
  for (int c = 0; c < CHANNELS; c++)
    for (int y = row * p; y < (row + 1) * p; y++)
      for (int x = column * p; x < (column + 1) * p; x++) {
        const size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * CHANNELS + (size_t)c;
        const int inside = y < image->height && x < image->width;
        *out++ = media->table[c][inside ? image->rgb[at] : 0];
      }
}

static parl_status cut_frame(parl_media *media, const parl_image *frame,
                             const parl_media_size *size, float *out) {
  parl_image resized;
  PARL_TRY(parl_image_resize(frame, size->width, size->height, &resized));
  for (int row = 0; row < size->grid_h; row++)
    for (int column = 0; column < size->grid_w; column++, out += count_values(media))
      cut_patch(media, &resized, row, column, out);
  parl_image_deinit(&resized);
  return PARL_STATUS_OK;
}

static parl_status add(parl_media *media, const parl_image *frames, size_t n, int max_patches) {
  parl_media_size size;
  PARL_TRY(parl_media_fit(&media->config, max_patches, frames->width, frames->height, &size));
  const size_t of_frame = (size_t)size.grid_h * (size_t)size.grid_w;
  PARL_TRY(make_room(media, n * of_frame));
  const size_t n_values = count_values(media);
  float *pixels = media->pixels + media->n_patches * n_values;
  for (size_t t = 0; t < n; t++)
    PARL_TRY(cut_frame(media, &frames[t], &size, pixels + t * of_frame * n_values));
  int64_t *grid = media->grid_thw + 3 * media->n_items;
  grid[0] = (int64_t)n;
  grid[1] = size.grid_h;
  grid[2] = size.grid_w;
  media->n_items++;
  media->n_patches += n * of_frame;
  return PARL_STATUS_OK;
}

parl_status parl_media_add_image(parl_media *media, const parl_image *image) {
  return add(media, image, 1, media->config.max_patches);
}

parl_status parl_media_add_chunk(parl_media *media, const parl_image *frames, size_t n) {
  if (n < 1 || n > (size_t)media->config.temporal)
    return parl_fail(PARL_STATUS_EINVAL, "a chunk of %zu frames; 1 to %d", n,
                     media->config.temporal);
  for (size_t t = 1; t < n; t++)
    if (frames[t].width != frames->width || frames[t].height != frames->height)
      return parl_fail(PARL_STATUS_EINVAL,
                       "frame %zu of a chunk is %d x %d pixels, the first %d x %d", t + 1,
                       frames[t].width, frames[t].height, frames->width, frames->height);
  return add(media, frames, n, media->config.max_patches_frame);
}

parl_status parl_media_add_frames(parl_media *media, const parl_image *stack, int n) {
  enum { MOST = 64 };
  parl_image frames[MOST];
  PARL_REQUIRE(n >= 1 && n <= MOST);
  if (n == 1) return parl_media_add_image(media, stack);
  for (int k = 0; k < n; k++) frames[k] = parl_image_get_frame(stack, n, k);
  return parl_media_add_chunk(media, frames, (size_t)n);
}

parl_status parl_media_choose_frames(const parl_media_config *config, int n_frames, double fps,
                                     int *frames, int *n_out) {
  PARL_REQUIRE(n_frames >= 1);
  if (!(fps > 0) || isinf(fps))
    return parl_fail(PARL_STATUS_EINVAL, "a video of %g frames a second", fps);
  const int n = at_least_1((int)rint(n_frames * fmin(config->fps, fps) / fps));
  const double step = n > 1 ? (double)(n_frames - 1) / (n - 1) : 0.0;
  for (int i = 0; i < n; i++) frames[i] = (int)rint(i * step);
  if (n > 1) frames[n - 1] = n_frames - 1;
  *n_out = n;
  return PARL_STATUS_OK;
}

parl_status parl_media_format_time(double seconds, char out[13]) {
  if (!(seconds >= 0 && seconds < SECONDS_A_DAY - 1))
    return parl_fail(PARL_STATUS_EINVAL, "a time of %g s; 0 up to a day", seconds);
  const double whole = floor(seconds), rest = seconds - whole;
  /* The published code rounds the seconds to 1e-6 but cuts the milliseconds: 0.9999999 s is
   * 00:00:01.999. */
  const unsigned s = (unsigned)whole + (rint(rest * 1e6) >= 1e6), ms = (unsigned)(rest * 1000);
  snprintf(out, 13, "%02u:%02u:%02u.%03u", s / 3600 % 24, s / 60 % 60, s % 60, ms % 1000);
  return PARL_STATUS_OK;
}
