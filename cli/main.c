/* cli/main.c - finds the verb, reads the command line, runs the command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/env.h"
#include "core/build_info.h"
#include "core/config.h"

static int refuse_verb(const char *name) {
  size_t n, n_names = 0;
  const cli_command *commands = cli_get_commands(&n);
  const char *names[64];
  for (size_t i = 0; i < n && n_names < 64; i++)
    if (commands[i].action[0] == '\0') names[n_names++] = commands[i].verb;
  const char *near = parl_nearest(name, names, n_names);
  return cli_usage("no verb \"%s\"%s%s%s; parl help lists them", name,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int run(int argc, char **argv) {
  if (argc < 2) {
    cli_print_help(NULL);
    return CLI_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    cli_print_help(NULL);
    return CLI_DONE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("parl %s\n", parl_build_revision());
    return CLI_DONE;
  }
  const cli_command *verb = cli_find_verb(argv[1]);
  if (verb == NULL) return refuse_verb(argv[1]);
  cli_args args;
  const int code = cli_parse(argc, argv, verb, &args);
  if (code != CLI_DONE) return code;
  if (args.help) {
    cli_print_help(args.command);
    return CLI_DONE;
  }
  return args.isolate ? env_run_isolated(args.command->run, &args) : args.command->run(&args);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write, as a full disk is */
  cli_open_output();
  return cli_close_output(run(argc, argv));
}
