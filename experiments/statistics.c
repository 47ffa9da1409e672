/* experiments/statistics.c - one bootstrap over four statistics: exact where the seeds are few. */
#include "experiments/statistics.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <gsl/gsl_version.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"

/* A statistic of resampled data. scratch holds the sample and may be reordered. */
typedef struct sample {
  const double *a, *b; /* [n_a * n_strata] row-major, [n_b]; b NULL unless two arms */
  size_t n_a, n_b, n_strata;
  double tau;        /* of get_share */
  parl_draws *draws; /* or NULL */
  double *scratch;   /* [n_a * n_strata + n_b] owned */
} sample;
typedef double (*statistic)(const sample *s);

static double get_mean(const sample *s) {
  return gsl_stats_mean(s->scratch, 1, s->n_a * s->n_strata);
}

static double get_iqm(const sample *s) {
  const size_t n = s->n_a * s->n_strata;
  gsl_sort(s->scratch, 1, n);
  return gsl_stats_trmean_from_sorted_data(0.25, s->scratch, 1, n);
}

/* Mann-Whitney U / (na nb): how often a beats b, a tie being half a win. */
static double get_improvement(const sample *s) {
  const double *a = s->scratch, *b = s->scratch + s->n_a;
  double wins = 0;
  for (size_t i = 0; i < s->n_a; i++)
    for (size_t j = 0; j < s->n_b; j++) wins += a[i] > b[j] ? 1 : a[i] == b[j] ? 0.5 : 0;
  return wins / ((double)s->n_a * (double)s->n_b);
}

static double get_share(const sample *s) {
  const size_t n = s->n_a * s->n_strata;
  size_t above = 0;
  for (size_t i = 0; i < n; i++) above += s->scratch[i] > s->tau;
  return (double)above / (double)n;
}

static void take_all(sample *s) {
  const size_t n = s->n_a * s->n_strata;
  memcpy(s->scratch, s->a, n * sizeof *s->a);
  if (s->b != NULL) memcpy(s->scratch + n, s->b, s->n_b * sizeof *s->b);
}

/* Runs with replacement, inside each stratum on its own, and in each arm on its own. */
static void resample(sample *s, parl_rng_cursor *rng) {
  double *out = s->scratch;
  for (size_t stratum = 0; stratum < s->n_strata; stratum++)
    for (size_t i = 0; i < s->n_a; i++)
      *out++ = s->a[parl_rng_next_below(rng, s->n_a) * s->n_strata + stratum];
  if (s->b == NULL) return;
  for (size_t i = 0; i < s->n_b; i++) *out++ = s->b[parl_rng_next_below(rng, s->n_b)];
}

static int is_flat(const sample *s) {
  for (size_t i = 1; i < s->n_a * s->n_strata; i++)
    if (s->a[i] != s->a[0]) return 0;
  return s->b == NULL;
}

/* --- few seeds: every resample there is, each with its chance --- */

typedef struct draw {
  double value, weight;
} draw;

typedef struct bootstrap {
  sample *s;
  statistic f;
  draw *draws; /* [n] owned */
  size_t n;
} bootstrap;

/* Multisets of n out of n things, C(2n - 1, n); `most` + 1 if there are more than `most`. */
static size_t count_resamples(size_t n, size_t most) {
  double count = 1;
  for (size_t i = 1; i < n && count <= (double)most; i++) count *= (double)(2 * n - i) / (double)i;
  return count <= (double)most ? (size_t)llround(count) : most + 1;
}

/* Puts k = 0, 1, ... copies of value i of an arm behind the `placed` ones, then the values after
 * it; the weight is 1 / (k_1! k_2! ...) of both arms. */
static void enumerate(bootstrap *x, bool of_b, size_t i, size_t placed, double weight) {
  sample *s = x->s;
  const size_t n = of_b ? s->n_b : s->n_a;
  double *to = s->scratch + (of_b ? s->n_a : 0);
  if (placed == n && (of_b || s->b == NULL)) {
    x->draws[x->n++] = (draw){x->f(s), weight};
    return;
  }
  if (placed == n) {
    enumerate(x, true, 0, 0, weight);
    return;
  }
  const double value = of_b ? s->b[i] : s->a[i];
  for (size_t k = 0; placed + k <= n; k++) {
    if (k > 0) to[placed + k - 1] = value;
    if (k > 1) weight /= (double)k;
    if (i + 1 < n || placed + k == n) enumerate(x, of_b, i + 1, placed + k, weight);
  }
}

static int compare_draws(const void *a, const void *b) {
  const double x = ((const draw *)a)->value, y = ((const draw *)b)->value;
  return (x > y) - (x < y);
}

/* The least value that at least `share` of all weight does not exceed. */
static double get_quantile(const bootstrap *x, double share) {
  double all = 0, below = 0;
  for (size_t i = 0; i < x->n; i++) all += x->draws[i].weight;
  for (size_t i = 0; i < x->n; i++) {
    below += x->draws[i].weight;
    if (below >= share * all) return x->draws[i].value;
  }
  return x->draws[x->n - 1].value;
}

static parl_status get_exact_interval(sample *s, statistic f, size_t n, double *lo, double *hi) {
  bootstrap x = {.s = s, .f = f, .draws = calloc(n, sizeof *x.draws)};
  double *sorted = calloc(s->n_a, sizeof *sorted); /* f may sort the scratch, which must not move */
  const double *a = s->a;
  if (x.draws != NULL && sorted != NULL) {
    memcpy(sorted, a, s->n_a * sizeof *sorted);
    gsl_sort(sorted, 1, s->n_a);
    s->a = sorted;
    enumerate(&x, false, 0, 0, 1);
    s->a = a;
    qsort(x.draws, x.n, sizeof *x.draws, compare_draws);
    *lo = get_quantile(&x, 0.025);
    *hi = get_quantile(&x, 0.975);
  }
  const bool failed = x.draws == NULL || sorted == NULL;
  free(x.draws);
  free(sorted);
  return failed ? parl_fail(PARL_STATUS_ENOMEM, "statistics: no memory for %zu resamples", n)
                : PARL_STATUS_OK;
}

/* --- more seeds: random resamples --- */

static parl_status get_random_interval(sample *s, statistic f, uint64_t seed, size_t n_replicates,
                                       double *lo, double *hi) {
  double *values = calloc(n_replicates, sizeof *values);
  if (values == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "statistics: no memory for %zu replicates", n_replicates);
  parl_rng_cursor rng = {.seed = seed, .stream = parl_rng_stream(PARL_PURPOSE_STATISTICS, 0, 0, 0)};
  for (size_t r = 0; r < n_replicates; r++) {
    resample(s, &rng);
    values[r] = f(s);
  }
  gsl_sort(values, 1, n_replicates);
  *lo = gsl_stats_quantile_from_sorted_data(values, 1, n_replicates, 0.025);
  *hi = gsl_stats_quantile_from_sorted_data(values, 1, n_replicates, 0.975);
  free(values);
  return PARL_STATUS_OK;
}

/* --- the same from resamples that are kept --- */

enum { MOST_KEPT = 1 << 25, MOST_SEEDS = 4096 };

void parl_draws_deinit(parl_draws *draws) {
  free(draws->index);
  free(draws->values);
  *draws = (parl_draws){0};
}

/* In the order in which resample() draws. */
static parl_status fill_draws(parl_draws *d, size_t n, uint64_t seed, size_t n_replicates) {
  if (d->n == n && d->seed == seed && d->n_replicates >= n_replicates) return PARL_STATUS_OK;
  parl_draws_deinit(d);
  d->index = calloc(n_replicates * n, sizeof *d->index);
  d->values = calloc(n_replicates, sizeof *d->values);
  if (d->index == NULL || d->values == NULL) {
    parl_draws_deinit(d);
    return parl_fail(PARL_STATUS_ENOMEM, "statistics: no memory for %zu replicates", n_replicates);
  }
  parl_rng_cursor rng = {.seed = seed, .stream = parl_rng_stream(PARL_PURPOSE_STATISTICS, 0, 0, 0)};
  for (size_t i = 0; i < n_replicates * n; i++)
    d->index[i] = (uint16_t)parl_rng_next_below(&rng, n);
  d->n = n;
  d->seed = seed;
  d->n_replicates = n_replicates;
  return PARL_STATUS_OK;
}

static double mean_drawn(const double *values, const uint16_t *index, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += values[index[i]];
  return sum / (double)n;
}

/* Mean of places [cut, n - cut) of a sample in order; sorted [n], rank [n] of each seed; count [n]
 * is 0, and is again. */
static double trim_drawn(const double *sorted, const uint16_t *rank, const uint16_t *index,
                         uint16_t *count, size_t n) {
  const size_t cut = n / 4, end = n - cut;
  double sum = 0;
  size_t place = 0;
  for (size_t i = 0; i < n; i++) count[rank[index[i]]]++;
  for (size_t r = 0; r < n; r++) {
    const size_t next = place + count[r];
    const size_t from = place > cut ? place : cut, to = next < end ? next : end;
    if (to > from) sum += (double)(to - from) * sorted[r];
    place = next;
    count[r] = 0;
  }
  return sum / (double)(end - cut);
}

/* As gsl_stats_quantile_from_sorted_data, of values in any order, which change places. */
static double select_quantile(double *values, size_t n, double share) {
  const double at = share * (double)(n - 1);
  const size_t k = (size_t)at;
  const double low = gsl_stats_select(values, 1, n, k);
  if (k + 1 >= n) return low;
  return (1 - (at - (double)k)) * low + (at - (double)k) * gsl_stats_select(values, 1, n, k + 1);
}

static parl_status get_drawn_interval(sample *s, statistic f, uint64_t seed, size_t n_replicates,
                                      double *lo, double *hi) {
  const size_t n = s->n_a;
  parl_draws *d = s->draws;
  double sorted[MOST_SEEDS];
  size_t order[MOST_SEEDS];
  uint16_t rank[MOST_SEEDS], count[MOST_SEEDS];
  PARL_CHECK(f == get_mean || f == get_iqm);
  PARL_TRY(fill_draws(d, n, seed, n_replicates));
  gsl_sort_index(order, s->a, 1, n);
  for (size_t r = 0; r < n; r++) {
    sorted[r] = s->a[order[r]];
    rank[order[r]] = (uint16_t)r;
    count[r] = 0;
  }
  for (size_t r = 0; r < n_replicates; r++)
    d->values[r] = f == get_mean ? mean_drawn(s->a, d->index + r * n, n)
                                 : trim_drawn(sorted, rank, d->index + r * n, count, n);
  *lo = select_quantile(d->values, n_replicates, 0.025);
  *hi = select_quantile(d->values, n_replicates, 0.975);
  return PARL_STATUS_OK;
}

/* All resamples if they are no more than as many random ones. */
static parl_status get_interval(sample *s, statistic f, uint64_t seed, size_t n_replicates,
                                double *lo, double *hi) {
  const size_t n_a = count_resamples(s->n_a, n_replicates);
  const size_t n_b = s->b != NULL ? count_resamples(s->n_b, n_replicates) : 1;
  if (s->n_strata == 1 && n_a <= n_replicates && n_b <= n_replicates / n_a)
    return get_exact_interval(s, f, n_a * n_b, lo, hi);
  if (s->draws != NULL && s->n_a <= MOST_SEEDS && n_replicates <= MOST_KEPT / s->n_a)
    return get_drawn_interval(s, f, seed, n_replicates, lo, hi);
  return get_random_interval(s, f, seed, n_replicates, lo, hi);
}

static parl_status check(const double *scores, size_t n, const char *what) {
  if (n == 0 || scores == NULL)
    return parl_fail(PARL_STATUS_EINVAL, "statistics: no score in %s", what);
  for (size_t i = 0; i < n; i++)
    if (!isfinite(scores[i]))
      return parl_fail(PARL_STATUS_EINVAL, "statistics: score %zu of %s is %g; it must be finite",
                       i, what, scores[i]);
  return PARL_STATUS_OK;
}

/* Checks, takes the statistics of all data, then their interval where there are seeds enough. */
static parl_status summarize(sample *s, statistic of_interval, uint64_t seed, size_t n_replicates,
                             parl_summary *out) {
  PARL_REQUIRE(s->n_strata >= 1 && n_replicates >= 1);
  PARL_TRY(check(s->a, s->n_a * s->n_strata, "the first arm"));
  if (s->b != NULL) PARL_TRY(check(s->b, s->n_b, "the second arm"));
  s->scratch = calloc(s->n_a * s->n_strata + s->n_b, sizeof *s->scratch);
  if (s->scratch == NULL) return parl_fail(PARL_STATUS_ENOMEM, "statistics: no memory");
  const int of_scores = of_interval == get_mean || of_interval == get_iqm;
  parl_summary r = {.lo = NAN, .hi = NAN, .n = s->b != NULL && s->n_b < s->n_a ? s->n_b : s->n_a};
  take_all(s);
  r.mean = of_scores ? get_mean(s) : of_interval(s);
  r.iqm = of_scores ? get_iqm(s) : r.mean;
  parl_status status = PARL_STATUS_OK;
  if (r.n >= 2 && is_flat(s))
    r.lo = r.hi = of_interval == get_iqm ? r.iqm : r.mean;
  else if (r.n >= 2)
    status = get_interval(s, of_interval, seed, n_replicates, &r.lo, &r.hi);
  free(s->scratch);
  if (status == PARL_STATUS_OK) *out = r;
  return status;
}

parl_status parl_summarize_replicates(const double *scores, size_t n_runs, size_t n_strata,
                                      uint64_t seed, size_t n_replicates, parl_summary *out) {
  sample s = {.a = scores, .n_a = n_runs, .n_strata = n_strata};
  return summarize(&s, get_iqm, seed, n_replicates, out);
}

parl_status parl_summarize(const double *scores, size_t n_runs, size_t n_strata, uint64_t seed,
                           parl_summary *out) {
  return parl_summarize_replicates(scores, n_runs, n_strata, seed, PARL_BOOTSTRAP_REPLICATES, out);
}

parl_status parl_summarize_paired(const double *a, const double *b, size_t n, uint64_t seed,
                                  parl_summary *out) {
  return parl_summarize_paired_replicates(a, b, n, seed, PARL_BOOTSTRAP_REPLICATES, out);
}

parl_status parl_summarize_paired_replicates(const double *a, const double *b, size_t n,
                                             uint64_t seed, size_t n_replicates,
                                             parl_summary *out) {
  return parl_summarize_paired_drawn(NULL, a, b, n, seed, n_replicates, out);
}

parl_status parl_summarize_drawn(parl_draws *draws, const double *scores, size_t n, uint64_t seed,
                                 size_t n_replicates, parl_summary *out) {
  sample s = {.a = scores, .n_a = n, .n_strata = 1, .draws = draws};
  return summarize(&s, get_iqm, seed, n_replicates, out);
}

parl_status parl_summarize_paired_drawn(parl_draws *draws, const double *a, const double *b,
                                        size_t n, uint64_t seed, size_t n_replicates,
                                        parl_summary *out) {
  PARL_TRY(check(a, n, "the first arm"));
  PARL_TRY(check(b, n, "the second arm"));
  double *difference = calloc(n, sizeof *difference);
  if (difference == NULL) return parl_fail(PARL_STATUS_ENOMEM, "statistics: no memory");
  for (size_t i = 0; i < n; i++) difference[i] = a[i] - b[i];
  sample s = {.a = difference, .n_a = n, .n_strata = 1, .draws = draws};
  const parl_status status = summarize(&s, get_mean, seed, n_replicates, out);
  free(difference);
  return status;
}

parl_status parl_probability_of_improvement(const double *a, size_t na, const double *b, size_t nb,
                                            uint64_t seed, parl_summary *out) {
  return parl_probability_of_improvement_replicates(a, na, b, nb, seed, PARL_BOOTSTRAP_REPLICATES,
                                                    out);
}

parl_status parl_probability_of_improvement_replicates(const double *a, size_t na, const double *b,
                                                       size_t nb, uint64_t seed,
                                                       size_t n_replicates, parl_summary *out) {
  PARL_TRY(check(b, nb, "the second arm"));
  sample s = {.a = a, .b = b, .n_a = na, .n_b = nb, .n_strata = 1};
  return summarize(&s, get_improvement, seed, n_replicates, out);
}

parl_status parl_share_above(const double *scores, size_t n_runs, size_t n_strata, double tau,
                             uint64_t seed, parl_summary *out) {
  PARL_REQUIRE(!isnan(tau));
  sample s = {.a = scores, .n_a = n_runs, .n_strata = n_strata, .tau = tau};
  return summarize(&s, get_share, seed, PARL_BOOTSTRAP_BAND_REPLICATES, out);
}

const char *parl_statistics_gsl_version(void) {
  return gsl_version;
}
