/* experiments/html_text.h - text of anybody inside of a page.
 *
 * Thread rule: pure functions. */
#ifndef PARL_EXPERIMENTS_HTML_TEXT_H
#define PARL_EXPERIMENTS_HTML_TEXT_H
#include "core/text.h"

/* Text between tags or in a quoted attribute. */
void parl_text_append_html(parl_text *out, const char *s);
/* The first n letters, with an ellipsis if there are more. */
void parl_text_append_html_short(parl_text *out, const char *s, size_t n_letters);

#endif
