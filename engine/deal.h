/* engine/deal.h - work of known cost, dealt out longest first.
 *
 * Each piece, from the dearest to the cheapest, goes to the hand that has least so far, of equal
 * ones to the first: no hand has more than 4/3 of what the best deal's fullest has. What comes out
 * depends on the costs alone.
 * Thread rule: pure functions. Source: Graham 1969, longest processing time. */
#ifndef PARL_ENGINE_DEAL_H
#define PARL_ENGINE_DEAL_H
#include <stddef.h>

#include "core/status.h"

/* order [n] = the pieces from the dearest on, of equal ones the first. */
void parl_deal_sort(size_t n, const double *costs, size_t *order);
/* hands [n] = whose each piece of an order is; loads [n_hands] = what they have, n_hands >= 1;
 * heap [n_hands] is room for the work. */
void parl_deal(size_t n, const double *costs, const size_t *order, size_t n_hands, size_t *hands,
               double *loads, size_t *heap);
/* The fullest of loads [n], n >= 1, and their sum. */
double parl_deal_max(size_t n, const double *loads);
double parl_deal_sum(size_t n, const double *loads);

#endif
