/* experiments/sweep_pbt.c - a sweep by population based training.
 *
 * A member is a run for each seed whose weights have a table as their schedule. It copies another
 * at an update by having the other's table up to there: so the same seed, tasks and chance make of
 * both the same run up to that update, and going on from the other's checkpoint saves making it
 * again. Whatever the population finds is therefore a schedule and nothing else. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/seeds.h"
#include "experiments/pbt.h"
#include "experiments/sweep_internal.h"

/* Every member there ever was; none moves. */
typedef struct member {
  parl_sweep_point point;
  char name[PARL_NAME_BYTES];        /* of its arm */
  char (*uids)[PARL_HASH_HEX_BYTES]; /* [n_seeds] owned */
} member;

typedef struct population {
  parl_sweep_runner *r;
  size_t n, n_seeds;
  parl_rungs rungs;
  member *members; /* [capacity] */
  size_t n_members;
  size_t *alive;            /* [n] indices of members */
  size_t *from;             /* [n] */
  parl_sweep_point *points; /* [n] of those alive */
  parl_fork *forks;         /* [n, n_seeds] */
  bool *has_failed;         /* [n, n_seeds] */
  size_t n_failed;          /* runs of members that were replaced, */
  parl_text failures;       /* and why */
} population;

/* --- a generation --- */

static const member *find_member(const population *p, const parl_sweep_point *point) {
  return &p->members[point->number];
}

static parl_status plan(population *p, parl_plan **out) {
  const parl_sweep *s = p->r->sweep;
  char folder[PARL_SWEEP_PATH_BYTES];
  PARL_TRY(parl_sweep_get_folder(s, folder));
  for (size_t i = 0; i < p->n; i++) p->points[i] = p->members[p->alive[i]].point;
  return parl_sweep_plan_points(p->r, p->points, p->n, folder, s->first_seed, s->config.n_seeds,
                                out);
}

/* Keeps names and uids of the members, and says whom each goes on from. */
static parl_status note_members(population *p, const parl_plan *plan) {
  for (size_t i = 0; i < p->n; i++) {
    member *m = &p->members[p->alive[i]];
    const parl_cell *cells = &plan->cells[(p->r->n_fixed + i) * p->n_seeds];
    if (m->uids == NULL) m->uids = calloc(p->n_seeds, sizeof *m->uids);
    if (m->uids == NULL) return parl_fail(PARL_STATUS_ENOMEM, "pbt: no memory");
    snprintf(m->name, sizeof m->name, "%.*s", PARL_NAME_BYTES - 1, cells[0].run.name);
    for (size_t k = 0; k < p->n_seeds; k++) {
      parl_fork *fork = &p->forks[i * p->n_seeds + k];
      *fork = (parl_fork){.uid = NULL};
      memcpy(m->uids[k], cells[k].uid, sizeof m->uids[k]);
      if (m->point.before == NULL) continue;
      const member *parent = find_member(p, m->point.before);
      *fork = (parl_fork){parent->uids[k], parent->name, m->point.from};
    }
  }
  return PARL_STATUS_OK;
}

/* The next plan has the runs of those alive again. */
static void begin_counts(const population *p) {
  parl_sweep_result *out = p->r->out;
  out->n_runs = out->n_done_before = 0;
  out->n_failed = p->n_failed;
  parl_text_clear(&out->failures);
  parl_text_append(&out->failures, parl_text_get(&p->failures));
}

/* Trains those alive to a rung, rungs.n: to the end; results [n]. */
static parl_status train_to(population *p, size_t level, double *results) {
  parl_plan *made = NULL;
  parl_pacing pace = {.rungs = p->rungs,
                      .first_arm = p->r->n_fixed,
                      .n_rows = p->n,
                      .level = level,
                      .forks = p->forks,
                      .has_failed = p->has_failed};
  PARL_TRY(plan(p, &made));
  begin_counts(p);
  parl_status s = note_members(p, made);
  if (s == PARL_STATUS_OK) s = parl_pacing_init(&pace);
  if (s == PARL_STATUS_OK) s = parl_sweep_train(p->r, made, &pace);
  for (size_t i = 0; s == PARL_STATUS_OK && level < p->rungs.n && i < p->n; i++) {
    results[i] = pace.results[i * p->rungs.n + level];
    if (isnan(results[i]))
      s = parl_fail(PARL_STATUS_EINVAL,
                    "arm \"%s\" got beyond update %lld without a look there, as of a sweep with "
                    "another pbt.interval or pbt.tasks: take another `name` and `dir`",
                    p->members[p->alive[i]].name, (long long)p->rungs.at[level]);
  }
  if (s == PARL_STATUS_OK && level == p->rungs.n)
    s = parl_sweep_read_rows(p->r, made, 0, p->r->out->rows, p->n);
  parl_pacing_deinit(&pace);
  parl_plan_destroy(made);
  return s;
}

/* --- from one to the next --- */

/* A run that had failed stays so, and is told of although its member is no longer in a plan. */
static parl_status note_failure(population *p, parl_store *store, const member *m, size_t seed) {
  int found = 0;
  int64_t run_id = 0;
  PARL_TRY(parl_store_find_run(store, m->uids[seed], &found, &run_id, NULL, NULL));
  p->n_failed++;
  parl_text_appendf(&p->failures, "arm \"%s\", seed %lld: ", m->name,
                    (long long)(p->r->sweep->first_seed + (int64_t)seed));
  if (found) PARL_TRY(parl_store_get_error(store, run_id, &p->failures));
  parl_text_append(&p->failures, "\n");
  return parl_text_status(&p->failures);
}

/* A member that is replaced: place `i` of those alive so far. */
static parl_status retire(population *p, const member *m, size_t i, int64_t at, double result) {
  char path[PARL_SWEEP_PATH_BYTES + 16], folder[PARL_SWEEP_PATH_BYTES], why[160];
  parl_store *store = NULL;
  if (isfinite(result))
    snprintf(why, sizeof why,
             "after %lld updates its r_perf, %.4g, was among the worst of the population",
             (long long)at, result);
  else
    snprintf(why, sizeof why, "another seed of its arm failed");
  PARL_TRY(parl_sweep_get_folder(p->r->sweep, folder));
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  PARL_TRY(parl_rows_open(path, &store));
  parl_status s = parl_store_begin(store);
  if (s == PARL_STATUS_OK) {
    for (size_t k = 0; s == PARL_STATUS_OK && k < p->n_seeds; k++) {
      const bool has_failed = p->has_failed[i * p->n_seeds + k];
      s = has_failed ? note_failure(p, store, m, k)
                     : parl_store_set_status(store, m->uids[k], "pruned", why);
      p->r->out->n_pruned += !has_failed;
    }
    s = parl_store_end(store, s);
  }
  parl_store_close(store);
  return s;
}

static parl_status replace(population *p, size_t generation, const double *results) {
  const parl_sweep *s = p->r->sweep;
  const int64_t at = p->rungs.at[generation];
  parl_rng_cursor chance = {(uint64_t)s->config.seed,
                            parl_rng_stream(PARL_PURPOSE_SWEEP_PBT, generation, 0, 0), 0};
  PARL_TRY(parl_pbt_exploit(results, p->n, s->pbt.quantile, &chance, p->from));
  size_t *before = p->r->out->order; /* [n], not yet in use */
  for (size_t i = 0; i < p->n; i++) before[i] = p->alive[i];
  for (size_t i = 0; i < p->n; i++) {
    if (p->from[i] == i) continue;
    member *m = &p->members[p->n_members];
    const member *parent = &p->members[before[p->from[i]]];
    PARL_TRY(retire(p, &p->members[before[i]], i, at, results[i]));
    m->point = parent->point;
    m->point.before = &parent->point;
    m->point.from = at;
    m->point.number = p->n_members;
    parl_sweep_perturb(s, &chance, &m->point);
    p->alive[i] = p->n_members++;
  }
  return PARL_STATUS_OK;
}

/* Who copies another does so before anybody goes on: then the other's checkpoint is still there. */
static parl_status run(population *p, double *results) {
  for (size_t g = 0; g < p->rungs.n; g++) {
    PARL_TRY(train_to(p, g, results));
    PARL_TRY(replace(p, g, results));
    PARL_TRY(train_to(p, g, results));
  }
  return train_to(p, p->rungs.n, results);
}

/* --- the whole --- */

static void population_deinit(population *p) {
  for (size_t i = 0; p->members != NULL && i < p->n_members; i++) free(p->members[i].uids);
  free(p->alive);
  free(p->from);
  free(p->points);
  free(p->forks);
  free(p->has_failed);
  parl_text_deinit(&p->failures);
}

static parl_status begin(population *p) {
  parl_sweep_runner *r = p->r;
  const size_t most = p->n * (p->rungs.n + 1);
  p->members = calloc(most, sizeof *p->members);
  p->alive = calloc(p->n, sizeof *p->alive);
  p->from = calloc(p->n, sizeof *p->from);
  p->points = calloc(p->n, sizeof *p->points);
  p->forks = calloc(p->n * p->n_seeds, sizeof *p->forks);
  p->has_failed = calloc(p->n * p->n_seeds, sizeof *p->has_failed);
  r->out->lineage = p->members;
  if (p->members == NULL || p->alive == NULL || p->from == NULL || p->points == NULL ||
      p->forks == NULL || p->has_failed == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "pbt: no memory for %zu members", most);
  for (size_t i = 0; i < p->n; i++) {
    p->members[i].point = r->points[i];
    p->alive[i] = i;
  }
  p->n_members = p->n;
  return PARL_STATUS_OK;
}

static parl_status get_rungs(population *p) {
  const parl_sweep_runner *r = p->r;
  char folder[PARL_SWEEP_PATH_BYTES];
  parl_plan *made = NULL;
  PARL_TRY(parl_sweep_get_folder(r->sweep, folder));
  PARL_TRY(parl_sweep_plan_points(r, r->points, p->n, folder, r->sweep->first_seed,
                                  r->sweep->config.n_seeds, &made));
  const parl_status s = parl_sweep_get_rungs(r->sweep, made, &p->rungs);
  parl_plan_destroy(made);
  return s;
}

parl_status parl_sweep_run_pbt(parl_sweep_runner *r) {
  population p = {.r = r, .n = r->n_points, .n_seeds = (size_t)r->sweep->config.n_seeds};
  double *results = calloc(p.n, sizeof *results);
  parl_status s =
      results != NULL ? PARL_STATUS_OK : parl_fail(PARL_STATUS_ENOMEM, "pbt: no memory");
  if (s == PARL_STATUS_OK) s = get_rungs(&p);
  if (s == PARL_STATUS_OK) s = begin(&p);
  if (s == PARL_STATUS_OK) s = run(&p, results);
  for (size_t i = 0; s == PARL_STATUS_OK && i < p.n; i++)
    r->out->rows[i].point = p.members[p.alive[i]].point;
  r->out->n_rows = s == PARL_STATUS_OK ? p.n : 0;
  free(results);
  population_deinit(&p);
  return s;
}
