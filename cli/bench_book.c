/* cli/bench_book.c - rows of parl bench as text, as JSON lines, as a file, and against a file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "core/build_info.h"
#include "core/file.h"
#include "core/foreign.h"

enum { MAX_FILE_BYTES = 1 << 20 };
static const double LEAST_SHARE = 0.93; /* less is said: others ran, or threads waited */

/* How much faster than the stored row; low and high pair one's slow end with the other's fast. */
typedef struct ratio {
  double middle, low, high;
} ratio;

static const parl_json *find_stored(const bench_book *book, const char *name) {
  const parl_json *rows = book->stored ? parl_json_find(book->stored, "rows") : NULL;
  for (const parl_json *r = rows ? parl_json_get_first(rows) : NULL; r != NULL;
       r = parl_json_get_next(r)) {
    const parl_json *key = parl_json_find(r, "name");
    const char *text = key ? parl_json_get_string(key) : NULL;
    if (text != NULL && strcmp(text, name) == 0) return r;
  }
  return NULL;
}

static double get_number(const parl_json *object, const char *key) {
  const parl_json *node = parl_json_find(object, key);
  return node != NULL ? parl_json_get_number(node) : (double)NAN;
}

static const char *rate_key(const bench_row *row) {
  static const char *const keys[] = {"tokens_per_s", "calls_per_s", "episodes_per_s"};
  return keys[row->unit];
}

/* False if the stored result has no such row. */
static bool compare(const bench_book *book, const bench_row *row, ratio *out) {
  const parl_json *stored = find_stored(book, row->name);
  if (stored == NULL) return false;
  const double middle = get_number(stored, rate_key(row));
  const double low = get_number(stored, "low"), high = get_number(stored, "high");
  if (!(middle > 0 && low > 0 && high > 0)) return false;
  *out = (ratio){row->rate / middle, row->low / high, row->high / low};
  return true;
}

static void write_number(parl_json_writer *w, const char *key, double x) {
  parl_json_key(w, key);
  parl_json_number(w, x);
}

static void write_row(const bench_book *book, const bench_row *row, const ratio *r,
                      parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "name");
  parl_json_string(w, row->name);
  write_number(w, rate_key(row), row->rate);
  if (row->unit == BENCH_EPISODES) {
    write_number(w, "bytes", row->bytes);
  } else {
    parl_json_key(w, "dtype");
    parl_json_string(w, book->dtype);
    write_number(w, "gflops", row->gflops);
  }
  write_number(w, "percent_of_peak", row->percent_of_peak);
  write_number(w, "low", row->low);
  write_number(w, "high", row->high);
  write_number(w, row->unit == BENCH_EPISODES ? "peak_gb_per_s" : "peak_gflops", row->peak);
  if (row->launches > 0) write_number(w, "launches", row->launches);
  if (row->nodes > 0) write_number(w, "graph_nodes", row->nodes);
  if (row->unit == BENCH_TOKENS) {
    parl_json_key(w, "parameters");
    parl_json_integer(w, (int64_t)row->n_params);
  }
  if (row->unit != BENCH_CALLS) {
    write_number(w, "cpu_share", row->cpu_share);
    parl_json_key(w, "repetitions");
    parl_json_integer(w, (int64_t)row->n_kept);
    parl_json_key(w, "dropped");
    parl_json_integer(w, (int64_t)row->n_dropped);
  }
  if (r != NULL) {
    write_number(w, "ratio", r->middle);
    write_number(w, "ratio_low", r->low);
    write_number(w, "ratio_high", r->high);
  }
  parl_json_end_object(w);
}

static parl_status print_json(const bench_book *book, const bench_row *row, const ratio *r) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, false);
  write_row(book, row, r, &w);
  return cli_print(&text);
}

static void print_text(const bench_book *book, const bench_row *row, const ratio *r) {
  if (row->unit == BENCH_CALLS)
    printf("%-28s %12.1f us      ", row->name, 1e6 / row->rate);
  else if (row->unit == BENCH_TOKENS)
    printf("%-28s %12.0f tokens/s", row->name, row->rate);
  if (row->unit == BENCH_EPISODES)
    printf("%-28s %12.0f episodes/s %5.0f bytes each %6.1f %% of copies", row->name, row->rate,
           row->bytes, row->percent_of_peak);
  else
    printf(" %9.1f GF/s %6.1f %% of %s peak", row->gflops, row->percent_of_peak, book->dtype);
  if (row->launches > 0) printf(" %6.1f launches", row->launches);
  if (row->nodes > 0) printf(" %4.0f graph nodes", row->nodes);
  if (r != NULL) printf("   %.3f x stored [%.3f, %.3f]", r->middle, r->low, r->high);
  if (row->n_dropped > 0)
    printf("   (%zu of %zu repetitions dropped)", row->n_dropped, row->n_kept + row->n_dropped);
  if (row->unit != BENCH_CALLS && row->cpu_share < LEAST_SHARE)
    printf("   (had %.0f %% of the processors)", 100 * row->cpu_share);
  putchar('\n');
}

void bench_book_add(bench_book *book, const bench_row *row) {
  ratio r;
  parl_status printed = PARL_STATUS_OK;
  const bool is_stored = compare(book, row, &r);
  if (book->n_rows < BENCH_MAX_ROWS) book->rows[book->n_rows++] = *row;
  if (is_stored && r.middle < book->worst) book->worst = r.middle;
  if (book->json)
    printed = print_json(book, row, is_stored ? &r : NULL);
  else
    print_text(book, row, is_stored ? &r : NULL);
  if (book->printed == PARL_STATUS_OK) book->printed = printed;
  fflush(stdout);
}

parl_status bench_book_open(bench_book *book, const char *path) {
  char *bytes = NULL;
  size_t n = 0;
  PARL_TRY(parl_file_read(path, MAX_FILE_BYTES, &bytes, &n));
  parl_status s = parl_foreign_refuse(bytes, n, path, PARL_FOREIGN_JSON);
  if (s == PARL_STATUS_OK) s = parl_json_parse(bytes, n, path, &book->stored);
  free(bytes);
  PARL_TRY(s);
  const parl_json *rows = parl_json_find(book->stored, "rows");
  const parl_json *level = parl_json_find(book->stored, "instructions");
  const char *stored = level ? parl_json_get_string(level) : NULL;
  if (rows == NULL || parl_json_get_type(rows) != PARL_JSON_ARRAY || stored == NULL)
    return parl_fail(PARL_STATUS_EFORMAT, "%s: no result of parl bench --save", path);
  const double threads = get_number(book->stored, "threads");
  if (strcmp(stored, book->instructions) != 0 || (size_t)threads != book->threads)
    fprintf(stderr, "warning: %s was measured with %s on %.0f threads, this with %s on %zu\n", path,
            stored, threads, book->instructions, book->threads);
  return PARL_STATUS_OK;
}

void bench_book_deinit(bench_book *book) {
  parl_json_destroy(book->stored);
}

parl_status bench_book_save(const bench_book *book, const char *path) {
  parl_text text = {0};
  parl_json_writer w;
  parl_json_writer_init(&w, &text, true);
  parl_json_begin_object(&w);
  parl_json_key(&w, "revision");
  parl_json_string(&w, parl_build_revision());
  parl_json_key(&w, "instructions");
  parl_json_string(&w, book->instructions);
  parl_json_key(&w, "threads");
  parl_json_integer(&w, (int64_t)book->threads);
  parl_json_key(&w, "rows");
  parl_json_begin_array(&w);
  for (size_t i = 0; i < book->n_rows; i++) write_row(book, &book->rows[i], NULL, &w);
  parl_json_end_array(&w);
  parl_json_end_object(&w);
  parl_text_append(&text, "\n");
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = parl_file_write(path, parl_text_get(&text), text.n);
  parl_text_deinit(&text);
  return s;
}
