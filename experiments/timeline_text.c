/* experiments/timeline_text.c - lanes in letters, then turn by turn, for a terminal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "experiments/timeline.h"

enum { LABEL = 15, MOST_COLUMNS = 200, LEAST_COLUMNS = 60, MOST_PER_STEP = 6, MAX_LANES = 48 };

/* What a letter of a lane shows. */
typedef enum cell { NOTHING, WAITING, WORKING, CRITICAL } cell;
static const char *const letters[] = {[NOTHING] = " ",
                                      [WAITING] = "\xC2\xB7",
                                      [WORKING] = "\xE2\x96\x92",
                                      [CRITICAL] = "\xE2\x96\x88"};

typedef struct drawing {
  const parl_timeline *t;
  size_t columns, room; /* of the page; of a lane */
  double scale;         /* letters a step */
  bool colour;
  parl_text *out;
} drawing;

static size_t get_column(const drawing *d, int64_t step) {
  const size_t at = (size_t)floor(d->scale * (double)step + 1e-9);
  return at < d->room ? at : d->room;
}

/* Steps [begin, end) of a lane; one letter at least, and nothing critical is painted over. */
static void paint(const drawing *d, unsigned char *lane, int64_t begin, int64_t steps, cell what) {
  size_t first = get_column(d, begin), end = get_column(d, begin + steps);
  if (steps == 0) return;
  if (first >= d->room) first = d->room - 1;
  if (end <= first) end = first + 1;
  for (size_t i = first; i < end; i++)
    if (lane[i] < what) lane[i] = (unsigned char)what;
}

static void append_lane(const drawing *d, const char *name, const unsigned char *lane) {
  size_t n = d->room;
  cell now = NOTHING;
  while (n > 0 && lane[n - 1] == NOTHING) n--;
  parl_text_appendf(d->out, "%-*s", LABEL, name);
  for (size_t i = 0; i < n; i++) {
    const cell c = (cell)lane[i];
    if (d->colour && (c == CRITICAL) != (now == CRITICAL))
      parl_text_append(d->out, c == CRITICAL ? "\x1b[33m" : "\x1b[0m");
    now = c;
    parl_text_append(d->out, letters[c]);
  }
  if (d->colour && now == CRITICAL) parl_text_append(d->out, "\x1b[0m");
  parl_text_append(d->out, "\n");
}

static void append_axis(const drawing *d) {
  char line[MOST_COLUMNS + 1];
  const int wanted = (int)(d->room / 8);
  const double steps = fmax(1, (double)d->t->critical);
  const parl_axis a = parl_axis_make_within(steps, wanted > 2 ? wanted : 2, 0, d->scale * steps);
  memset(line, ' ', sizeof line);
  size_t used = 0;
  for (int i = 0; i < a.n_ticks; i++) {
    char number[32];
    const double tick = parl_axis_get_tick(&a, i);
    if (tick != floor(tick)) continue;
    const size_t n = (size_t)snprintf(number, sizeof number, "%.0f", tick);
    const size_t at = get_column(d, (int64_t)tick);
    if (at + n > d->room || (used > 0 && at < used + 1)) continue;
    memcpy(line + at, number, n);
    used = at + n;
  }
  parl_text_appendf(d->out, "%-*s%.*s\n", LABEL, "critical steps", (int)used, line);
}

static void append_main_lane(const drawing *d) {
  unsigned char lane[MOST_COLUMNS] = {NOTHING};
  paint(d, lane, 0, d->t->critical, WAITING);
  for (size_t i = 0; i < d->t->n_turns; i++)
    paint(d, lane, d->t->turns[i].begin, d->t->turns[i].main, CRITICAL);
  append_lane(d, "orchestrator", lane);
}

static void append_sub_lane(const drawing *d, size_t k) {
  unsigned char lane[MOST_COLUMNS] = {NOTHING};
  char name[48];
  for (size_t i = 0; i < d->t->n_turns; i++) {
    const parl_timeline_turn *turn = &d->t->turns[i];
    if (k < turn->width)
      paint(d, lane, turn->begin + turn->main, d->t->subs[turn->first_sub + k].steps,
            parl_timeline_is_critical(turn, k) ? CRITICAL : WORKING);
  }
  snprintf(name, sizeof name, "sub-agent %zu", k + 1);
  append_lane(d, name, lane);
}

static void append_lanes(const drawing *d) {
  const size_t n = d->t->n_lanes < MAX_LANES ? d->t->n_lanes : MAX_LANES;
  append_axis(d);
  append_main_lane(d);
  for (size_t k = 0; k < n; k++) append_sub_lane(d, k);
  if (n < d->t->n_lanes) parl_text_appendf(d->out, "and %zu lanes more\n", d->t->n_lanes - n);
  parl_text_appendf(d->out, "%s critical path  %s other sub-agents  %s orchestrator waits\n\n",
                    letters[CRITICAL], letters[WORKING], letters[WAITING]);
}

/* --- turn by turn --- */

static void append_wrapped(const drawing *d, const char *lead, const char *text, size_t indent) {
  parl_text whole = {0};
  parl_text_appendf(&whole, "%s%s", lead, text);
  parl_text_append_wrapped(d->out, parl_text_get(&whole), d->columns, indent);
  d->out->failed |= whole.failed;
  parl_text_deinit(&whole);
}

static void append_calls(const drawing *d, const char *calls, size_t indent) {
  char lead[32];
  snprintf(lead, sizeof lead, "%*s", (int)indent, "");
  while (calls != NULL && *calls != '\0') {
    const size_t n = strcspn(calls, "\n");
    parl_text line = {0};
    parl_text_append_bytes(&line, calls, n);
    append_wrapped(d, lead, parl_text_get(&line), indent + 2);
    d->out->failed |= line.failed;
    parl_text_deinit(&line);
    calls += n + (calls[n] == '\n');
  }
}

static void append_sub(const drawing *d, const parl_timeline_turn *turn, size_t k) {
  const parl_timeline_sub *sub = &d->t->subs[turn->first_sub + k];
  const bool is_critical = parl_timeline_is_critical(turn, k);
  parl_text text = {0};
  parl_text_appendf(&text, "%zu %s %s: %lld step%s, %s%s", k + 1, sub->role, sub->task,
                    (long long)sub->steps, sub->steps == 1 ? "" : "s",
                    parl_timeline_get_outcome(sub), sub->duplicate ? ", duplicate" : "");
  if (is_critical && d->colour) parl_text_append(d->out, "\x1b[33m");
  append_wrapped(d, is_critical ? "  * " : "    ", parl_text_get(&text), 6);
  if (is_critical && d->colour) parl_text_append(d->out, "\x1b[0m");
  append_calls(d, sub->calls, 8);
  if (sub->message != NULL && sub->message[0] != '\0')
    append_wrapped(d, "        message: ", sub->message, 10);
  d->out->failed |= text.failed;
  parl_text_deinit(&text);
}

static void append_turn(const drawing *d, size_t i) {
  const parl_timeline_turn *turn = &d->t->turns[i];
  const double before = i > 0 ? d->t->turns[i - 1].r_perf : 0;
  const int64_t end = i + 1 < d->t->n_turns ? d->t->turns[i + 1].begin : d->t->critical;
  parl_text_appendf(d->out, "turn %zu", i + 1);
  if (turn->width > 0) parl_text_appendf(d->out, ", launch of %zu", turn->width);
  parl_text_appendf(d->out, ", critical %lld", (long long)end);
  if (turn->r_perf != before)
    parl_text_appendf(d->out, ", r_perf %.4g > %.4g", before, turn->r_perf);
  parl_text_append(d->out, "\n");
  append_calls(d, turn->calls, 4);
  for (size_t k = 0; k < turn->width; k++) append_sub(d, turn, k);
}

void parl_timeline_append_text(const parl_timeline *t, size_t columns, bool colour,
                               parl_text *out) {
  if (columns < LEAST_COLUMNS) columns = LEAST_COLUMNS;
  if (columns > MOST_COLUMNS) columns = MOST_COLUMNS;
  drawing d = {.t = t, .columns = columns, .room = columns - LABEL, .colour = colour, .out = out};
  const double steps = fmax(1, (double)t->critical), whole = floor((double)d.room / steps);
  d.scale = whole >= 1 ? fmin(whole, MOST_PER_STEP) : (double)d.room / steps;
  append_lanes(&d);
  for (size_t i = 0; i < t->n_turns; i++) append_turn(&d, i);
}
