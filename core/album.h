/* core/album.h - pictures that are kept: each distinct one once, known by its content.
 *
 * An episode's pictures are snapshots: whoever drew them may draw on. Sequences of tokens name them
 * by their numbers, decoders and batches by their contents.
 * Thread rule: one writer, then readers. Reading order: parl_picture, parl_album, add, clear. */
#ifndef PARL_CORE_ALBUM_H
#define PARL_CORE_ALBUM_H
#include "core/image.h"

enum {
  PARL_ALBUM_MAX_PICTURES = 1024, /* distinct ones of an episode */
  PARL_ALBUM_MAX_BYTES = 16 << 20 /* of their pixels */
};

/* An image, or a clip: frames of one size, one below the other. */
typedef struct parl_picture {
  uint64_t content; /* of parl_image_get_content; never 0 */
  int frames;       /* >= 1; of an image 1 */
  parl_image image; /* of all frames; owned by the album */
} parl_picture;

typedef struct parl_album {
  size_t n, room;
  parl_picture *items; /* [n] in the order in which they were added first */
  size_t bytes;        /* of their pixels */
} parl_album;

/* Where a picture stands among tokens. */
typedef struct parl_shown {
  int32_t at;      /* of its first placeholder */
  int32_t n;       /* placeholders, side by side */
  int32_t picture; /* its number in the album */
} parl_shown;

/* The first 8 bytes of parl_image_hash's SHA-256 of an image, or of the frames of a clip below each
 * other, mixed with their number where there are more than one: no clip is taken for an image. */
uint64_t parl_image_get_content(const parl_image *image, int frames);
/* Frame k of n, which stand below each other; its pixels are borrowed. */
parl_image parl_image_get_frame(const parl_image *image, int n, int k);
/* *number of the picture of the same content, frames and all; copied if there is none yet.
 * Fails: ELIMIT naming the limit, ENOMEM; the album is untouched then. */
parl_status parl_album_add(parl_album *album, const parl_picture *picture, int32_t *number);
/* Forgets all pictures; keeps the list's memory. */
void parl_album_clear(parl_album *album);
/* Safe on a zeroed album. */
void parl_album_deinit(parl_album *album);

#endif
