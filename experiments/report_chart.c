/* experiments/report_chart.c - markers, line charts with bands, legends; all as inline SVG.
 *
 * Colours are classes k0..k9 of the page (a chart in the dark has others); a style is told apart by
 * its dash and marker too. */
#include <stdlib.h>
#include <string.h>

#include "experiments/report_vega.h"

enum { N_DASHES = 4, N_MARKERS = 7 }; /* no divisors of PARL_N_COLOURS: few styles are alike */
enum { WIDTH = 520, HEIGHT = 250, LEFT = 50, RIGHT = 14, TOP = 12, BOTTOM = 38 };

static const char *const dashes[N_DASHES] = {"", "7 3", "2 3", "9 3 2 3"};

/* Outlines around (0, 0) for a radius of 1: circle is drawn as such, the others as paths. */
static const char *const marker_paths[N_MARKERS] = {
    NULL,
    "M-.9-.9h1.8v1.8h-1.8z",                                       /* square */
    "M0-1.3 1.3 0 0 1.3-1.3 0z",                                   /* diamond */
    "M0-1.2 1.2.9h-2.4z",                                          /* triangle */
    "M0 1.2 1.2-.9h-2.4z",                                         /* its reverse */
    "M-.4-1.2h.8v.8h.8v.8h-.8v.8h-.8v-.8h-.8v-.8h.8z",             /* plus */
    "M0-1.5.4-.5 1.4-.5.6.2.9 1.2 0 .6-.9 1.2-.6.2-1.4-.5-.4-.5z", /* star */
};

/* The outline with each of its numbers times a radius: a transform would scale the stroke, too. */
static void append_outline(parl_text *out, const char *path, double radius) {
  bool after_number = false;
  while (*path != '\0') {
    char *next;
    const double value = strtod(path, &next);
    if (next == path) {
      if (*path != ' ') parl_text_append_bytes(out, path, 1);
      path++;
      after_number = false;
      continue;
    }
    parl_text_appendf(out, "%s%.3g", after_number ? " " : "", value * radius);
    path = next;
    after_number = true;
  }
}

void parl_chart_append_marker(parl_text *out, size_t style, double x, double y, double radius,
                              bool hollow) {
  const char *path = marker_paths[style % N_MARKERS];
  if (path == NULL)
    parl_text_appendf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", x, y, radius);
  else {
    parl_text_appendf(out, "<path transform=\"translate(%.1f %.1f)\" d=\"", x, y);
    append_outline(out, path, radius);
    parl_text_append(out, "\"");
  }
  parl_text_append(out, hollow ? " class=\"hollow\"/>" : " class=\"mark\"/>");
}

/* --- lines --- */

void parl_chart_get_range(const parl_line_chart *c, double *low, double *high) {
  *low = *high = NAN;
  for (size_t s = 0; s < c->n_series; s++)
    for (size_t i = 0; i < c->n_points; i++) {
      parl_axis_widen(c->series[s].y[i].iqm, low, high);
      parl_axis_widen(c->series[s].y[i].lo, low, high);
      parl_axis_widen(c->series[s].y[i].hi, low, high);
    }
  parl_axis_widen(c->level, low, high);
}

static parl_axis make_y_axis(const parl_line_chart *c) {
  double low, high;
  parl_chart_get_range(c, &low, &high);
  if (c->is_share || (low >= 0 && low < 0.5 * high)) low = 0;
  if (c->is_share) high = 1;
  return parl_axis_make(low, high, 5, HEIGHT - BOTTOM, TOP);
}

/* Where a path ends so far, in tenths of a pixel: moves from there are half as long to write, and
 * add up to the same. */
typedef struct path_end {
  long x, y;
} path_end;

static void append_tenths(parl_text *out, long tenths) {
  const long whole = labs(tenths) / 10, rest = labs(tenths) % 10;
  parl_text_appendf(out, "%s%ld", tenths < 0 ? "-" : "", whole);
  if (rest > 0) parl_text_appendf(out, ".%ld", rest);
}

static void append_point(parl_text *out, path_end *end, bool is_first, double x, double y) {
  const path_end to = {lround(10 * x), lround(10 * y)};
  path_end from = {0};
  if (!is_first) from = *end;
  const bool is_flat = !is_first && to.y == from.y;
  parl_text_append(out, is_first ? "M" : is_flat ? "h" : "l");
  append_tenths(out, to.x - from.x);
  if (!is_flat) {
    parl_text_append(out, " ");
    append_tenths(out, to.y - from.y);
  }
  *end = to;
}

/* The area between lo and hi of one unbroken run of points [first, last). */
static void append_band_piece(parl_text *out, const parl_line_chart *c, const parl_series *s,
                              const parl_axis *x, const parl_axis *y, size_t first, size_t last) {
  if (last < first + 2) return;
  path_end end = {0};
  parl_text_append(out, "<path class=\"band\" d=\"");
  for (size_t i = first; i < last; i++)
    append_point(out, &end, i == first, parl_axis_place(x, c->x[i]),
                 parl_axis_place(y, s->y[i].hi));
  for (size_t i = last; i-- > first;)
    append_point(out, &end, false, parl_axis_place(x, c->x[i]), parl_axis_place(y, s->y[i].lo));
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

double parl_chart_get_smoothed(const parl_line_chart *c, const parl_series *s, size_t i,
                               size_t window) {
  const size_t half = window / 2, first = i > half ? i - half : 0;
  double sum = 0, n = 0;
  if (!isfinite(s->y[i].iqm)) return NAN;
  for (size_t k = first; k <= i + half && k < c->n_points; k++) {
    if (!isfinite(s->y[k].iqm)) continue;
    sum += s->y[k].iqm;
    n++;
  }
  return sum / n;
}

/* One line of the values, or of their means over `window` points; its marker at the last one. */
static void append_line(parl_text *out, const parl_line_chart *c, const parl_series *s,
                        const parl_axis *x, const parl_axis *y, size_t window) {
  bool pen_down = false, any = false;
  path_end end = {0};
  double last_x = 0, last_y = 0;
  parl_text_append(out, " d=\"");
  for (size_t i = 0; i < c->n_points; i++) {
    const double value = parl_chart_get_smoothed(c, s, i, window);
    const bool known = isfinite(value);
    if (known) {
      last_x = parl_axis_place(x, c->x[i]);
      last_y = parl_axis_place(y, value);
      append_point(out, &end, !pen_down, last_x, last_y);
    }
    pen_down = known;
    any = any || known;
  }
  parl_text_append(out, any ? "\"/>" : "M0 0\"/>");
  if (any) parl_chart_append_marker(out, s->style, last_x, last_y, 3.4, false);
}

size_t parl_chart_get_window(const parl_line_chart *c) {
  return c->is_noisy ? c->n_points / 30 * 2 + 1 : 1;
}

size_t parl_chart_get_series_window(const parl_line_chart *c, size_t s) {
  return s + c->n_exact >= c->n_series ? 1 : parl_chart_get_window(c);
}

static void append_series(parl_text *out, const parl_line_chart *c, const parl_series *s,
                          const parl_axis *x, const parl_axis *y) {
  const size_t window = parl_chart_get_series_window(c, (size_t)(s - c->series));
  parl_text_appendf(out, "<g class=\"k%zu\">", s->style % PARL_N_COLOURS);
  if (window > 1) {
    parl_text_append(out, "<g class=\"raw\"><path class=\"line\"");
    append_line(out, c, s, x, y, 1);
    parl_text_append(out, "</g>");
  }
  parl_text_appendf(out, "<path class=\"line\" stroke-dasharray=\"%s\"",
                    dashes[s->style % N_DASHES]);
  append_line(out, c, s, x, y, window);
  parl_text_append(out, "</g>\n");
}

bool parl_chart_is_informative(const parl_line_chart *c) {
  double low = NAN, high = NAN;
  for (size_t s = 0; s < c->n_series; s++)
    for (size_t i = 0; i < c->n_points; i++) parl_axis_widen(c->series[s].y[i].iqm, &low, &high);
  return !isnan(low) && !parl_axis_is_one_value(low, high);
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
    parl_text_append(out, last > 0 ? " " : " none");
    if (last > 0) parl_number_append(out, c->series[s].y[last - 1].iqm, c->digits);
  }
}

/* Its name stands at the left end and below it, where learning curves seldom are. */
static void append_level(parl_text *out, const parl_line_chart *c, const parl_axis *y,
                         double left) {
  if (!isfinite(c->level)) return;
  const double at = parl_axis_place(y, c->level);
  const bool below = at + 16 < HEIGHT - BOTTOM;
  parl_text_appendf(out,
                    "<path class=\"level\" d=\"M%.1f %.1fH%d\"/><text class=\"tick\" x=\"%.1f\" "
                    "y=\"%.1f\">",
                    left, at, WIDTH - RIGHT, left + 4, below ? at + 13 : at - 5);
  parl_text_append_html(out, c->level_name);
  parl_text_append(out, " ");
  parl_number_append(out, c->level, c->digits);
  parl_text_append(out, "</text>");
}

void parl_chart_append_lines(parl_text *out, const parl_line_chart *c) {
  const parl_axis y = make_y_axis(c);
  const double left = fmax(LEFT, 14 + parl_axis_get_label_width(&y));
  const double end = c->n_points > 0 ? c->x[c->n_points - 1] : 0;
  const parl_axis x = parl_axis_make_within(end, 6, left, WIDTH - RIGHT);
  parl_text_appendf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
  append_description(out, c);
  parl_text_append(out, "\">\n");
  parl_axis_append_y(out, &y, left, WIDTH - RIGHT);
  parl_axis_append_x(out, &x, TOP, HEIGHT - BOTTOM, false);
  parl_text_appendf(out, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
                    WIDTH - RIGHT, HEIGHT - 6, c->x_name);
  for (size_t s = 0; s < c->n_series; s++) {
    parl_text_appendf(out, "<g class=\"k%zu\">", c->series[s].style % PARL_N_COLOURS);
    append_band(out, c, &c->series[s], &x, &y);
    parl_text_append(out, "</g>");
  }
  append_level(out, c, &y, left);
  for (size_t s = 0; s < c->n_series; s++) append_series(out, c, &c->series[s], &x, &y);
  parl_text_append(out, "</svg>\n");
}

void parl_chart_append_sample(parl_text *out, size_t style) {
  parl_text_appendf(out, "<path class=\"line\" stroke-dasharray=\"%s\" d=\"M1 6H33\"/>",
                    dashes[style % N_DASHES]);
  parl_chart_append_marker(out, style, 17, 6, 3.4, false);
}

void parl_chart_append_legend(parl_text *out, const parl_series *series, size_t n) {
  parl_text_append(out, "<p class=\"legend\">");
  for (size_t s = 0; s < n; s++) {
    parl_text_appendf(out,
                      "<span class=\"k%zu\"><svg viewBox=\"0 0 34 12\" width=\"34\" height=\"12\" "
                      "aria-hidden=\"true\">",
                      series[s].style % PARL_N_COLOURS);
    parl_chart_append_sample(out, series[s].style);
    parl_text_append(out, "</svg><b>");
    parl_text_append_html(out, series[s].name);
    parl_text_append(out, "</b></span> ");
  }
  parl_text_append(out, "</p>\n");
}
