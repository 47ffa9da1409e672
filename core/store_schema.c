/* core/store_schema.c - who made the file, its tables, and what an older file lacks.
 *
 * The first schema stands as it was; what came later is a list of additions, so that a new file and
 * an old one that was added to are the same. A writer adds what is missing; a reader, who may not
 * write, sees it as NULL or as an empty table. */
#include <string.h>

#include "core/store_internal.h"
#include "core/text.h"

/* Tables are found by their primary keys alone, so a row put twice replaces itself and the order of
 * the file does not depend on the order of the writes. Version 1; never changed. */
static const char first_sql[] =
    "CREATE TABLE run("
    " id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, recipe TEXT NOT NULL, arm TEXT NOT NULL,"
    " seed INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT NULL, host TEXT NOT NULL,"
    " revision TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE metric("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, key TEXT NOT NULL,"
    " at_update INTEGER NOT NULL, value REAL,"
    " PRIMARY KEY(run_id, key, at_update)) WITHOUT ROWID;"
    "CREATE TABLE episode("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, policy TEXT NOT NULL,"
    " decoding TEXT NOT NULL, at_update INTEGER NOT NULL, family TEXT NOT NULL,"
    " task_seed INTEGER NOT NULL, rollout INTEGER NOT NULL, r_perf REAL, success REAL,"
    " critical_steps INTEGER NOT NULL, total_steps INTEGER NOT NULL,"
    " optimum_steps INTEGER NOT NULL, last_gain_steps INTEGER NOT NULL,"
    " launches INTEGER NOT NULL, assigned INTEGER NOT NULL, finished INTEGER NOT NULL,"
    " max_width INTEGER NOT NULL, n_tokens INTEGER NOT NULL, end TEXT NOT NULL,"
    " PRIMARY KEY(run_id, policy, decoding, at_update, family, task_seed, rollout)) WITHOUT ROWID;"
    "CREATE TABLE checkpoint("
    " run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, at_update INTEGER NOT NULL,"
    " path TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " PRIMARY KEY(run_id, at_update)) WITHOUT ROWID;";

/* What came after version 1, each a version of its own. Rows are appended, never changed. A column
 * may be NULL, for that is what it is in older rows: {table, column, type}. A table is
 * {table, NULL, "(...) WITHOUT ROWID"}. */
static const struct addition {
  const char *table, *column, *definition;
} additions[] = {
    {"run", "digest", "TEXT"},              /* 2: of the run's rows */
    {"episode", "budget_steps", "INTEGER"}, /* 3 to 9: what an outsider needs of an episode */
    {"episode", "serial_steps", "INTEGER"},
    {"episode", "useful", "INTEGER"},
    {"episode", "duplicates", "INTEGER"},
    {"episode", "failed", "INTEGER"},
    {"episode", "optimum_is", "TEXT"},
    {"episode", "scores", "TEXT"},
    {"failure", NULL, /* 10: episodes that were left out */
     "(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, phase TEXT NOT NULL,"
     " n INTEGER NOT NULL, n_failed INTEGER NOT NULL, error TEXT NOT NULL,"
     " PRIMARY KEY(run_id, phase)) WITHOUT ROWID"},
    {"run", "seal", "TEXT"},  /* 11: of the run's own row with that digest; core/store_digest.c */
    {"run", "error", "TEXT"}, /* 12: why it failed or stopped */
    {"run", "retired", "INTEGER"}, /* 13: 1 if it was set aside */
    {"claim", NULL,                /* 14: who works on a run, or on a file of the folder */
     "(name TEXT PRIMARY KEY, token TEXT NOT NULL, host TEXT NOT NULL, space TEXT NOT NULL,"
     " pid INTEGER NOT NULL, start INTEGER NOT NULL, renewed INTEGER NOT NULL,"
     " place INTEGER NOT NULL) WITHOUT ROWID"},
};

enum { FIRST = 1, N_ADDITIONS = sizeof additions / sizeof additions[0] };

int64_t parl_store_get_schema(void) {
  return FIRST + N_ADDITIONS;
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

static bool is_missing(int64_t version, int64_t i) {
  return FIRST + 1 + i > version;
}

/* Another process may have been faster. */
static parl_status add_missing(parl_store *store, parl_text *sql) {
  int64_t version = 0;
  PARL_TRY(read_version(store, &version));
  if (version == parl_store_get_schema()) return PARL_STATUS_OK;
  if (version == 0) {
    parl_text_append(sql, first_sql);
    parl_text_appendf(sql, "PRAGMA application_id=%d;", PARL_STORE_APPLICATION);
    version = FIRST;
  }
  for (int64_t i = 0; i < N_ADDITIONS; i++) {
    const struct addition *a = &additions[i];
    if (!is_missing(version, i)) continue;
    if (a->column == NULL)
      parl_text_appendf(sql, "CREATE TABLE %s%s;", a->table, a->definition);
    else
      parl_text_appendf(sql, "ALTER TABLE %s ADD COLUMN %s %s;", a->table, a->column,
                        a->definition);
  }
  parl_text_appendf(sql, "PRAGMA user_version=%lld", (long long)parl_store_get_schema());
  PARL_TRY(parl_text_status(sql));
  PARL_TRY(parl_store_run_sql(store, parl_text_get(sql), "create the tables"));
  return version < PARL_STORE_DIGEST_VERSION ? parl_store_count_all(store) : PARL_STATUS_OK;
}

parl_status parl_store_add_missing(parl_store *store) {
  parl_text sql = {0};
  parl_status s = parl_store_begin(store);
  if (s == PARL_STATUS_OK) s = parl_store_end(store, add_missing(store, &sql));
  if (s == PARL_STATUS_OK) store->version = parl_store_get_schema();
  parl_text_deinit(&sql);
  return s;
}

static bool is_first_missing_of_table(int64_t version, int64_t i) {
  for (int64_t j = 0; j < i; j++)
    if (is_missing(version, j) && strcmp(additions[j].table, additions[i].table) == 0) return false;
  return is_missing(version, i);
}

/* An empty table, with the columns that came to it later. */
static void append_shadow_table(int64_t first, parl_text *sql) {
  const char *table = additions[first].table;
  parl_text_appendf(sql, "CREATE TEMP TABLE %s%s;", table, additions[first].definition);
  for (int64_t i = first + 1; i < N_ADDITIONS; i++)
    if (strcmp(additions[i].table, table) == 0)
      parl_text_appendf(sql, "ALTER TABLE temp.%s ADD COLUMN %s %s;", table, additions[i].column,
                        additions[i].definition);
}

static void append_shadow_view(int64_t first, parl_text *sql) {
  const char *table = additions[first].table;
  parl_text_appendf(sql, "CREATE TEMP VIEW %s AS SELECT *", table);
  for (int64_t i = first; i < N_ADDITIONS; i++)
    if (strcmp(additions[i].table, table) == 0)
      parl_text_appendf(sql, ", NULL AS %s", additions[i].column);
  parl_text_appendf(sql, " FROM main.%s;", table);
}

/* A temporary view or table stands before one of the same name in the file. */
parl_status parl_store_shadow_missing(parl_store *store, int64_t version) {
  parl_text sql = {0};
  parl_text_append(&sql, "PRAGMA temp_store=MEMORY;");
  for (int64_t i = 0; i < N_ADDITIONS; i++)
    if (is_first_missing_of_table(version, i)) {
      if (additions[i].column == NULL)
        append_shadow_table(i, &sql);
      else
        append_shadow_view(i, &sql);
    }
  parl_status s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = parl_store_run_sql(store, parl_text_get(&sql), "open");
  parl_text_deinit(&sql);
  return s;
}
