/* core/store_schema.c - who made the file, the store's own tables, and what an older file lacks.
 *
 * Two lists say what every version brought: tables, and columns that came to them later. A new file
 * gets each table whole; to an older one a writer adds what is missing, so that both have the same
 * columns in the same order; a reader, who may not write, sees it as NULL or as an empty table. */
#include <string.h>

#include "core/store_internal.h"
#include "core/text.h"

/* Tables are found by their primary keys alone, so a row put twice replaces itself and the order of
 * the file does not depend on the order of the writes. Rows are appended, never changed. The tables
 * of rows, which stand here up to version 14, a program gives a new file. */
static const struct table {
  int since;                  /* version of the schema */
  const char *name, *columns; /* as of that version */
  const char *rest;           /* behind the columns */
} tables[] = {
    {1, "run",
     "id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, recipe TEXT NOT NULL, arm TEXT NOT NULL,"
     " seed INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT NULL, host TEXT NOT NULL,"
     " revision TEXT NOT NULL, hash TEXT NOT NULL",
     ")"},
    {1, "metric",
     "run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, key TEXT NOT NULL,"
     " at_update INTEGER NOT NULL, value REAL",
     ", PRIMARY KEY(run_id, key, at_update)) WITHOUT ROWID"},
    {1, "episode",
     "run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, policy TEXT NOT NULL,"
     " decoding TEXT NOT NULL, at_update INTEGER NOT NULL, family TEXT NOT NULL,"
     " task_seed INTEGER NOT NULL, rollout INTEGER NOT NULL, r_perf REAL, success REAL,"
     " critical_steps INTEGER NOT NULL, total_steps INTEGER NOT NULL,"
     " optimum_steps INTEGER NOT NULL, last_gain_steps INTEGER NOT NULL,"
     " launches INTEGER NOT NULL, assigned INTEGER NOT NULL, finished INTEGER NOT NULL,"
     " max_width INTEGER NOT NULL, n_tokens INTEGER NOT NULL, end TEXT NOT NULL",
     ", PRIMARY KEY(run_id, policy, decoding, at_update, family, task_seed, rollout))"
     " WITHOUT ROWID"},
    {1, "checkpoint",
     "run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, at_update INTEGER NOT NULL,"
     " path TEXT NOT NULL, sha256 TEXT NOT NULL",
     ", PRIMARY KEY(run_id, at_update)) WITHOUT ROWID"},
    {10, "failure", /* episodes that were left out */
     "run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, phase TEXT NOT NULL,"
     " n INTEGER NOT NULL, n_failed INTEGER NOT NULL, error TEXT NOT NULL",
     ", PRIMARY KEY(run_id, phase)) WITHOUT ROWID"},
    {14, "claim", /* who works on a run, or on a file of the folder */
     "name TEXT PRIMARY KEY, token TEXT NOT NULL, host TEXT NOT NULL, space TEXT NOT NULL,"
     " pid INTEGER NOT NULL, start INTEGER NOT NULL, renewed INTEGER NOT NULL,"
     " place INTEGER NOT NULL",
     ") WITHOUT ROWID"},
};

/* What came to tables that were there. A column may be NULL, for that is what it is in older rows.
 * Rows are appended, never changed. */
static const struct column {
  int since;
  const char *table, *name, *type;
} columns[] = {
    {2, "run", "digest", "TEXT"},              /* of the run's rows */
    {3, "episode", "budget_steps", "INTEGER"}, /* to 9: what an outsider needs of an episode */
    {4, "episode", "serial_steps", "INTEGER"},
    {5, "episode", "useful", "INTEGER"},
    {6, "episode", "duplicates", "INTEGER"},
    {7, "episode", "failed", "INTEGER"},
    {8, "episode", "optimum_is", "TEXT"},
    {9, "episode", "scores", "TEXT"},
    {11, "run", "seal", "TEXT"},       /* of the run's own row with that digest; store_digest.c */
    {12, "run", "error", "TEXT"},      /* why it failed or stopped */
    {13, "run", "retired", "INTEGER"}, /* 1 if it was set aside */
    {15, "episode", "stages", "TEXT"}, /* its turns; from here on core/store_tables.c adds */
};

enum {
  FIRST = 1,
  N_TABLES = sizeof tables / sizeof tables[0],
  N_COLUMNS = sizeof columns / sizeof columns[0]
};

int64_t parl_store_get_schema(void) {
  int newest = FIRST;
  for (const struct table *t = tables; t < tables + N_TABLES; t++)
    if (t->since > newest) newest = t->since;
  for (const struct column *c = columns; c < columns + N_COLUMNS; c++)
    if (c->since > newest) newest = c->since;
  return newest;
}

/* *version 0: the file is new. */
static parl_status read_version(parl_store *store, int64_t *version) {
  int64_t application = 0, found = 0, n_objects = 0;
  PARL_TRY(parl_store_read_integer(store, "PRAGMA application_id", &application));
  PARL_TRY(parl_store_read_integer(store, "PRAGMA user_version", &found));
  PARL_TRY(parl_store_read_integer(store, "SELECT count(*) FROM sqlite_master", &n_objects));
  *version = 0;
  if (application == 0 && found == 0 && n_objects == 0) return PARL_STATUS_OK;
  if (application != PARL_STORE_APPLICATION)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: is a database, but not one of parl's runs",
                     store->path);
  if (found > parl_store_get_schema())
    return parl_fail(PARL_STATUS_EFORMAT,
                     "%s: a newer parl wrote it: it has schema version %lld, this program reads up "
                     "to version %lld",
                     store->path, (long long)found, (long long)parl_store_get_schema());
  if (found < FIRST)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: has schema version %lld, the first was %d",
                     store->path, (long long)found, FIRST);
  *version = found;
  return PARL_STATUS_OK;
}

/* Inside one transaction, so that a creator's commit is seen whole. */
parl_status parl_store_read_version(parl_store *store, int64_t *version) {
  PARL_TRY(parl_store_run_sql(store, "BEGIN", "read"));
  PARL_TRY(read_version(store, version)); /* on failure the connection is closed */
  store->version = *version;
  return parl_store_run_sql(store, "COMMIT", "read");
}

/* A table as it is now. */
static void append_table(const struct table *t, const char *create, parl_text *sql) {
  parl_text_appendf(sql, "%s %s(%s", create, t->name, t->columns);
  for (const struct column *c = columns; c < columns + N_COLUMNS; c++)
    if (strcmp(c->table, t->name) == 0) parl_text_appendf(sql, ", %s %s", c->name, c->type);
  parl_text_appendf(sql, "%s;", t->rest);
}

/* Columns of `t` that came after `version`, as NULL in a list or each added to it; their number. */
static int append_missing_columns(const struct table *t, int64_t version, bool as_null,
                                  parl_text *sql) {
  int n = 0;
  for (const struct column *c = columns; c < columns + N_COLUMNS; c++) {
    if (c->since <= version || strcmp(c->table, t->name) != 0) continue;
    n++;
    if (as_null)
      parl_text_appendf(sql, ", NULL AS %s", c->name);
    else
      parl_text_appendf(sql, "ALTER TABLE %s ADD COLUMN %s %s;", t->name, c->name, c->type);
  }
  return n;
}

static bool is_own_table(const struct table *t) {
  return strcmp(t->name, "run") == 0 || strcmp(t->name, "claim") == 0;
}

static parl_status note_missing(parl_store *store, int64_t version) {
  for (const struct table *t = tables; t < tables + N_TABLES; t++)
    if (t->since > version) PARL_TRY(parl_store_note_missing(store, t->name, NULL));
  for (const struct column *c = columns; c < columns + N_COLUMNS; c++)
    if (c->since > version) PARL_TRY(parl_store_note_missing(store, c->table, c->name));
  return PARL_STATUS_OK;
}

/* Another process may have been faster. */
static parl_status add_missing(parl_store *store, parl_text *sql) {
  int64_t version = 0;
  PARL_TRY(read_version(store, &version));
  if (version == parl_store_get_schema()) return PARL_STATUS_OK;
  if (version > 0) PARL_TRY(note_missing(store, version));
  for (const struct table *t = tables; t < tables + N_TABLES; t++) {
    if (version == 0 && !is_own_table(t)) continue;
    if (t->since > version)
      append_table(t, "CREATE TABLE", sql);
    else
      append_missing_columns(t, version, false, sql);
  }
  if (version == 0) parl_text_appendf(sql, "PRAGMA application_id=%d;", PARL_STORE_APPLICATION);
  parl_text_appendf(sql, "PRAGMA user_version=%lld", (long long)parl_store_get_schema());
  PARL_TRY(parl_text_status(sql));
  PARL_TRY(parl_store_run_sql(store, parl_text_get(sql), "create the tables"));
  const bool has_rows = version > 0;
  return has_rows && version < PARL_STORE_DIGEST_VERSION ? parl_store_count_all(store)
                                                         : PARL_STATUS_OK;
}

parl_status parl_store_add_missing(parl_store *store) {
  parl_text sql = {0};
  parl_status s = parl_store_begin(store);
  if (s == PARL_STATUS_OK) s = parl_store_end(store, add_missing(store, &sql));
  if (s == PARL_STATUS_OK) store->version = parl_store_get_schema();
  parl_text_deinit(&sql);
  return s;
}

/* A temporary view or table stands before one of the same name in the file. */
parl_status parl_store_shadow_missing(parl_store *store, int64_t version) {
  parl_text sql = {0}, nulls = {0};
  PARL_TRY(note_missing(store, version));
  parl_text_append(&sql, "PRAGMA temp_store=MEMORY;");
  for (const struct table *t = tables; t < tables + N_TABLES; t++) {
    parl_text_clear(&nulls);
    if (t->since > version)
      append_table(t, "CREATE TEMP TABLE", &sql);
    else if (append_missing_columns(t, version, true, &nulls) > 0)
      parl_text_appendf(&sql, "CREATE TEMP VIEW %s AS SELECT *%s FROM main.%s;", t->name,
                        parl_text_get(&nulls), t->name);
  }
  parl_status s = parl_text_status(&nulls);
  if (s == PARL_STATUS_OK) s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = parl_store_run_sql(store, parl_text_get(&sql), "open");
  parl_text_deinit(&nulls);
  parl_text_deinit(&sql);
  return s;
}
