/* experiments/report_table.c - the table model and its renderings: terminal, Markdown, HTML. */
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

void parl_table_add_number(parl_table *t, double x, int digits) {
  char text[PARL_NUMBER_BYTES];
  parl_number_format(x, digits, fabs(x), text);
  parl_table_add(t, "%s", text);
}

static parl_status check(const parl_table *t, const parl_text *out) {
  if (t->failed) return parl_fail(PARL_STATUS_ENOMEM, "table \"%s\": no memory", t->title);
  PARL_CHECK(t->n_cells % t->n_columns == 0);
  return parl_text_status(out);
}

/* Columns that a cell takes: its bytes but the continuation bytes of UTF-8. */
static size_t get_width(const char *s) {
  size_t width = 0;
  for (; *s != '\0'; s++) width += ((unsigned char)*s & 0xC0) != 0x80;
  return width;
}

/* A name may hold a terminal's control codes: they are shown, not obeyed. */
static void append_plain_cell(parl_text *out, const char *s) {
  for (; *s != '\0'; s++) {
    const unsigned char c = (unsigned char)*s;
    parl_text_append_bytes(out, c < 0x20 || c == 0x7F ? "?" : s, 1);
  }
}

static void pad(parl_text *out, size_t n) {
  for (size_t i = 0; i < n; i++) parl_text_append(out, " ");
}

static void append_plain_row(const parl_table *t, const char *const *row, const size_t *widths,
                             parl_text *out) {
  for (size_t c = 0; c < t->n_columns; c++) {
    const size_t gap = widths[c] - get_width(row[c]);
    if (c > 0) parl_text_append(out, "  ");
    if (c >= t->n_left) pad(out, gap);
    append_plain_cell(out, row[c]);
    if (c < t->n_left && c + 1 < t->n_columns) pad(out, gap);
  }
  parl_text_append(out, "\n");
}

parl_status parl_table_append_plain(const parl_table *t, parl_text *out) {
  PARL_TRY(check(t, out));
  size_t *widths = NULL;
  PARL_TRY(PARL_ARENA_TAKE(t->arena, t->n_columns, &widths));
  for (size_t c = 0; c < t->n_columns; c++) widths[c] = 0;
  for (size_t i = 0; i < t->n_cells; i++) {
    const size_t width = get_width(t->cells[i]);
    if (width > widths[i % t->n_columns]) widths[i % t->n_columns] = width;
  }
  parl_text_appendf(out, "%s\n", t->title);
  for (size_t i = 0; i < t->n_cells; i += t->n_columns)
    append_plain_row(t, &t->cells[i], widths, out);
  if (t->note != NULL) parl_text_appendf(out, "%s\n", t->note);
  return parl_text_status(out);
}

static void append_markdown_cell(parl_text *out, const char *s) {
  for (; *s != '\0'; s++) {
    if (*s == '|' || *s == '\\' || *s == '`' || *s == '*' || *s == '_' || *s == '[')
      parl_text_appendf(out, "\\%c", *s);
    else if (*s == '<' || *s == '>' || *s == '&')
      parl_text_appendf(out, "&#%d;", *s);
    else
      append_plain_cell(out, (const char[]){*s, '\0'});
  }
}

parl_status parl_table_append_markdown(const parl_table *t, parl_text *out) {
  PARL_TRY(check(t, out));
  parl_text_appendf(out, "## %s\n\n", t->title);
  for (size_t i = 0; i < t->n_cells; i++) {
    parl_text_append(out, "| ");
    append_markdown_cell(out, t->cells[i]);
    parl_text_append(out, i % t->n_columns + 1 == t->n_columns ? " |\n" : " ");
    if (i + 1 != t->n_columns) continue;
    for (size_t c = 0; c < t->n_columns; c++)
      parl_text_append(out, c < t->n_left ? "|:--" : "|--:");
    parl_text_append(out, "|\n");
  }
  if (t->note != NULL) parl_text_appendf(out, "\n%s\n", t->note);
  return parl_text_status(out);
}

void parl_text_append_html(parl_text *out, const char *s) {
  for (; *s != '\0'; s++) {
    switch (*s) {
      case '<':
        parl_text_append(out, "&lt;");
        break;
      case '>':
        parl_text_append(out, "&gt;");
        break;
      case '&':
        parl_text_append(out, "&amp;");
        break;
      case '"':
        parl_text_append(out, "&quot;");
        break;
      case '\'':
        parl_text_append(out, "&#39;");
        break;
      default:
        parl_text_append_bytes(out, s, 1);
    }
  }
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

parl_status parl_table_append_html(const parl_table *t, parl_text *out) {
  PARL_TRY(check(t, out));
  parl_text_append(out, "<div class=\"scroll\"><table><caption>");
  parl_text_append_html(out, t->title);
  parl_text_append(out, "</caption>\n<thead>");
  for (size_t i = 0; i < t->n_cells; i++) {
    const size_t column = i % t->n_columns;
    const bool head = i < t->n_columns, row_head = !head && column == 0;
    if (column == 0) parl_text_append(out, "<tr>");
    parl_text_append(out, head ? "<th scope=\"col\"" : row_head ? "<th scope=\"row\"" : "<td");
    parl_text_append(out, column < t->n_left ? ">" : " class=\"n\">");
    append_html_cell(out, t->cells[i]);
    parl_text_append(out, head || row_head ? "</th>" : "</td>");
    if (column + 1 == t->n_columns) parl_text_append(out, "</tr>\n");
    if (i + 1 == t->n_columns) parl_text_append(out, "</thead><tbody>\n");
  }
  parl_text_append(out, "</tbody></table></div>\n");
  if (t->note == NULL) return parl_text_status(out);
  parl_text_append(out, "<p class=\"note\">");
  parl_text_append_html(out, t->note);
  parl_text_append(out, "</p>\n");
  return parl_text_status(out);
}
