/* core/text.c - a string that grows by doubling. */
#include "core/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `extra` more bytes and the NUL; sticky on failure. */
static int reserve(parl_text *t, size_t extra) {
  if (t->failed) return 0;
  if (extra >= SIZE_MAX / 4 || t->n >= SIZE_MAX / 4) { /* nor may doubling overflow */
    t->failed = 1;
    return 0;
  }
  const size_t need = t->n + extra + 1;
  if (need <= t->capacity) return 1;
  size_t capacity = t->capacity ? t->capacity : 128;
  while (capacity < need) capacity *= 2;
  char *bytes = realloc(t->bytes, capacity);
  if (bytes == NULL) {
    t->failed = 1;
    return 0;
  }
  t->bytes = bytes;
  t->capacity = capacity;
  return 1;
}

void parl_text_append_bytes(parl_text *t, const void *bytes, size_t n) {
  if (!reserve(t, n)) return;
  if (n > 0) memcpy(t->bytes + t->n, bytes, n);
  t->n += n;
  t->bytes[t->n] = '\0';
}

void parl_text_append(parl_text *t, const char *s) {
  parl_text_append_bytes(t, s, strlen(s));
}

void parl_text_appendf(parl_text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) t->failed = 1; /* more than INT_MAX bytes */
  if (n < 0 || !reserve(t, (size_t)n)) return;
  va_start(args, format);
  vsnprintf(t->bytes + t->n, (size_t)n + 1, format, args);
  va_end(args);
  t->n += (size_t)n;
}

void parl_text_append_shell(parl_text *t, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,@%+-";
  if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
    parl_text_append(t, word);
    return;
  }
  parl_text_append(t, "'");
  for (; *word != '\0'; word++)
    if (*word == '\'')
      parl_text_append(t, "'\\''");
    else
      parl_text_append_bytes(t, word, 1);
  parl_text_append(t, "'");
}

const char *parl_text_get(const parl_text *t) {
  return t->bytes ? t->bytes : "";
}

parl_status parl_text_status(const parl_text *t) {
  if (t->failed) return parl_fail(PARL_STATUS_ENOMEM, "text: no memory beyond %zu bytes", t->n);
  return PARL_STATUS_OK;
}

void parl_text_clear(parl_text *t) {
  t->n = 0;
  t->failed = 0;
  if (t->bytes) t->bytes[0] = '\0';
}

void parl_text_deinit(parl_text *t) {
  free(t->bytes);
  *t = (parl_text){0};
}
