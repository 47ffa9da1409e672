/* core/foreign.h - what a file is that is not what was wanted: known by its first bytes.
 *
 * Thread rule: pure functions. */
#ifndef PARL_CORE_FOREIGN_H
#define PARL_CORE_FOREIGN_H
#include <stddef.h>

#include "core/status.h"

#define PARL_FOREIGN_JSON "JSON"
#define PARL_FOREIGN_SAFETENSORS "a safetensors file"

/* "an HTML page (of a download that failed?)"; NULL if the n bytes, a file's from its start, are of
 * no kind that is known here. Borrowed. */
const char *parl_foreign_name(const void *bytes, size_t n);

/* Refuses n bytes of another kind than `wanted`, one of the two names above; what is of no known
 * kind passes. `what` names the file. Fails: EFORMAT saying what the file is. */
parl_status parl_foreign_refuse(const void *bytes, size_t n, const char *what, const char *wanted);

#endif
