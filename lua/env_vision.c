/* lua/env_vision.c - images among the tokens that callbacks return: K2.5's text around them, a
 * placeholder for every row of features, and a copy of the pixels. */
#include <lauxlib.h>

#include "core/canvas.h"
#include "core/media.h"
#include "lua/env_internal.h"
#include "lua/image_object.h"

parl_status parl_env_vision_fit(const parl_env_vision *vision, int width, int height, int frames,
                                parl_media_size *out) {
  parl_media_config config = parl_media_config_default();
  config.patch = vision->patch;
  return parl_media_fit(&config, frames > 1 ? config.max_patches_frame : config.max_patches, width,
                        height, out);
}

int parl_env_vision_write(const parl_env_vision *vision, int frames, int n_rows, int32_t *tokens) {
  const int32_t first = vision->first_token;
  int n = 0;
  tokens[n++] = first + PARL_MEDIA_BEGIN;
  tokens[n++] = first + (frames > 1 ? PARL_MEDIA_VIDEO : PARL_MEDIA_WORD);
  tokens[n++] = first + PARL_MEDIA_CONTENT;
  const int n_before = n;
  while (n < n_before + n_rows) tokens[n++] = first + PARL_MEDIA_PAD;
  tokens[n] = first + PARL_MEDIA_END;
  return n_before;
}

static int read_side(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  const lua_Integer x = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
  if (x < 1 || x > PARL_CANVAS_MAX_SIDE)
    parl_env_refuse(L, "vision", "%s must be an integer, 1 to %d", name, (int)PARL_CANVAS_MAX_SIDE);
  lua_pop(L, 1);
  return (int)x;
}

/* 1 where no clips are declared. */
static int read_frames(lua_State *L) {
  lua_getfield(L, -1, "frames");
  const bool is_nil = lua_isnil(L, -1);
  const lua_Integer x = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
  if (!is_nil && (x < 2 || x > PARL_ENV_MAX_FRAMES))
    parl_env_refuse(L, "vision",
                    "frames must be an integer, 2 to %d, or nil where there are no "
                    "clips",
                    (int)PARL_ENV_MAX_FRAMES);
  lua_pop(L, 1);
  return is_nil ? 1 : (int)x;
}

void parl_env_read_vision(lua_State *L, parl_env *env) {
  static const char *const keys[] = {
#define X(name, type, doc) #name,
      PARL_VISION_LIST(X)
#undef X
  };
  parl_env_vision *v = &env->spec.vision;
  parl_media_size size;
  if (lua_isfunction(L, -1)) {
    parl_env_push_params(L, env);
    lua_call(L, 1, 1);
  }
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_istable(L, -1))
    parl_env_refuse(L, "vision",
                    "must be a table such as {width = 32, height = 32}, or a function(params) that "
                    "gives one, or nil");
  parl_env_check_keys(L, -1, "vision", keys, sizeof keys / sizeof keys[0]);
  const int width = read_side(L, "width"), height = read_side(L, "height");
  v->frames = read_frames(L);
  if (parl_env_vision_fit(v, width, height, v->frames, &size) != PARL_STATUS_OK)
    parl_env_refuse(L, "vision", "%s", parl_error_text());
  if (size.width != width || size.height != height)
    parl_env_refuse(L, "vision",
                    "an image of %d x %d pixels is one that models see shrunk, to %d x %d where "
                    "model.vision.patch is %d; declare, and return, what they see",
                    width, height, size.width, size.height, v->patch);
  if (size.n_tokens > PARL_ENV_MAX_OBSERVATION - (PARL_N_MEDIA_TOKENS - 1))
    parl_env_refuse(L, "vision",
                    "an image of %d x %d pixels is %d tokens where model.vision.patch is %d; one "
                    "callback returns at most %d",
                    width, height, size.n_tokens, v->patch, (int)PARL_ENV_MAX_OBSERVATION);
  v->width = width;
  v->height = height;
  lua_pop(L, 1);
}

void parl_env_forget_shown(parl_env *env) {
  if (env->n_shown == 0 && env->album.n == 0) return;
  env->n_shown = 0;
  parl_album_clear(&env->album);
}

parl_env_shown parl_env_get_shown(const parl_env *env) {
  return (parl_env_shown){env->n_shown, env->shown, &env->album};
}

uint64_t parl_env_hash_shown(const parl_env *env) {
  uint64_t h = 0;
  for (size_t i = 0; i < env->n_shown; i++)
    h = parl_rng_mix(h, env->album.items[env->shown[i].picture].content, i + 1);
  return h;
}

static parl_status check_image(parl_env *env, int function_ref, const char *callback, int i,
                               const parl_image *image, int frames) {
  const parl_env_vision *v = &env->spec.vision;
  if (v->width == 0)
    return parl_env_breach(env, function_ref, callback,
                           "token %d is an image; that needs vision = {width = %d, height = %d} in "
                           "parl.env",
                           i, image->width, image->height);
  if (image->width > v->width || image->height > v->height)
    return parl_env_breach(env, function_ref, callback,
                           "token %d is an image of %d x %d pixels; vision declares at most %d x "
                           "%d",
                           i, image->width, image->height, v->width, v->height);
  if (frames > 1 && v->frames == 1)
    return parl_env_breach(env, function_ref, callback,
                           "token %d is a clip of %d frames; vision declares none: frames = %d", i,
                           frames, frames);
  if (frames > v->frames)
    return parl_env_breach(env, function_ref, callback,
                           "token %d is a clip of %d frames; vision declares at most %d", i, frames,
                           v->frames);
  return PARL_STATUS_OK;
}

parl_status parl_env_show(parl_env *env, int function_ref, const char *callback, int i, int index,
                          int32_t *tokens, size_t room, size_t *n) {
  const parl_image_object *object = parl_image_object_get(env->L, index);
  const int frames = object->frames;
  const parl_image image = parl_image_get_frame(&object->image, frames, 0);
  parl_media_size size;
  PARL_TRY(check_image(env, function_ref, callback, i, &image, frames));
  PARL_TRY(parl_env_vision_fit(&env->spec.vision, image.width, image.height, frames, &size));
  const size_t all = (size_t)size.n_tokens + PARL_N_MEDIA_TOKENS - 1;
  if (all > room - *n)
    return parl_env_breach(env, function_ref, callback,
                           "returned more than %zu tokens: image %zu has %zu of them, at "
                           "model.vision.patch = %d",
                           room, env->n_shown + 1, all, env->spec.vision.patch);
  parl_shown *shown = &env->shown[env->n_shown];
  const parl_picture picture = {parl_image_get_content(&object->image, frames), frames,
                                object->image};
  const parl_status s = parl_album_add(&env->album, &picture, &shown->picture);
  if (s == PARL_STATUS_ELIMIT)
    return parl_env_breach(env, function_ref, callback, "%s", parl_error_text());
  PARL_TRY(s);
  env->n_shown++;
  shown->at =
      (int32_t)*n + parl_env_vision_write(&env->spec.vision, frames, size.n_tokens, tokens + *n);
  shown->n = size.n_tokens;
  *n += all;
  return PARL_STATUS_OK;
}
