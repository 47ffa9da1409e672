/* experiments/experiment.c - jobs over a pool of threads: warm starts, runs, baselines.
 *
 * Every thread takes the first job that may start, until none is left: warm starts come first, and
 * a cell waits for its own only. A job is claimed in the store before it starts; one that another
 * process holds is asked for again while it lasts, and found done then. */
#include "experiments/experiment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"
#include "experiments/experiment_internal.h"
#include "parl/run/run_models.h"

static const double ASK_AGAIN_S = 0.5; /* for a job that another process holds */

/* --- what may start --- */

static bool is_cell(const experiment *x, const job *j) {
  return j >= x->cells && j < x->cells + x->plan->n_cells;
}

static bool is_warm_wanted(const experiment *x, size_t warm) {
  for (size_t i = 0; i < x->plan->n_cells; i++)
    if (x->plan->cells[i].warm == warm && x->cells[i].state == JOB_TODO && !x->cells[i].was_done)
      return true;
  return false;
}

/* Whether another warm start is at work that begins as the same pretrained model. */
static bool is_pretrained_busy(const experiment *x, size_t warm) {
  const char *path = x->plan->warms[warm].pretrained;
  if (path[0] == '\0' || parl_file_exists(path)) return false;
  for (size_t i = 0; i < x->plan->n_warms; i++)
    if (x->warms[i].state == JOB_BUSY && strcmp(x->plan->warms[i].pretrained, path) == 0)
      return true;
  return false;
}

static bool may_start(const experiment *x, const job *j) {
  const size_t warm = (size_t)(j - x->warms);
  if (!is_cell(x, j)) return is_warm_wanted(x, warm) && !is_pretrained_busy(x, warm);
  const size_t cell = (size_t)(j - x->cells);
  if (!parl_experiment_may_go_on(x, cell)) return false;
  return j->was_done || x->warms[x->plan->cells[cell].warm].state == JOB_DONE;
}

/* The first job of a list that may start now, or NULL. *waiting is set by one that may later. */
static job *find_job(const experiment *x, job *list, size_t n, double now, bool *waiting) {
  for (size_t i = 0; i < n; i++) {
    job *j = &list[i];
    if (j->state == JOB_BUSY) *waiting = true;
    if (j->state != JOB_TODO || !may_start(x, j)) continue;
    if (now >= j->ask_s) return j;
    *waiting = true;
  }
  return NULL;
}

/* Takes a job, waiting for one if need be. NULL: there is none left. */
static job *take_job(experiment *x) {
  job *found = NULL;
  bool waiting = true;
  pthread_mutex_lock(&x->mutex);
  while (found == NULL && waiting && !x->ended && !parl_host_is_stopped(x->host)) {
    waiting = false;
    const double now = parl_clock_s();
    found = find_job(x, x->warms, x->plan->n_warms, now, &waiting);
    if (found == NULL) found = find_job(x, x->cells, x->plan->n_cells, now, &waiting);
    if (found == NULL && waiting) parl_experiment_wait(x, ASK_AGAIN_S / 2);
  }
  if (found != NULL) found->state = JOB_BUSY;
  pthread_mutex_unlock(&x->mutex);
  return found;
}

/* --- claims --- */

static const char *get_file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static const char *get_claim_name(const experiment *x, const job *j) {
  if (is_cell(x, j)) return x->plan->cells[j - x->cells].uid;
  return get_file_name(x->plan->warms[j - x->warms].path);
}

/* What a warm start claims too, so that nobody else makes it: a pretrained model that is not there;
 * NULL: nothing. */
static const char *get_second_claim(const experiment *x, const job *j) {
  if (is_cell(x, j)) return NULL;
  const char *path = x->plan->warms[j - x->warms].pretrained;
  return path[0] == '\0' || parl_file_exists(path) ? NULL : get_file_name(path);
}

/* After what ended as s says: giving back must not hide why that failed. */
static parl_status give_back(parl_claims *claims, const char *name, parl_status s) {
  char text[4096];
  snprintf(text, sizeof text, "%s", parl_error_text());
  const parl_status given = parl_claims_give_back(claims, name);
  return s == PARL_STATUS_OK ? given : parl_fail(s, "%s", text);
}

/* Both, or none of them. second: NULL where there is one alone. */
static parl_status take_claims(parl_claims *claims, const char *name, const char *second,
                               bool *taken, char holder[PARL_CLAIM_HOLDER_BYTES]) {
  PARL_TRY(parl_claims_take(claims, name, taken, holder));
  if (!*taken || second == NULL) return PARL_STATUS_OK;
  const parl_status s = parl_claims_take(claims, second, taken, holder);
  return s == PARL_STATUS_OK && *taken ? s : give_back(claims, name, s);
}

/* The run whose warm start it is; others share it. */
static const parl_run *get_warm_run(const parl_plan *plan, size_t warm) {
  return &plan->cells[plan->warms[warm].cell].run;
}

static void say_waiting(const experiment *x, job *j, const char *holder) {
  if (j->said_waiting) return;
  j->said_waiting = true;
  if (is_cell(x, j)) {
    const parl_cell *c = &x->plan->cells[j - x->cells];
    parl_log_write(x->host->log, PARL_LOG_INFO, "arm \"%s\", seed %lld: %s has it", c->run.name,
                   (long long)c->run.config.run.seed, holder);
  } else {
    parl_log_write(x->host->log, PARL_LOG_INFO, "warm start of seed %lld: %s has it",
                   (long long)get_warm_run(x->plan, (size_t)(j - x->warms))->config.run.seed,
                   holder);
  }
}

/* --- doing it --- */

static parl_status do_warm(lane *l, size_t i) {
  return parl_warm_start_get(get_warm_run(l->x->plan, i), &l->host, l->workers, NULL, NULL);
}

/* What failed before, here or in another process, failed; rungs that it passed are filled in. */
static parl_status find_failure(const experiment *x, const parl_cell *c, const parl_leg *leg,
                                parl_train_result *out) {
  parl_store *store = NULL;
  parl_text error = {0};
  char status[16] = "";
  int found = 0;
  int64_t id = 0;
  PARL_TRY(parl_rows_open(x->store_path, &store));
  parl_status s = parl_store_find_run(store, c->uid, &found, &id, status, NULL);
  const bool failed = s == PARL_STATUS_OK && found && strcmp(status, "failed") == 0;
  if (failed) s = parl_store_get_error(store, id, &error);
  if (failed && s == PARL_STATUS_OK && leg != NULL)
    s = parl_train_recall_rungs(store, id, leg->rungs, out->rungs);
  parl_store_close(store);
  if (failed && s == PARL_STATUS_OK)
    s = parl_fail(PARL_STATUS_ESTATE, "%s (before; --retry-failed tries again)",
                  parl_text_get(&error));
  parl_text_deinit(&error);
  return s;
}

static parl_status do_cell(lane *l, size_t i) {
  const parl_cell *c = &l->x->plan->cells[i];
  parl_train_result *result = &l->x->cells[i].result;
  parl_leg leg;
  pthread_mutex_lock(&l->x->mutex);
  const bool is_paced = parl_experiment_get_leg(l->x, i, &leg);
  pthread_mutex_unlock(&l->x->mutex);
  PARL_TRY(find_failure(l->x, c, is_paced ? &leg : NULL, result));
  return parl_train(&c->run, &l->host, is_paced ? &leg : NULL, l->workers, result);
}

/* Claims the job and does it. *held: another process has it. */
static parl_status do_job(lane *l, job *j, bool *held) {
  const experiment *x = l->x;
  char holder[PARL_CLAIM_HOLDER_BYTES];
  const char *name = get_claim_name(x, j), *second = get_second_claim(x, j);
  bool taken = false;
  *held = false;
  PARL_TRY(take_claims(l->host.claims, name, second, &taken, holder));
  if (!taken) {
    say_waiting(x, j, holder);
    *held = true;
    return PARL_STATUS_OK;
  }
  l->job = j;
  parl_status s =
      is_cell(x, j) ? do_cell(l, (size_t)(j - x->cells)) : do_warm(l, (size_t)(j - x->warms));
  s = give_back(l->host.claims, name, s);
  return second != NULL ? give_back(l->host.claims, second, s) : s;
}

/* --- how it ended --- */

static void add_failure(experiment *x, size_t i, const char *why) {
  const parl_cell *c = &x->plan->cells[i];
  x->cells[i].state = JOB_FAILED;
  parl_experiment_count_done(x, &x->cells[i]);
  x->out->n_failed++;
  parl_text_appendf(&x->out->failures, "arm \"%s\", seed %lld: %s\n", c->run.name,
                    (long long)c->run.config.run.seed, why);
  parl_log_write(x->host->log, PARL_LOG_WARNING, "arm \"%s\", seed %lld failed: %s", c->run.name,
                 (long long)c->run.config.run.seed, why);
}

/* No place to write, no memory: other runs would meet it too, and may go on once it is mended. */
static bool concerns_all(parl_status s) {
  return s == PARL_STATUS_ESTOPPED || s == PARL_STATUS_EIO || s == PARL_STATUS_ENOMEM ||
         s == PARL_STATUS_ESTORE;
}

/* A warm start failed, so none of its cells can be made. */
static parl_status fail_cells(experiment *x, size_t warm, parl_status why_status) {
  const char *status = parl_run_failed_for_good(why_status) ? "failed" : "stopped";
  parl_store *store = NULL;
  char why[4096];
  snprintf(why, sizeof why, "%s", parl_error_text());
  PARL_TRY(parl_rows_open(x->store_path, &store));
  parl_status s = parl_store_begin(store);
  for (size_t i = 0; s == PARL_STATUS_OK && i < x->plan->n_cells; i++) {
    const parl_cell *c = &x->plan->cells[i];
    if (c->warm != warm || x->cells[i].state != JOB_TODO || x->cells[i].was_done) continue;
    add_failure(x, i, why);
    s = parl_store_set_status(store, c->uid, status, why);
  }
  s = parl_store_end(store, s);
  parl_store_close(store);
  return s == PARL_STATUS_OK ? parl_experiment_pace(x) : s;
}

/* A cell was made, or came to its rung: with halving it waits there to be let on. */
static parl_status settle_cell(experiment *x, job *j, parl_status s) {
  const size_t i = (size_t)(j - x->cells);
  const bool is_paced = parl_experiment_is_paced(x, i);
  if (is_paced) memcpy(j->rungs, j->result.rungs, sizeof j->rungs);
  if (s != PARL_STATUS_OK) {
    add_failure(x, i, parl_error_text());
  } else if (j->result.is_paused && x->pace->eta > 0) {
    j->was_done = false;
    while (j->next_level < x->pace->rungs.n && isfinite(j->rungs[j->next_level])) j->next_level++;
  } else {
    j->state = JOB_DONE;
    parl_experiment_count_done(x, j);
  }
  return is_paced ? parl_experiment_pace(x) : PARL_STATUS_OK;
}

static parl_status settle_warm(experiment *x, job *j, parl_status s) {
  j->state = s == PARL_STATUS_OK ? JOB_DONE : JOB_FAILED;
  if (s != PARL_STATUS_OK) return fail_cells(x, (size_t)(j - x->warms), s);
  parl_experiment_count_done(x, j);
  return PARL_STATUS_OK;
}

/* Books how a job ended; its failure is this thread's error text. */
static parl_status settle(experiment *x, job *j, parl_status s, bool held) {
  pthread_mutex_lock(&x->mutex);
  j->state = JOB_TODO;
  if (held || s == PARL_STATUS_ECLAIMED) {
    j->ask_s = parl_clock_s() + ASK_AGAIN_S;
    if (!held) parl_log_write(x->host->log, PARL_LOG_WARNING, "%s", parl_error_text());
    s = PARL_STATUS_OK;
  } else if (s == PARL_STATUS_OK || !concerns_all(s)) {
    s = is_cell(x, j) ? settle_cell(x, j, s) : settle_warm(x, j, s);
  }
  if (s != PARL_STATUS_OK) x->ended = true;
  pthread_cond_broadcast(&x->changed);
  pthread_mutex_unlock(&x->mutex);
  return s;
}

static parl_status work(void *context, size_t task, size_t worker) {
  (void)task;
  experiment *x = context;
  for (job *j = take_job(x); j != NULL; j = take_job(x)) {
    bool held = false;
    const parl_status s = do_job(&x->lanes[worker], j, &held);
    PARL_TRY(settle(x, j, s, held));
  }
  return PARL_STATUS_OK;
}

/* --- the whole --- */

/* What an earlier command finished needs no warm start. */
static parl_status find_done(experiment *x) {
  char status[16];
  parl_store *store = NULL;
  PARL_TRY(parl_rows_open(x->store_path, &store));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < x->plan->n_cells; i++) {
    int found = 0;
    s = parl_store_find_run(store, x->plan->cells[i].uid, &found, NULL, status, NULL);
    x->cells[i].was_done =
        found && (strcmp(status, "done") == 0 || strcmp(status, "failed") == 0 ||
                  (strcmp(status, "pruned") == 0 && parl_experiment_is_paced(x, i)));
  }
  parl_store_close(store);
  return s;
}

static parl_status make_jobs(experiment *x) {
  char path[1024];
  const parl_plan *p = x->plan;
  const char *folder = p->cells[0].run.folder;
  x->warms = calloc(p->n_warms, sizeof *x->warms);
  x->cells = calloc(p->n_cells, sizeof *x->cells);
  if (x->warms == NULL || x->cells == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  for (size_t i = 0; i < p->n_cells; i++)
    for (size_t k = 0; k < PARL_MAX_RUNGS; k++) x->cells[i].rungs[k] = (double)NAN;
  PARL_TRY(parl_file_join(path, sizeof path, folder, "checkpoints"));
  PARL_TRY(parl_file_make_folder(path));
  parl_file_remove_stale(path, "*.safetensors");
  PARL_TRY(parl_file_join(x->store_path, sizeof x->store_path, folder, "store.db"));
  PARL_TRY(parl_claims_open(x->store_path, &x->claims));
  PARL_TRY(parl_plan_record(x->host, p, x->store_path));
  return find_done(x);
}

static parl_status make_lanes(experiment *x) {
  const int64_t asked = x->plan->cells[0].run.config.run.threads;
  const size_t threads = asked > 0 ? (size_t)asked : parl_workers_count_processors();
  x->n_outer = threads < x->plan->n_trained ? threads : x->plan->n_trained;
  x->n_inner = threads / x->n_outer;
  PARL_TRY(parl_workers_create(x->n_outer, &x->outer));
  x->lanes = calloc(x->n_outer, sizeof *x->lanes);
  if (x->lanes == NULL) return parl_fail(PARL_STATUS_ENOMEM, "experiment: no memory");
  for (size_t i = 0; i < x->n_outer; i++) {
    lane *l = &x->lanes[i];
    *l = (lane){.x = x, .host = *x->host};
    l->host.claims = x->claims;
    l->host.context = l;
    if (x->host->progress != NULL) l->host.progress = parl_experiment_on_progress;
    PARL_TRY(parl_workers_create(x->n_inner, &l->workers));
  }
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
    out->n_pruned += x->cells[i].state == JOB_PRUNED;
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

static parl_status run(experiment *x) {
  PARL_TRY(make_jobs(x));
  PARL_TRY(make_lanes(x));
  parl_experiment_count_all(x);
  PARL_TRY(parl_workers_run(x->outer, x->n_outer, work, x));
  if (is_left(x)) return parl_fail(PARL_STATUS_ESTOPPED, "stopped before every run was made");
  PARL_TRY(parl_experiment_mark_pruned(x));
  PARL_TRY(parl_text_status(&x->out->failures));
  summarize(x, x->out);
  return PARL_STATUS_OK;
}

parl_status parl_experiment_run_plan(const parl_host *host, const parl_plan *plan,
                                     parl_experiment_result *out) {
  return parl_experiment_run_paced(host, plan, NULL, out);
}

parl_status parl_experiment_run_paced(const parl_host *host, const parl_plan *plan,
                                      parl_pacing *pace, parl_experiment_result *out) {
  experiment x = {.host = host, .plan = plan, .pace = pace, .out = out};
  *out = (parl_experiment_result){0};
  x.start_s = parl_clock_s();
  parl_experiment_init_waiting(&x);
  const parl_status s = run(&x);
  out->wall_s = parl_clock_s() - x.start_s;
  for (size_t i = 0; x.lanes != NULL && i < x.n_outer; i++)
    parl_workers_destroy(x.lanes[i].workers);
  parl_workers_destroy(x.outer);
  parl_claims_close(x.claims);
  pthread_cond_destroy(&x.changed);
  pthread_mutex_destroy(&x.mutex);
  free(x.lanes);
  free(x.cells);
  free(x.warms);
  return s;
}

parl_status parl_experiment_run(const parl_recipe *recipe, const parl_host *host,
                                parl_experiment_result *out) {
  parl_plan *plan = NULL;
  *out = (parl_experiment_result){0};
  PARL_TRY(parl_plan_make(recipe, host, &plan));
  const parl_status s = parl_experiment_run_plan(host, plan, out);
  parl_plan_destroy(plan);
  return s;
}

void parl_experiment_result_deinit(parl_experiment_result *result) {
  parl_text_deinit(&result->failures);
}
