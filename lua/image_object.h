/* lua/image_object.h - a picture as a value of a script: its pixels lie in the state's own memory,
 * so its cap counts them and its collector frees them.
 *
 * Thread rule: the thread that owns the state. */
#ifndef PARL_LUA_IMAGE_OBJECT_H
#define PARL_LUA_IMAGE_OBJECT_H
#include <lua.h>
#include <stdbool.h>

#include "core/image.h"

/* The metatable of images, by this name in the registry. */
#define PARL_IMAGE_OBJECT "parl.image"

typedef struct parl_image_object {
  parl_image image; /* its pixels are those below */
  int frames;       /* 1; of a clip, 2 to 4 of one size, below each other */
  bool is_frozen;   /* in a world, or in what a script keeps: nobody draws on it any more */
  _Alignas(8) uint8_t pixels[];
} parl_image_object;

/* The image at index, NULL if it is none. */
parl_image_object *parl_image_object_get(lua_State *L, int index);
/* Pushes an image whose pixels are still to be written. Inside protect; refuses a size that none
 * has. */
parl_image_object *parl_image_object_push(lua_State *L, lua_Integer width, lua_Integer height);
/* If the value at index is an image: it becomes read-only; else false. */
bool parl_image_object_freeze(lua_State *L, int index);

#endif
