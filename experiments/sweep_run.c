/* experiments/sweep_run.c - a sweep, run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "experiments/report.h"
#include "experiments/statistics.h"
#include "experiments/sweep_internal.h"
#include "parl/swarm/means.h"

typedef parl_sweep_runner runner;

/* --- plans --- */

parl_status parl_sweep_get_folder(const parl_sweep *sweep, char out[PARL_SWEEP_PATH_BYTES]) {
  if (sweep->config.top > 0)
    return parl_file_join(out, PARL_SWEEP_PATH_BYTES, sweep->folder, "points");
  snprintf(out, PARL_SWEEP_PATH_BYTES, "%s", sweep->folder);
  return PARL_STATUS_OK;
}

parl_status parl_sweep_plan_points(const runner *r, const parl_sweep_point *points, size_t n,
                                   const char *folder, int64_t first_seed, int64_t n_seeds,
                                   parl_plan **out) {
  const parl_sweep *s = r->sweep;
  parl_json *tree = NULL;
  parl_recipe *recipe = NULL;
  PARL_TRY(parl_sweep_make_recipe(s, points, n, s->name, folder, first_seed, n_seeds, &tree));
  parl_status status = parl_recipe_load_tree(tree, s->recipe, r->datadir, &recipe);
  parl_json_destroy(tree);
  if (status == PARL_STATUS_OK) status = parl_plan_make(recipe, r->host, out);
  parl_recipe_destroy(recipe);
  return parl_fail_context(status, "%s", s->path);
}

static parl_status plan_rows(const runner *r, parl_plan **out) {
  char folder[PARL_SWEEP_PATH_BYTES];
  PARL_TRY(parl_sweep_get_folder(r->sweep, folder));
  return parl_sweep_plan_points(r, r->points, r->n_points, folder, r->sweep->first_seed,
                                r->sweep->config.n_seeds, out);
}

/* --- what came out --- */

static parl_status add_episode(void *context, const parl_episode_row *e) {
  if (strcmp(e->policy, "trained") == 0 && strcmp(e->decoding, "sampled") == 0)
    parl_mean_sums_add(context, &e->facts, e->failed);
  return PARL_STATUS_OK;
}

/* The metric of a run; NaN unless it is done. */
static parl_status read_run(const parl_sweep *s, parl_store *store, const char *uid, double *out) {
  int found = 0;
  int64_t id = 0;
  char status[16] = "";
  parl_mean_sums sums = {0};
  *out = (double)NAN;
  PARL_TRY(parl_store_find_run(store, uid, &found, &id, status, NULL));
  if (!found || strcmp(status, "done") != 0) return PARL_STATUS_OK;
  PARL_TRY(parl_store_check_run(store, id));
  PARL_TRY(parl_rows_visit_episodes(store, id, add_episode, &sums));
  const parl_means means = parl_mean_sums_get(&sums);
  for (int i = 0; i < PARL_N_MEANS; i++)
    if (strcmp(parl_mean_names[i], s->config.metric) == 0) *out = parl_means_get_values(&means)[i];
  return PARL_STATUS_OK;
}

/* Of the cells [n] of one arm. */
static parl_status read_row(const parl_sweep *s, parl_store *store, const parl_cell *cells,
                            size_t n, parl_sweep_row *row) {
  double *scores = calloc(2 * n, sizeof *scores);
  if (scores == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu seeds", n);
  parl_status status = PARL_STATUS_OK;
  snprintf(row->name, sizeof row->name, "%.*s", PARL_NAME_BYTES - 1, cells[0].run.name);
  row->n = 0;
  row->mean = row->lo = row->hi = (double)NAN;
  for (size_t i = 0; status == PARL_STATUS_OK && i < n; i++) {
    status = read_run(s, store, cells[i].uid, &scores[i]);
    row->n += isfinite(scores[i]);
  }
  parl_summary summary;
  if (status == PARL_STATUS_OK && row->n == n) {
    status = parl_summarize_paired(scores, scores + n, n, 1, &summary); /* against zeros */
    if (status == PARL_STATUS_OK) {
      row->mean = summary.mean;
      row->lo = summary.lo;
      row->hi = summary.hi;
    }
  }
  free(scores);
  return status;
}

parl_status parl_sweep_read_rows(const runner *r, const parl_plan *plan, size_t from,
                                 parl_sweep_row *rows, size_t n) {
  char path[PARL_SWEEP_PATH_BYTES];
  parl_store *store = NULL;
  PARL_TRY(parl_file_join(path, sizeof path, plan->cells[0].run.folder, "store.db"));
  PARL_TRY(parl_rows_open_readonly(path, &store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = from; s == PARL_STATUS_OK && i < n; i++)
    s = read_row(r->sweep, store, &plan->cells[(r->n_fixed + i) * plan->n_seeds], plan->n_seeds,
                 &rows[i]);
  parl_store_close(store);
  return s;
}

/* --- training --- */

parl_status parl_sweep_train(const runner *r, const parl_plan *plan, parl_pacing *pace) {
  parl_experiment_result e = {0};
  const parl_status s = parl_experiment_run_paced(r->host, plan, pace, &e);
  r->out->n_done_before += e.n_done_before;
  r->out->n_runs += e.n_runs;
  r->out->n_failed += e.n_failed;
  r->out->n_pruned += e.n_pruned;
  if (e.n_failed > 0) parl_text_append(&r->out->failures, parl_text_get(&e.failures));
  parl_experiment_result_deinit(&e);
  return s;
}

/* Where rows were pruned. */
static void note_pruned(const parl_pacing *pace, parl_sweep_row *rows) {
  for (size_t i = 0; i < pace->n_rows; i++) {
    if (!pace->is_over[i]) continue;
    const double rung = pace->results[i * pace->rungs.n + pace->levels[i]];
    rows[i].pruned_at = pace->rungs.at[pace->levels[i]];
    rows[i].rung = isfinite(rung) ? rung : (double)NAN;
  }
}

/* Trains the plan of the points, with early_terminate if there is one. */
static parl_status train_rows(const runner *r, const parl_plan *plan) {
  parl_pacing pace = {.first_arm = r->n_fixed,
                      .n_rows = r->n_points * r->sweep->n_arms,
                      .eta = (size_t)r->sweep->early.eta};
  PARL_TRY(parl_sweep_get_rungs(r->sweep, plan, &pace.rungs));
  if (pace.rungs.n == 0) return parl_sweep_train(r, plan, NULL);
  parl_status s = parl_pacing_init(&pace);
  if (s == PARL_STATUS_OK) s = parl_sweep_train(r, plan, &pace);
  if (s == PARL_STATUS_OK) note_pruned(&pace, r->out->rows);
  parl_pacing_deinit(&pace);
  return s;
}

/* Points from `from` on are new. Of those before, runs are looked at only. */
static parl_status train_points(const runner *r, size_t from) {
  parl_plan *plan = NULL;
  PARL_TRY(plan_rows(r, &plan));
  parl_sweep_result *out = r->out;
  out->n_runs = out->n_done_before = out->n_failed = 0; /* the plan has them all again */
  parl_text_clear(&out->failures);
  parl_status s = train_rows(r, plan);
  const size_t n = r->n_points * r->sweep->n_arms;
  for (size_t i = 0; i < n; i++) out->rows[i].point = r->points[i % r->n_points];
  out->n_rows = n;
  if (s == PARL_STATUS_OK) s = parl_sweep_read_rows(r, plan, from, out->rows, n);
  parl_plan_destroy(plan);
  return s;
}

static double get_sign(const parl_sweep *s) {
  return s->config.goal == PARL_SWEEP_MAXIMIZE ? 1 : -1;
}

/* What bayes is told, greater is better: a point without a result is as bad as the worst. */
static void get_values(const runner *r, double *values) {
  double worst = HUGE_VAL;
  for (size_t i = 0; i < r->n_points; i++) {
    values[i] = get_sign(r->sweep) * r->out->rows[i].mean;
    if (isfinite(values[i])) worst = fmin(worst, values[i]);
  }
  for (size_t i = 0; i < r->n_points; i++)
    if (!isfinite(values[i])) values[i] = isfinite(worst) ? worst : 0;
}

static parl_status follow(runner *r) {
  const parl_sweep *s = r->sweep;
  double *values = calloc(s->n_points, sizeof *values);
  if (values == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", s->n_points);
  parl_status status = PARL_STATUS_OK;
  bool found = true;
  while (status == PARL_STATUS_OK && r->n_points < s->n_points) {
    get_values(r, values);
    status = parl_sweep_propose(s, r->points, values, r->n_points, &r->points[r->n_points], &found);
    if (!found || status != PARL_STATUS_OK) break;
    r->n_points++;
    status = train_points(r, r->n_points - 1);
  }
  free(values);
  return status;
}

/* --- the best --- */

static bool is_better(const parl_sweep *s, const parl_sweep_row *a, const parl_sweep_row *b) {
  if (!isfinite(a->mean)) return false;
  return !isfinite(b->mean) || get_sign(s) * a->mean > get_sign(s) * b->mean;
}

/* Stable: of equal means the earlier row is first. */
static void rank(const parl_sweep *s, parl_sweep_result *out) {
  for (size_t i = 0; i < out->n_rows; i++) {
    size_t k = i;
    for (; k > 0 && is_better(s, &out->rows[i], &out->rows[out->order[k - 1]]); k--)
      out->order[k] = out->order[k - 1];
    out->order[k] = i;
  }
}

static parl_status train_top(runner *r) {
  const parl_sweep *s = r->sweep;
  parl_sweep_result *out = r->out;
  size_t n = 0;
  while (n < (size_t)s->config.top && n < out->n_rows && isfinite(out->rows[out->order[n]].mean))
    n++;
  if (n == 0) return parl_fail(PARL_STATUS_ESTATE, "%s: no point has a result", s->path);
  out->top = calloc(n, sizeof *out->top);
  parl_sweep_point *points = calloc(n, sizeof *points);
  parl_plan *plan = NULL;
  parl_status status = out->top != NULL && points != NULL
                           ? PARL_STATUS_OK
                           : parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", n);
  for (size_t i = 0; status == PARL_STATUS_OK && i < n; i++)
    out->top[i].point = points[i] = out->rows[out->order[i]].point;
  if (status == PARL_STATUS_OK)
    status = parl_sweep_plan_points(r, points, n, s->folder, s->first_seed + s->config.n_seeds,
                                    s->config.top_seeds, &plan);
  if (status == PARL_STATUS_OK) status = parl_sweep_train(r, plan, NULL);
  if (status == PARL_STATUS_OK) status = parl_sweep_read_rows(r, plan, 0, out->top, n);
  if (status == PARL_STATUS_OK) out->n_top = n;
  parl_plan_destroy(plan);
  free(points);
  return status;
}

/* --- the whole --- */

static parl_status begin(const parl_sweep *sweep, const char *datadir, const parl_host *host,
                         parl_sweep_result *out, runner *r) {
  *r = (runner){.sweep = sweep, .datadir = datadir, .host = host, .out = out};
  r->n_fixed = parl_sweep_count_fixed(sweep);
  r->points = calloc(sweep->n_points, sizeof *r->points);
  if (r->points == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", sweep->n_points);
  PARL_TRY(parl_sweep_draw(sweep, r->points, &r->n_points));
  for (size_t i = 0; i < r->n_points; i++) r->points[i].number = i;
  return PARL_STATUS_OK;
}

parl_status parl_sweep_plan(const parl_sweep *sweep, const char *datadir, const parl_host *host,
                            parl_plan **out) {
  runner r;
  parl_status s = begin(sweep, datadir, host, NULL, &r);
  if (s == PARL_STATUS_OK) s = plan_rows(&r, out);
  free(r.points);
  return s;
}

/* The best as a recipe of its own, with the seeds on which they were trained anew. */
static parl_status write_best(const runner *r) {
  const parl_sweep *s = r->sweep;
  const parl_sweep_result *out = r->out;
  char path[PARL_SWEEP_PATH_BYTES];
  parl_json *tree = NULL;
  parl_text text = {0};
  parl_sweep_point *points = calloc(out->n_top, sizeof *points);
  if (points == NULL) return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory");
  for (size_t i = 0; i < out->n_top; i++) points[i] = out->top[i].point;
  parl_status status =
      parl_sweep_make_recipe(s, points, out->n_top, s->name, s->folder,
                             s->first_seed + s->config.n_seeds, s->config.top_seeds, &tree);
  free(points);
  PARL_TRY(status);
  parl_json_append_canonical(tree, &text);
  parl_text_append(&text, "\n");
  parl_json_destroy(tree);
  status = parl_text_status(&text);
  if (status == PARL_STATUS_OK) status = parl_file_join(path, sizeof path, s->folder, "best.json");
  if (status == PARL_STATUS_OK) status = parl_file_write(path, parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  return status;
}

static parl_status write_results(const runner *r) {
  char path[PARL_SWEEP_PATH_BYTES];
  parl_text text = {0};
  PARL_TRY(parl_sweep_get_folder(r->sweep, path));
  PARL_TRY(parl_report_write(path, NULL));
  if (r->out->n_top > 0) PARL_TRY(parl_report_write(r->sweep->folder, NULL));
  if (r->out->n_top > 0) PARL_TRY(write_best(r));
  PARL_TRY(parl_file_join(path, sizeof path, r->sweep->folder, "sweep.json"));
  parl_status s = parl_sweep_append_json(r->sweep, r->out, &text);
  if (s == PARL_STATUS_OK) s = parl_file_write(path, parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  return s;
}

static parl_status run(runner *r) {
  const size_t n = r->sweep->n_points * r->sweep->n_arms;
  r->out->rows = calloc(n, sizeof *r->out->rows);
  r->out->order = calloc(n, sizeof *r->out->order);
  if (r->out->rows == NULL || r->out->order == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "sweep: no memory for %zu points", n);
  if (r->sweep->config.method == PARL_SWEEP_PBT)
    PARL_TRY(parl_sweep_run_pbt(r));
  else
    PARL_TRY(train_points(r, 0));
  if (r->sweep->config.method == PARL_SWEEP_BAYES) PARL_TRY(follow(r));
  rank(r->sweep, r->out);
  if (r->sweep->config.top > 0) PARL_TRY(train_top(r));
  return write_results(r);
}

parl_status parl_sweep_run(const parl_sweep *sweep, const char *datadir, const parl_host *host,
                           parl_sweep_result *out) {
  runner r;
  const double start = parl_clock_s();
  *out = (parl_sweep_result){.n_rows = 0};
  parl_status s = begin(sweep, datadir, host, out, &r);
  if (s == PARL_STATUS_OK) s = run(&r);
  free(r.points);
  out->wall_s = parl_clock_s() - start;
  return s;
}

void parl_sweep_result_deinit(parl_sweep_result *result) {
  free(result->rows);
  free(result->order);
  free(result->top);
  free(result->lineage);
  parl_text_deinit(&result->failures);
}
