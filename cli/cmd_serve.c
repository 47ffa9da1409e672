/* cli/cmd_serve.c - parl serve FOLDER: the folder as a page for this machine, until a signal. */
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "experiments/serve.h"

int cmd_serve(const cli_args *args) {
  const atomic_int *stop = cli_catch_signals();
  const struct timespec tick = {.tv_nsec = 50000000};
  parl_server *server = NULL;
  const parl_status s = parl_server_start(args->operands[0], (int)args->port, &server);
  if (s != PARL_STATUS_OK) return cli_fail(s);
  printf("http://127.0.0.1:%d/\n", parl_server_get_port(server));
  bool is_said = fflush(stdout) == 0;
  if (is_said) fprintf(stderr, "parl: for this machine only; ends with Ctrl-C\n");
  while (is_said && *stop == 0) nanosleep(&tick, NULL);
  parl_server_stop(server);
  return is_said ? 128 + cli_get_signal() : CLI_FAILED;
}
