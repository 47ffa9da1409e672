/* parl/run/run_room.c - takes an arm out of a folder: deletes its runs, or sets them aside. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "core/file.h"
#include "parl/run/metric_log.h"
#include "parl/run/rows.h"
#include "parl/run/run_list.h"

typedef struct taken_run {
  int64_t id, seed;
  char uid[PARL_HASH_HEX_BYTES], status[16];
  bool is_retired;
} taken_run;

typedef struct selection {
  const char *folder, *arm;
  bool to_remove;
  parl_store *store;
  size_t n, capacity;
  taken_run *runs; /* of the arm */
  size_t n_names;
  const char *names[64]; /* some of the other arms, owned */
} selection;

parl_status parl_run_get_checkpoint_path(const char *folder, const char *arm, int64_t seed,
                                         char out[1024]) {
  const int n =
      snprintf(out, 1024, "%s/checkpoints/%s-s%" PRId64 ".safetensors", folder, arm, seed);
  if (n > 0 && n < 1024) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "run.dir or the name of arm \"%s\" is too long: %s", arm,
                   folder);
}

/* --- which runs --- */

static parl_status note_name(selection *x, const char *name) {
  for (size_t i = 0; i < x->n_names; i++)
    if (strcmp(x->names[i], name) == 0) return PARL_STATUS_OK;
  if (x->n_names == sizeof x->names / sizeof x->names[0]) return PARL_STATUS_OK;
  x->names[x->n_names] = strdup(name);
  if (x->names[x->n_names] == NULL) return parl_fail(PARL_STATUS_ENOMEM, "runs: no memory");
  x->n_names++;
  return PARL_STATUS_OK;
}

static parl_status take_run(void *context, int64_t run_id, const parl_store_run *run) {
  selection *x = context;
  if (strcmp(run->arm, x->arm) != 0) return note_name(x, run->arm);
  if (x->n == x->capacity) {
    const size_t larger = 2 * x->capacity + 16;
    taken_run *runs = realloc(x->runs, larger * sizeof *runs);
    if (runs == NULL) return parl_fail(PARL_STATUS_ENOMEM, "runs: no memory");
    x->runs = runs;
    x->capacity = larger;
  }
  taken_run *t = &x->runs[x->n++];
  *t = (taken_run){.id = run_id, .seed = run->seed, .is_retired = run->is_retired};
  memcpy(t->uid, run->uid, sizeof t->uid);
  snprintf(t->status, sizeof t->status, "%s", run->status);
  return PARL_STATUS_OK;
}

/* Those that are not retired; to remove, the retired ones where there are no others. */
static void choose(selection *x) {
  size_t n_active = 0, kept = 0;
  for (size_t i = 0; i < x->n; i++) n_active += !x->runs[i].is_retired;
  const bool retired = n_active == 0 && x->to_remove;
  for (size_t i = 0; i < x->n; i++)
    if (x->runs[i].is_retired == retired) x->runs[kept++] = x->runs[i];
  x->n = kept;
}

static parl_status refuse_held(const selection *x) {
  for (size_t i = 0; i < x->n; i++) {
    parl_store_claim claim;
    char holder[PARL_CLAIM_HOLDER_BYTES];
    int found = 0;
    PARL_TRY(parl_store_find_claim(x->store, x->runs[i].uid, &found, &claim));
    if (!found || !parl_claim_is_alive(&claim)) continue;
    parl_claim_describe(&claim, holder);
    return parl_fail(PARL_STATUS_ESTATE,
                     "%s: %s is at arm \"%s\", seed %" PRId64
                     "; nothing was changed: stop it first",
                     x->folder, holder, x->arm, x->runs[i].seed);
  }
  return PARL_STATUS_OK;
}

static parl_status select_runs(selection *x) {
  PARL_TRY(parl_store_visit_runs(x->store, take_run, x));
  choose(x);
  if (x->n > 0) return refuse_held(x);
  const char *near = parl_nearest(x->arm, x->names, x->n_names);
  return parl_fail(PARL_STATUS_EINVAL, "%s holds no run of arm \"%s\"%s%s%s%s", x->folder, x->arm,
                   x->to_remove ? "" : " that is not retired", near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

static parl_status open_selection(selection *x) {
  char path[1024];
  PARL_TRY(parl_file_join(path, sizeof path, x->folder, "store.db"));
  if (!parl_file_exists(path))
    return parl_fail(PARL_STATUS_EIO, "%s: no such file: the folder holds no runs", path);
  return parl_rows_open(path, &x->store);
}

static void close_selection(selection *x) {
  for (size_t i = 0; i < x->n_names; i++) free((void *)x->names[i]);
  free(x->runs);
  parl_store_close(x->store);
}

/* --- files --- */

/* Stored paths are as the command that trained saw them; the file lies in the folder's own. */
static parl_status locate(const char *folder, const char *stored, char out[1024]) {
  const char *slash = strrchr(stored, '/');
  char checkpoints[1024];
  PARL_TRY(parl_file_join(checkpoints, sizeof checkpoints, folder, "checkpoints"));
  return parl_file_join(out, 1024, checkpoints, slash == NULL ? stored : slash + 1);
}

static parl_status remove_file(const char *path) {
  if (unlink(path) == 0 || errno == ENOENT) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "%s: cannot delete: %s", path, strerror(errno));
}

static parl_status move_file(const char *from, const char *to) {
  if (rename(from, to) == 0 || errno == ENOENT) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EIO, "%s: cannot rename to %s: %s", from, to, strerror(errno));
}

static parl_status remove_checkpoint(void *context, int64_t update, const char *path,
                                     const char *sha256) {
  (void)update;
  (void)sha256;
  char file[1024];
  PARL_TRY(locate(context, path, file));
  return remove_file(file);
}

/* Where a retired run's checkpoint goes: beside, under a name that no run uses. */
static parl_status get_retired_path(const char *folder, const char *arm, int64_t seed,
                                    const char *uid, char out[1024]) {
  char name[512];
  snprintf(name, sizeof name, "%s-s%" PRId64 ".retired-%.8s.safetensors", arm, seed, uid);
  return locate(folder, name, out);
}

/* --- the changes --- */

/* Files first: what is cut short leaves rows, which name the files; the same command ends it. */
static parl_status remove_run(selection *x, const taken_run *t) {
  char path[1024];
  PARL_TRY(parl_rows_visit_checkpoints(x->store, t->id, remove_checkpoint, (void *)x->folder));
  PARL_TRY(parl_run_get_checkpoint_path(x->folder, x->arm, t->seed, path));
  if (!t->is_retired) {
    PARL_TRY(remove_file(path)); /* saved, but not stored any more */
    PARL_TRY(parl_metric_log_remove(x->folder, x->arm, t->seed));
  }
  return parl_store_delete_run(x->store, t->id);
}

static parl_status retire_run(selection *x, const taken_run *t) {
  char from[1024], to[1024];
  PARL_TRY(parl_run_get_checkpoint_path(x->folder, x->arm, t->seed, from));
  PARL_TRY(get_retired_path(x->folder, x->arm, t->seed, t->uid, to));
  PARL_TRY(move_file(from, to));
  PARL_TRY(parl_metric_log_remove(x->folder, x->arm, t->seed));
  PARL_TRY(parl_store_move_checkpoints(x->store, t->id, to));
  return parl_store_set_retired(x->store, t->id, true);
}

parl_status parl_run_list_restore(parl_store *store, const char *folder, int64_t run_id,
                                  const char *uid, const char *arm, int64_t seed) {
  char from[1024], to[1024];
  PARL_TRY(get_retired_path(folder, arm, seed, uid, from));
  PARL_TRY(parl_run_get_checkpoint_path(folder, arm, seed, to));
  PARL_TRY(move_file(from, to));
  PARL_TRY(parl_store_move_checkpoints(store, run_id, to));
  return parl_store_set_retired(store, run_id, false);
}

/* In one transaction, in which no process can claim a run. */
static parl_status change(selection *x, parl_status (*one)(selection *, const taken_run *)) {
  parl_status s = open_selection(x);
  if (s == PARL_STATUS_OK) s = parl_store_begin(x->store);
  if (s == PARL_STATUS_OK) {
    s = select_runs(x);
    for (size_t i = 0; s == PARL_STATUS_OK && i < x->n; i++) s = one(x, &x->runs[i]);
    s = parl_store_end(x->store, s);
  }
  close_selection(x);
  return s;
}

parl_status parl_run_list_remove_arm(const char *folder, const char *arm) {
  return change(&(selection){.folder = folder, .arm = arm, .to_remove = true}, remove_run);
}

parl_status parl_run_list_retire_arm(const char *folder, const char *arm) {
  return change(&(selection){.folder = folder, .arm = arm}, retire_run);
}

typedef struct tally {
  size_t n_metrics, n_episodes, n_checkpoints;
} tally;

static parl_status count_metric(void *context, int64_t update, const char *key, double value) {
  (void)update;
  (void)key;
  (void)value;
  ((tally *)context)->n_metrics++;
  return PARL_STATUS_OK;
}

static parl_status count_episode(void *context, const parl_episode_row *e) {
  (void)e;
  ((tally *)context)->n_episodes++;
  return PARL_STATUS_OK;
}

static parl_status count_checkpoint(void *context, int64_t update, const char *path,
                                    const char *sha256) {
  (void)update;
  (void)path;
  (void)sha256;
  ((tally *)context)->n_checkpoints++;
  return PARL_STATUS_OK;
}

static parl_status name_run(selection *x, const taken_run *t, parl_text *out) {
  tally n = {0};
  PARL_TRY(parl_rows_visit_metrics(x->store, t->id, NULL, count_metric, &n));
  PARL_TRY(parl_rows_visit_episodes(x->store, t->id, count_episode, &n));
  PARL_TRY(parl_rows_visit_training_episodes(x->store, t->id, count_episode, &n));
  PARL_TRY(parl_rows_visit_checkpoints(x->store, t->id, count_checkpoint, &n));
  parl_text_appendf(
      out, "arm \"%s\", seed %" PRId64 ", %s: %zu metrics, %zu episodes, %zu checkpoints\n", x->arm,
      t->seed, t->is_retired ? "retired" : t->status, n.n_metrics, n.n_episodes, n.n_checkpoints);
  return parl_text_status(out);
}

parl_status parl_run_list_find_arm(const char *folder, const char *arm, bool to_remove,
                                   parl_text *out) {
  selection x = {.folder = folder, .arm = arm, .to_remove = to_remove};
  parl_status s = open_selection(&x);
  if (s == PARL_STATUS_OK) s = select_runs(&x);
  for (size_t i = 0; s == PARL_STATUS_OK && i < x.n; i++) s = name_run(&x, &x.runs[i], out);
  close_selection(&x);
  return s;
}
