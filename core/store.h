/* core/store.h - the run database: one SQLite file in WAL mode (rollback journal on network file
 * systems).
 *
 * Holds runs, metrics per update, episodes of evaluations, checkpoints. Every write happens inside
 * begin/commit (BEGIN IMMEDIATE, busy timeout 10 s). A NaN metric is stored as NULL.
 * Thread rule: one connection per thread; connections of several processes may share the file. */
#ifndef PARL_CORE_STORE_H
#define PARL_CORE_STORE_H
#include <stdint.h>

#include "core/hash.h"
#include "core/status.h"

enum { PARL_STORE_SCHEMA = 1 };

typedef struct parl_store parl_store;

typedef struct parl_store_run {
  char uid[PARL_HASH_HEX_BYTES]; /* hash of canonical config + seed */
  const char *recipe, *arm;      /* names */
  int64_t seed;
  const char *config;             /* canonical JSON */
  const char *status;             /* "running", "done", "failed", "stopped" */
  const char *host, *revision;    /* JSON about the machine and build; code revision */
  char hash[PARL_HASH_HEX_BYTES]; /* of metrics and weights when done, else "" */
} parl_store_run;

/* One evaluated episode. */
typedef struct parl_store_episode {
  const char *policy;   /* "trained", "untrained", "serial", "greedy_wide", "oracle", ... */
  const char *decoding; /* "sampled", "greedy", "scripted" */
  int64_t update;       /* of the policy */
  int64_t task_seed, rollout;
  const char *family; /* task kind, for mixtures; "" if none */
  double r_perf, success;
  int64_t critical_steps, total_steps, optimum_steps,
      last_gain_steps; /* critical steps at the last change of r_perf */
  int64_t launches, assigned, finished, max_width, n_tokens;
  const char *end; /* "finish", "budget", "context", "error" */
} parl_store_episode;

/* Opens or creates. Fails: ESTORE; EFORMAT if the file is not ours or of another schema version
 * (nothing is changed). */
parl_status parl_store_open(const char *path, parl_store **out);
/* Read-only; fails if absent. */
parl_status parl_store_open_readonly(const char *path, parl_store **out);
void parl_store_close(parl_store *store);

parl_status parl_store_begin(parl_store *store);
parl_status parl_store_commit(parl_store *store);
void parl_store_rollback(parl_store *store); /* no-op outside a transaction */

/* Inserts the run, or updates status/host/revision/hash of the one with this uid; returns its row
 * id. */
parl_status parl_store_put_run(parl_store *store, const parl_store_run *run, int64_t *run_id);
/* *found = 0 if absent. status [16], hash [65] are filled if found; either may be NULL. */
parl_status parl_store_find_run(parl_store *store, const char *uid, int *found, int64_t *run_id,
                                char *status, char *hash);
parl_status parl_store_put_metric(parl_store *store, int64_t run_id, int64_t update,
                                  const char *key, double value);
parl_status parl_store_put_episode(parl_store *store, int64_t run_id,
                                   const parl_store_episode *episode);
parl_status parl_store_put_checkpoint(parl_store *store, int64_t run_id, int64_t update,
                                      const char *path, const char *sha256);
/* Deletes metrics and checkpoints with update > last, and all episodes with update > last (last =
 * -1: all). */
parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last);
/* Feeds every metric and episode row of the run but keys that begin with "time/" into h, in key
 * order. */
parl_status parl_store_hash_run(parl_store *store, int64_t run_id, parl_hash *h);

/* Visits rows in a fixed order; a visitor that fails ends the visit with its status. Strings are
 * borrowed for the call. */
typedef parl_status (*parl_store_run_visitor)(void *context, int64_t run_id,
                                              const parl_store_run *run);
typedef parl_status (*parl_store_metric_visitor)(void *context, int64_t update, const char *key,
                                                 double value);
typedef parl_status (*parl_store_episode_visitor)(void *context, const parl_store_episode *episode);
parl_status parl_store_visit_runs(parl_store *store, parl_store_run_visitor visit, void *context);
/* key NULL: all keys. */
parl_status parl_store_visit_metrics(parl_store *store, int64_t run_id, const char *key,
                                     parl_store_metric_visitor visit, void *context);
parl_status parl_store_visit_episodes(parl_store *store, int64_t run_id,
                                      parl_store_episode_visitor visit, void *context);

#endif
