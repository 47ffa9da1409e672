/* experiments/report_lambda.c - what shaping did: what is left when weights are 0, and the score
 * over lambda1 x lambda2. */
#include <string.h>

#include "experiments/report_vega.h"

static const parl_summary *get(const parl_report *r, size_t arm, size_t family, parl_score score) {
  return parl_arm_score(r, &r->arms[arm], PARL_DECODING_MAIN, family, score);
}

/* --- after annealing --- */

/* The last point of the curves at which a term other than r_perf has a weight; n_points: none. */
static size_t find_last_shaped(const parl_report *r, const parl_report_arm *arm) {
  for (size_t i = r->n_points; i-- > 0;)
    for (size_t term = 0; term < r->n_terms; term++) {
      const parl_summary *w = &arm->curves[parl_report_term_curve(term, PARL_TERM_CURVE_WEIGHT)][i];
      if (term != PARL_TERM_perf && w->n > 0 && w->mean != 0) return i;
    }
  return r->n_points;
}

void parl_report_make_survival(const parl_report *r, parl_table *t) {
  static const size_t curves[] = {PARL_CURVE_launch_rate, PARL_CURVE_width, PARL_CURVE_finish_rate,
                                  PARL_CURVE_critical};
  enum { N = sizeof curves / sizeof curves[0] };
  parl_table_init(t, r->arena, "What is left after annealing", 2 + 2 * N, 1);
  t->note =
      "In training, interquartile means over seeds at the last point with a weight other than 0 "
      "but "
      "r_perf's, and at the end; updates: between the two. Policies that are shaped to the end, or "
      "never, are left out.";
  parl_table_add(t, "policy");
  parl_table_add(t, "updates");
  for (size_t k = 0; k < N; k++) {
    parl_table_add(t, "%s, shaped", r->curve_infos[curves[k]].title);
    parl_table_add(t, "at the end");
  }
  for (size_t a = 0; a < r->n_trained; a++) {
    const parl_report_arm *arm = &r->arms[a];
    const size_t last = find_last_shaped(r, arm);
    if (last + 1 >= r->n_points) continue;
    parl_table_add(t, "%s", arm->name);
    parl_table_add_number(t, r->x[r->n_points - 1] - r->x[last], 0);
    for (size_t k = 0; k < N; k++) {
      const int digits = r->curve_infos[curves[k]].digits;
      parl_table_add_number(t, arm->curves[curves[k]][last].iqm, digits);
      parl_table_add_number(t, arm->curves[curves[k]][r->n_points - 1].iqm, digits);
    }
  }
}

/* --- lambda1 x lambda2 --- */

enum { MAX_LEVELS = 24 };

/* Where each trained arm starts, and the different starts in rising order. */
typedef struct map {
  size_t n[2];
  double level[2][MAX_LEVELS];
  double (*start)[2]; /* [n_trained] NaN where a configuration does not tell */
} map;

static bool add_level(map *m, int axis, double x) {
  size_t i = 0;
  while (i < m->n[axis] && m->level[axis][i] < x) i++;
  if (i < m->n[axis] && m->level[axis][i] == x) return true;
  if (m->n[axis] == MAX_LEVELS) return false;
  memmove(&m->level[axis][i + 1], &m->level[axis][i], (m->n[axis] - i) * sizeof(double));
  m->level[axis][i] = x;
  m->n[axis]++;
  return true;
}

/* The arm of a cell; n_trained: none. */
static size_t find_cell(const parl_report *r, const map *m, double lambda1, double lambda2) {
  size_t a = 0;
  while (a < r->n_trained && !(m->start[a][0] == lambda1 && m->start[a][1] == lambda2)) a++;
  return a;
}

/* Whether each varies apart from the other, in one environment, and no two arms start alike. */
static parl_status make_map(const parl_report *r, map *m, bool *is_map) {
  *m = (map){0};
  *is_map = r->n_envs == 1;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained + 1, &m->start));
  for (size_t a = 0; a < r->n_trained; a++) {
    const parl_report_run *run = parl_report_find_example(r, a);
    parl_json *config = NULL;
    if (run == NULL) continue;
    PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
    const double one = parl_json_get_number(parl_json_find_path(config, "lambda1.start"));
    const double two = parl_json_get_number(parl_json_find_path(config, "lambda2.start"));
    parl_json_destroy(config);
    *is_map =
        *is_map && isfinite(one) && isfinite(two) && add_level(m, 0, one) && add_level(m, 1, two);
    m->start[a][0] = one;
    m->start[a][1] = two;
    *is_map = *is_map && find_cell(r, m, one, two) == a;
  }
  /* a diagonal is one variable */
  *is_map = *is_map && r->n_trained > m->n[0] && r->n_trained > m->n[1];
  return PARL_STATUS_OK;
}

parl_status parl_report_make_map(const parl_report *r, parl_table *t) {
  map m;
  bool is_map;
  PARL_TRY(make_map(r, &m, &is_map));
  const size_t n = is_map ? m.n[1] : 0;
  parl_table_init(t, r->arena,
                  "r_perf over the starts of \xCE\xBB\xE2\x82\x81 and \xCE\xBB\xE2\x82\x82", 1 + n,
                  1);
  t->note = "Interquartile mean over seeds [95 % interval] of the policy that starts there.";
  parl_table_add(t, "\xCE\xBB\xE2\x82\x81 \\ \xCE\xBB\xE2\x82\x82");
  for (size_t k = 0; k < n; k++) parl_table_add(t, "%g", m.level[1][k]);
  for (size_t i = 0; i < m.n[0] && is_map; i++) {
    parl_table_add(t, "%g", m.level[0][i]);
    for (size_t k = 0; k < n; k++) {
      const size_t a = find_cell(r, &m, m.level[0][i], m.level[1][k]);
      if (a < r->n_trained)
        parl_table_add_summary(t, get(r, a, 0, PARL_SCORE_r_perf), 3);
      else
        parl_table_add(t, "-");
    }
  }
  return PARL_STATUS_OK;
}

/* A cell: darker is better, its score inside. */
static void append_cell(parl_text *out, const parl_report *r, size_t arm, double x, double y,
                        double width, double height) {
  const parl_summary *s = get(r, arm, 0, PARL_SCORE_r_perf);
  char text[PARL_SUMMARY_BYTES];
  if (!isfinite(s->iqm)) return;
  parl_summary_format(s, 3, text);
  parl_text_append(out, "<g class=\"k0\"><title>");
  parl_text_append_html(out, r->arms[arm].name);
  parl_text_appendf(out, ": %s, n = %zu</title>", text, s->n);
  parl_text_appendf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                    "fill=\"currentColor\" fill-opacity=\"%.2f\"/><text x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"middle\">%.3f</text></g>\n",
                    x + 1, y + 1, width - 2, height - 2, 0.05 + 0.5 * fmin(fmax(s->iqm, 0), 1),
                    x + width / 2, y + height / 2 + 4, s->iqm);
}

parl_status parl_chart_append_map(parl_text *out, const parl_report *r, bool *is_drawn) {
  enum { LEFT = 60, TOP = 12, WIDTH = 520, ROW = 34, FOOT = 40 };
  map m;
  PARL_TRY(make_map(r, &m, is_drawn));
  if (!*is_drawn) return PARL_STATUS_OK;
  const double width = (double)(WIDTH - LEFT - 14) / (double)m.n[1];
  const double bottom = TOP + ROW * (double)m.n[0];
  parl_text_appendf(out,
                    "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"r_perf over the starts "
                    "of lambda1 (rows) and lambda2 (columns); the table below has the numbers\">\n",
                    WIDTH, bottom + FOOT);
  for (size_t i = 0; i < m.n[0]; i++) {
    const double y = bottom - ROW * (double)(i + 1);
    parl_text_appendf(out, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>",
                      LEFT - 7, y + ROW / 2.0 + 4, m.level[0][i]);
    for (size_t k = 0; k < m.n[1]; k++) {
      const size_t a = find_cell(r, &m, m.level[0][i], m.level[1][k]);
      if (a < r->n_trained) append_cell(out, r, a, LEFT + width * (double)k, y, width, ROW);
    }
  }
  for (size_t k = 0; k < m.n[1]; k++)
    parl_text_appendf(out,
                      "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>",
                      LEFT + width * ((double)k + 0.5), bottom + 16, m.level[1][k]);
  parl_text_appendf(out,
                    "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">rows: "
                    "\xCE\xBB\xE2\x82\x81, columns: \xCE\xBB\xE2\x82\x82</text>\n</svg>\n",
                    WIDTH - 14, bottom + 34);
  return parl_text_status(out);
}

parl_status parl_vega_append_map(parl_text *out, const parl_report *r) {
  map m;
  bool is_map;
  parl_vega_rows rows = {0};
  const char *names[PARL_VEGA_MAX_NAMES];
  size_t n = 0;
  PARL_TRY(make_map(r, &m, &is_map));
  for (size_t a = 0; a < r->n_trained && n < PARL_VEGA_MAX_NAMES; a++) {
    const parl_summary *s = get(r, a, 0, PARL_SCORE_r_perf);
    const double values[] = {(double)n, m.start[a][0], m.start[a][1], s->iqm,
                             s->lo,     s->hi,         (double)s->n};
    names[n++] = r->arms[a].name;
    parl_vega_add_row(&rows, values, sizeof values / sizeof values[0], 0);
  }
  parl_vega_begin(out, "r_perf over the starts of lambda1 (rows) and lambda2 (columns)", names, n,
                  false);
  parl_vega_add_data(out, "s,one,two,v,lo,hi,n", &rows);
  parl_vega_add(out,
                "," PARL_VEGA_INTERVAL
                "],'width':480,'height':%zu,"
                "'autosize':{'type':'fit','contains':'padding'},'encoding':{"
                "'x':{'field':'two','type':'ordinal','title':'\xCE\xBB\xE2\x82\x82','axis':{"
                "'labelAngle':0}},'y':{'field':'one','type':'ordinal','sort':'descending',"
                "'title':'\xCE\xBB\xE2\x82\x81'}},'layer':[{'mark':'rect','encoding':{'color':{"
                "'field':'v','type':'quantitative','scale':{'scheme':'viridis'},'title':'r_perf'},",
                ".3f", ".3f", 50 + 34 * m.n[0]);
  parl_vega_add(
      out,
      "'tooltip':[{'field':'name','title':'policy'},"
      "{'field':'one','title':'\xCE\xBB\xE2\x82\x81'},"
      "{'field':'two','title':'\xCE\xBB\xE2\x82\x82'},"
      "{'field':'v','format':'.3f','title':'r_perf'},"
      "{'field':'interval','title':'95 %% interval'},{'field':'n'}]}},"
      "{'transform':[{'joinaggregate':[{'op':'min','field':'v','as':'least'},"
      "{'op':'max','field':'v','as':'most'}]}],'mark':{'type':'text','tooltip':null},"
      "'encoding':{'text':{'field':'v','format':'.3f'},'color':{'condition':{"
      "'test':'datum.v>(datum.least+datum.most)/2','value':'black'},'value':'white'}}}]}");
  parl_vega_end_rows(&rows, out);
  return parl_text_status(out);
}
