/* cli/bench.h - results of parl bench: printed, kept in a file, compared with one.
 *
 * Reading order: bench_row, bench_book. */
#ifndef PARL_CLI_BENCH_H
#define PARL_CLI_BENCH_H
#include <stdbool.h>
#include <stddef.h>

#include "core/json.h"
#include "core/status.h"

enum { BENCH_MAX_ROWS = 128, BENCH_NAME_BYTES = 64 };

/* What a row counts a second; the word is printed, and "WORD_per_s" in JSON. */
typedef enum bench_unit { BENCH_TOKENS, BENCH_CALLS, BENCH_EPISODES } bench_unit;

/* One result. Rows of the engine count tokens, rows of ops calls, rows of scoring episodes. */
typedef struct bench_row {
  char name[BENCH_NAME_BYTES];
  bench_unit unit;
  double rate, low, high; /* a second: median, slow end (10 %, ops: 5 %), fast end */
  /* Of multiply-adds in GF/s; of scoring: bytes an episode, and of copies in GB/s */
  double gflops, bytes, percent_of_peak, peak;
  /* Not of ops: */
  double cpu_share;         /* of the threads' time that the processors gave */
  size_t n_kept, n_dropped; /* repetitions */
  size_t n_params;
  double launches; /* on a device, of an op's call, a step of decoding, an update; 0 elsewhere */
  double nodes;    /* of the graph that a step of decoding is; 0: it is none */
} bench_row;

/* All rows of a run, and a stored one beside it. */
typedef struct bench_book {
  bool json;
  const char *instructions, *dtype; /* borrowed */
  size_t threads;
  size_t n_rows;
  bench_row rows[BENCH_MAX_ROWS];
  parl_json *stored;   /* or NULL */
  double worst;        /* least ratio so far; infinite before the first */
  parl_status printed; /* what became of the rows, the first failure */
} bench_book;

/* Reads a stored result. Fails: EIO, EFORMAT. Says on stderr what makes it incomparable. */
parl_status bench_book_open(bench_book *book, const char *path);
void bench_book_deinit(bench_book *book);
/* Keeps the row and prints it, with its ratio where the stored result has a row of that name. */
void bench_book_add(bench_book *book, const bench_row *row);
/* Writes all rows. Fails: EIO. */
parl_status bench_book_save(const bench_book *book, const char *path);

#endif
