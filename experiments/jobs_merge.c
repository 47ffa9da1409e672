/* experiments/jobs_merge.c - runs of settled jobs, copied into one run folder. */
#include <dirent.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/claims.h"
#include "core/file.h"
#include "experiments/jobs.h"
#include "parl/run/rows.h"
#include "parl/run/run_list.h"

typedef struct merging {
  const parl_jobs *jobs;
  const parl_host *host;
  parl_merge_result *out;
  parl_store *to;
  parl_claims *claims; /* of `to` */
  /* the job: */
  const parl_batch_job *job;
  char folder[PARL_RUN_PATH_BYTES];
  parl_store *from;
} merging;

/* --- files --- */

/* Where there is one, a checkpoint is copied whole, then named. */
static parl_status copy_file(const char *from, const char *to) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(from, SIZE_MAX / 2, &bytes, &n));
  const parl_status s = parl_file_write(to, bytes, n);
  free(bytes);
  return s;
}

/* The warm starts of the job, which other runs and tools of the folder look for. */
static parl_status copy_warms(const merging *m) {
  char dir[PARL_RUN_PATH_BYTES], from[2 * PARL_RUN_PATH_BYTES], to[2 * PARL_RUN_PATH_BYTES];
  parl_status s = PARL_STATUS_OK;
  PARL_TRY(parl_file_join(dir, sizeof dir, m->folder, "checkpoints"));
  DIR *d = opendir(dir);
  if (d == NULL) return PARL_STATUS_OK;
  for (const struct dirent *e = readdir(d); s == PARL_STATUS_OK && e != NULL; e = readdir(d)) {
    if (fnmatch("warm-*.safetensors", e->d_name, 0) != 0) continue;
    snprintf(from, sizeof from, "%s/%s", dir, e->d_name);
    snprintf(to, sizeof to, "%s/checkpoints/%s", m->out->folder, e->d_name);
    if (!parl_file_exists(to)) s = copy_file(from, to);
  }
  closedir(d);
  return s;
}

/* *path is where the run's checkpoint is now; "" if it has none. */
static parl_status copy_checkpoint(const merging *m, const parl_store_run *run, char path[1024]) {
  char from[1024];
  PARL_TRY(parl_run_get_checkpoint_path(m->folder, run->arm, run->seed, from));
  PARL_TRY(parl_run_get_checkpoint_path(m->out->folder, run->arm, run->seed, path));
  if (parl_file_exists(from)) return copy_file(from, path);
  path[0] = '\0';
  return PARL_STATUS_OK;
}

/* --- rows --- */

static parl_status copy_rows(const merging *m, int64_t from_id, int64_t to_id) {
  char from[PARL_HASH_HEX_BYTES], to[PARL_HASH_HEX_BYTES];
  PARL_TRY(parl_store_copy_rows(m->from, from_id, m->to, to_id));
  PARL_TRY(parl_store_get_digest(m->from, from_id, from));
  PARL_TRY(parl_store_get_digest(m->to, to_id, to));
  if (strcmp(from, to) == 0) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EFORMAT, "%s: the copied rows are not those that it holds",
                   m->folder);
}

/* In one transaction. found: a run of this uid that is not done, which gives way. */
static parl_status put_run(const merging *m, int64_t from_id, const parl_store_run *run,
                           const char *checkpoint, int64_t old_id) {
  int64_t id = 0;
  PARL_TRY(parl_store_delete_pending(m->to, run->arm, run->seed, run->uid));
  if (old_id >= 0) PARL_TRY(parl_store_delete_run(m->to, old_id));
  PARL_TRY(parl_store_put_run(m->to, run, &id));
  PARL_TRY(copy_rows(m, from_id, id));
  if (checkpoint[0] != '\0') PARL_TRY(parl_store_move_checkpoints(m->to, id, checkpoint));
  if (strcmp(run->status, "failed") == 0)
    PARL_TRY(parl_store_set_status(m->to, run->uid, run->status, run->error));
  return PARL_STATUS_OK;
}

/* --- runs --- */

/* The planned run of this uid; NULL if the job has none. */
static const parl_run *find_planned(const parl_batch_job *job, const char *uid) {
  for (size_t i = 0; i < job->n_runs; i++)
    if (strcmp(job->uids[i], uid) == 0) return &job->runs[i];
  return NULL;
}

static parl_status refuse_conflict(const merging *m, const parl_store_run *run) {
  parl_run planned = *find_planned(m->job, run->uid); /* borrows; looked at only */
  snprintf(planned.folder, sizeof planned.folder, "%s", m->out->folder);
  return parl_run_refuse_conflict(m->to, &planned, run->uid, run->config, false);
}

/* Whether the folder has the run already, as good as this one. */
static parl_status find_there(const merging *m, const parl_store_run *run, int64_t *old_id,
                              bool *is_there) {
  char status[16] = "", hash[PARL_HASH_HEX_BYTES] = "";
  int found = 0;
  *old_id = -1;
  PARL_TRY(parl_store_find_run(m->to, run->uid, &found, old_id, status, hash));
  if (!found) *old_id = -1;
  const bool was_done = found && strcmp(status, "done") == 0;
  *is_there = was_done || (found && strcmp(status, run->status) == 0);
  if (was_done && strcmp(run->status, "done") == 0 && strcmp(hash, run->hash) != 0)
    return parl_fail(PARL_STATUS_EFORMAT,
                     "arm \"%s\", seed %lld: %s has it with hash %.12s, %s with %.12s", run->arm,
                     (long long)run->seed, m->out->folder, hash, m->folder, run->hash);
  return PARL_STATUS_OK;
}

static parl_status copy_claimed(const merging *m, int64_t from_id, const parl_store_run *run) {
  int64_t old_id;
  bool is_there;
  char checkpoint[1024];
  PARL_TRY(find_there(m, run, &old_id, &is_there));
  if (is_there) {
    m->out->n_there++;
    return PARL_STATUS_OK;
  }
  PARL_TRY(refuse_conflict(m, run));
  PARL_TRY(parl_store_check_run(m->from, from_id));
  PARL_TRY(copy_checkpoint(m, run, checkpoint));
  PARL_TRY(parl_store_begin(m->to));
  PARL_TRY(parl_store_end(m->to, put_run(m, from_id, run, checkpoint, old_id)));
  m->out->n_copied++;
  m->out->n_failed += strcmp(run->status, "failed") == 0;
  return PARL_STATUS_OK;
}

static parl_status copy_run(void *context, int64_t from_id, const parl_store_run *run) {
  const merging *m = context;
  char holder[PARL_CLAIM_HOLDER_BYTES];
  bool taken = false;
  const bool is_settled = strcmp(run->status, "done") == 0 || strcmp(run->status, "failed") == 0;
  if (find_planned(m->job, run->uid) == NULL || !is_settled) return PARL_STATUS_OK;
  PARL_TRY(parl_claims_take(m->claims, run->uid, &taken, holder));
  if (!taken)
    return parl_fail(PARL_STATUS_ECLAIMED, "arm \"%s\", seed %lld: %s makes it in %s now", run->arm,
                     (long long)run->seed, holder, m->out->folder);
  const parl_status s = copy_claimed(m, from_id, run);
  char text[4096]; /* giving back must not hide why it failed */
  snprintf(text, sizeof text, "%s", parl_error_text());
  const parl_status given = parl_claims_give_back(m->claims, run->uid);
  return s == PARL_STATUS_OK ? given : parl_fail(s, "%s", text);
}

/* --- the whole --- */

static parl_status merge_job(merging *m, size_t k) {
  char path[PARL_RUN_PATH_BYTES];
  m->job = &m->jobs->jobs[k];
  parl_jobs_get_folder(m->jobs, k, m->folder);
  PARL_TRY(parl_file_join(path, sizeof path, m->folder, "store.db"));
  PARL_TRY(copy_warms(m));
  PARL_TRY(parl_rows_open_readonly(path, &m->from));
  const parl_status s = parl_store_visit_runs(m->from, copy_run, m);
  parl_store_close(m->from);
  return parl_fail_context(s, "job %zu", k);
}

static parl_status open_folder(merging *m) {
  char path[PARL_RUN_PATH_BYTES];
  PARL_TRY(parl_file_join(path, sizeof path, m->out->folder, "checkpoints"));
  PARL_TRY(parl_file_make_folder(path));
  PARL_TRY(parl_file_join(path, sizeof path, m->out->folder, "store.db"));
  PARL_TRY(parl_rows_open(path, &m->to));
  return parl_claims_open(path, &m->claims);
}

static parl_status merge_all(merging *m) {
  PARL_TRY(open_folder(m));
  for (size_t k = 0; k < m->jobs->n; k++) {
    if (parl_host_is_stopped(m->host))
      return parl_fail(PARL_STATUS_ESTOPPED, "stopped before every run was copied");
    if (parl_jobs_get_state(m->jobs, k) == PARL_JOB_SETTLED)
      PARL_TRY(merge_job(m, k));
    else
      m->out->n_unsettled++;
  }
  return parl_store_sync(m->to);
}

parl_status parl_jobs_merge(const parl_jobs *jobs, const char *folder, const parl_host *host,
                            parl_merge_result *out) {
  merging m = {.jobs = jobs, .host = host, .out = out};
  *out = (parl_merge_result){.n_copied = 0};
  snprintf(out->folder, sizeof out->folder, "%s", folder ? folder : jobs->jobs[0].runs[0].folder);
  const parl_status s = merge_all(&m);
  parl_claims_close(m.claims);
  parl_store_close(m.to);
  return s;
}
