/* core/json_write.c - the writer and the canonical text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_internal.h"

void parl_json_format_number(double x, int digits, char out[PARL_JSON_NUMBER_BYTES]) {
  if (x == trunc(x) && fabs(x) <= 0x1p53) {
    snprintf(out, PARL_JSON_NUMBER_BYTES, "%.0f", x == 0.0 ? 0.0 : x); /* no -0 */
    return;
  }
  for (int p = digits; p <= 17; p++) {
    snprintf(out, PARL_JSON_NUMBER_BYTES, "%.*g", p, x);
    if (strtod(out, NULL) == x) return;
  }
}

/* One byte below 0x80, escaped where JSON or HTML asks for it. */
static void append_ascii(parl_text *out, unsigned char c) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *found = strchr(from, c);
  if (found != NULL)
    parl_text_appendf(out, "\\%c", to[found - from]);
  else if (c < 0x20 || c == 0x7F || c == '<')
    parl_text_appendf(out, "\\u%04x", (unsigned)c);
  else
    parl_text_append_bytes(out, &c, 1);
}

void parl_json_append_string(parl_text *out, const char *s) {
  const unsigned char *u = (const unsigned char *)s;
  const size_t n = strlen(s);
  parl_text_append(out, "\"");
  for (size_t i = 0; i < n;) {
    const size_t length = parl_utf8_sequence(u + i, n - i);
    if (length == 0)
      parl_text_append(out, "\xEF\xBF\xBD");
    else if (length == 1)
      append_ascii(out, u[i]);
    else
      parl_text_append_bytes(out, u + i, length);
    i += length ? length : 1;
  }
  parl_text_append(out, "\"");
}

static int compare_members(const void *a, const void *b) {
  const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
  return strcmp(x->string, y->string);
}

static void append_node(const cJSON *node, parl_text *out);

static void append_object(const cJSON *object, parl_text *out) {
  const size_t n = (size_t)cJSON_GetArraySize(object);
  const cJSON **members = malloc((n ? n : 1) * sizeof *members);
  if (members == NULL) {
    out->failed = 1;
    return;
  }
  size_t i = 0;
  for (const cJSON *c = object->child; c != NULL; c = c->next) members[i++] = c;
  qsort(members, n, sizeof *members, compare_members);
  parl_text_append(out, "{");
  for (i = 0; i < n; i++) {
    if (i > 0) parl_text_append(out, ",");
    parl_json_append_string(out, members[i]->string);
    parl_text_append(out, ":");
    append_node(members[i], out);
  }
  parl_text_append(out, "}");
  free(members);
}

static void append_array(const cJSON *array, parl_text *out) {
  parl_text_append(out, "[");
  for (const cJSON *c = array->child; c != NULL; c = c->next) {
    if (c != array->child) parl_text_append(out, ",");
    append_node(c, out);
  }
  parl_text_append(out, "]");
}

static void append_node(const cJSON *node, parl_text *out) {
  if (cJSON_IsObject(node)) {
    append_object(node, out);
  } else if (cJSON_IsArray(node)) {
    append_array(node, out);
  } else if (cJSON_IsString(node)) {
    parl_json_append_string(out, node->valuestring);
  } else if (cJSON_IsNumber(node)) {
    char text[PARL_JSON_NUMBER_BYTES];
    parl_json_format_number(node->valuedouble, 17, text);
    parl_text_append(out, text);
  } else if (cJSON_IsBool(node)) {
    parl_text_append(out, cJSON_IsTrue(node) ? "true" : "false");
  } else {
    parl_text_append(out, "null");
  }
}

void parl_json_append_canonical(const parl_json *node, parl_text *out) {
  append_node(parl_json_to_const_node(node), out);
}

void parl_json_writer_init(parl_json_writer *w, parl_text *out, bool pretty) {
  *w = (parl_json_writer){.out = out, .pretty = pretty};
}

static void new_line(parl_json_writer *w) {
  if (!w->pretty) return;
  parl_text_append(w->out, "\n");
  for (int i = 0; i < w->depth; i++) parl_text_append(w->out, "  ");
}

/* What stands before a key or a value: a comma, a line break, or nothing after a key. */
static void lead(parl_json_writer *w) {
  if (!w->after_key) {
    if (w->need_comma) parl_text_append(w->out, ",");
    if (w->depth > 0) new_line(w);
  }
  w->after_key = false;
  w->need_comma = true;
}

static void begin(parl_json_writer *w, const char *bracket) {
  lead(w);
  parl_text_append(w->out, bracket);
  w->depth++;
  w->need_comma = false;
}

static void end(parl_json_writer *w, const char *bracket) {
  PARL_CHECK(w->depth > 0 && !w->after_key);
  w->depth--;
  if (w->need_comma) new_line(w);
  parl_text_append(w->out, bracket);
  w->need_comma = true;
}

void parl_json_begin_object(parl_json_writer *w) {
  begin(w, "{");
}

void parl_json_end_object(parl_json_writer *w) {
  end(w, "}");
}

void parl_json_begin_array(parl_json_writer *w) {
  begin(w, "[");
}

void parl_json_end_array(parl_json_writer *w) {
  end(w, "]");
}

void parl_json_key(parl_json_writer *w, const char *key) {
  PARL_CHECK(w->depth > 0 && !w->after_key);
  lead(w);
  parl_json_append_string(w->out, key);
  parl_text_append(w->out, w->pretty ? ": " : ":");
  w->after_key = true;
}

void parl_json_number(parl_json_writer *w, double x) {
  if (!isfinite(x)) {
    parl_json_null(w);
    return;
  }
  char text[PARL_JSON_NUMBER_BYTES];
  parl_json_format_number(x, 15, text);
  lead(w);
  parl_text_append(w->out, text);
}

void parl_json_integer(parl_json_writer *w, int64_t x) {
  lead(w);
  parl_text_appendf(w->out, "%lld", (long long)x);
}

void parl_json_string(parl_json_writer *w, const char *s) {
  lead(w);
  parl_json_append_string(w->out, s);
}

void parl_json_bool(parl_json_writer *w, bool b) {
  lead(w);
  parl_text_append(w->out, b ? "true" : "false");
}

void parl_json_null(parl_json_writer *w) {
  lead(w);
  parl_text_append(w->out, "null");
}

void parl_json_raw(parl_json_writer *w, const char *json) {
  lead(w);
  parl_text_append(w->out, json);
}
