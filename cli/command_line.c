/* cli/command_line.c - a command line as text that a shell reads back. */
#include <string.h>

#include "cli/cli.h"

static void append_word(parl_text *out, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,@%+-";
  parl_text_append(out, " ");
  if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
    parl_text_append(out, word);
    return;
  }
  parl_text_append(out, "'");
  for (; *word != '\0'; word++)
    if (*word == '\'')
      parl_text_append(out, "'\\''");
    else
      parl_text_append_bytes(out, word, 1);
  parl_text_append(out, "'");
}

void cli_append_command(parl_text *out, const cli_args *args) {
  parl_text_append(out, "parl ");
  cli_append_name(args->command, out);
  for (size_t i = 0; i < args->n_sets; i++) {
    parl_text_append(out, " --set");
    append_word(out, args->sets[i]);
  }
  if (args->operands[0][0] == '-') append_word(out, "--");
  append_word(out, args->operands[0]);
}
