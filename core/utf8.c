/* core/utf8.c - the well-formed sequences, by their first byte. */
#include "core/utf8.h"

static int is_tail(const unsigned char *s, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  return 1;
}

size_t parl_utf8_sequence(const unsigned char *s, size_t n) {
  if (n == 0) return 0;
  const unsigned char c = s[0];
  if (c < 0x80) return 1;
  if (c < 0xC2) return 0;
  if (c < 0xE0) return n >= 2 && is_tail(s, 1, 2) ? 2 : 0;
  if (c < 0xF0) {
    if (n < 3 || !is_tail(s, 1, 3)) return 0;
    if (c == 0xE0 && s[1] < 0xA0) return 0;  /* overlong */
    if (c == 0xED && s[1] >= 0xA0) return 0; /* surrogate */
    return 3;
  }
  if (c > 0xF4 || n < 4 || !is_tail(s, 1, 4)) return 0;
  if (c == 0xF0 && s[1] < 0x90) return 0;  /* overlong */
  if (c == 0xF4 && s[1] >= 0x90) return 0; /* beyond U+10FFFF */
  return 4;
}

size_t parl_utf8_find_bad(const char *s, size_t n) {
  const unsigned char *u = (const unsigned char *)s;
  for (size_t i = 0; i < n;) {
    const size_t length = parl_utf8_sequence(u + i, n - i);
    if (length == 0) return i;
    i += length;
  }
  return n;
}
