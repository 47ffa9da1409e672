/* core/canvas.c - shapes, noise, and parts of images. */
#include "core/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3 };

/* Columns [first, end) of a row, both clipped. */
static void fill_span(const parl_image *image, int y, int64_t first, int64_t end, uint32_t colour) {
  if (y < 0 || y >= image->height) return;
  if (first < 0) first = 0;
  if (end > image->width) end = image->width;
  if (first >= end) return;
  uint8_t *to = image->rgb + ((size_t)y * (size_t)image->width + (size_t)first) * CHANNELS;
  for (int64_t x = first; x < end; x++) {
    *to++ = (uint8_t)(colour >> 16);
    *to++ = (uint8_t)(colour >> 8);
    *to++ = (uint8_t)colour;
  }
}

static int clip_row(int64_t y, const parl_image *image) {
  return y < 0 ? 0 : y > image->height ? image->height : (int)y;
}

void parl_canvas_fill(const parl_image *image, uint32_t colour) {
  parl_canvas_rect(image, 0, 0, image->width, image->height, colour);
}

void parl_canvas_rect(const parl_image *image, int x, int y, int width, int height,
                      uint32_t colour) {
  const int end = clip_row((int64_t)y + height, image);
  for (int row = clip_row(y, image); row < end; row++)
    fill_span(image, row, x, (int64_t)x + width, colour);
}

/* The largest root with root^2 <= x, 0 <= x < 2^52. */
static int64_t get_root(int64_t x) {
  int64_t root = (int64_t)sqrt((double)x);
  while (root * root > x) root--;
  while ((root + 1) * (root + 1) <= x) root++;
  return root;
}

/* dx^2 + dy^2 <= (r + 1/2)^2 in integers: <= r^2 + r. */
void parl_canvas_disc(const parl_image *image, int x, int y, int r, uint32_t colour) {
  const int64_t within = (int64_t)r * r + r;
  const int end = clip_row((int64_t)y + r + 1, image);
  for (int row = clip_row((int64_t)y - r, image); row < end; row++) {
    const int64_t dy = row - y, half = get_root(within - dy * dy);
    fill_span(image, row, x - half, x + half + 1, colour);
  }
}

/* n / d rounded to the nearest, halves away from 0; d > 0. */
static int64_t divide_near(int64_t n, int64_t d) {
  return n < 0 ? -((-2 * n + d) / (2 * d)) : (2 * n + d) / (2 * d);
}

void parl_canvas_line(const parl_image *image, int x0, int y0, int x1, int y1, uint32_t colour) {
  const int64_t dx = (int64_t)x1 - x0, dy = (int64_t)y1 - y0;
  const bool is_steep = (dy < 0 ? -dy : dy) > (dx < 0 ? -dx : dx);
  const int64_t length = is_steep ? dy : dx, rise = is_steep ? dx : dy;
  const int start = is_steep ? y0 : x0, side = is_steep ? image->height : image->width;
  const int64_t low = length < 0 ? start + length : start,
                high = length < 0 ? start : start + length;
  for (int64_t at = low < 0 ? 0 : low; at <= high && at < side; at++) {
    const int64_t along = length < 0 ? start - at : at - start;
    const int64_t across =
        length == 0 ? 0 : divide_near(along * rise, length < 0 ? -length : length);
    const int64_t x = is_steep ? x0 + across : at, y = is_steep ? at : y0 + across;
    if (y >= 0 && y < image->height) fill_span(image, (int)y, x, x + 1, colour);
  }
}

/* n / d rounded up; d > 0. */
static int64_t divide_up(int64_t n, int64_t d) {
  return n > 0 ? (n + d - 1) / d : -(-n / d);
}

/* Where an edge crosses the middle of row y, as the first pixel whose centre is not left of it:
 * with a = (xa, ya) above b, x = xa + (2 (y - ya) + 1)(xb - xa) / (2 (yb - ya)) - 1/2, rounded up.
 * False if it does not. */
static bool find_crossing(const int *a, const int *b, int y, int64_t *x) {
  if (a[1] > b[1]) {
    const int *swapped = a;
    a = b;
    b = swapped;
  }
  if (y < a[1] || y >= b[1]) return false;
  const int64_t high = (int64_t)b[1] - a[1], wide = (int64_t)b[0] - a[0];
  *x = a[0] + divide_up((2 * ((int64_t)y - a[1]) + 1) * wide - high, 2 * high);
  return true;
}

/* Every crossing turns the inside into the outside for what is right of it. */
static void fill_row(const parl_image *image, const int *points, int n, int y, uint32_t colour) {
  uint8_t turns[PARL_CANVAS_MAX_SIDE + 1];
  memset(turns, 0, (size_t)image->width + 1);
  for (int i = 0; i < n; i++) {
    int64_t x;
    if (!find_crossing(points + 2 * i, points + 2 * ((i + 1) % n), y, &x)) continue;
    turns[x < 0 ? 0 : x > image->width ? image->width : x] ^= 1;
  }
  for (int x = 0, inside = 0; x < image->width; x++) {
    inside ^= turns[x];
    if (inside) fill_span(image, y, x, x + 1, colour);
  }
}

parl_status parl_canvas_polygon(const parl_image *image, const int *points, int n, uint32_t colour,
                                const parl_pace *pace) {
  PARL_REQUIRE(n >= 3 && n <= PARL_CANVAS_MAX_POINTS && image->width <= PARL_CANVAS_MAX_SIDE);
  int low = points[1], high = points[1];
  for (int i = 1; i < n; i++) {
    if (points[2 * i + 1] < low) low = points[2 * i + 1];
    if (points[2 * i + 1] > high) high = points[2 * i + 1];
  }
  const int end = clip_row(high, image);
  for (int y = clip_row(low, image); y < end; y++) {
    PARL_TRY(parl_pace_go_on(pace, 4.0 * n + image->width));
    fill_row(image, points, n, y, colour);
  }
  return PARL_STATUS_OK;
}

static uint8_t add_clipped(uint8_t x, int more) {
  const int sum = x + more;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

parl_status parl_canvas_noise(const parl_image *image, parl_rng_cursor *cursor, int amount,
                              const parl_pace *pace) {
  PARL_REQUIRE(amount >= 0 && amount <= 255);
  const uint64_t n_values = 2 * (uint64_t)amount + 1;
  uint8_t *at = image->rgb;
  for (int y = 0; y < image->height; y++) {
    PARL_TRY(parl_pace_go_on(pace, 10.0 * image->width));
    for (int x = 0; x < image->width; x++) {
      uint64_t bits = parl_rng_next(cursor); /* 21 of them a channel */
      for (int c = 0; c < CHANNELS; c++, at++, bits >>= 21)
        *at = add_clipped(*at, (int)((bits & 0x1fffff) * n_values >> 21) - amount);
    }
  }
  return PARL_STATUS_OK;
}

uint32_t parl_canvas_get(const parl_image *image, int x, int y) {
  const uint8_t *at = image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * CHANNELS;
  return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

void parl_canvas_crop(const parl_image *image, int x, int y, const parl_image *out) {
  const size_t row_bytes = (size_t)out->width * CHANNELS;
  for (int row = 0; row < out->height; row++) {
    const size_t from = ((size_t)(y + row) * (size_t)image->width + (size_t)x) * CHANNELS;
    memcpy(out->rgb + (size_t)row * row_bytes, image->rgb + from, row_bytes);
  }
}

parl_status parl_canvas_threshold(const parl_image *image, int level, const parl_image *out,
                                  const parl_pace *pace) {
  const uint8_t *from = image->rgb;
  uint8_t *to = out->rgb;
  for (int y = 0; y < image->height; y++) {
    PARL_TRY(parl_pace_go_on(pace, image->width));
    for (int x = 0; x < image->width; x++, from += CHANNELS, to += CHANNELS) {
      const int luminance = (19595 * from[0] + 38470 * from[1] + 7471 * from[2] + (1 << 15)) >> 16;
      memset(to, luminance >= level ? 255 : 0, CHANNELS);
    }
  }
  return PARL_STATUS_OK;
}

parl_status parl_canvas_select(const parl_image *image, uint32_t colour, int near,
                               const parl_image *out, const parl_pace *pace) {
  const int due[CHANNELS] = {colour >> 16 & 255, colour >> 8 & 255, colour & 255};
  const uint8_t *from = image->rgb;
  uint8_t *to = out->rgb;
  for (int y = 0; y < image->height; y++) {
    PARL_TRY(parl_pace_go_on(pace, image->width));
    for (int x = 0; x < image->width; x++, from += CHANNELS, to += CHANNELS) {
      bool is_near = true;
      for (int c = 0; c < CHANNELS; c++) is_near = is_near && abs(from[c] - due[c]) <= near;
      memset(to, is_near ? 255 : 0, CHANNELS);
    }
  }
  return PARL_STATUS_OK;
}
