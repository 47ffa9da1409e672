/* core/json_pull.c - a scanner over bytes; no state but the place. */
#include "core/json_pull.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

static bool fail(parl_json_pull *p, const char *why) {
  p->why = why;
  return false;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool parl_json_pull_open(parl_json_pull *p, char bracket) {
  if (parl_json_pull_look(p) != bracket)
    return fail(p, bracket == '{' ? "an object is missing" : "an array is missing");
  p->at++;
  return true;
}

bool parl_json_pull_more(parl_json_pull *p, char close, bool *is_first, bool *more) {
  const char c = parl_json_pull_look(p);
  *more = c != close;
  if (c == close) {
    p->at++;
  } else if (!*is_first) {
    if (c != ',')
      return fail(p, close == '}' ? "a comma or } is missing" : "a comma or ] is missing");
    p->at++;
  }
  *is_first = false;
  return true;
}

/* --- strings --- */

static int get_hex(const char *s) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    const char c = s[i];
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The bytes of an escape at s, a backslash, of n bytes; 0 if it is none. *code: what it says. */
static size_t read_escape(const char *s, size_t n, uint32_t *code) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (n < 2) return 0;
  const char *simple = s[1] != '\0' ? strchr(from, s[1]) : NULL;
  if (simple != NULL) return *code = (uint32_t)to[simple - from], 2;
  if (s[1] != 'u' || n < 6) return 0;
  const int high = get_hex(s + 2);
  *code = (uint32_t)high;
  if (high < 0 || (high >= 0xDC00 && high < 0xE000)) return 0;
  if (high < 0xD800 || high >= 0xE000) return 6;
  const int low = n >= 12 && s[6] == '\\' && s[7] == 'u' ? get_hex(s + 8) : -1;
  if (low < 0xDC00 || low >= 0xE000) return 0;
  *code = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
  return 12;
}

/* Bytes of s [n], a multiple of 8, before the eight in which a quote, a backslash, a control
 * character or no ASCII stands. */
static size_t skip_plain(const char *s, size_t n) {
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t x;
    memcpy(&x, s + i, 8);
    const uint64_t quote = x ^ ones * '"', backslash = x ^ ones * '\\';
    const uint64_t found =
        ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | (x - ones * 0x20) | x;
    if (found & high) break;
  }
  return i;
}

bool parl_json_pull_string(parl_json_pull *p, parl_json_slice *out) {
  if (parl_json_pull_look(p) != '"') return fail(p, "a string is missing");
  const char *const first = p->at + 1;
  const char *s = first + skip_plain(first, (size_t)(p->end - first));
  unsigned char all = 0;
  bool is_escaped = false;
  for (; s < p->end && *s != '"'; s++) {
    const unsigned char c = (unsigned char)*s;
    all |= c;
    if (c >= 0x20 && c != '\\') continue;
    p->at = s;
    if (c < 0x20) return fail(p, "a control character stands in a string");
    uint32_t code;
    const size_t n = read_escape(s, (size_t)(p->end - s), &code);
    if (n == 0) return fail(p, "this is no escape");
    is_escaped = true;
    s += n - 1;
  }
  p->at = s;
  if (s == p->end) return fail(p, "a string has no end");
  const size_t n = (size_t)(s - first), bad = all < 0x80 ? n : parl_utf8_find_bad(first, n);
  if (bad < n) {
    p->at = first + bad;
    return fail(p, "this is no UTF-8");
  }
  *out = (parl_json_slice){first, n, is_escaped};
  p->at = s + 1;
  return true;
}

bool parl_json_pull_key(parl_json_pull *p, parl_json_slice *out) {
  if (parl_json_pull_look(p) != '"') return fail(p, "a key is missing");
  if (!parl_json_pull_string(p, out)) return false;
  if (parl_json_pull_look(p) != ':') return fail(p, "a colon is missing");
  p->at++;
  return true;
}

static size_t write_utf8(uint32_t code, char *out) {
  if (code < 0x80) return out[0] = (char)code, 1;
  const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
  out[0] = (char)(leads[n] | code);
  return n;
}

size_t parl_json_pull_unescape(parl_json_slice slice, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < slice.n;) {
    uint32_t code;
    if (slice.bytes[i] != '\\') {
      out[n++] = slice.bytes[i++];
      continue;
    }
    i += read_escape(slice.bytes + i, slice.n - i, &code);
    n += write_utf8(code, out + n);
  }
  return n;
}

/* --- numbers --- */

static const char *skip_digits(const char *s, const char *end) {
  while (s < end && is_digit(*s)) s++;
  return s;
}

enum { MOST_DIGITS = 400 }; /* bytes of a number */

/* strtod needs a NUL behind the number, so a copy. */
static double convert(const char *s, size_t n) {
  char copy[MOST_DIGITS + 1];
  memcpy(copy, s, n);
  copy[n] = '\0';
  return strtod(copy, NULL);
}

/* Where digits and power of ten are both exact doubles one division is correctly rounded. */
static bool convert_short(const char *s, const char *end, double *out) {
  static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool is_negative = *s == '-';
  uint64_t digits = 0;
  int n = 0, n_after = 0;
  bool after = false;
  for (s += is_negative; s < end; s++) {
    if (*s == '.') {
      after = true;
      continue;
    }
    if (!is_digit(*s) || ++n > 15) return false;
    digits = digits * 10 + (uint64_t)(*s - '0');
    n_after += after;
  }
  const double x = (double)digits / powers[n_after];
  *out = is_negative ? -x : x;
  return true;
}

/* The end of the number at s, or NULL. */
static const char *find_end(const char *s, const char *end) {
  s += s < end && *s == '-';
  if (s == end || !is_digit(*s)) return NULL;
  s = *s == '0' ? s + 1 : skip_digits(s, end);
  if (s < end && *s == '.') {
    const char *const first = s + 1;
    s = skip_digits(first, end);
    if (s == first) return NULL;
  }
  if (s < end && (*s == 'e' || *s == 'E')) {
    s++;
    s += s < end && (*s == '+' || *s == '-');
    const char *const first = s;
    s = skip_digits(first, end);
    if (s == first) return NULL;
  }
  return s;
}

bool parl_json_pull_number(parl_json_pull *p, double *out) {
  if (parl_json_pull_peek(p) != '0') return fail(p, "a number is missing");
  const char *const end = find_end(p->at, p->end);
  if (end == NULL) return fail(p, "this is no number");
  if (end - p->at > MOST_DIGITS) return fail(p, "a number has more than 400 bytes");
  if (!convert_short(p->at, end, out)) *out = convert(p->at, (size_t)(end - p->at));
  p->at = end;
  return true;
}

/* --- the rest --- */

static bool read_word(parl_json_pull *p, const char *word, const char *why) {
  const size_t n = strlen(word);
  if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return fail(p, why);
  p->at += n;
  return true;
}

bool parl_json_pull_bool(parl_json_pull *p, bool *out) {
  const char *const why = "true or false is missing";
  *out = parl_json_pull_look(p) == 't';
  return read_word(p, *out ? "true" : "false", why);
}

static bool skip_scalar(parl_json_pull *p, char first) {
  parl_json_slice text;
  double number;
  bool truth;
  switch (first) {
    case '"':
      return parl_json_pull_string(p, &text);
    case '0':
      return parl_json_pull_number(p, &number);
    case 'n':
      return read_word(p, "null", "this is no value");
    case 't':
    case 'f':
      return parl_json_pull_bool(p, &truth);
    default:
      return fail(p, first == '\0' ? "a value is missing" : "this is no value");
  }
}

bool parl_json_pull_skip(parl_json_pull *p) {
  char close[PARL_JSON_PULL_MAX_DEPTH];
  bool is_first = true, more;
  parl_json_slice key;
  for (int depth = 0;;) {
    const char first = parl_json_pull_peek(p);
    if (first == '{' || first == '[') {
      if (depth == PARL_JSON_PULL_MAX_DEPTH) return fail(p, "it is nested too deep");
      close[depth++] = first == '{' ? '}' : ']';
      is_first = true;
      p->at++;
    } else if (!skip_scalar(p, first)) {
      return false;
    }
    for (more = false; depth > 0 && !more; depth -= !more)
      if (!parl_json_pull_more(p, close[depth - 1], &is_first, &more)) return false;
    if (depth == 0 && !more) return true;
    if (close[depth - 1] == '}' && !parl_json_pull_key(p, &key)) return false;
  }
}

bool parl_json_pull_end(parl_json_pull *p) {
  return parl_json_pull_look(p) == '\0' && p->at == p->end ? true
                                                           : fail(p, "something follows the value");
}
