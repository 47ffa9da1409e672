/* cli/env_isolate.c - --isolate: a script's verb in a child process that the system itself bounds.
 *
 * The sandbox stops mistakes; this stops what would get past it. The child may be killed for it,
 * the parent is not. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/env.h"

static const struct {
  int resource;
  rlim_t limit;
  const char *text;
} limits[] = {
#ifndef __SANITIZE_ADDRESS__ /* the address sanitizer reserves terabytes */
    {RLIMIT_AS, (rlim_t)4 << 30, "4 GiB of address space"},
#endif
    {RLIMIT_CPU, 600, "600 s of processor time"},
    {RLIMIT_FSIZE, (rlim_t)256 << 20, "files of 256 MiB"},
    {RLIMIT_NOFILE, 64, "64 open files"},
    {RLIMIT_CORE, 0, "no core file"}};

static void set_limits(void) {
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    struct rlimit now;
    rlim_t limit = limits[i].limit;
    if (getrlimit(limits[i].resource, &now) == 0 && now.rlim_max < limit)
      limit = now.rlim_max; /* which only root could raise */
    if (setrlimit(limits[i].resource, &(struct rlimit){limit, limit}) == 0) continue;
    fprintf(stderr, "parl: cannot limit the child process to %s: %s\n", limits[i].text,
            strerror(errno));
    _exit(CLI_FAILED);
  }
}

static volatile sig_atomic_t child_id;

static void forward(int number) {
  const int saved = errno;
  if (child_id > 0) kill((pid_t)child_id, number);
  errno = saved;
}

static const char *explain(int number) {
  switch (number) {
    case SIGXCPU:
      return " (more processor time than 600 s, or than the limit it was started under)";
    case SIGXFSZ:
      return " (a file of more than 256 MiB, or than the limit it was started under)";
    case SIGKILL:
      return " (killed from outside: out of memory, or out of processor time)";
    default:
      return "";
  }
}

static int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) {
      fprintf(stderr, "parl: waitpid: %s\n", strerror(errno));
      return CLI_FAILED;
    }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int number = WTERMSIG(status);
  if (cli_is_stop_signal(number)) return 128 + number;
  fprintf(stderr, "parl: the script's process ended by signal %d, %s%s\n", number,
          strsignal(number), explain(number));
  return CLI_FAILED;
}

int env_run_isolated(int (*body)(const cli_args *args), const cli_args *args) {
  fflush(NULL);
  cli_handle_stop_signals(forward);
  const pid_t child = fork();
  if (child < 0) {
    fprintf(stderr, "parl: fork: %s\n", strerror(errno));
    return CLI_FAILED;
  }
  if (child == 0) {
    cli_handle_stop_signals(SIG_DFL);
    set_limits();
    exit(cli_close_output(body(args)));
  }
  child_id = child;
  return wait_for(child);
}
