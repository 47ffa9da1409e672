/* experiments/score_table.h - a table of scores from anywhere: CSV with a column each for task,
 * algorithm, seed and score.
 *
 * Thread rule: read-only after reading. Reading order: parl_score_table, parse, read. */
#ifndef PARL_EXPERIMENTS_SCORE_TABLE_H
#define PARL_EXPERIMENTS_SCORE_TABLE_H
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

typedef struct parl_table_score {
  size_t algorithm, task; /* indices of names */
  int64_t seed;
  double score;
  size_t line; /* of the file, from 1 */
} parl_table_score;

/* Names in the order in which the file first has them; owned by the table. */
typedef struct parl_score_table {
  size_t n_algorithms, n_tasks, n;
  const char **algorithms, **tasks;
  parl_table_score *scores; /* [n] by algorithm, then task, then seed */
  size_t *first;            /* [n_algorithms * n_tasks + 1] where a cell's scores begin */
  char *bytes;              /* what the names point into */
  parl_text unused;         /* "x", "y": columns that were not read; "" if none */
} parl_score_table;

/* Reads text [n], which is changed, taken over and later freed, even after a failure; source
 * names it in errors. RFC 4180: quotes, CRLF; a UTF-8 byte order mark and empty lines are
 * skipped, columns stand in any order. Fails: EFORMAT naming source:line and the column for what
 * is missing, no number, not finite, no UTF-8, there twice (algorithm, task and seed), or for an
 * algorithm without a score of one of the tasks; ENOMEM. */
parl_status parl_score_table_parse(char *text, size_t n, const char *source, parl_score_table *out);
/* The same of a file of at most 1 GiB. Fails: as parse; EIO. */
parl_status parl_score_table_read(const char *path, parl_score_table *out);
void parl_score_table_deinit(parl_score_table *table);

/* The scores of an algorithm on a task, borrowed; *n their number. */
const parl_table_score *parl_score_table_get(const parl_score_table *table, size_t algorithm,
                                             size_t task, size_t *n);

#endif
