/* core/json_parse.c - a strict reader of RFC 8259 that builds cJSON nodes.
 *
 * cJSON's own parser is not used: it keeps its error position in a global, takes 01 and 1e999 for
 * numbers, cuts strings at \u0000, lets a key appear twice, and cannot tell a mistake in the text
 * from exhausted memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_internal.h"

enum { MAX_NUMBER_BYTES = 1024 };

typedef struct reader {
  const unsigned char *bytes; /* [n] */
  size_t n, at;
  const char *what;
  parl_text scratch; /* the string being decoded */
} reader;

static parl_status read_value(reader *r, int depth, cJSON **out);

static parl_status fail_at(const reader *r, size_t at, const char *text) {
  return parl_fail(PARL_STATUS_EFORMAT, "%s: byte %zu of %zu: %s", r->what, at, r->n, text);
}

static parl_status fail_memory(const reader *r) {
  return parl_fail(PARL_STATUS_ENOMEM, "%s: no memory for the JSON at byte %zu of %zu", r->what,
                   r->at, r->n);
}

/* The byte at the cursor, or -1 at the end. */
static int peek(const reader *r) {
  return r->at < r->n ? r->bytes[r->at] : -1;
}

static int accept(reader *r, int byte) {
  if (peek(r) != byte) return 0;
  r->at++;
  return 1;
}

static void skip_blanks(reader *r) {
  while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r') r->at++;
}

static parl_status keep(const reader *r, cJSON *node, cJSON **out) {
  if (node == NULL) return fail_memory(r);
  *out = node;
  return PARL_STATUS_OK;
}

static size_t skip_digits(reader *r) {
  const size_t start = r->at;
  while (peek(r) >= '0' && peek(r) <= '9') r->at++;
  return r->at - start;
}

static parl_status scan_number(reader *r) {
  accept(r, '-');
  if (!accept(r, '0') && skip_digits(r) == 0) return fail_at(r, r->at, "expected a digit");
  if (accept(r, '.') && skip_digits(r) == 0)
    return fail_at(r, r->at, "expected a digit after the decimal point");
  if (accept(r, 'e') || accept(r, 'E')) {
    if (!accept(r, '+')) accept(r, '-');
    if (skip_digits(r) == 0) return fail_at(r, r->at, "expected a digit in the exponent");
  }
  return PARL_STATUS_OK;
}

static parl_status read_number(reader *r, cJSON **out) {
  const size_t start = r->at;
  PARL_TRY(scan_number(r));
  char text[MAX_NUMBER_BYTES + 1];
  const size_t n = r->at - start;
  if (n > MAX_NUMBER_BYTES) return fail_at(r, start, "number of more than 1024 characters");
  memcpy(text, r->bytes + start, n);
  text[n] = '\0';
  const double x = strtod(text, NULL);
  if (!isfinite(x)) return fail_at(r, start, "number beyond the range of a double");
  return keep(r, cJSON_CreateNumber(x), out);
}

static parl_status read_hex4(reader *r, unsigned *out) {
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    const int c = peek(r);
    unsigned digit;
    if (c >= '0' && c <= '9')
      digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = (unsigned)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = (unsigned)(c - 'A' + 10);
    else
      return fail_at(r, r->at, "expected four hexadecimal digits after \\u");
    value = value * 16 + digit;
    r->at++;
  }
  *out = value;
  return PARL_STATUS_OK;
}

static void append_utf8(parl_text *out, unsigned c) {
  char s[4];
  size_t n = 0;
  if (c < 0x80) {
    s[n++] = (char)c;
  } else if (c < 0x800) {
    s[n++] = (char)(0xC0 | c >> 6);
  } else if (c < 0x10000) {
    s[n++] = (char)(0xE0 | c >> 12);
    s[n++] = (char)(0x80 | (c >> 6 & 0x3F));
  } else {
    s[n++] = (char)(0xF0 | c >> 18);
    s[n++] = (char)(0x80 | (c >> 12 & 0x3F));
    s[n++] = (char)(0x80 | (c >> 6 & 0x3F));
  }
  if (c >= 0x80) s[n++] = (char)(0x80 | (c & 0x3F));
  parl_text_append_bytes(out, s, n);
}

/* After "\u": one code point, which may take a pair of surrogates. */
static parl_status read_code_point(reader *r) {
  const size_t start = r->at - 2;
  unsigned c;
  PARL_TRY(read_hex4(r, &c));
  if (c == 0) return fail_at(r, start, "\\u0000 cannot be kept in a C string");
  if (c >= 0xDC00 && c <= 0xDFFF) return fail_at(r, start, "low surrogate without a high one");
  if (c >= 0xD800 && c <= 0xDBFF) {
    unsigned low = 0;
    if (!accept(r, '\\') || !accept(r, 'u'))
      return fail_at(r, start, "high surrogate without a low one");
    PARL_TRY(read_hex4(r, &low));
    if (low < 0xDC00 || low > 0xDFFF) return fail_at(r, start, "high surrogate without a low one");
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(&r->scratch, c);
  return PARL_STATUS_OK;
}

static parl_status read_escape(reader *r) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const int c = peek(r);
  if (c < 0) return fail_at(r, r->at, "the string does not end");
  r->at++;
  if (c == 'u') return read_code_point(r);
  const char *found = c == 0 ? NULL : strchr(from, c);
  if (found == NULL) return fail_at(r, r->at - 2, "unknown escape sequence");
  parl_text_append_bytes(&r->scratch, to + (found - from), 1);
  return PARL_STATUS_OK;
}

/* Decodes the string at the cursor, quotes included, into scratch. */
static parl_status read_string(reader *r) {
  const size_t start = r->at;
  if (!accept(r, '"')) return fail_at(r, r->at, "expected a string");
  parl_text_clear(&r->scratch);
  while (!accept(r, '"')) {
    const int c = peek(r);
    if (c < 0) return fail_at(r, start, "the string does not end");
    if (c < 0x20) return fail_at(r, r->at, "control character in a string");
    if (c == '\\') {
      r->at++;
      PARL_TRY(read_escape(r));
      continue;
    }
    const size_t length = parl_utf8_sequence(r->bytes + r->at, r->n - r->at);
    if (length == 0) return fail_at(r, r->at, "not UTF-8");
    parl_text_append_bytes(&r->scratch, r->bytes + r->at, length);
    r->at += length;
  }
  return r->scratch.failed ? fail_memory(r) : PARL_STATUS_OK;
}

static parl_status read_items(reader *r, int depth, cJSON *array) {
  skip_blanks(r);
  if (accept(r, ']')) return PARL_STATUS_OK;
  for (;;) {
    cJSON *item;
    PARL_TRY(read_value(r, depth, &item));
    cJSON_AddItemToArray(array, item);
    skip_blanks(r);
    if (accept(r, ']')) return PARL_STATUS_OK;
    if (!accept(r, ',')) return fail_at(r, r->at, "expected ',' or ']'");
  }
}

static char *copy_key(const parl_text *text) {
  char *key = cJSON_malloc(text->n + 1);
  if (key != NULL) memcpy(key, parl_text_get(text), text->n + 1);
  return key;
}

static parl_status read_member(reader *r, int depth, cJSON *object) {
  skip_blanks(r);
  PARL_TRY(read_string(r));
  char *key = copy_key(&r->scratch);
  if (key == NULL) return fail_memory(r);
  skip_blanks(r);
  cJSON *item = NULL;
  parl_status s = accept(r, ':') ? read_value(r, depth, &item)
                                 : fail_at(r, r->at, "expected ':' after the key");
  if (s != PARL_STATUS_OK) {
    cJSON_free(key);
    return s;
  }
  item->string = key; /* owned by the node now */
  cJSON_AddItemToArray(object, item);
  return PARL_STATUS_OK;
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Refuses two members of one name: which of them counts would be the reader's whim. */
static parl_status check_unique(const reader *r, size_t start, const cJSON *object) {
  const size_t n = (size_t)cJSON_GetArraySize(object);
  if (n < 2) return PARL_STATUS_OK;
  const char **keys = malloc(n * sizeof *keys);
  if (keys == NULL) return fail_memory(r);
  size_t i = 0;
  for (const cJSON *c = object->child; c != NULL; c = c->next) keys[i++] = c->string;
  qsort(keys, n, sizeof *keys, compare_keys);
  parl_status s = PARL_STATUS_OK;
  for (i = 1; i < n && s == PARL_STATUS_OK; i++) {
    if (strcmp(keys[i - 1], keys[i]) == 0)
      s = parl_fail(PARL_STATUS_EFORMAT, "%s: byte %zu of %zu: the object has key \"%s\" twice",
                    r->what, start, r->n, keys[i]);
  }
  free(keys);
  return s;
}

static parl_status read_members(reader *r, int depth, cJSON *object) {
  const size_t start = r->at - 1;
  skip_blanks(r);
  if (accept(r, '}')) return PARL_STATUS_OK;
  for (;;) {
    PARL_TRY(read_member(r, depth, object));
    skip_blanks(r);
    if (accept(r, '}')) return check_unique(r, start, object);
    if (!accept(r, ',')) return fail_at(r, r->at, "expected ',' or '}'");
  }
}

static parl_status read_container(reader *r, int depth, cJSON **out) {
  if (depth >= PARL_JSON_MAX_DEPTH) return fail_at(r, r->at, "nested deeper than 256");
  const int is_object = peek(r) == '{';
  r->at++;
  cJSON *node = is_object ? cJSON_CreateObject() : cJSON_CreateArray();
  if (node == NULL) return fail_memory(r);
  const parl_status s =
      is_object ? read_members(r, depth + 1, node) : read_items(r, depth + 1, node);
  if (s != PARL_STATUS_OK) {
    cJSON_Delete(node);
    return s;
  }
  *out = node;
  return PARL_STATUS_OK;
}

static int accept_word(reader *r, const char *word) {
  const size_t n = strlen(word);
  if (r->n - r->at < n || memcmp(r->bytes + r->at, word, n) != 0) return 0;
  r->at += n;
  return 1;
}

static parl_status read_value(reader *r, int depth, cJSON **out) {
  skip_blanks(r);
  const int c = peek(r);
  if (c == '{' || c == '[') return read_container(r, depth, out);
  if (c == '"') {
    PARL_TRY(read_string(r));
    return keep(r, cJSON_CreateString(parl_text_get(&r->scratch)), out);
  }
  if (c == '-' || (c >= '0' && c <= '9')) return read_number(r, out);
  if (accept_word(r, "true")) return keep(r, cJSON_CreateTrue(), out);
  if (accept_word(r, "false")) return keep(r, cJSON_CreateFalse(), out);
  if (accept_word(r, "null")) return keep(r, cJSON_CreateNull(), out);
  return fail_at(r, r->at, c < 0 ? "the text ends where a value is due" : "expected a value");
}

parl_status parl_json_parse(const char *bytes, size_t n, const char *what, parl_json **out) {
  reader r = {.bytes = (const unsigned char *)bytes, .n = n, .what = what};
  cJSON *root = NULL;
  parl_status s = read_value(&r, 0, &root);
  parl_text_deinit(&r.scratch);
  if (s != PARL_STATUS_OK) return s;
  skip_blanks(&r);
  if (r.at != n) {
    cJSON_Delete(root);
    return fail_at(&r, r.at, "more text after the value");
  }
  *out = parl_json_from_node(root);
  return PARL_STATUS_OK;
}
