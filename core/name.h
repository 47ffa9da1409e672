/* core/name.h - what a name of a recipe, an arm or an environment may be made of.
 *
 * Names become parts of paths, keys of tables, cells of reports and lines on terminals.
 * Thread rule: pure function. */
#ifndef PARL_CORE_NAME_H
#define PARL_CORE_NAME_H
#include <stddef.h>

#include "core/status.h"

/* Bytes of a name with its NUL. */
enum { PARL_NAME_BYTES = 64 };

/* Whether name is UTF-8 of 1 to 63 bytes without control characters (U+0000 to U+001F, U+007F to
 * U+009F); `what` says whose name it is. Fails: EINVAL with the name in quotes, escaped, and the
 * byte that does not fit. */
parl_status parl_name_check(const char *what, const char *name);

#endif
