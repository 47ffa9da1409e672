/* core/json.h - reading and writing JSON (cJSON inside).
 *
 * Reading: a tree with typed, path-naming accessors. Writing: a writer that appends to a parl_text.
 * Numbers are doubles: integers are exact up to 2^53. Thread rule: one thread per tree or writer.
 * Reading order: parse, find, edit, canonical, the writer. */
#ifndef PARL_CORE_JSON_H
#define PARL_CORE_JSON_H
#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

typedef struct parl_json parl_json;

typedef enum parl_json_type {
  PARL_JSON_NULL, PARL_JSON_BOOL, PARL_JSON_NUMBER, PARL_JSON_STRING, PARL_JSON_ARRAY, PARL_JSON_OBJECT
} parl_json_type;

/* Parses exactly one document of n bytes (trailing blanks allowed, duplicate keys refused, depth <= 256).
 * `what` names the source in errors. Fails: EFORMAT with the byte offset, ENOMEM. Owned by the caller. */
parl_status parl_json_parse(const char *bytes, size_t n, const char *what, parl_json **out);
/* New empty object / deep copy. Fails: ENOMEM. */
parl_status parl_json_create_object(parl_json **out);
parl_status parl_json_copy(const parl_json *node, parl_json **out);
void parl_json_destroy(parl_json *root);

parl_json_type parl_json_get_type(const parl_json *node);
const char *parl_json_type_name(parl_json_type t);
/* Borrowed; NULL / 0 / false where the type differs. */
const char *parl_json_get_string(const parl_json *node);
double parl_json_get_number(const parl_json *node);
bool parl_json_get_bool(const parl_json *node);
const char *parl_json_get_key(const parl_json *node);
size_t parl_json_get_size(const parl_json *node);
/* Children in order: for (c = first(node); c; c = next(c)). */
const parl_json *parl_json_get_first(const parl_json *node);
const parl_json *parl_json_get_next(const parl_json *node);
/* Member of an object by exact key, or NULL. */
const parl_json *parl_json_find(const parl_json *object, const char *key);
/* Member by dotted path ("run.seed"), or NULL. */
const parl_json *parl_json_find_path(const parl_json *root, const char *path);

/* Sets a dotted path, making objects on the way; value_text is a JSON literal, or else taken as a string.
 * Fails: EINVAL if the path crosses a value that is no object, or is empty; ENOMEM. */
parl_status parl_json_set_path(parl_json *root, const char *path, const char *value_text);
/* Deep merge of object `over` into `base`: objects merge, everything else replaces. */
parl_status parl_json_merge(parl_json *base, const parl_json *over);
/* Removes a member of an object if present. */
void parl_json_remove(parl_json *object, const char *key);

/* Canonical text: sorted keys, no blanks, integers as integers, other numbers %.17g. Hash this. */
void parl_json_append_canonical(const parl_json *node, parl_text *out);

/* Writer. Keys only inside objects. Numbers that are not finite become null. pretty indents by 2. */
typedef struct parl_json_writer {
  parl_text *out;
  int depth;
  bool need_comma, after_key, pretty;
} parl_json_writer;

void parl_json_writer_init(parl_json_writer *w, parl_text *out, bool pretty);
void parl_json_begin_object(parl_json_writer *w);
void parl_json_end_object(parl_json_writer *w);
void parl_json_begin_array(parl_json_writer *w);
void parl_json_end_array(parl_json_writer *w);
void parl_json_key(parl_json_writer *w, const char *key);
/* Shortest of %.15g, %.16g, %.17g that reads back to the same double. */
void parl_json_number(parl_json_writer *w, double x);
void parl_json_integer(parl_json_writer *w, int64_t x);
void parl_json_string(parl_json_writer *w, const char *s); /* UTF-8; '<' becomes \u003c */
void parl_json_bool(parl_json_writer *w, bool b);
void parl_json_null(parl_json_writer *w);
/* Inserts text that is JSON already. */
void parl_json_raw(parl_json_writer *w, const char *json);

#endif
