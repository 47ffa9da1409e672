/* core/store.h - the run database: one SQLite file, shared by any number of processes.
 *
 * Holds runs, metrics per update, episodes of evaluations, checkpoints; docs/store.md lists the
 * keys of metrics. Every write happens between begin and commit. The journal is a WAL, or a
 * rollback journal where the file lies on a network file system, whose memory cannot be shared.
 * What fails, for every call: EIO if the file cannot be opened, read or written (full disk,
 * missing, permission), EFORMAT if it is damaged, ENOMEM, ESTORE if it stays locked for 10 s or
 * refuses a row, ESTATE where begin and commit are not paired; the text names the path. After a
 * failed write, rollback. Thread rule: one connection per thread.
 * Reading order: the three structs, open, begin, put, visit. */
#ifndef PARL_CORE_STORE_H
#define PARL_CORE_STORE_H
#include <stdbool.h>
#include <stdint.h>

#include "core/hash.h"
#include "core/process.h"
#include "core/status.h"
#include "core/text.h"

typedef struct parl_store parl_store;

/* A run: one arm of a recipe with one seed. Texts are borrowed and not NULL. */
typedef struct parl_store_run {
  char uid[PARL_HASH_HEX_BYTES]; /* hash of canonical config + seed */
  const char *recipe, *arm;      /* names */
  int64_t seed;                  /* of every random number of the run */
  const char *config;            /* canonical JSON */
  const char *status; /* "pending", "running", "done", "failed", "stopped"; at most 15 bytes */
  const char *host, *revision;    /* JSON about the machine and build; code revision */
  char hash[PARL_HASH_HEX_BYTES]; /* of metrics and weights when done, else "" */
  const char *error; /* why it failed or stopped; as read: "" if neither. put_run clears it */
  bool is_retired;   /* as read: it counts no more, and is in nobody's way */
} parl_store_run;

/* That a process works on `name`, a run's uid or a file of the folder; core/claims.h makes them. A
 * copy of the database has no claims: they are of the file that they were put into. */
enum { PARL_STORE_CLAIM_NAME_BYTES = 128, PARL_STORE_TOKEN_BYTES = 33 };
typedef struct parl_store_claim {
  char name[PARL_STORE_CLAIM_NAME_BYTES];
  char token[PARL_STORE_TOKEN_BYTES]; /* of the holder: no two have the same */
  parl_process process;               /* the holder */
  int64_t renewed;                    /* seconds since 1970 by the holder's clock */
} parl_store_claim;

/* One evaluated episode. (policy, decoding, update, family, task_seed, rollout) names it within its
 * run. Texts are borrowed and not NULL. */
typedef struct parl_store_episode {
  const char *policy;         /* "trained", "untrained", "serial", "greedy_wide", "oracle", ... */
  const char *decoding;       /* "sampled", "greedy", "scripted" */
  int64_t update;             /* of the policy, in updates */
  int64_t task_seed, rollout; /* which task, which attempt at it */
  const char *family;         /* task kind, for mixtures; "" if none */
  double r_perf, success;     /* NaN: not known */
  int64_t critical_steps, total_steps, optimum_steps; /* steps */
  int64_t last_gain_steps; /* critical steps at the last change of r_perf, steps */
  int64_t launches, assigned, finished, max_width; /* counts of sub-agents and launches */
  int64_t n_tokens;                                /* of the orchestrator, tokens */
  const char *end;                                 /* "finish", "budget", "context", "error" */
  double budget_steps, serial_steps; /* steps, 0 if none; NaN in rows of an older parl */
  double useful, duplicates;         /* counts of sub-agents; NaN as above */
  bool failed;                       /* its script did: nothing above but the names is known */
  const char *optimum_is;            /* "exact", "expected", "bound"; NULL or "": not stated */
  const char *scores; /* JSON object of the environment's named numbers; NULL or "": none */
} parl_store_episode;

/* Episodes of a phase of a run that were left out, since their script failed. */
typedef struct parl_store_failure {
  const char *phase;   /* "warm start", "probe", "training", "evaluation"; borrowed */
  int64_t n, n_failed; /* episodes played; of them those that failed */
  const char *error;   /* text of the first failure; borrowed */
} parl_store_failure;

/* Opens or creates; *out is owned by the caller. A file of an older parl gets the tables and
 * columns that came since. Fails: as above, and EFORMAT if the file is no run database or a newer
 * parl's; such a file is not changed. */
parl_status parl_store_open(const char *path, parl_store **out);

/* Opens for reading, also where the folder cannot be written. What a file of an older parl lacks is
 * unknown: NULL or no rows. Fails: as parl_store_open, and EIO if the file does not exist. */
parl_status parl_store_open_readonly(const char *path, parl_store **out);

/* Rolls back what was not committed, closes, frees; NULL is allowed. */
void parl_store_close(parl_store *store);

/* Starts a transaction and waits up to 10 s for another writer's end.
 * Fails: as above; ESTATE inside a transaction or if opened for reading; ECLAIMED by a fence. */
parl_status parl_store_begin(parl_store *store);

/* Ends it. On failure nothing of the transaction remains. */
parl_status parl_store_commit(parl_store *store);

/* Undoes the transaction; a no-op outside one. Keeps the thread's error text. */
/* Ends a transaction: commits if s is OK, else rolls back; returns s or the commit's failure. */
parl_status parl_store_end(parl_store *store, parl_status s);
void parl_store_rollback(parl_store *store);

/* Returns when all that was committed so far survives a power cut: a commit by itself waits for no
 * disk, so that an update costs no more than its numbers. */
parl_status parl_store_sync(parl_store *store);

/* Inserts the run, or updates status, host, revision and hash of the one with this uid.
 *   *run_id is the row's id, valid for this file. */
parl_status parl_store_put_run(parl_store *store, const parl_store_run *run, int64_t *run_id);

/* Looks a run up by uid. *found is 0 or 1; run_id, status [16] and hash [65] are filled if found;
 * each of these three may be NULL. */
parl_status parl_store_find_run(parl_store *store, const char *uid, int *found, int64_t *run_id,
                                char *status, char *hash);

/* Inserts the run unless its uid is there: then it is left as it is. */
parl_status parl_store_plan_run(parl_store *store, const parl_store_run *run);

/* Deletes runs of this arm and seed that were planned and never begun, but for the one of this
 * uid. */
parl_status parl_store_delete_pending(parl_store *store, const char *arm, int64_t seed,
                                      const char *uid);

/* Status and error text of the run with this uid, unless it is done. */
parl_status parl_store_set_status(parl_store *store, const char *uid, const char *status,
                                  const char *error);

/* Appends the error text of a run. */
parl_status parl_store_get_error(parl_store *store, int64_t run_id, parl_text *out);

parl_status parl_store_get_retired(parl_store *store, int64_t run_id, bool *is_retired);
parl_status parl_store_set_retired(parl_store *store, int64_t run_id, bool is_retired);

/* Deletes a run and all its rows. */
parl_status parl_store_delete_run(parl_store *store, int64_t run_id);

/* The run's checkpoints lie at `path` now. */
parl_status parl_store_move_checkpoints(parl_store *store, int64_t run_id, const char *path);

/* Puts a value, in the place of one of the same key and update if any. NaN is stored as NULL.
 * Fails: as above; ESTORE if there is no such run. */
parl_status parl_store_put_metric(parl_store *store, int64_t run_id, int64_t update,
                                  const char *key, double value);

/* Puts an episode, in the place of one of the same name if any. Fails: like put_metric. */
parl_status parl_store_put_episode(parl_store *store, int64_t run_id,
                                   const parl_store_episode *episode);

/* Puts what failed in a phase, in the place of what was known of it. Fails: like put_metric. */
parl_status parl_store_put_failure(parl_store *store, int64_t run_id,
                                   const parl_store_failure *failure);

/* Puts a checkpoint, in the place of one of the same update if any. Fails: like put_metric. */
parl_status parl_store_put_checkpoint(parl_store *store, int64_t run_id, int64_t update,
                                      const char *path, const char *sha256);

/* Deletes the run's metrics, checkpoints and episodes with update > last (-1: all). */
parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last);

/* Feeds every metric and episode of the run into h, in an order that does not depend on when they
 * were put, but for keys that begin with "time/". */
parl_status parl_store_hash_run(parl_store *store, int64_t run_id, parl_hash *h);

/* Whether the run's row, its metrics and its episodes are those that were put. Every reading of a
 * run's own row checks that row by itself. A file of a parl that kept no digests is not checked.
 * Fails: as above; EFORMAT naming the run if they are not. */
parl_status parl_store_check_run(parl_store *store, int64_t run_id);

/* The file's pages and all its runs. Fails: likewise. */
parl_status parl_store_check(parl_store *store);

/* The digest of the run's metrics and episodes, as hex: what a checkpoint remembers of
 * the store. Fails: ESTATE if there is no such run. */
parl_status parl_store_get_digest(parl_store *store, int64_t run_id, char out[PARL_HASH_HEX_BYTES]);

/* From here to the end of the connection, reads see one moment of a store opened for reading. */
parl_status parl_store_hold(parl_store *store);

/* Puts a claim, in the place of one of the same name if any. */
parl_status parl_store_put_claim(parl_store *store, const parl_store_claim *claim);

/* Looks a claim up by name; *out is filled if found. */
parl_status parl_store_find_claim(parl_store *store, const char *name, int *found,
                                  parl_store_claim *out);

/* Sets `renewed` of all claims with this token. */
parl_status parl_store_renew_claims(parl_store *store, const char *token, int64_t now);

/* Deletes the claim of this token and name; name NULL: all of the token. */
parl_status parl_store_delete_claims(parl_store *store, const char *token, const char *name);

/* From now on begin fails with ECLAIMED unless the claim `name` has this token: nothing is written
 * for a run that another process took over. */
void parl_store_set_fence(parl_store *store, const char *name, const char *token);

/* Fails: ECLAIMED if a transaction would; as the store does. */
parl_status parl_store_check_fence(parl_store *store);

/* Visitors of rows; strings and structs are borrowed for the call. A visitor that fails ends the
 * visit, which returns its status. It may read the same store, and write to another. */
typedef parl_status (*parl_store_run_visitor)(void *context, int64_t run_id,
                                              const parl_store_run *run);
typedef parl_status (*parl_store_failure_visitor)(void *context, const parl_store_failure *f);
typedef parl_status (*parl_store_metric_visitor)(void *context, int64_t update, const char *key,
                                                 double value);
typedef parl_status (*parl_store_episode_visitor)(void *context, const parl_store_episode *episode);
typedef parl_status (*parl_store_checkpoint_visitor)(void *context, int64_t update,
                                                     const char *path, const char *sha256);

typedef parl_status (*parl_store_claim_visitor)(void *context, const parl_store_claim *claim);

/* In the order in which they were planned. */
parl_status parl_store_visit_runs(parl_store *store, parl_store_run_visitor visit, void *context);

/* By key, update; key NULL: all keys. A NULL value is NaN. */
parl_status parl_store_visit_metrics(parl_store *store, int64_t run_id, const char *key,
                                     parl_store_metric_visitor visit, void *context);

/* By policy, decoding, update, family, task_seed, rollout. */
parl_status parl_store_visit_episodes(parl_store *store, int64_t run_id,
                                      parl_store_episode_visitor visit, void *context);

/* By phase. */
parl_status parl_store_visit_failures(parl_store *store, int64_t run_id,
                                      parl_store_failure_visitor visit, void *context);

/* By update. */
parl_status parl_store_visit_checkpoints(parl_store *store, int64_t run_id,
                                         parl_store_checkpoint_visitor visit, void *context);

/* By name. */
parl_status parl_store_visit_claims(parl_store *store, parl_store_claim_visitor visit,
                                    void *context);

/* Version of the library inside, borrowed. */
const char *parl_store_sqlite_version(void);

#endif
