/* core/image_resize.c - Pillow's BICUBIC, bit for bit.
 *
 * Weights are doubles, rounded once to integers of 22 bits; everything after that is exact. Across
 * first, into an image of the new width that has only the rows the second pass reads; then down. */
#include <math.h>
#include <stdlib.h>

#include "core/image.h"

enum { CHANNELS = 3, WEIGHT_BITS = 32 - 8 - 2 };

/* What one output pixel is made of: n_taps input pixels from `first` on. */
typedef struct span {
  int first, n_taps;
} span;

typedef struct plan {
  int n;            /* outputs */
  int most_taps;    /* row length of weights */
  span *spans;      /* [n] */
  int32_t *weights; /* [n, most_taps] */
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

static void plan_output(plan *p, int o, int n_in, double *exact) {
  const double scale = (double)n_in / p->n;
  const double filter_scale = scale < 1.0 ? 1.0 : scale; /* wider where it gets smaller */
  const double support = 2.0 * filter_scale, centre = (o + 0.5) * scale;
  int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
  if (first < 0) first = 0;
  if (end > n_in) end = n_in;
  double sum = 0.0;
  for (int i = 0; i < end - first; i++) {
    exact[i] = get_cubic((i + first - centre + 0.5) * (1.0 / filter_scale));
    sum += exact[i];
  }
  p->spans[o] = (span){first, end - first};
  int32_t *weights = p->weights + (size_t)o * (size_t)p->most_taps;
  for (int i = 0; i < end - first; i++)
    weights[i] = round_weight(sum != 0.0 ? exact[i] / sum : exact[i]);
}

static void plan_deinit(plan *p) {
  free(p->spans);
  free(p->weights);
}

static parl_status plan_init(plan *p, int n_in, int n_out) {
  const double scale = (double)n_in / n_out;
  *p = (plan){.n = n_out, .most_taps = (int)ceil(2.0 * fmax(scale, 1.0)) * 2 + 1};
  double *exact = malloc((size_t)p->most_taps * sizeof *exact);
  p->spans = malloc((size_t)n_out * sizeof *p->spans);
  p->weights = calloc((size_t)n_out * (size_t)p->most_taps, sizeof *p->weights);
  const int lacks_memory = exact == NULL || p->spans == NULL || p->weights == NULL;
  for (int o = 0; o < n_out && !lacks_memory; o++) plan_output(p, o, n_in, exact);
  free(exact);
  return lacks_memory ? parl_fail(PARL_STATUS_ENOMEM, "no memory for the weights of a resize")
                      : PARL_STATUS_OK;
}

static uint8_t clip(int32_t sum) {
  const int32_t x = sum >> WEIGHT_BITS;
  return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* The weighted sum of a span of pixels that lie `step` bytes apart, of one channel. */
static uint8_t sum_span(const uint8_t *in, size_t step, span s, const int32_t *weights) {
  int32_t sum = 1 << (WEIGHT_BITS - 1);
  for (int i = 0; i < s.n_taps; i++) sum += in[(size_t)i * step] * weights[i];
  return clip(sum);
}

static void resize_across(const parl_image *in, int first_row, const plan *p, parl_image *out) {
  for (int y = 0; y < out->height; y++) {
    const uint8_t *row = in->rgb + ((size_t)y + (size_t)first_row) * (size_t)in->width * CHANNELS;
    uint8_t *to = out->rgb + (size_t)y * (size_t)out->width * CHANNELS;
    for (int x = 0; x < p->n; x++) {
      const int32_t *weights = p->weights + (size_t)x * (size_t)p->most_taps;
      const uint8_t *from = row + (size_t)p->spans[x].first * CHANNELS;
      for (int c = 0; c < CHANNELS; c++) *to++ = sum_span(from + c, CHANNELS, p->spans[x], weights);
    }
  }
}

static void resize_down(const parl_image *in, int first_row, const plan *p, parl_image *out) {
  const size_t row_bytes = (size_t)in->width * CHANNELS;
  for (int y = 0; y < p->n; y++) {
    const int32_t *weights = p->weights + (size_t)y * (size_t)p->most_taps;
    const uint8_t *from = in->rgb + (size_t)(p->spans[y].first - first_row) * row_bytes;
    uint8_t *to = out->rgb + (size_t)y * row_bytes;
    for (size_t i = 0; i < row_bytes; i++)
      to[i] = sum_span(from + i, row_bytes, p->spans[y], weights);
  }
}

/* Both passes, where a side that stays is passed by. Rows [first, end) of the input are read. */
static parl_status resize(const parl_image *in, const plan *across, const plan *down,
                          parl_image *out) {
  if (across->n == in->width) {
    resize_down(in, 0, down, out);
    return PARL_STATUS_OK;
  }
  if (down->n == in->height) {
    resize_across(in, 0, across, out);
    return PARL_STATUS_OK;
  }
  const int first = down->spans[0].first;
  const span last = down->spans[down->n - 1];
  parl_image between;
  PARL_TRY(parl_image_init(&between, across->n, last.first + last.n_taps - first));
  resize_across(in, first, across, &between);
  resize_down(&between, first, down, out);
  parl_image_deinit(&between);
  return PARL_STATUS_OK;
}

parl_status parl_image_resize(const parl_image *image, int width, int height, parl_image *out) {
  plan across = {0}, down = {0};
  parl_image resized = {0};
  parl_status s = parl_image_init(&resized, width, height);
  if (s == PARL_STATUS_OK) s = plan_init(&across, image->width, width);
  if (s == PARL_STATUS_OK) s = plan_init(&down, image->height, height);
  if (s == PARL_STATUS_OK) s = resize(image, &across, &down, &resized);
  plan_deinit(&across);
  plan_deinit(&down);
  if (s == PARL_STATUS_OK)
    *out = resized;
  else
    parl_image_deinit(&resized);
  return s;
}
