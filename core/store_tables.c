/* core/store_tables.c - the tables that a program gives, against those that the file has.
 *
 * Unlike the store's own tables (core/store_schema.c) they have no versions: a table or a column is
 * there or it is not. So a column can be added anywhere in a list of columns, and a file of a newer
 * program, whose columns this one does not know, is read and written as far as it is known. */
#include <string.h>

#include "core/store_query.h"

static bool is_in_list(const char *list, const char *name) {
  const size_t n = strlen(name);
  for (const char *p = strstr(list, name); p != NULL; p = strstr(p + 1, name))
    if ((p == list || p[-1] == ' ') && (p[n] == ',' || p[n] == '\0')) return true;
  return false;
}

/* --- what is missing --- */

parl_status parl_store_note_missing(parl_store *store, const char *table, const char *column) {
  parl_text name = {0};
  int64_t has_run = 0;
  PARL_TRY(parl_store_read_integer(store, "SELECT EXISTS(SELECT 1 FROM main.run)", &has_run));
  if (has_run == 0) return PARL_STATUS_OK;
  parl_text_appendf(&name, "%s%s%s", table, column != NULL ? "." : "", column ? column : "");
  if (!is_in_list(parl_text_get(&store->missing), parl_text_get(&name)))
    parl_text_appendf(&store->missing, "%s%s", store->missing.n > 0 ? ", " : "",
                      parl_text_get(&name));
  parl_status s = parl_text_status(&name);
  if (s == PARL_STATUS_OK) s = parl_text_status(&store->missing);
  parl_text_deinit(&name);
  return s;
}

const char *parl_store_get_missing(const parl_store *store) {
  return parl_text_get(&store->missing);
}

static parl_status append_name(query *q, void *out) {
  parl_text *names = out;
  const char *name = get_text(q, 0);
  PARL_TRY(check_row(q));
  parl_text_appendf(names, "%s%s", names->n > 0 ? ", " : "", name);
  return parl_text_status(names);
}

/* Columns that the file itself has, whatever a reader sees in front of it; "": no such table. */
static parl_status list_present(parl_store *store, const char *table, parl_text *out) {
  query q;
  parl_text_clear(out);
  PARL_TRY(open_once(store, "SELECT name FROM pragma_table_info(?, 'main')", &q));
  bind_text(&q, table);
  return visit_rows(&q, append_name, out);
}

/* --- making it --- */

static const char *const types[] = {[PARL_STORE_INTEGER] = "INTEGER",
                                    [PARL_STORE_COUNT] = "NUMERIC",
                                    [PARL_STORE_REAL] = "REAL",
                                    [PARL_STORE_TEXT] = "TEXT"};

static void append_columns(const parl_store_table *t, parl_text *sql) {
  for (size_t i = 0; i < t->n_columns; i++) {
    const parl_store_column *c = &t->columns[i];
    parl_text_appendf(sql, ", %s %s%s", c->name, types[c->type],
                      i < t->n_key || c->is_needed ? " NOT NULL" : "");
  }
  parl_text_append(sql, ", PRIMARY KEY(run_id");
  for (size_t i = 0; i < t->n_key; i++) parl_text_appendf(sql, ", %s", t->columns[i].name);
  parl_text_append(sql, ")) WITHOUT ROWID;");
}

static void append_new_table(const parl_store *store, const parl_store_table *t, parl_text *sql) {
  if (store->is_readonly)
    parl_text_appendf(sql,
                      "DROP TABLE IF EXISTS temp.%s; CREATE TEMP TABLE %s(run_id INTEGER NOT NULL",
                      t->name, t->name);
  else
    parl_text_appendf(
        sql, "CREATE TABLE %s(run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE",
        t->name);
  append_columns(t, sql);
}

/* A writer adds the columns; a reader sees them in a view. */
static parl_status append_new_columns(parl_store *store, const parl_store_table *t,
                                      const char *present, parl_text *sql) {
  bool has_view = false;
  for (size_t i = 0; i < t->n_columns; i++) {
    const char *column = t->columns[i].name;
    if (is_in_list(present, column)) continue;
    PARL_TRY(parl_store_note_missing(store, t->name, column));
    if (!store->is_readonly)
      parl_text_appendf(sql, "ALTER TABLE %s ADD COLUMN %s %s;", t->name, column,
                        types[t->columns[i].type]);
    else if (!has_view)
      parl_text_appendf(sql, "DROP VIEW IF EXISTS temp.%s; CREATE TEMP VIEW %s AS SELECT *",
                        t->name, t->name);
    if (store->is_readonly) parl_text_appendf(sql, ", NULL AS %s", column);
    has_view = store->is_readonly;
  }
  if (has_view) parl_text_appendf(sql, " FROM main.%s;", t->name);
  return PARL_STATUS_OK;
}

static parl_status append_missing_of(parl_store *store, const parl_store_table *t,
                                     parl_text *present, parl_text *sql) {
  PARL_TRY(list_present(store, t->name, present));
  if (present->n > 0) return append_new_columns(store, t, parl_text_get(present), sql);
  PARL_TRY(parl_store_note_missing(store, t->name, NULL));
  append_new_table(store, t, sql);
  return PARL_STATUS_OK;
}

static parl_status append_missing(parl_store *store, const parl_store_table *tables, size_t n,
                                  parl_text *sql) {
  parl_text present = {0};
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; i < n && s == PARL_STATUS_OK; i++)
    s = append_missing_of(store, &tables[i], &present, sql);
  if (s == PARL_STATUS_OK) s = parl_text_status(sql);
  parl_text_deinit(&present);
  return s;
}

/* Another process may have been faster, so it is looked up again inside a transaction. */
static parl_status add(parl_store *store, const parl_store_table *tables, size_t n,
                       parl_text *sql) {
  parl_text_clear(sql);
  parl_status s = parl_store_begin(store);
  if (s != PARL_STATUS_OK) return s;
  s = append_missing(store, tables, n, sql);
  if (s == PARL_STATUS_OK) s = parl_store_run_sql(store, parl_text_get(sql), "add to the tables");
  return parl_store_end(store, s);
}

static parl_status complete(parl_store *store, const parl_store_table *tables, size_t n) {
  parl_text sql = {0};
  parl_status s = append_missing(store, tables, n, &sql);
  if (s == PARL_STATUS_OK && sql.n > 0 && store->is_readonly) {
    s = parl_store_run_sql(store, "PRAGMA temp_store=MEMORY", "open");
    if (s == PARL_STATUS_OK) s = parl_store_run_sql(store, parl_text_get(&sql), "open");
  } else if (s == PARL_STATUS_OK && sql.n > 0) {
    s = add(store, tables, n, &sql);
  }
  parl_text_deinit(&sql);
  return s;
}

/* --- what the digest covers --- */

typedef struct listing {
  const char *placed; /* columns that stand in front */
  parl_text *out;
} listing;

static parl_status add_column(query *q, void *context) {
  const listing *l = context;
  const char *name = get_text(q, 0);
  PARL_TRY(check_row(q));
  if (strcmp(name, "run_id") == 0 || is_in_list(l->placed, name)) return PARL_STATUS_OK;
  parl_text_appendf(l->out, "%s%s AS %s", l->out->n > 0 ? ", " : "", name, name);
  return parl_text_status(l->out);
}

/* All columns that the file has, so that a newer program's are covered, too. */
static parl_status list_columns(parl_store *store, const parl_store_table *table, parl_text *out) {
  const parl_store_old_table *old = parl_store_find_old_table(table->name);
  listing l = {old != NULL ? old->columns : "", out};
  query q;
  parl_text_append(out, l.placed);
  PARL_TRY(open_once(store, "SELECT name FROM pragma_table_info(?)", &q));
  bind_text(&q, table->name);
  PARL_TRY(visit_rows(&q, add_column, &l));
  return parl_text_status(out);
}

parl_status parl_store_use_tables(parl_store *store, const parl_store_table *tables, size_t n) {
  PARL_REQUIRE(store->n_tables == 0 && n <= PARL_STORE_MAX_TABLES);
  for (size_t i = 0; i < n; i++)
    PARL_REQUIRE(tables[i].n_columns <= PARL_STORE_MAX_COLUMNS &&
                 tables[i].n_key <= tables[i].n_columns);
  PARL_TRY(complete(store, tables, n));
  for (size_t i = 0; i < n; i++)
    PARL_TRY(list_columns(store, &tables[i], &store->digest_columns[i]));
  store->tables = tables;
  store->n_tables = n;
  return PARL_STATUS_OK;
}
