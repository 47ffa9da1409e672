/* core/store_internal.h - the connection, as store.c, store_schema.c and store_rows.c share it. */
#ifndef PARL_CORE_STORE_INTERNAL_H
#define PARL_CORE_STORE_INTERNAL_H
#include <sqlite3.h>
#include <stdbool.h>

#include "core/store.h"

enum { PARL_STORE_APPLICATION = 0x7061726C /* "parl", in the file's header */ };

/* Statements that are prepared at first use and kept. */
typedef enum parl_store_statement {
  PARL_STORE_ROLLBACK, /* prepared by begin, the rest by store_rows.c */
  PARL_STORE_PUT_RUN,
  PARL_STORE_FIND_RUN,
  PARL_STORE_PUT_METRIC,
  PARL_STORE_PUT_EPISODE,
  PARL_STORE_PUT_CHECKPOINT,
  PARL_STORE_PUT_FAILURE,
  PARL_STORE_N_STATEMENTS
} parl_store_statement;

struct parl_store {
  sqlite3 *db;
  char *path; /* owned */
  bool is_readonly;
  sqlite3_stmt *kept[PARL_STORE_N_STATEMENTS]; /* owned, NULL until used */
};

/* The status of an SQLite result code with the connection's error text; `verb` says what failed. */
parl_status parl_store_fail(const parl_store *store, int code, const char *verb);

/* Runs SQL that returns nothing. */
parl_status parl_store_run_sql(parl_store *store, const char *sql, const char *verb);

/* First column of the first row of a query that has one. */
parl_status parl_store_read_integer(parl_store *store, const char *sql, int64_t *out);

/* Version of the tables that this program makes. */
int64_t parl_store_get_schema(void);

/* Version of the file's tables, 0 if it is new. Fails: EFORMAT if it is no run database or a newer
 * program's; close then. */
parl_status parl_store_read_version(parl_store *store, int64_t *version);

/* Creates the tables and columns that the file lacks, in one transaction. */
parl_status parl_store_add_missing(parl_store *store);

/* Lets a reader see what a file of this version lacks as NULL, or as an empty table. */
parl_status parl_store_shadow_missing(parl_store *store, int64_t version);

/* Whether the file system of this statfs f_type is shared between machines, or may be. */
bool parl_store_is_network(long f_type);

/* Opens for reading and writing with the journal of a local or a network file system. */
parl_status parl_store_open_journal(const char *path, bool is_network, parl_store **out);

#endif
