/* experiments/report_vega.h - the figures of the page once more, as Vega-Lite specifications of the
 * same numbers, for a browser that draws them anew: values when pointed at, policies switched off
 * and on, a closer look.
 *
 * The drawings stay: they are what is printed, and what there is without scripts.
 * Thread rule: one thread per text. Reading order: the scripts, the specifications, the page, the
 * writer, what the drawings tell. */
#ifndef PARL_EXPERIMENTS_REPORT_VEGA_H
#define PARL_EXPERIMENTS_REPORT_VEGA_H
#include "experiments/report_internal.h"

/* Vega, Vega-Lite and vega-embed, gzip in base64; the SHA-256 of what that holds, in hex; their
 * notices; and report_charts.js, which draws with them. The Makefile makes their source. Libraries
 * that were not there when the program was built are "". */
extern const char parl_report_libraries[], parl_report_libraries_hash[], parl_report_notices[],
    parl_report_charts[];

/* A JSON text without '<', in the light colours, complete in itself. Where memory ends, the text
 * fails. What a parl_chart_append_... of the same name draws: */
void parl_vega_append_lines(parl_text *out, const parl_line_chart *c);
void parl_vega_append_dots(parl_text *out, const parl_report *r);
void parl_vega_append_scatter(parl_text *out, const parl_report *r);
void parl_vega_append_endings(parl_text *out, const parl_report *r);
void parl_vega_append_aggregates(parl_text *out, const parl_report *r);
void parl_vega_append_improvements(parl_text *out, const parl_report *r);
struct parl_vega_front;
void parl_vega_append_front(parl_text *out, const struct parl_vega_front *front);
/* Fails: EFORMAT, ENOMEM. The map must be one that is drawn. */
parl_status parl_vega_append_map(parl_text *out, const parl_report *r);

/* --- their place in the page: nothing, where it has no scripts --- */

/* Behind the drawing that `draw` made, that of a line chart, that of the map. */
void parl_vega_specify_drawing(parl_text *page, const parl_report *r,
                               void (*draw)(parl_text *out, const parl_report *r));
void parl_vega_specify_lines(parl_text *page, const parl_report *r, const parl_line_chart *c);
parl_status parl_vega_specify_map(parl_text *page, const parl_report *r);
/* Of a Pareto front: a policy's place, whether it is on the front of its environment, and the
 * axes of the drawing; optimum: NaN if it is not known. */
typedef struct parl_vega_spot {
  const parl_series *series;
  const parl_summary *steps, *perf;
  bool is_front;
  size_t env;
} parl_vega_spot;
typedef struct parl_vega_front {
  const char *title;
  const parl_vega_spot *spots; /* [n] */
  size_t n;
  parl_axis x, y;
  double optimum;
} parl_vega_front;
void parl_vega_specify_front(parl_text *page, const parl_report *r, const parl_vega_front *front);
/* What the page may do: run the scripts of the program, fetch nothing. */
void parl_vega_append_policy(parl_text *page, const parl_report *r);
/* The scripts, and a line that says how large the page is, or why it has none. */
void parl_vega_append_scripts(parl_text *page, const parl_report *r);

/* --- what specifications are written with --- */

/* Series of a chart, at most: what is more is in the drawing. */
enum { PARL_VEGA_MAX_NAMES = 256 };
/* A transform: "[lo, hi]" in the format given twice. */
#define PARL_VEGA_INTERVAL                                                             \
  "{'calculate':'isValid(datum.lo)&&isValid(datum.hi)?`[`+format(datum.lo,`%s`)+`, `+" \
  "format(datum.hi,`%s`)+`]`:`none`','as':'interval'}"
/* JSON in printf's manner, where ' stands for a quotation mark and ` for an apostrophe. No name
 * goes this way. */
void parl_vega_add(parl_text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string of any text. */
void parl_vega_add_string(parl_text *out, const char *s);
/* Rows of numbers, kept by column: each a JSON list without its brackets. */
enum { PARL_VEGA_MAX_COLUMNS = 12 };
typedef struct parl_vega_rows {
  parl_text columns[PARL_VEGA_MAX_COLUMNS];
} parl_vega_rows;
/* A row of n values: four figures, the last n_rough three; null for what is not finite. */
void parl_vega_add_row(parl_vega_rows *rows, const double *values, size_t n, size_t n_rough);
/* Frees, and hands a failure on. */
void parl_vega_end_rows(parl_vega_rows *rows, parl_text *out);
/* Of numbers of which the largest is `largest`: what d3 calls ".3f". */
void parl_vega_get_format(int digits, double largest, char out[16]);
/* "{ ... 'params': [names, hidden" of a figure whose legend has `names`. zooms: it may be looked at
 * closely. */
void parl_vega_begin(parl_text *out, const char *description, const char *const *names, size_t n,
                     bool zooms);
/* Behind it and further params: rows of columns ("s,x,y") become the data, and the transforms
 * begin: "'transform':[...". Rows of what is switched off go, a row has its name. */
void parl_vega_add_data(parl_text *out, const char *columns, const parl_vega_rows *rows);
/* The same in parts, each with what all its rows share ("'s':0," for parl_vega_add; NULL: nothing).
 */
void parl_vega_begin_data(parl_text *out);
void parl_vega_add_part(parl_text *out, const char *shared, const char *columns,
                        const parl_vega_rows *rows);
void parl_vega_end_data(parl_text *out, const char *columns);
/* "'color': {...}, 'shape': {...}" of a column s, the number of a name, by the names' styles. */
void parl_vega_add_styles(parl_text *out, const size_t *styles, size_t n);
/* The value of a variable of the light page's style, of *n bytes; NULL if there is none. */
const char *parl_figure_find_variable(const char *name, size_t n_name, size_t *n);
/* What the rule of a class ".e0" fills with. */
const char *parl_figure_find_fill(const char *class, size_t *n);
/* The value of a variable that there is, up to 15 bytes: "--ink". */
void parl_vega_get_colour(const char *name, char out[16]);

/* --- what the drawings tell --- */

/* Mean of the `window` values around point i; NaN where there is none, so that gaps stay. */
double parl_chart_get_smoothed(const parl_line_chart *c, const parl_series *s, size_t i,
                               size_t window);
/* Least and largest of values, intervals and the level; NaN if there is none. */
void parl_chart_get_range(const parl_line_chart *c, double *low, double *high);
/* Where the scatter has its axes and the labels of arms [n_arms], in units of the axes; a label
 * begins there; NaN: it has none. */
typedef struct parl_scatter {
  parl_axis x, y;
  double *label_x, *label_y;
} parl_scatter;
/* Fails: ENOMEM. */
parl_status parl_scatter_place(const parl_report *r, parl_scatter *out);
/* The value at a pixel. */
static inline double parl_axis_get_value(const parl_axis *a, double pixel) {
  return a->low + (pixel - a->pixel_low) / (a->pixel_high - a->pixel_low) * (a->high - a->low);
}

/* The panels of the dots. */
enum { PARL_N_DOT_PANELS = 6 };
parl_score parl_dots_get_score(size_t i);
parl_axis parl_dots_make_axis(const parl_report *r, size_t i);
bool parl_dots_has_optimum(size_t i);
/* Those of the aggregates. */
enum { PARL_N_AGGREGATES = 4 };
const parl_estimate *parl_aggregates_get(const parl_report_strata *s, size_t i);
const char *parl_aggregates_get_title(size_t i);
parl_axis parl_aggregates_make_axis(const parl_report *r, size_t i, double left, double right);

#endif
