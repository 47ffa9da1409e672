/* core/image.c - pixels, the limits, and which reader a file needs. */
#include "core/image.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/foreign.h"
#include "core/hash.h"
#include "core/image_internal.h"

enum { MAX_SIDE = 65535, CHANNELS = 3 };

parl_image_limits parl_image_limits_default(void) {
  return (parl_image_limits){.max_bytes = 64 << 20, .max_side = 16384, .max_pixels = 1 << 26};
}

parl_status parl_image_init(parl_image *image, int width, int height) {
  if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE)
    return parl_fail(PARL_STATUS_EINVAL, "an image of %d x %d pixels: a side is 1 to %d", width,
                     height, MAX_SIDE);
  uint8_t *rgb = calloc((size_t)width * (size_t)height, CHANNELS);
  if (rgb == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for an image of %d x %d pixels", width, height);
  *image = (parl_image){.width = width, .height = height, .rgb = rgb};
  return PARL_STATUS_OK;
}

void parl_image_deinit(parl_image *image) {
  free(image->rgb);
  *image = (parl_image){0};
}

parl_status parl_image_check_size(const parl_image_limits *limits, const char *what, int64_t width,
                                  int64_t height) {
  if (width < 1 || height < 1)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: an image of %" PRId64 " x %" PRId64 " pixels", what,
                     width, height);
  if (width > limits->max_side || height > limits->max_side)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: an image of %" PRId64 " x %" PRId64 " pixels; a side is at most %d", what,
                     width, height, limits->max_side);
  if (width * height > limits->max_pixels)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: an image of %" PRId64 " x %" PRId64 " = %" PRId64
                     " pixels; at most %" PRId64,
                     what, width, height, width * height, limits->max_pixels);
  return PARL_STATUS_OK;
}

static parl_status check_limits(const parl_image_limits *limits) {
  PARL_REQUIRE(limits->max_bytes >= 1 && limits->max_pixels >= 1);
  PARL_REQUIRE(limits->max_side >= 1 && limits->max_side <= MAX_SIDE);
  return PARL_STATUS_OK;
}

static bool begins_with(const void *bytes, size_t n, const char *start, size_t n_start) {
  return n >= n_start && memcmp(bytes, start, n_start) == 0;
}

static bool is_png(const void *bytes, size_t n) {
  return begins_with(bytes, n, "\x89PNG\r\n\x1a\n", 8);
}

static bool is_jpeg(const void *bytes, size_t n) {
  return begins_with(bytes, n, "\xff\xd8\xff", 3);
}

bool parl_image_is(const void *bytes, size_t n) {
  return is_png(bytes, n) || is_jpeg(bytes, n);
}

parl_status parl_image_decode(const void *bytes, size_t n, const char *what,
                              const parl_image_limits *limits, parl_image *out) {
  const parl_image_limits usual = parl_image_limits_default();
  if (limits == NULL) limits = &usual;
  PARL_TRY(check_limits(limits));
  if (n > limits->max_bytes)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: %zu bytes; at most %zu", what, n, limits->max_bytes);
  if (is_png(bytes, n)) return parl_image_decode_png(bytes, n, what, limits, out);
  if (is_jpeg(bytes, n)) return parl_image_decode_jpeg(bytes, n, what, limits, out);
  const char *name = parl_foreign_name(bytes, n);
  return parl_fail(PARL_STATUS_EFORMAT, "%s: is %s, not a PNG or JPEG image", what,
                   name != NULL ? name : "of an unknown kind");
}

parl_status parl_image_read(const char *path, const parl_image_limits *limits, parl_image *out) {
  const parl_image_limits usual = parl_image_limits_default();
  if (limits == NULL) limits = &usual;
  PARL_TRY(check_limits(limits));
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, limits->max_bytes, &bytes, &n));
  const parl_status s = parl_image_decode(bytes, n, path, limits, out);
  free(bytes);
  return s;
}

void parl_image_hash(const parl_image *image, char out[65]) {
  const uint32_t size[2] = {(uint32_t)image->width, (uint32_t)image->height};
  uint8_t head[8];
  for (int i = 0; i < 8; i++) head[i] = (uint8_t)(size[i / 4] >> 8 * (i % 4));
  parl_hash hash;
  parl_hash_init(&hash);
  parl_hash_update(&hash, head, sizeof head);
  parl_hash_update(&hash, image->rgb, (size_t)image->width * (size_t)image->height * CHANNELS);
  parl_hash_finish(&hash, out);
}
