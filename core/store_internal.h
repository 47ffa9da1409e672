/* core/store_internal.h - the connection, as the files store*.c share it. */
#ifndef PARL_CORE_STORE_INTERNAL_H
#define PARL_CORE_STORE_INTERNAL_H
#include <sqlite3.h>
#include <stdbool.h>

#include "core/store.h"
#include "core/text.h"

enum { PARL_STORE_APPLICATION = 0x7061726C /* "parl", in the file's header */ };

/* Columns in the order in which they are read and hashed. Of a run: what its seal covers, then the
 * rest. */
#define PARL_STORE_RUN_COLUMNS \
  "uid, recipe, arm, seed, config, status, host, revision, hash, digest, id, seal, error, retired"
#define PARL_STORE_FAILURE_COLUMNS "phase, n, n_failed, error"

enum {
  PARL_STORE_DIGEST = 9,
  PARL_STORE_SEALED, /* so many columns of a run does its seal cover */
  PARL_STORE_ID = PARL_STORE_SEALED,
  PARL_STORE_SEAL,
  PARL_STORE_ERROR,
  PARL_STORE_RETIRED,
};

/* A row's hash tells its columns apart by name; the first ones of these tables, up to version 14,
 * by their place in this list, and so they always will. */
enum { PARL_STORE_N_OLD_TABLES = 2 };
typedef struct parl_store_old_table {
  const char *name, *columns;
  int n;
} parl_store_old_table;
extern const parl_store_old_table parl_store_old_tables[PARL_STORE_N_OLD_TABLES];
/* NULL if it is none. */
const parl_store_old_table *parl_store_find_old_table(const char *name);

/* Sum of the hashes of rows, modulo 2^64 in each lane. */
enum { PARL_STORE_LANES = 4 };
typedef struct parl_store_digest {
  uint64_t lanes[PARL_STORE_LANES];
} parl_store_digest;

/* Statements that are prepared at first use and kept. */
typedef enum parl_store_statement {
  PARL_STORE_ROLLBACK, /* prepared by begin, the next by store_runs.c */
  PARL_STORE_PUT_RUN,
  PARL_STORE_CHANGE_RUN,
  PARL_STORE_FIND_RUN,
  PARL_STORE_GET_DIGEST, /* these by store_digest.c */
  PARL_STORE_GET_SEALED,
  PARL_STORE_GET_FAILURES,
  PARL_STORE_SET_DIGEST,
  PARL_STORE_N_STATEMENTS
} parl_store_statement;

struct parl_store {
  sqlite3 *db;
  char *path; /* owned */
  bool is_readonly;
  int64_t version;  /* of the file's tables */
  bool is_counting; /* in this transaction, rows of run `counted`: its digest is `digest` */
  int64_t counted;
  parl_store_digest digest;
  const parl_store_table *tables; /* [n_tables] borrowed */
  size_t n_tables;
  parl_text digest_columns[PARL_STORE_MAX_TABLES];   /* of each table, in the order of its hash */
  sqlite3_stmt *kept_rows[PARL_STORE_MAX_TABLES][2]; /* to take a row of each out, to put one */
  parl_text missing;                                 /* what parl_store_get_missing says */
  sqlite3_stmt *kept[PARL_STORE_N_STATEMENTS];       /* owned, NULL until used */
  char fence_name[PARL_STORE_CLAIM_NAME_BYTES];      /* claim that begin demands, and */
  char fence_token[PARL_STORE_TOKEN_BYTES];          /* whose; "": none */
};

/* The status of an SQLite result code with the connection's error text; `verb` says what failed. */
parl_status parl_store_fail(const parl_store *store, int code, const char *verb);

/* Runs SQL that returns nothing. */
parl_status parl_store_run_sql(parl_store *store, const char *sql, const char *verb);

/* First column of the first row of a query that has one. */
parl_status parl_store_read_integer(parl_store *store, const char *sql, int64_t *out);

enum { PARL_STORE_DIGEST_VERSION = 11 }; /* of the tables, the first with digests and seals */

/* Version of the tables that this program makes. */
int64_t parl_store_get_schema(void);

/* Version of the file's tables, 0 if it is new. Fails: EFORMAT if it is no run database or a newer
 * program's; close then. */
parl_status parl_store_read_version(parl_store *store, int64_t *version);

/* Creates the tables and columns that the file lacks, in one transaction. */
parl_status parl_store_add_missing(parl_store *store);

/* Lets a reader see what a file of this version lacks as NULL, or as an empty table. */
parl_status parl_store_shadow_missing(parl_store *store, int64_t version);

/* Adds to what parl_store_get_missing says, if the file holds a run. column NULL: the table. */
parl_status parl_store_note_missing(parl_store *store, const char *table, const char *column);

/* Adds the hash of the present row of a table to d. */
void parl_store_digest_add_row(parl_store_digest *d, const char *table, sqlite3_stmt *row);

/* Before rows of a run change in this transaction, or the run's own row. */
parl_status parl_store_count_run(parl_store *store, int64_t run_id);

/* Adds to that run's digest, or takes out of it. */
void parl_store_count_rows(parl_store *store, const parl_store_digest *rows, bool is_out);

/* Writes digest and seal of the run that was counted; a no-op without one. */
parl_status parl_store_finish_count(parl_store *store);

/* Gives digests to the runs of a file that had none. */
parl_status parl_store_count_all(parl_store *store);

/* Compares the present row of PARL_STORE_RUN_COLUMNS, and the run's failures, with its seal. Fails:
 * EFORMAT. */
parl_status parl_store_check_seal(parl_store *store, sqlite3_stmt *run);

/* Whether the file system of this statfs f_type is shared between machines, or may be. */
bool parl_store_is_network(long f_type);

/* Opens for reading and writing with the journal of a local or a network file system. */
parl_status parl_store_open_journal(const char *path, bool is_network, parl_store **out);

#endif
