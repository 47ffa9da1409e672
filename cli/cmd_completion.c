/* cli/cmd_completion.c - parl completion SHELL: what a shell offers, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_options(const cli_command *c) {
  size_t n;
  const cli_option *o = cli_get_options(&n);
  for (size_t i = 0; i < n; i++)
    if (cli_takes(c, &o[i])) printf(" --%s", o[i].name);
}

static void print_actions(const cli_command *group) {
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  for (size_t i = 0; i < n; i++)
    if (all[i].run != NULL && strcmp(all[i].verb, group->verb) == 0) printf(" %s", all[i].action);
}

int cmd_completion(const cli_args *args) {
  if (strcmp(args->operands[0], "bash") != 0)
    return cli_usage("completion for \"%s\" is not there; bash is", args->operands[0]);
  size_t n;
  const cli_command *all = cli_get_commands(&n);
  printf(
      "_parl() {\n  local word=${COMP_WORDS[COMP_CWORD]} options=\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then options='");
  for (size_t i = 0; i < n; i++)
    if (all[i].action[0] == '\0') printf("%s%s", i ? " " : "", all[i].verb);
  printf("'\n  else case ${COMP_WORDS[1]} in\n");
  for (size_t i = 0; i < n; i++) {
    if (all[i].action[0] != '\0') continue;
    printf("    %s) options='", all[i].verb);
    if (all[i].run == NULL) print_actions(&all[i]);
    print_options(&all[i]);
    printf("' ;;\n");
  }
  printf(
      "  esac; fi\n  COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
      "complete -o filenames -F _parl parl\n");
  return CLI_DONE;
}
