/* cli/commands.c - the table of verbs and actions, and how a name is found in it. */
#include <string.h>

#include "cli/cli.h"
#include "core/config.h"

#define GROUP(verb, summary, notes) {NULL, verb, "", "ACTION", summary, notes},
#define X(function, verb, action, operands, summary, notes) \
  {function, verb, action, operands, summary, notes},
static const cli_command commands[] = {CLI_COMMAND_LIST(GROUP, X)};
#undef X
#undef GROUP
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const cli_command *cli_get_commands(size_t *n) {
  *n = N_COMMANDS;
  return commands;
}

const cli_command *cli_find_verb(const char *verb) {
  return cli_find_action(verb, "");
}

const cli_command *cli_find_action(const char *verb, const char *action) {
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (strcmp(commands[i].verb, verb) == 0 && strcmp(commands[i].action, action) == 0)
      return &commands[i];
  return NULL;
}

void cli_append_name(const cli_command *c, parl_text *out) {
  parl_text_appendf(out, "%s%s%s", c->verb, c->action[0] ? " " : "", c->action);
}

bool cli_has_actions(const char *verb) {
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (strcmp(commands[i].verb, verb) == 0 && commands[i].action[0] != '\0') return true;
  return false;
}

static bool is_action_of(const cli_command *c, const cli_command *group) {
  return c->action[0] != '\0' && strcmp(c->verb, group->verb) == 0;
}

int cli_refuse_action(const cli_command *group, const char *wanted) {
  const char *names[N_COMMANDS];
  size_t n = 0;
  parl_text known = {0};
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (!is_action_of(&commands[i], group)) continue;
    names[n++] = commands[i].action;
    parl_text_appendf(&known, "%s%s %s", n > 1 ? ", " : "", commands[i].action,
                      commands[i].operands);
  }
  const char *near = wanted ? parl_nearest(wanted, names, n) : NULL;
  if (wanted == NULL)
    cli_usage("%s needs an action: %s; see parl %s --help", group->verb, parl_text_get(&known),
              group->verb);
  else if (near != NULL)
    cli_usage("%s has no action \"%s\"; did you mean \"%s\"?", group->verb, wanted, near);
  else
    cli_usage("%s has no action \"%s\"; it has %s", group->verb, wanted, parl_text_get(&known));
  parl_text_deinit(&known);
  return CLI_USAGE;
}
