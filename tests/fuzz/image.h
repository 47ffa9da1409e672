/* tests/fuzz/image.h - any bytes behind a file's first ones: refused, or an image of its size. */
#ifndef PARL_TESTS_FUZZ_IMAGE_H
#define PARL_TESTS_FUZZ_IMAGE_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/image.h"

static void fuzz_image(const uint8_t *data, size_t size, const char *start, size_t n_start) {
  const parl_image_limits limits = {.max_bytes = 1 << 16, .max_side = 500, .max_pixels = 40000};
  uint8_t *file = malloc(n_start + size);
  if (file == NULL) return;
  const size_t skipped = size >= n_start && memcmp(data, start, n_start) == 0 ? n_start : 0;
  memcpy(file, start, n_start);
  if (size > skipped) memcpy(file + n_start, data + skipped, size - skipped);
  parl_image image = {0};
  const parl_status s = parl_image_decode(file, n_start + size - skipped, "fuzz", &limits, &image);
  if (s != PARL_STATUS_OK && s != PARL_STATUS_EFORMAT) abort();
  if ((s == PARL_STATUS_OK) != (image.rgb != NULL)) abort();
  if (image.rgb != NULL) {
    if (image.width > limits.max_side || image.height > limits.max_side) abort();
    char hash[65];
    parl_image_hash(&image, hash); /* the sanitizer sees a pixel outside */
  }
  parl_image_deinit(&image);
  free(file);
}

#endif
