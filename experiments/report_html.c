/* experiments/report_html.c - the page: style, sections, figures with their tables. */
#include <stdio.h>
#include <string.h>

#include "core/build_info.h"
#include "experiments/report_content.h"
#include "experiments/report_vega.h"

enum { TABLE_POINTS = 20, SHARE_FIGURES = 6, SHOWN_RUNS = 24, SHOWN_PAIRS = 6, PAPER_PAIRS = 36 };

static parl_status append_table(const parl_report *r, parl_table_kind kind, parl_text *out) {
  parl_table t;
  PARL_TRY(parl_report_make_table(r, kind, &t));
  if (!t.failed && parl_table_get_rows(&t) == 0) return PARL_STATUS_OK;
  return parl_table_append(&t, PARL_FORMAT_HTML, out);
}

parl_status parl_page_append_details(const parl_report *r, parl_table_kind kind, parl_text *out) {
  parl_text_append(out, "<details><summary>Table</summary>\n");
  PARL_TRY(append_table(r, kind, out));
  parl_text_append(out, "</details>\n");
  return PARL_STATUS_OK;
}

/* A drawing that is wider than the screen scrolls. */
static parl_status append_drawing(parl_text *out, const parl_report *r,
                                  void (*append)(parl_text *out, const parl_report *r)) {
  parl_text_append(out, "<div class=\"scroll\">");
  const size_t from = out->n;
  append(out, r);
  PARL_TRY(parl_figure_keep(r, out, from));
  parl_text_append(out, "</div>\n");
  parl_vega_specify_drawing(out, r, append);
  return PARL_STATUS_OK;
}

parl_status parl_page_append_lines(parl_text *out, const parl_report *r, const parl_line_chart *c) {
  parl_text_append(out, "<div class=\"scroll\">");
  const size_t from = out->n;
  parl_chart_append_lines(out, c);
  PARL_TRY(parl_figure_keep(r, out, from));
  parl_text_append(out, "</div>\n");
  parl_vega_specify_lines(out, r, c);
  parl_chart_append_legend(out, c->series, c->n_series);
  return parl_figure_keep_legend(r, c->series, c->n_series);
}

void parl_page_begin_figure(parl_text *out, const parl_report *r, const char *title,
                            const char *unit) {
  parl_figure_begin(r, title, unit);
  parl_text_append(out, "<figure><figcaption>");
  parl_text_append_html(out, title);
  parl_text_append(out, "<small>");
  parl_text_append_html(out, unit);
  parl_text_append(out, "</small></figcaption>\n");
}

/* --- figures of curves --- */

/* About TABLE_POINTS evenly chosen points, the last one among them. */
static parl_status append_curve_table(const parl_report *r, const parl_line_chart *c,
                                      parl_text *out) {
  parl_table t;
  parl_table_init(&t, r->arena, c->title, 1 + c->n_series, 0);
  t.note = "Every point is in report.json.";
  parl_table_add(&t, "update");
  for (size_t s = 0; s < c->n_series; s++) parl_table_add(&t, "%s", c->series[s].name);
  const size_t step = (c->n_points + TABLE_POINTS - 1) / TABLE_POINTS;
  for (size_t i = 0; i < c->n_points; i++) {
    if (i % step != 0 && i + 1 != c->n_points) continue;
    parl_table_add_number(&t, c->x[i], c->x[i] != floor(c->x[i]));
    for (size_t s = 0; s < c->n_series; s++)
      parl_table_add_summary(&t, &c->series[s].y[i], c->digits);
  }
  parl_text_append(out, "<details class=\"screen\"><summary>Table</summary>\n");
  PARL_TRY(parl_table_append(&t, PARL_FORMAT_HTML, out));
  parl_text_append(out, "</details>\n");
  return PARL_STATUS_OK;
}

parl_status parl_page_append_curves(const parl_report *r, const parl_line_chart *c,
                                    parl_text *out) {
  parl_page_begin_figure(out, r, c->title, c->unit);
  PARL_TRY(parl_page_append_lines(out, r, c));
  PARL_TRY(append_curve_table(r, c, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

static bool is_of_steps(size_t curve) {
  return curve == PARL_CURVE_last_gain || curve == PARL_CURVE_critical;
}

/* A weight is what the recipe says: it has no noise to smooth away. */
static bool is_weight(size_t curve) {
  return curve >= PARL_N_FIXED_CURVES &&
         (curve - PARL_N_FIXED_CURVES) % PARL_N_TERM_CURVES == PARL_TERM_CURVE_WEIGHT;
}

/* The one value of a chart that shows nothing else, for the line that stands in its place. */
static void note_constant(const parl_line_chart *c, parl_text *out) {
  double value = NAN;
  for (size_t s = 0; s < c->n_series; s++)
    for (size_t i = 0; i < c->n_points; i++)
      if (isfinite(c->series[s].y[i].iqm)) value = c->series[s].y[i].iqm;
  if (isnan(value)) return;
  parl_text_append(out, out->n > 0 ? ", " : "");
  parl_text_append_html(out, c->title);
  parl_text_append(out, " ");
  parl_number_append(out, value, c->digits);
}

static bool is_share(size_t curve) {
  return curve == PARL_CURVE_launch_rate || curve == PARL_CURVE_finish_rate ||
         curve == PARL_CURVE_useful_rate || curve == PARL_CURVE_flat_perf;
}

/* One curve of every trained arm that has it; if all have one and the same value, that goes into
 * constants instead. */
static parl_status append_curve(const parl_report *r, size_t curve, parl_text *out,
                                parl_text *constants) {
  parl_series *series = NULL;
  size_t n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained + 1, &series));
  for (size_t a = 0; a < r->n_trained; a++)
    if (parl_arm_has_curve(r, &r->arms[a], curve))
      series[n++] = (parl_series){r->arms[a].name, a, r->arms[a].curves[curve]};
  if (n == 0) return PARL_STATUS_OK;
  const parl_curve_info *info = &r->curve_infos[curve];
  const parl_line_chart chart = {
      .title = info->title,
      .unit = info->unit,
      .n_points = r->n_points,
      .n_series = n,
      .x = r->x,
      .x_name = "update",
      .series = series,
      .is_share = is_share(curve),
      .is_noisy = !is_weight(curve),
      .level = is_of_steps(curve) ? parl_report_get_optimum(r) : (double)NAN,
      .level_name = parl_report_get_optimum_label(r),
      .digits = info->digits,
  };
  if (parl_chart_is_informative(&chart)) return parl_page_append_curves(r, &chart, out);
  note_constant(&chart, constants);
  return PARL_STATUS_OK;
}

/* Cards side by side, then what is the same everywhere and has none. */
static parl_status append_curves(const parl_report *r, const size_t *curves, size_t n,
                                 parl_text *out) {
  parl_text constants = {0};
  parl_status status = PARL_STATUS_OK;
  for (size_t i = 0; i < n && status == PARL_STATUS_OK; i++)
    status = append_curve(r, curves[i], out, &constants);
  parl_text_append(out, "</div>\n");
  if (constants.n > 0)
    parl_text_appendf(out, "<p class=\"note\">The same in every update of every policy: %s.</p>\n",
                      parl_text_get(&constants));
  if (status == PARL_STATUS_OK) status = parl_text_status(&constants);
  parl_text_deinit(&constants);
  return status;
}

/* Of every policy, with the table of some thresholds. */
static parl_status append_profile(const parl_report *r, parl_text *out) {
  parl_series *series = NULL;
  double x[PARL_REPORT_TAUS];
  size_t n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &series));
  for (size_t i = 0; i < PARL_REPORT_TAUS; i++) x[i] = parl_report_tau(i);
  for (size_t a = 0; a < r->n_arms; a++)
    if (r->arms[a].profile[0].n > 0)
      series[n++] = (parl_series){r->arms[a].name, a, r->arms[a].profile};
  if (n == 0) return PARL_STATUS_OK;
  const parl_line_chart chart = {.title = "Performance profile",
                                 .unit = "share of scores above \xCF\x84",
                                 .n_points = PARL_REPORT_TAUS,
                                 .n_series = n,
                                 .x = x,
                                 .x_name = "\xCF\x84",
                                 .series = series,
                                 .is_share = true,
                                 .level = NAN,
                                 .digits = 2};
  parl_page_begin_figure(out, r, chart.title, chart.unit);
  PARL_TRY(parl_page_append_lines(out, r, &chart));
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_PROFILE, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

/* --- sections --- */

static void append_head(const parl_report *r, parl_text *out) {
  parl_text_append(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
  parl_vega_append_policy(out, r);
  parl_text_append(out,
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<title>");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, " - ablation report</title>\n<style>\n");
  parl_text_append(out, parl_report_style);
  parl_text_append(out, "</style>\n</head>\n<body><main>\n<h1>");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, "</h1>\n");
  if (r->question[0] == '\0') return;
  parl_text_append(out, "<p class=\"question\">");
  parl_text_append_html(out, r->question);
  parl_text_append(out, "</p>\n");
}

/* "3 seeds", or "3 to 5 seeds". */
static void append_counts(const parl_report *r, parl_text *out) {
  size_t least = SIZE_MAX, most = 0, episodes = 0;
  for (size_t a = 0; a < r->n_trained; a++) {
    least = r->arms[a].n_counted < least ? r->arms[a].n_counted : least;
    most = r->arms[a].n_counted > most ? r->arms[a].n_counted : most;
  }
  for (size_t i = 0; i < r->n_runs; i++)
    if (r->runs[i].counted && r->runs[i].trained)
      episodes = parl_run_scores(r, &r->runs[i], PARL_DECODING_MAIN, 0)->n_episodes;
  parl_text_appendf(out, "<p class=\"meta\">%zu trained %s, ", r->n_trained,
                    r->n_trained == 1 ? "policy" : "policies");
  if (r->n_trained > 0 && least == most) parl_text_appendf(out, "%zu seeds each, ", least);
  if (r->n_trained > 0 && least != most)
    parl_text_appendf(out, "%zu to %zu seeds each, ", least, most);
  parl_text_appendf(out,
                    "beside %zu baselines. %lld updates; every policy judged on %zu held-out "
                    "episodes a seed. Points and numbers are interquartile means over seeds, bands "
                    "and brackets 95 %% intervals.</p>\n",
                    r->n_arms - r->n_trained, (long long)(r->last_update + 1), episodes);
}

static void append_warning(void *out, const char *line) {
  parl_text_append(out, "<p class=\"warn\" role=\"note\">");
  parl_text_append_html(out, line);
  parl_text_append(out, "</p>\n");
}

/* What each policy was, and in which environment all of them. */
static parl_status append_policies(const parl_report *r, parl_text *out) {
  parl_text environment = {0};
  if (r->n_trained == 0) return PARL_STATUS_OK;
  PARL_TRY(append_table(r, PARL_TABLE_POLICIES, out));
  const parl_status s = parl_report_append_environment(r, &environment);
  if (s == PARL_STATUS_OK && environment.n > 0) {
    parl_text_append(out, "<p class=\"note\">Environment ");
    parl_text_append_html(out, parl_text_get(&environment));
    parl_text_append(out, "</p>\n");
  }
  parl_text_deinit(&environment);
  return s;
}

static parl_status append_improvements(const parl_report *r, parl_text *out) {
  if (parl_report_count_improvements(r) == 0) return PARL_STATUS_OK;
  parl_page_begin_figure(out, r, "Probability of improvement",
                         "P(r_perf higher than the reference's)");
  PARL_TRY(append_drawing(out, r, parl_chart_append_improvements));
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_IMPROVEMENTS, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

static parl_status append_map(const parl_report *r, parl_text *out) {
  parl_text svg = {0};
  bool is_drawn;
  parl_status s = parl_chart_append_map(&svg, r, &is_drawn);
  if (s == PARL_STATUS_OK && is_drawn) {
    parl_page_begin_figure(out, r, "\xCE\xBB\xE2\x82\x81 \xC3\x97 \xCE\xBB\xE2\x82\x82", "r_perf");
    parl_text_append(out, "<div class=\"scroll\">");
    const size_t from = out->n;
    parl_text_append(out, parl_text_get(&svg));
    s = parl_figure_keep(r, out, from);
    parl_text_append(out, "</div>\n");
    if (s == PARL_STATUS_OK) s = parl_vega_specify_map(out, r);
    if (s == PARL_STATUS_OK) s = parl_page_append_details(r, PARL_TABLE_MAP, out);
    parl_text_append(out, "</figure>\n");
  }
  parl_text_deinit(&svg);
  return s;
}

static parl_status append_aggregates(const parl_report *r, parl_text *out) {
  parl_page_begin_figure(out, r, "Aggregates of r_perf", "over seeds and kinds of tasks");
  PARL_TRY(append_drawing(out, r, parl_chart_append_aggregates));
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_AGGREGATES, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

/* The one picture of the first screen. */
static parl_status append_scatter(const parl_report *r, parl_text *out) {
  parl_page_begin_figure(
      out, r, "r_perf against critical steps at the last gain",
      "up and to the left is better; the dotted tail leads to the end of the episode");
  PARL_TRY(append_drawing(out, r, parl_chart_append_scatter));
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_STEPS, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

static parl_status append_result(const parl_report *r, parl_text *out) {
  parl_text_append(out, "<h2>Result</h2>\n");
  parl_text_append(out, "<div class=\"grid2 first\">\n");
  PARL_TRY(append_scatter(r, out));
  parl_text_append(out, "<div>\n");
  PARL_TRY(parl_report_append_answers(r, PARL_FORMAT_HTML, out));
  parl_text_append(out, "</div>\n</div>\n");
  PARL_TRY(append_policies(r, out));
  parl_report_visit_warnings(r, append_warning, out);
  PARL_TRY(parl_report_append_lead(r, PARL_FORMAT_HTML, out));
  PARL_TRY(append_table(r, PARL_TABLE_OUTCOME, out));
  PARL_TRY(append_table(r, PARL_TABLE_COST, out));
  char unit[120];
  snprintf(unit, sizeof unit,
           "filled: sampled or scripted; hollow: greedy; faint: single seeds; dashed: %s",
           parl_report_get_optimum_label(r));
  parl_page_begin_figure(out, r, "Policies compared", unit);
  PARL_TRY(append_drawing(out, r, parl_chart_append_dots));
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_LAUNCHING, out));
  parl_text_append(out, "</figure>\n<div class=\"grid2\">\n");
  parl_page_begin_figure(out, r, "What ended episodes", "share of episodes");
  PARL_TRY(append_drawing(out, r, parl_chart_append_endings));
  PARL_TRY(parl_figure_keep_endings_legend(r));
  parl_chart_append_endings_legend(out);
  PARL_TRY(parl_page_append_details(r, PARL_TABLE_ENDINGS, out));
  parl_text_append(out, "</figure>\n");
  PARL_TRY(append_profile(r, out));
  PARL_TRY(append_improvements(r, out));
  PARL_TRY(append_map(r, out));
  PARL_TRY(parl_report_append_speed(r, out));
  PARL_TRY(parl_report_append_fronts(r, out));
  parl_text_append(out, "</div>\n");
  PARL_TRY(append_table(r, PARL_TABLE_SURVIVAL, out));
  PARL_TRY(append_aggregates(r, out));
  PARL_TRY(append_table(r, PARL_TABLE_GREEDY, out));
  PARL_TRY(append_table(r, PARL_TABLE_SPENT, out));
  PARL_TRY(append_table(r, PARL_TABLE_SPENT_TO, out));
  PARL_TRY(append_table(r, PARL_TABLE_DETECTORS, out));
  PARL_TRY(append_table(r, PARL_TABLE_NAMED, out));
  parl_text_appendf(out, "<details%s><summary>All %zu pairs of policies</summary>\n",
                    r->n_pairs <= SHOWN_PAIRS  ? " open"
                    : r->n_pairs > PAPER_PAIRS ? " class=\"screen\""
                                               : "",
                    r->n_pairs);
  PARL_TRY(append_table(r, PARL_TABLE_PAIRS, out));
  parl_text_append(out, "</details>\n");
  return PARL_STATUS_OK;
}

static parl_status append_group(const parl_report *r, const char *title, const char *text,
                                const size_t *curves, size_t n, parl_text *out) {
  parl_text_appendf(out, "<h2>%s</h2>\n<p>%s</p>\n<div class=\"grid2\">\n", title, text);
  return append_curves(r, curves, n, out);
}

/* Whether r_perf has weight 1 throughout: its weighted curve would be its raw one. */
static bool is_perf_plain(const parl_report *r) {
  const size_t curve = parl_report_term_curve(PARL_TERM_perf, PARL_TERM_CURVE_WEIGHT);
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t i = 0; i < r->n_points; i++)
      if (r->arms[a].curves[curve][i].n > 0 && r->arms[a].curves[curve][i].mean != 1) return false;
  return true;
}

/* What the reward is the sum of. */
static void append_sum(const parl_report *r, bool is_plain, parl_text *out) {
  parl_text_append(out, "r =");
  for (size_t i = 0; i < r->n_terms; i++) {
    parl_text_append(out, i > 0 ? " + " : " ");
    if (i != PARL_TERM_perf || !is_plain) {
      parl_text_append_html(out, r->terms[i].symbol);
      parl_text_append(out, " ");
    }
    parl_text_append(out, "r_");
    parl_text_append_html(out, r->terms[i].name);
  }
  parl_text_append(out,
                   ", where r_early, what a solved episode leaves of its budget, is this program's "
                   "own and off unless a recipe says otherwise. ");
  if (r->n_terms > PARL_N_TERMS)
    parl_text_append(out, "The terms behind it are the recipe's own. ");
  parl_text_append(out, "What a policy still does once \xCE\xBB is 0, r_perf alone rewards.");
}

/* Weights and terms of the reward. */
static parl_status append_terms(const parl_report *r, parl_text *out) {
  static const parl_term_curve kinds[] = {PARL_TERM_CURVE_WEIGHT, PARL_TERM_CURVE_RAW,
                                          PARL_TERM_CURVE_WEIGHTED};
  const bool is_plain = is_perf_plain(r);
  parl_text sum = {0};
  size_t *curves = NULL, n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_terms * sizeof kinds / sizeof kinds[0], &curves));
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
    for (size_t i = 0; i < r->n_terms; i++)
      if (i != PARL_TERM_perf || (!is_plain && kinds[k] != PARL_TERM_CURVE_RAW))
        curves[n++] = parl_report_term_curve(i, kinds[k]);
  append_sum(r, is_plain, &sum);
  parl_status s = parl_text_status(&sum);
  if (s == PARL_STATUS_OK)
    s = append_group(r, "Reward terms and their annealing", parl_text_get(&sum), curves, n, out);
  parl_text_deinit(&sum);
  return s;
}

static parl_status append_experts(const parl_report *r, parl_text *out) {
  static const size_t experts[] = {PARL_CURVE_expert_most, PARL_CURVE_expert_unused,
                                   PARL_CURVE_expert_entropy, PARL_CURVE_bias_range};
  bool any = false;
  for (size_t a = 0; a < r->n_trained; a++)
    any = any || parl_arm_has_curve(r, &r->arms[a], PARL_CURVE_expert_most);
  if (!any) return PARL_STATUS_OK;
  return append_group(r, "How tokens spread over experts",
                      "Of the sparse layers, in the forward passes of training. Loads are even "
                      "where the busiest expert has 1 and evenness is 1; the selection biases "
                      "push towards that.",
                      experts, sizeof experts / sizeof experts[0], out);
}

static parl_status append_learning(const parl_report *r, parl_text *out) {
  const size_t learning[] = {parl_report_term_curve(PARL_TERM_perf, PARL_TERM_CURVE_RAW),
                             PARL_CURVE_last_gain,
                             PARL_CURVE_critical,
                             PARL_CURVE_launch_rate,
                             PARL_CURVE_width,
                             PARL_CURVE_finish_rate,
                             PARL_CURVE_useful_rate};
  static const size_t objective[] = {PARL_CURVE_flat_perf, PARL_CURVE_entropy, PARL_CURVE_masked};
  if (r->n_trained == 0 || r->n_points == 0) return PARL_STATUS_OK;
  PARL_TRY(append_group(r, "Learning curves",
                        "Of the episodes that training sampled, so of other tasks than the result "
                        "above. Lines are means over the points around, which stand faint behind.",
                        learning, sizeof learning / sizeof learning[0], out));
  PARL_TRY(append_terms(r, out));
  parl_text_append(out,
                   "<h2>What the advantage is made of</h2>\n<p>The policy follows the advantage, "
                   "not the reward: a term with a small weight can still make most of it.</p>\n");
  PARL_TRY(append_table(r, PARL_TABLE_EFFECTIVE, out));
  parl_text_append(out, "<div class=\"grid2\">\n");
  for (size_t a = 0; a < r->n_trained && a < SHARE_FIGURES; a++)
    PARL_TRY(parl_report_append_effective(r, a, out));
  PARL_TRY(append_curves(r, objective, sizeof objective / sizeof objective[0], out));
  return append_experts(r, out);
}

/* A text that is JSON is set out; any other stands as it is. on_paper: printed too. */
static void append_block(parl_text *out, const char *title, const char *text, bool on_paper) {
  parl_json *tree = NULL;
  parl_text pretty = {0};
  if (parl_json_parse(text, strlen(text), title, &tree) == PARL_STATUS_OK) {
    parl_json_writer w;
    parl_json_writer_init(&w, &pretty, true);
    parl_report_write_node(&w, tree);
  }
  parl_json_destroy(tree);
  parl_text_append(out, on_paper ? "<details><summary>" : "<details class=\"screen\"><summary>");
  parl_text_append_html(out, title);
  parl_text_append(out, "</summary><pre>");
  for (const char *line = pretty.n > 0 ? parl_text_get(&pretty) : text; *line != '\0';) {
    const size_t n = strcspn(line, "\n"); /* line breaks stay, those of a name do not */
    parl_text piece = {0};
    parl_text_append_bytes(&piece, line, n);
    parl_text_append_html(out, parl_text_get(&piece));
    parl_text_deinit(&piece);
    parl_text_append(out, line[n] != '\0' ? "\n" : "");
    line += n + (line[n] != '\0');
  }
  parl_text_append(out, "</pre></details>\n");
  parl_text_deinit(&pretty);
}

/* The configuration of one run of each trained arm, of the same seed where there is one, and each
 * distinct host. On paper one configuration is enough: the table says what differs. */
static void append_configs(const parl_report *r, parl_text *out) {
  for (size_t a = 0; a < r->n_trained; a++) {
    const parl_report_run *run = parl_report_find_example(r, a);
    parl_text title = {0};
    if (run == NULL) continue;
    parl_text_appendf(&title, "Configuration of %s, seed %lld", r->arms[a].name,
                      (long long)run->seed);
    append_block(out, parl_text_get(&title), run->config, a == 0);
    parl_text_deinit(&title);
  }
  for (size_t i = 0; i < r->n_runs; i++) {
    bool seen = false;
    for (size_t j = 0; j < i; j++) seen = seen || strcmp(r->runs[i].host, r->runs[j].host) == 0;
    if (!seen) append_block(out, "Machine and build", r->runs[i].host, true);
  }
}

static parl_status append_reproduction(const parl_report *r, parl_text *out) {
  parl_text_append(out,
                   "<h2>Reproduction</h2>\n<p>From the folder in which it was started; in an empty "
                   "run folder the same command makes the same hashes on the same kind of machine, "
                   "in this one it resumes what is missing and repeats nothing. uid is the hash of "
                   "the configuration and the seed, hash that of the metrics and weights.</p>\n");
  PARL_TRY(parl_report_append_commands(r, out));
  parl_text_append(out,
                   "<p>The same numbers for programs: report.json; report.csv, a summary "
                   "over seeds a row; report_seeds.csv, a score of one seed a row; "
                   "report_curves.csv, an update of one seed a row.</p>\n");
  PARL_TRY(append_table(r, PARL_TABLE_DIFFERENCES, out));
  parl_text_appendf(out, "<details%s><summary>All %zu runs</summary>\n",
                    r->n_runs <= SHOWN_RUNS ? " open" : "", r->n_runs);
  PARL_TRY(append_table(r, PARL_TABLE_RUNS, out));
  parl_text_append(out, "</details>\n");
  append_configs(r, out);
  parl_text_appendf(out,
                    "<p class=\"note\">%zu bootstrap replicates (%zu for bands), seed %d, GSL %s. "
                    "Code of the runs: ",
                    r->n_replicates, r->n_band_replicates, PARL_REPORT_BOOTSTRAP_SEED,
                    parl_statistics_gsl_version());
  parl_text_append_html(out, r->runs[0].revision);
  parl_text_append(out, "; of this report: ");
  parl_text_append_html(out, parl_build_revision());
  parl_text_append(out, ".</p>\n");
  return PARL_STATUS_OK;
}

parl_status parl_report_append_html(const parl_report *r, parl_text *out) {
  append_head(r, out);
  append_counts(r, out);
  PARL_TRY(append_result(r, out));
  PARL_TRY(parl_report_append_episodes(r, out));
  PARL_TRY(parl_report_append_pretrain(r, out));
  if (r->n_warm > 0) {
    parl_text_append(out, "<h2>Before training</h2>\n");
    PARL_TRY(append_table(r, PARL_TABLE_FORECAST, out));
    PARL_TRY(append_table(r, PARL_TABLE_FORECAST_SCORE, out));
    PARL_TRY(append_table(r, PARL_TABLE_WARM_START, out));
  }
  PARL_TRY(append_learning(r, out));
  PARL_TRY(append_reproduction(r, out));
  parl_vega_append_scripts(out, r);
  parl_text_append(out, "</main></body>\n</html>\n");
  return parl_text_status(out);
}
