/* experiments/timeline_svg.c - lanes as inline SVG, styled by the page's CSS classes.
 *
 * What one points at, or reaches with the Tab key, says at the foot of the picture what it did:
 * without scripts, by a text beside each bar that CSS shows. */
#include <math.h>
#include <string.h>

#include "experiments/report_internal.h"
#include "experiments/timeline.h"

enum { LEFT = 104, RIGHT = 16, ROOM = 820, TOP = 40, LANE = 26, BAR = 18, STRIP = 46, GAP = 14 };
enum { TIP_LINES = 4, TIP_LINE = 15, TIP_COLUMNS = 148, LETTER = 7 };
enum { MAX_LANES = 48, MAX_ITEMS = 1500 };
static const double MOST_SCALE = 110, LEAST_SCALE = 5, MOST_WIDTH = 12000;

typedef struct sheet {
  const parl_timeline *t;
  size_t n_lanes, n_turns; /* that are drawn */
  double scale;            /* pixels a step */
  double width, height, strip_y, tip_y;
  parl_text *out;
} sheet;

static sheet make_sheet(const parl_timeline *t, parl_text *out) {
  sheet s = {.t = t, .n_lanes = t->n_lanes < MAX_LANES ? t->n_lanes : MAX_LANES, .out = out};
  const double steps = fmax(1, (double)t->critical);
  s.scale = fmin(MOST_SCALE, ROOM / steps);
  if (s.scale < LEAST_SCALE) s.scale = fmin(LEAST_SCALE, MOST_WIDTH / steps);
  s.width = fmax(LEFT + ROOM + RIGHT, LEFT + s.scale * steps + RIGHT);
  s.strip_y = TOP + (double)(1 + s.n_lanes) * LANE + GAP;
  s.tip_y = s.strip_y + STRIP + GAP;
  s.height = s.tip_y + TIP_LINES * TIP_LINE + 6;
  size_t n_items = 0;
  while (s.n_turns < t->n_turns && n_items < MAX_ITEMS) n_items += 1 + t->turns[s.n_turns++].width;
  return s;
}

static double get_x(const sheet *s, int64_t step) {
  return LEFT + s->scale * (double)step;
}

static double get_y(size_t lane) {
  return TOP + (double)lane * LANE;
}

/* --- what a bar says --- */

/* Calls one after the other. */
static void append_calls(parl_text *out, const char *calls) {
  for (const char *c = calls; c != NULL && *c != '\0'; c++) {
    char letter[2] = {*c, '\0'};
    parl_text_append(out, *c == '\n' ? "; " : letter);
  }
}

static void describe_turn(const parl_timeline *t, size_t i, parl_text *out) {
  const parl_timeline_turn *turn = &t->turns[i];
  const double before = i > 0 ? t->turns[i - 1].r_perf : 0;
  parl_text_appendf(out, "Turn %zu: ", i + 1);
  if (turn->width > 0) parl_text_appendf(out, "launch of %zu, ", turn->width);
  parl_text_appendf(out, "%lld step%s of the orchestrator. ", (long long)turn->main,
                    turn->main == 1 ? "" : "s");
  if (turn->r_perf != before) parl_text_appendf(out, "r_perf %.4g > %.4g. ", before, turn->r_perf);
  append_calls(out, turn->calls);
}

static void describe_sub(const parl_timeline_turn *turn, size_t turn_number, size_t i,
                         const parl_timeline_sub *sub, parl_text *out) {
  parl_text_appendf(out, "Turn %zu, sub-agent %zu, %s: %s. %lld step%s, %s%s%s. ", turn_number + 1,
                    i + 1, sub->role, sub->task, (long long)sub->steps, sub->steps == 1 ? "" : "s",
                    parl_timeline_get_outcome(sub),
                    sub->duplicate ? ", its task was assigned before" : "",
                    parl_timeline_is_critical(turn, i) ? ", on the critical path" : "");
  if (sub->message != NULL)
    parl_text_appendf(out, "Message: %s. ", sub->message[0] != '\0' ? sub->message : "(empty)");
  append_calls(out, sub->calls);
}

/* The text in lines, each a <tspan>; what is beyond the last is left out. */
static void append_tip(const sheet *s, const char *text) {
  parl_text lines = {0};
  parl_text_append_wrapped(&lines, text, TIP_COLUMNS, 2);
  const char *at = parl_text_get(&lines);
  parl_text_appendf(s->out, "<text class=\"tip\" y=\"%.0f\">", s->tip_y);
  for (int i = 0; i < TIP_LINES && *at != '\0'; i++) {
    const size_t n = strcspn(at, "\n");
    parl_text line = {0};
    parl_text_append_bytes(&line, at, n);
    const char *rest = at + n + (at[n] == '\n');
    parl_text_appendf(s->out, "<tspan x=\"8\" dy=\"%d\">", i > 0 ? TIP_LINE : 11);
    parl_text_append_html(s->out, parl_text_get(&line));
    parl_text_append(s->out, i + 1 == TIP_LINES && *rest != '\0' ? " \xE2\x80\xA6" : "");
    parl_text_append(s->out, "</tspan>");
    s->out->failed |= line.failed;
    parl_text_deinit(&line);
    at = rest;
  }
  parl_text_append(s->out, "</text>");
  s->out->failed |= lines.failed;
  parl_text_deinit(&lines);
}

static void begin_item(const sheet *s, const char *name, const char *text) {
  parl_text_appendf(s->out, "<g class=\"%s\" tabindex=\"0\" role=\"img\" aria-label=\"", name);
  parl_text_append_html(s->out, text);
  parl_text_append(s->out, "\"><title>");
  parl_text_append_html(s->out, text);
  parl_text_append(s->out, "</title>");
}

static void end_item(const sheet *s, const char *text) {
  append_tip(s, text);
  parl_text_append(s->out, "</g>\n");
}

/* A bar of some steps in a lane; one of none is a thin line. */
static void append_bar(const sheet *s, int64_t begin, int64_t steps, size_t lane) {
  parl_text_appendf(s->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
                    get_x(s, begin) + 0.5, get_y(lane) + (LANE - BAR) / 2.0,
                    fmax(2.5, s->scale * (double)steps - 1), BAR);
}

/* A word on a bar, where there is room for it. */
static void append_word(const sheet *s, int64_t begin, int64_t steps, size_t lane,
                        const char *word) {
  const double room = s->scale * (double)steps - 22;
  if (word[0] == '\0' || room < 3 * LETTER) return;
  parl_text_appendf(s->out, "<text class=\"in\" x=\"%.1f\" y=\"%.1f\">", get_x(s, begin) + 5,
                    get_y(lane) + LANE / 2.0 + 4);
  parl_text_append_html_short(s->out, word, (size_t)(room / LETTER));
  parl_text_append(s->out, "</text>");
}

/* --- the parts --- */

static void append_axis(const sheet *s) {
  const double steps = fmax(1, (double)s->t->critical);
  const parl_axis a = parl_axis_make_within(steps, 10, LEFT, LEFT + s->scale * steps);
  for (int i = 0; i < a.n_ticks; i++) {
    const double tick = parl_axis_get_tick(&a, i), x = LEFT + s->scale * tick;
    if (tick != floor(tick)) continue;
    parl_text_appendf(s->out,
                      "<g class=\"tick\"><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f"
                      "</text></g><g class=\"grid\"><path d=\"M%.1f %dV%.1f\"/></g>\n",
                      x, TOP - 8, tick, x, TOP - 3, s->strip_y + STRIP);
  }
  parl_text_appendf(s->out, "<g class=\"tick\"><text x=\"8\" y=\"%d\">critical steps</text></g>\n",
                    TOP - 8);
}

static void append_lane_names(const sheet *s) {
  for (size_t i = 0; i <= s->n_lanes; i++) {
    parl_text_appendf(s->out, "<text x=\"8\" y=\"%.1f\">", get_y(i) + LANE / 2.0 + 4);
    if (i == 0)
      parl_text_append(s->out, "orchestrator</text>\n");
    else
      parl_text_appendf(s->out, "sub-agent %zu</text>\n", i);
  }
}

/* Along the steps that count: the orchestrator's, then the longest sub-agent's. */
static void append_path(const sheet *s) {
  parl_text_appendf(s->out, "<path class=\"path\" d=\"M%.1f %.1f", get_x(s, 0),
                    get_y(0) + LANE / 2.0);
  for (size_t i = 0; i < s->n_turns; i++) {
    const parl_timeline_turn *turn = &s->t->turns[i];
    const double y = get_y(0) + LANE / 2.0;
    parl_text_appendf(s->out, "H%.1f", get_x(s, turn->begin + turn->main));
    if (turn->longest < turn->width && turn->longest < s->n_lanes)
      parl_text_appendf(
          s->out, "V%.1fH%.1fV%.1f", get_y(turn->longest + 1) + LANE / 2.0,
          get_x(s, turn->begin + turn->main + s->t->subs[turn->first_sub + turn->longest].steps),
          y);
  }
  parl_text_append(s->out, "\"/>\n");
}

/* How its message fared, at the end of its bar. */
static const char *get_sign(const parl_timeline_sub *sub) {
  if (sub->is_lost) return "?";
  if (sub->is_false) return "\xE2\x89\xA0";
  if (!sub->finished) return "\xC3\x97";
  return sub->useful ? "\xE2\x97\x8F" : "\xE2\x97\x8B";
}

static void append_sub(const sheet *s, size_t turn_number, size_t i) {
  const parl_timeline_turn *turn = &s->t->turns[turn_number];
  const parl_timeline_sub *sub = &s->t->subs[turn->first_sub + i];
  const int64_t begin = turn->begin + turn->main;
  parl_text text = {0}, name = {0};
  describe_sub(turn, turn_number, i, sub, &text);
  parl_text_appendf(&name, "item sub %s%s", parl_timeline_get_outcome(sub),
                    parl_timeline_is_critical(turn, i) ? " critical" : "");
  begin_item(s, parl_text_get(&name), parl_text_get(&text));
  append_bar(s, begin, sub->steps, i + 1);
  append_word(s, begin, sub->steps, i + 1, sub->task);
  parl_text_appendf(s->out, "<text class=\"sign\" x=\"%.1f\" y=\"%.1f\">%s</text>",
                    fmax(get_x(s, begin) + 4, get_x(s, begin + sub->steps) - 13),
                    get_y(i + 1) + LANE / 2.0 + 4, get_sign(sub));
  end_item(s, parl_text_get(&text));
  s->out->failed |= text.failed | name.failed;
  parl_text_deinit(&name);
  parl_text_deinit(&text);
}

static void append_turn(const sheet *s, size_t i) {
  const parl_timeline_turn *turn = &s->t->turns[i];
  parl_text text = {0};
  describe_turn(s->t, i, &text);
  begin_item(s, turn->main > 0 ? "item main critical" : "item main", parl_text_get(&text));
  append_bar(s, turn->begin, turn->main, 0);
  append_word(s, turn->begin, turn->main, 0, turn->calls != NULL ? turn->calls : "");
  end_item(s, parl_text_get(&text));
  s->out->failed |= text.failed;
  parl_text_deinit(&text);
  for (size_t k = 0; k < turn->width && k < s->n_lanes; k++) append_sub(s, i, k);
}

/* r_perf over critical steps, a stair: it is known at the end of each turn. */
static void append_strip(const sheet *s) {
  const double low = s->strip_y + STRIP;
  parl_text_appendf(s->out,
                    "<text x=\"8\" y=\"%.1f\">r_perf</text><g class=\"tick\"><text x=\"%d\" "
                    "y=\"%.1f\" text-anchor=\"end\">1</text><text x=\"%d\" y=\"%.1f\" "
                    "text-anchor=\"end\">0</text></g>\n<path class=\"stair\" d=\"M%.1f %.1f",
                    s->strip_y + STRIP / 2.0 + 4, LEFT - 6, s->strip_y + 9, LEFT - 6, low,
                    get_x(s, 0), low);
  for (size_t i = 0; i < s->n_turns; i++) {
    const parl_timeline_turn *turn = &s->t->turns[i];
    const int64_t end = i + 1 < s->t->n_turns ? s->t->turns[i + 1].begin : s->t->critical;
    const double r = fmin(1, fmax(0, turn->r_perf));
    parl_text_appendf(s->out, "H%.1fV%.1f", get_x(s, end), low - r * STRIP);
  }
  parl_text_append(s->out, "\"/>\n");
}

static void append_hint(const sheet *s) {
  parl_text_appendf(s->out, "<text class=\"hint\" x=\"8\" y=\"%.0f\">", s->tip_y + 11);
  if (s->n_turns < s->t->n_turns)
    parl_text_appendf(s->out, "The first %zu of %zu turns are drawn. ", s->n_turns, s->t->n_turns);
  if (s->n_lanes < s->t->n_lanes)
    parl_text_appendf(s->out, "%d of %zu lanes are drawn. ", MAX_LANES, s->t->n_lanes);
  parl_text_append(s->out,
                   "Point at a bar, or press Tab, to read what it did. \xE2\x97\x8F its message "
                   "raised r_perf  \xE2\x97\x8B finished  \xC3\x97 unfinished  ? lost  "
                   "\xE2\x89\xA0 another's arrived</text>\n");
}

void parl_timeline_append_svg(const parl_timeline *t, parl_text *out) {
  const sheet s = make_sheet(t, out);
  parl_text name = {0};
  parl_timeline_append_name(&t->title, &name);
  parl_text_append(&name, ": ");
  parl_timeline_append_numbers(t, &name);
  parl_text_appendf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"episode\" "
                    "viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"group\" "
                    "aria-label=\"",
                    s.width, s.height, s.width, s.height);
  parl_text_append_html(out, parl_text_get(&name));
  parl_text_append(out, "\">\n");
  append_axis(&s);
  append_lane_names(&s);
  append_strip(&s);
  append_hint(&s);
  append_path(&s);
  for (size_t i = 0; i < s.n_turns; i++) append_turn(&s, i);
  parl_text_append(out, "</svg>\n");
  out->failed |= name.failed;
  parl_text_deinit(&name);
}

/* What agents saw, small pictures enlarged without smoothing. */
static void append_shown(const char *shown, parl_text *out) {
  if (*shown == '\0') return;
  parl_text_append(out,
                   "<style>.shown img { image-rendering: pixelated; border: 1px solid #888 }\n"
                   ".shown figure { display: inline-block; margin: 0 1em 1em 0 }</style>\n"
                   "<details open class=\"shown\"><summary>What it was shown</summary>\n");
  parl_text_append(out, shown);
  parl_text_append(out, "</details>\n");
}

void parl_timeline_append_page(const parl_timeline *t, const char *note, const char *shown,
                               parl_text *out) {
  parl_text name = {0}, text = {0};
  parl_timeline_append_name(&t->title, &name);
  parl_text_append(out,
                   "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; img-src data:\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<title>");
  parl_text_append_html(out, parl_text_get(&name));
  parl_text_append(out, "</title>\n<style>\n");
  parl_text_append(out, parl_report_style);
  parl_text_append(out, "</style>\n</head>\n<body><main>\n<h1>");
  parl_text_append_html(out, t->title.recipe);
  parl_text_append(out, ": an episode</h1>\n<figure><figcaption>");
  parl_text_append_html(out, parl_text_get(&name));
  parl_text_append(out, "<small>");
  parl_timeline_append_numbers(t, out);
  parl_text_append(out, "</small></figcaption>\n<div class=\"scroll\">");
  parl_timeline_append_svg(t, out);
  parl_text_append(out, "</div></figure>\n<p class=\"note\">");
  parl_text_append_html(out, note);
  parl_text_append(out, "</p>\n<details open><summary>Turn by turn</summary>\n<pre>");
  parl_timeline_append_text(t, 120, false, &text);
  for (const char *line = parl_text_get(&text); *line != '\0';) {
    parl_text one = {0};
    const size_t n = strcspn(line, "\n");
    parl_text_append_bytes(&one, line, n);
    parl_text_append_html(out, parl_text_get(&one));
    parl_text_append(out, "\n");
    out->failed |= one.failed;
    parl_text_deinit(&one);
    line += n + (line[n] == '\n');
  }
  parl_text_append(out, "</pre></details>\n");
  append_shown(shown, out);
  parl_text_append(out, "</main></body>\n</html>\n");
  out->failed |= name.failed | text.failed;
  parl_text_deinit(&name);
  parl_text_deinit(&text);
}
