/* core/store.h - the run database: one SQLite file, shared by any number of processes.
 *
 * Holds runs, claims on them, and rows of runs in tables that the program gives: parl/run/rows.h
 * has those of parl and what they mean. Every write happens between begin and commit. The
 * journal is a WAL, or a rollback journal where the file lies on a network file system, whose
 * memory cannot be shared. What fails, for every call: EIO if the file cannot be opened, read or
 * written (full disk, missing, permission), EFORMAT if it is damaged, ENOMEM, ESTORE if it stays
 * locked for 10 s or refuses a row, ESTATE where begin and commit are not paired; the text names
 * the path. After a failed write, rollback. Thread rule: one connection per thread. Reading
 * order: run, table, open, use_tables, begin, put, visit. */
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
  const char *status; /* "pending", "running", "done", "failed", "stopped", "pruned"; of 15 bytes
                         at most */
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

/* --- tables whose rows belong to runs --- */

/* How a value is stored and handed over: `integer`; `number`, where NaN is NULL, REAL in the file,
 * or of a COUNT NUMERIC, so that whole ones stay whole; `text`, where NULL is NULL when it is put
 * and "" when it is read. */
typedef enum parl_store_type {
  PARL_STORE_INTEGER,
  PARL_STORE_COUNT,
  PARL_STORE_REAL,
  PARL_STORE_TEXT
} parl_store_type;
typedef union parl_store_value {
  int64_t integer;
  double number;
  const char *text; /* borrowed */
} parl_store_value;

typedef struct parl_store_column {
  const char *name;
  parl_store_type type;
  bool is_needed; /* never NULL, as no part of a key is */
} parl_store_column;

typedef enum parl_store_kind {
  PARL_STORE_KIND_HISTORY, /* the run's digest covers it; goes back with its updates */
  PARL_STORE_KIND_SEALED,  /* the seal of the run's row covers it: `failure` */
  PARL_STORE_KIND_LOOSE    /* nothing does; goes back with its updates */
} parl_store_kind;

/* The column that says of which update a row is: what has it is no older than update 0. */
#define PARL_STORE_UPDATE "at_update"
enum { PARL_STORE_MAX_TABLES = 8, PARL_STORE_MAX_COLUMNS = 96 };

/* Beside its columns a table has the run's id, and a row's key is that with the first n_key
 * columns. Plain data that lives as long as the store is open. */
typedef struct parl_store_table {
  const char *name;
  parl_store_kind kind;
  const parl_store_column *columns; /* [n_columns] */
  size_t n_columns, n_key;
} parl_store_table;

/* Opens or creates; *out is owned by the caller. A file of an older parl gets the tables and
 * columns that came since. Fails: as above, and EFORMAT if the file is no run database or a newer
 * parl's; such a file is not changed. */
parl_status parl_store_open(const char *path, parl_store **out);

/* Opens for reading, also where the folder cannot be written. What a file of an older parl lacks is
 * unknown: NULL or no rows. Fails: as parl_store_open, and EIO if the file does not exist. */
parl_status parl_store_open_readonly(const char *path, parl_store **out);

/* From here on the store has these tables. Once, after opening: a writer makes those that the file
 * lacks, and adds the columns that it lacks to those that it has, NULL in older rows; a reader sees
 * them so. A column that a newer program added is left alone. tables [n] are borrowed.
 * Fails: as above. */
parl_status parl_store_use_tables(parl_store *store, const parl_store_table *tables, size_t n);

/* What the file of an older program lacked before that, "table.column, table, ..."; "" if nothing,
 * or if it held no run yet. Borrowed. */
const char *parl_store_get_missing(const parl_store *store);

/* Rolls back what was not committed, closes, frees; NULL is allowed. */
void parl_store_close(parl_store *store);

/* Starts a transaction and waits up to 10 s for another writer's end.
 * Fails: as above; ESTATE inside a transaction or if opened for reading; ECLAIMED by a fence. */
parl_status parl_store_begin(parl_store *store);

/* Ends it. On failure nothing of the transaction remains. */
parl_status parl_store_commit(parl_store *store);

/* Undoes the transaction; a no-op outside one. Keeps the thread's error text. */
void parl_store_rollback(parl_store *store);

/* Ends a transaction: commits if s is OK, else rolls back; returns s or the commit's failure. */
parl_status parl_store_end(parl_store *store, parl_status s);

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

/* Puts a row, in the place of one of the same key if any. values [n_columns]; texts of the key and
 * of needed columns are not NULL. Fails: as above; ESTORE if there is no such run. */
parl_status parl_store_put_row(parl_store *store, int64_t run_id, const parl_store_table *table,
                               const parl_store_value *values);

/* Copies all rows of a run into another store that uses the same tables, as they are stored, so
 * that both runs have one digest. The run there has no rows yet. Fails: as above, of either; ESTATE
 * outside a transaction of `to`. */
parl_status parl_store_copy_rows(parl_store *from, int64_t from_id, parl_store *to, int64_t to_id);

/* Deletes the run's rows with at_update > last (-1: all), but for those of sealed tables. */
parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last);

/* Whether the run's row and its history are those that were put. Every reading of a
 * run's own row checks that row by itself. A file of a parl that kept no digests is not checked.
 * Fails: as above; EFORMAT naming the run if they are not. */
parl_status parl_store_check_run(parl_store *store, int64_t run_id);

/* The file's pages and all its runs. Fails: likewise. */
parl_status parl_store_check(parl_store *store);

/* The digest of the run's history, as hex: what a checkpoint remembers of the store. Fails:
 * ESTATE if there is no such run. */
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
/* values [n_columns] of the table. */
typedef parl_status (*parl_store_row_visitor)(void *context, const parl_store_value *values);
typedef parl_status (*parl_store_claim_visitor)(void *context, const parl_store_claim *claim);

/* In the order in which they were planned. */
parl_status parl_store_visit_runs(parl_store *store, parl_store_run_visitor visit, void *context);

/* The run's rows whose first n_equal columns, of the key, are `equal` [n_equal]; in the order of
 * the key. */
parl_status parl_store_visit_rows(parl_store *store, int64_t run_id, const parl_store_table *table,
                                  const parl_store_value *equal, size_t n_equal,
                                  parl_store_row_visitor visit, void *context);

/* The same, of these rows, the first `limit` at most whose next column of the key comes after
 * `after` (NULL: all); or, backwards, the last ones, the last first, before it. */
typedef struct parl_store_part {
  const parl_store_value *after; /* of column n_equal */
  bool backwards;
  int64_t limit; /* -1: none */
} parl_store_part;
parl_status parl_store_visit_part(parl_store *store, int64_t run_id, const parl_store_table *table,
                                  const parl_store_value *equal, size_t n_equal,
                                  const parl_store_part *part, parl_store_row_visitor visit,
                                  void *context);

/* By name. */
parl_status parl_store_visit_claims(parl_store *store, parl_store_claim_visitor visit,
                                    void *context);

/* Version of the library inside, borrowed. */
const char *parl_store_sqlite_version(void);

#endif
