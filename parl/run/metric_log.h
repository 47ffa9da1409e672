/* parl/run/metric_log.h - the metrics of a run as files of other programs' formats, while it is
 * trained.
 *
 * The store is the truth and the log follows it: it is written anew from the store when a run is
 * begun, gone on with, or found done without one, and grows with each update from there. So a run
 * that was killed has every update once, and a log may be asked for at any time. In it are the
 * metrics of updates and of the end, not those of pretraining, the warm start, the forecast and the
 * warnings; undefined ones are left out. With <run> for ARM-sSEED:
 *   tensorboard  <folder>/tensorboard/<run>/events.out.tfevents.*: step = update
 *   jsonl   <folder>/jsonl/<run>.jsonl: {"arm":, "seed":, "update":, "metrics": {key: value}}
 * What fails, for every call: EIO naming the file, ENOMEM, EINVAL if a path is too long; as the
 * store does. Thread rule: one thread per log. Reading order: open, append, remove. */
#ifndef PARL_PARL_RUN_METRIC_LOG_H
#define PARL_PARL_RUN_METRIC_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "core/store.h"
#include "parl/swarm/host.h"

typedef struct parl_metric_log {
  parl_metric_log_format format;
  const char *folder, *arm; /* borrowed, as the store */
  int64_t seed;
  parl_store *store;
  int64_t run_id;
  char path[1024];
} parl_metric_log;

/* Writes what the store has of the run, in the place of a log that there may be. Texts and store
 * are borrowed until the last append; there is nothing to free. */
parl_status parl_metric_log_open(parl_metric_log *log, parl_metric_log_format format,
                                 const char *folder, const char *arm, int64_t seed,
                                 parl_store *store, int64_t run_id);

/* Adds an update whose rows are committed; one that is gone meanwhile is written anew.
 *   keys, values [n] · NaN: undefined */
parl_status parl_metric_log_append(parl_metric_log *log, int64_t update, const char *const *keys,
                                   const double *values, size_t n);

/* Whether the run has a log of this format. */
bool parl_metric_log_exists(parl_metric_log_format format, const char *folder, const char *arm,
                            int64_t seed);

/* Removes the run's logs of every format. Fails: EIO. */
parl_status parl_metric_log_remove(const char *folder, const char *arm, int64_t seed);

#endif
