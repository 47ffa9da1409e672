/* cli/cmd_completion.c - parl completion SHELL: the shell's side, a template that asks the program
 * for the words; complete.c answers. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/complete.h"
#include "cli/template.h"
#include "core/config.h"

static int refuse_shell(const char *shell) {
  static const char *const shells[] = {"bash", "zsh", "fish"};
  const char *near = parl_nearest(shell, shells, sizeof shells / sizeof shells[0]);
  return cli_usage("completion for \"%s\" is not there; for bash, zsh and fish it is%s%s%s", shell,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Within single quotes of any of the shells. */
static bool is_plain(const char *path) {
  return strpbrk(path, "'\\\n") == NULL;
}

int cmd_completion(const cli_args *args) {
  const char *shell = args->operands[0];
  if (strcmp(shell, "words") == 0) {
    cli_complete(args->operands + 1, args->n_operands - 1);
    return CLI_DONE;
  }
  if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0 && strcmp(shell, "fish") != 0)
    return refuse_shell(shell);
  if (args->n_operands > 1) return cli_usage("completion %s takes no further words", shell);
  char self[CLI_PATH_BYTES], name[32];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  snprintf(self + (n > 0 ? n : 0), sizeof self - (size_t)(n > 0 ? n : 0), "%s",
           n > 0 ? "" : "parl");
  const char *program = args->program ? args->program : self;
  if (!is_plain(program))
    return cli_usage("--program %s: a path without quotes, \\ and line ends", program);
  snprintf(name, sizeof name, "completion.%s", shell);
  parl_text text = {0};
  cli_append_template(name, "@PROGRAM@", program, &text);
  const parl_status s = cli_print(&text);
  return s == PARL_STATUS_OK ? CLI_DONE : cli_fail(s);
}
