/* experiments/report_pretrain.c - learning from documents: what it made of held-out ones, and the
 * losses over its steps. */
#include <math.h>
#include <string.h>

#include "experiments/report_content.h"

bool parl_report_is_pretrain(const char *key) {
  return strncmp(key, "pretrain/", 9) == 0;
}

static size_t find_key(const parl_report *r, const char *front, const char *source) {
  const size_t n = strlen(front);
  size_t k = 0;
  while (k < r->n_pretrain && (strncmp(r->pretrain_keys[k], front, n) != 0 ||
                               strcmp(r->pretrain_keys[k] + n, source) != 0))
    k++;
  return k;
}

void parl_report_read_pretrain(const parl_report *r, parl_report_run *run, const char *key,
                               int64_t step, double value) {
  const size_t k = find_key(r, "", key);
  const size_t point = (size_t)(step / r->step_bucket);
  if (k == r->n_pretrain || point >= PARL_REPORT_POINTS || !isfinite(value)) return;
  /* The last of a bucket: a look is one value, and a mean of losses would hide where it began. */
  run->pretrain[k][point] = value;
}

/* The first or the last point that a run has; NaN if none. */
static double get_end(const parl_report_run *run, size_t k, bool last) {
  double value = NAN;
  for (size_t i = 0; i < PARL_REPORT_POINTS; i++) {
    const double x = run->pretrain[k][last ? PARL_REPORT_POINTS - 1 - i : i];
    if (!isfinite(value)) value = x;
  }
  return value;
}

/* Over the seeds of an arm. at: a point, or -1 and -2 for the first and the last that there is. */
static parl_status summarize(const parl_report *r, size_t arm, size_t k, int at,
                             parl_summary *out) {
  double *values = NULL;
  size_t n = 0;
  *out = (parl_summary){.n = 0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &values));
  for (size_t i = 0; i < r->n_runs && k < r->n_pretrain; i++)
    if (r->runs[i].arm == arm && r->runs[i].counted)
      values[n++] = at >= 0 ? r->runs[i].pretrain[k][at] : get_end(&r->runs[i], k, at == -2);
  return parl_report_summarize_values(r, values, n, out);
}

static void add_end(parl_table *t, const parl_report *r, size_t arm, const char *front,
                    const char *source, int at) {
  parl_summary s;
  if (summarize(r, arm, find_key(r, front, source), at, &s) != PARL_STATUS_OK) t->failed = true;
  parl_table_add_summary(t, &s, 3);
}

void parl_report_make_pretrain(const parl_report *r, parl_table *t) {
  static const char front[] = "held_out/";
  parl_table_init(t, r->arena, "Pretraining: held-out documents", 6, 2);
  t->note =
      "nats per learnt token, and the share of them that is the likeliest, before the first "
      "step and after the last.";
  parl_table_add(t, "policy");
  parl_table_add(t, "source");
  parl_table_add(t, "loss before");
  parl_table_add(t, "loss after");
  parl_table_add(t, "right before");
  parl_table_add(t, "right after");
  for (size_t a = 0; a < r->n_trained; a++)
    for (size_t k = 0; k < r->n_pretrain; k++) {
      const char *source = r->pretrain_keys[k] + sizeof front - 1;
      parl_summary s;
      if (strncmp(r->pretrain_keys[k], front, sizeof front - 1) != 0) continue;
      if (summarize(r, a, k, -2, &s) != PARL_STATUS_OK) t->failed = true;
      if (s.n == 0) continue;
      parl_table_add(t, "%s", r->arms[a].name);
      parl_table_add(t, "%s", source);
      add_end(t, r, a, front, source, -1);
      add_end(t, r, a, front, source, -2);
      add_end(t, r, a, "held_out_accuracy/", source, -1);
      add_end(t, r, a, "held_out_accuracy/", source, -2);
    }
}

/* --- curves --- */

/* Points at which any run has a value: looks are far apart. */
static size_t list_points(const parl_report *r, size_t k, size_t out[PARL_REPORT_POINTS]) {
  size_t n = 0;
  for (size_t i = 0; i < PARL_REPORT_POINTS; i++) {
    bool any = false;
    for (size_t j = 0; j < r->n_runs; j++)
      any = any || (r->runs[j].counted && isfinite(r->runs[j].pretrain[k][i]));
    if (any) out[n++] = i;
  }
  return n;
}

static parl_status fill_series(const parl_report *r, size_t k, size_t arm, const size_t *points,
                               size_t n, parl_series *out) {
  parl_summary *y = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &y));
  for (size_t i = 0; i < n; i++) PARL_TRY(summarize(r, arm, k, (int)points[i], &y[i]));
  *out = (parl_series){r->arms[arm].name, arm, y};
  return PARL_STATUS_OK;
}

static parl_status append_curve(const parl_report *r, size_t k, parl_text *out) {
  size_t points[PARL_REPORT_POINTS];
  const size_t n = list_points(r, k, points);
  parl_series *series = NULL;
  double *x = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_trained + 1, &series));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &x));
  for (size_t i = 0; i < n; i++)
    x[i] = fmin((double)((int64_t)(points[i] + 1) * r->step_bucket - 1), (double)r->last_step);
  for (size_t a = 0; a < r->n_trained; a++) PARL_TRY(fill_series(r, k, a, points, n, &series[a]));
  const bool is_share = strstr(r->pretrain_keys[k], "accuracy") != NULL;
  const parl_line_chart chart = {.title = r->pretrain_keys[k],
                                 .unit = is_share ? "share of learnt tokens" : "nats per token",
                                 .n_points = n,
                                 .n_series = r->n_trained,
                                 .x = x,
                                 .x_name = "step",
                                 .series = series,
                                 .is_share = is_share,
                                 .level = (double)NAN,
                                 .level_name = "",
                                 .digits = 3};
  return parl_chart_is_informative(&chart) ? parl_page_append_curves(r, &chart, out)
                                           : PARL_STATUS_OK;
}

static bool is_drawn(const char *key) {
  return strncmp(key, "loss", 4) == 0 || strncmp(key, "held_out", 8) == 0;
}

parl_status parl_report_append_pretrain(const parl_report *r, parl_text *out) {
  parl_table t;
  if (r->n_pretrain == 0) return PARL_STATUS_OK;
  parl_report_make_pretrain(r, &t);
  parl_text_append(out,
                   "<h2>Pretraining</h2>\n<p>Before the warm start, over the steps of "
                   "<code>pretrain</code>.</p>\n");
  if (parl_table_get_rows(&t) > 0) PARL_TRY(parl_table_append(&t, PARL_FORMAT_HTML, out));
  parl_text_append(out, "<div class=\"grid2\">\n");
  for (size_t k = 0; k < r->n_pretrain; k++)
    if (is_drawn(r->pretrain_keys[k])) PARL_TRY(append_curve(r, k, out));
  parl_text_append(out, "</div>\n");
  return PARL_STATUS_OK;
}
