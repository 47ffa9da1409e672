/* cli/template.c - files that the program carries in itself. */
#include "cli/template.h"

#include <string.h>

#include "core/status.h"

static const char *find(const char *name) {
  const cli_template *t = cli_templates;
  while (t->name != NULL && strcmp(t->name, name) != 0) t++;
  PARL_CHECK(t->name != NULL);
  return t->text;
}

void cli_append_template(const char *name, const char *from, const char *to, parl_text *out) {
  const char *text = find(name);
  for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
    parl_text_append_bytes(out, text, (size_t)(at - text));
    parl_text_append(out, to);
  }
  parl_text_append(out, text);
}
