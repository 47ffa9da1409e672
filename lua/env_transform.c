/* lua/env_transform.c - transforms in scripts: parl.transform(w, h), and what a source's document
 * gets as `augment`.
 *
 * An object does not change: a method that adds a step returns another one. Pixels are Lua's
 * memory. Reading order: the object, steps, coordinates, words, pixels, augment. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "core/canvas.h"
#include "lua/env_internal.h"
#include "lua/image_object.h"
#include "lua/sandbox_internal.h"

#define TRANSFORM_OBJECT "parl.transform"
enum { N_SIDES = 4, MAX_NAME = 64, MAX_WORD = 2 * MAX_NAME + 2 };

/* By its size a transform is never taken for an rng. */
_Static_assert(sizeof(parl_transform) != sizeof(parl_rng_object), "sizes differ");

/* --- the object --- */

static parl_transform *push_transform(lua_State *L, const parl_transform *t) {
  parl_transform *object = lua_newuserdatauv(L, sizeof *object, 0);
  *object = *t;
  luaL_setmetatable(L, TRANSFORM_OBJECT);
  return object;
}

static const parl_transform *check_transform(lua_State *L, int index) {
  const parl_transform *t = luaL_testudata(L, index, TRANSFORM_OBJECT);
  if (t == NULL && index == 1) luaL_error(L, "call it with a colon: transform:point(3, 4)");
  if (t == NULL) luaL_argerror(L, index, "a transform is due");
  return t;
}

static int check_side(lua_State *L, int index) {
  const lua_Integer x = luaL_checkinteger(L, index);
  if (x < 1 || x > PARL_CANVAS_MAX_SIDE)
    luaL_argerror(
        L, index,
        lua_pushfstring(L, "%I is outside of 1 to %d", (LUAI_UACINT)x, (int)PARL_CANVAS_MAX_SIDE));
  return (int)x;
}

int parl_env_make_transform(lua_State *L) {
  const parl_transform t = parl_transform_none(check_side(L, 1), check_side(L, 2));
  push_transform(L, &t);
  return 1;
}

/* transform:size() */
static int transform_size(lua_State *L) {
  int width, height;
  parl_transform_get_size(check_transform(L, 1), &width, &height);
  lua_pushinteger(L, width);
  lua_pushinteger(L, height);
  return 2;
}

/* --- steps --- */

static int push_longer(lua_State *L, parl_status s, const parl_transform *t) {
  if (s != PARL_STATUS_OK) luaL_error(L, "%s", parl_error_text());
  push_transform(L, t);
  return 1;
}

/* A number of pixels; what is far outside of every picture is cut to where it still is. */
static int check_pixels(lua_State *L, int index) {
  const lua_Integer x = luaL_checkinteger(L, index);
  const lua_Integer far = PARL_CANVAS_FAR;
  return (int)(x < -far ? -far : x > far ? far : x);
}

/* transform:crop(x, y, w, h) */
static int transform_crop(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  const int x = check_pixels(L, 2), y = check_pixels(L, 3);
  return push_longer(L, parl_transform_crop(&t, x, y, check_pixels(L, 4), check_pixels(L, 5)), &t);
}

/* transform:flip_x() */
static int transform_flip_x(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  return push_longer(L, parl_transform_flip_x(&t), &t);
}

/* transform:flip_y() */
static int transform_flip_y(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  return push_longer(L, parl_transform_flip_y(&t), &t);
}

/* transform:turn(quarters) */
static int transform_turn(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  return push_longer(L, parl_transform_turn(&t, (int)(luaL_checkinteger(L, 2) % 4)), &t);
}

/* transform:scale(w, h) */
static int transform_scale(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  return push_longer(L, parl_transform_scale(&t, check_side(L, 2), check_side(L, 3)), &t);
}

/* transform:append(next) */
static int transform_append(lua_State *L) {
  parl_transform t = *check_transform(L, 1);
  return push_longer(L, parl_transform_append(&t, check_transform(L, 2)), &t);
}

/* transform:inverse() */
static int transform_inverse(lua_State *L) {
  const parl_transform t = parl_transform_invert(check_transform(L, 1));
  return push_longer(L, PARL_STATUS_OK, &t);
}

/* --- coordinates --- */

static void read_numbers(lua_State *L, int n, double *out) {
  for (int i = 0; i < n; i++) {
    out[i] = luaL_checknumber(L, 2 + i);
    luaL_argcheck(L, fabs(out[i]) <= PARL_CANVAS_FAR, 2 + i,
                  "a coordinate is a number within 2^24 of 0");
  }
}

/* Whole numbers as integers; nil where nothing is left. */
static int push_numbers(lua_State *L, bool is_left, const double *x, int n) {
  for (int i = 0; i < n; i++) {
    if (!is_left)
      lua_pushnil(L);
    else if (floor(x[i]) < x[i])
      lua_pushnumber(L, x[i]);
    else
      lua_pushinteger(L, (lua_Integer)x[i]);
  }
  return n;
}

/* transform:point(x, y) */
static int transform_point(lua_State *L) {
  double x[2];
  const parl_transform *t = check_transform(L, 1);
  read_numbers(L, 2, x);
  return push_numbers(L, parl_transform_point(t, x), x, 2);
}

/* transform:box(x0, y0, x1, y1) */
static int transform_box(lua_State *L) {
  double x[4];
  const parl_transform *t = check_transform(L, 1);
  read_numbers(L, 4, x);
  return push_numbers(L, parl_transform_box(t, x), x, 4);
}

/* --- words --- */

/* Names of the four sides, argument 3 or those that everybody knows; borrowed from the stack. */
static void read_sides(lua_State *L, parl_side_names *out) {
  *out = parl_side_names_default();
  if (lua_isnoneornil(L, 3)) return;
  luaL_checktype(L, 3, LUA_TTABLE);
  for (int i = 0; i < N_SIDES; i++) {
    if (lua_geti(L, 3, i + 1) != LUA_TSTRING || lua_rawlen(L, -1) > MAX_NAME)
      luaL_argerror(L, 3, "four names are due, of left, top, right and bottom");
    out->name[i] = lua_tostring(L, -1);
  }
}

/* transform:word(word, sides) */
static int transform_word(lua_State *L) {
  const parl_transform *t = check_transform(L, 1);
  size_t n;
  const char *word = luaL_checklstring(L, 2, &n);
  parl_side_names names;
  char out[MAX_WORD];
  luaL_checkstack(L, 8, NULL);
  read_sides(L, &names);
  if (strlen(word) == n && parl_transform_word(t, &names, word, out, sizeof out))
    lua_pushstring(L, out);
  else
    lua_pushvalue(L, 2);
  return 1;
}

/* --- pixels --- */

/* transform:image(image) */
static int transform_image(lua_State *L) {
  const parl_transform *t = check_transform(L, 1);
  const parl_image_object *object = parl_image_object_get(L, 2);
  lua_settop(L, 2);
  if (object == NULL || object->frames > 1)
    luaL_argerror(L, 2, "an image is due; of a clip, its frames before parl.clip takes them");
  if (object->image.width != t->width || object->image.height != t->height)
    luaL_error(L, "an image of %d x %d pixels; the transform takes %d x %d", object->image.width,
               object->image.height, t->width, t->height);
  const parl_image *now = &object->image;
  for (int i = 0; i < t->n; i++) {
    const parl_transform_step *step = &t->steps[i];
    if (step->kind == PARL_TRANSFORM_UNCROP)
      luaL_error(L,
                 "the pixels around a crop of %d x %d in %d x %d are gone: its inverse is of "
                 "points, boxes and words",
                 step->from_width, step->from_height, step->width, step->height);
    const parl_image *next = &parl_image_object_push(L, step->width, step->height)->image;
    const size_t bytes = parl_transform_get_scratch_bytes(step);
    void *scratch = lua_newuserdatauv(L, bytes, 0);
    parl_sandbox_check_done(
        L, parl_transform_step_pixels(step, now, next, scratch, PARL_SANDBOX_PACE(L)));
    lua_pop(L, 1);
    lua_replace(L, 2);
    now = next;
  }
  if (t->n > 0) return 1;
  parl_canvas_crop(now, 0, 0, &parl_image_object_push(L, now->width, now->height)->image);
  return 1;
}

void parl_env_open_transforms(lua_State *L) {
  static const luaL_Reg methods[] = {
#define X(name, type, doc) {#name, transform_##name},
      PARL_TRANSFORM_LIST(X)
#undef X
          {NULL, NULL}};
  luaL_newmetatable(L, TRANSFORM_OBJECT);
  luaL_newlib(L, methods);
  parl_sandbox_make_strict(L, "transform");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* --- augment --- */

/* augment(w, h, unit). Upvalue 1: the parl_env. */
static int augment(lua_State *L) {
  parl_env *env = lua_touserdata(L, lua_upvalueindex(1));
  const int width = check_side(L, 1), height = check_side(L, 2);
  const int unit = lua_isnoneornil(L, 3) ? 1 : check_side(L, 3);
  parl_transform t;
  if (parl_augment_bind(env->augment, width, height, unit, &t) != PARL_STATUS_OK)
    luaL_error(L, "augment: %s", parl_error_text());
  if (!env->is_bound) env->bound = t;
  env->is_bound = true;
  push_transform(L, &t);
  return 1;
}

void parl_env_push_augment(lua_State *L, parl_env *env) {
  lua_pushlightuserdata(L, env);
  lua_pushcclosure(L, augment, 1);
}
