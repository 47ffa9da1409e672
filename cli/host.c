/* cli/host.c - what the verbs that train lend to their runs. */
#include "cli/host.h"

#include <signal.h>

void cli_host_open(cli_host *h, const cli_args *args, const char *name) {
  *h = (cli_host){.command = {0}};
  cli_append_command(&h->command, args);
  parl_log_init(&h->log, cli_log_sink, NULL, args->quiet ? PARL_LOG_WARNING : PARL_LOG_INFO);
  h->host = (parl_host){.log = &h->log,
                        .stop = cli_catch_signals(),
                        .scripts = cli_get_script_host(args->quiet),
                        .progress = args->quiet ? NULL : cli_meter_on_progress,
                        .context = &h->meter,
                        .retry_failed = args->retry_failed,
                        .metric_log = cli_get_metric_log(args),
                        .command = parl_text_get(&h->command)};
  cli_meter_init(&h->meter, args, name);
}

void cli_host_close(cli_host *h) {
  cli_meter_deinit(&h->meter);
  cli_handle_stop_signals(SIG_DFL);
  parl_text_deinit(&h->command);
  parl_log_deinit(&h->log);
}
