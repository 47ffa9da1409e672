/* parl/swarm/host.h - what the program lends to a run: where to write, how to report progress,
 * when to stop. Thread rule: shared read-only by all runs of an experiment; `progress` is called
 * from their threads. */
#ifndef PARL_PARL_SWARM_HOST_H
#define PARL_PARL_SWARM_HOST_H
#include <stdatomic.h>

#include "core/claims.h"
#include "core/log.h"
#include "lua/script_host.h"

typedef struct parl_progress {
  const char *phase; /* "warm start", "baselines", "train", "evaluate" */
  const char *arm;   /* "" outside an arm */
  int64_t seed;
  int64_t done, n; /* steps of this phase of this run */
  double r_perf;   /* latest mean; NaN if none */
  double critical_steps, launch_rate;
  double entropy, lambda1, lambda2, finish_rate, useful_rate; /* of "train"; NaN: not defined */
  /* Of the experiment, which fills these in: runs, share of the work, time to come or NaN. */
  size_t n_cells_done, n_cells;
  double share, left_s;
} parl_progress;

/* Files of metrics for other programs, beside the store: parl/run/metric_log.h. */
typedef enum parl_metric_log_format {
  PARL_METRIC_LOG_NONE,
  PARL_METRIC_LOG_TENSORBOARD,
  PARL_METRIC_LOG_JSONL
} parl_metric_log_format;

typedef struct parl_host {
  parl_log *log;                   /* may be NULL */
  const atomic_int *stop;          /* non-zero: checkpoint and return ESTOPPED; may be NULL */
  const parl_script_host *scripts; /* the same `stop` for scripts, and where they print; or NULL */
  void (*progress)(void *context,
                   const parl_progress *p); /* may be NULL; called from several threads */
  void *context;
  const char *command; /* shell line that starts it, kept with each run; NULL: not known */
  parl_claims *claims; /* a run is written only while its uid is claimed here; NULL: unasked */
  bool retry_failed;   /* runs that failed are made again */
  parl_metric_log_format metric_log; /* of every run that is trained */
} parl_host;

static inline int parl_host_is_stopped(const parl_host *host) {
  return host->stop != NULL && *host->stop != 0;
}

#endif
