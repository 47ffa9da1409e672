/* core/canvas.h - drawing on images, and looking at what is on them, in integers.
 *
 * The same pixels on every machine and in every build. Pixels count from 0, from the top left; a
 * colour is 0xRRGGBB. What lies outside of the image is left out. Coordinates and extents are
 * within PARL_CANVAS_FAR, which callers see to.
 * Thread rule: pure functions of the image. Reading order: shapes, text, noise, looking. */
#ifndef PARL_CORE_CANVAS_H
#define PARL_CORE_CANVAS_H
#include "core/image.h"
#include "core/rng.h"

enum {
  PARL_CANVAS_FAR = 1 << 24,
  PARL_CANVAS_MAX_SIDE = 4096,      /* pixels of width or height, on which is drawn */
  PARL_CANVAS_MAX_PIXELS = 1 << 20, /* of an image on which is drawn */
  PARL_CANVAS_MAX_POINTS = 1024,    /* of a polygon */
  PARL_CANVAS_GLYPH_WIDTH = 5,
  PARL_CANVAS_GLYPH_HEIGHT = 7
};

void parl_canvas_fill(const parl_image *image, uint32_t colour);
/* Columns x to x + width - 1, rows y to y + height - 1. */
void parl_canvas_rect(const parl_image *image, int x, int y, int width, int height,
                      uint32_t colour);
/* Pixels whose distance from (x, y) is at most r + 1/2: r = 0 is one pixel. */
void parl_canvas_disc(const parl_image *image, int x, int y, int r, uint32_t colour);
/* One pixel wide, both ends included: for each column or row, whichever are more, the nearest
 * pixel, halves away from the first end. */
void parl_canvas_line(const parl_image *image, int x0, int y0, int x1, int y1, uint32_t colour);
/* Pixels whose centres are inside, by the even-odd rule; (x, y) is a pixel's top left corner, so a
 * rectangle's corners are (x, y) and (x + width, y + height).
 *   points [n, 2], 3 <= n <= PARL_CANVAS_MAX_POINTS
 * Fails: ESTOPPED if it may not go on. */
parl_status parl_canvas_polygon(const parl_image *image, const int *points, int n, uint32_t colour,
                                const parl_pace *pace);

/* Whether a byte has a glyph: ' ' to '~'. */
bool parl_canvas_has_glyph(char c);
/* Glyphs of 5 x 7 squares of scale * scale pixels, one square apart; (x, y) is the first one's top
 * left corner. Bytes without a glyph are left blank. */
void parl_canvas_text(const parl_image *image, int x, int y, const char *text, size_t n, int scale,
                      uint32_t colour);

/* Adds to every channel of every pixel its own integer, uniform from -amount to amount (0 to 255),
 * clipped to 0..255; one draw a pixel. Fails: ESTOPPED. */
parl_status parl_canvas_noise(const parl_image *image, parl_rng_cursor *cursor, int amount,
                              const parl_pace *pace);

uint32_t parl_canvas_get(const parl_image *image, int x, int y);
/* The part of `image` at (x, y) that has the size of `out`, all of it inside. */
void parl_canvas_crop(const parl_image *image, int x, int y, const parl_image *out);
/* White where the luminance, (19595 R + 38470 G + 7471 B + 2^15) >> 16, is at least `level`, else
 * black; `out` has image's size. Fails: ESTOPPED. Source: Pillow's convert("L"), ITU-R 601-2. */
parl_status parl_canvas_threshold(const parl_image *image, int level, const parl_image *out,
                                  const parl_pace *pace);
/* White where each channel is at most `near` (0 to 255) from the colour's, else black; `out` has
 * image's size. Fails: ESTOPPED. */
parl_status parl_canvas_select(const parl_image *image, uint32_t colour, int near,
                               const parl_image *out, const parl_pace *pace);

/* Connected components of the pixels that are not of the colour `background`; pixels that touch at
 * a corner are connected.
 *   labels [height, width] out: 0 of the background, else 1 to *n_out in the order of the
 *   components' first pixels, row by row
 * Fails: ESTOPPED. */
parl_status parl_canvas_label(const parl_image *image, uint32_t background, int32_t *labels,
                              int *n_out, const parl_pace *pace);

typedef struct parl_canvas_box {
  int x, y, width, height; /* pixels */
  int n;                   /* pixels of the component itself */
} parl_canvas_box;

/* boxes [n] out: of what parl_canvas_label has found. Fails: ESTOPPED. */
parl_status parl_canvas_measure(const int32_t *labels, int width, int height, int n,
                                parl_canvas_box *boxes, const parl_pace *pace);

#endif
