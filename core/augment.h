/* core/augment.h - chance for transforms: what a recipe allows, what was drawn for one document,
 * and what that is for pictures of a size.
 *
 * A document's pictures get one draw, so "left" means the same in all of them. In order: a crop, a
 * mirror image, another, a turn, scaling.
 * Thread rule: plain data, pure functions. Reading order: the fields, parl_augment, draw, bind. */
#ifndef PARL_CORE_AUGMENT_H
#define PARL_CORE_AUGMENT_H
#include "core/config.h"
#include "core/rng.h"
#include "core/transform.h"

#define PARL_AUGMENT_FIELDS(INT, REAL, FLAG, TEXT, CHOICE)                                    \
  REAL(crop, 1.0, 0.1, 1.0, "of a side",                                                      \
       "least share of a picture's width, and of its height, that a crop keeps; 1: no crop")  \
  REAL(flip_x, 0.0, 0.0, 1.0, "1", "chance of a mirror image, left for right")                \
  REAL(flip_y, 0.0, 0.0, 1.0, "1", "chance of a mirror image, top for bottom")                \
  REAL(turn, 0.0, 0.0, 1.0, "1", "chance of 1, 2 or 3 quarter turns, each of them as likely") \
  REAL(scale_min, 1.0, 0.1, 1.0, "1", "least factor by which both sides are scaled")          \
  REAL(scale_max, 1.0, 1.0, 4.0, "1", "largest factor by which both sides are scaled")
PARL_CONFIG_STRUCT(parl_augment_config, PARL_AUGMENT_FIELDS);
extern const parl_section parl_augment_section;

/* Whether a picture may change. */
bool parl_augment_is_on(const parl_augment_config *config);

/* One draw; for pictures of any size. */
typedef struct parl_augment {
  double crop;      /* least share of a side */
  double extent[2]; /* of width and height, among what there may be: [0, 1) */
  double place[2];  /* of the crop, among where it may be: [0, 1) */
  double scale;
  bool flip_x, flip_y;
  int quarters; /* 0 to 3 */
} parl_augment;

/* Always as many draws, whatever is allowed. */
parl_augment parl_augment_draw(const parl_augment_config *config, parl_rng_cursor *cursor);
/* Whether it leaves pictures of every size as they are. */
bool parl_augment_is_none(const parl_augment *augment);
/* What it is for pictures of width * height: sides are cropped, and scaled, to multiples of `unit`
 * pixels, which divides both. augment NULL: nothing changes.
 * Fails: EINVAL if a side is no multiple of the unit, or gets too long. */
parl_status parl_augment_bind(const parl_augment *augment, int width, int height, int unit,
                              parl_transform *out);

/* The largest sides that pictures of width * height get; a turn swaps them. */
void parl_augment_get_largest(const parl_augment_config *config, int width, int height, int *out_w,
                              int *out_h);
/* A whole number that nothing exceeds that a point (n = 2) or a box (n = 4) of such pictures
 * becomes, when points are rounded to pixels and boxes outwards. */
int parl_augment_get_farthest(const parl_augment_config *config, int width, int height,
                              const double *x, size_t n);

#endif
