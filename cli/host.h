/* cli/host.h - what the verbs that train lend to their runs: the log, the meter, the stop, scripts'
 * output, the line that is kept with each run.
 * Thread rule: the main thread; the host itself as parl/swarm/host.h says. */
#ifndef PARL_CLI_HOST_H
#define PARL_CLI_HOST_H
#include "cli/meter.h"

/* Points into itself: it stays where it was opened. */
typedef struct cli_host {
  parl_host host;
  cli_meter meter;
  parl_log log;
  parl_text command;
} cli_host;

/* Catches signals, and shows the progress of `name` unless --quiet. */
void cli_host_open(cli_host *h, const cli_args *args, const char *name);
/* All is stored: from here on a signal ends the program at once. */
void cli_host_close(cli_host *h);

#endif
