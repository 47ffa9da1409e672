/* core/transform.h - crops, mirror images, quarter turns and scaling, of a picture and of what is
 * said of it: points, boxes, the words for its sides.
 *
 * A transform is a short list of steps, from pictures of one size to pictures of another. Crops,
 * flips and turns move pixels; scaling is parl_image_resize. Coordinates go through the same steps:
 *   a point is where a pixel's centre is: (0, 0) of the first pixel, (width - 1, height - 1) of the
 *   last, so a mirror image takes x to width - 1 - x;
 *   a box {x0, y0, x1, y1} has edges: columns x0 to x1 - 1, so that takes it to
 *   {width - x1, y0, width - x0, y1}. It is what parl_visual_box_iou measures.
 * Scaling by s takes an edge x to s x, and a point x to s (x + 1/2) - 1/2. What a crop leaves out
 * is told: a box is clipped, a point is lost.
 * Thread rule: plain data, pure functions. Reading order: parl_transform, the steps, invert, points
 * and boxes, sides and their words, pixels. Source: ours. */
#ifndef PARL_CORE_TRANSFORM_H
#define PARL_CORE_TRANSFORM_H
#include "core/image.h"

enum { PARL_TRANSFORM_MAX_STEPS = 16, PARL_TRANSFORM_MAX_SIDE = 65535 };

typedef enum parl_transform_kind {
  PARL_TRANSFORM_CROP,
  PARL_TRANSFORM_UNCROP, /* the inverse of a crop: coordinates alone */
  PARL_TRANSFORM_FLIP_X, /* left for right */
  PARL_TRANSFORM_FLIP_Y, /* top for bottom */
  PARL_TRANSFORM_TURN,   /* clockwise */
  PARL_TRANSFORM_SCALE
} parl_transform_kind;

typedef struct parl_transform_step {
  parl_transform_kind kind;
  int x, y;                    /* CROP, UNCROP: the part's first pixel in the whole */
  int quarters;                /* TURN: 1 to 3 */
  int width, height;           /* of what comes out */
  int from_width, from_height; /* of what goes in */
} parl_transform_step;

typedef struct parl_transform {
  int width, height; /* of the pictures it takes, 1 to PARL_TRANSFORM_MAX_SIDE */
  int n;             /* steps; 0: nothing changes */
  parl_transform_step steps[PARL_TRANSFORM_MAX_STEPS];
} parl_transform;

/* Sides of a picture, clockwise. */
typedef enum parl_side {
  PARL_SIDE_LEFT,
  PARL_SIDE_TOP,
  PARL_SIDE_RIGHT,
  PARL_SIDE_BOTTOM
} parl_side;

/* Leaves pictures of that size as they are. */
parl_transform parl_transform_none(int width, int height);
/* Of what comes out. */
void parl_transform_get_size(const parl_transform *t, int *width, int *height);

/* One step more, at the end. Fails: EINVAL if a size or a place does not fit, or at the 17th step;
 * t is untouched then. */
parl_status parl_transform_crop(parl_transform *t, int x, int y, int width, int height);
parl_status parl_transform_flip_x(parl_transform *t);
parl_status parl_transform_flip_y(parl_transform *t);
/* Quarter turns clockwise, any number; negative: against the clock. */
parl_status parl_transform_turn(parl_transform *t, int quarters);
parl_status parl_transform_scale(parl_transform *t, int width, int height);
/* All steps of `next` at the end; it takes what comes out of t. */
parl_status parl_transform_append(parl_transform *t, const parl_transform *next);

/* Appends "crop 16 x 24 at (8, 0), flip_x, turn 1, scale to 12 x 16"; nothing without steps. */
void parl_transform_append_text(const parl_transform *t, parl_text *out);

/* Undoes it. A crop's inverse knows where its part was; the pixels around that are gone. */
parl_transform parl_transform_invert(const parl_transform *t);

/* point [2] in and out. False, and of no use, where it was not in the picture or a crop left it
 * out. */
bool parl_transform_point(const parl_transform *t, double *point);
/* box [4] in and out, clipped to the picture. False, and of no use, where nothing of it is left. */
bool parl_transform_box(const parl_transform *t, double *box);
/* The side of the picture that comes out at which the side of the first one is. */
parl_side parl_transform_side(const parl_transform *t, parl_side side);

/* What the four sides are called, by parl_side; borrowed. */
typedef struct parl_side_names {
  const char *name[4];
} parl_side_names;
/* left, top, right, bottom. */
parl_side_names parl_side_names_default(void);
/* Whether `word` is the name of a side, or of a corner: of two sides with '_' between them. out [n]
 * gets what that is called in the picture that comes out, top or bottom of a corner first; cut to
 * fit. */
bool parl_transform_word(const parl_transform *t, const parl_side_names *names, const char *word,
                         char *out, size_t n);

/* Pixels of one step: `out` has its size. scratch [parl_transform_get_scratch_bytes], aligned to
 * 8; NULL where that is 0. Fails: ESTOPPED; EINVAL of an UNCROP. */
parl_status parl_transform_step_pixels(const parl_transform_step *step, const parl_image *image,
                                       const parl_image *out, void *scratch, const parl_pace *pace);
size_t parl_transform_get_scratch_bytes(const parl_transform_step *step);
/* Of all steps: a new image, to be given back by deinit. Fails: EINVAL if the image has another
 * size, or of an UNCROP; ENOMEM. */
parl_status parl_transform_pixels(const parl_transform *t, const parl_image *image,
                                  parl_image *out);

#endif
