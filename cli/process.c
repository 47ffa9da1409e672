/* cli/process.c - messages, the environment, and signals. */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static bool has_begun;

void cli_begin_work(void) {
  has_begun = true;
}

int cli_fail(parl_status s) {
  fprintf(stderr, "parl: %s\n", parl_error_text());
  if (s == PARL_STATUS_EINVAL && !has_begun) return CLI_USAGE;
  if (s != PARL_STATUS_ESTOPPED) return CLI_FAILED;
  fprintf(stderr, "parl: the same command continues\n");
  const int number = cli_get_signal();
  return number != 0 && number != SIGUSR1 ? 128 + number : CLI_RESUMABLE;
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

bool cli_is_interactive(void) {
  const char *term = getenv("TERM"), *ci = getenv("CI");
  return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 && !(ci && ci[0]);
}

static struct {
  cli_sink sink; /* NULL: standard error as it is */
  void *context;
} screen;

void cli_set_log_sink(cli_sink sink, void *context) {
  screen.sink = sink;
  screen.context = context;
}

void cli_log_sink(void *context, parl_log_level level, const char *text) {
  (void)context;
  if (screen.sink != NULL) {
    screen.sink(screen.context, level, text);
    return;
  }
  fprintf(stderr, "%s%s%s\n", cli_is_interactive() ? "\r\033[K" : "",
          level == PARL_LOG_WARNING ? "warning: " : "", text);
}

static atomic_int stop_requested;

static void on_signal(int number) {
  if (stop_requested && number != SIGUSR1) _exit(128 + number);
  if (!stop_requested) stop_requested = number;
}

bool cli_is_stop_signal(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGUSR1;
}

void cli_handle_stop_signals(void (*handler)(int number)) {
  const struct sigaction action = {.sa_handler = handler};
  struct sigaction hangup;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
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

/* --- what runs get --- */

parl_metric_log_format cli_get_metric_log(const cli_args *args) {
  if (args->log == NULL) return PARL_METRIC_LOG_NONE;
  return strcmp(args->log, "jsonl") == 0 ? PARL_METRIC_LOG_JSONL : PARL_METRIC_LOG_TENSORBOARD;
}

/* --- what scripts get --- */

enum { FREE_LINES = 100 /* that scripts print; then one a second */ };

static struct {
  pthread_mutex_t mutex;
  int64_t n_lines, n_dropped;
  time_t last; /* second of the last one */
} printed = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Whether a line is printed; *n_dropped before it are not. */
static bool take_line(int64_t *n_dropped) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  pthread_mutex_lock(&printed.mutex);
  const bool may = printed.n_lines < FREE_LINES || now.tv_sec > printed.last;
  *n_dropped = printed.n_dropped;
  printed.n_dropped = may ? 0 : printed.n_dropped + 1;
  printed.n_lines += may;
  if (may) printed.last = now.tv_sec;
  pthread_mutex_unlock(&printed.mutex);
  return may;
}

/* One line of what a script printed; what would move a terminal's cursor becomes a '?'. */
static void print_line(const char *text, size_t n) {
  char line[1024];
  int64_t n_dropped;
  if (!take_line(&n_dropped)) return;
  if (n_dropped > 0) {
    snprintf(line, sizeof line, "print: (%lld lines left out)", (long long)n_dropped);
    cli_log_sink(NULL, PARL_LOG_INFO, line);
  }
  const bool is_cut = n > sizeof line - 16;
  if (is_cut) n = sizeof line - 16;
  const int begin = snprintf(line, sizeof line, "print: ");
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)text[i];
    line[begin + (int)i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
  }
  snprintf(line + begin + n, 4, "%s", is_cut ? "..." : "");
  cli_log_sink(NULL, PARL_LOG_INFO, line);
}

static void on_print(void *context, const char *text) {
  (void)context;
  for (;;) {
    const size_t n = strcspn(text, "\n");
    print_line(text, n);
    if (text[n] == '\0') return;
    text += n + 1;
  }
}

static void drop_print(void *context, const char *text) {
  (void)context;
  (void)text;
}

/* A script holds a thread inside C, for good perhaps. What was saved is whole (a temporary name, a
 * transaction), what was not cannot be reached any more. */
static void on_stuck(void *context, int number) {
  static const char message[] =
      "parl: a script does not stop: ended without it; what was saved is kept\n";
  (void)context;
  const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  (void)written;
  _exit(128 + number);
}

const parl_script_host *cli_get_script_host(bool quiet) {
  static const parl_script_host loud = {
      .stop = &stop_requested, .stuck = on_stuck, .print = on_print};
  static const parl_script_host silent = {
      .stop = &stop_requested, .stuck = on_stuck, .print = drop_print};
  cli_catch_signals();
  return quiet ? &silent : &loud;
}
