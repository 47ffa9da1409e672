/* experiments/aggregate.c - one resampling loop over counts of drawn runs: a resample costs as many
 * draws as there are scores, and no sort. */
#include "experiments/aggregate.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"

enum { CHUNK = 1024, MOST_VALUES = 4 };

/* --- resamples --- */

/* Scores of one algorithm, task after task. */
typedef struct arm {
  size_t n, n_tasks;
  const size_t *first; /* [n_tasks + 1] of each task in score, from base */
  size_t base;
  double *score;  /* [n] owned */
  size_t *rank;   /* [n] owned: place of each score among all of them in rising order */
  double *sorted; /* [n] owned: the scores in that order */
} arm;

static void arm_deinit(arm *a) {
  free(a->score);
  free(a->rank);
  free(a->sorted);
}

static parl_status arm_init(arm *a, const parl_score_table *t, size_t algorithm) {
  const size_t *first = &t->first[algorithm * t->n_tasks];
  *a = (arm){
      .n = first[t->n_tasks] - first[0], .n_tasks = t->n_tasks, .first = first, .base = first[0]};
  size_t *order = calloc(a->n, sizeof *order);
  a->score = calloc(a->n, sizeof *a->score);
  a->rank = calloc(a->n, sizeof *a->rank);
  a->sorted = calloc(a->n, sizeof *a->sorted);
  if (!order || !a->score || !a->rank || !a->sorted) {
    free(order);
    return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", a->n);
  }
  for (size_t i = 0; i < a->n; i++) a->score[i] = t->scores[a->base + i].score;
  gsl_sort_index(order, a->score, 1, a->n);
  for (size_t i = 0; i < a->n; i++) {
    a->rank[order[i]] = i;
    a->sorted[i] = a->score[order[i]];
  }
  free(order);
  return PARL_STATUS_OK;
}

static size_t task_begin(const arm *a, size_t task) {
  return a->first[task] - a->base;
}

static size_t task_size(const arm *a, size_t task) {
  return a->first[task + 1] - a->first[task];
}

/* Some statistics of resampled arms. */
typedef struct bootstrap {
  const arm *a, *b;    /* b NULL unless two arms are compared */
  const size_t *below; /* [a->n, 2] scores of b on the task that are less, and not greater */
  const double *pool;  /* [n_pool] */
  size_t n_pool;
  const parl_resampling *resampling;
  uint64_t what; /* its own random numbers */
  size_t n_values;
  size_t scratch_counts; /* per worker */
  size_t *counts;        /* [workers, scratch_counts] */
  double *means;         /* [workers, n_tasks] */
  double *values;        /* [n_values, n] */
} bootstrap;

static double iqm_of_counts(const arm *a, const size_t *counts) {
  const size_t cut = a->n / 4, kept = a->n - 2 * cut;
  size_t skip = cut, left = kept;
  double sum = 0;
  for (size_t i = 0; left > 0; i++) {
    size_t n = counts[i];
    const size_t skipped = n < skip ? n : skip;
    skip -= skipped;
    n -= skipped;
    if (n > left) n = left;
    left -= n;
    sum += (double)n * a->sorted[i];
  }
  return sum / (double)kept;
}

/* The four aggregates of counts of each score; means [n_tasks] is scratch. */
static void aggregate_counts(const arm *a, const size_t *counts, double *means,
                             double out[MOST_VALUES]) {
  double capped = 0;
  for (size_t i = 0; i < a->n; i++) capped += (double)counts[i] * fmin(a->sorted[i], 1);
  out[0] = iqm_of_counts(a, counts);
  out[1] = gsl_stats_mean(means, 1, a->n_tasks);
  gsl_sort(means, 1, a->n_tasks);
  out[2] = gsl_stats_median_from_sorted_data(means, 1, a->n_tasks);
  out[3] = 1 - capped / (double)a->n;
}

static void resample_arm(const arm *a, parl_rng_cursor *rng, size_t *counts, double *means,
                         double out[MOST_VALUES]) {
  memset(counts, 0, a->n * sizeof *counts);
  for (size_t task = 0; task < a->n_tasks; task++) {
    const size_t begin = task_begin(a, task), n = task_size(a, task);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
      const size_t drawn = begin + parl_rng_next_below(rng, n);
      counts[a->rank[drawn]]++;
      sum += a->score[drawn];
    }
    means[task] = sum / (double)n;
  }
  aggregate_counts(a, counts, means, out);
}

/* Mean over tasks of U / (n_a n_b); with rng NULL of the runs as they are. upto is scratch. */
static double get_improvement(const bootstrap *x, parl_rng_cursor *rng, size_t *upto) {
  double sum = 0;
  for (size_t task = 0; task < x->a->n_tasks; task++) {
    const size_t a0 = task_begin(x->a, task), na = task_size(x->a, task);
    const size_t nb = task_size(x->b, task);
    memset(upto, 0, (nb + 1) * sizeof *upto);
    for (size_t j = 0; j < nb; j++) upto[1 + (rng ? parl_rng_next_below(rng, nb) : j)]++;
    for (size_t j = 0; j < nb; j++) upto[j + 1] += upto[j];
    size_t twice = 0;
    for (size_t i = 0; i < na; i++) {
      const size_t *below = &x->below[2 * (a0 + (rng ? parl_rng_next_below(rng, na) : i))];
      twice += upto[below[0]] + upto[below[1]];
    }
    sum += (double)twice / 2 / (double)na / (double)nb;
  }
  return sum / (double)x->a->n_tasks;
}

static double get_pool_mean(const bootstrap *x, parl_rng_cursor *rng) {
  double sum = 0;
  for (size_t i = 0; i < x->n_pool; i++)
    sum += x->pool[rng ? parl_rng_next_below(rng, x->n_pool) : i];
  return sum / (double)x->n_pool;
}

static parl_status run_chunk(void *context, size_t chunk, size_t worker) {
  const bootstrap *x = context;
  const size_t n = x->resampling->n, end = (chunk + 1) * CHUNK < n ? (chunk + 1) * CHUNK : n;
  size_t *counts = &x->counts[worker * x->scratch_counts];
  for (size_t r = chunk * CHUNK; r < end; r++) {
    parl_rng_cursor rng = {.seed = x->resampling->seed,
                           .stream = parl_rng_stream(PARL_PURPOSE_TABLE, x->what, r, 0)};
    double values[MOST_VALUES];
    if (x->b == NULL) {
      resample_arm(x->a, &rng, counts, &x->means[worker * x->a->n_tasks], values);
    } else {
      values[0] = get_improvement(x, &rng, counts);
      if (x->n_values > 1) values[1] = get_pool_mean(x, &rng);
    }
    for (size_t v = 0; v < x->n_values; v++) x->values[v * n + r] = values[v];
  }
  return PARL_STATUS_OK;
}

/* Fills lo and hi of out [n_values]. */
static parl_status get_intervals(bootstrap *x, parl_estimate *const out[]) {
  const size_t n = x->resampling->n;
  const size_t n_workers = parl_workers_get_count(x->resampling->workers);
  x->counts = calloc(n_workers * x->scratch_counts, sizeof *x->counts);
  x->means = calloc(n_workers * x->a->n_tasks, sizeof *x->means);
  x->values = calloc(x->n_values * n, sizeof *x->values);
  parl_status s = x->counts && x->means && x->values
                      ? PARL_STATUS_OK
                      : parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu resamples", n);
  if (s == PARL_STATUS_OK)
    s = parl_workers_run(x->resampling->workers, (n + CHUNK - 1) / CHUNK, run_chunk, x);
  for (size_t v = 0; s == PARL_STATUS_OK && v < x->n_values; v++) {
    double *values = &x->values[v * n];
    gsl_sort(values, 1, n);
    out[v]->lo = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.025);
    out[v]->hi = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.975);
  }
  free(x->counts);
  free(x->means);
  free(x->values);
  return s;
}

static bool has_spread(const arm *a) {
  for (size_t task = 0; task < a->n_tasks; task++)
    if (task_size(a, task) > 1) return true;
  return false;
}

/* --- one algorithm --- */

static parl_status aggregate(const arm *a, size_t algorithm, const parl_resampling *resampling,
                             parl_aggregates *out) {
  parl_estimate *const each[] = {&out->iqm, &out->mean, &out->median, &out->optimality_gap};
  size_t *ones = calloc(a->n, sizeof *ones);
  double *means = calloc(a->n_tasks, sizeof *means);
  parl_status s = PARL_STATUS_OK;
  if (ones == NULL || means == NULL) {
    s = parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", a->n);
  } else {
    double values[MOST_VALUES];
    for (size_t i = 0; i < a->n; i++) ones[i] = 1;
    for (size_t task = 0; task < a->n_tasks; task++)
      means[task] = gsl_stats_mean(&a->score[task_begin(a, task)], 1, task_size(a, task));
    aggregate_counts(a, ones, means, values);
    for (size_t v = 0; v < MOST_VALUES; v++)
      *each[v] = (parl_estimate){values[v], (double)NAN, (double)NAN};
    bootstrap x = {.a = a,
                   .resampling = resampling,
                   .what = parl_rng_stream(PARL_PURPOSE_TABLE, algorithm, algorithm, 0),
                   .n_values = MOST_VALUES,
                   .scratch_counts = a->n};
    if (has_spread(a)) s = get_intervals(&x, each);
  }
  free(ones);
  free(means);
  return s;
}

parl_status parl_aggregate(const parl_score_table *table, size_t algorithm,
                           const parl_resampling *resampling, parl_aggregates *out) {
  PARL_REQUIRE(resampling->n >= 1 && algorithm < table->n_algorithms);
  arm a;
  parl_aggregates aggregates;
  parl_status s = arm_init(&a, table, algorithm);
  if (s == PARL_STATUS_OK) s = aggregate(&a, algorithm, resampling, &aggregates);
  if (s == PARL_STATUS_OK) *out = aggregates;
  arm_deinit(&a);
  return s;
}

void parl_profile(const parl_score_table *table, size_t algorithm, const double *taus, size_t n,
                  double *out) {
  const size_t *first = &table->first[algorithm * table->n_tasks];
  const size_t end = first[table->n_tasks];
  for (size_t i = 0; i < n; i++) {
    size_t above = 0;
    for (size_t k = first[0]; k < end; k++) above += table->scores[k].score > taus[i];
    out[i] = (double)above / (double)(end - first[0]);
  }
}

/* --- two algorithms --- */

/* below [a->n, 2]: of each score of a how many of b on the task are less, and are not greater. */
static void count_below(const arm *a, const arm *b, double *sorted, size_t *below) {
  for (size_t task = 0; task < a->n_tasks; task++) {
    const size_t nb = task_size(b, task);
    memcpy(sorted, &b->score[task_begin(b, task)], nb * sizeof *sorted);
    gsl_sort(sorted, 1, nb);
    for (size_t i = task_begin(a, task); i < task_begin(a, task) + task_size(a, task); i++) {
      size_t less = 0, upto = nb;
      while (less < upto) {
        const size_t middle = less + (upto - less) / 2;
        if (sorted[middle] < a->score[i])
          less = middle + 1;
        else
          upto = middle;
      }
      for (upto = less; upto < nb && sorted[upto] == a->score[i];) upto++;
      below[2 * i] = less;
      below[2 * i + 1] = upto;
    }
  }
}

/* Differences of equal task and seed into pool, which has room for all of a. */
static size_t pair(const parl_score_table *t, size_t a, size_t b, double *pool) {
  size_t n_pairs = 0;
  for (size_t task = 0; task < t->n_tasks; task++) {
    size_t na, nb;
    const parl_table_score *x = parl_score_table_get(t, a, task, &na);
    const parl_table_score *y = parl_score_table_get(t, b, task, &nb);
    for (size_t i = 0, j = 0; i < na && j < nb;) {
      if (x[i].seed == y[j].seed)
        pool[n_pairs++] = x[i++].score - y[j++].score;
      else if (x[i].seed < y[j].seed)
        i++;
      else
        j++;
    }
  }
  return n_pairs;
}

static parl_status compare(bootstrap *x, double *pool, parl_comparison *out) {
  size_t longest = 0;
  for (size_t task = 0; task < x->b->n_tasks; task++)
    if (task_size(x->b, task) > longest) longest = task_size(x->b, task);
  x->scratch_counts = longest + 1;
  size_t *upto = calloc(longest + 1, sizeof *upto);
  if (upto == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", longest);
  const double none = (double)NAN;
  out->n_pairs = x->n_pool;
  out->improvement = (parl_estimate){get_improvement(x, NULL, upto), none, none};
  out->difference = (parl_estimate){x->n_pool > 0 ? get_pool_mean(x, NULL) : none, none, none};
  out->wilcoxon_p = none;
  free(upto);
  x->n_values = x->n_pool > 1 ? 2 : 1;
  parl_estimate *const each[] = {&out->improvement, &out->difference};
  if (has_spread(x->a) || has_spread(x->b)) PARL_TRY(get_intervals(x, each));
  if (x->n_pool == 0) return PARL_STATUS_OK;
  return parl_wilcoxon(pool, x->n_pool, &out->wilcoxon_p, &out->is_exact);
}

parl_status parl_compare(const parl_score_table *table, size_t a, size_t b,
                         const parl_resampling *resampling, parl_comparison *out) {
  PARL_REQUIRE(resampling->n >= 1 && a < table->n_algorithms && b < table->n_algorithms);
  arm x = {0}, y = {0};
  parl_comparison c = {0};
  parl_status s = arm_init(&x, table, a);
  if (s == PARL_STATUS_OK) s = arm_init(&y, table, b);
  size_t *below = s == PARL_STATUS_OK ? calloc(2 * x.n, sizeof *below) : NULL;
  double *pool = s == PARL_STATUS_OK ? calloc(x.n, sizeof *pool) : NULL;
  double *sorted = s == PARL_STATUS_OK ? calloc(y.n, sizeof *sorted) : NULL;
  if (s == PARL_STATUS_OK && (!below || !pool || !sorted))
    s = parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", x.n + y.n);
  if (s == PARL_STATUS_OK) {
    count_below(&x, &y, sorted, below);
    bootstrap boot = {.a = &x,
                      .b = &y,
                      .below = below,
                      .pool = pool,
                      .n_pool = pair(table, a, b, pool),
                      .resampling = resampling,
                      .what = parl_rng_stream(PARL_PURPOSE_TABLE, a, b, 1)};
    s = compare(&boot, pool, &c);
  }
  if (s == PARL_STATUS_OK) *out = c;
  free(below);
  free(pool);
  free(sorted);
  arm_deinit(&x);
  arm_deinit(&y);
  return s;
}

parl_comparison parl_comparison_turn(const parl_comparison *c) {
  parl_comparison t = *c;
  t.improvement =
      (parl_estimate){1 - c->improvement.value, 1 - c->improvement.hi, 1 - c->improvement.lo};
  t.difference = (parl_estimate){-c->difference.value, -c->difference.hi, -c->difference.lo};
  return t;
}

/* --- tests --- */

static int by_size(const void *a, const void *b) {
  const double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
  return (x > y) - (x < y);
}

/* Twice the mean ranks of sorted sizes, which are whole numbers; twice the sum of those of positive
 * differences. */
static size_t rank_twice(const double *d, size_t n, size_t *twice) {
  size_t positive = 0;
  for (size_t i = 0; i < n;) {
    size_t end = i;
    while (end < n && fabs(d[end]) == fabs(d[i])) end++;
    for (size_t k = i; k < end; k++) {
      twice[k] = i + 1 + end; /* ranks i + 1 .. end */
      positive += d[k] > 0 ? twice[k] : 0;
    }
    i = end;
  }
  return positive;
}

/* The law of the sum over ranks of which each is in with a chance of 1/2. */
static double exact_p(const size_t *twice, size_t n, size_t positive, double *law) {
  size_t most = 0;
  law[0] = 1;
  for (size_t k = 0; k < n; k++) {
    for (size_t s = most + 1; s <= most + twice[k]; s++) law[s] = 0;
    most += twice[k];
    for (size_t s = most + 1; s-- > 0;)
      law[s] = 0.5 * (law[s] + (s >= twice[k] ? law[s - twice[k]] : 0));
  }
  double below = 0, above = 0;
  for (size_t s = 0; s <= positive; s++) below += law[s];
  for (size_t s = most + 1; s-- > positive;) above += law[s];
  return fmin(1, 2 * fmin(below, above));
}

static double normal_p(const size_t *twice, size_t n, size_t positive) {
  double mean = 0, variance = 0;
  for (size_t k = 0; k < n; k++) {
    mean += 0.5 * (double)twice[k];
    variance += 0.25 * (double)twice[k] * (double)twice[k];
  }
  return 2 * gsl_cdf_ugaussian_Q(fabs((double)positive - mean) / sqrt(variance));
}

parl_status parl_wilcoxon(double *differences, size_t n, double *p, bool *is_exact) {
  size_t left = 0;
  for (size_t i = 0; i < n; i++)
    if (differences[i] != 0) differences[left++] = differences[i];
  *is_exact = left <= PARL_WILCOXON_EXACT;
  *p = 1;
  if (left == 0) return PARL_STATUS_OK;
  qsort(differences, left, sizeof *differences, by_size);
  size_t *twice = calloc(left, sizeof *twice);
  double *law = *is_exact ? calloc(left * (left + 1) + 1, sizeof *law) : NULL;
  const bool failed = twice == NULL || (*is_exact && law == NULL);
  if (!failed) {
    const size_t positive = rank_twice(differences, left, twice);
    *p = *is_exact ? exact_p(twice, left, positive, law) : normal_p(twice, left, positive);
  }
  free(twice);
  free(law);
  return failed ? parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu differences", left)
                : PARL_STATUS_OK;
}

parl_status parl_holm(double *p, size_t n) {
  size_t *order = calloc(n + 1, sizeof *order);
  double *known = calloc(n + 1, sizeof *known);
  const bool failed = order == NULL || known == NULL;
  size_t left = 0;
  for (size_t i = 0; !failed && i < n; i++) {
    known[i] = isnan(p[i]) ? 2 : p[i]; /* last in order */
    left += isnan(p[i]) ? 0 : 1;
  }
  if (!failed) gsl_sort_index(order, known, 1, n);
  double before = 0;
  for (size_t i = 0; left > 0; i++)
    before = p[order[i]] = fmin(1, fmax(before, known[order[i]] * (double)left--));
  free(order);
  free(known);
  return failed ? parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu comparisons", n)
                : PARL_STATUS_OK;
}
