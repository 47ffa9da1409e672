/* experiments/report_chart.c - axes, markers, line charts with bands, legends; all as inline SVG.
 *
 * Colours are classes k0..k5 of the page (a chart in the dark has others); a style is told apart by
 * its dash and marker too. */
#include <string.h>

#include "experiments/report_internal.h"

enum { N_COLOURS = 6, N_DASHES = 4, N_MARKERS = 4 };
enum { WIDTH = 520, HEIGHT = 250, LEFT = 50, RIGHT = 14, TOP = 12, BOTTOM = 38 };

static const char *const dashes[N_DASHES] = {"", "7 3", "2 3", "9 3 2 3"};

/* 1, 2 or 5 times a power of ten, at least `rough`. */
static double get_round_step(double rough) {
  const double power = pow(10, floor(log10(rough)));
  const double share = rough / power;
  return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

parl_axis parl_axis_make(double low, double high, int wanted, double pixel_low, double pixel_high) {
  if (!(high > low)) { /* one value, or none */
    const double middle = isfinite(low) ? low : 0;
    low = middle - (middle != 0 ? fabs(middle) / 2 : 0);
    high = middle + (middle != 0 ? fabs(middle) / 2 : 1);
  }
  parl_axis a = {.step = get_round_step((high - low) / wanted)};
  a.low = floor(low / a.step + 1e-9) * a.step;
  a.high = ceil(high / a.step - 1e-9) * a.step;
  a.pixel_low = pixel_low;
  a.pixel_high = pixel_high;
  const double digits = -floor(log10(a.step) + 1e-9);
  a.digits = digits > 0 ? (int)digits : 0;
  return a;
}

void parl_chart_append_marker(parl_text *out, size_t style, double x, double y, double radius,
                              bool hollow) {
  const double r = radius;
  const char *paint = hollow ? "class=\"hollow\" stroke=\"currentColor\" stroke-width=\"1.6\""
                             : "fill=\"currentColor\"";
  switch (style % N_MARKERS) {
    case 0:
      parl_text_appendf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" %s/>", x, y, r, paint);
      break;
    case 1:
      parl_text_appendf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s/>",
                        x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r, paint);
      break;
    case 2:
      parl_text_appendf(out, "<path d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\" %s/>", x,
                        y - 1.3 * r, 1.3 * r, 1.3 * r, -1.3 * r, 1.3 * r, -1.3 * r, -1.3 * r,
                        paint);
      break;
    default:
      parl_text_appendf(out, "<path d=\"M%.1f %.1fl%.1f %.1fh%.1fz\" %s/>", x, y - 1.2 * r, 1.2 * r,
                        2.1 * r, -2.4 * r, paint);
  }
}

/* --- lines --- */

static void widen(double value, double *low, double *high) {
  if (!isfinite(value)) return;
  if (!(value >= *low)) *low = value;
  if (!(value <= *high)) *high = value;
}

static parl_axis make_y_axis(const parl_line_chart *c) {
  double low = NAN, high = NAN;
  for (size_t s = 0; s < c->n_series; s++)
    for (size_t i = 0; i < c->n_points; i++) {
      widen(c->series[s].y[i].iqm, &low, &high);
      widen(c->series[s].y[i].lo, &low, &high);
      widen(c->series[s].y[i].hi, &low, &high);
    }
  widen(c->level, &low, &high);
  if (c->is_share || (low >= 0 && low < 0.5 * high)) low = 0;
  if (c->is_share) high = 1;
  if (low == 0 && high == 0) high = 1;
  return parl_axis_make(low, high, 5, HEIGHT - BOTTOM, TOP);
}

static void append_grid(parl_text *out, const parl_axis *x, const parl_axis *y,
                        const char *x_name) {
  parl_text_append(out, "<g class=\"grid\">");
  for (double v = y->low; v <= y->high + y->step / 2; v += y->step)
    parl_text_appendf(out, "<path d=\"M%d %.1fH%d\"/>", LEFT, parl_axis_place(y, v), WIDTH - RIGHT);
  parl_text_append(out, "</g>\n<g class=\"tick\">");
  for (double v = y->low; v <= y->high + y->step / 2; v += y->step)
    parl_text_appendf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>", LEFT - 7,
                      parl_axis_place(y, v) + 4, y->digits, fabs(v) < y->step / 2 ? 0.0 : v);
  for (double v = x->low; v <= x->high + x->step / 2; v += x->step) {
    const double at = parl_axis_place(x, v);
    parl_text_appendf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f</text>", at,
                      HEIGHT - BOTTOM + 16, x->digits, v);
  }
  parl_text_appendf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text></g>\n",
                    WIDTH - RIGHT, HEIGHT - 6, x_name);
}

/* The area between lo and hi of one unbroken run of points [first, last). */
static void append_band_piece(parl_text *out, const parl_line_chart *c, const parl_series *s,
                              const parl_axis *x, const parl_axis *y, size_t first, size_t last) {
  if (last < first + 2) return;
  parl_text_append(out, "<path class=\"band\" d=\"");
  for (size_t i = first; i < last; i++)
    parl_text_appendf(out, "%s%.1f %.1f", i == first ? "M" : "L", parl_axis_place(x, c->x[i]),
                      parl_axis_place(y, s->y[i].hi));
  for (size_t i = last; i-- > first;)
    parl_text_appendf(out, "L%.1f %.1f", parl_axis_place(x, c->x[i]),
                      parl_axis_place(y, s->y[i].lo));
  parl_text_append(out, "z\"/>");
}

static void append_band(parl_text *out, const parl_line_chart *c, const parl_series *s,
                        const parl_axis *x, const parl_axis *y) {
  size_t first = 0;
  for (size_t i = 0; i <= c->n_points; i++) {
    if (i < c->n_points && isfinite(s->y[i].lo) && isfinite(s->y[i].hi)) continue;
    append_band_piece(out, c, s, x, y, first, i);
    first = i + 1;
  }
}

static void append_line(parl_text *out, const parl_line_chart *c, const parl_series *s,
                        const parl_axis *x, const parl_axis *y) {
  parl_text_appendf(out, "<path class=\"line\" stroke-dasharray=\"%s\" d=\"",
                    dashes[s->style % N_DASHES]);
  bool pen_down = false;
  double last_x = 0, last_y = 0;
  for (size_t i = 0; i < c->n_points; i++) {
    if (!isfinite(s->y[i].iqm)) {
      pen_down = false;
      continue;
    }
    last_x = parl_axis_place(x, c->x[i]);
    last_y = parl_axis_place(y, s->y[i].iqm);
    parl_text_appendf(out, "%s%.1f %.1f", pen_down ? "L" : "M", last_x, last_y);
    pen_down = true;
  }
  parl_text_append(out, "\"/>");
  if (pen_down) parl_chart_append_marker(out, s->style, last_x, last_y, 3.4, false);
}

/* What a reader who cannot see the chart is told: the last value of each line. */
static void append_description(parl_text *out, const parl_line_chart *c) {
  parl_text_append_html(out, c->title);
  parl_text_appendf(out, " against %s. Last values:", c->x_name);
  for (size_t s = 0; s < c->n_series; s++) {
    size_t last = c->n_points;
    while (last > 0 && !isfinite(c->series[s].y[last - 1].iqm)) last--;
    parl_text_append(out, s > 0 ? ", " : " ");
    parl_text_append_html(out, c->series[s].name);
    if (last > 0)
      parl_text_appendf(out, " %.*f", c->digits, c->series[s].y[last - 1].iqm);
    else
      parl_text_append(out, " none");
  }
}

/* Its name stands at the left end and below it, where learning curves seldom are. */
static void append_level(parl_text *out, const parl_line_chart *c, const parl_axis *y) {
  if (!isfinite(c->level)) return;
  const double at = parl_axis_place(y, c->level);
  const bool below = at + 16 < HEIGHT - BOTTOM;
  parl_text_appendf(out,
                    "<path class=\"level\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" "
                    "y=\"%.1f\">",
                    LEFT, at, WIDTH - RIGHT, LEFT + 4, below ? at + 13 : at - 5);
  parl_text_append_html(out, c->level_name);
  parl_text_appendf(out, " %.*f</text>", c->digits, c->level);
}

void parl_chart_append_lines(parl_text *out, const parl_line_chart *c) {
  const double end = c->n_points > 1 ? c->x[c->n_points - 1] : 1;
  parl_axis x = parl_axis_make(0, end, 6, LEFT, WIDTH - RIGHT);
  x.high = end; /* the line ends at the frame; ticks stay round */
  const parl_axis y = make_y_axis(c);
  parl_text_appendf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
  append_description(out, c);
  parl_text_append(out, "\">\n");
  parl_axis ticks = x;
  ticks.high = floor(end / x.step + 1e-9) * x.step;
  ticks.pixel_high = parl_axis_place(&x, ticks.high > 0 ? ticks.high : end);
  if (!(ticks.high > 0)) ticks.high = end;
  append_grid(out, &ticks, &y, c->x_name);
  for (size_t s = 0; s < c->n_series; s++) {
    parl_text_appendf(out, "<g class=\"k%zu\">", c->series[s].style % N_COLOURS);
    append_band(out, c, &c->series[s], &x, &y);
    parl_text_append(out, "</g>");
  }
  append_level(out, c, &y);
  for (size_t s = 0; s < c->n_series; s++) {
    parl_text_appendf(out, "<g class=\"k%zu\">", c->series[s].style % N_COLOURS);
    append_line(out, c, &c->series[s], &x, &y);
    parl_text_append(out, "</g>\n");
  }
  parl_text_append(out, "</svg>\n");
}

void parl_chart_append_legend(parl_text *out, const parl_series *series, size_t n) {
  parl_text_append(out, "<p class=\"legend\">");
  for (size_t s = 0; s < n; s++) {
    parl_text_appendf(out,
                      "<span class=\"k%zu\"><svg viewBox=\"0 0 34 12\" width=\"34\" height=\"12\" "
                      "aria-hidden=\"true\"><path class=\"line\" stroke-dasharray=\"%s\" "
                      "d=\"M1 6H33\"/>",
                      series[s].style % N_COLOURS, dashes[series[s].style % N_DASHES]);
    parl_chart_append_marker(out, series[s].style, 17, 6, 3.4, false);
    parl_text_append(out, "</svg><b>");
    parl_text_append_html(out, series[s].name);
    parl_text_append(out, "</b></span> ");
  }
  parl_text_append(out, "</p>\n");
}
