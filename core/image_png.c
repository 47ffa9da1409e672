/* core/image_png.c - PNG to RGB bytes (libpng inside).
 *
 * libpng leaves by longjmp: what must survive that is in one struct of the caller's. */
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/image_internal.h"

enum { ERROR_BYTES = 200 };

typedef struct decoding {
  const uint8_t *bytes; /* [n] */
  size_t n, at;
  const char *what;
  const parl_image_limits *limits;
  png_structp png;
  png_infop info;
  parl_image image;
  uint8_t **rows;    /* [height], into the image */
  bool lacks_memory; /* an allocation failed */
  char error[ERROR_BYTES];
} decoding;

static _Noreturn void leave(png_structp png, const char *message) {
  decoding *d = png_get_error_ptr(png);
  snprintf(d->error, sizeof d->error, "%s", message);
  png_longjmp(png, 1);
}

/* A checksum of what is left out anyway, and the like. */
static void ignore_warning(png_structp png, const char *message) {
  (void)png;
  (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t n) {
  decoding *d = png_get_io_ptr(png);
  if (n > d->n - d->at) png_error(png, "the file is cut short");
  memcpy(out, d->bytes + d->at, n);
  d->at += n;
}

static png_voidp take(png_structp png, png_alloc_size_t n) {
  void *piece = malloc(n);
  if (piece == NULL) ((decoding *)png_get_mem_ptr(png))->lacks_memory = true;
  return piece;
}

static void give_back(png_structp png, png_voidp piece) {
  (void)png;
  free(piece);
}

/* Whatever the file holds becomes 8 bits of red, green and blue; a colour beyond the palette's end
 * is black. */
static parl_status ask_for_rgb(decoding *d) {
  const int depth = png_get_bit_depth(d->png, d->info);
  const int type = png_get_color_type(d->png, d->info);
  if (depth == 16 && type == PNG_COLOR_TYPE_GRAY)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: 16 bits of grey; 1, 2, 4 or 8 can be read", d->what);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(d->png);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(d->png);
  if (depth == 16) png_set_strip_16(d->png);
  if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(d->png);
  png_set_strip_alpha(d->png);
  png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  PARL_CHECK(png_get_rowbytes(d->png, d->info) == 3 * png_get_image_width(d->png, d->info));
  return PARL_STATUS_OK;
}

static parl_status make_room(decoding *d) {
  PARL_TRY(parl_image_init(&d->image, (int)png_get_image_width(d->png, d->info),
                           (int)png_get_image_height(d->png, d->info)));
  const size_t height = (size_t)d->image.height;
  d->rows = malloc(height * sizeof *d->rows);
  if (d->rows == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for %zu rows", d->what, height);
  for (size_t y = 0; y < height; y++) d->rows[y] = d->image.rgb + y * 3 * (size_t)d->image.width;
  return PARL_STATUS_OK;
}

/* What is no picture is passed over as it lies: texts, profiles and palettes of suggestion may each
 * inflate to megabytes. IHDR, PLTE, IDAT, IEND and tRNS are read. */
static void pass_over_the_rest(png_structp png) {
  static const png_byte names[] =
      "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0"
      "tIME\0zTXt";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, sizeof names / 5);
}

/* May leave by longjmp. */
static parl_status read_image(decoding *d) {
  pass_over_the_rest(d->png);
  png_set_read_fn(d->png, d, read_bytes);
  png_set_user_limits(d->png, 0x7fffffff, 0x7fffffff); /* ours come with a better text */
  png_read_info(d->png, d->info);
  PARL_TRY(parl_image_check_size(d->limits, d->what, png_get_image_width(d->png, d->info),
                                 png_get_image_height(d->png, d->info)));
  PARL_TRY(ask_for_rgb(d));
  PARL_TRY(make_room(d));
  png_read_image(d->png, d->rows);
  png_read_end(d->png, NULL);
  return PARL_STATUS_OK;
}

static parl_status decode(decoding *d) {
  if (setjmp(png_jmpbuf(d->png)) == 0) return read_image(d);
  if (d->lacks_memory)
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory to read a PNG image", d->what);
  return parl_fail(PARL_STATUS_EFORMAT, "%s: a PNG image that cannot be read: %s", d->what,
                   d->error);
}

parl_status parl_image_decode_png(const void *bytes, size_t n, const char *what,
                                  const parl_image_limits *limits, parl_image *out) {
  decoding d = {.bytes = bytes, .n = n, .what = what, .limits = limits};
  d.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, leave, ignore_warning, &d, take,
                                   give_back);
  if (d.png != NULL) d.info = png_create_info_struct(d.png);
  parl_status s;
  if (d.info == NULL)
    s = parl_fail(PARL_STATUS_ENOMEM, "%s: no memory to read a PNG image", what);
  else
    s = decode(&d);
  if (s == PARL_STATUS_OK)
    *out = d.image;
  else
    parl_image_deinit(&d.image);
  free(d.rows);
  png_destroy_read_struct(&d.png, &d.info, NULL);
  return s;
}

const char *parl_image_png_version(void) {
  return png_get_libpng_ver(NULL);
}
