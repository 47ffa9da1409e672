/* cli/template.h - files that the program carries in itself: cli/templates/, the editor's stub. */
#ifndef PARL_CLI_TEMPLATE_H
#define PARL_CLI_TEMPLATE_H
#include "core/text.h"

/* The list ends with a NULL name. */
typedef struct cli_template {
  const char *name, *text;
} cli_template;
extern const cli_template cli_templates[];

/* Appends the file of this name, which there is, with every `from` replaced. */
void cli_append_template(const char *name, const char *from, const char *to, parl_text *out);

#endif
