/* core/store_digest.c - whether the rows are those that were put.
 *
 * The digest of a run is the sum of its rows' hashes, so it does not depend on the order in which
 * they were put, and a row can be taken out of it; the seal is a hash of the run's own row with
 * that digest in it. Both are kept up to date by every write, and hold what one bit could
 * change. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store_internal.h"
#include "core/text.h"

const parl_store_old_table parl_store_old_tables[PARL_STORE_N_OLD_TABLES] = {
    {"metric", "at_update, key, value", 3},
    {"episode",
     "policy, decoding, at_update, family, task_seed, rollout, r_perf, success, critical_steps,"
     " total_steps, optimum_steps, last_gain_steps, launches, assigned, finished, max_width,"
     " n_tokens, end, budget_steps, serial_steps, useful, duplicates, failed, optimum_is, scores",
     25},
};

const parl_store_old_table *parl_store_find_old_table(const char *name) {
  for (int i = 0; i < PARL_STORE_N_OLD_TABLES; i++)
    if (strcmp(parl_store_old_tables[i].name, name) == 0) return &parl_store_old_tables[i];
  return NULL;
}

/* Least significant byte first on every machine. */
static void hash_integer(parl_hash *h, int64_t x) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
  parl_hash_update(h, bytes, sizeof bytes);
}

/* SQLite keeps a whole real as an integer, and hands it out as either: both hash as one. */
static bool is_whole(double x) {
  return fabs(x) <= 0x1p53 && x == trunc(x);
}

static void hash_real(parl_hash *h, double x) {
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  hash_integer(h, is_whole(x) ? SQLITE_INTEGER : SQLITE_FLOAT);
  hash_integer(h, is_whole(x) ? (int64_t)x : bits);
}

static void hash_text(parl_hash *h, const void *bytes, int n) {
  hash_integer(h, SQLITE_TEXT);
  hash_integer(h, n);
  parl_hash_update(h, bytes, (size_t)n);
}

/* NULL counts as absent, so a column that comes to a table later changes no older row's hash. The
 * first n_placed columns are known by their place, the others by name. */
static void hash_column(parl_hash *h, sqlite3_stmt *row, int i, int n_placed) {
  const int type = sqlite3_column_type(row, i);
  if (type == SQLITE_NULL) return;
  const char *name = i < n_placed ? NULL : sqlite3_column_name(row, i);
  if (name == NULL)
    hash_integer(h, i);
  else
    hash_text(h, name, (int)strlen(name));
  if (type == SQLITE_INTEGER) {
    hash_integer(h, SQLITE_INTEGER);
    hash_integer(h, sqlite3_column_int64(row, i));
  } else if (type == SQLITE_FLOAT) {
    hash_real(h, sqlite3_column_double(row, i));
  } else {
    const void *bytes = sqlite3_column_blob(row, i); /* before its size is asked for */
    hash_text(h, bytes, sqlite3_column_bytes(row, i));
  }
}

static void hash_row(parl_hash *h, const char *table, sqlite3_stmt *row, int n, int n_placed) {
  parl_hash_update(h, table, strlen(table) + 1);
  for (int i = 0; i < n; i++) hash_column(h, row, i, n_placed);
}

/* --- the sum --- */

void parl_store_digest_add_row(parl_store_digest *d, const char *table, sqlite3_stmt *row) {
  unsigned char bytes[PARL_HASH_BYTES];
  parl_hash h;
  parl_hash_init(&h);
  const parl_store_old_table *old = parl_store_find_old_table(table);
  hash_row(&h, table, row, sqlite3_column_count(row), old != NULL ? old->n : 0);
  parl_hash_finish_bytes(&h, bytes);
  for (int i = 0; i < PARL_HASH_BYTES; i++) d->lanes[i / 8] += (uint64_t)bytes[i] << 8 * (i % 8);
}

/* "" is the digest of no rows. */
static parl_store_digest parse_digest(const char *hex) {
  parl_store_digest d = {0};
  for (int i = 0; i < PARL_STORE_LANES && strlen(hex) == PARL_HASH_HEX_BYTES - 1; i++) {
    char lane[17] = "";
    memcpy(lane, hex + 16 * i, 16);
    d.lanes[i] = strtoull(lane, NULL, 16);
  }
  return d;
}

static void write_digest(const parl_store_digest *d, char out[PARL_HASH_HEX_BYTES]) {
  for (int i = 0; i < PARL_STORE_LANES; i++)
    snprintf(out + 16 * i, 17, "%016llx", (unsigned long long)d->lanes[i]);
}

void parl_store_count_rows(parl_store *store, const parl_store_digest *rows, bool is_out) {
  for (int i = 0; i < PARL_STORE_LANES; i++)
    store->digest.lanes[i] += is_out ? -rows->lanes[i] : rows->lanes[i];
}

/* --- keeping it --- */

static parl_status open_kept(parl_store *store, parl_store_statement which, const char *sql,
                             int64_t run_id, sqlite3_stmt **out) {
  sqlite3_stmt **kept = &store->kept[which];
  int code = SQLITE_OK;
  if (*kept == NULL)
    code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
  if (code == SQLITE_OK) code = sqlite3_bind_int64(*kept, 1, run_id);
  if (code != SQLITE_OK) return parl_store_fail(store, code, "prepare a statement");
  *out = *kept;
  return PARL_STATUS_OK;
}

static parl_status end_kept(parl_store *store, sqlite3_stmt *q, int code) {
  const parl_status s = code == SQLITE_ROW || code == SQLITE_DONE
                            ? PARL_STATUS_OK
                            : parl_store_fail(store, code, "keep the digest");
  sqlite3_reset(q);
  sqlite3_clear_bindings(q);
  return s;
}

/* No such run: the digest of no rows, and *found false. */
static parl_status get_digest(parl_store *store, int64_t run_id, bool *found,
                              parl_store_digest *out) {
  sqlite3_stmt *q = NULL;
  PARL_TRY(
      open_kept(store, PARL_STORE_GET_DIGEST, "SELECT digest FROM run WHERE id=?", run_id, &q));
  const int code = sqlite3_step(q);
  const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
  *found = code == SQLITE_ROW;
  *out = parse_digest(text != NULL ? text : "");
  return end_kept(store, q, code);
}

parl_status parl_store_count_run(parl_store *store, int64_t run_id) {
  if (store->is_counting && store->counted == run_id) return PARL_STATUS_OK;
  PARL_TRY(parl_store_finish_count(store));
  bool found = false;
  PARL_TRY(get_digest(store, run_id, &found, &store->digest));
  store->counted = run_id;
  store->is_counting = true;
  return PARL_STATUS_OK;
}

/* Of the present row of PARL_STORE_RUN_COLUMNS, and of the run's failures, which come and change
 * outside its history. */
static parl_status make_seal(parl_store *store, sqlite3_stmt *run, char out[PARL_HASH_HEX_BYTES]) {
  sqlite3_stmt *q = NULL;
  int code;
  parl_hash h;
  parl_hash_init(&h);
  hash_row(&h, "run", run, PARL_STORE_SEALED, PARL_STORE_SEALED);
  PARL_TRY(open_kept(store, PARL_STORE_GET_FAILURES,
                     "SELECT " PARL_STORE_FAILURE_COLUMNS
                     " FROM failure WHERE run_id=? ORDER BY phase",
                     sqlite3_column_int64(run, PARL_STORE_ID), &q));
  while ((code = sqlite3_step(q)) == SQLITE_ROW)
    hash_row(&h, "failure", q, sqlite3_column_count(q), sqlite3_column_count(q));
  PARL_TRY(end_kept(store, q, code));
  parl_hash_finish(&h, out);
  return PARL_STATUS_OK;
}

static parl_status set_digest(parl_store *store, const char *digest, const char *seal) {
  sqlite3_stmt *q = NULL;
  PARL_TRY(open_kept(store, PARL_STORE_SET_DIGEST, "UPDATE run SET digest=?2, seal=?3 WHERE id=?1",
                     store->counted, &q));
  int code = sqlite3_bind_text(q, 2, digest, -1, SQLITE_STATIC);
  if (code == SQLITE_OK) code = sqlite3_bind_text(q, 3, seal, -1, SQLITE_STATIC);
  if (code == SQLITE_OK) code = sqlite3_step(q);
  return end_kept(store, q, code);
}

/* The seal covers the digest, so that is written first. */
parl_status parl_store_finish_count(parl_store *store) {
  if (!store->is_counting) return PARL_STATUS_OK;
  char digest[PARL_HASH_HEX_BYTES], seal[PARL_HASH_HEX_BYTES] = "";
  write_digest(&store->digest, digest);
  PARL_TRY(set_digest(store, digest, seal));
  sqlite3_stmt *q = NULL;
  PARL_TRY(open_kept(store, PARL_STORE_GET_SEALED,
                     "SELECT " PARL_STORE_RUN_COLUMNS " FROM run WHERE id=?", store->counted, &q));
  const int code = sqlite3_step(q);
  const parl_status s = code == SQLITE_ROW ? make_seal(store, q, seal) : PARL_STATUS_OK;
  PARL_TRY(end_kept(store, q, code));
  PARL_TRY(s);
  PARL_TRY(set_digest(store, digest, seal));
  store->is_counting = false;
  return PARL_STATUS_OK;
}

parl_status parl_store_get_digest(parl_store *store, int64_t run_id,
                                  char out[PARL_HASH_HEX_BYTES]) {
  bool found = false;
  parl_store_digest d;
  PARL_TRY(parl_store_finish_count(store));
  PARL_TRY(get_digest(store, run_id, &found, &d));
  if (!found)
    return parl_fail(PARL_STATUS_ESTATE, "%s: has no run %lld", store->path, (long long)run_id);
  write_digest(&d, out);
  return PARL_STATUS_OK;
}

/* --- checking it --- */

static bool has_digests(const parl_store *store) {
  return store->version >= PARL_STORE_DIGEST_VERSION;
}

static parl_status fail_check(const parl_store *store, sqlite3_stmt *run, const char *what) {
  const char *arm = (const char *)sqlite3_column_text(run, 2);
  return parl_fail(PARL_STATUS_EFORMAT,
                   "%s: the %s of arm \"%.80s\" with seed %lld is not what was stored: the file is "
                   "damaged, or another program changed it; take the file from a copy",
                   store->path, what, arm != NULL ? arm : "?",
                   (long long)sqlite3_column_int64(run, 3));
}

parl_status parl_store_check_seal(parl_store *store, sqlite3_stmt *run) {
  if (!has_digests(store)) return PARL_STATUS_OK;
  char due[PARL_HASH_HEX_BYTES];
  PARL_TRY(make_seal(store, run, due));
  const char *seal = (const char *)sqlite3_column_text(run, PARL_STORE_SEAL);
  return seal != NULL && strcmp(seal, due) == 0 ? PARL_STATUS_OK : fail_check(store, run, "row");
}

static parl_status prepare(parl_store *store, const char *sql, int64_t run_id, sqlite3_stmt **out) {
  int code = sqlite3_prepare_v2(store->db, sql, -1, out, NULL);
  if (code == SQLITE_OK) code = sqlite3_bind_int64(*out, 1, run_id);
  return code == SQLITE_OK ? PARL_STATUS_OK : parl_store_fail(store, code, "read");
}

static parl_status sum_table(parl_store *store, const char *table, const char *columns,
                             int64_t run_id, parl_store_digest *sum) {
  parl_text sql = {0};
  sqlite3_stmt *q = NULL;
  int code = SQLITE_OK;
  parl_text_appendf(&sql, "SELECT %s FROM %s WHERE run_id=?", columns, table);
  parl_status s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = prepare(store, parl_text_get(&sql), run_id, &q);
  while (s == PARL_STATUS_OK && (code = sqlite3_step(q)) == SQLITE_ROW)
    parl_store_digest_add_row(sum, table, q);
  if (s == PARL_STATUS_OK && code != SQLITE_DONE) s = parl_store_fail(store, code, "read");
  sqlite3_finalize(q);
  parl_text_deinit(&sql);
  return s;
}

static parl_status sum_rows(parl_store *store, int64_t run_id, parl_store_digest *out) {
  *out = (parl_store_digest){0};
  for (size_t i = 0; i < store->n_tables; i++)
    if (store->tables[i].kind == PARL_STORE_KIND_HISTORY)
      PARL_TRY(sum_table(store, store->tables[i].name, parl_text_get(&store->digest_columns[i]),
                         run_id, out));
  return PARL_STATUS_OK;
}

/* run: the present row of PARL_STORE_RUN_COLUMNS. */
static parl_status check_run(parl_store *store, sqlite3_stmt *run) {
  char found[PARL_HASH_HEX_BYTES];
  parl_store_digest sum;
  PARL_TRY(parl_store_check_seal(store, run));
  PARL_TRY(sum_rows(store, sqlite3_column_int64(run, PARL_STORE_ID), &sum));
  write_digest(&sum, found);
  const char *due = (const char *)sqlite3_column_text(run, PARL_STORE_DIGEST);
  return due != NULL && strcmp(due, found) == 0 ? PARL_STATUS_OK
                                                : fail_check(store, run, "history");
}

/* run_id NULL: all of them. */
static parl_status check_runs(parl_store *store, const int64_t *run_id) {
  sqlite3_stmt *q = NULL;
  int code = SQLITE_OK;
  int64_t n = 0;
  parl_status s = prepare(store, "SELECT " PARL_STORE_RUN_COLUMNS " FROM run WHERE id=?1 OR ?2",
                          run_id != NULL ? *run_id : 0, &q);
  if (s == PARL_STATUS_OK) (void)sqlite3_bind_int(q, 2, run_id == NULL);
  for (; s == PARL_STATUS_OK && (code = sqlite3_step(q)) == SQLITE_ROW; n++)
    s = check_run(store, q);
  if (s == PARL_STATUS_OK && code != SQLITE_DONE) s = parl_store_fail(store, code, "read");
  sqlite3_finalize(q);
  if (s == PARL_STATUS_OK && run_id != NULL && n != 1)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: has %lld runs of number %lld", store->path,
                     (long long)n, (long long)*run_id);
  return s;
}

/* Digest and rows are read at one moment, for another process may be writing. */
static parl_status check(parl_store *store, const int64_t *run_id) {
  if (!has_digests(store)) return PARL_STATUS_OK;
  if (!sqlite3_get_autocommit(store->db)) {
    PARL_TRY(parl_store_finish_count(store));
    return check_runs(store, run_id);
  }
  PARL_TRY(parl_store_run_sql(store, "BEGIN", "read"));
  const parl_status s = check_runs(store, run_id);
  (void)sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL); /* nothing was written */
  return s;
}

parl_status parl_store_check_run(parl_store *store, int64_t run_id) {
  return check(store, &run_id);
}

parl_status parl_store_check(parl_store *store) {
  int64_t n_faults = 0;
  PARL_TRY(parl_store_read_integer(
      store, "SELECT count(*) FROM pragma_quick_check WHERE quick_check<>'ok'", &n_faults));
  if (n_faults > 0)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: its pages are damaged; take the file from a copy",
                     store->path);
  return check(store, NULL);
}

static parl_status next_uncounted(parl_store *store, int64_t *run_id) {
  return parl_store_read_integer(store, "SELECT coalesce(min(id), 0) FROM run WHERE digest IS NULL",
                                 run_id);
}

/* Such a file has no other tables. */
static parl_status sum_old_rows(parl_store *store, int64_t run_id) {
  store->digest = (parl_store_digest){0};
  for (int i = 0; i < PARL_STORE_N_OLD_TABLES; i++)
    PARL_TRY(sum_table(store, parl_store_old_tables[i].name, parl_store_old_tables[i].columns,
                       run_id, &store->digest));
  return PARL_STATUS_OK;
}

parl_status parl_store_count_all(parl_store *store) {
  int64_t run_id = 0;
  PARL_TRY(next_uncounted(store, &run_id));
  while (run_id != 0) {
    PARL_TRY(parl_store_count_run(store, run_id));
    PARL_TRY(sum_old_rows(store, run_id));
    PARL_TRY(parl_store_finish_count(store));
    PARL_TRY(next_uncounted(store, &run_id));
  }
  return PARL_STATUS_OK;
}
