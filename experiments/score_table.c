/* experiments/score_table.c - reading a table of scores, and saying where one is no good. */
#include "experiments/score_table.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/utf8.h"

enum { MAX_COLUMNS = 256, TASK = 0, ALGORITHM, SEED, SCORE, N_WANTED };
static const char *const wanted[N_WANTED] = {"task", "algorithm", "seed", "score"};

/* --- lines and fields --- */

typedef struct reader {
  const char *source;
  char *at, *end;
  size_t line, next_line; /* of the record that was read; of what follows */
  size_t n_fields;
  char *fields[MAX_COLUMNS];
} reader;

static parl_status refuse(const reader *r, const char *what) {
  return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: %s", r->source, r->line, what);
}

/* A field in quotes; two quotes are one. The text is written over itself. */
static parl_status read_quoted(reader *r, char **out) {
  char *to = ++r->at;
  *out = to;
  for (; r->at < r->end; r->at++) {
    if (*r->at == '\n') r->next_line++;
    if (*r->at == '"' && (r->at + 1 == r->end || r->at[1] != '"')) break;
    if (*r->at == '"') r->at++;
    *to++ = *r->at;
  }
  if (r->at == r->end) return refuse(r, "a quote that is not closed");
  r->at++;
  if (r->at < r->end && strchr(",\r\n", *r->at) == NULL)
    return refuse(r, "text after a closing quote");
  *to = '\0';
  return PARL_STATUS_OK;
}

static void read_plain(reader *r, char **out) {
  *out = r->at;
  while (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r') r->at++;
}

/* The next line with anything on it into fields; *found false at the end. The text has a NUL behind
 * its end, and separators are overwritten by NULs. */
static parl_status read_record(reader *r, bool *found) {
  while (r->at < r->end && (*r->at == '\n' || *r->at == '\r')) r->next_line += *r->at++ == '\n';
  *found = r->at < r->end;
  r->line = r->next_line;
  r->n_fields = 0;
  for (bool more = *found; more;) {
    if (r->n_fields == MAX_COLUMNS) return refuse(r, "more than 256 columns");
    char **field = &r->fields[r->n_fields++];
    if (r->at < r->end && *r->at == '"')
      PARL_TRY(read_quoted(r, field));
    else
      read_plain(r, field);
    const char separator = r->at < r->end ? *r->at : '\n';
    more = separator == ',';
    if (r->at == r->end) break;
    *r->at++ = '\0';
    if (separator == '\r' && r->at < r->end && *r->at != '\n') return refuse(r, "a lone CR");
    if (separator == '\n') r->next_line++;
  }
  return PARL_STATUS_OK;
}

static parl_status read_header(reader *r, size_t column[N_WANTED], parl_text *unused) {
  bool found;
  PARL_TRY(read_record(r, &found));
  for (int w = 0; w < N_WANTED; w++) column[w] = SIZE_MAX;
  for (size_t i = 0; i < r->n_fields; i++) {
    int w = 0;
    while (w < N_WANTED && strcmp(r->fields[i], wanted[w]) != 0) w++;
    if (w == N_WANTED) {
      parl_text_appendf(unused, "%s\"%s\"", unused->n > 0 ? ", " : "", r->fields[i]);
    } else if (column[w] != SIZE_MAX) {
      return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: column \"%s\" is there twice", r->source,
                       r->line, wanted[w]);
    } else {
      column[w] = i;
    }
  }
  for (int w = 0; w < N_WANTED; w++)
    if (column[w] == SIZE_MAX)
      return parl_fail(PARL_STATUS_EFORMAT,
                       "%s: no column \"%s\"; the first line must name task, algorithm, seed and "
                       "score",
                       r->source, wanted[w]);
  return parl_text_status(unused);
}

/* --- values --- */

static parl_status refuse_value(const reader *r, int w, const char *text, const char *range) {
  return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: %s = \"%.80s\": %s", r->source, r->line, wanted[w],
                   text, range);
}

static parl_status read_numbers(const reader *r, const char *seed, const char *score,
                                parl_table_score *out) {
  char *end;
  errno = 0;
  const long long integer = strtoll(seed, &end, 10);
  if (end == seed || *end != '\0' || errno != 0)
    return refuse_value(r, SEED, seed, "must be an integer of 64 bits");
  out->seed = integer;
  out->score = strtod(score, &end);
  if (end == score || *end != '\0' || !isfinite(out->score))
    return refuse_value(r, SCORE, score, "must be a finite number");
  return PARL_STATUS_OK;
}

static parl_status check_name(const reader *r, int w, const char *name) {
  if (*name == '\0') return refuse_value(r, w, name, "a name is not empty");
  if (parl_utf8_find_bad(name, strlen(name)) < strlen(name))
    return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: the %s is not UTF-8", r->source, r->line,
                     wanted[w]);
  for (const char *c = name; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: the %s holds the control byte 0x%02x",
                       r->source, r->line, wanted[w], (unsigned char)*c);
  return PARL_STATUS_OK;
}

/* --- names to numbers --- */

typedef struct name {
  const char *text;
  size_t row, first; /* where it stands; the first row that has the same text */
} name;

static int by_text(const void *a, const void *b) {
  const name *x = a, *y = b;
  const int order = strcmp(x->text, y->text);
  return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_first(const void *a, const void *b) {
  const name *x = a, *y = b;
  if (x->first != y->first) return x->first > y->first ? 1 : -1;
  return (x->row > y->row) - (x->row < y->row);
}

/* Numbers texts [n] by first appearance into number[row * stride]. */
static parl_status number_names(name *names, size_t n, parl_table_score *rows, int w,
                                const char ***out, size_t *n_out) {
  qsort(names, n, sizeof *names, by_text);
  for (size_t i = 0; i < n; i++) {
    const bool same = i > 0 && strcmp(names[i].text, names[i - 1].text) == 0;
    names[i].first = same ? names[i - 1].first : names[i].row;
    *n_out += !same;
  }
  qsort(names, n, sizeof *names, by_first);
  *out = calloc(*n_out, sizeof **out);
  if (*out == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu names", *n_out);
  size_t k = 0;
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && names[i].first != names[i - 1].first) k++;
    (*out)[k] = names[i].text;
    *(w == TASK ? &rows[names[i].row].task : &rows[names[i].row].algorithm) = k;
  }
  return PARL_STATUS_OK;
}

static int by_cell(const void *a, const void *b) {
  const parl_table_score *x = a, *y = b;
  if (x->algorithm != y->algorithm) return x->algorithm > y->algorithm ? 1 : -1;
  if (x->task != y->task) return x->task > y->task ? 1 : -1;
  if (x->seed != y->seed) return x->seed > y->seed ? 1 : -1;
  return (x->line > y->line) - (x->line < y->line);
}

/* Sorts the rows, finds each cell's first one; nothing twice, no cell empty. */
static parl_status index_cells(parl_score_table *t, const char *source) {
  qsort(t->scores, t->n, sizeof *t->scores, by_cell);
  if (t->n_algorithms > SIZE_MAX / sizeof *t->first / (t->n_tasks + 1))
    return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for its cells", source);
  const size_t n_cells = t->n_algorithms * t->n_tasks;
  t->first = n_cells > t->n ? NULL : calloc(n_cells + 1, sizeof *t->first);
  for (size_t i = 1; i < t->n; i++) {
    const parl_table_score *a = &t->scores[i - 1], *b = &t->scores[i];
    if (a->algorithm == b->algorithm && a->task == b->task && a->seed == b->seed)
      return parl_fail(PARL_STATUS_EFORMAT,
                       "%s:%zu: algorithm \"%s\", task \"%s\", seed %lld stands in line %zu too",
                       source, b->line, t->algorithms[b->algorithm], t->tasks[b->task],
                       (long long)b->seed, a->line);
  }
  size_t at = 0;
  for (size_t cell = 0; cell < n_cells; cell++) {
    const size_t algorithm = cell / t->n_tasks, task = cell % t->n_tasks;
    if (at == t->n || t->scores[at].algorithm != algorithm || t->scores[at].task != task)
      return parl_fail(PARL_STATUS_EFORMAT,
                       "%s: algorithm \"%s\" has no score of task \"%s\"; every algorithm needs "
                       "every task",
                       source, t->algorithms[algorithm], t->tasks[task]);
    if (t->first != NULL) t->first[cell] = at;
    while (at < t->n && t->scores[at].algorithm == algorithm && t->scores[at].task == task) at++;
  }
  if (t->first == NULL) return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for its cells", source);
  t->first[n_cells] = at;
  return PARL_STATUS_OK;
}

/* --- the table --- */

typedef struct row_list {
  size_t n, capacity;
  parl_table_score *scores;
  name *names[2]; /* of TASK and ALGORITHM */
} row_list;

static parl_status grow(row_list *r) {
  if (r->n < r->capacity) return PARL_STATUS_OK;
  const size_t capacity = r->capacity > 0 ? 2 * r->capacity : 1024;
  parl_table_score *scores = realloc(r->scores, capacity * sizeof *scores);
  if (scores != NULL) r->scores = scores;
  bool failed = scores == NULL;
  for (int w = 0; w < 2; w++) {
    name *names = realloc(r->names[w], capacity * sizeof *names);
    if (names != NULL) r->names[w] = names;
    failed |= names == NULL;
  }
  if (failed) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu scores", capacity);
  r->capacity = capacity;
  return PARL_STATUS_OK;
}

static parl_status read_rows(reader *r, const size_t column[N_WANTED], row_list *out) {
  const size_t n_columns = r->n_fields;
  for (;;) {
    bool found;
    PARL_TRY(read_record(r, &found));
    if (!found) return PARL_STATUS_OK;
    if (r->n_fields != n_columns)
      return parl_fail(PARL_STATUS_EFORMAT, "%s:%zu: %zu fields; the first line has %zu", r->source,
                       r->line, r->n_fields, n_columns);
    PARL_TRY(grow(out));
    parl_table_score *score = &out->scores[out->n];
    *score = (parl_table_score){.line = r->line};
    for (int w = TASK; w <= ALGORITHM; w++) {
      const char *text = r->fields[column[w]];
      PARL_TRY(check_name(r, w, text));
      out->names[w][out->n] = (name){.text = text, .row = out->n};
    }
    PARL_TRY(read_numbers(r, r->fields[column[SEED]], r->fields[column[SCORE]], score));
    out->n++;
  }
}

static parl_status build(reader *r, row_list *rows, parl_score_table *t) {
  size_t column[N_WANTED];
  PARL_TRY(read_header(r, column, &t->unused));
  PARL_TRY(read_rows(r, column, rows));
  if (rows->n == 0) return parl_fail(PARL_STATUS_EFORMAT, "%s: no scores", r->source);
  t->scores = rows->scores;
  t->n = rows->n;
  rows->scores = NULL;
  PARL_TRY(number_names(rows->names[TASK], t->n, t->scores, TASK, &t->tasks, &t->n_tasks));
  PARL_TRY(number_names(rows->names[ALGORITHM], t->n, t->scores, ALGORITHM, &t->algorithms,
                        &t->n_algorithms));
  return index_cells(t, r->source);
}

parl_status parl_score_table_parse(char *text, size_t n, const char *source,
                                   parl_score_table *out) {
  static const char mark[] = "\xef\xbb\xbf";
  parl_score_table t = {.bytes = text};
  row_list rows = {0};
  reader r = {.source = source, .at = text, .end = text + n, .line = 1, .next_line = 1};
  if (n >= 3 && memcmp(text, mark, 3) == 0) r.at += 3;
  parl_status s = PARL_STATUS_OK;
  if (memchr(text, '\0', n) != NULL)
    s = parl_fail(PARL_STATUS_EFORMAT, "%s: holds a zero byte; it is no CSV", source);
  if (s == PARL_STATUS_OK) s = build(&r, &rows, &t);
  free(rows.scores);
  for (int w = 0; w < 2; w++) free(rows.names[w]);
  if (s == PARL_STATUS_OK)
    *out = t;
  else
    parl_score_table_deinit(&t);
  return s;
}

parl_status parl_score_table_read(const char *path, parl_score_table *out) {
  char *bytes;
  size_t n;
  PARL_TRY(parl_file_read(path, (size_t)1 << 30, &bytes, &n));
  return parl_score_table_parse(bytes, n, path, out);
}

void parl_score_table_deinit(parl_score_table *table) {
  free(table->scores);
  free(table->first);
  free(table->algorithms);
  free(table->tasks);
  free(table->bytes);
  parl_text_deinit(&table->unused);
  *table = (parl_score_table){0};
}

const parl_table_score *parl_score_table_get(const parl_score_table *table, size_t algorithm,
                                             size_t task, size_t *n) {
  const size_t *first = &table->first[algorithm * table->n_tasks + task];
  *n = first[1] - first[0];
  return &table->scores[first[0]];
}
