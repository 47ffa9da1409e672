/* core/store_query.h - statements of SQL, as the files of the store that read and write rows use
 * them. */
#ifndef PARL_CORE_STORE_QUERY_H
#define PARL_CORE_STORE_QUERY_H
#include <math.h>

#include "core/store_internal.h"

/* A statement whose parameters are bound one after the other; the first failure stays. */
typedef struct query {
  parl_store *store;
  sqlite3_stmt *statement;
  int n_bound;
  int code;
} query;

static inline void bind_integer(query *q, int64_t x) {
  if (q->code == SQLITE_OK) q->code = sqlite3_bind_int64(q->statement, ++q->n_bound, x);
}

static inline void bind_real(query *q, double x) { /* SQLite stores NaN as NULL */
  if (q->code == SQLITE_OK) q->code = sqlite3_bind_double(q->statement, ++q->n_bound, x);
}

static inline void bind_text(query *q, const char *s) {
  if (q->code == SQLITE_OK)
    q->code = sqlite3_bind_text(q->statement, ++q->n_bound, s, -1, SQLITE_STATIC);
}

static inline parl_status open_once(parl_store *store, const char *sql, query *out) {
  *out = (query){.store = store, .code = SQLITE_OK};
  const int code = sqlite3_prepare_v2(store->db, sql, -1, &out->statement, NULL);
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, "prepare a statement");
}

/* Moves to the next row. *has_row false: there is none. */
static inline parl_status step(query *q, const char *verb, bool *has_row) {
  if (q->code == SQLITE_OK) q->code = sqlite3_step(q->statement);
  *has_row = q->code == SQLITE_ROW;
  if (q->code != SQLITE_ROW && q->code != SQLITE_DONE)
    return parl_store_fail(q->store, q->code, verb);
  q->code = SQLITE_OK;
  return PARL_STATUS_OK;
}

/* Runs a kept statement that returns no rows and makes it ready for its next use; resetting also
 * lets go of the texts bound to it. */
static inline parl_status finish_kept(query *q, const char *verb) {
  bool has_row;
  const parl_status s = step(q, verb, &has_row);
  sqlite3_reset(q->statement);
  sqlite3_clear_bindings(q->statement);
  return s;
}

/* The same for a statement that is used once. */
static inline parl_status finish_once(query *q, const char *verb) {
  bool has_row;
  const parl_status s = step(q, verb, &has_row);
  sqlite3_finalize(q->statement);
  return s;
}

static inline parl_status require_transaction(const parl_store *store) {
  if (sqlite3_get_autocommit(store->db))
    return parl_fail(PARL_STATUS_ESTATE, "%s: rows are put between begin and commit only",
                     store->path);
  return PARL_STATUS_OK;
}

static inline const char *get_text(query *q, int column) {
  const unsigned char *s = sqlite3_column_text(q->statement, column);
  if (s == NULL && sqlite3_column_type(q->statement, column) != SQLITE_NULL) q->code = SQLITE_NOMEM;
  return s == NULL ? "" : (const char *)s;
}

static inline double get_real(const query *q, int column) {
  return sqlite3_column_type(q->statement, column) == SQLITE_NULL
             ? (double)NAN
             : sqlite3_column_double(q->statement, column);
}

static inline int64_t get_integer(const query *q, int column) {
  return sqlite3_column_int64(q->statement, column);
}

/* A reading of a row is whole if no text ran out of memory. */
static inline parl_status check_row(const query *q) {
  return q->code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(q->store, q->code, "read");
}

/* Reads the present row and hands it to a visitor. */
typedef parl_status (*row_reader)(query *q, void *visit);

/* Visits every row of a query and closes it. */
static inline parl_status visit_rows(query *q, row_reader read, void *visit) {
  bool has_row = true;
  parl_status s = PARL_STATUS_OK;
  while (s == PARL_STATUS_OK) {
    s = step(q, "read rows", &has_row);
    if (s != PARL_STATUS_OK || !has_row) break;
    s = read(q, visit);
  }
  sqlite3_finalize(q->statement);
  return s;
}

#endif
