/* cli/cmd_bench.c - parl bench: kernels, engine and scoring against this machine's own peak. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "core/config.h"
#include "core/file.h"
#include "core/workers.h"
#include "engine/bench.h"
#include "kernels/bench.h"
#include "parl/reward/score_bench.h"

enum { MAX_WORDS = 96 };

typedef struct bench_options {
  const char *shapes; /* NULL: all */
  const parl_backend *backend;
  double seconds, least_ratio; /* least_ratio 0: any will do */
} bench_options;

/* --------------------------------------------------------------------------- what is wanted */

/* "train_A_mqa" */
static void name_row(parl_bench_job job, const char *shape, char out[BENCH_NAME_BYTES]) {
  snprintf(out, BENCH_NAME_BYTES, "%s_%s", parl_bench_job_name(job), shape);
}

static bool is_word(const char *word, size_t length, const char *name) {
  return strlen(name) == length && strncmp(word, name, length) == 0;
}

/* Whether a word is a row, the row's shape, or what the shape is a variant of: "A" of "A_mqa". */
static bool names_row(const char *word, size_t length, parl_bench_job job, const char *shape) {
  char row[BENCH_NAME_BYTES];
  name_row(job, shape, row);
  return is_word(word, length, row) || is_word(word, length, shape) ||
         (length == strcspn(shape, "_") && strncmp(word, shape, length) == 0);
}

/* Whether a word is "score" or one of its rows. */
static bool names_score(const char *word, size_t length, const char *row) {
  return is_word(word, length, "score") || is_word(word, length, row);
}

/* A row, by one of: a shape, with its job; a row of scoring; neither: the ops. */
typedef struct wanted {
  parl_bench_job job;
  const char *shape, *score;
} wanted;

/* Rows of large shapes are measured when they are named. */
static bool is_wanted_unnamed(wanted row) {
  parl_bench_shape shape;
  return row.shape == NULL ||
         (parl_bench_shape_find(row.shape, &shape) == PARL_STATUS_OK && !shape.is_large);
}

static bool is_wanted(const char *list, wanted row) {
  if (list == NULL) return is_wanted_unnamed(row);
  for (const char *at = list; *at != '\0';) {
    const size_t length = strcspn(at, ",");
    if (row.shape   ? names_row(at, length, row.job, row.shape)
        : row.score ? names_score(at, length, row.score)
                    : is_word(at, length, "ops"))
      return true;
    at += length + (at[length] == ',');
  }
  return false;
}

/* Names the nearest row, shape or "ops"; CLI_USAGE. */
static int refuse_word(const char *word, size_t length) {
  static char rows[MAX_WORDS][BENCH_NAME_BYTES];
  const char *names[MAX_WORDS] = {"ops", "score"};
  size_t n = 2;
  for (size_t i = 0; parl_score_bench_name(i) != NULL; i++) names[n++] = parl_score_bench_name(i);
  for (size_t i = 0; parl_bench_shape_name(i) != NULL && n + PARL_BENCH_N_JOBS < MAX_WORDS; i++) {
    names[n++] = parl_bench_shape_name(i);
    for (int job = 0; job < PARL_BENCH_N_JOBS; job++, n++) {
      name_row((parl_bench_job)job, parl_bench_shape_name(i), rows[n]);
      names[n] = rows[n];
    }
  }
  char text[BENCH_NAME_BYTES];
  snprintf(text, sizeof text, "%.*s", (int)length, word);
  const char *near = parl_nearest(text, names, n);
  if (near) return cli_usage("--shapes: unknown \"%s\"; did you mean \"%s\"?", text, near);
  return cli_usage("--shapes: unknown \"%s\"; see parl bench --help", text);
}

/* Every word of the list is known; CLI_DONE or CLI_USAGE. */
static int check_words(const char *list) {
  if (list == NULL) return CLI_DONE;
  for (const char *at = list;; at++) {
    const size_t length = strcspn(at, ",");
    bool is_known = is_word(at, length, "ops");
    for (size_t i = 0; parl_score_bench_name(i) != NULL; i++)
      is_known |= names_score(at, length, parl_score_bench_name(i));
    for (size_t i = 0; parl_bench_shape_name(i) != NULL && !is_known; i++)
      for (int job = 0; job < PARL_BENCH_N_JOBS; job++)
        is_known |= names_row(at, length, (parl_bench_job)job, parl_bench_shape_name(i));
    if (!is_known) return refuse_word(at, length);
    at += length;
    if (*at == '\0') return CLI_DONE;
  }
}

/* -------------------------------------------------------------------------------- measuring */

static void on_op(void *context, const parl_bench_row *op) {
  bench_row row = {.unit = BENCH_CALLS,
                   .rate = 1e6 / op->median_us,
                   .low = 1e6 / op->p95_us,
                   .high = 1e6 / op->best_us,
                   .gflops = op->gflops,
                   .percent_of_peak = op->percent_of_peak,
                   .peak = 100 * op->gflops / op->percent_of_peak,
                   .launches = op->launches};
  snprintf(row.name, sizeof row.name, "%s", op->name);
  bench_book_add(context, &row);
}

static parl_status bench_shape(bench_book *book, const bench_options *o, const char *name,
                               parl_bench_job job, parl_workers *workers) {
  parl_bench_shape shape;
  parl_bench_speed speed;
  PARL_TRY(parl_bench_shape_find(name, &shape));
  PARL_TRY(parl_bench_engine(&shape, job, o->backend, workers, o->seconds, &speed));
  bench_row row = {.rate = speed.tokens_per_s,
                   .low = speed.low,
                   .high = speed.high,
                   .gflops = speed.gflops,
                   .percent_of_peak = 100 * speed.gflops / speed.peak_gflops,
                   .peak = speed.peak_gflops,
                   .cpu_share = speed.cpu_share,
                   .n_kept = speed.n_kept,
                   .n_dropped = speed.n_dropped,
                   .n_params = speed.n_params,
                   .launches = speed.launches,
                   .nodes = speed.nodes};
  name_row(job, name, row.name);
  bench_book_add(book, &row);
  return PARL_STATUS_OK;
}

static parl_status bench_score(bench_book *book, const bench_options *o, size_t i,
                               parl_workers *workers) {
  parl_score_speed speed;
  PARL_TRY(parl_score_bench(i, workers, o->seconds, &speed));
  bench_row row = {
      .unit = BENCH_EPISODES,
      .rate = speed.episodes_per_s,
      .low = speed.low,
      .high = speed.high,
      .bytes = speed.bytes,
      .percent_of_peak = 1e-7 * speed.episodes_per_s * speed.bytes / speed.peak_gb_per_s,
      .peak = speed.peak_gb_per_s,
      .cpu_share = speed.cpu_share,
      .n_kept = speed.n_kept,
      .n_dropped = speed.n_dropped};
  snprintf(row.name, sizeof row.name, "%s", parl_score_bench_name(i));
  bench_book_add(book, &row);
  return PARL_STATUS_OK;
}

static parl_status measure(bench_book *book, const bench_options *o, parl_workers *workers) {
  const bool has_floats = o->backend->act_bytes == sizeof(float); /* else ops are not timed */
  if (is_wanted(o->shapes, (wanted){.shape = NULL}) && (o->shapes != NULL || has_floats))
    PARL_TRY(parl_bench_ops(o->backend, on_op, book));
  for (size_t i = 0; parl_score_bench_name(i) != NULL; i++)
    if (is_wanted(o->shapes, (wanted){.score = parl_score_bench_name(i)}))
      PARL_TRY(bench_score(book, o, i, workers));
  for (size_t i = 0; parl_bench_shape_name(i) != NULL; i++)
    for (int job = 0; job < PARL_BENCH_N_JOBS; job++)
      if (is_wanted(o->shapes, (wanted){(parl_bench_job)job, parl_bench_shape_name(i), NULL}))
        PARL_TRY(bench_shape(book, o, parl_bench_shape_name(i), (parl_bench_job)job, workers));
  return PARL_STATUS_OK;
}

static parl_status bench(bench_book *book, const bench_options *o, const cli_args *args) {
  parl_workers *workers = NULL;
  if (args->compare) PARL_TRY(bench_book_open(book, args->compare));
  PARL_TRY(parl_workers_create(book->threads, &workers));
  if (!args->json)
    printf("%s, products in %s, %zu threads\n", o->backend->instructions, book->dtype,
           book->threads);
  const parl_status s = measure(book, o, workers);
  parl_workers_destroy(workers);
  PARL_TRY(s);
  PARL_TRY(book->printed);
  if (args->save) PARL_TRY(bench_book_save(book, args->save));
  if (book->worst < o->least_ratio)
    return parl_fail(PARL_STATUS_ESTATE, "a row reached %.3f of the stored result, less than %g",
                     book->worst, o->least_ratio);
  return PARL_STATUS_OK;
}

/* -------------------------------------------------------------------------------- the verb */

static int check(const cli_args *args) {
  if (check_words(args->shapes) != CLI_DONE) return CLI_USAGE;
  if (args->fail_below > 0 && !args->compare) return cli_usage("--fail-below needs --compare FILE");
  if (args->save && !args->force && parl_file_exists(args->save))
    return cli_usage("--save %s: the file exists; --force overwrites it", args->save);
  return CLI_DONE;
}

int cmd_bench(const cli_args *args) {
  bench_options o = {
      .shapes = args->shapes, .seconds = args->seconds, .least_ratio = args->fail_below};
  if (check(args) != CLI_DONE) return CLI_USAGE;
  /* a backend named in full says its dtype itself */
  const char *dtype = args->dtype ? args->dtype : args->backend ? NULL : "auto";
  parl_status s = parl_backend_select(args->backend ? args->backend : "cpu", dtype, &o.backend);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  bench_book *book = calloc(1, sizeof *book);
  if (book == NULL) return cli_fail(parl_fail(PARL_STATUS_ENOMEM, "bench: no memory"));
  book->json = args->json;
  book->instructions = o.backend->instructions;
  book->dtype = o.backend->dtype;
  book->threads = parl_workers_count_processors();
  book->worst = INFINITY;
  s = bench(book, &o, args);
  bench_book_deinit(book);
  free(book);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
