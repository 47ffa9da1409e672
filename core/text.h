/* core/text.h - a string that grows.
 *
 * Zero-initialise, append, free with deinit. After a failed append the text is unchanged and every
 * later append fails too, so a caller may check once at the end with parl_text_status.
 * Thread rule: one thread at a time. */
#ifndef PARL_CORE_TEXT_H
#define PARL_CORE_TEXT_H
#include <stddef.h>

#include "core/status.h"

typedef struct parl_text {
  char *bytes;     /* owned, NUL-terminated, NULL while empty */
  size_t n;        /* bytes without the NUL */
  size_t capacity; /* bytes allocated */
  int failed;      /* an append ran out of memory */
} parl_text;

/* Appends a C string. */
void parl_text_append(parl_text *t, const char *s);

/* Appends n bytes that lie outside the text; bytes may be NULL if n is 0. */
void parl_text_append_bytes(parl_text *t, const void *bytes, size_t n);

/* Appends in printf's manner. */
void parl_text_appendf(parl_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a word that a shell reads back: in quotes where it needs them. */
void parl_text_append_shell(parl_text *t, const char *word);

/* Borrowed C string, never NULL; valid until the next append. */
const char *parl_text_get(const parl_text *t);

/* Fails: ENOMEM if any append since the last clear failed. */
parl_status parl_text_status(const parl_text *t);

/* Empties the text and forgets a failure; keeps the memory. */
void parl_text_clear(parl_text *t);

/* Frees; the text is empty and usable again. */
void parl_text_deinit(parl_text *t);

#endif
