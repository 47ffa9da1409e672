/* cli/pdf.h - drawings as PDF, by a program that is there or is not.
 *
 * Thread rule: one thread. Reading order: find, make. */
#ifndef PARL_CLI_PDF_H
#define PARL_CLI_PDF_H
#include "core/status.h"

/* Name of the first of rsvg-convert, inkscape and chromium that PATH has; out may be NULL. Fails:
 * EINVAL naming all three. */
parl_status cli_find_pdf_tool(const char **out);

/* NAME.pdf beside every NAME.svg of a folder. Fails: as find; EIO naming the file and what the
 * program's exit was. */
parl_status cli_make_pdfs(const char *folder);

#endif
