/* core/store_rows.c - rows of the tables that a program gives: SQL from a table's columns. */
#include <string.h>

#include "core/store_query.h"
#include "core/text.h"

static parl_status find_table(const parl_store *store, const parl_store_table *table,
                              size_t *place) {
  size_t i = 0;
  while (i < store->n_tables && &store->tables[i] != table) i++;
  PARL_REQUIRE(i < store->n_tables);
  *place = i;
  return PARL_STATUS_OK;
}

static bool is_number(parl_store_type type) {
  return type == PARL_STORE_COUNT || type == PARL_STORE_REAL;
}

/* --- putting --- */

static void append_digest_columns(const parl_store *store, size_t place, parl_text *sql) {
  if (store->tables[place].kind == PARL_STORE_KIND_HISTORY)
    parl_text_appendf(sql, " RETURNING %s", parl_text_get(&store->digest_columns[place]));
}

static void append_put(const parl_store *store, size_t place, parl_text *sql) {
  const parl_store_table *t = &store->tables[place];
  parl_text_appendf(sql, "INSERT INTO %s(run_id", t->name);
  for (size_t i = 0; i < t->n_columns; i++) parl_text_appendf(sql, ", %s", t->columns[i].name);
  parl_text_append(sql, ") VALUES(?");
  for (size_t i = 0; i < t->n_columns; i++) parl_text_append(sql, ", ?");
  parl_text_append(sql, ")");
  append_digest_columns(store, place, sql);
}

static void append_take(const parl_store *store, size_t place, parl_text *sql) {
  const parl_store_table *t = &store->tables[place];
  parl_text_appendf(sql, "DELETE FROM %s WHERE run_id=?", t->name);
  for (size_t i = 0; i < t->n_key; i++) parl_text_appendf(sql, " AND %s=?", t->columns[i].name);
  append_digest_columns(store, place, sql);
}

static parl_status open_kept(parl_store *store, size_t place, bool is_put, query *out) {
  sqlite3_stmt **kept = &store->kept_rows[place][is_put];
  if (*kept == NULL) {
    parl_text sql = {0};
    (is_put ? append_put : append_take)(store, place, &sql);
    parl_status s = parl_text_status(&sql);
    const int code = s != PARL_STATUS_OK
                         ? SQLITE_NOMEM
                         : sqlite3_prepare_v3(store->db, parl_text_get(&sql), -1,
                                              SQLITE_PREPARE_PERSISTENT, kept, NULL);
    if (code != SQLITE_OK) s = parl_store_fail(store, code, "prepare a statement");
    parl_text_deinit(&sql);
    PARL_TRY(s);
  }
  *out = (query){.store = store, .statement = *kept, .code = SQLITE_OK};
  return PARL_STATUS_OK;
}

static void bind_values(query *q, const parl_store_column *columns, const parl_store_value *values,
                        size_t n) {
  for (size_t i = 0; i < n; i++) {
    const parl_store_type type = columns[i].type;
    if (type == PARL_STORE_INTEGER) bind_integer(q, values[i].integer);
    if (is_number(type)) bind_real(q, values[i].number);
    if (type == PARL_STORE_TEXT) bind_text(q, values[i].text);
  }
}

/* Runs a statement, which returns the rows of a table of history that it put, or took out. */
static parl_status finish_counted(query *q, const char *table, bool is_out) {
  bool has_row = true;
  parl_status s = PARL_STATUS_OK;
  parl_store_digest rows = {0};
  while (s == PARL_STATUS_OK && has_row) {
    s = step(q, "put a row", &has_row);
    if (s == PARL_STATUS_OK && has_row) parl_store_digest_add_row(&rows, table, q->statement);
  }
  if (s == PARL_STATUS_OK) parl_store_count_rows(q->store, &rows, is_out);
  sqlite3_reset(q->statement);
  sqlite3_clear_bindings(q->statement);
  return s;
}

/* What names a row is there, and no update is before the first. */
static parl_status require_key(const parl_store_table *t, const parl_store_value *values) {
  for (size_t i = 0; i < t->n_columns; i++) {
    const parl_store_column *c = &t->columns[i];
    if (c->type == PARL_STORE_TEXT && (i < t->n_key || c->is_needed))
      PARL_REQUIRE(values[i].text != NULL);
    if (strcmp(c->name, PARL_STORE_UPDATE) == 0) PARL_REQUIRE(values[i].integer >= 0);
  }
  return PARL_STATUS_OK;
}

parl_status parl_store_put_row(parl_store *store, int64_t run_id, const parl_store_table *table,
                               const parl_store_value *values) {
  size_t place = 0;
  PARL_TRY(require_key(table, values));
  PARL_TRY(find_table(store, table, &place));
  PARL_TRY(require_transaction(store));
  if (table->kind != PARL_STORE_KIND_LOOSE) PARL_TRY(parl_store_count_run(store, run_id));
  for (int is_put = 0; is_put < 2; is_put++) { /* out with the old row, in with the new */
    query q;
    PARL_TRY(open_kept(store, place, is_put, &q));
    bind_integer(&q, run_id);
    bind_values(&q, table->columns, values, is_put ? table->n_columns : table->n_key);
    PARL_TRY(finish_counted(&q, table->name, !is_put));
  }
  return PARL_STATUS_OK;
}

/* --- deleting --- */

static parl_status delete_rows(parl_store *store, size_t place, int64_t run_id, int64_t last) {
  const parl_store_table *table = &store->tables[place];
  parl_text sql = {0};
  query q = {0};
  parl_text_appendf(&sql, "DELETE FROM %s WHERE run_id=? AND " PARL_STORE_UPDATE ">?", table->name);
  append_digest_columns(store, place, &sql);
  parl_status s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = open_once(store, parl_text_get(&sql), &q);
  if (s == PARL_STATUS_OK) {
    bind_integer(&q, run_id);
    bind_integer(&q, last);
    s = finish_counted(&q, table->name, true);
  }
  sqlite3_finalize(q.statement);
  parl_text_deinit(&sql);
  return s;
}

parl_status parl_store_delete_after(parl_store *store, int64_t run_id, int64_t last) {
  PARL_TRY(require_transaction(store));
  PARL_TRY(parl_store_count_run(store, run_id));
  for (size_t i = 0; i < store->n_tables; i++)
    if (store->tables[i].kind != PARL_STORE_KIND_SEALED)
      PARL_TRY(delete_rows(store, i, run_id, last));
  return PARL_STATUS_OK;
}

/* --- visiting --- */

typedef struct row_visit {
  const parl_store_table *table;
  parl_store_row_visitor visit;
  void *context;
} row_visit;

static parl_status read_row(query *q, void *visit) {
  const row_visit *v = visit;
  parl_store_value values[PARL_STORE_MAX_COLUMNS];
  for (size_t i = 0; i < v->table->n_columns; i++) {
    const parl_store_type type = v->table->columns[i].type;
    if (type == PARL_STORE_INTEGER) values[i].integer = get_integer(q, (int)i);
    if (is_number(type)) values[i].number = get_real(q, (int)i);
    if (type == PARL_STORE_TEXT) values[i].text = get_text(q, (int)i);
  }
  PARL_TRY(check_row(q));
  return v->visit(v->context, values);
}

static void append_select(const parl_store_table *t, size_t n_equal, const parl_store_part *part,
                          parl_text *sql) {
  parl_text_append(sql, "SELECT ");
  for (size_t i = 0; i < t->n_columns; i++)
    parl_text_appendf(sql, "%s%s", i > 0 ? ", " : "", t->columns[i].name);
  parl_text_appendf(sql, " FROM %s WHERE run_id=?", t->name);
  for (size_t i = 0; i < n_equal; i++) parl_text_appendf(sql, " AND %s=?", t->columns[i].name);
  if (part->after != NULL)
    parl_text_appendf(sql, " AND %s%s?", t->columns[n_equal].name, part->backwards ? "<" : ">");
  for (size_t i = 0; i < t->n_key; i++)
    parl_text_appendf(sql, "%s%s%s", i > 0 ? ", " : " ORDER BY ", t->columns[i].name,
                      part->backwards ? " DESC" : "");
  if (part->limit >= 0) parl_text_appendf(sql, " LIMIT %lld", (long long)part->limit);
}

parl_status parl_store_visit_part(parl_store *store, int64_t run_id, const parl_store_table *table,
                                  const parl_store_value *equal, size_t n_equal,
                                  const parl_store_part *part, parl_store_row_visitor visit,
                                  void *context) {
  size_t place = 0;
  parl_text sql = {0};
  query q = {0};
  PARL_REQUIRE(n_equal <= table->n_key && (part->after == NULL || n_equal < table->n_key));
  PARL_TRY(find_table(store, table, &place));
  append_select(table, n_equal, part, &sql);
  parl_status s = parl_text_status(&sql);
  if (s == PARL_STATUS_OK) s = open_once(store, parl_text_get(&sql), &q);
  parl_text_deinit(&sql);
  PARL_TRY(s);
  bind_integer(&q, run_id);
  bind_values(&q, table->columns, equal, n_equal);
  if (part->after != NULL) bind_values(&q, &table->columns[n_equal], part->after, 1);
  return visit_rows(&q, read_row, &(row_visit){table, visit, context});
}

parl_status parl_store_visit_rows(parl_store *store, int64_t run_id, const parl_store_table *table,
                                  const parl_store_value *equal, size_t n_equal,
                                  parl_store_row_visitor visit, void *context) {
  return parl_store_visit_part(store, run_id, table, equal, n_equal,
                               &(parl_store_part){.limit = -1}, visit, context);
}

/* --- copying --- */

typedef struct row_copy {
  parl_store *to;
  size_t place;
  int64_t run_id;
} row_copy;

/* As it is stored, to the type: what is absent stays so. */
static parl_status copy_row(query *row, void *copy) {
  const row_copy *c = copy;
  const parl_store_table *table = &c->to->tables[c->place];
  query q;
  PARL_TRY(open_kept(c->to, c->place, true, &q));
  bind_integer(&q, c->run_id);
  for (size_t i = 0; i < table->n_columns && q.code == SQLITE_OK; i++)
    q.code =
        sqlite3_bind_value(q.statement, ++q.n_bound, sqlite3_column_value(row->statement, (int)i));
  return finish_counted(&q, table->name, false);
}

parl_status parl_store_copy_rows(parl_store *from, int64_t from_id, parl_store *to, int64_t to_id) {
  PARL_REQUIRE(from->tables == to->tables && from->n_tables == to->n_tables);
  PARL_TRY(require_transaction(to));
  PARL_TRY(parl_store_count_run(to, to_id));
  parl_status s = PARL_STATUS_OK;
  for (size_t i = 0; s == PARL_STATUS_OK && i < from->n_tables; i++) {
    parl_text sql = {0};
    query q = {0};
    append_select(&from->tables[i], 0, &(parl_store_part){.limit = -1}, &sql);
    s = parl_text_status(&sql);
    if (s == PARL_STATUS_OK) s = open_once(from, parl_text_get(&sql), &q);
    parl_text_deinit(&sql);
    if (s != PARL_STATUS_OK) break;
    bind_integer(&q, from_id);
    s = visit_rows(&q, copy_row, &(row_copy){to, i, to_id});
  }
  return s;
}
