/* cli/complete.h - what can stand next on a command line that is being written. */
#ifndef PARL_CLI_COMPLETE_H
#define PARL_CLI_COMPLETE_H
#include "cli/cli.h"

/* Prints what the last of n words, which may be empty, can become: one candidate a line, a tab and
 * its meaning where there is one, or ":files" or ":folders" where the shell knows. words[0] is the
 * verb. Silent about whatever cannot be read. */
void cli_complete(const char *const *words, size_t n);

#endif
