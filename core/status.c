/* core/status.c - the thread's error text. */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 4096 };
static _Thread_local char error_text[TEXT_BYTES];

const char *parl_status_name(parl_status s) {
  switch (s) {
#define X(name, value, meaning) \
  case PARL_STATUS_##name:      \
    return #name;
    PARL_STATUS_LIST(X)
#undef X
  }
  return "?";
}

const char *parl_status_meaning(parl_status s) {
  switch (s) {
#define X(name, value, meaning) \
  case PARL_STATUS_##name:      \
    return meaning;
    PARL_STATUS_LIST(X)
#undef X
  }
  return "?";
}

parl_status parl_fail(parl_status s, const char *format, ...) {
  char text[TEXT_BYTES]; /* an argument may point into error_text */
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  memcpy(error_text, text, strlen(text) + 1);
  return s;
}

parl_status parl_fail_sizes(parl_status s, const char *format, ...) {
  if (s != PARL_STATUS_ENOMEM) return s;
  char sizes[TEXT_BYTES / 4];
  va_list args;
  va_start(args, format);
  vsnprintf(sizes, sizeof sizes, format, args);
  va_end(args);
  return parl_fail(s, "no memory for %s: %s", sizes, error_text);
}

parl_status parl_fail_context(parl_status s, const char *format, ...) {
  if (s == PARL_STATUS_OK) return s;
  char prefix[TEXT_BYTES / 4];
  va_list args;
  va_start(args, format);
  vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  return parl_fail(s, "%s: %s", prefix, error_text);
}

const char *parl_error_text(void) {
  return error_text;
}

void parl_abort(const char *file, int line, const char *condition) {
  fprintf(stderr, "parl: internal error: %s:%d: %s is false; please report it\n", file, line,
          condition);
  abort();
}
