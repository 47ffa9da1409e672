/* lua/expression.h - a small Lua program of named numbers, for schedules and reward terms.
 *
 * "0.3 * math.max(0, 1 - update / 90)" or a chunk with its own `return`. An expression owns a
 * sandbox; evaluating allocates nothing on the C side and keeps nothing from one call to the next.
 * Thread rule: one thread at a time per expression. */
#ifndef PARL_LUA_EXPRESSION_H
#define PARL_LUA_EXPRESSION_H
#include <stddef.h>

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

#endif
