/* experiments/jobs.h - a plan cut into jobs that need nothing of each other, for a batch system,
 * xargs or mpirun, and the merge of what they made into one run folder.
 *
 * DIR/manifest.jsonl has a line a job: its runs, whole. Job k works in DIR/jobs/k.part, a run
 * folder of its own with a database of its own, which is renamed to DIR/jobs/k when every run of it
 * is done or has failed. So no two machines ever write one database, and what was killed goes on
 * from its last checkpoint wherever it is started again. Files are named as the program that
 * planned saw them: jobs run in the same working folder.
 * Thread rule: read-only once read. Reading order: write, read, run, merge. */
#ifndef PARL_EXPERIMENTS_JOBS_H
#define PARL_EXPERIMENTS_JOBS_H
#include "experiments/experiment.h"

/* One line of the manifest. */
typedef struct parl_batch_job {
  size_t n_runs;
  parl_run *runs;                    /* [n_runs], owned; the trained ones first, of which one is */
  char (*uids)[PARL_HASH_HEX_BYTES]; /* [n_runs], owned */
} parl_batch_job;

typedef struct parl_jobs {
  char dir[PARL_RUN_PATH_BYTES];
  size_t n;
  parl_batch_job *jobs; /* [n], owned */
} parl_jobs;

typedef enum parl_job_state {
  PARL_JOB_WAITING, /* nobody began it */
  PARL_JOB_BEGUN,   /* is being made, or was stopped */
  PARL_JOB_SETTLED  /* every run of it is done or has failed */
} parl_job_state;

/* Writes DIR/manifest.jsonl, per_job trained runs a line, in the order of the plan; a baseline goes
 * with the first run that has its warm start. The same plan again changes nothing.
 *   *n the number of jobs
 * Fails: EIO; ENOMEM; EINVAL if DIR has another manifest, or per_job is 0. */
parl_status parl_jobs_write(const parl_plan *plan, size_t per_job, const char *dir, size_t *n);

/* Fails: EIO; EFORMAT naming file and line; ENOMEM. *out is to be freed by deinit either way. */
parl_status parl_jobs_read(const char *dir, parl_jobs *out);
void parl_jobs_deinit(parl_jobs *jobs);

/* DIR/jobs/k: the run folder of a settled job. */
void parl_jobs_get_folder(const parl_jobs *jobs, size_t k, char out[PARL_RUN_PATH_BYTES]);
parl_job_state parl_jobs_get_state(const parl_jobs *jobs, size_t k);

/* Makes what is missing of job k, unless another process does: then *is_held. With
 * host->retry_failed its failed runs are made again. Fails: as parl_experiment_run_plan; EFORMAT if
 * a file that it reads is not what was planned. *out is to be freed either way. */
parl_status parl_jobs_run(const parl_jobs *jobs, size_t k, const parl_host *host, bool *is_held,
                          parl_experiment_result *out);

/* Appends a script for sbatch: an array of the jobs that are not settled, of which each gets a
 * signal `warning_s` before its time is over, writes a checkpoint and is put into the queue again.
 * command and working_folder are words for a shell: the command that makes job I when --index I
 * follows, and where it runs. Fails: ENOMEM; ESTATE if all are
 * settled. */
parl_status parl_jobs_append_sbatch(const parl_jobs *jobs, const char *command,
                                    const char *working_folder, int64_t threads, int64_t warning_s,
                                    parl_text *out);

typedef struct parl_merge_result {
  size_t n_copied, n_there;         /* runs; were in the folder before, with the same hash */
  size_t n_failed;                  /* of the copied ones */
  size_t n_unsettled;               /* jobs */
  char folder[PARL_RUN_PATH_BYTES]; /* where the runs are now */
} parl_merge_result;

/* Copies the runs of settled jobs, with metrics, episodes and checkpoints, into a run folder:
 * `folder`, or where the plan would have made them if NULL. Each run is checked as it is read, is
 * there whole or not at all, and is copied once, however often this is called and wherever it was
 * killed. Fails: EIO, ENOMEM, ESTORE; EFORMAT if a run is damaged, or is there with another hash;
 * EINVAL if the folder has another configuration of the arm and seed; ECLAIMED if somebody makes
 * the run there now. */
parl_status parl_jobs_merge(const parl_jobs *jobs, const char *folder, const parl_host *host,
                            parl_merge_result *out);

#endif
