/* experiments/report_plots.c - comparisons of arms: dots with intervals, scatter, endings. */
#include <string.h>

#include "experiments/report_vega.h"

enum { N_PANELS = PARL_N_DOT_PANELS, ROW = 30 };

static const parl_score panel_scores[N_PANELS] = {
    PARL_SCORE_r_perf,         PARL_SCORE_success,     PARL_SCORE_last_gain_steps,
    PARL_SCORE_critical_steps, PARL_SCORE_launch_rate, PARL_SCORE_finish_rate};

/* Measured in critical steps, so that the optimum is one of its values. */
static bool has_optimum(parl_score score) {
  return score == PARL_SCORE_last_gain_steps || score == PARL_SCORE_critical_steps;
}

static void append_title(parl_text *out, const char *name, const char *what, const parl_summary *s,
                         int digits) {
  parl_text_append(out, "<title>");
  parl_text_append_html(out, name);
  char text[PARL_SUMMARY_BYTES];
  parl_summary_format(s, digits, text);
  parl_text_appendf(out, ", %s: %s, n = %zu</title>", what, text, s->n);
}

static void widen_by_score(const parl_report *r, parl_score score, double *low, double *high) {
  for (size_t a = 0; a < r->n_arms; a++)
    for (int d = 0; d < PARL_N_DECODINGS; d++) {
      const parl_summary *s = parl_arm_score(r, &r->arms[a], (parl_decoding)d, 0, score);
      parl_axis_widen(s->iqm, low, high);
      parl_axis_widen(s->lo, low, high);
      parl_axis_widen(s->hi, low, high);
    }
  for (size_t i = 0; i < r->n_runs; i++)
    parl_axis_widen(parl_run_scores(r, &r->runs[i], PARL_DECODING_MAIN, 0)->of[score], low, high);
}

double parl_report_get_optimum(const parl_report *r) {
  if (r->n_envs > 1) return NAN; /* each has its own */
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_summary *s =
        parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0, PARL_SCORE_optimum_steps);
    if (s->n > 0) return s->mean;
  }
  return NAN;
}

/* A bound is never called an optimum. */
const char *parl_report_get_optimum_label(const parl_report *r) {
  switch (r->optimum_kinds) {
    case 1u << PARL_OPTIMUM_EXACT:
      return "optimum";
    case 1u << PARL_OPTIMUM_BOUND:
      return "lower bound";
    case 1u << PARL_OPTIMUM_EXPECTED:
    case 1u << PARL_OPTIMUM_EXPECTED | 1u << PARL_OPTIMUM_EXACT:
      return "expected optimum";
    default:
      return (r->optimum_kinds & 1u << PARL_OPTIMUM_BOUND) != 0 ? "optimum or bound"
                                                                : "stated optimum";
  }
}

/* --- dots --- */

typedef struct panel {
  parl_score score;
  parl_axis axis;
  double top, bottom;
} panel;

static void append_panel_frame(parl_text *out, const panel *p) {
  parl_text_appendf(out, "<text class=\"head\" x=\"%.1f\" y=\"16\">%s</text>", p->axis.pixel_low,
                    parl_score_infos[p->score].label);
  parl_axis_append_x(out, &p->axis, p->top, p->bottom, true);
}

static void append_interval(parl_text *out, const parl_axis *x, const parl_summary *s, double y) {
  if (isfinite(s->lo) && isfinite(s->hi))
    parl_text_appendf(out, "<path class=\"line\" d=\"M%.1f %.1fH%.1f\"/>",
                      parl_axis_place(x, s->lo), y, parl_axis_place(x, s->hi));
}

/* One arm in one panel: its seeds, the interval, the mean; greedy hollow below it. */
static void append_dot(parl_text *out, const parl_report *r, size_t a, const panel *p, double y) {
  const parl_report_arm *arm = &r->arms[a];
  const int digits = parl_score_infos[p->score].digits;
  const parl_summary *s = parl_arm_score(r, arm, PARL_DECODING_MAIN, 0, p->score);
  const parl_summary *greedy = parl_arm_score(r, arm, PARL_DECODING_GREEDY, 0, p->score);
  for (size_t i = 0; i < r->n_runs; i++) {
    const double value = parl_run_scores(r, &r->runs[i], PARL_DECODING_MAIN, 0)->of[p->score];
    if (r->runs[i].arm == a && r->runs[i].counted && isfinite(value))
      parl_text_appendf(out, "<circle class=\"seed\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>",
                        parl_axis_place(&p->axis, value), y);
  }
  if (isfinite(s->iqm)) {
    parl_text_append(out, "<g>");
    append_title(out, arm->name, "sampled", s, digits);
    append_interval(out, &p->axis, s, y);
    parl_chart_append_marker(out, a, parl_axis_place(&p->axis, s->iqm), y, 4.6, false);
    parl_text_append(out, "</g>");
  }
  if (!isfinite(greedy->iqm)) return;
  parl_text_append(out, "<g>");
  append_title(out, arm->name, "greedy", greedy, digits);
  append_interval(out, &p->axis, greedy, y + 10);
  parl_chart_append_marker(out, a, parl_axis_place(&p->axis, greedy->iqm), y + 10, 3.2, true);
  parl_text_append(out, "</g>");
}

parl_score parl_dots_get_score(size_t i) {
  return panel_scores[i];
}

bool parl_dots_has_optimum(size_t i) {
  return has_optimum(panel_scores[i]);
}

static parl_axis make_dots_axis(const parl_report *r, parl_score score, double left, double right) {
  double low = NAN, high = NAN;
  widen_by_score(r, score, &low, &high);
  if (has_optimum(score)) parl_axis_widen(parl_report_get_optimum(r), &low, &high);
  if (score != PARL_SCORE_r_perf && low > 0) low = 0;
  if (!has_optimum(score) && high > 0.8 && high < 1) high = 1;
  return parl_axis_make(low, high, 3, left, right);
}

parl_axis parl_dots_make_axis(const parl_report *r, size_t i) {
  return make_dots_axis(r, panel_scores[i], 0, 1);
}

void parl_chart_append_dots(parl_text *out, const parl_report *r) {
  const double names = 150, top = 26, bottom = top + ROW * (double)r->n_arms + 6;
  const double width = 1080, step = (width - names) / N_PANELS;
  parl_text_appendf(
      out,
      "<svg class=\"wide\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Scores "
      "of every policy with 95 %% intervals; the table below has the numbers\">\n",
      width, bottom + 24);
  for (size_t i = 0; i < N_PANELS; i++) {
    const double left = names + step * (double)i;
    const panel p = {panel_scores[i],
                     make_dots_axis(r, panel_scores[i], left + 14, left + step - 24), top, bottom};
    append_panel_frame(out, &p);
    const double optimum = parl_report_get_optimum(r);
    if (has_optimum(p.score) && isfinite(optimum)) {
      const double x = parl_axis_place(&p.axis, optimum);
      parl_text_appendf(out,
                        "<path class=\"level\" d=\"M%.1f %.1fV%.1f\"><title>mean %s "
                        "%.2f</title></path>",
                        x, top - 4, bottom, parl_report_get_optimum_label(r), optimum);
    }
    for (size_t a = 0; a < r->n_arms; a++) {
      parl_text_appendf(out, "<g class=\"k%zu\">", a % PARL_N_COLOURS);
      append_dot(out, r, a, &p, top + ROW * ((double)a + 0.4));
      parl_text_append(out, "</g>\n");
    }
  }
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_text_appendf(out, "<text class=\"name\" x=\"0\" y=\"%.1f\">",
                      top + ROW * ((double)a + 0.4) + 4);
    parl_text_append_html_short(out, r->arms[a].name, 20);
    parl_text_append(out, "</text>\n");
  }
  parl_text_append(out, "</svg>\n");
}

/* --- scatter --- */

enum { S_WIDTH = 520, S_HEIGHT = 330, S_LEFT = 50, S_RIGHT = 14, S_TOP = 16, S_BOTTOM = 42 };
enum { MAX_LABELS = 128, LABEL_HEIGHT = 14, LETTER_WIDTH = 7 };

typedef struct labels {
  double x[MAX_LABELS], y[MAX_LABELS], width[MAX_LABELS];
  size_t n;
} labels;

static bool overlaps(const labels *l, double x, double y, double width) {
  for (size_t i = 0; i < l->n; i++)
    if (x < l->x[i] + l->width[i] && l->x[i] < x + width && fabs(y - l->y[i]) < LABEL_HEIGHT)
      return true;
  return false;
}

static void add_obstacle(labels *l, double x, double y, double width) {
  if (l->n == MAX_LABELS) return;
  l->x[l->n] = x;
  l->y[l->n] = y;
  l->width[l->n++] = width;
}

static bool is_free(const labels *l, double x, double y, double width) {
  return x > S_LEFT && x + width < S_WIDTH && y > S_TOP && y < S_HEIGHT - S_BOTTOM &&
         !overlaps(l, x, y, width);
}

/* Right or left of the marker, moved up and down until it is free: it begins at (*from, *at). */
static void place_label(labels *l, const char *name, double x, double y, double *from, double *at) {
  size_t letters = 0;
  while (letters < 22 && name[letters] != '\0') letters++;
  const double width = 11 + LETTER_WIDTH * (double)letters;
  for (int i = 0; i < 48; i++) {
    const double right = x + 9, left = x - 9 - width;
    *at = y + 4 + (i / 2 % 2 ? -1 : 1) * (double)((i / 2 + 1) / 2) * LABEL_HEIGHT;
    *from = i % 2 ? left : right;
    if (is_free(l, *from, *at, width)) break;
  }
  add_obstacle(l, *from, *at, width);
}

/* It begins with a small marker, so that it is told whose it is. */
static void append_label(parl_text *out, size_t style, const char *name, double from, double at) {
  parl_text_appendf(out, "<g class=\"k%zu\">", style % PARL_N_COLOURS);
  parl_chart_append_marker(out, style, from + 4, at - 4, 3.2, false);
  parl_text_appendf(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", from + 11, at);
  parl_text_append_html_short(out, name, 22);
  parl_text_append(out, "</text></g>");
}

/* Where an arm lies; false if it has no place. */
typedef struct spot {
  const parl_summary *gain, *end, *perf; /* critical steps at the last gain and at the end */
  double x, y, left, right;              /* pixels, with the interval of x */
} spot;

static bool find_spot(const parl_report *r, size_t a, const parl_axis *x, const parl_axis *y,
                      spot *out) {
  const parl_report_arm *arm = &r->arms[a];
  const parl_decoding main = PARL_DECODING_MAIN;
  *out = (spot){.gain = parl_arm_score(r, arm, main, 0, PARL_SCORE_last_gain_steps),
                .end = parl_arm_score(r, arm, main, 0, PARL_SCORE_critical_steps),
                .perf = parl_arm_score(r, arm, main, 0, PARL_SCORE_r_perf)};
  if (!isfinite(out->gain->iqm) || !isfinite(out->perf->iqm)) return false;
  const bool has_interval = isfinite(out->gain->lo) && isfinite(out->gain->hi);
  out->x = parl_axis_place(x, out->gain->iqm);
  out->y = parl_axis_place(y, out->perf->iqm);
  out->left = has_interval ? fmin(out->x, parl_axis_place(x, out->gain->lo)) : out->x;
  out->right = has_interval ? fmax(out->x, parl_axis_place(x, out->gain->hi)) : out->x;
  return true;
}

static void append_seeds(parl_text *out, const parl_report *r, size_t a, const parl_axis *x,
                         const parl_axis *y) {
  for (size_t i = 0; i < r->n_runs; i++) {
    const double *of = parl_run_scores(r, &r->runs[i], PARL_DECODING_MAIN, 0)->of;
    const double steps = of[PARL_SCORE_last_gain_steps], perf = of[PARL_SCORE_r_perf];
    if (r->runs[i].arm == a && r->runs[i].counted && isfinite(steps) && isfinite(perf))
      parl_text_appendf(out, "<circle class=\"seed\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>",
                        parl_axis_place(x, steps), parl_axis_place(y, perf));
  }
}

/* The marker of one arm, its seeds and intervals, and a tail to where its episodes end. */
static void append_point(parl_text *out, const parl_report *r, size_t a, const parl_axis *x,
                         const parl_axis *y, labels *l) {
  const parl_report_arm *arm = &r->arms[a];
  spot at;
  if (!find_spot(r, a, x, y, &at)) return;
  parl_text_appendf(out, "<g class=\"k%zu\">", a % PARL_N_COLOURS);
  append_seeds(out, r, a, x, y);
  parl_text_append(out, "<g>");
  append_title(out, arm->name, "r_perf", at.perf, 3);
  append_interval(out, x, at.gain, at.y);
  if (isfinite(at.perf->lo) && isfinite(at.perf->hi))
    parl_text_appendf(out, "<path class=\"line\" d=\"M%.1f %.1fV%.1f\"/>", at.x,
                      parl_axis_place(y, at.perf->lo), parl_axis_place(y, at.perf->hi));
  if (isfinite(at.end->iqm)) {
    const double end = parl_axis_place(x, at.end->iqm);
    parl_text_appendf(out, "<path class=\"tail\" d=\"M%.1f %.1fH%.1f\"/>", at.x, at.y, end);
    parl_chart_append_marker(out, a, end, at.y, 3.2, true);
    add_obstacle(l, end - 4, at.y + 4, 8);
  }
  parl_chart_append_marker(out, a, at.x, at.y, 5, false);
  parl_text_append(out, "</g></g>\n");
  add_obstacle(l, at.left - 6, at.y + 4, at.right - at.left + 12);
}

/* where: gets the places too, unless it is NULL. */
static void append_names(parl_text *out, const parl_report *r, const parl_axis *x,
                         const parl_axis *y, labels *l, const parl_scatter *where) {
  for (size_t a = 0; a < r->n_arms; a++) {
    spot it;
    double from, at;
    if (!find_spot(r, a, x, y, &it)) continue;
    place_label(l, r->arms[a].name, it.x, it.y, &from, &at);
    append_label(out, a, r->arms[a].name, from, at);
    if (where == NULL) continue;
    where->label_x[a] = parl_axis_get_value(x, from);
    where->label_y[a] = parl_axis_get_value(y, at - 4);
  }
  parl_text_append(out, "\n");
}

static void make_scatter_axes(const parl_report *r, parl_axis *x, parl_axis *y) {
  const double optimum = parl_report_get_optimum(r);
  double x_low = NAN, x_high = NAN, y_low = NAN, y_high = NAN;
  widen_by_score(r, PARL_SCORE_last_gain_steps, &x_low, &x_high);
  widen_by_score(r, PARL_SCORE_critical_steps, &x_low, &x_high);
  widen_by_score(r, PARL_SCORE_r_perf, &y_low, &y_high);
  parl_axis_widen(optimum, &x_low, &x_high);
  if (y_high > 0.8 && y_high < 1) y_high = 1;
  *y = parl_axis_make(y_low, y_high, 5, S_HEIGHT - S_BOTTOM, S_TOP);
  *x = parl_axis_make(x_low, x_high, 6, fmax(S_LEFT, 14 + parl_axis_get_label_width(y)),
                      S_WIDTH - S_RIGHT);
}

static void append_points(parl_text *out, const parl_report *r, const parl_axis *x,
                          const parl_axis *y, const parl_scatter *where) {
  labels l = {.n = 0};
  for (size_t a = 0; a < r->n_arms; a++) append_point(out, r, a, x, y, &l);
  append_names(out, r, x, y, &l, where);
}

parl_status parl_scatter_place(const parl_report *r, parl_scatter *out) {
  parl_text unused = {0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &out->label_x));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &out->label_y));
  for (size_t a = 0; a < r->n_arms; a++) out->label_x[a] = out->label_y[a] = NAN;
  make_scatter_axes(r, &out->x, &out->y);
  append_points(&unused, r, &out->x, &out->y, out);
  const parl_status s = parl_text_status(&unused);
  parl_text_deinit(&unused);
  return s;
}

void parl_chart_append_scatter(parl_text *out, const parl_report *r) {
  const double optimum = parl_report_get_optimum(r);
  parl_axis x, y;
  make_scatter_axes(r, &x, &y);
  const double left = x.pixel_low;
  parl_text_appendf(out,
                    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"r_perf against critical "
                    "steps at the last gain, one point a policy; the table of steps has the "
                    "numbers\">\n",
                    S_WIDTH, S_HEIGHT);
  parl_axis_append_y(out, &y, left, S_WIDTH - S_RIGHT);
  parl_axis_append_x(out, &x, S_TOP, S_HEIGHT - S_BOTTOM, true);
  parl_text_appendf(out,
                    "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">critical steps at "
                    "the last gain; hollow: at the end</text>\n",
                    S_WIDTH - S_RIGHT, S_HEIGHT - 8);
  if (isfinite(optimum)) {
    const double at = parl_axis_place(&x, optimum);
    parl_text_appendf(out,
                      "<path class=\"level\" d=\"M%.1f %dV%d\"/><text class=\"tick\" x=\"%.1f\" "
                      "y=\"%d\">%s %.2f</text>\n",
                      at, S_TOP, S_HEIGHT - S_BOTTOM, at + 5, S_HEIGHT - S_BOTTOM - 6,
                      parl_report_get_optimum_label(r), optimum);
  }
  append_points(out, r, &x, &y, NULL);
  parl_text_append(out, "</svg>\n");
}

/* --- ends of episodes --- */

void parl_chart_append_endings(parl_text *out, const parl_report *r) {
  const double names = 130, right = 506, top = 8, bottom = top + ROW * (double)r->n_arms;
  parl_text_appendf(out,
                    "<svg viewBox=\"0 0 520 %.0f\" role=\"img\" aria-label=\"What ended episodes; "
                    "the table below has the numbers\">\n",
                    bottom + 6);
  for (size_t a = 0; a < r->n_arms; a++) {
    const double y = top + ROW * (double)a;
    double x = names;
    parl_text_appendf(out, "<text class=\"name\" x=\"0\" y=\"%.1f\">", y + 15);
    parl_text_append_html_short(out, r->arms[a].name, 17);
    parl_text_append(out, "</text>");
    for (int s = PARL_SCORE_end_finish; s <= PARL_SCORE_end_error; s++) {
      const parl_summary *share =
          parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, 0, (parl_score)s);
      const double width = share->n > 0 ? share->mean * (right - names) : 0;
      if (width <= 0) continue;
      const char *label = parl_score_infos[s].label;
      parl_text_appendf(out,
                        "<g><title>%s %.3f</title><rect class=\"e%d\" x=\"%.1f\" y=\"%.1f\" "
                        "width=\"%.1f\" height=\"21\"/>",
                        label, share->mean, s - PARL_SCORE_end_finish, x, y, width);
      if (width > 84)
        parl_text_appendf(out, "<text class=\"in\" x=\"%.1f\" y=\"%.1f\">%s %.0f %%</text>", x + 7,
                          y + 15, label, 100 * share->mean);
      else if (width > 34)
        parl_text_appendf(out, "<text class=\"in\" x=\"%.1f\" y=\"%.1f\">%.0f %%</text>", x + 4,
                          y + 15, 100 * share->mean);
      parl_text_append(out, "</g>");
      x += width;
    }
    parl_text_append(out, "\n");
  }
  parl_text_append(out, "</svg>\n");
}

void parl_chart_append_endings_legend(parl_text *out) {
  parl_text_append(out, "<p class=\"legend\">");
  for (int s = PARL_SCORE_end_finish; s <= PARL_SCORE_end_error; s++)
    parl_text_appendf(out, "<span><i class=\"e%d\"></i><b>%s</b></span> ",
                      s - PARL_SCORE_end_finish, parl_score_infos[s].label);
  parl_text_append(out, "</p>\n");
}
