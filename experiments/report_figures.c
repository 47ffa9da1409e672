/* experiments/report_figures.c - the figures of the page as files of their own, for papers: the
 * same drawings, with the legend below and the style inside. */
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/report_vega.h"

enum { HEAD = 26, LINE = 18, COLUMN = 260, MARGIN = 8 };

/* --- keeping what the page draws --- */

static parl_figure *get_last(const parl_report *r) {
  parl_figures *f = r->figures;
  return f != NULL && f->n > 0 ? &f->of[f->n - 1] : NULL;
}

void parl_figure_begin(const parl_report *r, const char *title, const char *unit) {
  parl_figures *f = r->figures;
  if (f == NULL || f->n == PARL_REPORT_MAX_FIGURES) return;
  f->of[f->n++] = (parl_figure){.title = title, .unit = unit};
}

parl_status parl_figure_keep(const parl_report *r, const parl_text *page, size_t from) {
  parl_figure *f = get_last(r);
  if (f == NULL || f->svg != NULL) return PARL_STATUS_OK;
  PARL_TRY(parl_text_status(page));
  PARL_TRY(parl_report_copy_text(r->arena, f->title, &f->title));
  PARL_TRY(parl_report_copy_text(r->arena, f->unit, &f->unit));
  return parl_report_copy_text(r->arena, parl_text_get(page) + from, &f->svg);
}

/* Where the i-th entry of a legend stands: two columns. */
static void begin_entry(parl_text *out, size_t i, const char *class) {
  parl_text_appendf(out, "<g class=\"%s\" transform=\"translate(%d %d)\">", class,
                    MARGIN + (int)(i % 2) * COLUMN, (int)(i / 2) * LINE);
}

static void end_entry(parl_text *out, const char *name) {
  parl_text_append(out, "<text x=\"40\" y=\"10\">");
  parl_text_append_html_short(out, name, 34);
  parl_text_append(out, "</text></g>\n");
}

static parl_status keep_legend(const parl_report *r, size_t n, parl_text *text) {
  parl_figure *f = get_last(r);
  parl_status s = parl_text_status(text);
  f->legend_height = (double)((n + 1) / 2 * LINE);
  if (s == PARL_STATUS_OK) s = parl_report_copy_text(r->arena, parl_text_get(text), &f->legend);
  parl_text_deinit(text);
  return s;
}

parl_status parl_figure_keep_legend(const parl_report *r, const parl_series *series, size_t n) {
  parl_text text = {0};
  if (get_last(r) == NULL) return PARL_STATUS_OK;
  for (size_t i = 0; i < n; i++) {
    char class[24];
    snprintf(class, sizeof class, "k%zu", series[i].style % PARL_N_COLOURS);
    begin_entry(&text, i, class);
    parl_chart_append_sample(&text, series[i].style);
    end_entry(&text, series[i].name);
  }
  return keep_legend(r, n, &text);
}

parl_status parl_figure_keep_endings_legend(const parl_report *r) {
  parl_text text = {0};
  size_t n = 0;
  if (get_last(r) == NULL) return PARL_STATUS_OK;
  for (int s = PARL_SCORE_end_finish; s <= PARL_SCORE_end_error; s++, n++) {
    char class[24];
    snprintf(class, sizeof class, "e%zu", n);
    begin_entry(&text, n, class);
    parl_text_append(&text, "<rect width=\"34\" height=\"12\"/>");
    end_entry(&text, parl_score_infos[s].label);
  }
  return keep_legend(r, n, &text);
}

/* --- the style: what of the page's concerns drawings, its variables by their light values --- */

/* The value of a variable in the first :root; NULL if there is none. */
const char *parl_figure_find_variable(const char *name, size_t n_name, size_t *n) {
  const char *at = strchr(parl_report_style, '{'), *end = strchr(parl_report_style, '}');
  for (at = strstr(at, "--"); at != NULL && at < end; at = strstr(at + 2, "--")) {
    if (strncmp(at, name, n_name) != 0 || at[n_name] != ':') continue;
    const char *value = at + n_name + 1;
    value += strspn(value, " ");
    *n = strcspn(value, ";");
    return value;
  }
  return NULL;
}

const char *parl_figure_find_fill(const char *class, size_t *n) {
  static const char property[] = "fill: ";
  const char *rule = strstr(parl_report_style, class);
  PARL_CHECK(rule != NULL);
  const char *fill = strstr(rule, property);
  PARL_CHECK(fill != NULL);
  fill += sizeof property - 1;
  *n = strcspn(fill, ";");
  return fill;
}

static void append_rule(parl_text *out, const char *rule, size_t n) {
  for (size_t i = 0; i < n;) {
    size_t n_value = 0;
    if (strncmp(rule + i, "var(", 4) != 0) {
      parl_text_append_bytes(out, rule + i++, 1);
      continue;
    }
    const size_t n_name = strcspn(rule + i + 4, ")");
    const char *value = parl_figure_find_variable(rule + i + 4, n_name, &n_value);
    PARL_CHECK(value != NULL);
    parl_text_append_bytes(out, value, n_value);
    i += 4 + n_name + 1;
  }
  parl_text_append(out, "\n");
}

/* Rules of drawings: those whose selector begins so, up to the first rule for small screens. */
static void append_style(parl_text *out) {
  static const char *const begins[] = {"svg ", "svg.episode", ".k", ".e"};
  for (const char *at = strchr(parl_report_style, '*'); at != NULL;) {
    at += strspn(at, " \n");
    const char *end = strchr(at, '}');
    if (end == NULL || strncmp(at, "@media (max-width", 17) == 0) return;
    const char *comment = strncmp(at, "/*", 2) == 0 ? strstr(at, "*/") : NULL;
    for (size_t i = 0; comment == NULL && i < sizeof begins / sizeof begins[0]; i++)
      if (strncmp(at, begins[i], strlen(begins[i])) == 0)
        append_rule(out, at, (size_t)(end + 1 - at));
    at = comment != NULL ? comment + 2 : end + 1;
  }
}

/* --- files --- */

/* "0 0 WIDTH HEIGHT" of a drawing. */
static void get_size(const char *svg, double *width, double *height) {
  const char *box = strstr(svg, "viewBox=\"0 0 ");
  const int n = box != NULL ? sscanf(box, "viewBox=\"0 0 %lf %lf", width, height) : 0;
  PARL_CHECK(n == 2);
}

parl_status parl_figure_append_svg(const parl_figure *figure, parl_text *out) {
  double width, height;
  get_size(figure->svg, &width, &height);
  const double all = HEAD + height + figure->legend_height + MARGIN;
  parl_text_appendf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                    "width=\"%.0f\" height=\"%.0f\">\n<title>",
                    width, all, width, all);
  parl_text_append_html(out, figure->title);
  parl_text_append(out, "</title>\n<style>\n");
  append_style(out);
  parl_text_appendf(out,
                    "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text "
                    "class=\"head\" x=\"%d\" y=\"17\">",
                    MARGIN);
  parl_text_append_html_short(out, figure->title, 60);
  parl_text_append(out, "</text>\n");
  const char *own = strstr(figure->svg, " width=\"");
  const bool has_size = own != NULL && own < strchr(figure->svg, '>');
  parl_text_appendf(out, "<svg y=\"%d\"", HEAD);
  if (!has_size) parl_text_appendf(out, " width=\"%.0f\" height=\"%.0f\"", width, height);
  parl_text_append(out, figure->svg + 4);
  if (figure->legend != NULL)
    parl_text_appendf(out, "<g transform=\"translate(0 %.0f)\">\n%s</g>\n", HEAD + height,
                      figure->legend);
  parl_text_append(out, "</svg>\n");
  return parl_text_status(out);
}

void parl_figure_get_name(const parl_figure *figure, size_t n, char out[64]) {
  enum { MOST = 48 };
  size_t at = (size_t)snprintf(out, 64, "%02zu_", n % 1000);
  const size_t begin = at;
  for (const char *s = figure->title; *s != '\0' && at < MOST; s++) {
    const bool is_lambda = strncmp(s, "\xCE\xBB", 2) == 0;
    const bool is_index = strncmp(s, "\xE2\x82", 2) == 0 && (s[2] == '\x81' || s[2] == '\x82');
    if (is_lambda) at += (size_t)snprintf(out + at, 64 - at, "lambda");
    if (is_index) out[at++] = s[2] == '\x81' ? '1' : '2';
    if (isalnum((unsigned char)*s) && (unsigned char)*s < 0x80)
      out[at++] = (char)tolower((unsigned char)*s);
    else if (at > begin && out[at - 1] != '_' && !is_lambda)
      out[at++] = '_';
  }
  while (at > begin && out[at - 1] == '_') at--;
  snprintf(out + at, 64 - at, ".svg");
}

void parl_report_remove_figures(const char *folder) {
  DIR *d = opendir(folder);
  if (d == NULL) return;
  for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
    if (fnmatch("[0-9][0-9]*_*.svg", e->d_name, 0) == 0 ||
        fnmatch("[0-9][0-9]*_*.pdf", e->d_name, 0) == 0)
      (void)unlinkat(dirfd(d), e->d_name, 0); /* what stays is written over, or stays */
  closedir(d);
}
