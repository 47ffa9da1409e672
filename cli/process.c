/* cli/process.c - messages, the environment, and signals. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/build_info.h"

static bool has_begun;

void cli_begin_work(void) {
  has_begun = true;
}

int cli_fail(parl_status s) {
  fprintf(stderr, "parl: %s\n", parl_error_text());
  if (s == PARL_STATUS_EINVAL && !has_begun) return CLI_USAGE;
  if (s != PARL_STATUS_ESTOPPED) return CLI_FAILED;
  fprintf(stderr, "parl: the same command continues\n");
  return cli_get_signal() ? 128 + cli_get_signal() : CLI_RESUMABLE;
}

int cli_usage(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("parl: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return CLI_USAGE;
}

const char *cli_get_datadir(void) {
  const char *dir = getenv("PARL_DATADIR");
  return dir && dir[0] ? dir : parl_build_datadir();
}

bool cli_is_interactive(void) {
  const char *term = getenv("TERM"), *ci = getenv("CI");
  return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !(ci && ci[0]);
}

void cli_log_sink(void *context, parl_log_level level, const char *text) {
  (void)context;
  fprintf(stderr, "%s%s%s\n", cli_is_interactive() ? "\r\033[K" : "",
          level == PARL_LOG_WARNING ? "warning: " : "", text);
}

static atomic_int stop_requested;

static void on_signal(int number) {
  if (stop_requested) _exit(128 + number);
  stop_requested = number;
}

bool cli_is_stop_signal(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

void cli_handle_stop_signals(void (*handler)(int number)) {
  const struct sigaction action = {.sa_handler = handler};
  struct sigaction hangup;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, NULL, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL); /* nohup: it goes on */
}

const atomic_int *cli_catch_signals(void) {
  cli_handle_stop_signals(on_signal);
  return &stop_requested;
}

int cli_get_signal(void) {
  return stop_requested;
}
