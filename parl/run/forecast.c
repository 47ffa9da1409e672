/* parl/run/forecast.c - the estimates, and the episodes they are made of. */
#include "parl/run/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/seeds.h"
#include "parl/swarm/rollout.h"

enum { N_REPLICATES = 2000 };

/* --- within groups --- */

/* Sums over the episodes of one group, or of several groups added up. */
typedef struct cross {
  double launch; /* of (L - mean L)^2 */
  double *with;  /* [n terms] of (term - its mean) (L - mean L) */
} cross;

/* The groups of a part. */
typedef struct groups {
  const char *family; /* NULL: all */
  size_t n, n_terms;
  double *launch;        /* [n] */
  double *with;          /* [n, n_terms] */
  const double *weights; /* [n_terms] */
} groups;

static void measure_group(const parl_probe *probe, size_t K, groups *g) {
  double launched = 0, *with = &g->with[g->n * g->n_terms];
  for (size_t k = 0; k < K; k++) launched += probe[k].launched;
  const double mean = launched / (double)K;
  double launch = 0;
  memset(with, 0, g->n_terms * sizeof *with);
  for (size_t k = 0; k < K; k++) { /* sum of (term - mean) d is sum of term d, for sum of d is 0 */
    const double d = probe[k].launched - mean;
    launch += d * d;
    for (size_t i = 0; i < g->n_terms; i++) with[i] += d * probe[k].terms[i];
  }
  g->launch[g->n++] = launch;
}

static void add_group(cross *sum, const groups *g, size_t which) {
  const double *with = &g->with[which * g->n_terms];
  sum->launch += g->launch[which];
  for (size_t i = 0; i < g->n_terms; i++) sum->with[i] += with[i];
}

typedef struct estimate {
  double gap, lambda_star, margin;
} estimate;

/* NaN where no group has both kinds of episodes, or a launch earns no shaped reward. */
static estimate solve(const cross *sum, const double *weights, size_t n_terms) {
  const double none = (double)NAN;
  if (!(sum->launch > 0)) return (estimate){none, none, none};
  const double earned = sum->with[PARL_TERM_parallel] + sum->with[PARL_TERM_finish];
  double others[PARL_MAX_TERMS];
  memcpy(others, weights, n_terms * sizeof *others);
  others[PARL_TERM_parallel] = others[PARL_TERM_finish] = 0;
  const double lost = -parl_terms_total(sum->with, others, n_terms);
  return (estimate){-sum->with[PARL_TERM_perf] / sum->launch, earned > 0 ? lost / earned : none,
                    parl_terms_total(sum->with, weights, n_terms) / sum->launch};
}

/* --- the bootstrap --- */

static int compare_numbers(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The middle 95 % of the finite ones of n values, which are sorted. */
static void set_interval(double *values, size_t n, parl_interval *out) {
  size_t n_known = 0;
  for (size_t i = 0; i < n; i++)
    if (!isnan(values[i])) values[n_known++] = values[i];
  if (n_known == 0 || isnan(out->value)) return;
  qsort(values, n_known, sizeof *values, compare_numbers);
  out->lo = values[(size_t)(0.025 * (double)(n_known - 1))];
  out->hi = values[(size_t)ceil(0.975 * (double)(n_known - 1))];
}

/* Draws tasks with replacement. scratch [3 * N_REPLICATES] */
static void bootstrap(const groups *g, uint64_t seed, double *scratch, parl_forecast_part *out) {
  double *gap = scratch, *star = gap + N_REPLICATES, *margin = star + N_REPLICATES;
  double with[PARL_MAX_TERMS];
  parl_rng_cursor rng = {seed, parl_rng_stream(PARL_PURPOSE_BOOTSTRAP, 0, 0, 0), 0};
  for (size_t r = 0; r < N_REPLICATES; r++) {
    cross sum = {0, with};
    memset(with, 0, g->n_terms * sizeof *with);
    for (size_t i = 0; i < g->n; i++) add_group(&sum, g, parl_rng_next_below(&rng, g->n));
    const estimate e = solve(&sum, g->weights, g->n_terms);
    gap[r] = e.gap;
    star[r] = e.lambda_star;
    margin[r] = e.margin;
  }
  set_interval(gap, N_REPLICATES, &out->gap);
  set_interval(star, N_REPLICATES, &out->lambda_star);
  set_interval(margin, N_REPLICATES, &out->margin);
}

/* --- a part --- */

/* Sums for means over episodes, whatever their task. */
typedef struct pool {
  double n, launched, perf_alone;
  double of[PARL_MAX_TERMS];     /* [n terms] over episodes with a launch */
  double shares, shares_squared; /* of the groups' launch rates */
} pool;

static void add_pool(pool *p, const parl_probe *probe, size_t K, size_t n_terms) {
  double launched = 0;
  for (size_t k = 0; k < K; k++) {
    launched += probe[k].launched;
    if (!probe[k].launched) p->perf_alone += probe[k].terms[PARL_TERM_perf];
    for (size_t i = 0; probe[k].launched && i < n_terms; i++) p->of[i] += probe[k].terms[i];
  }
  p->n += (double)K;
  p->launched += launched;
  p->shares += launched / (double)K;
  p->shares_squared += launched / (double)K * (launched / (double)K);
}

static double get_rate_error(const pool *p, double n_groups) {
  const double mean = p->shares / n_groups;
  const double variance = (p->shares_squared / n_groups - mean * mean) / (n_groups - 1);
  return fmax(parl_forecast_share_error(p->launched, p->n), sqrt(fmax(variance, 0)));
}

static void finish_part(const pool *p, const groups *g, parl_forecast_part *out) {
  const double none = (double)NAN;
  double with[PARL_MAX_TERMS] = {0};
  cross sum = {0, with};
  for (size_t i = 0; i < g->n; i++) add_group(&sum, g, i);
  const estimate e = solve(&sum, g->weights, g->n_terms);
  out->launch_rate = p->launched / p->n; /* 0 / 0 is NaN: unknown */
  out->launch_rate_se = out->n_groups > 1 ? get_rate_error(p, (double)out->n_groups) : none;
  out->r_perf_alone = p->perf_alone / (p->n - p->launched);
  for (size_t i = 0; i < g->n_terms; i++) {
    out->launch[i] = p->of[i] / p->launched;
    out->slope[i] = sum.with[i] / sum.launch;
  }
  out->gap = (parl_interval){e.gap, none, none};
  out->lambda_star = (parl_interval){e.lambda_star, none, none};
  out->margin = (parl_interval){e.margin, none, none};
}

/* Whether a group counts: it is of the family, and none of its episodes failed. */
static bool is_counted(const parl_probe *probe, size_t K, const char *family) {
  for (size_t k = 0; k < K; k++)
    if (probe[k].failed) return false;
  return family == NULL || strcmp(probe[0].family, family) == 0;
}

/* scratch [3 * N_REPLICATES] */
static void estimate_part(const parl_probe *probe, size_t n_groups, size_t K, groups *g,
                          uint64_t seed, double *scratch, parl_forecast_part *out) {
  pool p = {0};
  for (size_t i = 0; i < n_groups; i++) {
    if (!is_counted(&probe[i * K], K, g->family)) continue;
    measure_group(&probe[i * K], K, g);
    out->n_informative += g->launch[g->n - 1] > 0;
    add_pool(&p, &probe[i * K], K, g->n_terms);
  }
  out->n_groups = g->n;
  finish_part(&p, g, out);
  if (out->n_informative > 1) bootstrap(g, seed, scratch, out);
}

parl_status parl_forecast_estimate(const parl_probe *probe, size_t n_groups, size_t K,
                                   const char *family, const double *weights, size_t n_terms,
                                   uint64_t seed, parl_forecast_part *out) {
  PARL_REQUIRE(K >= 1 && n_terms >= PARL_N_TERMS && n_terms <= PARL_MAX_TERMS);
  double *scratch = malloc(3 * N_REPLICATES * sizeof *scratch);
  groups g = {.family = family,
              .n_terms = n_terms,
              .launch = malloc((n_groups + 1) * sizeof *g.launch),
              .with = calloc(n_groups + 1, n_terms * sizeof *g.with),
              .weights = weights};
  parl_status s = PARL_STATUS_OK;
  if (scratch == NULL || g.launch == NULL || g.with == NULL) {
    s = parl_fail(PARL_STATUS_ENOMEM, "forecast: no memory for %zu groups", n_groups);
  } else {
    *out = (parl_forecast_part){.n_groups = 0};
    if (family != NULL) strncpy(out->family, family, sizeof out->family - 1);
    estimate_part(probe, n_groups, K, &g, seed, scratch, out);
  }
  free(scratch);
  free(g.launch);
  free(g.with);
  return s;
}

double parl_forecast_says(const parl_forecast_part *part) {
  return isnan(part->margin.value) ? (double)NAN : (double)(part->margin.value > 0);
}

double parl_forecast_share_error(double k, double n) {
  const double p = (k + 2) / (n + 4);
  return sqrt(p * (1 - p) / (n + 4));
}

double parl_forecast_grew(double before, double before_se, double after, double after_se) {
  const double difference = after - before;
  const double noise = 1.96 * hypot(before_se, after_se);
  if (!(fabs(difference) > noise)) return (double)NAN; /* nor with an unknown among them */
  return difference > 0;
}

/* --- the probe --- */

typedef struct prober {
  const parl_run_config *config;
  const parl_term_table *table;
  size_t n_groups, K, n; /* n = n_groups * K episodes */
  parl_rollout *rollout;
  parl_trajectories *set;
  parl_reward *reward;
  parl_job *jobs;         /* [n] */
  parl_probe *probe;      /* [n] */
  parl_outcome *outcomes; /* [K] */
  double *terms;          /* [n, n of table] */
} prober;

static void set_jobs(prober *p) {
  const uint64_t seed = (uint64_t)p->config->run.seed;
  for (size_t i = 0; i < p->n; i++)
    p->jobs[i] = (parl_job){.task_seed = parl_seed(seed, PARL_PURPOSE_PROBE_TASK, 0, i / p->K),
                            .episode_seed = parl_seed(seed, PARL_PURPOSE_PROBE_EPISODE, 0, i),
                            .part = PARL_PART_TRAIN,
                            .temperature = p->config->train.temperature,
                            .out = parl_trajectories_get(p->set, i)};
}

/* Terms of a group none of whose episodes failed. */
static parl_status read_group(prober *p, size_t g) {
  const parl_group group = {.of = p->outcomes, .K = p->K};
  for (size_t k = 0; k < p->K; k++) {
    const parl_trajectory *t = p->jobs[g * p->K + k].out;
    if (t->failed) return PARL_STATUS_OK;
    p->outcomes[k] = parl_outcome_of(t);
  }
  return parl_fail_context(parl_reward_group(p->reward, &group, &p->terms[g * p->K * p->table->n]),
                           "the probe of the warm start, task seed %llu",
                           (unsigned long long)p->jobs[g * p->K].task_seed);
}

static parl_status read_probe(prober *p, parl_forecast *out) {
  parl_mean_sums sums = {0};
  for (size_t i = 0; i < p->n; i++) {
    const parl_trajectory *t = p->jobs[i].out;
    p->probe[i] = (parl_probe){.family = t->family,
                               .failed = t->failed,
                               .launched = t->facts.launches > 0,
                               .terms = &p->terms[i * p->table->n]};
    parl_mean_sums_add(&sums, &t->facts, t->failed);
  }
  for (size_t g = 0; g < p->n_groups; g++) PARL_TRY(read_group(p, g));
  out->means = parl_mean_sums_get(&sums);
  return PARL_STATUS_OK;
}

static parl_status estimate_budgets(const prober *p, parl_reward *reward) {
  parl_outcome *outcomes = calloc(p->n, sizeof *outcomes);
  size_t n = 0;
  if (outcomes == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "forecast: no memory for %zu episodes", p->n);
  for (size_t i = 0; i < p->n; i++)
    if (!p->jobs[i].out->failed) outcomes[n++] = parl_outcome_of(p->jobs[i].out);
  const parl_status s = parl_reward_estimate(reward, outcomes, n);
  free(outcomes);
  return s;
}

/* The family that comes after `last` by name, NULL after the last one; last = NULL: the first. */
static const char *find_next_family(const prober *p, const char *last) {
  const char *next = NULL;
  for (size_t i = 0; i < p->n; i++) {
    const char *f = p->probe[i].family;
    if (p->probe[i].failed || (last != NULL && strcmp(f, last) <= 0)) continue;
    if (next == NULL || strcmp(f, next) < 0) next = f;
  }
  return next;
}

static parl_status add_part(const prober *p, const char *family, parl_forecast *out) {
  const uint64_t seed = (uint64_t)p->config->run.seed;
  PARL_TRY(parl_forecast_estimate(p->probe, p->n_groups, p->K, family, out->weights, p->table->n,
                                  seed, &out->parts[out->n_parts]));
  out->n_parts++;
  return PARL_STATUS_OK;
}

static parl_status estimate_parts(const prober *p, parl_forecast *out) {
  PARL_TRY(add_part(p, NULL, out));
  const char *family = find_next_family(p, NULL);
  if (family == NULL || find_next_family(p, family) == NULL) return PARL_STATUS_OK; /* one kind */
  for (; family != NULL && out->n_parts < PARL_FORECAST_MAX_PARTS;
       family = find_next_family(p, family))
    PARL_TRY(add_part(p, family, out));
  return PARL_STATUS_OK;
}

static parl_status prober_init(prober *p, const parl_run *run, const parl_host *host,
                               const parl_model *warm, const parl_subs *subs,
                               parl_workers *workers) {
  const size_t wanted = (size_t)p->config->warm.probe;
  const size_t group = p->config->train.group > 2 ? (size_t)p->config->train.group : 2;
  p->K = group < wanted ? group : wanted;
  p->n_groups = wanted / p->K;
  p->n = p->n_groups * p->K;
  p->jobs = calloc(p->n, sizeof *p->jobs);
  p->probe = calloc(p->n, sizeof *p->probe);
  p->outcomes = calloc(p->K, sizeof *p->outcomes);
  p->terms = calloc(p->n, p->table->n * sizeof *p->terms);
  if (p->jobs == NULL || p->probe == NULL || p->outcomes == NULL || p->terms == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "forecast: no memory for %zu episodes", p->n);
  parl_rollout_def def = parl_run_get_rollout(run, host->scripts, workers);
  def.seats.main = parl_run_get_orchestrator(run, warm);
  parl_subs_seat(subs, warm, 0, &def.seats);
  def.n_jobs = p->n;
  PARL_TRY(parl_rollout_create(&def, &p->rollout));
  PARL_TRY(parl_reward_create(&p->config->reward, p->table, &p->reward));
  parl_trajectories_def set = {.n = p->n, .keep_scores = parl_reward_wants_scores(p->reward)};
  if (parl_reward_wants_stages(p->reward))
    set.stages = parl_episode_get_stage_limits(parl_env_get_spec(parl_rollout_get_env(p->rollout)),
                                               &p->config->episode);
  return parl_trajectories_create(&set, &p->set);
}

static void prober_deinit(prober *p) {
  parl_reward_destroy(p->reward);
  parl_trajectories_destroy(p->set);
  parl_rollout_destroy(p->rollout);
  free(p->jobs);
  free(p->probe);
  free(p->outcomes);
  free(p->terms);
}

parl_status parl_forecast_make(const parl_run *run, const parl_host *host, const parl_model *warm,
                               const parl_subs *subs, const parl_term_table *table,
                               const double *weights, parl_workers *workers, parl_reward *reward,
                               parl_forecast *out) {
  const parl_run_config *config = &run->config;
  PARL_REQUIRE(config->warm.probe >= 1);
  prober p = {.config = config, .table = table};
  *out = (parl_forecast){.n_parts = 0};
  memcpy(out->weights, weights, table->n * sizeof *weights);
  parl_status s = prober_init(&p, run, host, warm, subs, workers);
  if (s == PARL_STATUS_OK) {
    set_jobs(&p);
    s = parl_rollout_run(p.rollout, p.jobs, p.n, NULL);
  }
  if (s == PARL_STATUS_OK) {
    parl_failures_add(&out->failures, p.rollout);
    s = parl_failures_check(&out->failures, config->env.max_failures, PARL_PHASE_PROBE, true);
  }
  if (s == PARL_STATUS_OK) s = read_probe(&p, out);
  if (s == PARL_STATUS_OK && reward != NULL) s = estimate_budgets(&p, reward);
  if (s == PARL_STATUS_OK) s = estimate_parts(&p, out);
  prober_deinit(&p);
  return s;
}
