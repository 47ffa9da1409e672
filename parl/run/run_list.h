/* parl/run/run_list.h - the runs of a folder as one asks for them, and how to make room in it.
 *
 * Thread rule: pure functions of the folder; other processes may be training in it.
 * Reading order: parl_run_line, visit, find_arm, remove_arm, retire_arm. */
#ifndef PARL_PARL_RUN_RUN_LIST_H
#define PARL_PARL_RUN_RUN_LIST_H
#include "core/claims.h"
#include "core/text.h"

/* A run, planned or begun. Texts are borrowed. */
typedef struct parl_run_line {
  int64_t id; /* of its row */
  const parl_store_run *run;
  const char *status; /* "pending", "running", "done", "failed", "stopped", "pruned"; "lost": its
                       * process ended without a word; "retired" */
  const char *holder; /* of a running one: "process 123 on host"; else "" */
  bool is_trained;
  int64_t update, n_updates; /* of a trained one: made, planned */
  double r_perf;             /* of the evaluation, or of the last update; NaN: none yet */
  double time_s;             /* of its updates and evaluations, wall clock; NaN: none yet */
} parl_run_line;

typedef parl_status (*parl_run_line_visitor)(void *context, const parl_run_line *line);

/* Every run of the folder in the order of its plan. Fails: as the store does; with the visitor. */
parl_status parl_run_list_visit(const char *folder, parl_run_line_visitor visit, void *context);
/* The same of a store that is open, without their times, which take a reading of every update. */
parl_status parl_run_list_visit_store(parl_store *store, parl_run_line_visitor visit,
                                      void *context);

/* Appends a line for each run that remove_arm or retire_arm would take: those of the arm that are
 * not retired or, for removing, the retired ones where there are no others.
 * Fails: EINVAL if there is none, naming the nearest arm; ESTATE if one is being trained. */
parl_status parl_run_list_find_arm(const char *folder, const char *arm, bool to_remove,
                                   parl_text *out);

/* Deletes these runs, their metrics, episodes and checkpoints. Fails: as find_arm; EIO. What was
 * cut short is finished by the same call. */
parl_status parl_run_list_remove_arm(const char *folder, const char *arm);

/* Keeps them out of the report, and out of the way of runs of the same arm and seed. A recipe that
 * plans one of them brings it back. Fails: as remove_arm. */
parl_status parl_run_list_retire_arm(const char *folder, const char *arm);

/* Brings a retired run back. store: in a transaction. Fails: EIO; as the store does. */
parl_status parl_run_list_restore(parl_store *store, const char *folder, int64_t run_id,
                                  const char *uid, const char *arm, int64_t seed);

/* "<folder>/checkpoints/<arm>-s<seed>.safetensors" into out. Fails: EINVAL if it is too long. */
parl_status parl_run_get_checkpoint_path(const char *folder, const char *arm, int64_t seed,
                                         char out[1024]);

#endif
