/* parl/run/rows.h - the rows of the run database and what they mean: metrics, episodes, failures,
 * checkpoints, rungs.
 *
 * An episode's columns follow from PARL_FACT_LIST; docs/store.md lists the keys of metrics. Puts
 * happen between parl_store_begin and its end. What fails, for every call: as the store does.
 * Thread rule: one connection per thread. Reading order: open, the rows, put, visit. */
#ifndef PARL_PARL_RUN_ROWS_H
#define PARL_PARL_RUN_ROWS_H
#include "core/store.h"
#include "parl/learn/metrics.h"
#include "parl/swarm/failures.h"
#include "parl/swarm/trajectory.h"

/* One episode. (policy, decoding, update, family, task_seed, rollout) names it within its run.
 * Texts are borrowed and not NULL, but for the last ones. */
typedef struct parl_episode_row {
  const char *policy;         /* "trained", "untrained", "serial", "greedy_wide", "oracle", ... */
  const char *decoding;       /* "sampled", "greedy", "scripted" */
  int64_t update;             /* of the policy, in updates */
  int64_t task_seed, rollout; /* which task, which attempt at it */
  const char *family;         /* task kind, for mixtures; "" if none */
  bool failed;                /* its script did: the facts but `end` say nothing */
  parl_facts facts;           /* NaN: not known, in rows of an older parl */
  const char *scores;         /* JSON object of the environment's named numbers; NULL or "": none */
  int64_t episode_seed;       /* chance in it; 0: of an older parl */
  const char *stages;         /* JSON of its turns (parl/swarm/stages.h); NULL or "": not kept */
  const char *written; /* JSON list of the tokens that the orchestrator wrote, those that nobody
                          chose negative; NULL or "": not kept */
} parl_episode_row;

/* Episodes of a phase of a run that were left out, since their script failed. */
typedef struct parl_failure_row {
  const char *phase;   /* "warm start", "probe", "training", "evaluation"; borrowed */
  int64_t n, n_failed; /* episodes played; of them those that failed */
  const char *error;   /* text of the first failure; borrowed */
} parl_failure_row;

/* What a run was worth before it was done: a look at tasks that no result is about. The run's
 * digest and hash are without it, so that they are those of a run that nobody looked at. */
typedef struct parl_rung_row {
  int64_t updates; /* after so many; at_update is the last of them */
  int64_t n;       /* episodes of the look */
  double r_perf;   /* their mean */
} parl_rung_row;

/* parl_store_open and parl_store_open_readonly, with the tables of these rows. A file of an older
 * parl gets the tables and columns that came since, or is read as if it had them;
 * parl_store_get_missing says which. */
parl_status parl_rows_open(const char *path, parl_store **out);
parl_status parl_rows_open_readonly(const char *path, parl_store **out);
/* Tells the log what the file lacked when it was opened, if anything. log may be NULL. */
void parl_rows_say_missing(const parl_store *store, const char *path, parl_log *log);
/* The same tables for a store that is open. */
parl_status parl_rows_use(parl_store *store);

/* Puts a value, in the place of one of the same key and update if any. NaN is stored as NULL. */
parl_status parl_rows_put_metric(parl_store *store, int64_t run_id, int64_t update, const char *key,
                                 double value);
/* All of an update. Those of the groups "attention", "experts", "credit", "agents", "slots" and
 * "tasks" that are NaN are not put, nor are joules. */
parl_status parl_rows_put_metrics(parl_store *store, int64_t run_id, int64_t update,
                                  const parl_metric_table *table, const parl_metrics *m);
/* What was put, by name; NaN for what was not, so that metrics may come and go between versions:
 * appends the keys of those that an older parl did not have, "a/b, c/d". */
parl_status parl_rows_get_metrics(parl_store *store, int64_t run_id, int64_t update,
                                  const parl_metric_table *table, parl_metrics *out,
                                  parl_text *missing);
/* Puts an evaluated episode, in the place of one of the same name if any. */
parl_status parl_rows_put_episode(parl_store *store, int64_t run_id,
                                  const parl_episode_row *episode);
/* An episode that training learned from, in a table of its own: `update` is the update it was
 * played for, `rollout` its place among the update's episodes. */
parl_status parl_rows_put_training_episode(parl_store *store, int64_t run_id,
                                           const parl_episode_row *episode);
/* The row of a trajectory; env names what its stages hold, and text is where they are written. What
 * else names the episode is the caller's to add. Fails: ENOMEM. */
parl_status parl_rows_from_trajectory(const parl_trajectory *trajectory, const parl_env *env,
                                      parl_text *text, parl_episode_row *out);
/* Puts what failed in a phase, in the place of what was known of it. */
parl_status parl_rows_put_failure(parl_store *store, int64_t run_id,
                                  const parl_failure_row *failure);
parl_status parl_rows_put_failures(parl_store *store, int64_t run_id, parl_phase phase,
                                   const parl_failures *failures);
/* Puts a checkpoint, in the place of one of the same update if any. */
parl_status parl_rows_put_checkpoint(parl_store *store, int64_t run_id, int64_t update,
                                     const char *path, const char *sha256);
/* Puts a rung, in the place of one of the same update if any. */
parl_status parl_rows_put_rung(parl_store *store, int64_t run_id, const parl_rung_row *row);

/* Visitors of rows; strings and structs are borrowed for the call. A visitor that fails ends the
 * visit, which returns its status. It may read the same store, and write to another. */
typedef parl_status (*parl_metric_visitor)(void *context, int64_t update, const char *key,
                                           double value);
typedef parl_status (*parl_episode_visitor)(void *context, const parl_episode_row *episode);
typedef parl_status (*parl_failure_visitor)(void *context, const parl_failure_row *failure);
typedef parl_status (*parl_checkpoint_visitor)(void *context, int64_t update, const char *path,
                                               const char *sha256);
typedef parl_status (*parl_rung_visitor)(void *context, const parl_rung_row *row);

/* By key, update; key NULL: all keys. A NULL value is NaN. */
parl_status parl_rows_visit_metrics(parl_store *store, int64_t run_id, const char *key,
                                    parl_metric_visitor visit, void *context);
/* The last value of a key; *update is -1 if it has none. */
parl_status parl_rows_get_last_metric(parl_store *store, int64_t run_id, const char *key,
                                      int64_t *update, double *value);
/* Every key that the run has, with its first value, each found by an index. */
parl_status parl_rows_visit_keys(parl_store *store, int64_t run_id, parl_metric_visitor visit,
                                 void *context);
/* Evaluated ones, by policy, decoding, update, family, task_seed, rollout. */
parl_status parl_rows_visit_episodes(parl_store *store, int64_t run_id, parl_episode_visitor visit,
                                     void *context);
/* Those of training, likewise. */
parl_status parl_rows_visit_training_episodes(parl_store *store, int64_t run_id,
                                              parl_episode_visitor visit, void *context);
/* By phase. */
parl_status parl_rows_visit_failures(parl_store *store, int64_t run_id, parl_failure_visitor visit,
                                     void *context);
/* By update. */
parl_status parl_rows_visit_checkpoints(parl_store *store, int64_t run_id,
                                        parl_checkpoint_visitor visit, void *context);
/* By update. */
parl_status parl_rows_visit_rungs(parl_store *store, int64_t run_id, parl_rung_visitor visit,
                                  void *context);

/* Feeds the run's result into h, in an order that does not depend on when it was put: every metric
 * but those whose key begins with "time/", and of every evaluated episode its names, how it ended,
 * the facts of parl_rows_hash_run's own list and the scores. Facts that came later are left out, so
 * that the same result has the same hash in every version. */
parl_status parl_rows_hash_run(parl_store *store, int64_t run_id, parl_hash *h);

#endif
