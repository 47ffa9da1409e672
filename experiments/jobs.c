/* experiments/jobs.c - the manifest of jobs: written, read; which are settled; a job, run. */
#include "experiments/jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/claims.h"
#include "core/file.h"
#include "core/json.h"

enum { MAX_MANIFEST_BYTES = 1 << 30 };
static const char CLAIM[] = "job"; /* in the job's own database */

/* --- written --- */

static void write_cell(const parl_cell *c, parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "uid");
  parl_json_string(w, c->uid);
  parl_json_key(w, "run");
  parl_run_write(&c->run, w);
  parl_json_end_object(w);
}

/* The trained cells [plan->n_trained], those of one warm start together. */
static void order_by_warm(const parl_plan *plan, size_t *order) {
  size_t n = 0;
  for (size_t w = 0; w < plan->n_warms; w++)
    for (size_t i = 0; i < plan->n_trained; i++)
      if (plan->cells[i].warm == w) order[n++] = i;
}

/* Baselines go with the first trained cell of their warm start. */
static void write_baselines(const parl_plan *plan, size_t cell, parl_json_writer *w) {
  for (size_t i = 0; i < cell; i++)
    if (plan->cells[i].warm == plan->cells[cell].warm) return;
  for (size_t i = plan->n_trained; i < plan->n_cells; i++)
    if (plan->cells[i].warm == plan->cells[cell].warm) write_cell(&plan->cells[i], w);
}

static void write_job(const parl_plan *plan, size_t k, const size_t *cells, size_t n,
                      parl_text *out) {
  parl_json_writer w;
  parl_json_writer_init(&w, out, false);
  parl_json_begin_object(&w);
  parl_json_key(&w, "job");
  parl_json_integer(&w, (int64_t)k);
  parl_json_key(&w, "runs");
  parl_json_begin_array(&w);
  for (size_t i = 0; i < n; i++) write_cell(&plan->cells[cells[i]], &w);
  for (size_t i = 0; i < n; i++) write_baselines(plan, cells[i], &w);
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  parl_text_append(out, "\n");
}

static parl_status get_manifest_path(const char *dir, char out[PARL_RUN_PATH_BYTES]) {
  return parl_file_join(out, PARL_RUN_PATH_BYTES, dir, "manifest.jsonl");
}

/* Nothing is overwritten: another manifest stays. */
static parl_status keep_manifest(const char *dir, const parl_text *text) {
  char path[PARL_RUN_PATH_BYTES];
  char *old = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_make_folder(dir));
  PARL_TRY(get_manifest_path(dir, path));
  if (!parl_file_exists(path)) return parl_file_write(path, text->bytes, text->n);
  PARL_TRY(parl_file_read(path, MAX_MANIFEST_BYTES, &old, &n));
  const bool is_same = n == text->n && memcmp(old, text->bytes, n) == 0;
  free(old);
  if (is_same) return PARL_STATUS_OK;
  return parl_fail(
      PARL_STATUS_EINVAL,
      "%s is the manifest of another plan; nothing is overwritten: name another folder", path);
}

parl_status parl_jobs_write(const parl_plan *plan, size_t per_job, const char *dir, size_t *n) {
  if (per_job == 0) return parl_fail(PARL_STATUS_EINVAL, "0 runs a job: at least 1");
  parl_text text = {0};
  size_t *order = calloc(plan->n_trained + 1, sizeof *order);
  if (order == NULL) return parl_fail(PARL_STATUS_ENOMEM, "jobs: no memory");
  order_by_warm(plan, order);
  *n = 0;
  for (size_t i = 0; i < plan->n_trained; i += per_job, ++*n) {
    const size_t left = plan->n_trained - i;
    write_job(plan, *n, order + i, left < per_job ? left : per_job, &text);
  }
  free(order);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = keep_manifest(dir, &text);
  parl_text_deinit(&text);
  return s;
}

/* --- read --- */

static parl_status read_run(const parl_json *node, const char *source, parl_run *run,
                            char uid[PARL_HASH_HEX_BYTES]) {
  const char *text = parl_json_get_string(parl_json_find(node, "uid"));
  const parl_json *object = parl_json_find(node, "run");
  if (text == NULL || strlen(text) != PARL_HASH_HEX_BYTES - 1 || object == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: a run has no \"uid\" and \"run\"", source);
  memcpy(uid, text, PARL_HASH_HEX_BYTES);
  return parl_run_read(object, source, run);
}

static size_t count_children(const parl_json *array) {
  size_t n = 0;
  for (const parl_json *r = array; r != NULL; r = parl_json_get_next(r)) n++;
  return n;
}

static parl_status read_job(const parl_json *root, const char *source, parl_batch_job *out) {
  const parl_json *runs = parl_json_find(root, "runs");
  const parl_json *first = runs != NULL ? parl_json_get_first(runs) : NULL;
  const size_t n = count_children(first);
  if (n == 0) return parl_fail(PARL_STATUS_EFORMAT, "%s: a job has no \"runs\"", source);
  out->runs = calloc(n, sizeof *out->runs);
  out->uids = calloc(n, sizeof *out->uids);
  if (out->runs == NULL || out->uids == NULL)
    return parl_fail(PARL_STATUS_ENOMEM, "jobs: no memory");
  for (const parl_json *r = first; r != NULL; r = parl_json_get_next(r)) {
    PARL_TRY(read_run(r, source, &out->runs[out->n_runs], out->uids[out->n_runs]));
    out->n_runs++;
  }
  if (out->runs[0].scope != PARL_SCOPE_RUN)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: the first run of a job is not trained", source);
  return PARL_STATUS_OK;
}

static parl_status read_line(const char *path, size_t k, const char *line, size_t n,
                             parl_batch_job *out) {
  char source[PARL_RUN_PATH_BYTES + 32];
  parl_json *root = NULL;
  snprintf(source, sizeof source, "%s:%zu", path, k + 1);
  PARL_TRY(parl_json_parse(line, n, source, &root));
  const parl_json *number = parl_json_find(root, "job");
  parl_status s = PARL_STATUS_OK;
  if (number == NULL || parl_json_get_number(number) != (double)k)
    s = parl_fail(PARL_STATUS_EFORMAT, "%s: \"job\" is not %zu, the line's number from 0", source,
                  k);
  if (s == PARL_STATUS_OK) s = read_job(root, source, out);
  parl_json_destroy(root);
  return s;
}

static size_t count_lines(const char *text, size_t n) {
  size_t lines = 0;
  for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
  return lines;
}

static parl_status read_lines(const char *path, const char *text, size_t n, parl_jobs *out) {
  const size_t n_lines = count_lines(text, n);
  if (n_lines == 0 || text[n - 1] != '\n')
    return parl_fail(PARL_STATUS_EFORMAT, "%s: not whole: its last line has no end", path);
  out->jobs = calloc(n_lines, sizeof *out->jobs);
  if (out->jobs == NULL) return parl_fail(PARL_STATUS_ENOMEM, "jobs: no memory");
  for (const char *line = text; line < text + n;) {
    const char *end = memchr(line, '\n', (size_t)(text + n - line));
    out->n++; /* what a line that fails has so far is freed with the rest */
    PARL_TRY(read_line(path, out->n - 1, line, (size_t)(end - line), &out->jobs[out->n - 1]));
    line = end + 1;
  }
  return PARL_STATUS_OK;
}

parl_status parl_jobs_read(const char *dir, parl_jobs *out) {
  char path[PARL_RUN_PATH_BYTES];
  char *text = NULL;
  size_t n = 0;
  *out = (parl_jobs){.n = 0};
  PARL_TRY(get_manifest_path(dir, path));
  snprintf(out->dir, sizeof out->dir, "%s", dir);
  PARL_TRY(parl_file_read(path, MAX_MANIFEST_BYTES, &text, &n));
  const parl_status s = read_lines(path, text, n, out);
  free(text);
  return s;
}

void parl_jobs_deinit(parl_jobs *jobs) {
  for (size_t k = 0; k < jobs->n; k++) {
    for (size_t i = 0; i < jobs->jobs[k].n_runs; i++) parl_run_deinit(&jobs->jobs[k].runs[i]);
    free(jobs->jobs[k].runs);
    free(jobs->jobs[k].uids);
  }
  free(jobs->jobs);
  *jobs = (parl_jobs){.n = 0};
}

/* --- how far a job is --- */

/* DIR/jobs/k with a suffix. */
static void get_folder(const parl_jobs *jobs, size_t k, const char *suffix,
                       char out[PARL_RUN_PATH_BYTES]) {
  snprintf(out, PARL_RUN_PATH_BYTES, "%.900s/jobs/%05zu%s", jobs->dir, k, suffix);
}

void parl_jobs_get_folder(const parl_jobs *jobs, size_t k, char out[PARL_RUN_PATH_BYTES]) {
  get_folder(jobs, k, "", out);
}

parl_job_state parl_jobs_get_state(const parl_jobs *jobs, size_t k) {
  char path[PARL_RUN_PATH_BYTES];
  get_folder(jobs, k, "", path);
  if (parl_file_is_folder(path)) return PARL_JOB_SETTLED;
  get_folder(jobs, k, ".part", path);
  return parl_file_is_folder(path) ? PARL_JOB_BEGUN : PARL_JOB_WAITING;
}

/* --- a job, run --- */

/* What somebody else settles at the same time is settled. */
static parl_status rename_folder(const parl_jobs *jobs, size_t k, const char *from,
                                 const char *to) {
  char old[PARL_RUN_PATH_BYTES], new[PARL_RUN_PATH_BYTES];
  get_folder(jobs, k, from, old);
  get_folder(jobs, k, to, new);
  if (rename(old, new) == 0 || (errno == ENOENT && parl_file_is_folder(new))) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "%s: cannot be renamed to %s: %s", old, new, strerror(errno));
}

static parl_status check_uids(const parl_jobs *jobs, size_t k, const parl_plan *plan) {
  const parl_batch_job *job = &jobs->jobs[k];
  for (size_t i = 0; i < plan->n_cells; i++)
    if (strcmp(plan->cells[i].uid, job->uids[i]) != 0)
      return parl_fail(PARL_STATUS_EFORMAT,
                       "job %zu, arm \"%s\": is not the run that was planned: this parl or a file "
                       "that the run reads is another; plan again in another folder",
                       k, job->runs[i].name);
  return PARL_STATUS_OK;
}

/* The job is claimed. */
static parl_status make_and_name(const parl_jobs *jobs, size_t k, const parl_host *host,
                                 parl_experiment_result *out) {
  char part[PARL_RUN_PATH_BYTES];
  parl_plan *plan = NULL;
  get_folder(jobs, k, ".part", part);
  PARL_TRY(parl_plan_make_of(jobs->jobs[k].runs, jobs->jobs[k].n_runs, part, host, &plan));
  parl_status s = check_uids(jobs, k, plan);
  if (s == PARL_STATUS_OK) s = parl_experiment_run_plan(host, plan, out);
  parl_plan_destroy(plan);
  return s == PARL_STATUS_OK ? rename_folder(jobs, k, ".part", "") : s;
}

/* The folder that the job works in. *is_new: it was not there. */
static parl_status make_part(const parl_jobs *jobs, size_t k, char part[PARL_RUN_PATH_BYTES],
                             bool *is_new) {
  char above[PARL_RUN_PATH_BYTES];
  get_folder(jobs, k, ".part", part);
  PARL_TRY(parl_file_join(above, sizeof above, jobs->dir, "jobs"));
  PARL_TRY(parl_file_make_folder(above));
  *is_new = mkdir(part, 0777) == 0;
  if (*is_new || errno == EEXIST) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "%s: cannot be made: %s", part, strerror(errno));
}

/* It was made in vain, and holds an empty database. */
static void remove_part(const char *part) {
  static const char *const files[] = {"store.db", "store.db-wal", "store.db-shm"};
  char path[PARL_RUN_PATH_BYTES + 16];
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", part, files[i]);
    unlink(path);
  }
  rmdir(part);
}

/* SQLite removes the log of a database under the name by which that was opened: by its new one. */
static parl_status remove_log(const parl_jobs *jobs, size_t k) {
  char folder[PARL_RUN_PATH_BYTES], path[PARL_RUN_PATH_BYTES];
  parl_store *store = NULL;
  get_folder(jobs, k, "", folder);
  PARL_TRY(parl_file_join(path, sizeof path, folder, "store.db"));
  PARL_TRY(parl_store_open(path, &store));
  parl_store_close(store);
  return PARL_STATUS_OK;
}

parl_status parl_jobs_run(const parl_jobs *jobs, size_t k, const parl_host *host, bool *is_held,
                          parl_experiment_result *out) {
  char part[PARL_RUN_PATH_BYTES], store[PARL_RUN_PATH_BYTES], holder[PARL_CLAIM_HOLDER_BYTES];
  parl_claims *claims = NULL;
  bool taken = false, is_new;
  PARL_REQUIRE(k < jobs->n);
  *out = (parl_experiment_result){0};
  *is_held = false;
  if (parl_jobs_get_state(jobs, k) == PARL_JOB_SETTLED) {
    if (!host->retry_failed) return PARL_STATUS_OK;
    PARL_TRY(rename_folder(jobs, k, "", ".part"));
  }
  PARL_TRY(make_part(jobs, k, part, &is_new));
  PARL_TRY(parl_file_join(store, sizeof store, part, "store.db"));
  parl_status s = parl_claims_open(store, &claims);
  if (s == PARL_STATUS_OK) s = parl_claims_take(claims, CLAIM, &taken, holder);
  /* Whoever had it may have settled it since we looked, at any point, so that a failure is none. */
  const bool was_settled = parl_jobs_get_state(jobs, k) == PARL_JOB_SETTLED;
  if (was_settled) s = PARL_STATUS_OK;
  *is_held = s == PARL_STATUS_OK && !taken && !was_settled;
  if (*is_held) parl_log_write(host->log, PARL_LOG_INFO, "job %zu: %s has it", k, holder);
  if (taken && !was_settled) s = make_and_name(jobs, k, host, out);
  parl_claims_close(claims); /* only now: nobody takes a job that is done and has its old name */
  if (was_settled && is_new) remove_part(part);
  if (s == PARL_STATUS_OK && parl_jobs_get_state(jobs, k) == PARL_JOB_SETTLED)
    s = remove_log(jobs, k);
  return s;
}

/* --- for Slurm --- */

/* "0-3,7": the jobs that are not settled. */
static size_t append_array(const parl_jobs *jobs, parl_text *out) {
  size_t n = 0;
  for (size_t k = 0; k < jobs->n; k++) {
    size_t end = k;
    while (end < jobs->n && parl_jobs_get_state(jobs, end) != PARL_JOB_SETTLED) end++;
    if (end == k) continue;
    parl_text_appendf(out, "%s%zu", n > 0 ? "," : "", k);
    if (end > k + 1) parl_text_appendf(out, "-%zu", end - 1);
    n += end - k;
    k = end;
  }
  return n;
}

parl_status parl_jobs_append_sbatch(const parl_jobs *jobs, const char *command,
                                    const char *working_folder, int64_t threads, int64_t warning_s,
                                    parl_text *out) {
  parl_text array = {0};
  const size_t n = append_array(jobs, &array);
  if (n == 0) {
    parl_text_deinit(&array);
    return parl_fail(PARL_STATUS_ESTATE, "%s: all %zu jobs are settled; parl merge is next",
                     jobs->dir, jobs->n);
  }
  parl_text_appendf(out,
                    "#!/bin/sh\n"
                    "# %zu of %zu jobs of %s. What sbatch is told on its own line (--time, "
                    "--partition, --array) goes before this.\n"
                    "#SBATCH --job-name=%s\n"
                    "#SBATCH --array=%s\n"
                    "#SBATCH --cpus-per-task=%" PRId64
                    "\n"
                    "#SBATCH --requeue\n"
                    "#SBATCH --open-mode=append\n"
                    "#SBATCH --signal=B:USR1@%" PRId64 "\n",
                    n, jobs->n, jobs->dir, "parl", parl_text_get(&array), threads, warning_s);
  parl_text_appendf(out,
                    "cd %s || exit 1\n"
                    "trap 'kill -USR1 \"$child\"' USR1\n"
                    "trap 'kill -TERM \"$child\"' TERM\n"
                    "%s --index \"$SLURM_ARRAY_TASK_ID\" &\n"
                    "child=$!\n"
                    "wait \"$child\"\n"
                    "code=$?\n"
                    "while kill -0 \"$child\" 2>/dev/null; do # a signal ended the wait\n"
                    "  wait \"$child\"\n"
                    "  code=$?\n"
                    "done\n"
                    "# 75: stopped after a checkpoint, and goes on from there.\n"
                    "if [ \"$code\" -eq 75 ]; then scontrol requeue \"$SLURM_JOB_ID\"; fi\n"
                    "exit \"$code\"\n",
                    working_folder, command);
  out->failed |= array.failed;
  parl_text_deinit(&array);
  return parl_text_status(out);
}
