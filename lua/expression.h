/* lua/expression.h - a small Lua program of named numbers, for schedules and reward terms.
 *
 * "0.3 * math.max(0, 1 - update / 90)" or a chunk with its own `return`. An expression owns a
 * sandbox; evaluating allocates nothing on the C side and keeps nothing from one call to the next.
 * Thread rule: one thread at a time per expression. */
#ifndef PARL_LUA_EXPRESSION_H
#define PARL_LUA_EXPRESSION_H
#include <stdbool.h>
#include <stddef.h>

#include "core/json.h"
#include "core/status.h"

typedef struct parl_expression parl_expression;

/* Compiles `code`. Fails: ESCRIPT with line and reason, ENOMEM. */
parl_status parl_expression_create(const char *code, parl_expression **out);
/* NULL-safe. */
void parl_expression_destroy(parl_expression *e);

/* Value of the program where names[i] is a global of value values[i], i < n. Other globals than
 * these and the sandbox's are errors, and so is another _ENV. *out may be NaN or infinite. Fails:
 * ESCRIPT (an error, or a result that is no number), ELIMIT (0.1 s, 8 MiB). */
parl_status parl_expression_eval(parl_expression *e, const char *const *names, const double *values,
                                 size_t n, double *out);

/* Records that a program is evaluated of, one after the other, and may compare. Borrowed. For
 * record k of n, counted from 1, it sees as globals the named numbers of k, the common ones, `k`,
 * `K` = n, `scores`, `stages` if there are any, and `group`, where group[i] has the named numbers,
 * the `scores` and the `stages` of record i. None of the tables can be written to; reading a field
 * that is not there is an error. */
typedef struct parl_expression_group {
  size_t n, n_names;
  const char *const *names;       /* [n_names] */
  const double *values;           /* [n, n_names] */
  const parl_json *const *scores; /* [n] objects, numbers of them by name; NULL: none */
  const parl_json *const *stages; /* [n] any data; NULL: none are made */
  bool any_score;                 /* for a trial: a score that is not there is 1 */
  size_t n_common;
  const char *const *common_names; /* [n_common] */
  const double *common;            /* [n_common] */
} parl_expression_group;

/* Whether a program may name this: its text has the word, perhaps in a comment. Making tables costs
 * time, so what no program names is not made. */
bool parl_expression_may_name(const char *code, const char *word);

/* Value of the program for each record, out [n]; as parl_expression_eval, each under its limits,
 * and so is making the tables for a program that names `group`, `scores` or `stages`. *at (may be
 * NULL) is the record of a failure. */
parl_status parl_expression_eval_group(parl_expression *e, const parl_expression_group *group,
                                       double *out, size_t *at);

#endif
