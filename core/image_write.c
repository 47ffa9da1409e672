/* core/image_write.c - RGB bytes to PNG (libpng inside), and to an address of it (nettle). */
#include <nettle/base64.h>
#include <png.h>
#include <stdlib.h>

#include "core/image.h"

static png_image describe(const parl_image *image) {
  return (png_image){.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = PNG_FORMAT_RGB};
}

/* *bytes [*n] of a PNG file, owned. */
static parl_status encode_png(const parl_image *image, uint8_t **bytes, size_t *n) {
  png_image head = describe(image);
  png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(head);
  uint8_t *out = malloc(room);
  if (out == NULL) return parl_fail(PARL_STATUS_ENOMEM, "a PNG image: no memory");
  if (png_image_write_to_memory(&head, out, &room, 0, image->rgb, 0, NULL) == 0) {
    free(out);
    return parl_fail(PARL_STATUS_EFORMAT, "a PNG image that cannot be written: %s", head.message);
  }
  *bytes = out;
  *n = room;
  return PARL_STATUS_OK;
}

parl_status parl_image_append_url(const parl_image *image, parl_text *out) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  PARL_TRY(encode_png(image, &bytes, &n));
  parl_text_append(out, "data:image/png;base64,");
  for (size_t i = 0; i < n; i += 3) {
    char piece[BASE64_ENCODE_RAW_LENGTH(3) + 1] = "";
    base64_encode_raw(piece, n - i < 3 ? n - i : 3, bytes + i);
    parl_text_append(out, piece);
  }
  free(bytes);
  return parl_text_status(out);
}
