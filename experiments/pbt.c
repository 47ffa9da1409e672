/* experiments/pbt.c - population based training. */
#include "experiments/pbt.h"

#include <math.h>
#include <stdlib.h>

parl_status parl_pbt_exploit(const double *results, size_t n, double quantile,
                             parl_rng_cursor *chance, size_t *from) {
  size_t *order = calloc(n, sizeof *order);
  if (order == NULL) return parl_fail(PARL_STATUS_ENOMEM, "pbt: no memory for %zu", n);
  for (size_t i = 0; i < n; i++) {
    size_t k = i;
    for (; k > 0 && results[i] > results[order[k - 1]]; k--) order[k] = order[k - 1];
    order[k] = i;
    from[i] = i;
  }
  size_t n_moved = (size_t)(quantile * (double)n), n_good = 0;
  if (n_moved == 0) n_moved = 1;
  while (n_good < n_moved && isfinite(results[order[n_good]])) n_good++;
  for (size_t k = n - n_moved; k < n && n_good > 0; k++)
    from[order[k]] = order[(size_t)((double)n_good * parl_rng_next_uniform(chance))];
  free(order);
  return PARL_STATUS_OK;
}
