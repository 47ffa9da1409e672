/* experiments/report_strata_plots.c - the aggregates of every arm side by side, and the chance that
 * it beats its reference. */
#include "experiments/report_vega.h"

enum { ROW = 26, NAMES = 150, TOP = 26, FOOT = 24, N_PANELS = PARL_N_AGGREGATES };

const parl_estimate *parl_aggregates_get(const parl_report_strata *s, size_t i) {
  const parl_estimate *const each[N_PANELS] = {&s->of.iqm, &s->of.mean, &s->of.median,
                                               &s->of.optimality_gap};
  return each[i];
}

const char *parl_aggregates_get_title(size_t i) {
  static const char *const titles[N_PANELS] = {"IQM", "mean", "median", "optimality gap"};
  return titles[i];
}

parl_axis parl_aggregates_make_axis(const parl_report *r, size_t i, double left, double right) {
  double low = NAN, high = NAN;
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_estimate *e = parl_aggregates_get(&r->arms[a].strata, i);
    if (r->arms[a].strata.n_tasks == 0) continue;
    parl_axis_widen(e->value, &low, &high);
    parl_axis_widen(fmax(e->lo, 0), &low,
                    &high); /* of few seeds intervals may be wider than scores are */
    parl_axis_widen(fmin(e->hi, 1), &low, &high);
  }
  return parl_axis_make(low, high, 3, left, right);
}

/* A marker with its interval; what it says when pointed at. */
static void append_estimate(parl_text *out, const parl_report_arm *arm, size_t style,
                            const parl_estimate *e, const parl_axis *x, double y) {
  char text[PARL_SUMMARY_BYTES];
  const parl_summary s = {.mean = e->value, .iqm = e->value, .lo = e->lo, .hi = e->hi, .n = 1};
  if (!isfinite(e->value)) return;
  parl_summary_format(&s, 3, text);
  parl_text_appendf(out, "<g class=\"k%zu\"><title>", style % PARL_N_COLOURS);
  parl_text_append_html(out, arm->name);
  parl_text_appendf(out, ": %s</title>", text);
  if (isfinite(e->lo) && isfinite(e->hi))
    parl_text_appendf(out, "<path class=\"line\" d=\"M%.1f %.1fH%.1f\"/>",
                      parl_axis_place(x, e->lo), y, parl_axis_place(x, e->hi));
  parl_chart_append_marker(out, style, parl_axis_place(x, e->value), y, 4.6, false);
  parl_text_append(out, "</g>\n");
}

static void append_name(parl_text *out, const parl_report_arm *arm, double y) {
  parl_text_appendf(out, "<text class=\"name\" x=\"0\" y=\"%.1f\">", y + 4);
  parl_text_append_html_short(out, arm->name, 20);
  parl_text_append(out, "</text>\n");
}

static void append_panel(parl_text *out, const parl_report *r, size_t panel, double left,
                         double right, double bottom) {
  const parl_axis x = parl_aggregates_make_axis(r, panel, left, right);
  parl_text_appendf(out, "<text class=\"head\" x=\"%.1f\" y=\"16\">%s</text>", left,
                    parl_aggregates_get_title(panel));
  parl_axis_append_x(out, &x, TOP, bottom, true);
  double y = TOP + 0.5 * ROW;
  for (size_t a = 0; a < r->n_arms; a++) {
    if (r->arms[a].strata.n_tasks == 0) continue;
    append_estimate(out, &r->arms[a], a, parl_aggregates_get(&r->arms[a].strata, panel), &x, y);
    y += ROW;
  }
}

void parl_chart_append_aggregates(parl_text *out, const parl_report *r) {
  const double width = 1080, step = (width - NAMES) / N_PANELS;
  size_t n = 0;
  for (size_t a = 0; a < r->n_arms; a++) n += r->arms[a].strata.n_tasks > 0;
  const double bottom = TOP + (double)n * ROW;
  parl_text_appendf(out,
                    "<svg class=\"wide\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
                    "aria-label=\"Interquartile mean, mean, median and optimality gap of every "
                    "policy with 95 %% intervals; the table below has the numbers\">\n",
                    width, bottom + FOOT);
  for (size_t p = 0; p < N_PANELS; p++) {
    const double left = NAMES + step * (double)p;
    append_panel(out, r, p, left + 14, left + step - 24, bottom);
  }
  double y = TOP + 0.5 * ROW;
  for (size_t a = 0; a < r->n_arms; a++) {
    if (r->arms[a].strata.n_tasks == 0) continue;
    append_name(out, &r->arms[a], y);
    y += ROW;
  }
  parl_text_append(out, "</svg>\n");
}

size_t parl_report_count_improvements(const parl_report *r) {
  size_t n = 0;
  for (size_t a = 0; a < r->n_arms; a++) n += isfinite(r->arms[a].strata.improvement.value);
  return n;
}

void parl_chart_append_improvements(parl_text *out, const parl_report *r) {
  const double width = 520, bottom = TOP + (double)parl_report_count_improvements(r) * ROW;
  const parl_axis x = parl_axis_make(0, 1, 4, NAMES, width - 24);
  parl_text_appendf(
      out,
      "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Chance that a seed of "
      "each policy beats one of the reference, with 95 %% intervals; the table below "
      "has the numbers\">\n",
      width, bottom + FOOT);
  parl_axis_append_x(out, &x, TOP, bottom, true);
  parl_text_appendf(out, "<path class=\"level\" d=\"M%.1f %dV%.1f\"/>\n", parl_axis_place(&x, 0.5),
                    TOP - 4, bottom);
  double y = TOP + 0.5 * ROW;
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_estimate *e = &r->arms[a].strata.improvement;
    if (!isfinite(e->value)) continue;
    append_estimate(out, &r->arms[a], a, e, &x, y);
    append_name(out, &r->arms[a], y);
    y += ROW;
  }
  parl_text_append(out, "</svg>\n");
}
