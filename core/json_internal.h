/* core/json_internal.h - what the JSON files share: nodes are cJSON's, and text is checked UTF-8.
 */
#ifndef PARL_CORE_JSON_INTERNAL_H
#define PARL_CORE_JSON_INTERNAL_H
#include <cJSON.h>
#include <stddef.h>

#include "core/json.h"
#include "core/utf8.h"

enum {
  PARL_JSON_MAX_DEPTH = 256,  /* objects and arrays inside each other */
  PARL_JSON_NUMBER_BYTES = 32 /* longest text parl_json_format_number makes, with its NUL */
};

/* A parl_json is a cJSON node under another name, so that cJSON.h stays in this folder. */
static inline cJSON *parl_json_to_node(parl_json *json) {
  return (cJSON *)(void *)json;
}
static inline const cJSON *parl_json_to_const_node(const parl_json *json) {
  return (const cJSON *)(const void *)json;
}
static inline parl_json *parl_json_from_node(cJSON *node) {
  return (parl_json *)(void *)node;
}

/* Text of a finite number: integers up to 2^53 without a fraction, else the shortest of `digits`,
 * ..., 17 significant digits that reads back to the same double. */
void parl_json_format_number(double x, int digits, char out[PARL_JSON_NUMBER_BYTES]);

/* Appends s as a JSON string with quotes; bytes that are no UTF-8 become U+FFFD. */
void parl_json_append_string(parl_text *out, const char *s);

#endif
