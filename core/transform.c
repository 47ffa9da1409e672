/* core/transform.c - steps, and what they do to coordinates and pixels. */
#include "core/transform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/canvas.h"

/* --- steps --- */

parl_transform parl_transform_none(int width, int height) {
  return (parl_transform){.width = width, .height = height};
}

void parl_transform_get_size(const parl_transform *t, int *width, int *height) {
  *width = t->n > 0 ? t->steps[t->n - 1].width : t->width;
  *height = t->n > 0 ? t->steps[t->n - 1].height : t->height;
}

/* Its sizes before are filled in; *width and *height: after. */
static parl_status add(parl_transform *t, parl_transform_step step) {
  if (t->n == PARL_TRANSFORM_MAX_STEPS)
    return parl_fail(PARL_STATUS_EINVAL, "a transform of more than %d steps",
                     (int)PARL_TRANSFORM_MAX_STEPS);
  parl_transform_get_size(t, &step.from_width, &step.from_height);
  t->steps[t->n++] = step;
  return PARL_STATUS_OK;
}

parl_status parl_transform_crop(parl_transform *t, int x, int y, int width, int height) {
  int w, h;
  parl_transform_get_size(t, &w, &h);
  if (x < 0 || y < 0 || width < 1 || height < 1 || x > w - width || y > h - height)
    return parl_fail(PARL_STATUS_EINVAL,
                     "a crop of %d x %d pixels at (%d, %d) is not inside of %d x %d", width, height,
                     x, y, w, h);
  return add(t, (parl_transform_step){
                    .kind = PARL_TRANSFORM_CROP, .x = x, .y = y, .width = width, .height = height});
}

static parl_status flip(parl_transform *t, parl_transform_kind kind) {
  parl_transform_step step = {.kind = kind};
  parl_transform_get_size(t, &step.width, &step.height);
  return add(t, step);
}

parl_status parl_transform_flip_x(parl_transform *t) {
  return flip(t, PARL_TRANSFORM_FLIP_X);
}

parl_status parl_transform_flip_y(parl_transform *t) {
  return flip(t, PARL_TRANSFORM_FLIP_Y);
}

parl_status parl_transform_turn(parl_transform *t, int quarters) {
  parl_transform_step step = {.kind = PARL_TRANSFORM_TURN, .quarters = (quarters % 4 + 4) % 4};
  if (step.quarters == 0) return PARL_STATUS_OK;
  parl_transform_get_size(t, &step.width, &step.height);
  if (step.quarters % 2 == 1) {
    const int width = step.width;
    step.width = step.height;
    step.height = width;
  }
  return add(t, step);
}

parl_status parl_transform_scale(parl_transform *t, int width, int height) {
  if (width < 1 || height < 1 || width > PARL_TRANSFORM_MAX_SIDE ||
      height > PARL_TRANSFORM_MAX_SIDE)
    return parl_fail(PARL_STATUS_EINVAL, "scaled to %d x %d pixels; a side is 1 to %d", width,
                     height, (int)PARL_TRANSFORM_MAX_SIDE);
  return add(t,
             (parl_transform_step){.kind = PARL_TRANSFORM_SCALE, .width = width, .height = height});
}

parl_status parl_transform_append(parl_transform *t, const parl_transform *next) {
  const int n = next->n; /* which grows with t, where they are one */
  int w, h;
  parl_transform_get_size(t, &w, &h);
  if (w != next->width || h != next->height)
    return parl_fail(PARL_STATUS_EINVAL,
                     "a transform of %d x %d pixels cannot follow one to %d x %d", next->width,
                     next->height, w, h);
  if (t->n + n > PARL_TRANSFORM_MAX_STEPS)
    return parl_fail(PARL_STATUS_EINVAL, "a transform of more than %d steps",
                     (int)PARL_TRANSFORM_MAX_STEPS);
  for (int i = 0; i < n; i++) t->steps[t->n++] = next->steps[i];
  return PARL_STATUS_OK;
}

static parl_transform_step invert_step(const parl_transform_step *step) {
  parl_transform_step out = *step;
  out.width = step->from_width;
  out.height = step->from_height;
  out.from_width = step->width;
  out.from_height = step->height;
  out.quarters = (4 - step->quarters) % 4;
  if (step->kind == PARL_TRANSFORM_CROP) out.kind = PARL_TRANSFORM_UNCROP;
  if (step->kind == PARL_TRANSFORM_UNCROP) out.kind = PARL_TRANSFORM_CROP;
  return out;
}

parl_transform parl_transform_invert(const parl_transform *t) {
  parl_transform out = {.n = t->n};
  parl_transform_get_size(t, &out.width, &out.height);
  for (int i = 0; i < t->n; i++) out.steps[i] = invert_step(&t->steps[t->n - 1 - i]);
  return out;
}

void parl_transform_append_text(const parl_transform *t, parl_text *out) {
  for (int i = 0; i < t->n; i++) {
    const parl_transform_step *s = &t->steps[i];
    if (i > 0) parl_text_append(out, ", ");
    if (s->kind == PARL_TRANSFORM_CROP || s->kind == PARL_TRANSFORM_UNCROP)
      parl_text_appendf(out, "%s %d x %d at (%d, %d)",
                        s->kind == PARL_TRANSFORM_CROP ? "crop" : "uncrop to", s->width, s->height,
                        s->x, s->y);
    if (s->kind == PARL_TRANSFORM_FLIP_X) parl_text_append(out, "flip_x");
    if (s->kind == PARL_TRANSFORM_FLIP_Y) parl_text_append(out, "flip_y");
    if (s->kind == PARL_TRANSFORM_TURN) parl_text_appendf(out, "turn %d", s->quarters);
    if (s->kind == PARL_TRANSFORM_SCALE)
      parl_text_appendf(out, "scale to %d x %d", s->width, s->height);
  }
}

/* --- coordinates --- */

/* Where the edge (x, y) comes to lie. */
static void move(const parl_transform_step *s, double *x, double *y) {
  const double w = s->from_width, h = s->from_height, at_x = *x, at_y = *y;
  switch (s->kind) {
    case PARL_TRANSFORM_CROP:
      *x = at_x - s->x;
      *y = at_y - s->y;
      return;
    case PARL_TRANSFORM_UNCROP:
      *x = at_x + s->x;
      *y = at_y + s->y;
      return;
    case PARL_TRANSFORM_FLIP_X:
      *x = w - at_x;
      return;
    case PARL_TRANSFORM_FLIP_Y:
      *y = h - at_y;
      return;
    case PARL_TRANSFORM_SCALE:
      *x = at_x * s->width / w;
      *y = at_y * s->height / h;
      return;
    case PARL_TRANSFORM_TURN:
      *x = s->quarters == 1 ? h - at_y : s->quarters == 2 ? w - at_x : at_y;
      *y = s->quarters == 1 ? at_x : s->quarters == 2 ? h - at_y : w - at_x;
      return;
  }
}

static bool is_in(double x, double y, double width, double height) {
  return x >= 0 && x < width && y >= 0 && y < height;
}

bool parl_transform_point(const parl_transform *t, double *point) {
  double x = point[0] + 0.5, y = point[1] + 0.5;
  if (!is_in(x, y, t->width, t->height)) return false;
  for (int i = 0; i < t->n; i++) {
    const parl_transform_step *s = &t->steps[i];
    move(s, &x, &y);
    if (s->kind == PARL_TRANSFORM_CROP && !is_in(x, y, s->width, s->height)) return false;
  }
  point[0] = x - 0.5;
  point[1] = y - 0.5;
  return true;
}

static bool clip(double *box, double width, double height) {
  box[0] = fmax(box[0], 0);
  box[1] = fmax(box[1], 0);
  box[2] = fmin(box[2], width);
  box[3] = fmin(box[3], height);
  return box[0] < box[2] && box[1] < box[3];
}

bool parl_transform_box(const parl_transform *t, double *box) {
  if (!clip(box, t->width, t->height)) return false;
  for (int i = 0; i < t->n; i++) {
    const parl_transform_step *s = &t->steps[i];
    double x0 = box[0], y0 = box[1], x1 = box[2], y1 = box[3];
    move(s, &x0, &y0);
    move(s, &x1, &y1);
    box[0] = fmin(x0, x1);
    box[1] = fmin(y0, y1);
    box[2] = fmax(x0, x1);
    box[3] = fmax(y0, y1);
    if (s->kind == PARL_TRANSFORM_CROP && !clip(box, s->width, s->height)) return false;
  }
  return true;
}

parl_side parl_transform_side(const parl_transform *t, parl_side side) {
  unsigned at = side;
  for (int i = 0; i < t->n; i++) {
    const parl_transform_step *s = &t->steps[i];
    const bool is_across = at % 2 == 0; /* left or right */
    if (s->kind == PARL_TRANSFORM_TURN) at = (at + (unsigned)s->quarters) % 4;
    if (s->kind == PARL_TRANSFORM_FLIP_X && is_across) at ^= 2;
    if (s->kind == PARL_TRANSFORM_FLIP_Y && !is_across) at ^= 2;
  }
  return (parl_side)at;
}

/* --- words --- */

parl_side_names parl_side_names_default(void) {
  return (parl_side_names){{"left", "top", "right", "bottom"}};
}

/* The side that the n bytes at word name; -1: none. */
static int find_side(const parl_side_names *names, const char *word, size_t n) {
  for (int i = 0; i < 4; i++)
    if (strlen(names->name[i]) == n && memcmp(names->name[i], word, n) == 0) return i;
  return -1;
}

/* Two sides that meet there: top or bottom, then left or right; false if it is no corner. */
static bool find_corner(const parl_side_names *names, const char *word, int *out) {
  for (const char *at = strchr(word, '_'); at != NULL; at = strchr(at + 1, '_')) {
    const int a = find_side(names, word, (size_t)(at - word));
    const int b = find_side(names, at + 1, strlen(at + 1));
    if (a < 0 || b < 0 || a % 2 == b % 2) continue;
    out[0] = a % 2 == 1 ? a : b;
    out[1] = a % 2 == 1 ? b : a;
    return true;
  }
  return false;
}

bool parl_transform_word(const parl_transform *t, const parl_side_names *names, const char *word,
                         char *out, size_t n) {
  int corner[2];
  const int side = find_side(names, word, strlen(word));
  if (side >= 0) {
    snprintf(out, n, "%s", names->name[parl_transform_side(t, (parl_side)side)]);
    return true;
  }
  if (!find_corner(names, word, corner)) return false;
  const unsigned a = parl_transform_side(t, (parl_side)corner[0]);
  const unsigned b = parl_transform_side(t, (parl_side)corner[1]);
  snprintf(out, n, "%s_%s", names->name[a % 2 == 1 ? a : b], names->name[a % 2 == 1 ? b : a]);
  return true;
}

/* --- pixels --- */

/* A flip or a turn: the pixel of `image` that comes to (x, y). */
static const uint8_t *find_pixel(const parl_transform_step *s, const parl_image *image, int x,
                                 int y) {
  const int w = image->width, h = image->height;
  int from_x = x, from_y = y;
  if (s->kind == PARL_TRANSFORM_FLIP_X) from_x = w - 1 - x;
  if (s->kind == PARL_TRANSFORM_FLIP_Y) from_y = h - 1 - y;
  if (s->kind == PARL_TRANSFORM_TURN) {
    from_x = s->quarters == 1 ? y : s->quarters == 2 ? w - 1 - x : w - 1 - y;
    from_y = s->quarters == 1 ? h - 1 - x : s->quarters == 2 ? h - 1 - y : x;
  }
  return image->rgb + 3 * ((size_t)from_y * (size_t)w + (size_t)from_x);
}

static parl_status move_pixels(const parl_transform_step *s, const parl_image *image,
                               const parl_image *out, const parl_pace *pace) {
  uint8_t *to = out->rgb;
  for (int y = 0; y < out->height; y++) {
    PARL_TRY(parl_pace_go_on(pace, 4.0 * out->width));
    for (int x = 0; x < out->width; x++, to += 3) memcpy(to, find_pixel(s, image, x, y), 3);
  }
  return PARL_STATUS_OK;
}

size_t parl_transform_get_scratch_bytes(const parl_transform_step *step) {
  if (step->kind != PARL_TRANSFORM_SCALE) return 0;
  return parl_image_get_resize_bytes(step->from_width, step->from_height, step->width,
                                     step->height);
}

parl_status parl_transform_step_pixels(const parl_transform_step *step, const parl_image *image,
                                       const parl_image *out, void *scratch,
                                       const parl_pace *pace) {
  PARL_REQUIRE(image->width == step->from_width && image->height == step->from_height);
  PARL_REQUIRE(out->width == step->width && out->height == step->height);
  switch (step->kind) {
    case PARL_TRANSFORM_CROP:
      PARL_TRY(parl_pace_go_on(pace, (double)out->width * out->height / 8));
      parl_canvas_crop(image, step->x, step->y, out);
      return PARL_STATUS_OK;
    case PARL_TRANSFORM_SCALE:
      return parl_image_resize_into(image, out, scratch, pace);
    case PARL_TRANSFORM_UNCROP:
      return parl_fail(PARL_STATUS_EINVAL,
                       "the pixels around a crop of %d x %d in %d x %d are gone; its inverse is of "
                       "points, boxes and words",
                       step->from_width, step->from_height, step->width, step->height);
    case PARL_TRANSFORM_FLIP_X:
    case PARL_TRANSFORM_FLIP_Y:
    case PARL_TRANSFORM_TURN:
      break;
  }
  return move_pixels(step, image, out, pace);
}

static parl_status make_step(const parl_transform_step *step, const parl_image *image,
                             parl_image *out) {
  const size_t bytes = parl_transform_get_scratch_bytes(step);
  void *scratch = bytes > 0 ? malloc(bytes) : NULL;
  if (bytes > 0 && scratch == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "no memory to scale a picture");
  parl_status s = parl_image_init(out, step->width, step->height);
  if (s == PARL_STATUS_OK) s = parl_transform_step_pixels(step, image, out, scratch, NULL);
  if (s != PARL_STATUS_OK) parl_image_deinit(out);
  free(scratch);
  return s;
}

parl_status parl_transform_pixels(const parl_transform *t, const parl_image *image,
                                  parl_image *out) {
  if (image->width != t->width || image->height != t->height)
    return parl_fail(PARL_STATUS_EINVAL, "a picture of %d x %d pixels; the transform takes %d x %d",
                     image->width, image->height, t->width, t->height);
  parl_image now = {0};
  PARL_TRY(parl_image_init(&now, t->width, t->height));
  parl_canvas_crop(image, 0, 0, &now);
  for (int i = 0; i < t->n; i++) {
    parl_image next = {0};
    const parl_status s = make_step(&t->steps[i], &now, &next);
    parl_image_deinit(&now);
    PARL_TRY(s);
    now = next;
  }
  *out = now;
  return PARL_STATUS_OK;
}
