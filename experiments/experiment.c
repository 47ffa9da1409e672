/* experiments/experiment.c - jobs over a pool of threads: warm starts, runs, baselines.
 *
 * Every thread takes the first job that may start, until none is left: warm starts come first, and
 * a cell waits for its own only. */
#include "experiments/experiment.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "parl/warm_start.h"

/* A warm start or a cell. */
typedef enum job_state { JOB_TODO, JOB_BUSY, JOB_DONE, JOB_FAILED } job_state;

typedef struct job {
  job_state state;
  bool was_done;            /* by an earlier command: it is looked at, and needs no warm start */
  parl_train_result result; /* of a cell */
} job;

typedef struct experiment {
  const parl_host *host;
  const parl_plan *plan;
  parl_experiment_result *out;
  job *warms, *cells;      /* [plan->n_warms], [plan->n_cells] */
  size_t n_outer, n_inner; /* runs at once, threads of each */
  parl_workers *outer;
  parl_workers **inner;  /* [n_outer] */
  pthread_mutex_t mutex; /* guards the jobs and out->failures */
  pthread_cond_t changed;
  bool ended; /* a failure that concerns every run: nothing more starts */
} experiment;

/* --- what may start --- */

static bool is_warm_wanted(const experiment *x, size_t warm) {
  for (size_t i = 0; i < x->plan->n_cells; i++)
    if (x->plan->cells[i].warm == warm && x->cells[i].state == JOB_TODO && !x->cells[i].was_done)
      return true;
  return false;
}

/* The first job that may start, or NULL; *waiting when one that is under way may let another
 * start. */
static job *find_job(experiment *x, bool *waiting) {
  *waiting = false;
  for (size_t i = 0; i < x->plan->n_warms; i++) {
    if (x->warms[i].state == JOB_BUSY) *waiting = true;
    if (x->warms[i].state == JOB_TODO && is_warm_wanted(x, i)) return &x->warms[i];
  }
  for (size_t i = 0; i < x->plan->n_cells; i++)
    if (x->cells[i].state == JOB_TODO &&
        (x->cells[i].was_done || x->warms[x->plan->cells[i].warm].state == JOB_DONE))
      return &x->cells[i];
  return NULL;
}

/* Takes a job, waiting for one if need be. NULL: there is none left. */
static job *take_job(experiment *x) {
  job *found = NULL;
  bool waiting = true;
  pthread_mutex_lock(&x->mutex);
  while (waiting && found == NULL && !x->ended && !parl_host_is_stopped(x->host)) {
    found = find_job(x, &waiting);
    if (found == NULL && waiting) pthread_cond_wait(&x->changed, &x->mutex);
  }
  if (found != NULL) found->state = JOB_BUSY;
  pthread_mutex_unlock(&x->mutex);
  return found;
}

/* --- doing it --- */

static parl_status do_warm(experiment *x, size_t i, parl_workers *workers) {
  parl_model *model = NULL;
  PARL_TRY(parl_warm_start_get(x->host, x->plan->warms[i].config, workers, NULL, &model));
  parl_model_destroy(model);
  return PARL_STATUS_OK;
}

static parl_status do_cell(experiment *x, size_t i, parl_workers *workers) {
  const parl_cell *c = &x->plan->cells[i];
  parl_train_result *result = &x->cells[i].result;
  if (c->scope == PARL_SCOPE_RUN) return parl_train(x->host, c->config, c->name, workers, result);
  return parl_train_baseline(x->host, c->config, c->name, c->style[0] != '\0' ? c->style : NULL,
                             workers, result);
}

static void add_failure(experiment *x, size_t i, const char *why) {
  const parl_cell *c = &x->plan->cells[i];
  x->cells[i].state = JOB_FAILED;
  x->out->n_failed++;
  parl_text_appendf(&x->out->failures, "arm \"%s\", seed %lld: %s\n", c->name,
                    (long long)c->config->run.seed, why);
  parl_log_write(x->host->log, PARL_LOG_WARNING, "arm \"%s\", seed %lld failed: %s", c->name,
                 (long long)c->config->run.seed, why);
}

/* No place to write, no memory: other runs would meet it too, and may go on once it is mended. */
static bool concerns_all(parl_status s) {
  return s == PARL_STATUS_ESTOPPED || s == PARL_STATUS_EIO || s == PARL_STATUS_ENOMEM ||
         s == PARL_STATUS_ESTORE;
}

/* Books how a job ended; its failure is this thread's error text. */
static parl_status settle(experiment *x, job *j, parl_status s) {
  pthread_mutex_lock(&x->mutex);
  if (s == PARL_STATUS_OK) {
    j->state = JOB_DONE;
  } else if (concerns_all(s)) {
    j->state = JOB_TODO;
    x->ended = true;
  } else if (j >= x->cells && j < x->cells + x->plan->n_cells) {
    add_failure(x, (size_t)(j - x->cells), parl_error_text());
  } else {
    j->state = JOB_FAILED;
    for (size_t i = 0; i < x->plan->n_cells; i++)
      if (x->plan->cells[i].warm == (size_t)(j - x->warms) && x->cells[i].state == JOB_TODO)
        add_failure(x, i, parl_error_text());
  }
  pthread_cond_broadcast(&x->changed);
  pthread_mutex_unlock(&x->mutex);
  return concerns_all(s) ? s : PARL_STATUS_OK;
}

static parl_status work(void *context, size_t task, size_t worker) {
  (void)task;
  experiment *x = context;
  for (job *j = take_job(x); j != NULL; j = take_job(x)) {
    const bool is_cell = j >= x->cells && j < x->cells + x->plan->n_cells;
    const parl_status s = is_cell ? do_cell(x, (size_t)(j - x->cells), x->inner[worker])
                                  : do_warm(x, (size_t)(j - x->warms), x->inner[worker]);
    PARL_TRY(settle(x, j, s));
  }
  return PARL_STATUS_OK;
}

/* --- the whole --- */

/* What an earlier command finished needs no warm start. */
static parl_status find_done(experiment *x) {
  char path[1024], status[16];
  parl_store *store = NULL;
  PARL_TRY(parl_file_join(path, sizeof path, parl_recipe_get_folder(x->host->recipe), "store.db"));
  if (!parl_file_exists(path)) return PARL_STATUS_OK;
  PARL_TRY(parl_store_open(path, &store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < x->plan->n_cells; i++) {
    int found = 0;
    s = parl_store_find_run(store, x->plan->cells[i].uid, &found, NULL, status, NULL);
    x->cells[i].was_done = found && strcmp(status, "done") == 0;
  }
  parl_store_close(store);
  return s;
}

static parl_status make_jobs(experiment *x) {
  char folder[1024];
  const parl_plan *p = x->plan;
  x->warms = calloc(p->n_warms, sizeof *x->warms);
  x->cells = calloc(p->n_cells, sizeof *x->cells);
  if (x->warms == NULL || x->cells == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  PARL_TRY(parl_file_join(folder, sizeof folder, parl_recipe_get_folder(x->host->recipe),
                          "checkpoints"));
  PARL_TRY(parl_file_make_folder(folder));
  parl_file_remove_stale(folder, "*.safetensors");
  return find_done(x);
}

static parl_status make_workers(experiment *x) {
  const int64_t asked = x->plan->configs[0].run.threads;
  const size_t threads = asked > 0 ? (size_t)asked : parl_workers_count_processors();
  x->n_outer = threads < x->plan->n_trained ? threads : x->plan->n_trained;
  x->n_inner = threads / x->n_outer;
  PARL_TRY(parl_workers_create(x->n_outer, &x->outer));
  x->inner = calloc(x->n_outer, sizeof *x->inner);
  if (x->inner == NULL) return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  for (size_t i = 0; i < x->n_outer; i++) PARL_TRY(parl_workers_create(x->n_inner, &x->inner[i]));
  return PARL_STATUS_OK;
}

/* A job that may start did not: it was asked to stop. */
static bool is_left(const experiment *x) {
  for (size_t i = 0; i < x->plan->n_cells; i++)
    if (x->cells[i].state == JOB_TODO) return true;
  return false;
}

static void summarize(const experiment *x, parl_experiment_result *out) {
  parl_hash uid, hash;
  parl_hash_init(&uid);
  parl_hash_init(&hash);
  double train_s = 0, decode_s = 0, train_tokens = 0, decode_tokens = 0;
  for (size_t i = 0; i < x->plan->n_trained; i++) {
    const parl_train_result *r = &x->cells[i].result;
    parl_hash_update(&uid, x->plan->cells[i].uid, sizeof r->uid);
    parl_hash_update(&hash, r->hash, sizeof r->hash);
    out->n_done_before += r->was_done;
    out->updates += r->updates;
    train_s += r->train_s;
    decode_s += r->decode_s;
    train_tokens += r->train_tokens;
    decode_tokens += r->decode_tokens;
  }
  parl_hash_finish(&uid, out->uid);
  parl_hash_finish(&hash, out->hash);
  out->n_runs = x->plan->n_trained;
  /* train_s is wall time of a run, n_outer of which go side by side; decode_s is thread time. */
  if (train_s > 0) out->train_tokens_per_s = train_tokens / train_s * (double)x->n_outer;
  if (decode_s > 0)
    out->decode_tokens_per_s = decode_tokens / decode_s * (double)(x->n_outer * x->n_inner);
}

parl_status parl_experiment_run_plan(const parl_host *host, const parl_plan *plan,
                                     parl_experiment_result *out) {
  experiment x = {.host = host, .plan = plan, .out = out};
  *out = (parl_experiment_result){0};
  const double start = parl_clock_s();
  pthread_mutex_init(&x.mutex, NULL);
  pthread_cond_init(&x.changed, NULL);
  parl_status s = make_jobs(&x);
  if (s == PARL_STATUS_OK) s = make_workers(&x);
  if (s == PARL_STATUS_OK) s = parl_workers_run(x.outer, x.n_outer, work, &x);
  if (s == PARL_STATUS_OK && is_left(&x))
    s = parl_fail(PARL_STATUS_ESTOPPED, "stopped before every run was made");
  if (s == PARL_STATUS_OK) s = parl_text_status(&out->failures);
  if (s == PARL_STATUS_OK) summarize(&x, out);
  out->wall_s = parl_clock_s() - start;
  for (size_t i = 0; x.inner != NULL && i < x.n_outer; i++) parl_workers_destroy(x.inner[i]);
  parl_workers_destroy(x.outer);
  pthread_cond_destroy(&x.changed);
  pthread_mutex_destroy(&x.mutex);
  free(x.inner);
  free(x.cells);
  free(x.warms);
  return s;
}

parl_status parl_experiment_run(const parl_host *host, parl_experiment_result *out) {
  parl_plan *plan = NULL;
  *out = (parl_experiment_result){0};
  PARL_TRY(parl_plan_make(host, &plan));
  const parl_status s = parl_experiment_run_plan(host, plan, out);
  parl_plan_destroy(plan);
  return s;
}

void parl_experiment_result_deinit(parl_experiment_result *result) {
  parl_text_deinit(&result->failures);
}
