/* core/album.c - a list of pictures, looked through by content. */
#include "core/album.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/rng.h"

uint64_t parl_image_get_content(const parl_image *image, int frames) {
  char hash[PARL_HASH_HEX_BYTES];
  parl_image_hash(image, hash);
  uint64_t content = parl_hash_get_word(hash);
  if (frames > 1) content = parl_rng_mix(content, (uint64_t)frames, 0);
  return content != 0 ? content : 1;
}

parl_image parl_image_get_frame(const parl_image *image, int n, int k) {
  const int height = image->height / n;
  return (parl_image){image->width, height,
                      image->rgb + 3 * (size_t)k * (size_t)height * (size_t)image->width};
}

static parl_status make_room(parl_album *album) {
  if (album->n < album->room) return PARL_STATUS_OK;
  const size_t room = album->room > 0 ? 2 * album->room : 8;
  parl_picture *grown = realloc(album->items, room * sizeof *grown);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu pictures", room);
  album->items = grown;
  album->room = room;
  return PARL_STATUS_OK;
}

parl_status parl_album_add(parl_album *album, const parl_picture *picture, int32_t *number) {
  const parl_image *image = &picture->image;
  const size_t bytes = 3 * (size_t)image->width * (size_t)image->height;
  for (size_t i = 0; i < album->n; i++)
    if (album->items[i].content == picture->content) {
      *number = (int32_t)i;
      return PARL_STATUS_OK;
    }
  if (album->n == PARL_ALBUM_MAX_PICTURES || bytes > PARL_ALBUM_MAX_BYTES - album->bytes)
    return parl_fail(PARL_STATUS_ELIMIT,
                     "more than %d distinct images, or %d MiB of pixels, in one episode",
                     (int)PARL_ALBUM_MAX_PICTURES, PARL_ALBUM_MAX_BYTES >> 20);
  PARL_TRY(make_room(album));
  parl_picture kept = {.content = picture->content, .frames = picture->frames};
  PARL_TRY(parl_image_init(&kept.image, image->width, image->height));
  memcpy(kept.image.rgb, image->rgb, bytes);
  *number = (int32_t)album->n;
  album->items[album->n++] = kept;
  album->bytes += bytes;
  return PARL_STATUS_OK;
}

void parl_album_clear(parl_album *album) {
  for (size_t i = 0; i < album->n; i++) parl_image_deinit(&album->items[i].image);
  album->n = album->bytes = 0;
}

void parl_album_deinit(parl_album *album) {
  parl_album_clear(album);
  free(album->items);
  *album = (parl_album){0};
}
