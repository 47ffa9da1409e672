/* core/image_resize.c - Pillow's BICUBIC, bit for bit.
 *
 * Weights are doubles, rounded once to integers of 22 bits; everything after that is exact. Across
 * first, into an image of the new width that has only the rows the second pass reads; then down. */
#include <math.h>
#include <stdlib.h>

#include "core/image.h"

enum {
  CHANNELS = 3,
  WEIGHT_BITS = 32 - 8 - 2,
  HALF = 1 << (WEIGHT_BITS - 1),
  BLOCK = 256, /* bytes of a row that are summed at once */
  ALIGNMENT = 8
};

/* What one output pixel is made of: n_taps input pixels from `first` on. */
typedef struct span {
  int first, n_taps;
} span;

typedef struct plan {
  int n_in, n;      /* inputs, outputs */
  int most_taps;    /* row length of weights */
  span *spans;      /* [n] */
  int32_t *weights; /* [n, most_taps] */
  double *exact;    /* [most_taps]: of one output, before they are rounded */
} plan;

static double get_cubic(double x) {
  const double a = -0.5;
  if (x < 0.0) x = -x;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/* Halves away from zero. */
static int32_t round_weight(double w) {
  const double scaled = w * (1 << WEIGHT_BITS);
  return (int32_t)(w < 0 ? -0.5 + scaled : 0.5 + scaled);
}

static void plan_output(const plan *p, int o) {
  const double scale = (double)p->n_in / p->n;
  const double filter_scale = scale < 1.0 ? 1.0 : scale; /* wider where it gets smaller */
  const double support = 2.0 * filter_scale, centre = (o + 0.5) * scale;
  int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
  if (first < 0) first = 0;
  if (end > p->n_in) end = p->n_in;
  double sum = 0.0;
  for (int i = 0; i < end - first; i++) {
    p->exact[i] = get_cubic((i + first - centre + 0.5) * (1.0 / filter_scale));
    sum += p->exact[i];
  }
  p->spans[o] = (span){first, end - first};
  int32_t *weights = p->weights + (size_t)o * (size_t)p->most_taps;
  for (int i = 0; i < end - first; i++)
    weights[i] = round_weight(sum != 0.0 ? p->exact[i] / sum : p->exact[i]);
}

/* The next n * bytes of the scratch; `base` may be NULL where only *at, how much it is, is asked
 * for. */
static void *carve(void *base, size_t *at, size_t n, size_t bytes) {
  void *piece = base != NULL ? (char *)base + *at : NULL;
  *at += (n * bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return piece;
}

static plan carve_plan(void *base, size_t *at, int n_in, int n_out) {
  const double scale = (double)n_in / n_out;
  plan p = {.n_in = n_in, .n = n_out, .most_taps = (int)ceil(2.0 * fmax(scale, 1.0)) * 2 + 1};
  const size_t n = (size_t)n_out, most = (size_t)p.most_taps;
  p.spans = carve(base, at, n, sizeof *p.spans);
  p.weights = carve(base, at, n * most, sizeof *p.weights);
  p.exact = carve(base, at, most, sizeof *p.exact);
  return p;
}

static parl_status make_plan(const plan *p, const parl_pace *pace) {
  for (int o = 0; o < p->n; o++) {
    PARL_TRY(parl_pace_go_on(pace, 8.0 * p->most_taps));
    plan_output(p, o);
  }
  return PARL_STATUS_OK;
}

static uint8_t clip(int32_t sum) {
  const int32_t x = sum >> WEIGHT_BITS;
  return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* The weighted sums of a span of pixels side by side. */
static void sum_pixels(const uint8_t *in, int n_taps, const int32_t *weights, uint8_t *out) {
  int32_t red = HALF, green = HALF, blue = HALF;
  for (int i = 0; i < n_taps; i++, in += CHANNELS) {
    red += in[0] * weights[i];
    green += in[1] * weights[i];
    blue += in[2] * weights[i];
  }
  out[0] = clip(red);
  out[1] = clip(green);
  out[2] = clip(blue);
}

/* The weighted sums of a span of rows, of n bytes of each. */
static void sum_rows(const uint8_t *in, size_t row_bytes, int n_taps, const int32_t *weights,
                     size_t n, uint8_t *out) {
  int32_t sums[BLOCK];
  for (size_t k = 0; k < n; k++) sums[k] = HALF;
  for (int i = 0; i < n_taps; i++, in += row_bytes)
    for (size_t k = 0; k < n; k++) sums[k] += in[k] * weights[i];
  for (size_t k = 0; k < n; k++) out[k] = clip(sums[k]);
}

static parl_status resize_across(const parl_image *in, int first_row, const plan *p,
                                 const parl_image *out, const parl_pace *pace) {
  for (int y = 0; y < out->height; y++) {
    PARL_TRY(parl_pace_go_on(pace, 3.0 * p->n * p->most_taps));
    const uint8_t *row = in->rgb + ((size_t)y + (size_t)first_row) * (size_t)in->width * CHANNELS;
    uint8_t *to = out->rgb + (size_t)y * (size_t)out->width * CHANNELS;
    for (int x = 0; x < p->n; x++) {
      const int32_t *weights = p->weights + (size_t)x * (size_t)p->most_taps;
      const uint8_t *from = row + (size_t)p->spans[x].first * CHANNELS;
      sum_pixels(from, p->spans[x].n_taps, weights, to);
      to += CHANNELS;
    }
  }
  return PARL_STATUS_OK;
}

static parl_status resize_down(const parl_image *in, int first_row, const plan *p,
                               const parl_image *out, const parl_pace *pace) {
  const size_t row_bytes = (size_t)in->width * CHANNELS;
  for (int y = 0; y < p->n; y++) {
    PARL_TRY(parl_pace_go_on(pace, (double)row_bytes * p->most_taps));
    const int32_t *weights = p->weights + (size_t)y * (size_t)p->most_taps;
    const uint8_t *from = in->rgb + (size_t)(p->spans[y].first - first_row) * row_bytes;
    uint8_t *to = out->rgb + (size_t)y * row_bytes;
    for (size_t i = 0; i < row_bytes; i += BLOCK) {
      const size_t n = row_bytes - i < BLOCK ? row_bytes - i : BLOCK;
      sum_rows(from + i, row_bytes, p->spans[y].n_taps, weights, n, to + i);
    }
  }
  return PARL_STATUS_OK;
}

/* What a resize works in. `between` has the new width and every row of the old height; the second
 * pass reads those from the first span's on. */
typedef struct workplace {
  plan across, down;
  parl_image between;
  size_t bytes; /* of the scratch */
} workplace;

static workplace carve_workplace(void *base, int width, int height, int to_width, int to_height) {
  workplace w = {0};
  w.across = carve_plan(base, &w.bytes, width, to_width);
  w.down = carve_plan(base, &w.bytes, height, to_height);
  if (width != to_width && height != to_height) {
    w.between = (parl_image){.width = to_width, .height = height};
    w.between.rgb = carve(base, &w.bytes, (size_t)to_width * (size_t)height, CHANNELS);
  }
  return w;
}

size_t parl_image_get_resize_bytes(int width, int height, int to_width, int to_height) {
  return carve_workplace(NULL, width, height, to_width, to_height).bytes;
}

/* A side that stays is passed by. */
parl_status parl_image_resize_into(const parl_image *image, const parl_image *out, void *scratch,
                                   const parl_pace *pace) {
  workplace w = carve_workplace(scratch, image->width, image->height, out->width, out->height);
  PARL_TRY(make_plan(&w.across, pace));
  PARL_TRY(make_plan(&w.down, pace));
  if (image->width == out->width) return resize_down(image, 0, &w.down, out, pace);
  if (image->height == out->height) return resize_across(image, 0, &w.across, out, pace);
  const int first = w.down.spans[0].first;
  const span last = w.down.spans[out->height - 1];
  w.between.height = last.first + last.n_taps - first;
  PARL_TRY(resize_across(image, first, &w.across, &w.between, pace));
  return resize_down(&w.between, first, &w.down, out, pace);
}

parl_status parl_image_resize(const parl_image *image, int width, int height, parl_image *out) {
  parl_image resized;
  PARL_TRY(parl_image_init(&resized, width, height));
  const size_t bytes = parl_image_get_resize_bytes(image->width, image->height, width, height);
  void *scratch = malloc(bytes);
  const parl_status s =
      scratch != NULL
          ? parl_image_resize_into(image, &resized, scratch, NULL)
          : parl_fail(PARL_STATUS_ENOMEM, "no memory to resize an image: %zu bytes", bytes);
  free(scratch);
  if (s == PARL_STATUS_OK)
    *out = resized;
  else
    parl_image_deinit(&resized);
  return s;
}
