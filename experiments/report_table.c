/* experiments/report_table.c - the table model and its renderings: for a terminal, in Markdown,
 * HTML and LaTeX. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"

void parl_table_init(parl_table *t, parl_arena *arena, const char *title, size_t n_columns,
                     size_t n_left) {
  *t = (parl_table){.arena = arena, .title = title, .n_columns = n_columns, .n_left = n_left};
}

static bool reserve_cell(parl_table *t) {
  if (t->failed) return false;
  if (t->n_cells < t->capacity) return true;
  const size_t larger = t->capacity > 0 ? 2 * t->capacity : 64;
  const char **cells = NULL;
  t->failed = PARL_ARENA_TAKE(t->arena, larger, &cells) != PARL_STATUS_OK;
  if (t->failed) return false;
  if (t->n_cells > 0) memcpy(cells, t->cells, t->n_cells * sizeof *cells);
  t->cells = cells;
  t->capacity = larger;
  return true;
}

void parl_table_add(parl_table *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *cell = NULL;
  if (!reserve_cell(t)) return;
  t->failed = n < 0 || PARL_ARENA_TAKE(t->arena, (size_t)n + 1, &cell) != PARL_STATUS_OK;
  if (t->failed) return;
  va_start(args, format);
  vsnprintf(cell, (size_t)n + 1, format, args);
  va_end(args);
  t->cells[t->n_cells++] = cell;
}

void parl_table_add_summary(parl_table *t, const parl_summary *s, int digits) {
  char text[PARL_SUMMARY_BYTES];
  parl_summary_format(s, digits, text);
  parl_table_add(t, "%s", text);
}

void parl_table_add_bounded(parl_table *t, const parl_summary *s, int digits, parl_bound bound) {
  static const char *const signs[] = {[PARL_BOUND_EXACT] = "",
                                      [PARL_BOUND_LEAST] = "\xE2\x89\xA5 ",
                                      [PARL_BOUND_MOST] = "\xE2\x89\xA4 "};
  char text[PARL_SUMMARY_BYTES];
  parl_summary_format(s, digits, text);
  parl_table_add(t, "%s%s", s->n == 0 ? "" : signs[bound], text);
}

void parl_table_add_number(parl_table *t, double x, int digits) {
  char text[PARL_NUMBER_BYTES];
  parl_number_format(x, digits, fmax(1, fabs(x)), text);
  parl_table_add(t, "%s", text);
}

static parl_status check(const parl_table *t, const parl_text *out) {
  if (t->failed) return parl_fail(PARL_STATUS_ENOMEM, "table \"%s\": no memory", t->title);
  PARL_CHECK(t->n_cells % t->n_columns == 0);
  return parl_text_status(out);
}

static void pad(parl_text *out, size_t n) {
  for (size_t i = 0; i < n; i++) parl_text_append(out, " ");
}

/* Columns that stand at the left of each piece of a table that is split. */
static size_t get_n_repeated(const parl_table *t) {
  return t->n_left == 2 ? 2 : 1;
}

/* Columns [first, last) beside the repeated ones. */
typedef struct piece {
  size_t repeated, first, last;
} piece;

static bool is_shown(const piece *p, size_t column) {
  return column < p->repeated || (column >= p->first && column < p->last);
}

static void append_plain_row(const parl_table *t, const piece *p, const char *const *row,
                             const size_t *widths, parl_text *out) {
  for (size_t c = 0; c < t->n_columns; c++) {
    if (!is_shown(p, c)) continue;
    const size_t width = parl_text_get_width(row[c]);
    const size_t gap = width < widths[c] ? widths[c] - width : 0;
    const bool is_last = p->last > p->repeated ? c + 1 == p->last : c + 1 == p->repeated;
    if (c > 0) parl_text_append(out, "  ");
    if (c >= t->n_left) pad(out, gap);
    parl_text_append_cut(out, row[c], widths[c]);
    if (c < t->n_left && !is_last) pad(out, gap);
  }
  parl_text_append(out, "\n");
}

/* As many columns as fit beside the repeated ones, at least one. */
static piece get_plain_piece(const parl_table *t, const size_t *widths, size_t first) {
  piece p = {get_n_repeated(t), first, first};
  size_t width = 0;
  for (size_t c = 0; c < p.repeated && c < t->n_columns; c++) width += widths[c] + 2;
  while (p.last < t->n_columns &&
         (p.last == first || width + widths[p.last] <= PARL_REPORT_TERMINAL))
    width += widths[p.last++] + 2;
  return p;
}

/* Widths of columns [n_columns]. Long ones are cut, the first even further where that makes the
 * table fit. */
static void set_widths(const parl_table *t, size_t *widths) {
  enum { LEAST = 16, MOST_NAME = 36, MOST_KIND = 20, MOST = 60 };
  size_t total = 0;
  for (size_t c = 0; c < t->n_columns; c++) widths[c] = 0;
  for (size_t i = 0; i < t->n_cells; i++) {
    const size_t width = parl_text_get_width(t->cells[i]);
    if (width > widths[i % t->n_columns]) widths[i % t->n_columns] = width;
  }
  for (size_t c = 0; c < t->n_columns; c++) {
    const size_t most = c == 0 ? widths[0] : c < get_n_repeated(t) ? MOST_KIND : MOST;
    if (widths[c] > most) widths[c] = most;
    total += widths[c] + (c > 0 ? 2 : 0);
  }
  const size_t over = total > PARL_REPORT_TERMINAL ? total - PARL_REPORT_TERMINAL : 0;
  if (over > 0 && widths[0] >= LEAST + over)
    widths[0] -= over;
  else if (widths[0] > MOST_NAME)
    widths[0] = MOST_NAME;
}

static parl_status append_plain(const parl_table *t, parl_text *out) {
  PARL_TRY(check(t, out));
  size_t *widths = NULL;
  PARL_TRY(PARL_ARENA_TAKE(t->arena, t->n_columns, &widths));
  set_widths(t, widths);
  parl_text_append_wrapped(out, t->title, PARL_REPORT_TERMINAL, 0);
  piece p = {.last = get_n_repeated(t)};
  do {
    p = get_plain_piece(t, widths, p.last);
    for (size_t i = 0; i < t->n_cells; i += t->n_columns)
      append_plain_row(t, &p, &t->cells[i], widths, out);
    if (p.last < t->n_columns) parl_text_append(out, "\n");
  } while (p.last < t->n_columns);
  if (t->note != NULL) parl_text_append_wrapped(out, t->note, PARL_REPORT_TERMINAL, 0);
  return parl_text_status(out);
}

static parl_status append_markdown(const parl_table *t, parl_text *out) {
  PARL_TRY(check(t, out));
  parl_text_append(out, "## ");
  parl_text_append_markdown(out, t->title);
  parl_text_append(out, "\n\n");
  for (size_t i = 0; i < t->n_cells; i++) {
    parl_text_append(out, "| ");
    parl_text_append_markdown(out, t->cells[i]);
    parl_text_append(out, i % t->n_columns + 1 == t->n_columns ? " |\n" : " ");
    if (i + 1 != t->n_columns) continue;
    for (size_t c = 0; c < t->n_columns; c++)
      parl_text_append(out, c < t->n_left ? "|:--" : "|--:");
    parl_text_append(out, "|\n");
  }
  if (t->note == NULL) return parl_text_status(out);
  parl_text_append(out, "\n");
  parl_text_append_markdown(out, t->note);
  parl_text_append(out, "\n");
  return parl_text_status(out);
}

/* "iqm [lo, hi]" with the interval set smaller. */
static void append_html_cell(parl_text *out, const char *s) {
  const char *bracket = strstr(s, " [");
  if (bracket == NULL || s[strlen(s) - 1] != ']') {
    parl_text_append_html(out, s);
    return;
  }
  for (; s < bracket; s++) parl_text_append_html(out, (const char[]){*s, '\0'});
  parl_text_append(out, " <small>");
  parl_text_append_html(out, bracket + 1);
  parl_text_append(out, "</small>");
}

static void append_html_piece(const parl_table *t, const piece *p, parl_text *out) {
  parl_text_append(out, "<div class=\"scroll\"><table><caption>");
  parl_text_append_html(out, t->title);
  parl_text_append(out, p->first > p->repeated ? " (more columns)" : "");
  parl_text_append(out, "</caption>\n<thead>");
  for (size_t i = 0; i < t->n_cells; i++) {
    const size_t column = i % t->n_columns;
    const bool head = i < t->n_columns, row_head = !head && column == 0;
    if (column == 0) parl_text_append(out, "<tr>");
    if (is_shown(p, column)) {
      parl_text_append(out, head ? "<th scope=\"col\"" : row_head ? "<th scope=\"row\"" : "<td");
      parl_text_append(out, column < t->n_left ? ">" : " class=\"n\">");
      append_html_cell(out, t->cells[i]);
      parl_text_append(out, head || row_head ? "</th>" : "</td>");
    }
    if (column + 1 == t->n_columns) parl_text_append(out, "</tr>\n");
    if (i + 1 == t->n_columns) parl_text_append(out, "</thead><tbody>\n");
  }
  parl_text_append(out, "</tbody></table></div>\n");
}

static parl_status append_html(const parl_table *t, parl_text *out) {
  enum { MOST_COLUMNS = 11 }; /* that fit on paper */
  PARL_TRY(check(t, out));
  piece p = {.repeated = get_n_repeated(t), .last = get_n_repeated(t)};
  do {
    p.first = p.last;
    p.last = p.first + MOST_COLUMNS - p.repeated;
    if (p.last > t->n_columns) p.last = t->n_columns;
    append_html_piece(t, &p, out);
  } while (p.last < t->n_columns);
  if (t->note == NULL) return parl_text_status(out);
  parl_text_append(out, "<p class=\"note\">");
  parl_text_append_html(out, t->note);
  parl_text_append(out, "</p>\n");
  return parl_text_status(out);
}

static void append_latex_piece(const parl_table *t, const piece *p, parl_text *out) {
  parl_text_append(out, "\\begin{table}\n\\centering\\small\n\\caption{");
  parl_text_append_latex(out, t->title);
  parl_text_append(out, p->first > p->repeated ? " (more columns)}\n" : "}\n");
  parl_text_append(out, "\\begin{tabular}{@{}");
  for (size_t c = 0; c < t->n_columns; c++)
    if (is_shown(p, c)) parl_text_append(out, c < t->n_left ? "l" : "r");
  parl_text_append(out, "@{}}\n\\toprule\n");
  for (size_t i = 0; i < t->n_cells; i++) {
    const size_t column = i % t->n_columns;
    if (is_shown(p, column)) {
      parl_text_append(out, column > 0 ? " & " : "");
      parl_text_append_latex(out, t->cells[i]);
    }
    if (column + 1 == t->n_columns) parl_text_append(out, " \\\\\n");
    if (i + 1 == t->n_columns) parl_text_append(out, "\\midrule\n");
  }
  parl_text_append(out, "\\bottomrule\n\\end{tabular}\n");
  if (t->note != NULL && p->last == t->n_columns) {
    parl_text_append(out, "\\par\\medskip\\footnotesize ");
    parl_text_append_latex(out, t->note);
    parl_text_append(out, "\n");
  }
  parl_text_append(out, "\\end{table}\n");
}

static parl_status append_latex(const parl_table *t, parl_text *out) {
  enum { MOST_COLUMNS = 7 }; /* that fit a page's text, with intervals */
  PARL_TRY(check(t, out));
  piece p = {.repeated = get_n_repeated(t), .last = get_n_repeated(t)};
  do {
    p.first = p.last;
    p.last = p.first + MOST_COLUMNS - p.repeated;
    if (p.last > t->n_columns) p.last = t->n_columns;
    append_latex_piece(t, &p, out);
  } while (p.last < t->n_columns);
  return parl_text_status(out);
}

parl_status parl_table_append(const parl_table *t, parl_format format, parl_text *out) {
  switch (format) {
    case PARL_FORMAT_PLAIN:
      return append_plain(t, out);
    case PARL_FORMAT_MARKDOWN:
      return append_markdown(t, out);
    case PARL_FORMAT_LATEX:
      return append_latex(t, out);
    default:
      return append_html(t, out);
  }
}
