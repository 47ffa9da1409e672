/* experiments/report_number.c - how numbers read: so many digits, never noise, never a NaN. */
#include <stdio.h>
#include <string.h>

#include "experiments/report_internal.h"

void parl_number_shorten(char *s) {
  char *e = strchr(s, 'e');
  if (e == NULL) return;
  const bool negative = *++e == '-';
  char *digits = e + strspn(e, "+-0");
  if (negative) e++;
  memmove(e, digits, strlen(digits) + 1);
}

void parl_number_format(double x, int digits, double largest, char out[PARL_NUMBER_BYTES]) {
  const double least = pow(10, -digits);
  if (!isfinite(x)) {
    snprintf(out, PARL_NUMBER_BYTES, "-");
  } else if (x != 0 && (largest >= 1e7 || (largest > 0 && largest < least))) {
    snprintf(out, PARL_NUMBER_BYTES, "%.3g", x);
    parl_number_shorten(out);
  } else { /* what is rounded to zero has no sign */
    snprintf(out, PARL_NUMBER_BYTES, "%.*f", digits, fabs(x) < least / 2 ? 0.0 : x);
  }
}

void parl_number_append(parl_text *out, double x, int digits) {
  char text[PARL_NUMBER_BYTES];
  parl_number_format(x, digits, fabs(x), text);
  parl_text_append(out, text);
}

void parl_summary_format(const parl_summary *s, int digits, char out[PARL_SUMMARY_BYTES]) {
  char value[PARL_NUMBER_BYTES], lo[PARL_NUMBER_BYTES], hi[PARL_NUMBER_BYTES];
  const bool has_interval = isfinite(s->lo) && isfinite(s->hi);
  double largest = fmax(1, fabs(s->iqm)); /* in a table what is tiny reads as 0 */
  if (has_interval) largest = fmax(largest, fmax(fabs(s->lo), fabs(s->hi)));
  parl_number_format(s->n > 0 ? s->iqm : (double)NAN, digits, largest, value);
  if (s->n == 0 || !has_interval) {
    snprintf(out, PARL_SUMMARY_BYTES, "%s", value);
    return;
  }
  parl_number_format(s->lo, digits, largest, lo);
  parl_number_format(s->hi, digits, largest, hi);
  snprintf(out, PARL_SUMMARY_BYTES, "%s [%s, %s]", value, lo, hi);
}
