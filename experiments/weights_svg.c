/* experiments/weights_svg.c - the curves as a picture of its own, of the report's charts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "experiments/weights.h"

enum { WIDTH = 520, HEIGHT = 250, HEAD = 22, LINE = 17, GAP = 14 };

/* The charts of one weight. */
typedef struct sheet {
  const parl_weight_curves *curves;
  parl_series *series;  /* [n_arms] */
  parl_summary *points; /* [n_arms, n_points] */
} sheet;

/* Arms that have the weight become series; their number. */
static size_t fill_in(const sheet *s, const char *weight, bool *is_zero) {
  const parl_weight_curves *w = s->curves;
  size_t n = 0;
  *is_zero = true;
  for (size_t i = 0; i < w->n; i++) {
    const parl_weight_curve *c = &w->of[i];
    if (strcmp(c->weight, weight) != 0) continue;
    parl_summary *y = &s->points[n * w->n_points];
    for (size_t k = 0; k < w->n_points; k++) {
      y[k] = (parl_summary){.mean = c->values[k], .iqm = c->values[k], .lo = NAN, .hi = NAN};
      *is_zero = *is_zero && !(c->values[k] > 0);
    }
    s->series[n++] = (parl_series){parl_recipe_get_arm_name(w->recipe, c->arm), c->arm, y};
  }
  return n;
}

/* A legend in a picture: one line an arm, as its line is drawn, with what was assumed. */
static void append_names(const sheet *s, const char *weight, double y, parl_text *out) {
  const parl_weight_curves *w = s->curves;
  for (size_t i = 0; i < w->n; i++) {
    const parl_weight_curve *c = &w->of[i];
    if (strcmp(c->weight, weight) != 0) continue;
    parl_text_appendf(out, "<g class=\"k%zu\">", c->arm % PARL_N_COLOURS);
    parl_chart_append_marker(out, c->arm, 60, y - 4, 3.4, false);
    parl_text_appendf(out, "<text x=\"70\" y=\"%.0f\">", y);
    parl_text_append_html(out, parl_recipe_get_arm_name(w->recipe, c->arm));
    if (c->assumed.n > 0) parl_text_appendf(out, " (assumed: %s)", parl_text_get(&c->assumed));
    if (c->undefined.n > 0)
      parl_text_appendf(out, " (as if undefined: %s)", parl_text_get(&c->undefined));
    parl_text_append(out, "</text></g>\n");
    y += LINE;
  }
}

/* Height of what it drew at y. */
static double append_weight(const sheet *s, const char *weight, double y, parl_text *out) {
  bool is_zero;
  const size_t n = fill_in(s, weight, &is_zero);
  if (is_zero) return 0;
  parl_text_appendf(out, "<text class=\"head\" x=\"8\" y=\"%.0f\">", y + 15);
  parl_text_append_html(out, weight);
  parl_text_appendf(out, "</text>\n<svg x=\"0\" y=\"%.0f\" width=\"%d\" height=\"%d\">\n", y + HEAD,
                    WIDTH, HEIGHT);
  parl_chart_append_lines(out, &(parl_line_chart){.title = weight,
                                                  .unit = "1",
                                                  .n_points = s->curves->n_points,
                                                  .n_series = n,
                                                  .x = s->curves->updates,
                                                  .x_name = "update",
                                                  .series = s->series,
                                                  .level = NAN,
                                                  .digits = 3});
  parl_text_append(out, "</svg>\n");
  append_names(s, weight, y + HEAD + HEIGHT + LINE, out);
  return HEAD + HEIGHT + (double)(n + 1) * LINE + GAP;
}

static bool is_first(const parl_weight_curves *w, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (strcmp(w->of[k].weight, w->of[i].weight) == 0) return false;
  return true;
}

static void append_all(const sheet *s, parl_text *out) {
  parl_text body = {0};
  double y = HEAD + GAP;
  for (size_t i = 0; i < s->curves->n; i++)
    if (is_first(s->curves, i)) y += append_weight(s, s->curves->of[i].weight, y, &body);
  parl_text_appendf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" "
                    "width=\"%d\" height=\"%.0f\">\n<style>\n",
                    WIDTH, y, WIDTH, y);
  parl_text_append_html(out, parl_report_style);
  parl_text_appendf(out,
                    "</style>\n<rect width=\"100%%\" height=\"100%%\" style=\"fill: "
                    "var(--card)\"/>\n<text class=\"head\" x=\"8\" y=\"18\">");
  parl_text_append_html(out, parl_recipe_get_name(s->curves->recipe));
  parl_text_append(out, ": weights over updates</text>\n");
  parl_text_append(out, parl_text_get(&body));
  parl_text_append(out, "</svg>\n");
  out->failed |= body.failed;
  parl_text_deinit(&body);
}

parl_status parl_weight_curves_append_svg(const parl_weight_curves *curves, parl_text *out) {
  const size_t n_arms = parl_recipe_get_n_arms(curves->recipe);
  sheet s = {.curves = curves,
             .series = calloc(n_arms, sizeof *s.series),
             .points = calloc(n_arms * curves->n_points, sizeof *s.points)};
  parl_status status = parl_fail(PARL_STATUS_ENOMEM, "no memory for a chart of %zu arms", n_arms);
  if (s.series != NULL && s.points != NULL) {
    append_all(&s, out);
    status = parl_text_status(out);
  }
  free(s.series);
  free(s.points);
  return status;
}
