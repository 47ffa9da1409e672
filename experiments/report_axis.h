/* experiments/report_axis.h - axes of charts: round ticks, where a value is drawn, labels.
 *
 * Thread rule: pure functions of their arguments. Reading order: range, axis, values,
 * drawing. */
#ifndef PARL_EXPERIMENTS_REPORT_AXIS_H
#define PARL_EXPERIMENTS_REPORT_AXIS_H
#include <stdbool.h>

#include "core/text.h"

enum { PARL_AXIS_BYTES = 48 }; /* of a number as text */

/* Makes a range hold a value as well; NaN or inf: leaves it. A range begins as NaN, NaN. */
void parl_axis_widen(double value, double *low, double *high);

/* An axis: `n_ticks` round ticks, the i-th at (first + i) steps, for i from 0. */
typedef struct parl_axis {
  double low, high, first, step;
  double pixel_low, pixel_high;
  int n_ticks, digits; /* digits: of labels, after the point */
} parl_axis;
/* About `wanted` >= 1 ticks that cover [low, high]. Any doubles will do: NaN is not there, a range
 * that is rounding noise beside its values counts as one value, which gets room on both sides, and
 * what lies beyond 1e300 lies at the edge. 2 <= n_ticks <= wanted + 3. */
parl_axis parl_axis_make(double low, double high, int wanted, double pixel_low, double pixel_high);
/* From 0 to high itself, with the ticks inside. */
parl_axis parl_axis_make_within(double high, int wanted, double pixel_low, double pixel_high);
/* Whether two numbers differ by rounding only. */
bool parl_axis_is_one_value(double low, double high);
static inline double parl_axis_get_tick(const parl_axis *a, int i) {
  return (a->first + i) * a->step;
}
/* Pixel of a value that is not NaN, always within the axis. */
double parl_axis_place(const parl_axis *a, double value);
/* The label of a tick: "0.25", "120", "2.5e6". */
void parl_axis_format(const parl_axis *a, double value, char out[PARL_AXIS_BYTES]);
/* Pixels of the longest label. */
double parl_axis_get_label_width(const parl_axis *a);
/* Labels below `bottom` and, if `grid`, lines; lines and labels left of `left`. */
void parl_axis_append_x(parl_text *out, const parl_axis *x, double top, double bottom, bool grid);
void parl_axis_append_y(parl_text *out, const parl_axis *y, double left, double right);

#endif
