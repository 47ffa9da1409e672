/* core/override.h - "section.field=value", or "ARM:section.field=value", taken apart.
 *
 * Thread rule: pure functions. */
#ifndef PARL_CORE_OVERRIDE_H
#define PARL_CORE_OVERRIDE_H
#include <stddef.h>

#include "core/status.h"

enum { PARL_OVERRIDE_KEY_BYTES = 256 };

typedef struct parl_override {
  const char *text;                  /* all of it, borrowed */
  const char *value;                 /* behind the first '=' of the field, borrowed; may be empty */
  size_t arm;                        /* index of the arm it is for; n_arms: for every arm */
  char key[PARL_OVERRIDE_KEY_BYTES]; /* "lambda1.start", with a dot inside */
} parl_override;

/* An arm's name may hold dots, dashes, '=' and ':': the longest of arms [n_arms] that stands in
 * front of a ':' is meant. Fails: EINVAL naming the form that is due, or the nearest arm; *out is
 * untouched then. */
parl_status parl_override_parse(const char *text, const char *const *arms, size_t n_arms,
                                parl_override *out);

#endif
