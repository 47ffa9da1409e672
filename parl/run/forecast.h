/* parl/run/forecast.h - what the warm start is worth, and lambda*: the weight at which launching
 * starts to pay (DESIGN 7).
 *
 * The advantage compares rollouts of one task, so the forecast does too. Within the group of a
 * task, with L = 1 for an episode with a launch, else 0, a term x (r_perf, r_parallel, r_finish) is
 * worth
 *   slope(x) = sum over groups of cov(x, L) / sum over groups of var(L),
 * which is what r - mean of the group says of a launch to the policy: a task all of whose rollouts
 * launch, or none, says nothing, and hard tasks are not compared with easy ones.
 *   gap     = -slope(r_perf): what a launch costs
 *   lambda* = -(sum over all other terms of weight * slope) / (slope(r_parallel) +
 *             slope(r_finish)), for lambda1 = lambda2; gap / (...) where r_perf alone is left
 *   margin  = sum over terms of weight * slope: what a launch gains
 * Intervals are 95 % percentile bootstraps over tasks.
 * Thread rule: one thread per call; make uses the workers. Reading order: probe, part, estimate. */
#ifndef PARL_PARL_RUN_FORECAST_H
#define PARL_PARL_RUN_FORECAST_H
#include "core/workers.h"
#include "engine/model.h"
#include "parl/reward/reward.h"
#include "parl/run/run.h"
#include "parl/run/subs.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/host.h"
#include "parl/swarm/means.h"
#include "parl/swarm/trajectory.h"

/* One episode of the warm start. */
typedef struct parl_probe {
  const char *family; /* borrowed; "" if tasks have one kind */
  bool failed, launched;
  const double *terms; /* [n of the table of terms] borrowed; not read in a group that failed */
} parl_probe;

typedef struct parl_interval {
  double value, lo, hi; /* NaN: unknown */
} parl_interval;

/* What was measured of the tasks of a family, or of all. NaN where there is nothing to measure. */
typedef struct parl_forecast_part {
  char family[PARL_FAMILY_BYTES]; /* of a part of a family; "" of all */
  size_t n_groups;                /* tasks none of whose episodes failed */
  size_t n_informative;           /* of them with both kinds of episodes */
  double launch_rate;             /* share of episodes with a launch */
  double launch_rate_se;          /* its standard error, tasks being drawn, not episodes */
  double r_perf_alone;            /* mean over episodes without a launch */
  double launch[PARL_MAX_TERMS];  /* [n of table] mean of a term over episodes with one */
  double slope[PARL_MAX_TERMS];   /* [n of table] of a term */
  parl_interval gap, lambda_star, margin;
} parl_forecast_part;

/* Estimates a part from groups of K probes, probe [n_groups * K], group after group. family: NULL
 * for all. A group with a failed episode is left out, as training drops it. Intervals are NaN with
 * fewer than two informative groups. weights [n_terms of the table]. seed names the bootstrap's
 * random numbers.
 * Fails: EINVAL if K < 1, ENOMEM. Source: ours; fixed-effects regression of a term on L. */
parl_status parl_forecast_estimate(const parl_probe *probe, size_t n_groups, size_t K,
                                   const char *family, const double *weights, size_t n_terms,
                                   uint64_t seed, parl_forecast_part *out);
/* Whether a launch gains at the weights of the estimate: 1 or 0; NaN where that is unknown. */
double parl_forecast_says(const parl_forecast_part *part);

/* Standard error of a share of n episodes that are independent, k of which have the property; never
 * 0. Source: Agresti & Coull 1998. */
double parl_forecast_share_error(double k, double n);
/* 1 if the share grew from one measurement to the next beyond what their standard errors explain
 * (1.96 of the difference's), 0 if it fell so, NaN if neither can be said. */
double parl_forecast_grew(double before, double before_se, double after, double after_se);

/* What is stored of a part p, as "forecast/KEY" of all tasks and "forecast/FAMILY/KEY".
 * X(key, value, unit, meaning) */
// clang-format off
#define PARL_FORECAST_LIST(X)                                                                     \
  X(groups, (double)p->n_groups, "tasks", "tasks none of whose episodes failed")                  \
  X(informative, (double)p->n_informative, "tasks", "tasks where some episodes launch, some not")  \
  X(launch_rate, p->launch_rate, "1", "share of episodes with a launch")                          \
  X(launch_rate_se, p->launch_rate_se, "1", "its standard error, over tasks")                     \
  X(r_perf_alone, p->r_perf_alone, "1", "mean r_perf of episodes without one, tasks pooled")      \
  X(gap, p->gap.value, "1", "r_perf that a launch costs, within tasks")                           \
  X(gap_lo, p->gap.lo, "1", "lower end of its 95 % interval (bootstrap over tasks)")              \
  X(gap_hi, p->gap.hi, "1", "upper end")                                                          \
  X(lambda_star, p->lambda_star.value, "1", "lambda1 = lambda2 from which launching pays")        \
  X(lambda_star_lo, p->lambda_star.lo, "1", "lower end of its 95 % interval")                     \
  X(lambda_star_hi, p->lambda_star.hi, "1", "upper end")                                          \
  X(margin, p->margin.value, "1", "reward that a launch gains at the weights of update 0")        \
  X(margin_lo, p->margin.lo, "1", "lower end of its 95 % interval")                               \
  X(margin_hi, p->margin.hi, "1", "upper end")                                                    \
  X(says_launch, parl_forecast_says(p), "0/1", "the forecast: launching will grow (margin > 0)")
// clang-format on
/* And of every term. X(prefix, suffix, value, unit, meaning): "forecast/<prefix><term><suffix>" */
#define PARL_FORECAST_TERM_LIST(X)                                                           \
  X("r_", "_launch", p->launch[i], "1", "mean r_%s of episodes with a launch, tasks pooled") \
  X("slope_", "", p->slope[i], "1", "r_%s that a launch adds, within tasks")

enum { PARL_FORECAST_MAX_PARTS = 17 }; /* all, and families */

typedef struct parl_forecast {
  double weights[PARL_MAX_TERMS]; /* [n of the table of terms] at update 0 */
  parl_means means;               /* of the episodes that did not fail */
  parl_failures failures;         /* episodes played, and those that failed */
  size_t n_parts;                 /* 1, or 1 + families where there are several */
  parl_forecast_part parts[PARL_FORECAST_MAX_PARTS]; /* [n_parts] all, then families by name */
} parl_forecast;

/* Plays warm.probe episodes of the warm start, in groups of train.group rollouts of a task (at
 * least two), and estimates. weights [n of table]: those of update 0. reward: estimates its budgets
 * of the episodes that did not fail, which are judged without them; or NULL.
 * Fails: as a rollout does, and as parl_failures_check. */
parl_status parl_forecast_make(const parl_run *run, const parl_host *host, const parl_model *warm,
                               const parl_subs *subs, const parl_term_table *table,
                               const double *weights, parl_workers *workers, parl_reward *reward,
                               parl_forecast *out);

#endif
