/* core/augment.c - drawing transforms. */
#include "core/augment.h"

#include <math.h>

#define SECTION_TYPE_ parl_augment_config
PARL_CONFIG_SECTION(parl_augment_section, "sources.NAME.augment",
                    "how documents and their coordinates are varied", PARL_AUGMENT_FIELDS);
#undef SECTION_TYPE_

bool parl_augment_is_on(const parl_augment_config *c) {
  return c->crop < 1 || c->flip_x > 0 || c->flip_y > 0 || c->turn > 0 || c->scale_min < 1 ||
         c->scale_max > 1;
}

parl_augment parl_augment_draw(const parl_augment_config *config, parl_rng_cursor *cursor) {
  const parl_augment_config *c = config;
  double u[9];
  for (int i = 0; i < 9; i++) u[i] = parl_rng_next_uniform(cursor);
  return (parl_augment){.crop = c->crop,
                        .extent = {u[0], u[1]},
                        .place = {u[2], u[3]},
                        .flip_x = u[4] < c->flip_x,
                        .flip_y = u[5] < c->flip_y,
                        .quarters = u[6] < c->turn ? 1 + (int)(3 * u[8]) : 0,
                        .scale = c->scale_min + u[7] * (c->scale_max - c->scale_min)};
}

/* A factor of exactly 1. */
static bool is_one(double x) {
  return x >= 1 && x <= 1;
}

bool parl_augment_is_none(const parl_augment *a) {
  return is_one(a->crop) && !a->flip_x && !a->flip_y && a->quarters == 0 && is_one(a->scale);
}

/* How many of n units are kept: each number from the least share's on is as likely; and the
 * first. */
static int crop_side(const parl_augment *a, int axis, int n, int *first) {
  const int least = (int)fmax(1, ceil(a->crop * n - 1e-9));
  const int kept = least + (int)(a->extent[axis] * (n - least + 1));
  *first = (int)(a->place[axis] * (n - kept + 1));
  return kept;
}

static int scale_side(const parl_augment *a, int n) {
  return (int)fmax(1, floor(a->scale * n + 0.5));
}

parl_status parl_augment_bind(const parl_augment *augment, int width, int height, int unit,
                              parl_transform *out) {
  const parl_augment *a = augment;
  if (unit < 1 || width % unit != 0 || height % unit != 0)
    return parl_fail(PARL_STATUS_EINVAL, "a unit of %d pixels does not divide %d x %d", unit, width,
                     height);
  parl_transform t = parl_transform_none(width, height);
  if (a != NULL) {
    int x, y, w, h;
    const int columns = crop_side(a, 0, width / unit, &x);
    const int rows = crop_side(a, 1, height / unit, &y);
    if (columns * unit < width || rows * unit < height)
      PARL_TRY(parl_transform_crop(&t, x * unit, y * unit, columns * unit, rows * unit));
    if (a->flip_x) PARL_TRY(parl_transform_flip_x(&t));
    if (a->flip_y) PARL_TRY(parl_transform_flip_y(&t));
    PARL_TRY(parl_transform_turn(&t, a->quarters));
    parl_transform_get_size(&t, &w, &h);
    const int to_w = scale_side(a, w / unit) * unit, to_h = scale_side(a, h / unit) * unit;
    if (to_w != w || to_h != h) PARL_TRY(parl_transform_scale(&t, to_w, to_h));
  }
  *out = t;
  return PARL_STATUS_OK;
}

static int get_largest_side(const parl_augment_config *c, int n) {
  return scale_side(&(parl_augment){.scale = c->scale_max}, n);
}

void parl_augment_get_largest(const parl_augment_config *config, int width, int height, int *out_w,
                              int *out_h) {
  *out_w = get_largest_side(config, width);
  *out_h = get_largest_side(config, height);
}

/* How far from its beginning an edge of one of n pixels comes to be. Of a part of k the factor is
 * up to scale_max + 1 / 2k, since sides are rounded. */
static double scale_edge(const parl_augment_config *c, int n, double edge) {
  if (c->scale_max <= 1) return edge;
  const int largest = get_largest_side(c, n);
  const double most = c->crop < 1 ? c->scale_max * edge + 0.5 : edge * largest / n;
  return fmin(most, largest);
}

int parl_augment_get_farthest(const parl_augment_config *config, int width, int height,
                              const double *x, size_t n) {
  const parl_augment_config *c = config;
  const bool is_box = n == 4;
  double farthest = 0;
  for (size_t k = 0; k < n; k++) {
    const bool is_across = k % 2 == 0;
    const int side = is_across ? width : height;
    const bool is_mirrored = c->turn > 0 || (is_across ? c->flip_x : c->flip_y) > 0;
    const double edge = is_box ? x[k] : x[k] + 0.5;
    const double most = scale_edge(c, side, is_mirrored ? fmax(edge, side - edge) : edge);
    const double number =
        is_box ? ceil(most) : fmin(floor(most + 1e-9), get_largest_side(c, side) - 1);
    farthest = fmax(farthest, number);
  }
  return (int)farthest;
}
