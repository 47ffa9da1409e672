/* experiments/gaussian_process.h - regression by a Gaussian process, and where to look next.
 *
 * Kernel: Matern 5/2 with a length of its own for every input, a variance and a noise; the five are
 * those of greatest posterior density under wide log-normal priors. Values are standardised first.
 * Thread rule: one thread per object. Reading order: fit, predict, improvement.
 * Source: Rasmussen & Williams 2006, chapters 2 and 5; Jones, Schonlau & Welch 1998. */
#ifndef PARL_EXPERIMENTS_GAUSSIAN_PROCESS_H
#define PARL_EXPERIMENTS_GAUSSIAN_PROCESS_H
#include <stddef.h>

#include "core/status.h"

typedef struct parl_gaussian_process parl_gaussian_process;

/* inputs [n, d] in [0, 1], values [n], finite; n >= 2 and d >= 1. Deterministic. *out is owned by
 * the caller. Fails: EINVAL if a value is not finite or all are equal; ENOMEM. */
parl_status parl_gaussian_process_fit(const double *inputs, const double *values, size_t n,
                                      size_t d, parl_gaussian_process **out);
void parl_gaussian_process_destroy(parl_gaussian_process *process);
/* Mean and standard deviation of the function, without the noise, at input [d]. */
void parl_gaussian_process_predict(const parl_gaussian_process *process, const double *input,
                                   double *mean, double *deviation);
/* The greatest predicted mean among the inputs: what there is to improve on when values are noisy.
 */
double parl_gaussian_process_get_best(const parl_gaussian_process *process);

/* sigma^2 (1 + sqrt5 r + 5 r^2 / 3) exp(-sqrt5 r), r^2 = sum_i ((a_i - b_i) / length_i)^2 */
double parl_matern52(const double *a, const double *b, const double *lengths, size_t d,
                     double sigma);
/* E max(f - best, 0) of f ~ N(mean, deviation^2). */
double parl_expected_improvement(double mean, double deviation, double best);

#endif
