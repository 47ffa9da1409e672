/* experiments/statistics_few.c - intervals of few seeds: laws that know how little they saw. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#include "experiments/statistics.h"

static const double Z = 1.959963984540054; /* of the normal law at 0.975 */

void parl_few_mean(const double *scores, size_t n, double *lo, double *hi) {
  const double mean = gsl_stats_mean(scores, 1, n);
  const double t = gsl_cdf_tdist_Pinv(0.975, (double)n - 1);
  const double half = t * gsl_stats_sd_m(scores, 1, n, mean) / sqrt((double)n);
  *lo = mean - half;
  *hi = mean + half;
}

void parl_few_share(double share, size_t n, double *lo, double *hi) {
  const double m = (double)n, scale = 1 + Z * Z / m;
  const double middle = (share + Z * Z / (2 * m)) / scale;
  const double half = Z * sqrt(share * (1 - share) / m + Z * Z / (4 * m * m)) / scale;
  *lo = fmax(0, middle - half);
  *hi = fmin(1, middle + half);
}

/* Standard error of U / (na nb) where the chance is p, as Hanley and McNeil's exponential model has
 * it, with both sizes replaced by their mean. */
static double get_error(double p, size_t na, size_t nb) {
  const double n = ((double)na + (double)nb) / 2 - 1;
  const double spread = 1 + n * ((1 - p) / (2 - p) + p / (1 + p));
  return sqrt(p * (1 - p) * spread / ((double)na * (double)nb));
}

/* The chance between p and `end` that is Z errors of its own away from p. */
static double solve(double p, double end, size_t na, size_t nb) {
  double near = p, far = end;
  for (int i = 0; i < 60; i++) {
    const double middle = (near + far) / 2;
    if (fabs(middle - p) < Z * get_error(middle, na, nb))
      near = middle;
    else
      far = middle;
  }
  return (near + far) / 2;
}

void parl_few_improvement(double p, size_t na, size_t nb, double *lo, double *hi) {
  *lo = p > 0 ? solve(p, 0, na, nb) : 0;
  *hi = p < 1 ? solve(p, 1, na, nb) : 1;
}
