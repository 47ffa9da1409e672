/* experiments/gaussian_process.c - fitting and predicting. */
#include "experiments/gaussian_process.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multimin.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct parl_gaussian_process {
  size_t n, d;
  double *inputs;      /* [n, d] */
  double shift, scale; /* of values */
  double *lengths;     /* [d] */
  double sigma, noise;
  gsl_vector *y, *alpha; /* standardised values; K^-1 y */
  gsl_matrix *chol;      /* lower triangle of K + noise^2 I = L L^T */
  gsl_vector *work;      /* [n] */
};

double parl_matern52(const double *a, const double *b, const double *lengths, size_t d,
                     double sigma) {
  double r2 = 0;
  for (size_t i = 0; i < d; i++) {
    const double x = (a[i] - b[i]) / lengths[i];
    r2 += x * x;
  }
  const double r = sqrt(5 * r2);
  return sigma * sigma * (1 + r + r * r / 3) * exp(-r);
}

double parl_expected_improvement(double mean, double deviation, double best) {
  if (deviation <= 0) return fmax(mean - best, 0);
  const double z = (mean - best) / deviation;
  return (mean - best) * gsl_cdf_ugaussian_P(z) + deviation * gsl_ran_ugaussian_pdf(z);
}

/* theta [d + 2]: logarithms of the lengths, of sigma and of the noise. */
static void set_theta(parl_gaussian_process *p, const gsl_vector *theta) {
  for (size_t i = 0; i < p->d; i++) p->lengths[i] = exp(gsl_vector_get(theta, i));
  p->sigma = exp(gsl_vector_get(theta, p->d));
  p->noise = exp(gsl_vector_get(theta, p->d + 1));
}

/* Factors K and solves for alpha; false if K is not positive definite to rounding. */
static bool factor(parl_gaussian_process *p) {
  static const double JITTER = 1e-10;
  for (size_t i = 0; i < p->n; i++)
    for (size_t j = 0; j <= i; j++) {
      const double k =
          parl_matern52(&p->inputs[i * p->d], &p->inputs[j * p->d], p->lengths, p->d, p->sigma) +
          (i == j ? p->noise * p->noise + JITTER : 0);
      gsl_matrix_set(p->chol, i, j, k);
      gsl_matrix_set(p->chol, j, i, k);
    }
  gsl_error_handler_t *handler = gsl_set_error_handler_off();
  const int failed = gsl_linalg_cholesky_decomp1(p->chol);
  gsl_set_error_handler(handler);
  return failed == 0 && gsl_linalg_cholesky_solve(p->chol, p->y, p->alpha) == 0;
}

/* ln N(x; mean, deviation), but for a constant. */
static double log_prior(double x, double mean, double deviation) {
  const double z = (x - mean) / deviation;
  return -z * z / 2;
}

/* - log posterior density. Lengths of about half the cube, values of unit variance, a noise of a
 * tenth of that, each within an order of magnitude. */
static double get_loss(const gsl_vector *theta, void *context) {
  static const double PRIOR_WIDTH = 1.0, TOO_BAD = 1e30;
  parl_gaussian_process *p = context;
  set_theta(p, theta);
  double loss = 0;
  for (size_t i = 0; i < p->d; i++)
    loss -= log_prior(gsl_vector_get(theta, i), log(0.5), PRIOR_WIDTH);
  loss -= log_prior(gsl_vector_get(theta, p->d), 0, PRIOR_WIDTH);
  loss -= log_prior(gsl_vector_get(theta, p->d + 1), log(0.1), 1.5 * PRIOR_WIDTH);
  if (!factor(p)) return TOO_BAD;
  double fit = 0;
  gsl_blas_ddot(p->y, p->alpha, &fit);
  loss += fit / 2;
  for (size_t i = 0; i < p->n; i++) loss += log(gsl_matrix_get(p->chol, i, i));
  return isfinite(loss) ? loss : TOO_BAD;
}

/* From one start; *best and *loss are replaced if it ends lower. */
static parl_status descend(parl_gaussian_process *p, double length, gsl_vector *best,
                           double *loss) {
  enum { MAX_ITERATIONS = 400 };
  const size_t m = p->d + 2;
  gsl_vector *start = gsl_vector_alloc(m), *step = gsl_vector_alloc(m);
  gsl_multimin_fminimizer *f = gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, m);
  parl_status s = PARL_STATUS_OK;
  if (start != NULL && step != NULL && f != NULL) {
    gsl_multimin_function function = {get_loss, m, p};
    gsl_vector_set_all(start, log(length));
    gsl_vector_set(start, p->d, 0);
    gsl_vector_set(start, p->d + 1, log(0.1));
    gsl_vector_set_all(step, 0.5);
    gsl_multimin_fminimizer_set(f, &function, start, step);
    for (int i = 0; i < MAX_ITERATIONS; i++) {
      if (gsl_multimin_fminimizer_iterate(f) != 0) break;
      if (gsl_multimin_test_size(f->size, 1e-4) != GSL_CONTINUE) break;
    }
    if (f->fval < *loss) {
      *loss = f->fval;
      gsl_vector_memcpy(best, f->x);
    }
  } else {
    s = parl_fail(PARL_STATUS_ENOMEM, "Gaussian process: no memory for %zu inputs", p->d);
  }
  gsl_multimin_fminimizer_free(f);
  gsl_vector_free(start);
  gsl_vector_free(step);
  return s;
}

static parl_status fit(parl_gaussian_process *p) {
  static const double LENGTHS[] = {0.5, 0.15, 1.5};
  gsl_vector *best = gsl_vector_calloc(p->d + 2);
  if (best == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "Gaussian process: no memory for %zu inputs", p->d);
  double loss = HUGE_VAL;
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < sizeof LENGTHS / sizeof LENGTHS[0]; i++)
    s = descend(p, LENGTHS[i], best, &loss);
  set_theta(p, best);
  gsl_vector_free(best);
  if (s == PARL_STATUS_OK && !factor(p))
    s = parl_fail(PARL_STATUS_EINVAL, "Gaussian process: the covariance is singular");
  return s;
}

static parl_status standardise(parl_gaussian_process *p, const double *values) {
  for (size_t i = 0; i < p->n; i++)
    if (!isfinite(values[i]))
      return parl_fail(PARL_STATUS_EINVAL, "Gaussian process: value %zu is not finite", i + 1);
  p->shift = gsl_stats_mean(values, 1, p->n);
  p->scale = gsl_stats_sd_m(values, 1, p->n, p->shift);
  if (!(p->scale > 0))
    return parl_fail(PARL_STATUS_EINVAL, "Gaussian process: all values are equal");
  for (size_t i = 0; i < p->n; i++) gsl_vector_set(p->y, i, (values[i] - p->shift) / p->scale);
  return PARL_STATUS_OK;
}

parl_status parl_gaussian_process_fit(const double *inputs, const double *values, size_t n,
                                      size_t d, parl_gaussian_process **out) {
  *out = NULL;
  parl_gaussian_process *p = calloc(1, sizeof *p);
  if (p == NULL || n < 2 || d < 1) {
    free(p);
    return p == NULL
               ? parl_fail(PARL_STATUS_ENOMEM, "Gaussian process: no memory")
               : parl_fail(PARL_STATUS_EINVAL, "Gaussian process: %zu values of %zu inputs", n, d);
  }
  *p = (parl_gaussian_process){.n = n,
                               .d = d,
                               .inputs = malloc(n * d * sizeof *inputs),
                               .lengths = malloc(d * sizeof *p->lengths),
                               .y = gsl_vector_alloc(n),
                               .alpha = gsl_vector_alloc(n),
                               .work = gsl_vector_alloc(n),
                               .chol = gsl_matrix_alloc(n, n)};
  parl_status s =
      p->inputs && p->lengths && p->y && p->alpha && p->work && p->chol
          ? PARL_STATUS_OK
          : parl_fail(PARL_STATUS_ENOMEM, "Gaussian process: no memory for %zu points", n);
  if (s == PARL_STATUS_OK) memcpy(p->inputs, inputs, n * d * sizeof *inputs);
  if (s == PARL_STATUS_OK) s = standardise(p, values);
  if (s == PARL_STATUS_OK) s = fit(p);
  if (s == PARL_STATUS_OK)
    *out = p;
  else
    parl_gaussian_process_destroy(p);
  return s;
}

void parl_gaussian_process_destroy(parl_gaussian_process *p) {
  if (p == NULL) return;
  free(p->inputs);
  free(p->lengths);
  gsl_vector_free(p->y);
  gsl_vector_free(p->alpha);
  gsl_vector_free(p->work);
  gsl_matrix_free(p->chol);
  free(p);
}

void parl_gaussian_process_predict(const parl_gaussian_process *p, const double *input,
                                   double *mean, double *deviation) {
  for (size_t i = 0; i < p->n; i++)
    gsl_vector_set(p->work, i,
                   parl_matern52(input, &p->inputs[i * p->d], p->lengths, p->d, p->sigma));
  double m = 0, explained = 0;
  gsl_blas_ddot(p->work, p->alpha, &m);
  gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, p->chol, p->work);
  gsl_blas_ddot(p->work, p->work, &explained);
  *mean = p->shift + p->scale * m;
  *deviation = p->scale * sqrt(fmax(p->sigma * p->sigma - explained, 0));
}

double parl_gaussian_process_get_best(const parl_gaussian_process *p) {
  double best = -HUGE_VAL;
  for (size_t i = 0; i < p->n; i++) {
    double mean, deviation;
    parl_gaussian_process_predict(p, &p->inputs[i * p->d], &mean, &deviation);
    best = fmax(best, mean);
  }
  return best;
}
