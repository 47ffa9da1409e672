/* experiments/dashboard.c - histories that thin themselves, and the lines. */
#include "experiments/dashboard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"

enum { POINTS = 240, MAX_RUNS = 256, MAX_WARNINGS = 4, TEXT_BYTES = 256, PART_BYTES = 256 };
enum { LABEL = 16, NUMBER = 9, N_PARTS = 7, TWO_COLUMNS = 120 };

/* Metrics with a sparkline. X(field of parl_progress, label, digits, is it a share of 1) */
#define METRIC_LIST(X)                          \
  X(r_perf, "r_perf", 3, true)                  \
  X(critical_steps, "critical steps", 2, false) \
  X(entropy, "entropy", 3, false)               \
  X(lambda1, "lambda1", 4, false)               \
  X(lambda2, "lambda2", 4, false)               \
  X(launch_rate, "launch rate", 3, true)        \
  X(finish_rate, "finish rate", 3, true)        \
  X(useful_rate, "useful rate", 3, true)
typedef enum metric {
#define X(field, label, digits, is_share) METRIC_##field,
  METRIC_LIST(X)
#undef X
      N_METRICS
} metric;
static const struct {
  const char *label;
  int digits;
  bool is_share;
} infos[N_METRICS] = {
#define X(field, label, digits, is_share) {label, digits, is_share},
    METRIC_LIST(X)
#undef X
};

/* A run, or a warm start (arm ""), that is being made. */
typedef struct history {
  char arm[TEXT_BYTES], phase[32];
  int64_t seed, done, n;
  double last_s, latest[N_METRICS];
  size_t n_points, bucket, n_in; /* updates a point is the mean of; those in the last one */
  double points[N_METRICS][POINTS];
} history;

struct parl_dashboard {
  char title[TEXT_BYTES];
  double start_s;
  parl_progress whole; /* the last one */
  size_t n_runs;
  history *runs[MAX_RUNS]; /* owned, in the order of their first word */
  size_t n_warnings;       /* all */
  char warnings[MAX_WARNINGS][TEXT_BYTES];
};

parl_status parl_dashboard_create(const char *title, double now_s, parl_dashboard **out) {
  parl_dashboard *d = calloc(1, sizeof *d);
  if (d == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for a dashboard");
  snprintf(d->title, sizeof d->title, "%s", title);
  d->start_s = now_s;
  *out = d;
  return PARL_STATUS_OK;
}

void parl_dashboard_destroy(parl_dashboard *d) {
  if (d == NULL) return;
  for (size_t i = 0; i < d->n_runs; i++) free(d->runs[i]);
  free(d);
}

bool parl_dashboard_is_empty(const parl_dashboard *d) {
  return d->n_runs == 0;
}

/* --- histories --- */

static void remove_run(parl_dashboard *d, size_t i) {
  free(d->runs[i]);
  d->n_runs--;
  memmove(&d->runs[i], &d->runs[i + 1], (d->n_runs - i) * sizeof d->runs[0]);
}

/* Runs that became done leave: those that were evaluated longest ago. */
static void remove_done(parl_dashboard *d, size_t n) {
  while (n-- > 0) {
    size_t oldest = d->n_runs;
    for (size_t i = 0; i < d->n_runs; i++)
      if (strcmp(d->runs[i]->phase, "evaluate") == 0 &&
          (oldest == d->n_runs || d->runs[i]->last_s < d->runs[oldest]->last_s))
        oldest = i;
    if (oldest == d->n_runs) return;
    remove_run(d, oldest);
  }
}

/* A warm start is over once anything else of its seed is heard, or it is whole. */
static void remove_warm(parl_dashboard *d, const parl_progress *p) {
  for (size_t i = d->n_runs; i-- > 0;) {
    const history *h = d->runs[i];
    if (h->arm[0] == '\0' && (h->done == h->n || (p->arm[0] != '\0' && p->seed == h->seed)))
      remove_run(d, i);
  }
}

static history *find_run(parl_dashboard *d, const parl_progress *p) {
  for (size_t i = 0; i < d->n_runs; i++)
    if (d->runs[i]->seed == p->seed && strcmp(d->runs[i]->arm, p->arm) == 0) return d->runs[i];
  history *h = calloc(1, sizeof *h);
  if (h == NULL) return NULL;
  if (d->n_runs == MAX_RUNS) remove_run(d, 0);
  snprintf(h->arm, sizeof h->arm, "%s", p->arm);
  h->seed = p->seed;
  h->bucket = 1;
  d->runs[d->n_runs++] = h;
  return h;
}

/* Twice as many updates a point. */
static void thin(history *h) {
  for (int m = 0; m < N_METRICS; m++)
    for (size_t i = 0; i < POINTS / 2; i++) {
      const double a = h->points[m][2 * i], b = h->points[m][2 * i + 1];
      h->points[m][i] = isnan(a) ? b : isnan(b) ? a : (a + b) / 2;
    }
  h->n_points = POINTS / 2;
  h->bucket *= 2;
}

static void add_point(history *h) {
  const bool is_new = h->n_points == 0 || h->n_in == h->bucket;
  if (is_new && h->n_points == POINTS) thin(h);
  if (is_new) {
    h->n_in = 0;
    h->n_points++;
  }
  h->n_in++;
  for (int m = 0; m < N_METRICS; m++) {
    double *mean = &h->points[m][h->n_points - 1];
    const double x = h->latest[m];
    if (h->n_in == 1 || isnan(*mean))
      *mean = x;
    else if (!isnan(x))
      *mean += (x - *mean) / (double)h->n_in;
  }
}

void parl_dashboard_add(parl_dashboard *d, const parl_progress *p, double now_s) {
  if (p->n_cells_done > d->whole.n_cells_done)
    remove_done(d, p->n_cells_done - d->whole.n_cells_done);
  remove_warm(d, p);
  d->whole = *p;
  d->whole.arm = d->whole.phase = "";
  history *h = find_run(d, p);
  if (h == NULL) return;
  const bool is_update = strcmp(p->phase, "train") == 0 && p->done != h->done;
  snprintf(h->phase, sizeof h->phase, "%s", p->phase);
  h->done = p->done;
  h->n = p->n;
  h->last_s = now_s;
  if (!is_update) return;
#define X(field, label, digits, is_share) h->latest[METRIC_##field] = p->field;
  METRIC_LIST(X)
#undef X
  add_point(h);
}

void parl_dashboard_warn(parl_dashboard *d, const char *text) {
  snprintf(d->warnings[d->n_warnings++ % MAX_WARNINGS], TEXT_BYTES, "%s", text);
}

/* --- the line --- */

static void format_left(double s, char out[PART_BYTES]) {
  out[0] = '\0';
  if (!(s >= 0 && s < 1e8)) return;
  const long whole = (long)s;
  if (whole < 3600)
    snprintf(out, PART_BYTES, "  %ld:%02ld left", whole / 60, whole % 60);
  else
    snprintf(out, PART_BYTES, "  %ldh%02ld left", whole / 3600, whole / 60 % 60);
}

/* From what one wants to know most to what one misses least. */
static void format_parts(const parl_progress *p, char parts[N_PARTS][PART_BYTES]) {
  const bool is_warm = p->arm[0] == '\0';
  snprintf(parts[0], PART_BYTES, "%zu/%zu runs", p->n_cells_done, p->n_cells);
  snprintf(parts[1], PART_BYTES, " %3.0f%%", 100 * p->share);
  format_left(p->left_s, parts[2]);
  snprintf(parts[3], PART_BYTES, "  %.200s s%lld %lld/%lld", is_warm ? p->phase : p->arm,
           (long long)p->seed, (long long)p->done, (long long)p->n);
  for (int i = 4; i < N_PARTS; i++) parts[i][0] = '\0';
  if (!isfinite(p->r_perf)) return;
  snprintf(parts[4], PART_BYTES, "  r_perf %.3f", p->r_perf);
  snprintf(parts[5], PART_BYTES, "  critical %.1f", p->critical_steps);
  snprintf(parts[6], PART_BYTES, "  launch %.0f%%", 100 * p->launch_rate);
}

void parl_progress_append(const parl_progress *p, size_t width, parl_text *out) {
  char parts[N_PARTS][PART_BYTES];
  size_t used = 0;
  format_parts(p, parts);
  for (int i = 0; i < N_PARTS; i++) {
    const size_t n = parl_text_get_width(parts[i]);
    if (used + n > width) return;
    used += n;
    parl_text_append_plain(out, parts[i]);
  }
}

/* --- the screen --- */

typedef struct screen {
  const parl_dashboard *d;
  size_t width, rows; /* letters of a line; lines that are left */
  bool colour;
  parl_text *out;
} screen;

static void append_styled(const screen *s, const char *code, const char *text) {
  if (s->colour) parl_text_append(s->out, code);
  parl_text_append(s->out, text);
  if (s->colour) parl_text_append(s->out, "\x1b[0m");
}

static void end_line(screen *s) {
  parl_text_append(s->out, "\n");
  s->rows--;
}

/* What fits, and blanks up to `columns`. */
static void append_padded(const screen *s, const char *text, size_t columns) {
  parl_text_append_cut(s->out, text, columns);
  for (size_t n = parl_text_get_width(text); n < columns; n++) parl_text_append(s->out, " ");
}

/* The mean of the points that cell i of n shows; the nearest where there are fewer points. */
static double get_cell(const history *h, int m, size_t i, size_t n) {
  size_t first = i * h->n_points / n, end = (i + 1) * h->n_points / n;
  double sum = 0, count = 0;
  if (end <= first) end = first + 1;
  for (size_t k = first; k < end; k++) {
    if (isnan(h->points[m][k])) continue;
    sum += h->points[m][k];
    count++;
  }
  return count > 0 ? sum / count : (double)NAN;
}

/* Eighths of a letter's height: shares from 0 to 1, the others from their least to their most. */
static void append_sparkline(const screen *s, const history *h, int m, size_t columns) {
  const size_t n = h->n_points < columns ? h->n_points : columns;
  double low = 0, high = 1;
  if (!infos[m].is_share) {
    low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
      const double x = get_cell(h, m, i, n);
      if (x < low) low = x;
      if (x > high) high = x;
    }
  }
  if (s->colour) parl_text_append(s->out, "\x1b[36m");
  for (size_t i = 0; i < n; i++) {
    const double x = get_cell(h, m, i, n);
    const double share = high > low ? (x - low) / (high - low) : 0.5;
    const int level = share > 0 ? (int)fmin(7, 8 * share) : 0;
    if (isnan(x))
      parl_text_append(s->out, " ");
    else /* U+2581 to U+2588 */
      parl_text_appendf(s->out, "\xE2\x96%c", 0x81 + level);
  }
  if (s->colour) parl_text_append(s->out, "\x1b[0m");
}

static void append_title(screen *s, double now_s) {
  const parl_progress *p = &s->d->whole;
  char left[PART_BYTES], numbers[TEXT_BYTES];
  const double passed = now_s - s->d->start_s;
  format_left(p->left_s, left);
  snprintf(numbers, sizeof numbers, "  %zu/%zu runs %3.0f%%%.40s  %.0f:%02.0f passed",
           p->n_cells_done, p->n_cells, 100 * p->share, left, floor(passed / 60),
           floor(fmod(passed, 60)));
  const size_t n = parl_text_get_width(numbers), room = s->width > n ? s->width - n : 0;
  parl_text name = {0};
  parl_text_append_cut(&name, s->d->title, room);
  append_styled(s, "\x1b[1m", parl_text_get(&name));
  parl_text_deinit(&name);
  parl_text_append(s->out, numbers);
  end_line(s);
  const size_t done = (size_t)(fmin(1, fmax(0, p->share)) * (double)s->width);
  if (s->colour) parl_text_append(s->out, "\x1b[32m");
  for (size_t i = 0; i < s->width; i++) {
    if (s->colour && i == done) parl_text_append(s->out, "\x1b[2m");
    parl_text_append(s->out, i < done ? "\xE2\x94\x81" : "\xE2\x94\x80");
  }
  if (s->colour) parl_text_append(s->out, "\x1b[0m");
  end_line(s);
}

/* "annealed s1   train   40/200   0.523 ....": a run a line. */
static void append_run(screen *s, const history *h) {
  char name[TEXT_BYTES + 32], place[96], value[32];
  const size_t columns = s->width / 3 < 40 ? s->width / 3 : 40;
  if (h->arm[0] == '\0')
    snprintf(name, sizeof name, "(before training) s%lld", (long long)h->seed);
  else
    snprintf(name, sizeof name, "%s s%lld", h->arm, (long long)h->seed);
  append_padded(s, name, columns);
  snprintf(place, sizeof place, " %-10s %5lld/%-5lld", h->phase, (long long)h->done,
           (long long)h->n);
  snprintf(value, sizeof value, " %.3f ", h->latest[METRIC_r_perf]);
  parl_text_append(s->out, place);
  const size_t used = columns + strlen(place) + strlen(value);
  if (h->n_points > 0 && used < s->width) {
    parl_text_append(s->out, value);
    append_sparkline(s, h, METRIC_r_perf, s->width - used);
  }
  end_line(s);
}

static void append_metric(const screen *s, const history *h, int m, size_t columns) {
  char number[32];
  snprintf(number, sizeof number, "%*.*f  ", NUMBER, infos[m].digits, h->latest[m]);
  if (isnan(h->latest[m])) snprintf(number, sizeof number, "%*s  ", NUMBER, "-");
  append_padded(s, infos[m].label, LABEL);
  parl_text_append(s->out, number);
  append_sparkline(s, h, m, columns - LABEL - NUMBER - 2);
}

/* Blanks behind what a sparkline left free. */
static void fill_sparkline(const screen *s, const history *h, size_t columns) {
  const size_t room = columns - LABEL - NUMBER - 2;
  for (size_t i = h->n_points; i < room; i++) parl_text_append(s->out, " ");
}

/* All metrics of one run, beside each other where there is room. */
static void append_metrics(screen *s, const history *h) {
  const bool is_wide = s->width >= TWO_COLUMNS;
  const size_t columns = is_wide ? (s->width - 2) / 2 : s->width;
  const int step = is_wide ? N_METRICS / 2 : N_METRICS;
  parl_text name = {0}, shown = {0};
  end_line(s);
  parl_text_appendf(&name, "%s s%lld", h->arm, (long long)h->seed);
  parl_text_append_cut(&shown, parl_text_get(&name), s->width);
  append_styled(s, "\x1b[1m", parl_text_get(&shown));
  parl_text_deinit(&name);
  parl_text_deinit(&shown);
  end_line(s);
  for (int m = 0; m < step && s->rows > 0; m++) {
    append_metric(s, h, m, columns);
    if (is_wide) {
      fill_sparkline(s, h, columns);
      parl_text_append(s->out, "  ");
      append_metric(s, h, m + step, columns);
    }
    end_line(s);
  }
}

static void append_warnings(screen *s) {
  const size_t n = s->d->n_warnings, shown = n < MAX_WARNINGS ? n : MAX_WARNINGS;
  for (size_t i = n - shown; i < n && s->rows > 0; i++) {
    parl_text line = {0}, cut = {0};
    parl_text_appendf(&line, "! %s", s->d->warnings[i % MAX_WARNINGS]);
    parl_text_append_cut(&cut, parl_text_get(&line), s->width);
    append_styled(s, "\x1b[33m", parl_text_get(&cut));
    parl_text_deinit(&cut);
    parl_text_deinit(&line);
    end_line(s);
  }
}

/* The run that has trained most: the first of several. */
static const history *find_focus(const parl_dashboard *d) {
  const history *best = NULL;
  for (size_t i = 0; i < d->n_runs; i++)
    if (d->runs[i]->n_points > 0 && (best == NULL || d->runs[i]->done > best->done))
      best = d->runs[i];
  return best;
}

static void append_line(const parl_dashboard *d, size_t width, parl_text *out) {
  parl_progress p = d->whole;
  const history *h = d->n_runs > 0 ? d->runs[d->n_runs - 1] : NULL;
  if (h == NULL) return;
  p.arm = h->arm;
  p.phase = h->phase;
  parl_progress_append(&p, width, out);
  parl_text_append(out, "\n");
}

void parl_dashboard_append(const parl_dashboard *d, size_t columns, size_t rows, bool colour,
                           double now_s, parl_text *out) {
  screen s = {.d = d, .width = columns > 1 ? columns - 1 : 1, .rows = rows, .colour = colour};
  s.out = out;
  if (rows == 0) return;
  if (columns < PARL_DASHBOARD_LEAST_COLUMNS || rows < PARL_DASHBOARD_LEAST_ROWS) {
    append_line(d, s.width, out);
    return;
  }
  const history *focus = find_focus(d);
  const size_t n_warnings = d->n_warnings < MAX_WARNINGS ? d->n_warnings : MAX_WARNINGS;
  const size_t metrics =
      focus == NULL ? 0 : 2 + (s.width >= TWO_COLUMNS ? N_METRICS / 2 : N_METRICS);
  append_title(&s, now_s);
  size_t room = s.rows > metrics + n_warnings ? s.rows - metrics - n_warnings : 1;
  if (room > d->n_runs) room = d->n_runs;
  for (size_t i = 0; i < room; i++) append_run(&s, d->runs[i]);
  if (focus != NULL && s.rows > 2) append_metrics(&s, focus);
  append_warnings(&s);
}
