/* experiments/report_strata.c - each arm over seeds and kinds of tasks as strata, and against its
 * reference; with few seeds by their own values instead of resamples. */
#include <gsl/gsl_statistics_double.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/report_internal.h"

/* The arms of an environment over the kinds of tasks that all of them played. */
typedef struct strata {
  const parl_report *report;
  size_t env;
  parl_score_table table;
  size_t *arms;     /* [table.n_algorithms] */
  size_t *families; /* [table.n_tasks] */
} strata;

static double get_score(const parl_report *r, const parl_report_run *run, size_t family) {
  return parl_run_scores(r, run, PARL_DECODING_MAIN, family)->of[PARL_SCORE_r_perf];
}

static bool is_counted(const parl_report *r, const parl_report_run *run, size_t arm) {
  return run->counted && run->arm == arm && isfinite(get_score(r, run, 0));
}

static size_t count_runs(const parl_report *r, size_t arm, size_t family) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_runs; i++)
    n += is_counted(r, &r->runs[i], arm) && isfinite(get_score(r, &r->runs[i], family));
  return n;
}

static bool is_played_by_all(const strata *s, size_t family) {
  for (size_t a = 0; a < s->table.n_algorithms; a++)
    if (count_runs(s->report, s->arms[a], family) != count_runs(s->report, s->arms[a], 0))
      return false;
  return true;
}

static parl_status fill(strata *s) {
  const parl_report *r = s->report;
  parl_score_table *t = &s->table;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, t->n_algorithms * t->n_tasks * r->n_runs + 1, &t->scores));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, t->n_algorithms * t->n_tasks + 1, &t->first));
  for (size_t a = 0; a < t->n_algorithms; a++)
    for (size_t k = 0; k < t->n_tasks; k++) {
      t->first[a * t->n_tasks + k] = t->n;
      for (size_t i = 0; i < r->n_runs; i++)
        if (is_counted(r, &r->runs[i], s->arms[a]))
          t->scores[t->n++] =
              (parl_table_score){.algorithm = a,
                                 .task = k,
                                 .seed = r->runs[i].seed,
                                 .score = get_score(r, &r->runs[i], s->families[k])};
    }
  t->first[t->n_algorithms * t->n_tasks] = t->n;
  return PARL_STATUS_OK;
}

static parl_status find_strata(const parl_report *r, size_t env, strata *s) {
  *s = (strata){.report = r, .env = env};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &s->arms));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_families + 1, &s->families));
  for (size_t a = 0; a < r->n_arms; a++)
    if (r->arms[a].env == env && count_runs(r, a, 0) > 0) s->arms[s->table.n_algorithms++] = a;
  for (size_t f = r->n_families > 0 ? 1 : 0; f <= r->n_families; f++)
    if (is_played_by_all(s, f)) s->families[s->table.n_tasks++] = f;
  return s->table.n_tasks > 0 ? fill(s) : PARL_STATUS_OK;
}

/* --- few seeds --- */

/* The half-width of Student's interval over the values of the seeds. */
static double get_half(const double *values, size_t n) {
  double lo, hi;
  parl_few_mean(values, n, &lo, &hi);
  return (hi - lo) / 2;
}

/* What one run's scores alone come to. */
static parl_status aggregate_run(const strata *s, size_t algorithm, size_t run,
                                 const parl_resampling *resampling, parl_aggregates *out) {
  const size_t n_tasks = s->table.n_tasks;
  parl_table_score *scores = calloc(n_tasks, sizeof *scores);
  size_t *first = calloc(n_tasks + 1, sizeof *first);
  parl_status status = PARL_STATUS_OK;
  if (scores == NULL || first == NULL) {
    status = parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", n_tasks);
  } else {
    for (size_t k = 0; k < n_tasks; k++) {
      scores[k] = s->table.scores[s->table.first[algorithm * n_tasks + k] + run];
      first[k] = k;
    }
    first[n_tasks] = n_tasks;
    const parl_score_table alone = {
        .n_algorithms = 1, .n_tasks = n_tasks, .n = n_tasks, .scores = scores, .first = first};
    status = parl_aggregate(&alone, 0, resampling, out);
  }
  free(scores);
  free(first);
  return status;
}

/* Each aggregate of all scores, +- Student's of the seeds' own aggregates. */
static parl_status narrow_few(const strata *s, size_t algorithm, size_t n,
                              const parl_resampling *resampling, parl_aggregates *out) {
  enum { N_EACH = 4 };
  parl_estimate *const each[N_EACH] = {&out->iqm, &out->mean, &out->median, &out->optimality_gap};
  double values[N_EACH][PARL_REPORT_FEW_SEEDS];
  for (size_t i = 0; i < n; i++) {
    parl_aggregates g;
    PARL_TRY(aggregate_run(s, algorithm, i, resampling, &g));
    const double of[N_EACH] = {g.iqm.value, g.mean.value, g.median.value, g.optimality_gap.value};
    for (size_t k = 0; k < N_EACH; k++) values[k][i] = of[k];
  }
  for (size_t k = 0; k < N_EACH; k++) {
    const double half = n > 1 ? get_half(values[k], n) : (double)NAN;
    each[k]->lo = each[k]->value - half;
    each[k]->hi = each[k]->value + half;
  }
  return PARL_STATUS_OK;
}

/* --- all arms of an environment --- */

static size_t get_n(const strata *s, size_t algorithm) {
  return s->table.first[algorithm * s->table.n_tasks + 1] -
         s->table.first[algorithm * s->table.n_tasks];
}

static parl_status aggregate(const strata *s, size_t algorithm, const parl_resampling *resampling,
                             parl_report_strata *out) {
  out->n_runs = get_n(s, algorithm);
  out->n_tasks = s->table.n_tasks;
  const bool is_few = out->n_runs < PARL_REPORT_FEW_SEEDS;
  const parl_resampling none = {.n = 1, .workers = resampling->workers};
  PARL_TRY(parl_aggregate(&s->table, algorithm, is_few ? &none : resampling, &out->of));
  return is_few ? narrow_few(s, algorithm, out->n_runs, &none, &out->of) : PARL_STATUS_OK;
}

/* Of the differences of equal seed in r_perf over all tasks: kinds of tasks of one seed are not
 * independent of each other. */
static parl_status test_pairs(const parl_report *r, size_t arm, size_t reference,
                              parl_report_strata *out) {
  double *differences = NULL;
  bool is_exact;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &differences));
  out->n_pairs = 0;
  for (size_t i = 0; i < r->n_runs; i++)
    for (size_t j = 0; j < r->n_runs; j++)
      if (is_counted(r, &r->runs[i], arm) && is_counted(r, &r->runs[j], reference) &&
          r->runs[i].seed == r->runs[j].seed)
        differences[out->n_pairs++] = get_score(r, &r->runs[i], 0) - get_score(r, &r->runs[j], 0);
  return out->n_pairs > 0 ? parl_wilcoxon(differences, out->n_pairs, &out->p, &is_exact)
                          : PARL_STATUS_OK;
}

static parl_status compare(const strata *s, size_t a, size_t b, const parl_resampling *resampling,
                           parl_report_strata *out) {
  parl_comparison c;
  const size_t na = get_n(s, a), nb = get_n(s, b);
  const bool is_few = na < PARL_REPORT_FEW_SEEDS || nb < PARL_REPORT_FEW_SEEDS;
  const parl_resampling none = {.n = 1, .workers = resampling->workers};
  PARL_TRY(parl_compare(&s->table, a, b, is_few ? &none : resampling, &c));
  out->improvement = c.improvement;
  if (is_few) out->improvement.lo = out->improvement.hi = NAN;
  if (is_few && na > 1 && nb > 1)
    parl_few_improvement(c.improvement.value, na, nb, &out->improvement.lo, &out->improvement.hi);
  return test_pairs(s->report, s->arms[a], s->arms[b], out);
}

/* Trained arms against the reference of the environment; Holm over all of them. */
static parl_status compare_all(const strata *s, const parl_resampling *resampling) {
  const parl_report *r = s->report;
  double *p = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, s->table.n_algorithms + 1, &p));
  size_t reference = 0;
  while (reference < s->table.n_algorithms && s->arms[reference] != r->arms[s->arms[0]].reference)
    reference++;
  if (reference == s->table.n_algorithms) return PARL_STATUS_OK;
  for (size_t a = 0; a < s->table.n_algorithms; a++) {
    parl_report_strata *out = &r->arms[s->arms[a]].strata;
    p[a] = NAN;
    if (a == reference || !r->arms[s->arms[a]].trained) continue;
    PARL_TRY(compare(s, a, reference, resampling, out));
    p[a] = out->p;
  }
  PARL_TRY(parl_holm(p, s->table.n_algorithms));
  for (size_t a = 0; a < s->table.n_algorithms; a++) r->arms[s->arms[a]].strata.holm = p[a];
  return PARL_STATUS_OK;
}

static parl_status summarize_environment(const parl_report *r, size_t env,
                                         const parl_resampling *resampling) {
  strata s;
  PARL_TRY(find_strata(r, env, &s));
  if (s.table.n_tasks == 0) return PARL_STATUS_OK;
  for (size_t a = 0; a < s.table.n_algorithms; a++)
    PARL_TRY(aggregate(&s, a, resampling, &r->arms[s.arms[a]].strata));
  return compare_all(&s, resampling);
}

parl_status parl_report_summarize_strata(const parl_report *r) {
  static const parl_estimate none = {NAN, NAN, NAN};
  for (size_t a = 0; a < r->n_arms; a++)
    r->arms[a].strata = (parl_report_strata){.improvement = none, .p = NAN, .holm = NAN};
  parl_resampling resampling = {.n = r->n_replicates, .seed = PARL_REPORT_BOOTSTRAP_SEED};
  PARL_TRY(parl_workers_create(parl_workers_count_processors(), &resampling.workers));
  parl_status s = PARL_STATUS_OK;
  for (size_t e = 0; e < r->n_envs && s == PARL_STATUS_OK; e++)
    s = summarize_environment(r, e, &resampling);
  parl_workers_destroy(resampling.workers);
  return s;
}

/* --- tables --- */

static void add_estimate(parl_table *t, const parl_estimate *e) {
  const parl_summary s = {
      .mean = e->value, .iqm = e->value, .lo = e->lo, .hi = e->hi, .n = isfinite(e->value) ? 1 : 0};
  parl_table_add_summary(t, &s, 3);
}

void parl_report_make_aggregates(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "r_perf over seeds and kinds of tasks", 7, 1);
  t->note =
      "Each seed on each kind of task is a score; [95 % interval]: of 5 seeds or more by redrawing "
      "seeds within each kind, of fewer by Student's law over the seeds' own values. IQM: mean of "
      "the middle half of the scores; mean and median of the kinds' means; gap: 1 - "
      "mean(min(score, "
      "1)).";
  const char *const heads[] = {"policy", "seeds", "kinds", "IQM", "mean", "median", "gap"};
  for (size_t i = 0; i < 7; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_strata *s = &r->arms[a].strata;
    if (s->n_tasks == 0) continue;
    parl_table_add(t, "%s", r->arms[a].name);
    parl_table_add(t, "%zu", s->n_runs);
    parl_table_add(t, "%zu", s->n_tasks);
    add_estimate(t, &s->of.iqm);
    add_estimate(t, &s->of.mean);
    add_estimate(t, &s->of.median);
    add_estimate(t, &s->of.optimality_gap);
  }
}

void parl_report_make_improvements(const parl_report *r, parl_table *t) {
  parl_table_init(t, r->arena, "Against the reference", 6, 2);
  t->note =
      "P: chance that a seed of the policy beats one of the reference in r_perf on the same kind "
      "of "
      "task, a tie is half, mean over kinds [95 % interval; with fewer than 5 seeds Newcombe's]. "
      "p: "
      "exact two-sided Wilcoxon test of the differences of equal seed over all tasks, which with n "
      "pairs is never below 2^(1-n); Holm: p corrected for all policies of the environment.";
  const char *const heads[] = {"policy", "reference", "pairs", "P(higher)", "p", "Holm"};
  for (size_t i = 0; i < 6; i++) parl_table_add(t, "%s", heads[i]);
  for (size_t a = 0; a < r->n_arms; a++) {
    const parl_report_strata *s = &r->arms[a].strata;
    if (!isfinite(s->improvement.value)) continue;
    parl_table_add(t, "%s", r->arms[a].name);
    parl_table_add(t, "%s", r->arms[r->arms[a].reference].name);
    parl_table_add(t, "%zu", s->n_pairs);
    add_estimate(t, &s->improvement);
    parl_table_add_number(t, s->p, 4);
    parl_table_add_number(t, s->holm, 4);
  }
}
