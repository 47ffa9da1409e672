/* experiments/report_axis.c - axes: round ticks over any range, and the frame they draw.
 *
 * Ticks are counted, never summed up: tick i is (first + i) steps, so an axis ends however small
 * its step is beside its values. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"

/* Beyond HUGE_RANGE values lie at the edge; below NOISE of the value, or DENORMAL, a range is
 * rounding noise: half the numbers of a report come of 24-bit weights. */
static const double HUGE_RANGE = 1e300, DENORMAL = 1e-290, NOISE = 1e-7;

static double clamp(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

void parl_axis_widen(double value, double *low, double *high) {
  if (!isfinite(value)) return;
  if (!(value >= *low)) *low = value;
  if (!(value <= *high)) *high = value;
}

/* 1, 2 or 5 times a power of ten, at least `rough`. */
static double get_round_step(double rough) {
  const double power = pow(10, floor(log10(rough)));
  const double share = rough / power;
  return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

bool parl_axis_is_one_value(double low, double high) {
  return !(high - low > NOISE * fmax(fabs(low), fabs(high))) || high - low < DENORMAL;
}

parl_axis parl_axis_make(double low, double high, int wanted, double pixel_low, double pixel_high) {
  if (isnan(low)) low = high;
  if (isnan(high)) high = low;
  low = clamp(isnan(low) ? 0 : low, -HUGE_RANGE, HUGE_RANGE);
  high = clamp(isnan(high) ? 0 : high, -HUGE_RANGE, HUGE_RANGE);
  if (parl_axis_is_one_value(low, high)) {
    const double middle = fabs(low) < DENORMAL ? 0 : low;
    low = middle - fabs(middle) / 2;
    high = middle != 0 ? middle + fabs(middle) / 2 : 1;
  }
  parl_axis a = {.step = get_round_step(high / wanted - low / wanted)};
  a.first = floor(low / a.step + 1e-9);
  const double last = ceil(high / a.step - 1e-9);
  a.n_ticks = (int)(last - a.first) + 1;
  a.low = fmin(low, a.first * a.step);
  a.high = fmax(high, last * a.step);
  a.pixel_low = pixel_low;
  a.pixel_high = pixel_high;
  a.digits = (int)clamp(-floor(log10(a.step) + 1e-9), 0, 12);
  return a;
}

parl_axis parl_axis_make_within(double high, int wanted, double pixel_low, double pixel_high) {
  parl_axis a = parl_axis_make(0, high, wanted, pixel_low, pixel_high);
  while (a.n_ticks > 1 && parl_axis_get_tick(&a, a.n_ticks - 1) > high * (1 + 1e-9)) a.n_ticks--;
  if (high > 0 && isfinite(high)) a.high = high;
  return a;
}

double parl_axis_place(const parl_axis *a, double value) {
  const double share = (value - a->low) / (a->high - a->low);
  return a->pixel_low + clamp(share, 0, 1) * (a->pixel_high - a->pixel_low);
}

void parl_axis_format(const parl_axis *a, double value, char out[PARL_NUMBER_BYTES]) {
  const double largest = fmax(fabs(a->low), fabs(a->high));
  if (largest < 1e6 && largest >= 1e-3) {
    snprintf(out, PARL_NUMBER_BYTES, "%.*f", a->digits, value);
    return;
  }
  const double places = floor(log10(largest) + 1e-9) - floor(log10(a->step) + 1e-9);
  const int figures = (int)clamp(places + 1, 1, 12);
  snprintf(out, PARL_NUMBER_BYTES, "%.*g", figures, value);
  parl_number_shorten(out);
}

double parl_axis_get_label_width(const parl_axis *a) {
  size_t letters = 0;
  for (int i = 0; i < a->n_ticks; i++) {
    char label[PARL_NUMBER_BYTES];
    parl_axis_format(a, parl_axis_get_tick(a, i), label);
    if (strlen(label) > letters) letters = strlen(label);
  }
  return 6.6 * (double)letters;
}

void parl_axis_append_x(parl_text *out, const parl_axis *x, double top, double bottom, bool grid) {
  parl_text_append(out, "<g class=\"grid\">");
  for (int i = 0; i < x->n_ticks && grid; i++)
    parl_text_appendf(out, "<path d=\"M%.1f %.1fV%.1f\"/>",
                      parl_axis_place(x, parl_axis_get_tick(x, i)), top, bottom);
  parl_text_append(out, "</g><g class=\"tick\">");
  for (int i = 0; i < x->n_ticks; i++) {
    char label[PARL_NUMBER_BYTES];
    parl_axis_format(x, parl_axis_get_tick(x, i), label);
    parl_text_appendf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
                      parl_axis_place(x, parl_axis_get_tick(x, i)), bottom + 16, label);
  }
  parl_text_append(out, "</g>\n");
}

void parl_axis_append_y(parl_text *out, const parl_axis *y, double left, double right) {
  parl_text_append(out, "<g class=\"grid\">");
  for (int i = 0; i < y->n_ticks; i++)
    parl_text_appendf(out, "<path d=\"M%.1f %.1fH%.1f\"/>", left,
                      parl_axis_place(y, parl_axis_get_tick(y, i)), right);
  parl_text_append(out, "</g><g class=\"tick\">");
  for (int i = 0; i < y->n_ticks; i++) {
    char label[PARL_NUMBER_BYTES];
    parl_axis_format(y, parl_axis_get_tick(y, i), label);
    parl_text_appendf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>", left - 7,
                      parl_axis_place(y, parl_axis_get_tick(y, i)) + 4, label);
  }
  parl_text_append(out, "</g>\n");
}
