/* experiments/experiment_internal.h - what experiment.c (the jobs), experiment_progress.c (how far
 * they are) and experiment_pacing.c (how far they go) share. */
#ifndef PARL_EXPERIMENTS_EXPERIMENT_INTERNAL_H
#define PARL_EXPERIMENTS_EXPERIMENT_INTERNAL_H
#include <pthread.h>

#include "core/claims.h"
#include "experiments/experiment.h"

typedef struct experiment experiment;

typedef enum job_state { JOB_TODO, JOB_BUSY, JOB_DONE, JOB_FAILED, JOB_PRUNED } job_state;

/* A warm start or a cell. */
typedef struct job {
  job_state state;
  bool was_done;      /* or failed, by an earlier command: looked at only, needs no warm start */
  bool said_waiting;  /* that another process has it */
  double ask_s;       /* not before, by the monotonic clock */
  double work, share; /* how much it is, in episodes; how far it is, 0 to 1 */
  bool is_reported;   /* share was reported by this process */
  parl_train_result result;     /* of a cell */
  size_t next_level;            /* of a paced cell: the first at which it has not paused */
  double rungs[PARL_MAX_RUNGS]; /* what it was worth there; NaN: not known */
} job;

/* One thread of the experiment, and those of the job it does. */
typedef struct lane {
  experiment *x;
  parl_host host; /* the experiment's, with its claims; reports to this lane */
  parl_workers *workers;
  job *job; /* being done */
} lane;

struct experiment {
  const parl_host *host;
  const parl_plan *plan;
  parl_pacing *pace; /* NULL: every run is made whole */
  parl_experiment_result *out;
  char store_path[1024];
  parl_claims *claims;
  job *warms, *cells;      /* [plan->n_warms], [plan->n_cells] */
  size_t n_outer, n_inner; /* jobs at once, threads of each */
  parl_workers *outer;
  lane *lanes;           /* [n_outer] */
  pthread_mutex_t mutex; /* guards the jobs, the pace, out->failures and the work */
  pthread_cond_t changed;
  bool ended; /* a failure that concerns every run: nothing more starts */
  double start_s;
  double all_work, done_work; /* in episodes */
  double found_work;          /* of done_work, what this process did not do */
};

/* Makes the mutex and the condition. */
void parl_experiment_init_waiting(experiment *x);
/* Waits for a change, at most so long; the mutex is held. */
void parl_experiment_wait(experiment *x, double seconds);

/* Weighs all jobs, before any starts. */
void parl_experiment_count_all(experiment *x);
/* The job is done; the mutex is held. */
void parl_experiment_count_done(experiment *x, job *j);
/* Progress of a lane: adds the experiment's and hands it on. */
void parl_experiment_on_progress(void *context, const parl_progress *p);

/* --- experiment_pacing.c; the mutex is held --- */

bool parl_experiment_is_paced(const experiment *x, size_t cell);
/* Whether a cell that paused, or never began, may go on; one that is not paced may. */
bool parl_experiment_may_go_on(const experiment *x, size_t cell);
/* How far it goes now; false: it is not paced. */
bool parl_experiment_get_leg(const experiment *x, size_t cell, parl_leg *out);
/* After a cell paused or ended: decides anew who may go on, and prunes. Fails: ENOMEM. */
parl_status parl_experiment_pace(experiment *x);
/* Says of the pruned in the store that they are. */
parl_status parl_experiment_mark_pruned(const experiment *x);

#endif
