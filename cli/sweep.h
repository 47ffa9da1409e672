/* cli/sweep.h - what parl sweep and its actions share. Thread rule: the main thread. */
#ifndef PARL_CLI_SWEEP_H
#define PARL_CLI_SWEEP_H
#include "cli/cli.h"
#include "experiments/sweep.h"

/* The sweep that operand 0 names, with every --set; --jobs as run.threads. *out is to be freed by
 * deinit either way. Fails: as cli_find_sweep, parl_sweep_read. */
parl_status cli_read_sweep(const cli_args *args, parl_sweep *out);

#endif
