/* experiments/report_vega.c - writing Vega-Lite: what figures begin with, and charts of lines.
 *
 * Rows are kept by column and flattened by a transform: a curve has hundreds of points, and names
 * would stand in each. (CSV would do as well, but d3 reads that by evaluating text, which the page
 * forbids.) A row says its series s by number; the parameter "names" has the names, the parameter
 * "hidden" the numbers that are switched off. */
#include "experiments/report_vega.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 480, HEIGHT = 250 };

/* --- text --- */

void parl_vega_add(parl_text *out, const char *format, ...) {
  char buffer[4096];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  PARL_CHECK(n >= 0 && (size_t)n < sizeof buffer);
  for (char *s = buffer; *s != '\0'; s++) *s = *s == '\'' ? '"' : *s == '`' ? '\'' : *s;
  parl_text_append_bytes(out, buffer, (size_t)n);
}

void parl_vega_add_string(parl_text *out, const char *s) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_string(&w, s);
}

void parl_vega_add_row(parl_vega_rows *rows, const double *values, size_t n, size_t n_rough) {
  for (size_t i = 0; i < n; i++) {
    parl_text *column = &rows->columns[i];
    parl_text_append(column, column->n > 0 ? "," : "");
    if (isfinite(values[i]))
      parl_text_appendf(column, i + n_rough < n ? "%.4g" : "%.3g",
                        fmax(fmin(values[i], 1e300), -1e300));
    else
      parl_text_append(column, "null");
  }
}

void parl_vega_end_rows(parl_vega_rows *rows, parl_text *out) {
  for (size_t i = 0; i < PARL_VEGA_MAX_COLUMNS; i++) {
    if (rows->columns[i].failed) out->failed = 1;
    parl_text_deinit(&rows->columns[i]);
  }
}

void parl_vega_get_format(int digits, double largest, char out[16]) {
  const bool is_plain = largest < 1e6 && (largest >= 1e-3 || !(largest > 0));
  snprintf(out, 16, is_plain ? ".%df" : ".%dg", is_plain ? digits : 3);
}

void parl_vega_get_colour(const char *name, char out[16]) {
  size_t n = 0;
  const char *value = parl_figure_find_variable(name, strlen(name), &n);
  PARL_CHECK(n > 0 && n < 16);
  memcpy(out, value, n);
  out[n] = '\0';
}

/* --- parts --- */

void parl_vega_begin(parl_text *out, const char *description, const char *const *names, size_t n,
                     bool zooms) {
  parl_vega_add(out,
                "{'$schema':'https://vega.github.io/schema/vega-lite/v6.json',"
                "'usermeta':{'zoom':%s},'description':",
                zooms ? "true" : "false");
  parl_vega_add_string(out, description);
  parl_vega_add(out, ",'params':[{'name':'hidden','value':[]},{'name':'names','value':[");
  for (size_t i = 0; i < n; i++) {
    parl_text_append(out, i > 0 ? "," : "");
    parl_vega_add_string(out, names[i]);
  }
  parl_vega_add(out, "]}");
}

/* The names in "s,x,y", each in quotes, and its numbers if there are rows. */
static void add_columns(parl_text *out, const char *columns, const parl_vega_rows *rows) {
  size_t i = 0;
  for (const char *at = columns; *at != '\0'; i++) {
    const size_t n = strcspn(at, ",");
    parl_vega_add(out, "%s'%.*s'", i > 0 ? "," : "", (int)n, at);
    if (rows != NULL) {
      parl_text_append(out, ":[");
      parl_text_append(out, parl_text_get(&rows->columns[i]));
      parl_text_append(out, "]");
    }
    at += n + (at[n] == ',');
  }
}

void parl_vega_begin_data(parl_text *out) {
  parl_vega_add(out, "],'data':{'values':[");
}

void parl_vega_add_part(parl_text *out, const char *shared, const char *columns,
                        const parl_vega_rows *rows) {
  const bool is_first = out->n == 0 || out->bytes[out->n - 1] == '[';
  parl_vega_add(out, is_first ? "{%s" : ",{%s", shared != NULL ? shared : "");
  add_columns(out, columns, rows);
  parl_text_append(out, "}");
}

void parl_vega_end_data(parl_text *out, const char *columns) {
  parl_vega_add(out, "]},'transform':[{'flatten':[");
  add_columns(out, columns, NULL);
  parl_vega_add(out,
                "]},{'filter':'indexof(hidden,datum.s)==-1'},"
                "{'calculate':'names[datum.s]','as':'name'}");
}

void parl_vega_add_data(parl_text *out, const char *columns, const parl_vega_rows *rows) {
  parl_vega_begin_data(out);
  parl_vega_add_part(out, NULL, columns, rows);
  parl_vega_end_data(out, columns);
}

static void add_scale(parl_text *out, const size_t *styles, size_t n,
                      void (*add)(parl_text *out, size_t style)) {
  parl_vega_add(out, "'scale':{'domain':[");
  for (size_t i = 0; i < n; i++) parl_text_appendf(out, i > 0 ? ",%zu" : "%zu", i);
  parl_vega_add(out, "],'range':[");
  for (size_t i = 0; i < n; i++) {
    parl_text_append(out, i > 0 ? "," : "");
    add(out, styles[i]);
  }
  parl_vega_add(out, "]},'legend':{'title':null,'labelExpr':'names[datum.value]'}}");
}

static void add_colour(parl_text *out, size_t style) {
  char name[24], colour[16];
  snprintf(name, sizeof name, "--c%zu", style % PARL_N_COLOURS);
  parl_vega_get_colour(name, colour);
  parl_vega_add(out, "'%s'", colour);
}

/* The markers of parl_chart_append_marker. */
static void add_shape(parl_text *out, size_t style) {
  static const char *const shapes[] = {
      "circle",
      "square",
      "diamond",
      "triangle-up",
      "triangle-down",
      "cross",
      "M0-1.5.4-.5 1.4-.5.6.2.9 1.2 0 .6-.9 1.2-.6.2-1.4-.5-.4-.5z"};
  parl_vega_add(out, "'%s'", shapes[style % (sizeof shapes / sizeof shapes[0])]);
}

static void add_dash(parl_text *out, size_t style) {
  static const char *const dashes[] = {"[1,0]", "[7,3]", "[2,3]", "[9,3,2,3]"};
  parl_text_append(out, dashes[style % (sizeof dashes / sizeof dashes[0])]);
}

void parl_vega_add_styles(parl_text *out, const size_t *styles, size_t n) {
  parl_vega_add(out, "'color':{'field':'s','type':'nominal',");
  add_scale(out, styles, n, add_colour);
  parl_vega_add(out, ",'shape':{'field':'s','type':'nominal',");
  add_scale(out, styles, n, add_shape);
}

/* --- lines --- */

static const char *get_columns(const parl_line_chart *c) {
  return parl_chart_get_window(c) > 1 ? "y,n,lo,hi,v" : "y,n,lo,hi";
}

/* Rows of a series, each a point up to its last one: value, seeds, interval, smoothed value; and
 * the x at which the line ends. */
static void add_points(parl_text *out, const parl_line_chart *c, size_t s, double *largest) {
  const parl_series *series = &c->series[s];
  const bool is_smooth = parl_chart_get_window(c) > 1;
  const size_t window = parl_chart_get_series_window(c, s);
  parl_vega_rows rows = {0};
  char shared[80];
  size_t n = c->n_points;
  while (n > 0 && !isfinite(series->y[n - 1].iqm)) n--;
  for (size_t i = 0; i < n; i++) {
    const parl_summary *y = &series->y[i];
    const double values[] = {y->iqm, (double)y->n, y->lo, y->hi,
                             parl_chart_get_smoothed(c, series, i, window)};
    parl_vega_add_row(&rows, values, is_smooth ? 5 : 4, is_smooth ? 3 : 2);
    if (isfinite(y->iqm)) *largest = fmax(*largest, fabs(y->iqm));
  }
  snprintf(shared, sizeof shared, "'s':%zu,'end':%zu,", s, n);
  parl_vega_add_part(out, shared, get_columns(c), &rows);
  parl_vega_end_rows(&rows, out);
}

/* The parameter "xs": the x of each point, the same of every series. */
static void add_xs(parl_text *out, const parl_line_chart *c) {
  parl_vega_rows rows = {0};
  for (size_t i = 0; i < c->n_points; i++) parl_vega_add_row(&rows, &c->x[i], 1, 0);
  parl_vega_add(out, ",{'name':'xs','value':[");
  parl_text_append(out, parl_text_get(&rows.columns[0]));
  parl_text_append(out, "]}");
  parl_vega_end_rows(&rows, out);
}

/* What all layers share: x, and how series look. */
static void add_encoding(parl_text *out, const parl_line_chart *c) {
  size_t styles[PARL_VEGA_MAX_NAMES];
  const size_t n = c->n_series < PARL_VEGA_MAX_NAMES ? c->n_series : PARL_VEGA_MAX_NAMES;
  for (size_t s = 0; s < n; s++) styles[s] = c->series[s].style;
  parl_vega_add(out, ",'encoding':{'x':{'field':'x','type':'quantitative','title':");
  parl_vega_add_string(out, c->x_name);
  parl_vega_add(out, ",'scale':{'nice':false},'axis':{'grid':false,'tickCount':6}},");
  parl_vega_add_styles(out, styles, n);
  parl_vega_add(out, ",'strokeDash':{'field':'s','type':'nominal',");
  add_scale(out, styles, n, add_dash);
  parl_vega_add(out, "}");
}

/* The layer's y is this column. */
static void add_y(parl_text *out, const char *column, bool from_zero, bool is_share) {
  parl_vega_add(out,
                "'y':{'field':'%s','type':'quantitative','title':null,'axis':{'tickCount':5},"
                "'scale':{'zero':%s%s}}",
                column, from_zero ? "true" : "false", is_share ? ",'domain':[0,1]" : "");
}

static void add_level(parl_text *out, const parl_line_chart *c) {
  char soft[16];
  if (!isfinite(c->level)) return;
  parl_vega_get_colour("--soft", soft);
  parl_vega_add(out,
                ",{'data':{'values':[{}]},'mark':{'type':'rule','strokeDash':[5,4],'color':'%s',"
                "'clip':true},'encoding':{'x':null,'color':null,'shape':null,'strokeDash':null,"
                "'y':{'datum':%.6g}}},{'data':{'values':[{}]},'mark':{'type':'text','align':'left',"
                "'dy':9,'color':'%s','clip':true},'encoding':{'x':{'value':4},'color':null,"
                "'shape':null,'strokeDash':null,'y':{'datum':%.6g},'text':{'value':",
                soft, c->level, soft, c->level);
  parl_text label = {0};
  parl_text_append(&label, c->level_name);
  parl_text_append(&label, " ");
  parl_number_append(&label, c->level, c->digits);
  parl_vega_add_string(out, parl_text_get(&label));
  parl_text_deinit(&label);
  parl_vega_add(out, "}}}");
}

/* What is there when a point is pointed at. */
static void add_tooltip(parl_text *out, const parl_line_chart *c, const char *format) {
  parl_vega_add(out, "'tooltip':[{'field':'name','title':'policy'},{'field':'x','title':");
  parl_vega_add_string(out, c->x_name);
  parl_vega_add(out, "},{'field':'y','format':'%s','title':", format);
  parl_vega_add_string(out, c->title);
  parl_vega_add(
      out, "},%s{'field':'interval','title':'95 %% interval'},{'field':'n','title':'n'}]",
      parl_chart_get_window(c) > 1 ? "{'field':'v','format':'.3~g','title':'smoothed'}," : "");
}

static void add_layers(parl_text *out, const parl_line_chart *c, const char *format) {
  double low = NAN, high = NAN;
  parl_chart_get_range(c, &low, &high);
  const bool zero = low >= 0 && low < 0.5 * high;
  const bool smooth = parl_chart_get_window(c) > 1;
  const char *line = smooth ? "v" : "y";
  parl_vega_add(out,
                ",'layer':[{'mark':{'type':'area','opacity':0.15,'clip':true,'aria':false},"
                "'encoding':{'strokeDash':null,'shape':null,'y2':{'field':'hi'},");
  add_y(out, "lo", zero, c->is_share);
  parl_vega_add(out, "}},");
  if (smooth) {
    parl_vega_add(out,
                  "{'mark':{'type':'line','strokeWidth':1,'opacity':0.3,'clip':true,"
                  "'aria':false},'encoding':{'shape':null,'strokeDash':null,");
    add_y(out, "y", zero, c->is_share);
    parl_vega_add(out, "}},");
  }
  parl_vega_add(out,
                "{'params':[{'name':'zoom','bind':'scales','select':{'type':'interval',"
                "'zoom':'wheel![event.ctrlKey]'}}],"
                "'mark':{'type':'line','strokeWidth':2,'clip':true},'encoding':{'shape':null,");
  add_y(out, line, zero, c->is_share);
  parl_vega_add(out, "}}");
  add_level(out, c);
  parl_vega_add(
      out,
      ",{'transform':[{'filter':'datum.i==datum.end'}],'mark':{'type':'point','filled':true,"
      "'opacity':1,'size':46,'clip':true,'aria':false},"
      "'encoding':{'strokeDash':null,");
  add_y(out, line, zero, c->is_share);
  parl_vega_add(out,
                "}},{'transform':[{'filter':'isValid(datum.y)'}],"
                "'params':[{'name':'at','select':{'type':'point','on':'pointerover',"
                "'clear':'pointerout'}}],'mark':{'type':'point','filled':true,'size':110,"
                "'clip':true,'aria':false},'encoding':{'strokeDash':null,'opacity':"
                "{'condition':{'param':'at','empty':false,'value':1},'value':0},");
  add_tooltip(out, c, format);
  parl_text_append(out, ",");
  add_y(out, line, zero, c->is_share);
  parl_vega_add(out, "}}]}");
}

void parl_vega_append_lines(parl_text *out, const parl_line_chart *c) {
  const char *names[PARL_VEGA_MAX_NAMES] = {NULL};
  char format[16];
  double largest = 0;
  parl_text description = {0};
  const size_t n = c->n_series < PARL_VEGA_MAX_NAMES ? c->n_series : PARL_VEGA_MAX_NAMES;
  for (size_t s = 0; s < n; s++) names[s] = c->series[s].name;
  parl_text_appendf(&description, "%s against %s", c->title, c->x_name);
  parl_vega_begin(out, parl_text_get(&description), names, n, true);
  add_xs(out, c);
  parl_vega_begin_data(out);
  for (size_t s = 0; s < n; s++) add_points(out, c, s, &largest);
  parl_vega_end_data(out, get_columns(c));
  parl_vega_get_format(c->digits, largest, format);
  parl_vega_add(out,
                "," PARL_VEGA_INTERVAL
                ",{'window':[{'op':'row_number','as':'i'}],'groupby':['s']},"
                "{'calculate':'xs[datum.i-1]','as':'x'}],'width':%d,'height':%d,'autosize':{'type':"
                "'fit','contains':'padding'}",
                ".3~g", ".3~g", WIDTH, HEIGHT);
  add_encoding(out, c);
  add_layers(out, c, format);
  if (description.failed) out->failed = 1;
  parl_text_deinit(&description);
}
