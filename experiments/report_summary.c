/* experiments/report_summary.c - the statistics of a report: arms, pairs, curves, warnings. */
#include <string.h>

#include "core/config.h"
#include "experiments/report_content.h"
#include "parl/swarm/failures.h"

static const parl_summary EMPTY = {NAN, NAN, NAN, NAN, 0};

/* n_replicates may be those of a band. */
static parl_status summarize(const parl_report *r, double *values, size_t n, size_t n_replicates,
                             parl_summary *out) {
  size_t n_finite = 0;
  for (size_t i = 0; i < n; i++)
    if (isfinite(values[i])) values[n_finite++] = values[i];
  *out = EMPTY;
  if (n_finite == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_summarize_drawn(r->draws, values, n_finite, PARL_REPORT_BOOTSTRAP_SEED,
                                n_replicates, out));
  const bool is_band = n_replicates == r->n_band_replicates;
  if (!is_band && n_finite > 1 && n_finite < PARL_REPORT_FEW_SEEDS)
    parl_few_mean(values, n_finite, &out->lo, &out->hi);
  return PARL_STATUS_OK;
}

parl_status parl_report_summarize_values(const parl_report *r, double *values, size_t n,
                                         parl_summary *out) {
  return summarize(r, values, n, r->n_replicates, out);
}

static parl_status summarize_paired(const parl_report *r, const double *x, const double *y,
                                    size_t n, size_t n_replicates, parl_summary *out) {
  double differences[PARL_REPORT_FEW_SEEDS];
  const bool is_few = n < PARL_REPORT_FEW_SEEDS;
  PARL_TRY(parl_summarize_paired_drawn(r->draws, x, y, n, PARL_REPORT_BOOTSTRAP_SEED,
                                       is_few ? 1 : n_replicates, out));
  if (!is_few || n < 2) return PARL_STATUS_OK;
  for (size_t i = 0; i < n; i++) differences[i] = x[i] - y[i];
  parl_few_mean(differences, n, &out->lo, &out->hi);
  return PARL_STATUS_OK;
}

parl_status parl_report_summarize_improvement(const double *x, size_t n_x, const double *y,
                                              size_t n_y, size_t n_replicates, parl_summary *out) {
  *out = EMPTY;
  if (n_x == 0 || n_y == 0) return PARL_STATUS_OK;
  PARL_TRY(parl_probability_of_improvement_replicates(x, n_x, y, n_y, PARL_REPORT_BOOTSTRAP_SEED,
                                                      n_replicates, out));
  if (n_x > 1 && n_y > 1 && (n_x < PARL_REPORT_FEW_SEEDS || n_y < PARL_REPORT_FEW_SEEDS))
    parl_few_improvement(out->mean, n_x, n_y, &out->lo, &out->hi);
  return PARL_STATUS_OK;
}

/* Runs of an arm that count, in the order of the store. runs [arm->n_counted] */
static parl_status get_runs(const parl_report *r, size_t arm, const parl_report_run ***out) {
  size_t n = 0;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->arms[arm].n_counted + 1, out));
  for (size_t i = 0; i < r->n_runs; i++)
    if (r->runs[i].counted && r->runs[i].arm == arm) (*out)[n++] = &r->runs[i];
  return PARL_STATUS_OK;
}

static double get_r_perf(const parl_report *r, const parl_report_run *run) {
  return parl_run_scores(r, run, PARL_DECODING_MAIN, 0)->of[PARL_SCORE_r_perf];
}

/* Student's law knows no bounds, counts and shares have some. */
static bool is_share(size_t score) {
  return score == PARL_SCORE_r_perf || score == PARL_SCORE_success ||
         score == PARL_SCORE_launch_rate || score == PARL_SCORE_finish_rate ||
         score == PARL_SCORE_useful_rate || score >= PARL_SCORE_end_finish;
}

static parl_status summarize_scores(const parl_report *r, parl_report_arm *arm,
                                    const parl_report_run *const *runs, double *values) {
  const size_t n_rows = PARL_N_DECODINGS * (1 + r->n_families);
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n_rows * PARL_N_SCORES, &arm->scores));
  for (size_t row = 0; row < n_rows; row++)
    for (size_t s = 0; s < PARL_N_SCORES; s++) {
      parl_summary *out = &arm->scores[row * PARL_N_SCORES + s];
      for (size_t i = 0; i < arm->n_counted; i++) values[i] = runs[i]->scores[row].of[s];
      PARL_TRY(summarize(r, values, arm->n_counted, r->n_replicates, out));
      if (!isfinite(out->lo)) continue;
      if (s != PARL_SCORE_regret) out->lo = fmax(out->lo, 0);
      if (is_share(s)) out->hi = fmin(out->hi, 1);
    }
  return PARL_STATUS_OK;
}

static parl_status summarize_named(const parl_report *r, parl_report_arm *arm,
                                   const parl_report_run *const *runs, double *values) {
  const size_t n = PARL_N_DECODINGS * (1 + r->n_families) * r->named.n;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n + 1, &arm->named));
  for (size_t k = 0; k < n; k++) {
    for (size_t i = 0; i < arm->n_counted; i++) values[i] = runs[i]->named[k];
    PARL_TRY(summarize(r, values, arm->n_counted, r->n_replicates, &arm->named[k]));
  }
  return PARL_STATUS_OK;
}

static parl_status summarize_curves(const parl_report *r, parl_report_arm *arm,
                                    const parl_report_run *const *runs, double *values) {
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_curves, &arm->curves));
  for (size_t c = 0; c < r->n_curves; c++)
    for (size_t p = 0; p < r->n_points; p++) {
      for (size_t i = 0; i < arm->n_counted; i++) values[i] = runs[i]->curves[c][p];
      PARL_TRY(summarize(r, values, arm->n_counted, r->n_band_replicates, &arm->curves[c][p]));
    }
  return PARL_STATUS_OK;
}

/* Whether each run of an arm played every kind of task. */
static bool has_families(const parl_report *r, const parl_report_arm *arm,
                         const parl_report_run *const *runs) {
  for (size_t i = 0; i < arm->n_counted; i++)
    for (size_t f = 1; f <= r->n_families; f++)
      if (!isfinite(parl_run_scores(r, runs[i], PARL_DECODING_MAIN, f)->of[PARL_SCORE_r_perf]))
        return false;
  return r->n_families > 0;
}

/* Of each seed on each kind of task, where every run has played all kinds; else of each seed. */
static parl_status summarize_profile(const parl_report *r, parl_report_arm *arm,
                                     const parl_report_run *const *runs) {
  const bool by_family = has_families(r, arm, runs);
  const size_t n_strata = by_family ? r->n_families : 1;
  size_t n = 0;
  double *values = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, arm->n_counted * n_strata + 1, &values));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, PARL_REPORT_TAUS, &arm->profile));
  for (size_t i = 0; i < arm->n_counted; i++) {
    if (!isfinite(get_r_perf(r, runs[i]))) continue;
    for (size_t f = 0; f < n_strata; f++)
      values[n * n_strata + f] =
          parl_run_scores(r, runs[i], PARL_DECODING_MAIN, by_family ? 1 + f : 0)
              ->of[PARL_SCORE_r_perf];
    n++;
  }
  for (size_t t = 0; t < PARL_REPORT_TAUS; t++) {
    parl_summary *out = &arm->profile[t];
    *out = EMPTY;
    if (n == 0) continue;
    PARL_TRY(
        parl_share_above(values, n, n_strata, parl_report_tau(t), PARL_REPORT_BOOTSTRAP_SEED, out));
    if (n > 1 && n < PARL_REPORT_FEW_SEEDS) parl_few_share(out->mean, n, &out->lo, &out->hi);
  }
  return PARL_STATUS_OK;
}

static parl_status summarize_warm(const parl_report *r, parl_report_arm *arm,
                                  const parl_report_run *const *runs, double *values) {
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_warm + 1, &arm->warm));
  for (size_t k = 0; k < r->n_warm; k++) {
    for (size_t i = 0; i < arm->n_counted; i++) values[i] = runs[i]->warm[k];
    PARL_TRY(summarize(r, values, arm->n_counted, r->n_replicates, &arm->warm[k]));
  }
  return PARL_STATUS_OK;
}

/* Percent of the oracle of the same seed; of the oracle's mean where it lacks that seed. */
static parl_status summarize_of_oracle(const parl_report *r, parl_report_arm *arm,
                                       const parl_report_run *const *runs, double *values) {
  const size_t oracle = parl_report_find_script(r, "oracle", (size_t)(arm - r->arms));
  arm->of_oracle = EMPTY;
  if (oracle == r->n_arms) return PARL_STATUS_OK;
  const double mean =
      parl_arm_score(r, &r->arms[oracle], PARL_DECODING_MAIN, 0, PARL_SCORE_r_perf)->mean;
  for (size_t i = 0; i < arm->n_counted; i++) {
    double best = mean;
    for (size_t j = 0; j < r->n_runs; j++)
      if (r->runs[j].counted && r->runs[j].arm == oracle && r->runs[j].seed == runs[i]->seed)
        best = get_r_perf(r, &r->runs[j]);
    values[i] = best > 0 ? 100 * get_r_perf(r, runs[i]) / best : (double)NAN;
  }
  return summarize(r, values, arm->n_counted, r->n_replicates, &arm->of_oracle);
}

/* --- pairs --- */

typedef struct pairing {
  size_t n;
  const parl_report_run **a, **b; /* [n] of the same seed */
  double *x, *y;                  /* [n] scratch */
} pairing;

static parl_status take_pairing(const parl_report *r, size_t a, size_t b, pairing *out) {
  const size_t room = r->n_runs;
  *out = (pairing){0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, room, &out->a));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, room, &out->b));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, room, &out->x));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, room, &out->y));
  for (size_t i = 0; i < r->n_runs; i++) {
    const parl_report_run *x = &r->runs[i];
    if (!x->counted || x->arm != a) continue;
    for (size_t j = 0; j < r->n_runs; j++) {
      const parl_report_run *y = &r->runs[j];
      if (!y->counted || y->arm != b || x->seed != y->seed) continue;
      out->a[out->n] = x;
      out->b[out->n++] = y;
    }
  }
  return PARL_STATUS_OK;
}

/* Fills x and y with the pairs whose values are both known; returns how many. */
static size_t fill(const pairing *p, size_t row, size_t score) {
  size_t n = 0;
  for (size_t i = 0; i < p->n; i++) {
    p->x[n] = p->a[i]->scores[row].of[score];
    p->y[n] = p->b[i]->scores[row].of[score];
    n += isfinite(p->x[n]) && isfinite(p->y[n]);
  }
  return n;
}

/* Differences from the reference are what a report is about; the others are many. */
static parl_status summarize_pair(const parl_report *r, parl_report_pair *pair) {
  const size_t n_rows = PARL_N_DECODINGS * (1 + r->n_families);
  const size_t n_replicates =
      pair->b == r->arms[pair->a].reference ? r->n_replicates : r->n_band_replicates;
  pairing p;
  PARL_TRY(take_pairing(r, pair->a, pair->b, &p));
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n_rows * PARL_N_SCORES, &pair->scores));
  for (size_t row = 0; row < n_rows; row++)
    for (size_t s = 0; s < PARL_N_SCORES; s++) {
      parl_summary *out = &pair->scores[row * PARL_N_SCORES + s];
      const size_t n = fill(&p, row, s);
      *out = EMPTY;
      if (n > 0) PARL_TRY(summarize_paired(r, p.x, p.y, n, n_replicates, out));
    }
  const size_t n = fill(&p, 0, PARL_SCORE_r_perf); /* row 0: all tasks, main decoding */
  const bool is_full = r->n_replicates == PARL_BOOTSTRAP_REPLICATES;
  return parl_report_summarize_improvement(p.x, n, p.y, n, is_full ? r->n_replicates : n_replicates,
                                           &pair->improvement);
}

static parl_status add_pair(parl_report *r, size_t a, size_t b) {
  parl_report_pair *pair = &r->pairs[r->n_pairs++];
  pair->a = a;
  pair->b = b;
  return summarize_pair(r, pair);
}

static parl_status summarize_pairs(parl_report *r) {
  const size_t n = r->n_trained;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, n * (n + 1) + 1, &r->pairs));
  for (size_t a = 0; a < n; a++)
    if (r->arms[a].reference < r->n_arms && r->arms[a].reference != a)
      PARL_TRY(add_pair(r, a, r->arms[a].reference));
  for (size_t a = 0; a < n; a++)
    for (size_t b = a + 1; b < n; b++) {
      const size_t reference = r->arms[a].reference;
      if (r->arms[a].env == r->arms[b].env && a != reference && b != reference)
        PARL_TRY(add_pair(r, a, b));
    }
  return PARL_STATUS_OK;
}

/* --- the reference --- */

bool parl_report_is_zero(const parl_json *config, const char *key) {
  const parl_json *schedule = parl_json_find_path(config, key);
  const char *shape = parl_json_get_string(parl_json_find(schedule, "shape"));
  if (schedule == NULL) return true;
  if (shape != NULL && (strcmp(shape, "lua") == 0 || strcmp(shape, "closed_loop") == 0))
    return false;
  if (parl_json_get_number(parl_json_find(schedule, "start")) != 0) return false;
  return shape == NULL || strcmp(shape, "constant") == 0 ||
         parl_json_get_number(parl_json_find(schedule, "stop")) == 0;
}

/* The terms that a recipe added, too, are shaping. */
static bool are_own_terms_zero(const parl_json *config) {
  const parl_json *terms = parl_json_find(config, "terms");
  for (const parl_json *t = parl_json_get_first(terms); t != NULL; t = parl_json_get_next(t))
    if (!parl_report_is_zero(t, "weight")) return false;
  return true;
}

static parl_status is_unshaped(const parl_report *r, size_t arm, bool *out) {
  const parl_report_run *run = parl_report_find_example(r, arm);
  parl_json *config = NULL;
  *out = false;
  if (run == NULL || !run->counted) return PARL_STATUS_OK;
  PARL_TRY(parl_json_parse(run->config, strlen(run->config), "a run's configuration", &config));
  *out = parl_report_is_zero(config, "lambda1") && parl_report_is_zero(config, "lambda2") &&
         are_own_terms_zero(config);
  parl_json_destroy(config);
  return PARL_STATUS_OK;
}

static parl_status refuse_reference(const parl_report *r, const char *name) {
  const char **names = NULL;
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_arms + 1, &names));
  for (size_t a = 0; a < r->n_arms; a++) names[a] = r->arms[a].name;
  const char *near = parl_nearest(name, names, r->n_arms);
  return parl_fail(PARL_STATUS_EINVAL, "reference \"%s\": no policy of that name has a run%s%s%s",
                   name, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

/* In an environment: the one that is asked for if it plays there, else the first that is trained
 * without shaping, else the first trained one. */
static parl_status choose_reference_of(parl_report *r, size_t env) {
  size_t found = r->n_arms;
  if (r->reference < r->n_arms && r->arms[r->reference].env == env) found = r->reference;
  for (size_t a = 0; a < r->n_trained && found == r->n_arms; a++) {
    bool unshaped = false;
    if (r->arms[a].env == env) PARL_TRY(is_unshaped(r, a, &unshaped));
    if (unshaped) found = a;
  }
  for (size_t a = 0; a < r->n_trained && found == r->n_arms; a++)
    if (r->arms[a].env == env) found = a;
  for (size_t a = 0; a < r->n_arms; a++)
    if (r->arms[a].env == env) r->arms[a].reference = found;
  if (r->reference == r->n_arms) r->reference = found;
  return PARL_STATUS_OK;
}

static parl_status choose_reference(parl_report *r, const char *name) {
  r->reference = r->n_arms;
  for (size_t a = 0; a < r->n_arms && name != NULL; a++)
    if (strcmp(r->arms[a].name, name) == 0) r->reference = a;
  if (name != NULL && r->reference == r->n_arms) return refuse_reference(r, name);
  if (name != NULL && r->arms[r->reference].n_counted == 0)
    return parl_fail(PARL_STATUS_EINVAL, "reference \"%s\": none of its %zu runs is done", name,
                     r->arms[r->reference].n_runs);
  for (size_t e = 0; e < r->n_envs; e++) PARL_TRY(choose_reference_of(r, e));
  return PARL_STATUS_OK;
}

/* --- warnings --- */

static void warn_of_few_seeds(parl_report *r) {
  size_t least = SIZE_MAX;
  for (size_t a = 0; a < r->n_trained; a++)
    if (r->arms[a].n_counted > 0 && r->arms[a].n_counted < least) least = r->arms[a].n_counted;
  if (r->n_trained == 0 || least >= PARL_REPORT_FEW_SEEDS) return;
  if (least == 1)
    parl_text_append(&r->warnings,
                     "One seed: nothing can be said of the spread between seeds, so there is no "
                     "interval. Use at least 5 seeds for a claim.\n");
  else if (least > 1)
    parl_text_appendf(&r->warnings,
                      "Few seeds (n = %zu): with fewer than %d, intervals of numbers are not "
                      "resampled but Student's of a mean, Wilson's of a profile, Newcombe's of P, "
                      "wide as they must be; bands of curves are resampled, and too narrow.\n",
                      least, PARL_REPORT_FEW_SEEDS);
}

static void warn_of_left_out(parl_report *r) {
  size_t n_not_done = 0, n_older = 0, n_pruned = 0;
  for (size_t i = 0; i < r->n_runs; i++) {
    if (r->runs[i].counted) continue;
    if (strcmp(r->runs[i].status, "done") == 0)
      n_older++;
    else if (strcmp(r->runs[i].status, "pruned") == 0)
      n_pruned++;
    else
      n_not_done++;
  }
  if (n_pruned > 0)
    parl_text_appendf(&r->warnings,
                      "%zu of %zu runs were pruned by their r_perf on the way and enter no number; "
                      "the table of runs lists them.\n",
                      n_pruned, r->n_runs);
  if (n_not_done > 0)
    parl_text_appendf(&r->warnings,
                      "%zu of %zu runs are not done and enter no number; the table of runs lists "
                      "them.\n",
                      n_not_done, r->n_runs);
  if (n_older > 0)
    parl_text_appendf(&r->warnings,
                      "%zu runs were repeated with another configuration; the newest of an arm and "
                      "seed counts.\n",
                      n_older);
}

/* The first line of a text that anybody may have written. */
static void append_line(const char *s, parl_text *out) {
  parl_text line = {0};
  parl_text_append_bytes(&line, s, strcspn(s, "\n"));
  parl_text_append_plain(out, parl_text_get(&line));
  parl_text_deinit(&line);
}

/* A line for each arm and phase in which episodes failed. */
static void warn_of_failures(parl_report *r, size_t arm, const char *phase) {
  const char *error = NULL;
  int64_t n = 0, n_failed = 0;
  for (size_t i = 0; i < r->n_runs; i++)
    for (size_t k = 0; r->runs[i].arm == arm && k < r->runs[i].n_failures; k++) {
      const parl_report_failure *f = &r->runs[i].failures[k];
      if (strcmp(f->phase, phase) != 0) continue;
      if (error == NULL) error = f->error;
      n += f->n;
      n_failed += f->n_failed;
    }
  if (n_failed == 0) return;
  append_line(r->arms[arm].name, &r->warnings);
  parl_text_appendf(
      &r->warnings,
      ": %lld of %lld episodes of the %s failed and are left out of every number. The "
      "first: ",
      (long long)n_failed, (long long)n, phase);
  append_line(error, &r->warnings);
  parl_text_append(&r->warnings, "\n");
}

/* As many resamples of n seeds in each of n_statistics as the budget of draws allows. */
static size_t get_affordable(size_t n_statistics, size_t n, double budget, size_t least,
                             size_t most) {
  const double affordable = budget / ((double)n_statistics * (double)n + 1);
  return affordable < (double)least ? least : affordable < (double)most ? (size_t)affordable : most;
}

/* Of a great many arms each statistic gets fewer, so that a report stays a matter of seconds. */
static void choose_replicates(parl_report *r) {
  const double number_budget = 4e9, band_budget = 2e9;
  const size_t rows = PARL_N_DECODINGS * (1 + r->n_families), a = r->n_trained;
  const size_t scores = rows * (PARL_N_SCORES + r->named.n);
  const size_t reached = (1 + r->n_families) * 2 * PARL_REACH_TARGETS + 2 * PARL_REPORT_OCTAVES;
  size_t n = 1;
  for (size_t i = 0; i < r->n_arms; i++) n = r->arms[i].n_counted > n ? r->arms[i].n_counted : n;
  r->n_replicates = get_affordable(r->n_arms * (scores + reached) + a * rows * PARL_N_SCORES, n,
                                   number_budget, 2000, PARL_BOOTSTRAP_REPLICATES);
  r->n_band_replicates =
      get_affordable(a * r->n_curves * r->n_points + a * a / 2 * rows * PARL_N_SCORES, n,
                     band_budget, 200, PARL_BOOTSTRAP_BAND_REPLICATES);
  if (r->n_replicates < PARL_BOOTSTRAP_REPLICATES ||
      r->n_band_replicates < PARL_BOOTSTRAP_BAND_REPLICATES)
    parl_text_appendf(&r->warnings,
                      "Many policies: numbers are resampled %zu times instead of %d, bands and "
                      "pairs without the reference %zu times instead of %d.\n",
                      r->n_replicates, PARL_BOOTSTRAP_REPLICATES, r->n_band_replicates,
                      PARL_BOOTSTRAP_BAND_REPLICATES);
}

parl_status parl_report_summarize(parl_report *r, const char *reference) {
  double *values = NULL;
  choose_replicates(r);
  PARL_TRY(PARL_ARENA_TAKE(r->arena, 1, &r->draws));
  *r->draws = (parl_draws){0};
  PARL_TRY(PARL_ARENA_TAKE(r->arena, r->n_runs + 1, &values));
  PARL_TRY(parl_report_find_environments(r));
  const parl_report_run **runs = NULL;
  for (size_t a = 0; a < r->n_arms; a++) {
    parl_report_arm *arm = &r->arms[a];
    PARL_TRY(get_runs(r, a, &runs));
    PARL_TRY(summarize_scores(r, arm, runs, values));
    PARL_TRY(parl_report_redraw_tasks(r, a));
    PARL_TRY(summarize_named(r, arm, runs, values));
    PARL_TRY(summarize_profile(r, arm, runs));
    PARL_TRY(summarize_warm(r, arm, runs, values));
    if (arm->trained) PARL_TRY(summarize_curves(r, arm, runs, values));
  }
  for (size_t a = 0; a < r->n_arms; a++) { /* needs the oracle's scores */
    PARL_TRY(get_runs(r, a, &runs));
    PARL_TRY(summarize_of_oracle(r, &r->arms[a], runs, values));
  }
  PARL_TRY(choose_reference(r, reference));
  PARL_TRY(summarize_pairs(r));
  PARL_TRY(parl_report_summarize_strata(r));
  PARL_TRY(parl_report_summarize_reached(r));
  PARL_TRY(parl_report_summarize_octaves(r));
  PARL_TRY(parl_report_summarize_spent(r));
  warn_of_few_seeds(r);
  parl_report_warn_of_environments(r);
  warn_of_left_out(r);
  for (size_t a = 0; a < r->n_arms; a++)
    for (int p = 0; p < PARL_N_PHASES; p++) warn_of_failures(r, a, parl_phase_text((parl_phase)p));
  parl_report_warn_of_detectors(r);
  return parl_text_status(&r->warnings);
}
