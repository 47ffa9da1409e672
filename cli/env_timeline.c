/* cli/env_timeline.c - an episode as a page of text. */
#include <stdio.h>
#include <string.h>

#include "cli/env.h"

enum { PAGE = 100, STEP_COLUMN = 6, CELL = 240, MAX_WIDTH = 40, GAP = 2 };

/* A group's rows: t->rows[first .. first + n). */
typedef struct group {
  const parl_trace *t;
  const parl_env *env;
  size_t first, n;
  int first_agent, last_agent;
} group;

/* "miss" for word:miss: a family of words speaks for itself. */
static const char *get_name(const parl_env *env, int token) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  const char *name = parl_env_token_name(env, token);
  for (int i = 0; i < spec->n_families; i++) {
    const parl_family *f = &spec->families[i];
    if (f->words != NULL && token >= f->first_token && token < f->first_token + f->n)
      return f->words[token - f->first_token];
  }
  return name;
}

/* Bytes that count as one column each: names are ASCII. */
static void pad(parl_text *out, size_t used, size_t width) {
  for (; used < width; used++) parl_text_append(out, " ");
}

static void append_numbers(const parl_trace_row *row, double before, parl_text *out) {
  parl_text_appendf(out, "critical %lld  total %lld", (long long)row->critical,
                    (long long)row->total);
  if (row->r_perf != before) parl_text_appendf(out, "  r_perf %.4g > %.4g", before, row->r_perf);
  parl_text_append(out, "\n");
}

/* An image's tokens as "[image 2]", a clip's as "[clip 2]": its number among the episode's. */
static void append_tokens(const parl_trace *t, const parl_trace_row *row, const parl_env *env,
                          const char *arrow, parl_text *out) {
  const int32_t begin = parl_env_get_spec(env)->vision.first_token + PARL_MEDIA_BEGIN;
  size_t n, next = parl_trace_find_shown(t, row, &n);
  if (row->n_tokens == 0) return;
  parl_text_append(out, arrow);
  for (size_t i = row->first_token; i < row->first_token + row->n_tokens; i++) {
    const char *blank = i > row->first_token ? " " : "";
    if (n > 0 && t->tokens[i] == begin) {
      const parl_shown *shown = &t->shown[next];
      parl_text_appendf(out, "%s[%s ", blank, t->seen[next++].frames > 1 ? "clip" : "image");
      if (shown->picture >= 0)
        parl_text_appendf(out, "%d]", (int)shown->picture + 1);
      else
        parl_text_append(out, "not kept]");
      i = (size_t)(shown->at + shown->n);
    } else {
      parl_text_appendf(out, "%s%s", blank, get_name(env, t->tokens[i]));
    }
  }
}

/* "search row:2 > sure value:3" of the k-th call of an agent; "" behind its last. */
static void format_cell(const group *g, int agent, int k, char *cell) {
  cell[0] = '\0';
  for (size_t i = g->first; i < g->first + g->n; i++) {
    const parl_trace_row *row = &g->t->rows[i];
    if (row->agent != agent || row->kind == PARL_EVENT_BRIEF || row->kind == PARL_EVENT_DELIVER)
      continue;
    if (k-- > 0) continue;
    parl_text text = {0};
    if (row->has_call)
      parl_trace_append_call(g->env, &row->call, &text);
    else
      parl_text_append(&text, "<invalid>");
    append_tokens(g->t, row, g->env, " > ", &text);
    snprintf(cell, CELL, "%s", parl_text_get(&text));
    parl_text_deinit(&text);
    return;
  }
}

static const parl_trace_row *find_row(const group *g, int agent, parl_event_kind kind) {
  for (size_t i = g->first; i < g->first + g->n; i++)
    if (g->t->rows[i].agent == agent && g->t->rows[i].kind == kind) return &g->t->rows[i];
  return NULL;
}

/* "#3: row:2 row:5", the task of an agent. */
static void format_head(const group *g, int agent, char *cell) {
  parl_text text = {0};
  const parl_trace_row *row = find_row(g, agent, PARL_EVENT_BRIEF);
  if (row != NULL) parl_trace_append_call(g->env, &row->call, &text);
  const char *values = strchr(parl_text_get(&text), ' ');
  values = values ? strchr(values + 1, ' ') : NULL; /* behind "assign_task agent_1" */
  snprintf(cell, CELL, "#%d:%s", agent, values ? values : "");
  parl_text_deinit(&text);
}

static void format_foot(const group *g, int agent, char *cell) {
  const parl_trace_row *row = find_row(g, agent, PARL_EVENT_DELIVER);
  if (row == NULL)
    snprintf(cell, CELL, "(no message)");
  else
    snprintf(cell, CELL, "%s, %lld step%s", row->finished ? "finished" : "UNFINISHED",
             (long long)row->steps, row->steps == 1 ? "" : "s");
}

static int count_lines(const group *g, int agent) {
  int n = 0;
  char cell[CELL];
  for (format_cell(g, agent, n, cell); cell[0] != '\0'; format_cell(g, agent, n, cell)) n++;
  return n;
}

static size_t get_width(const group *g, int agent) {
  char cell[CELL];
  format_head(g, agent, cell);
  size_t width = strlen(cell);
  const int n = count_lines(g, agent);
  for (int k = 0; k <= n; k++) {
    if (k < n)
      format_cell(g, agent, k, cell);
    else
      format_foot(g, agent, cell);
    if (strlen(cell) > width) width = strlen(cell);
  }
  return width > MAX_WIDTH ? MAX_WIDTH : width;
}

/* A cell, cut with "..." where it is wider than its column. */
static void append_cell(const char *cell, size_t width, bool last, parl_text *out) {
  const size_t n = strlen(cell);
  if (n <= width)
    parl_text_append(out, cell);
  else
    parl_text_appendf(out, "%.*s...", (int)width - 3, cell);
  if (!last) pad(out, n < width ? n : width, width + GAP);
}

/* Agents from..to beside each other. */
static void append_columns(const group *g, int from, int to, const size_t *widths, parl_text *out) {
  char cell[CELL];
  int n_lines = 0;
  for (int a = from; a <= to; a++)
    if (count_lines(g, a) > n_lines) n_lines = count_lines(g, a);
  for (int k = -1; k <= n_lines; k++) {
    char left[32] = "";
    if (k >= 0 && k < n_lines) snprintf(left, sizeof left, "%d", k + 1);
    parl_text_appendf(out, "  %4s  ", left);
    for (int a = from; a <= to; a++) {
      if (k < 0)
        format_head(g, a, cell);
      else if (k < n_lines)
        format_cell(g, a, k, cell);
      else
        format_foot(g, a, cell);
      append_cell(cell, widths[a - from], a == to, out);
    }
    parl_text_append(out, "\n");
  }
}

/* As many agents on a page's width as fit, then the next. */
static void append_group(const group *g, parl_text *out) {
  for (int from = g->first_agent; from <= g->last_agent;) {
    size_t widths[PAGE];
    int to = from;
    size_t used = STEP_COLUMN + GAP;
    for (; to <= g->last_agent; to++) {
      const size_t width = get_width(g, to);
      if (to > from && used + GAP + width > PAGE) break;
      used += GAP + width;
      widths[to - from] = width;
    }
    append_columns(g, from, to - 1, widths, out);
    if (to <= g->last_agent) parl_text_append(out, "\n");
    from = to;
  }
}

/* The group whose LAUNCH is row `at`; returns the place behind its last row. */
static size_t append_launch(const parl_trace *t, const parl_env *env, size_t at, double *r_perf,
                            parl_text *out) {
  group g = {.t = t, .env = env, .first = at + 1};
  size_t end = at + 1;
  while (end < t->n_rows && t->rows[end].turn == t->rows[at].turn &&
         t->rows[end].kind != PARL_EVENT_END)
    end++;
  g.n = end - g.first;
  for (size_t i = g.first; i < end; i++) {
    const int agent = t->rows[i].agent;
    if (g.first_agent == 0 || agent < g.first_agent) g.first_agent = agent;
    if (agent > g.last_agent) g.last_agent = agent;
  }
  parl_text_appendf(out, "turn %-3d launch of %d\n", t->rows[at].turn, t->rows[at].width);
  if (g.n > 0) append_group(&g, out);
  for (size_t i = g.first; i < end; i++) {
    const parl_trace_row *row = &t->rows[i];
    if (row->kind != PARL_EVENT_DELIVER || (row->n_tokens == 0 && row->r_perf == *r_perf)) continue;
    parl_text_appendf(out, "         #%d returns ", row->agent);
    append_tokens(t, row, env, "", out);
    if (row->r_perf != *r_perf)
      parl_text_appendf(out, "%sr_perf %.4g > %.4g", row->n_tokens ? "  " : "", *r_perf,
                        row->r_perf);
    parl_text_append(out, "\n");
    *r_perf = row->r_perf;
  }
  const parl_trace_row *last = &t->rows[end - 1];
  parl_text_append(out, "         ");
  append_numbers(last, *r_perf, out);
  return end;
}

void env_append_timeline(const parl_trace *t, const parl_env *env, parl_text *out) {
  double r_perf = 0;
  for (size_t i = 0; i < t->n_rows;) {
    const parl_trace_row *row = &t->rows[i];
    if (row->kind == PARL_EVENT_START) {
      parl_text_append(out, "prompt   ");
      append_tokens(t, row, env, "", out);
      parl_text_append(out, "\n");
      r_perf = row->r_perf;
    } else if (row->kind == PARL_EVENT_LAUNCH) {
      i = append_launch(t, env, i, &r_perf, out);
      continue;
    } else if (row->kind == PARL_EVENT_CALL || row->kind == PARL_EVENT_INVALID) {
      const size_t start = out->n;
      parl_text_appendf(out, "turn %-3d ", row->turn);
      if (row->has_call)
        parl_trace_append_call(env, &row->call, out);
      else
        parl_text_append(out, "<invalid>");
      append_tokens(t, row, env, " > ", out);
      pad(out, out->n - start, 58);
      parl_text_append(out, "  ");
      append_numbers(row, r_perf, out);
      r_perf = row->r_perf;
    }
    i++;
  }
}
