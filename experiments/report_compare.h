/* experiments/report_compare.h - two policies against each other, in the report's statistics.
 *
 * Thread rule: one thread per call. */
#ifndef PARL_EXPERIMENTS_REPORT_COMPARE_H
#define PARL_EXPERIMENTS_REPORT_COMPARE_H
#include <stdbool.h>

#include "core/text.h"

typedef struct parl_compare_side {
  const char *folder; /* of runs */
  const char *arm;    /* NULL: the only trained one */
} parl_compare_side;

/* Appends a table, or a JSON object, of a score ("r_perf", "critical_steps", ...) over all tasks
 * and each kind of task: both policies, a - b paired by seed, P(a > b), Wilcoxon's p. Fails: EINVAL
 * (no such score or arm, several trained arms and none named, a is not trained, both are one arm,
 * other environments or held-out tasks), else as parl_report_make. */
parl_status parl_report_compare(const parl_compare_side *a, const parl_compare_side *b,
                                const char *metric, bool as_json, parl_text *out);

#endif
