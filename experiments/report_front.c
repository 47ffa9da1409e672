/* experiments/report_front.c - r_perf against critical steps: which policies nobody beats in both,
 * of all tasks, of each kind and of each difficulty. */
#include <stdio.h>

#include "experiments/report_content.h"
#include "experiments/report_vega.h"

/* --- difficulty: octaves of the steps that a task takes at best, or alone --- */

/* The octave of [2^k, 2^(k + 1)) steps; PARL_REPORT_OCTAVES: of no known difficulty. */
static size_t find_octave(const parl_report *r, const parl_facts *facts) {
  const double steps = r->optimum_kinds != 0 ? facts->optimum_steps : facts->serial_steps;
  if (!(steps >= 1) || !isfinite(steps)) return PARL_REPORT_OCTAVES;
  const int k = ilogb(steps);
  return k < PARL_REPORT_OCTAVES ? (size_t)k : PARL_REPORT_OCTAVES;
}

static void add_to_mean(double *mean, double n, double value) {
  *mean = n == 1 ? value : *mean + (value - *mean) / n;
}

void parl_report_read_octave(const parl_report *r, parl_report_run *run, const parl_facts *facts) {
  const size_t k = find_octave(r, facts);
  if (k == PARL_REPORT_OCTAVES || !isfinite(facts->r_perf)) return;
  parl_report_octave *o = &run->octaves[k];
  o->n++;
  add_to_mean(&o->r_perf, o->n, facts->r_perf);
  add_to_mean(&o->critical, o->n, facts->critical_steps);
}

static parl_status summarize_octave(const parl_report *r, parl_report_arm *arm, size_t k,
                                    double *values) {
  for (int which = 0; which < 2; which++) {
    size_t n = 0;
    for (size_t i = 0; i < r->n_runs; i++) {
      const parl_report_run *run = &r->runs[i];
      if (&r->arms[run->arm] == arm && run->counted && run->octaves[k].n > 0)
        values[n++] = which == 0 ? run->octaves[k].r_perf : run->octaves[k].critical;
    }
    parl_summary *out = &arm->octaves[k][which];
    PARL_TRY(parl_report_summarize_values(r, values, n, out));
    if (!isfinite(out->lo)) continue;
    out->lo = fmax(out->lo, 0);
    if (which == 0) out->hi = fmin(out->hi, 1);
  }
  return PARL_STATUS_OK;
}

parl_status parl_report_summarize_octaves(const parl_report *r) {
  double *values = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &values));
  for (size_t a = 0; a < r->n_arms; a++) {
    PARL_TRY(PARL_ARENA_TAKE(r->arena, PARL_REPORT_OCTAVES, &r->arms[a].octaves));
    for (size_t k = 0; k < PARL_REPORT_OCTAVES; k++)
      PARL_TRY(summarize_octave(r, &r->arms[a], k, values));
  }
  return PARL_STATUS_OK;
}

/* --- parts: 0 all tasks, then the kinds, then the octaves --- */

static size_t count_parts(const parl_report *r) {
  return 1 + r->n_families + PARL_REPORT_OCTAVES;
}

static const parl_summary *get(const parl_report *r, size_t arm, size_t part, bool is_steps) {
  if (part > r->n_families) return &r->arms[arm].octaves[part - 1 - r->n_families][is_steps];
  return parl_arm_score(r, &r->arms[arm], PARL_DECODING_MAIN, part,
                        is_steps ? PARL_SCORE_critical_steps : PARL_SCORE_r_perf);
}

/* Whether any policy of an environment, or any at all if env is n_envs, has a place there. */
static bool is_played(const parl_report *r, size_t part, size_t env) {
  for (size_t a = 0; a < r->n_arms; a++)
    if ((env == r->n_envs || r->arms[a].env == env) && isfinite(get(r, a, part, false)->iqm))
      return true;
  return false;
}

/* One octave is all tasks. */
static bool has_octaves(const parl_report *r) {
  size_t n = 0;
  for (size_t k = 0; k < PARL_REPORT_OCTAVES; k++)
    n += is_played(r, 1 + r->n_families + k, r->n_envs);
  return n > 1;
}

static bool is_part(const parl_report *r, size_t part) {
  return is_played(r, part, r->n_envs) && (part <= r->n_families || has_octaves(r));
}

enum { NAME_BYTES = 64 };

static const char *get_name(const parl_report *r, size_t part, char out[NAME_BYTES]) {
  if (part <= r->n_families) return parl_report_get_family(r, part);
  const size_t k = part - 1 - r->n_families;
  snprintf(out, NAME_BYTES, "%s of %ld to <%ld steps",
           r->optimum_kinds != 0 ? parl_report_get_optimum_label(r) : "working alone", 1L << k,
           2L << k);
  return out;
}

/* --- the front --- */

/* Whether b is at least as good as a in both and better in one. */
static bool dominates(const parl_report *r, size_t b, size_t a, size_t part) {
  const double perf_a = get(r, a, part, false)->iqm, perf_b = get(r, b, part, false)->iqm;
  const double steps_a = get(r, a, part, true)->iqm, steps_b = get(r, b, part, true)->iqm;
  return perf_b >= perf_a && steps_b <= steps_a && (perf_b > perf_a || steps_b < steps_a);
}

/* Whether no policy of its environment is as good in both and better in one. */
static bool is_on_front(const parl_report *r, size_t arm, size_t part) {
  if (!isfinite(get(r, arm, part, false)->iqm) || !isfinite(get(r, arm, part, true)->iqm))
    return false;
  for (size_t b = 0; b < r->n_arms; b++)
    if (r->arms[b].env == r->arms[arm].env && dominates(r, b, arm, part)) return false;
  return true;
}

void parl_report_make_front(const parl_report *r, parl_table *t) {
  static const char *const heads[] = {"on", "policy", "r_perf", "critical steps", "on the front"};
  enum { N_HEADS = sizeof heads / sizeof heads[0] };
  parl_table_init(t, r->arena, "r_perf and critical steps, and the Pareto front (sampled)", N_HEADS,
                  2);
  t->note =
      "Interquartile means over seeds [95 % interval]. On the front: no policy of its environment "
      "equals it in both and beats it in one.";
  for (size_t i = 0; i < N_HEADS; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t p = 0; p < count_parts(r); p++) {
    char name[NAME_BYTES];
    if (!is_part(r, p)) continue;
    for (size_t a = 0; a < r->n_arms; a++) {
      if (!isfinite(get(r, a, p, false)->iqm)) continue;
      parl_table_add(t, "%s", get_name(r, p, name));
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add_summary(t, get(r, a, p, false), 3);
      parl_table_add_summary(t, get(r, a, p, true), 2);
      parl_table_add(t, "%s", is_on_front(r, a, p) ? "yes" : "no");
    }
  }
}

/* --- the figure --- */

enum { WIDTH = 520, HEIGHT = 270, LEFT = 50, RIGHT = 14, TOP = 12, BOTTOM = 40 };

typedef struct sheet {
  const parl_report *r;
  size_t part;
  parl_axis x, y;
  double left;
} sheet;

/* The optimum of all tasks or of a kind; NaN of an octave, or where environments have their own. */
static double get_optimum(const parl_report *r, size_t part) {
  if (part == 0) return parl_report_get_optimum(r);
  for (size_t a = 0; a < r->n_arms && part <= r->n_families && r->n_envs == 1; a++) {
    const parl_summary *s =
        parl_arm_score(r, &r->arms[a], PARL_DECODING_MAIN, part, PARL_SCORE_optimum_steps);
    if (s->n > 0) return s->mean;
  }
  return NAN;
}

static sheet make_sheet(const parl_report *r, size_t part) {
  double low[2] = {NAN, NAN}, high[2] = {NAN, NAN};
  for (size_t a = 0; a < r->n_arms; a++)
    for (int k = 0; k < 2; k++) {
      const parl_summary *s = get(r, a, part, k == 1);
      parl_axis_widen(s->iqm, &low[k], &high[k]);
      parl_axis_widen(s->lo, &low[k], &high[k]);
      parl_axis_widen(s->hi, &low[k], &high[k]);
    }
  parl_axis_widen(get_optimum(r, part), &low[1], &high[1]);
  if (high[0] > 0.8 && high[0] < 1) high[0] = 1;
  sheet s = {.r = r, .part = part, .y = parl_axis_make(low[0], high[0], 5, HEIGHT - BOTTOM, TOP)};
  s.left = fmax(LEFT, 14 + parl_axis_get_label_width(&s.y));
  s.x = parl_axis_make(low[1], high[1], 6, s.left, WIDTH - RIGHT);
  return s;
}

/* Marker and intervals of a policy; one that is beaten is hollow. */
static void append_policy(const sheet *s, size_t a, parl_text *out) {
  const parl_summary *perf = get(s->r, a, s->part, false), *steps = get(s->r, a, s->part, true);
  char text[2][PARL_SUMMARY_BYTES];
  if (!isfinite(perf->iqm) || !isfinite(steps->iqm)) return;
  const double x = parl_axis_place(&s->x, steps->iqm), y = parl_axis_place(&s->y, perf->iqm);
  const bool is_front = is_on_front(s->r, a, s->part);
  parl_summary_format(perf, 3, text[0]);
  parl_summary_format(steps, 2, text[1]);
  parl_text_appendf(out, "<g class=\"k%zu\"><title>", a % PARL_N_COLOURS);
  parl_text_append_html(out, s->r->arms[a].name);
  parl_text_appendf(out, ": r_perf %s, critical steps %s, n = %zu%s</title>", text[0], text[1],
                    perf->n, is_front ? ", on the front" : "");
  if (isfinite(steps->lo) && isfinite(steps->hi))
    parl_text_appendf(out, "<path class=\"line\" d=\"M%.1f %.1fH%.1f\"/>",
                      parl_axis_place(&s->x, steps->lo), y, parl_axis_place(&s->x, steps->hi));
  if (isfinite(perf->lo) && isfinite(perf->hi))
    parl_text_appendf(out, "<path class=\"line\" d=\"M%.1f %.1fV%.1f\"/>", x,
                      parl_axis_place(&s->y, perf->lo), parl_axis_place(&s->y, perf->hi));
  parl_chart_append_marker(out, a, x, y, 5, !is_front);
  parl_text_append(out, "</g>\n");
}

/* The next of an environment's front to the right of a place; n_arms: none. */
static size_t find_next(const sheet *s, size_t env, double steps) {
  size_t found = s->r->n_arms;
  for (size_t a = 0; a < s->r->n_arms; a++) {
    if (s->r->arms[a].env != env || !is_on_front(s->r, a, s->part)) continue;
    const double own = get(s->r, a, s->part, true)->iqm;
    if (own > steps && (found == s->r->n_arms || own < get(s->r, found, s->part, true)->iqm))
      found = a;
  }
  return found;
}

/* Stairs: below and to the right of it lies what is beaten. */
static void append_stairs(const sheet *s, size_t env, parl_text *out) {
  const size_t n = s->r->n_arms;
  size_t a = find_next(s, env, -INFINITY);
  if (a == n) return;
  parl_text_appendf(out, "<path class=\"front\" d=\"M%.1f %d",
                    parl_axis_place(&s->x, get(s->r, a, s->part, true)->iqm), HEIGHT - BOTTOM);
  for (; a < n; a = find_next(s, env, get(s->r, a, s->part, true)->iqm))
    parl_text_appendf(out, "H%.1fV%.1f", parl_axis_place(&s->x, get(s->r, a, s->part, true)->iqm),
                      parl_axis_place(&s->y, get(s->r, a, s->part, false)->iqm));
  parl_text_appendf(out, "H%d\"/>\n", WIDTH - RIGHT);
}

static void append_svg(const parl_report *r, size_t part, const char *name, parl_text *out) {
  const sheet s = make_sheet(r, part);
  const double optimum = get_optimum(r, part);
  parl_text_appendf(out,
                    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"r_perf against critical "
                    "steps, ",
                    WIDTH, HEIGHT);
  parl_text_append_html(out, name);
  parl_text_append(out, ", with the Pareto front; the table of fronts has the numbers\">\n");
  parl_axis_append_y(out, &s.y, s.left, WIDTH - RIGHT);
  parl_axis_append_x(out, &s.x, TOP, HEIGHT - BOTTOM, true);
  parl_text_appendf(out,
                    "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">critical steps at "
                    "the end</text>\n",
                    WIDTH - RIGHT, HEIGHT - 8);
  if (isfinite(optimum))
    parl_text_appendf(out, "<path class=\"level\" d=\"M%.1f %dV%d\"><title>%s %.2f</title></path>",
                      parl_axis_place(&s.x, optimum), TOP, HEIGHT - BOTTOM,
                      parl_report_get_optimum_label(r), optimum);
  for (size_t e = 0; e < r->n_envs; e++) append_stairs(&s, e, out);
  for (size_t a = 0; a < r->n_arms; a++) append_policy(&s, a, out);
  parl_text_append(out, "</svg>\n");
}

/* Behind the drawing, whose legend is `series` [n]. */
static parl_status specify(const parl_report *r, size_t part, const char *title,
                           const parl_series *series, size_t n, parl_text *out) {
  const sheet s = make_sheet(r, part);
  parl_vega_spot *spots = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &spots));
  for (size_t i = 0; i < n; i++) {
    const size_t a = series[i].style;
    spots[i] = (parl_vega_spot){&series[i], get(r, a, part, true), get(r, a, part, false),
                                is_on_front(r, a, part), r->arms[a].env};
  }
  parl_vega_specify_front(out, r,
                          &(parl_vega_front){title, spots, n, s.x, s.y, get_optimum(r, part)});
  return PARL_STATUS_OK;
}

static parl_status append_figure(const parl_report *r, size_t part, parl_text *out) {
  char bytes[NAME_BYTES];
  const char *name = get_name(r, part, bytes);
  parl_series *series = NULL;
  size_t n = 0;
  parl_text title = {0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &series));
  for (size_t a = 0; a < r->n_arms; a++)
    if (isfinite(get(r, a, part, false)->iqm))
      series[n++] = (parl_series){r->arms[a].name, a, NULL};
  parl_text_appendf(&title, "Pareto front: %s", name);
  parl_page_begin_figure(out, r, parl_text_get(&title),
                         "r_perf; hollow: another is as good in both and better in one");
  parl_text_append(out, "<div class=\"scroll\">");
  const size_t from = out->n;
  append_svg(r, part, name, out);
  parl_status s = parl_text_status(&title);
  if (s == PARL_STATUS_OK) s = parl_figure_keep(r, out, from);
  parl_text_append(out, "</div>\n");
  if (s == PARL_STATUS_OK) s = specify(r, part, parl_text_get(&title), series, n, out);
  parl_text_deinit(&title);
  parl_chart_append_legend(out, series, n);
  if (s == PARL_STATUS_OK) s = parl_figure_keep_legend(r, series, n);
  parl_text_append(out, "</figure>\n");
  return s;
}

parl_status parl_report_append_fronts(const parl_report *r, parl_text *out) {
  for (size_t p = 0; p < count_parts(r); p++)
    if (is_part(r, p)) PARL_TRY(append_figure(r, p, out));
  return parl_page_append_details(r, PARL_TABLE_FRONT, out); /* of all of them */
}

/* --- JSON --- */

void parl_report_write_fronts(parl_json_writer *w, const parl_report *r) {
  parl_json_key(w, "pareto");
  parl_json_begin_array(w);
  for (size_t p = 0; p < count_parts(r); p++) {
    char name[NAME_BYTES];
    if (!is_part(r, p)) continue;
    for (size_t a = 0; a < r->n_arms; a++) {
      if (!isfinite(get(r, a, p, false)->iqm)) continue;
      parl_json_begin_object(w);
      parl_json_key(w, "on");
      parl_json_string(w, get_name(r, p, name));
      parl_json_key(w, "arm");
      parl_json_string(w, r->arms[a].name);
      parl_json_key(w, "on_front");
      parl_json_bool(w, is_on_front(r, a, p));
      parl_json_summary(w, "r_perf", get(r, a, p, false));
      parl_json_summary(w, "critical_steps", get(r, a, p, true));
      parl_json_end_object(w);
    }
  }
  parl_json_end_array(w);
}
