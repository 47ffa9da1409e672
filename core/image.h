/* core/image.h - pictures as RGB bytes: read from PNG and JPEG, resized as Pillow does.
 *
 * What a file says of its size is held against the limits before any memory is asked for. Decoding
 * gives what Pillow's convert("RGB") gives; where a file leaves that open it is refused with the
 * reason. All arithmetic is in integers, JPEG's too (the "slow" integer DCT, which SIMD does not
 * change), so that pixels are the same on every machine.
 * Thread rule: pure functions. Reading order: parl_image, the limits, decode, resize, encode. */
#ifndef PARL_CORE_IMAGE_H
#define PARL_CORE_IMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/pace.h"
#include "core/status.h"
#include "core/text.h"

typedef struct parl_image {
  int width, height; /* pixels, >= 1 */
  uint8_t *rgb;      /* [height, width, 3], rows from the top; owned unless borrowed by a comment */
} parl_image;

typedef struct parl_image_limits {
  size_t max_bytes;   /* of the file, >= 1 */
  int max_side;       /* pixels of width and of height, 1 to 65535 */
  int64_t max_pixels; /* width * height, >= 1 */
} parl_image_limits;

/* 64 MiB of file, 16384 pixels a side, 2^26 pixels (192 MiB of RGB). */
parl_image_limits parl_image_limits_default(void);

/* An image of black pixels, to be given back by deinit. Fails: EINVAL if a side is below 1 or above
 * 65535, ENOMEM. */
parl_status parl_image_init(parl_image *image, int width, int height);
/* Frees the pixels; safe on a zeroed image. */
void parl_image_deinit(parl_image *image);

/* Whether bytes, 8 of them or more, begin as those of a PNG or JPEG file. */
bool parl_image_is(const void *bytes, size_t n);

/* Decodes the n bytes of a PNG or JPEG file, known by their first bytes. Transparency is dropped,
 * grey is repeated, a palette is looked up and fewer than 8 bits are scaled up, as Pillow does.
 * Refused: 16 bits a channel in grey (Pillow keeps such an image in another mode, whose conversion
 * clips), 4 channels in JPEG (CMYK), a file that is cut short or corrupt.
 *   what names the source in errors · limits may be NULL: the default · *out to be given back by
 *   deinit
 * Fails: EFORMAT naming what is wrong, the size and the limit; ENOMEM. */
parl_status parl_image_decode(const void *bytes, size_t n, const char *what,
                              const parl_image_limits *limits, parl_image *out);
/* The same of a file. Fails: as decode; EIO. */
parl_status parl_image_read(const char *path, const parl_image_limits *limits, parl_image *out);

/* Pillow's resize(BICUBIC): cubic with a = -0.5, widened by the scale where the image gets smaller
 * (antialiased), weights of 22 bits, across and then down; equal to it in every bit.
 *   *out a new image of width * height, to be given back by deinit
 * Fails: EINVAL if a side is below 1 or above 65535, ENOMEM.
 * Source: Pillow, src/libImaging/Resample.c; reference vision 1. */
parl_status parl_image_resize(const parl_image *image, int width, int height, parl_image *out);
/* The same into the pixels of `out`, which has its size, without taking memory.
 *   scratch [parl_image_get_resize_bytes], aligned to 8
 * Fails: ESTOPPED if it may not go on; the pixels are of no use then. */
parl_status parl_image_resize_into(const parl_image *image, const parl_image *out, void *scratch,
                                   const parl_pace *pace);
size_t parl_image_get_resize_bytes(int width, int height, int to_width, int to_height);

/* SHA-256 of width, height and pixels: two images of one hash are the same picture. */
void parl_image_hash(const parl_image *image, char out[65]);

/* Appends "data:image/png;base64,...", for a page. What libraries compress to may differ; decoded
 * it is the image. Fails: ENOMEM, EFORMAT. */
parl_status parl_image_append_url(const parl_image *image, parl_text *out);

/* Versions of the libraries inside, borrowed. */
const char *parl_image_png_version(void);
const char *parl_image_jpeg_version(void);

#endif
