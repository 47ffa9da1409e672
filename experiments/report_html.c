/* experiments/report_html.c - the page: style, sections, figures with their tables. */
#include <string.h>

#include "core/build_info.h"
#include "experiments/report_internal.h"

/* Okabe and Ito's colours; in the dark the bright ones come first. */
static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--card:#fff;--ink:#1b1f24;--soft:#5b6470;"
    "--rule:#e3e6ea;--tint:#f6f7f9;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;"
    "--c4:#e69f00;--c5:#56b4e9;--warn:#fff6e0;--warn-edge:#e69f00}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1a1e23;--ink:#e7eaee;"
    "--soft:#9ba5b1;--rule:#2f353d;--tint:#20252b;--c0:#56b4e9;--c1:#e69f00;--c2:#1fbf92;"
    "--c3:#dd93ba;--c4:#f0e442;--c5:#e8743b;--warn:#2b2517}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);"
    "font:15px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}\n"
    "main{max-width:1140px;margin:0 auto;padding:2.2rem 1.6rem 4rem}"
    "h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}"
    "h2{font-size:1.2rem;margin:2.8rem 0 .4rem;padding-bottom:.35rem;"
    "border-bottom:1px solid var(--rule)}"
    "p{margin:.4rem 0 .9rem;max-width:78ch}.meta,.note,figcaption small{color:var(--soft)}"
    ".note{font-size:.85rem}.warn{background:var(--warn);border-left:4px solid var(--warn-edge);"
    "padding:.55rem .9rem;margin:.8rem 0;max-width:none}\n"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));"
    "gap:1.1rem 1.4rem;align-items:start}"
    "figure{margin:1rem 0 0;background:var(--card);border:1px solid var(--rule);"
    "border-radius:8px;padding:.9rem 1rem .7rem;min-width:0}.grid2{margin-top:1.1rem}"
    ".grid2 figure{margin:0}"
    "figcaption{font-weight:600;margin-bottom:.35rem}figcaption small{font-weight:400;"
    "margin-left:.5rem}\n"
    "figure>svg{display:block;width:100%;height:auto}.scroll{overflow-x:auto}"
    "svg.wide{min-width:860px}svg text{font:11.5px system-ui,\"Noto Sans\",sans-serif;"
    "fill:var(--ink)}svg .tick,svg .tick text{fill:var(--soft)}"
    "svg .head{font-weight:600;font-size:12.5px}svg .name{font-size:12.5px;"
    "paint-order:stroke;stroke:var(--card);stroke-width:3px}"
    "svg .grid path{stroke:var(--rule)}svg .level{stroke:var(--soft);stroke-dasharray:5 4;"
    "fill:none}svg .line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}"
    "svg .band{fill:currentColor;fill-opacity:.15}svg .seed{fill:currentColor;fill-opacity:.4}"
    "svg .hollow{fill:var(--card)}svg .in{fill:#111;font-size:11.5px}\n"
    ".k0{color:var(--c0)}.k1{color:var(--c1)}.k2{color:var(--c2)}.k3{color:var(--c3)}"
    ".k4{color:var(--c4)}.k5{color:var(--c5)}"
    ".e0{fill:#3fb894;background:#3fb894}.e1{fill:#e69f00;background:#e69f00}"
    ".e2{fill:#d68fb6;background:#d68fb6}.e3{fill:#56b4e9;background:#56b4e9}"
    ".e4{fill:#e8743b;background:#e8743b}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.3rem 0 .1rem;"
    "font-size:.84rem}.legend span{display:inline-flex;align-items:center;gap:.35rem}"
    ".legend b{font-weight:500;color:var(--ink);overflow-wrap:anywhere}"
    ".legend i{display:inline-block;width:12px;height:12px;border-radius:2px}\n"
    "table{border-collapse:collapse;font-size:.875rem;margin:.7rem 0 .3rem;"
    "font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600;"
    "padding:.2rem 0 .35rem}th,td{padding:.3rem .8rem;border-bottom:1px solid var(--rule);"
    "text-align:left;vertical-align:baseline;white-space:nowrap}"
    "thead th{border-bottom:2px solid var(--rule);color:var(--soft);font-weight:600}"
    "tbody th{font-weight:600}.n{text-align:right}td small{color:var(--soft)}"
    "tbody tr:hover{background:var(--tint)}\n"
    "details{margin-top:.5rem;font-size:.9rem}summary{cursor:pointer;color:var(--soft)}"
    "pre{background:var(--tint);border:1px solid var(--rule);border-radius:6px;padding:.7rem .9rem;"
    "overflow-x:auto;font:12.5px/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    "@media print{figure{break-inside:avoid}}\n";

enum { TABLE_POINTS = 20, SHARE_FIGURES = 6, SHOWN_RUNS = 24 };

static parl_status append_table(const parl_report *r, parl_table_kind kind, parl_text *out) {
  parl_table t;
  PARL_TRY(parl_report_make_table(r, kind, &t));
  if (!t.failed && parl_table_get_rows(&t) == 0) return PARL_STATUS_OK;
  return parl_table_append_html(&t, out);
}

static parl_status append_details(const parl_report *r, parl_table_kind kind, parl_text *out) {
  parl_text_append(out, "<details><summary>Table</summary>\n");
  PARL_TRY(append_table(r, kind, out));
  parl_text_append(out, "</details>\n");
  return PARL_STATUS_OK;
}

static void begin_figure(parl_text *out, const char *title, const char *unit) {
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
    parl_table_add(&t, "%g", c->x[i]);
    for (size_t s = 0; s < c->n_series; s++)
      parl_table_add_summary(&t, &c->series[s].y[i], c->digits);
  }
  parl_text_append(out, "<details><summary>Table</summary>\n");
  PARL_TRY(parl_table_append_html(&t, out));
  parl_text_append(out, "</details>\n");
  return PARL_STATUS_OK;
}

static parl_status append_chart(const parl_report *r, const parl_line_chart *c, parl_text *out) {
  begin_figure(out, c->title, c->unit);
  parl_chart_append_lines(out, c);
  parl_chart_append_legend(out, c->series, c->n_series);
  PARL_TRY(append_curve_table(r, c, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

static bool is_share(parl_curve curve) {
  return curve == PARL_CURVE_launch_rate || curve == PARL_CURVE_finish_rate ||
         curve == PARL_CURVE_useful_rate || curve == PARL_CURVE_flat_perf;
}

/* One curve of every trained arm that has it. */
static parl_status append_curve(const parl_report *r, parl_curve curve, parl_text *out) {
  parl_series *series = NULL;
  size_t n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained + 1, &series));
  for (size_t a = 0; a < r->n_trained; a++)
    if (parl_arm_has_curve(r, &r->arms[a], curve))
      series[n++] = (parl_series){r->arms[a].name, a, r->arms[a].curves[curve]};
  if (n == 0) return PARL_STATUS_OK;
  const parl_curve_info *info = &parl_curve_infos[curve];
  const parl_line_chart chart = {
      .title = info->title,
      .unit = info->unit,
      .n_points = r->n_points,
      .n_series = n,
      .x = r->x,
      .x_name = "update",
      .series = series,
      .is_share = is_share(curve),
      .level = curve == PARL_CURVE_critical ? parl_report_get_optimum(r) : (double)NAN,
      .level_name = "mean optimum of the evaluation",
      .digits = info->digits,
  };
  return append_chart(r, &chart, out);
}

/* The three shares of |advantage| of one arm. */
static parl_status append_shares(const parl_report *r, size_t a, parl_text *out) {
  static const parl_curve curves[] = {PARL_CURVE_share_perf, PARL_CURVE_share_parallel,
                                      PARL_CURVE_share_finish};
  if (!parl_arm_has_curve(r, &r->arms[a], PARL_CURVE_share_perf)) return PARL_STATUS_OK;
  parl_series series[3];
  for (size_t i = 0; i < 3; i++)
    series[i] = (parl_series){parl_curve_infos[curves[i]].title, i, r->arms[a].curves[curves[i]]};
  const parl_line_chart chart = {.title = r->arms[a].name,
                                 .unit = "shares of |advantage| by term",
                                 .n_points = r->n_points,
                                 .n_series = 3,
                                 .x = r->x,
                                 .x_name = "update",
                                 .series = series,
                                 .is_share = true,
                                 .level = NAN,
                                 .digits = 3};
  return append_chart(r, &chart, out);
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
                                 .unit = "share of seeds with r_perf above \xCF\x84",
                                 .n_points = PARL_REPORT_TAUS,
                                 .n_series = n,
                                 .x = x,
                                 .x_name = "\xCF\x84",
                                 .series = series,
                                 .is_share = true,
                                 .level = NAN,
                                 .digits = 2};
  begin_figure(out, chart.title, chart.unit);
  parl_chart_append_lines(out, &chart);
  parl_chart_append_legend(out, series, n);
  PARL_TRY(append_details(r, PARL_TABLE_PROFILE, out));
  parl_text_append(out, "</figure>\n");
  return PARL_STATUS_OK;
}

/* --- sections --- */

static void append_head(const parl_report *r, parl_text *out) {
  parl_text_append(out,
                   "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; img-src data:\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<title>");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, " - ablation report</title>\n<style>\n");
  parl_text_append(out, style);
  parl_text_append(out, "</style>\n</head>\n<body><main>\n<h1>");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, "</h1>\n");
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
                    "and brackets 95 %% bootstrap intervals.</p>\n",
                    r->n_arms - r->n_trained, (long long)(r->last_update + 1), episodes);
}

static void append_warnings(const parl_report *r, parl_text *out) {
  const char *line = parl_text_get(&r->warnings);
  for (const char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
    parl_text_append(out, "<p class=\"warn\" role=\"note\">");
    parl_text_append_bytes(out, line, (size_t)(end - line));
    parl_text_append(out, "</p>\n");
    line = end + 1;
  }
}

static parl_status append_result(const parl_report *r, parl_text *out) {
  parl_text_append(out, "<h2>Result</h2>\n");
  PARL_TRY(append_table(r, PARL_TABLE_OUTCOME, out));
  PARL_TRY(append_table(r, PARL_TABLE_PAIRS, out));
  begin_figure(out, "Policies compared",
               "filled: sampled or scripted; hollow: greedy; faint: single seeds; dashed: optimum");
  parl_text_append(out, "<div class=\"scroll\">");
  parl_chart_append_dots(out, r);
  parl_text_append(out, "</div>");
  PARL_TRY(append_details(r, PARL_TABLE_LAUNCHING, out));
  parl_text_append(out, "</figure>\n<div class=\"grid2\">\n");
  begin_figure(out, "r_perf against critical steps", "up and to the left is better");
  parl_chart_append_scatter(out, r);
  PARL_TRY(append_details(r, PARL_TABLE_STEPS, out));
  parl_text_append(out, "</figure>\n");
  begin_figure(out, "What ended episodes", "share of episodes");
  parl_chart_append_endings(out, r);
  PARL_TRY(append_details(r, PARL_TABLE_ENDINGS, out));
  parl_text_append(out, "</figure>\n");
  PARL_TRY(append_profile(r, out));
  parl_text_append(out, "</div>\n");
  PARL_TRY(append_table(r, PARL_TABLE_GREEDY, out));
  return append_table(r, PARL_TABLE_FAMILIES, out);
}

static parl_status append_group(const parl_report *r, const char *title, const char *text,
                                const parl_curve *curves, size_t n, parl_text *out) {
  parl_text_appendf(out, "<h2>%s</h2>\n<p>%s</p>\n<div class=\"grid2\">\n", title, text);
  for (size_t i = 0; i < n; i++) PARL_TRY(append_curve(r, curves[i], out));
  parl_text_append(out, "</div>\n");
  return PARL_STATUS_OK;
}

static parl_status append_experts(const parl_report *r, parl_text *out) {
  static const parl_curve experts[] = {PARL_CURVE_expert_most, PARL_CURVE_expert_unused,
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
  static const parl_curve learning[] = {PARL_CURVE_perf,        PARL_CURVE_critical,
                                        PARL_CURVE_launch_rate, PARL_CURVE_width,
                                        PARL_CURVE_finish_rate, PARL_CURVE_useful_rate};
  static const parl_curve reward[] = {PARL_CURVE_lambda1,           PARL_CURVE_lambda2,
                                      PARL_CURVE_parallel,          PARL_CURVE_finish,
                                      PARL_CURVE_weighted_parallel, PARL_CURVE_weighted_finish};
  static const parl_curve objective[] = {PARL_CURVE_flat_perf, PARL_CURVE_entropy,
                                         PARL_CURVE_masked};
  if (r->n_trained == 0 || r->n_points == 0) return PARL_STATUS_OK;
  PARL_TRY(append_group(r, "Learning curves",
                        "Of the episodes that training sampled, so of other tasks than the result "
                        "above.",
                        learning, sizeof learning / sizeof learning[0], out));
  PARL_TRY(
      append_group(r, "Reward terms and their annealing",
                   "r = \xCE\xBB\xE2\x82\x81 r_parallel + \xCE\xBB\xE2\x82\x82 r_finish + "
                   "r_perf. What a policy still does once \xCE\xBB is 0, r_perf alone rewards.",
                   reward, sizeof reward / sizeof reward[0], out));
  parl_text_append(out,
                   "<h2>What the advantage is made of</h2>\n<p>The policy follows the advantage, "
                   "not the reward: a term with a small weight can still make most of it.</p>\n"
                   "<div class=\"grid2\">\n");
  for (size_t a = 0; a < r->n_trained && a < SHARE_FIGURES; a++) PARL_TRY(append_shares(r, a, out));
  for (size_t i = 0; i < sizeof objective / sizeof objective[0]; i++)
    PARL_TRY(append_curve(r, objective[i], out));
  parl_text_append(out, "</div>\n");
  return append_experts(r, out);
}

static void append_block(parl_text *out, const char *title, const char *text) {
  parl_text_append(out, "<details><summary>");
  parl_text_append_html(out, title);
  parl_text_append(out, "</summary><pre>");
  parl_text_append_html(out, text);
  parl_text_append(out, "</pre></details>\n");
}

/* The configuration of the first run that counts of each trained arm, and each distinct host. */
static void append_configs(const parl_report *r, parl_text *out) {
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t i = 0; i < r->n_runs; i++) {
      if (r->runs[i].arm != a || !r->runs[i].counted) continue;
      parl_text title = {0};
      parl_text_appendf(&title, "Configuration of %s, seed %lld", r->arms[a].name,
                        (long long)r->runs[i].seed);
      append_block(out, parl_text_get(&title), r->runs[i].config);
      parl_text_deinit(&title);
      break;
    }
  for (size_t i = 0; i < r->n_runs; i++) {
    bool seen = false;
    for (size_t j = 0; j < i; j++) seen = seen || strcmp(r->runs[i].host, r->runs[j].host) == 0;
    if (!seen) append_block(out, "Machine and build", r->runs[i].host);
  }
}

static parl_status append_reproduction(const parl_report *r, parl_text *out) {
  parl_text_append(out,
                   "<h2>Reproduction</h2>\n<p>The same command resumes what is missing and "
                   "repeats nothing; uid is the hash of the configuration and the seed, hash "
                   "that of the metrics and weights.</p>\n<pre>parl train ");
  parl_text_append_html(out, r->recipe);
  parl_text_append(out, ".lua\nparl report ");
  parl_text_append_html(out, r->folder);
  parl_text_append(out,
                   "</pre>\n<p>The same numbers for programs: report.json; report.csv, a summary "
                   "over seeds a row; report_seeds.csv, a score of one seed a row; "
                   "report_curves.csv, an update of one seed a row.</p>\n");
  PARL_TRY(append_table(r, PARL_TABLE_DIFFERENCES, out));
  parl_text_appendf(out, "<details%s><summary>All %zu runs</summary>\n",
                    r->n_runs <= SHOWN_RUNS ? " open" : "", r->n_runs);
  PARL_TRY(append_table(r, PARL_TABLE_RUNS, out));
  parl_text_append(out, "</details>\n");
  append_configs(r, out);
  parl_text_appendf(out,
                    "<p class=\"note\">%d bootstrap replicates (%d for bands), seed %d, GSL %s. "
                    "Code of the runs: ",
                    PARL_BOOTSTRAP_REPLICATES, PARL_BOOTSTRAP_BAND_REPLICATES,
                    PARL_REPORT_BOOTSTRAP_SEED, parl_statistics_gsl_version());
  parl_text_append_html(out, r->runs[0].revision);
  parl_text_append(out, "; of this report: ");
  parl_text_append_html(out, parl_build_revision());
  parl_text_append(out, ".</p>\n");
  return PARL_STATUS_OK;
}

parl_status parl_report_append_html(const parl_report *r, parl_text *out) {
  append_head(r, out);
  append_counts(r, out);
  append_warnings(r, out);
  PARL_TRY(append_result(r, out));
  if (r->n_warm > 0) {
    parl_text_append(out, "<h2>Before training</h2>\n");
    PARL_TRY(append_table(r, PARL_TABLE_FORECAST, out));
  }
  PARL_TRY(append_learning(r, out));
  PARL_TRY(append_reproduction(r, out));
  parl_text_append(out, "</main></body>\n</html>\n");
  return parl_text_status(out);
}
