/* cli/command_line.c - a command line as text that a shell reads back. */
#include "cli/cli.h"

static void append_word(parl_text *out, const char *word) {
  parl_text_append(out, " ");
  parl_text_append_shell(out, word);
}

void cli_append_command(parl_text *out, const cli_args *args) {
  parl_text_append(out, "parl ");
  cli_append_name(args->command, out);
  for (size_t i = 0; i < args->n_sets; i++) {
    parl_text_append(out, " --set");
    append_word(out, args->sets[i]);
  }
  if (args->init != NULL) {
    parl_text_append(out, " --init");
    append_word(out, args->init);
  }
  if (args->extend != NULL) {
    parl_text_append(out, " --extend");
    append_word(out, args->extend);
  }
  if (args->operands[0][0] == '-') append_word(out, "--");
  append_word(out, args->operands[0]);
}
