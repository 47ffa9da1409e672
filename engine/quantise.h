/* engine/quantise.h - weights rounded to what int4 with a scale per group can say.
 *
 * Thread rule: pure functions. Source: k25 5.4; the rule of the scale is ours, see below. */
#ifndef PARL_ENGINE_QUANTISE_H
#define PARL_ENGINE_QUANTISE_H
#include <stddef.h>

enum { PARL_INT4_GROUP = 32 };

/* out [rows,columns] = s round(w / s), whole multiples -7..7 of s, by groups of 32 neighbours in a
 * row; a row's last group may be shorter. s is the largest |w| of the group divided by 7, rounded
 * to bf16, as scales are stored; K2.5's own rule is not published. So an error is at most s / 2,
 * what is rounded stays as it is when rounded again, and 0 stays 0. Halves go to even. */
void parl_quantise_int4(size_t rows, size_t columns, const float *w, float *out);

#endif
