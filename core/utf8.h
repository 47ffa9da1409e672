/* core/utf8.h - what is UTF-8 and what is not.
 *
 * Thread rule: pure functions. Source: Unicode 15 table 3-7. */
#ifndef PARL_CORE_UTF8_H
#define PARL_CORE_UTF8_H
#include <stddef.h>

/* Length 1..4 of the sequence that starts at s [n], or 0 if it is none: overlong, a surrogate,
 * beyond U+10FFFF or cut. */
size_t parl_utf8_sequence(const unsigned char *s, size_t n);

/* Place of the first byte of s [n] that begins no sequence; n if all of it is UTF-8. */
size_t parl_utf8_find_bad(const char *s, size_t n);

#endif
