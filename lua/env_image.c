/* lua/env_image.c - images in scripts: drawn on, looked at, loaded from files beside the script.
 *
 * Everything is Lua's memory, temporary arrays too: an error may leave at any place. Work is
 * charged row by row.
 * Reading order: the object, arguments, drawing, new images and clips, components, load_image. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "core/canvas.h"
#include "core/file.h"
#include "lua/env_internal.h"
#include "lua/image_object.h"
#include "lua/sandbox_internal.h"

enum { WHITE = 0xffffff, MAX_TEXT = 1000, MAX_SCALE = 256, MAX_FILE = 4 << 20, LOOK_EVERY = 64 };

/* By its size an image, whose pixels are 3 bytes each, is never taken for an rng. */
_Static_assert((sizeof(parl_rng_object) - sizeof(parl_image_object)) % 3 != 0, "sizes differ");

/* --- the object --- */

parl_image_object *parl_image_object_get(lua_State *L, int index) {
  return luaL_testudata(L, index, PARL_IMAGE_OBJECT);
}

bool parl_image_object_freeze(lua_State *L, int index) {
  parl_image_object *object = parl_image_object_get(L, index);
  if (object != NULL) object->is_frozen = true;
  return object != NULL;
}

static void check_size(lua_State *L, lua_Integer width, lua_Integer height) {
  if (width < 1 || width > PARL_CANVAS_MAX_SIDE || height < 1 || height > PARL_CANVAS_MAX_SIDE ||
      width * height > PARL_CANVAS_MAX_PIXELS)
    luaL_error(L, "an image of %I x %I pixels; a side is 1 to %d, and at most %d pixels in all",
               (LUAI_UACINT)width, (LUAI_UACINT)height, (int)PARL_CANVAS_MAX_SIDE,
               (int)PARL_CANVAS_MAX_PIXELS);
}

parl_image_object *parl_image_object_push(lua_State *L, lua_Integer width, lua_Integer height) {
  check_size(L, width, height);
  const size_t bytes = 3 * (size_t)width * (size_t)height;
  parl_sandbox_charge(L, (double)bytes / 8);
  parl_image_object *object = lua_newuserdatauv(L, sizeof *object + bytes, 0);
  object->image = (parl_image){(int)width, (int)height, object->pixels};
  object->frames = 1;
  object->is_frozen = false;
  luaL_setmetatable(L, PARL_IMAGE_OBJECT);
  return object;
}

/* --- arguments --- */

static parl_image_object *check_image(lua_State *L) {
  parl_image_object *object = parl_image_object_get(L, 1);
  if (object == NULL) luaL_error(L, "call it with a colon: image:fill(0xff0000)");
  if (object->frames > 1)
    luaL_error(L,
               "a clip of %d frames is shown as it is; draw on images and look at them before "
               "parl.clip takes them",
               object->frames);
  return object;
}

/* The image that a method draws on, which is its result too. */
static const parl_image *check_canvas(lua_State *L) {
  const parl_image_object *object = check_image(L);
  if (object->is_frozen)
    luaL_error(L, "the image is read-only, as all in a world is; draw on image:copy()");
  parl_sandbox_charge(L, (double)object->image.width * object->image.height / 8);
  return &object->image;
}

static int check_range(lua_State *L, int index, lua_Integer low, lua_Integer high) {
  const lua_Integer x = luaL_checkinteger(L, index);
  if (x < low || x > high)
    luaL_argerror(L, index,
                  lua_pushfstring(L, "%I is outside of %I to %I", (LUAI_UACINT)x, (LUAI_UACINT)low,
                                  (LUAI_UACINT)high));
  return (int)x;
}

static int check_place(lua_State *L, int index) {
  return check_range(L, index, -PARL_CANVAS_FAR, PARL_CANVAS_FAR);
}

static int check_extent(lua_State *L, int index) {
  return check_range(L, index, 0, PARL_CANVAS_FAR);
}

static uint32_t check_colour(lua_State *L, int index) {
  const lua_Integer colour = luaL_checkinteger(L, index);
  if (colour < 0 || colour > WHITE) luaL_argerror(L, index, "a colour is 0 to 0xffffff");
  return (uint32_t)colour;
}

static int return_self(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

/* --- drawing --- */

/* image:size() */
static int image_size(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  lua_pushinteger(L, image->width);
  lua_pushinteger(L, image->height);
  return 2;
}

/* image:get(x, y) */
static int image_get(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const int x = check_range(L, 2, 0, image->width - 1), y = check_range(L, 3, 0, image->height - 1);
  lua_pushinteger(L, parl_canvas_get(image, x, y));
  return 1;
}

/* image:fill(colour) */
static int image_fill(lua_State *L) {
  const parl_image *image = check_canvas(L);
  parl_canvas_fill(image, check_colour(L, 2));
  return return_self(L);
}

/* image:rect(x, y, w, h, colour) */
static int image_rect(lua_State *L) {
  const parl_image *image = check_canvas(L);
  const int x = check_place(L, 2), y = check_place(L, 3);
  const int w = check_extent(L, 4), h = check_extent(L, 5);
  parl_canvas_rect(image, x, y, w, h, check_colour(L, 6));
  return return_self(L);
}

/* image:disc(x, y, r, colour) */
static int image_disc(lua_State *L) {
  const parl_image *image = check_canvas(L);
  const int x = check_place(L, 2), y = check_place(L, 3), r = check_extent(L, 4);
  parl_canvas_disc(image, x, y, r, check_colour(L, 5));
  return return_self(L);
}

/* image:line(x0, y0, x1, y1, colour) */
static int image_line(lua_State *L) {
  const parl_image *image = check_canvas(L);
  const int x0 = check_place(L, 2), y0 = check_place(L, 3);
  const int x1 = check_place(L, 4), y1 = check_place(L, 5);
  parl_canvas_line(image, x0, y0, x1, y1, check_colour(L, 6));
  return return_self(L);
}

/* Coordinate `axis` of the point at the top. */
static int get_coordinate(lua_State *L, lua_Integer point, int axis) {
  int is_integer = 0;
  lua_geti(L, -1, axis);
  const lua_Integer x = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || x < -PARL_CANVAS_FAR || x > PARL_CANVAS_FAR)
    luaL_error(L, "polygon: point %I must be {x, y}, integers of at most %d", (LUAI_UACINT)point,
               (int)PARL_CANVAS_FAR);
  lua_pop(L, 1);
  return (int)x;
}

/* image:polygon({{x, y}, ...}, colour) */
static int image_polygon(lua_State *L) {
  int points[2 * PARL_CANVAS_MAX_POINTS];
  const parl_image *image = check_canvas(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const uint32_t colour = check_colour(L, 3);
  const lua_Integer n = luaL_len(L, 2);
  if (n < 3 || n > PARL_CANVAS_MAX_POINTS)
    return luaL_error(L, "polygon: %I points; 3 to %d", (LUAI_UACINT)n,
                      (int)PARL_CANVAS_MAX_POINTS);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_geti(L, 2, i) != LUA_TTABLE)
      return luaL_error(L, "polygon: point %I is no table", (LUAI_UACINT)i);
    points[2 * i - 2] = get_coordinate(L, i, 1);
    points[2 * i - 1] = get_coordinate(L, i, 2);
    lua_pop(L, 1);
  }
  parl_sandbox_check_done(L,
                          parl_canvas_polygon(image, points, (int)n, colour, PARL_SANDBOX_PACE(L)));
  return return_self(L);
}

/* image:text(x, y, text, colour, scale) */
static int image_text(lua_State *L) {
  const parl_image *image = check_canvas(L);
  const int x = check_place(L, 2), y = check_place(L, 3);
  size_t n = 0;
  const char *text = luaL_checklstring(L, 4, &n);
  const uint32_t colour = check_colour(L, 5);
  const int scale = lua_isnoneornil(L, 6) ? 1 : check_range(L, 6, 1, MAX_SCALE);
  if (n > MAX_TEXT)
    return luaL_error(L, "text: %I characters; at most %d", (LUAI_UACINT)n, (int)MAX_TEXT);
  for (size_t i = 0; i < n; i++)
    if (!parl_canvas_has_glyph(text[i]))
      return luaL_error(L, "text: byte %d at %I has no glyph; ' ' to '~' have", (uint8_t)text[i],
                        (LUAI_UACINT)i + 1);
  parl_sandbox_charge(L, 40.0 * (double)n);
  parl_canvas_text(image, x, y, text, n, scale, colour);
  return return_self(L);
}

/* image:noise(rng, amount) */
static int image_noise(lua_State *L) {
  const parl_image *image = check_canvas(L);
  const int amount = check_range(L, 3, 0, 255);
  parl_sandbox_check_done(
      L, parl_canvas_noise(image, parl_env_get_cursor(L, 2), amount, PARL_SANDBOX_PACE(L)));
  return return_self(L);
}

/* --- new images --- */

int parl_env_make_image(lua_State *L) {
  const lua_Integer width = luaL_checkinteger(L, 1), height = luaL_checkinteger(L, 2);
  const uint32_t colour = lua_isnoneornil(L, 3) ? 0 : check_colour(L, 3);
  parl_canvas_fill(&parl_image_object_push(L, width, height)->image, colour);
  return 1;
}

/* Image k of a list at 1, which it leaves on the stack. */
static const parl_image *push_frame(lua_State *L, int k) {
  lua_geti(L, 1, k); /* a frozen list is a proxy */
  const parl_image_object *object = parl_image_object_get(L, -1);
  if (object == NULL || object->frames > 1)
    luaL_error(L, "parl.clip: item %d of the list is no image", k);
  return &object->image;
}

int parl_env_make_clip(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const lua_Integer n = luaL_len(L, 1);
  if (n < 2 || n > PARL_ENV_MAX_FRAMES)
    luaL_error(L, "parl.clip: a list of %I images; a clip has 2 to %d", (LUAI_UACINT)n,
               (int)PARL_ENV_MAX_FRAMES);
  const parl_image *first = push_frame(L, 1);
  const size_t bytes = 3 * (size_t)first->width * (size_t)first->height;
  parl_sandbox_charge(L, (double)bytes * (double)n / 8);
  parl_image_object *clip = lua_newuserdatauv(L, sizeof *clip + (size_t)n * bytes, 0);
  clip->image = (parl_image){first->width, first->height * (int)n, clip->pixels};
  clip->frames = (int)n;
  clip->is_frozen = true;
  for (int k = 1; k <= n; k++) {
    const parl_image *frame = push_frame(L, k);
    if (frame->width != first->width || frame->height != first->height)
      luaL_error(L, "parl.clip: frame %d is %d x %d pixels, the first %d x %d", k, frame->width,
                 frame->height, first->width, first->height);
    memcpy(clip->pixels + (size_t)(k - 1) * bytes, frame->rgb, bytes);
    lua_pop(L, 1);
  }
  luaL_setmetatable(L, PARL_IMAGE_OBJECT);
  return 1;
}

/* image:copy() */
static int image_copy(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  parl_canvas_crop(image, 0, 0, &parl_image_object_push(L, image->width, image->height)->image);
  return 1;
}

/* image:crop(x, y, w, h) */
static int image_crop(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const int x = check_range(L, 2, 0, image->width - 1), y = check_range(L, 3, 0, image->height - 1);
  const int w = check_range(L, 4, 1, image->width - x);
  const int h = check_range(L, 5, 1, image->height - y);
  parl_canvas_crop(image, x, y, &parl_image_object_push(L, w, h)->image);
  return 1;
}

/* image:resize(w, h) */
static int image_resize(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const lua_Integer width = luaL_checkinteger(L, 2), height = luaL_checkinteger(L, 3);
  const parl_image_object *to = parl_image_object_push(L, width, height);
  void *scratch = lua_newuserdatauv(
      L, parl_image_get_resize_bytes(image->width, image->height, (int)width, (int)height), 0);
  parl_sandbox_check_done(L,
                          parl_image_resize_into(image, &to->image, scratch, PARL_SANDBOX_PACE(L)));
  lua_pop(L, 1);
  return 1;
}

/* image:threshold(level) */
static int image_threshold(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const int level = check_range(L, 2, 0, 256);
  const parl_image_object *to = parl_image_object_push(L, image->width, image->height);
  parl_sandbox_check_done(L, parl_canvas_threshold(image, level, &to->image, PARL_SANDBOX_PACE(L)));
  return 1;
}

/* image:select(colour, near) */
static int image_select(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const uint32_t colour = check_colour(L, 2);
  const int near = lua_isnoneornil(L, 3) ? 0 : check_range(L, 3, 0, 255);
  const parl_image_object *to = parl_image_object_push(L, image->width, image->height);
  parl_sandbox_check_done(
      L, parl_canvas_select(image, colour, near, &to->image, PARL_SANDBOX_PACE(L)));
  return 1;
}

/* --- components --- */

static void push_box(lua_State *L, const parl_canvas_box *box) {
  const struct {
    const char *name;
    int value;
  } fields[] = {{"x", box->x}, {"y", box->y}, {"w", box->width}, {"h", box->height}, {"n", box->n}};
  lua_createtable(L, 0, sizeof fields / sizeof fields[0]);
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    lua_pushinteger(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
}

/* image:components(background) */
static int image_components(lua_State *L) {
  const parl_image *image = &check_image(L)->image;
  const uint32_t background = lua_isnoneornil(L, 2) ? 0 : check_colour(L, 2);
  const size_t n_pixels = (size_t)image->width * (size_t)image->height;
  int32_t *labels = lua_newuserdatauv(L, n_pixels * sizeof *labels, 0);
  int n = 0;
  parl_sandbox_check_done(L,
                          parl_canvas_label(image, background, labels, &n, PARL_SANDBOX_PACE(L)));
  parl_canvas_box *boxes = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *boxes, 0);
  parl_sandbox_check_done(
      L, parl_canvas_measure(labels, image->width, image->height, n, boxes, PARL_SANDBOX_PACE(L)));
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    if (i % LOOK_EVERY == 0) parl_sandbox_charge(L, 20.0 * LOOK_EVERY);
    push_box(L, &boxes[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

void parl_env_open_images(lua_State *L) {
  static const luaL_Reg methods[] = {
#define X(name, type, doc) {#name, image_##name},
      PARL_IMAGE_LIST(X)
#undef X
          {NULL, NULL}};
  luaL_newmetatable(L, PARL_IMAGE_OBJECT);
  luaL_newlib(L, methods);
  parl_sandbox_make_strict(L, "image");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* --- load_image --- */

static void check_name(lua_State *L, const char *name) {
  const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
  const char *rest = name + n;
  const bool known =
      strcmp(rest, ".png") == 0 || strcmp(rest, ".jpg") == 0 || strcmp(rest, ".jpeg") == 0;
  if (n < 1 || n > 40 || !known)
    luaL_error(L,
               "parl.load_image: a name is 1 to 40 of a-z, 0-9 and _, without folder, and .png, "
               ".jpg or .jpeg");
}

/* [light userdata of a parl_image] -> [image] */
static int push_loaded(lua_State *L) {
  const parl_image *image = lua_touserdata(L, 1);
  parl_canvas_crop(image, 0, 0, &parl_image_object_push(L, image->width, image->height)->image);
  return 1;
}

/* Pushes the file's image. What C holds is freed before an error can leave. */
static void load(lua_State *L, parl_env *env, const char *path) {
  const parl_image_limits limits = {.max_bytes = MAX_FILE,
                                    .max_side = PARL_CANVAS_MAX_SIDE,
                                    .max_pixels = PARL_CANVAS_MAX_PIXELS};
  char *bytes = NULL;
  size_t n = 0;
  parl_image image = {0};
  parl_status s = parl_file_read(path, MAX_FILE, &bytes, &n);
  if (s == PARL_STATUS_OK) {
    parl_env_add_hash(env, bytes, n);
    s = parl_image_decode(bytes, n, path, &limits, &image);
    free(bytes);
  }
  if (s != PARL_STATUS_OK) luaL_error(L, "parl.load_image: %s", parl_error_text());
  lua_pushlightuserdata(L, &image);
  lua_pushcfunction(L, push_loaded);
  lua_insert(L, -2);
  const int rc = lua_pcall(L, 1, 1, 0);
  parl_image_deinit(&image);
  if (rc != LUA_OK) lua_error(L);
}

/* parl.load_image(name). Upvalue 1: the parl_env. */
static int load_image(lua_State *L) {
  parl_env *env = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = luaL_checkstring(L, 1);
  check_name(L, name);
  if (env->declared)
    luaL_error(L, "parl.load_image: only while the file is loaded, before parl.env");
  if (env->n_images == PARL_ENV_MAX_IMAGES)
    luaL_error(L, "parl.load_image: more than %d images", (int)PARL_ENV_MAX_IMAGES);
  env->n_images++;
  load(L, env, parl_env_push_sibling(L, env, name, ""));
  return 1;
}

void parl_env_push_load_image(lua_State *L, parl_env *env) {
  lua_pushlightuserdata(L, env);
  lua_pushcclosure(L, load_image, 1);
}
