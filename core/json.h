/* core/json.h - reading and writing JSON (cJSON holds the tree).
 *
 * Reading: a tree with typed accessors. Writing: a writer that appends to a parl_text. Numbers are
 * doubles: integers are exact up to 2^53. Text is UTF-8. Numbers are read and written by the C
 * library, so LC_NUMERIC must be "C", as it is in a program that never calls setlocale.
 * Thread rule: one thread per tree or writer; a tree may be read by many.
 * Reading order: parse, find, edit, canonical, the writer. */
#ifndef PARL_CORE_JSON_H
#define PARL_CORE_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

typedef struct parl_json parl_json;

typedef enum parl_json_type {
  PARL_JSON_NULL,
  PARL_JSON_BOOL,
  PARL_JSON_NUMBER,
  PARL_JSON_STRING,
  PARL_JSON_ARRAY,
  PARL_JSON_OBJECT
} parl_json_type;

/* Parses exactly one document of n bytes; blanks around it are allowed. Refused beyond the grammar:
 * a key twice in one object, nesting deeper than 256, numbers beyond a double, \u0000, text that is
 * no UTF-8. `what` names the source in errors. *out is owned by the caller.
 * Fails: EFORMAT with the byte offset, ENOMEM. Source: RFC 8259. */
parl_status parl_json_parse(const char *bytes, size_t n, const char *what, parl_json **out);

/* A new empty object, owned by the caller. Fails: ENOMEM. */
parl_status parl_json_create_object(parl_json **out);

/* A deep copy, owned by the caller. Fails: EINVAL if node is NULL, ENOMEM. */
parl_status parl_json_copy(const parl_json *node, parl_json **out);

/* Frees a root and everything below it; NULL is allowed. */
void parl_json_destroy(parl_json *root);

/* Type of a node; NULL counts as null. */
parl_json_type parl_json_get_type(const parl_json *node);

/* Borrowed English name of a type ("number"), "?" outside the list. */
const char *parl_json_type_name(parl_json_type t);

/* The value, borrowed; NULL / 0 / false where the type differs or node is NULL. */
const char *parl_json_get_string(const parl_json *node);
double parl_json_get_number(const parl_json *node);
bool parl_json_get_bool(const parl_json *node);

/* Borrowed key of a member of an object; NULL for anything else. */
const char *parl_json_get_key(const parl_json *node);

/* Children of an array or object, 0 for anything else. */
size_t parl_json_get_size(const parl_json *node);

/* Children in order, borrowed: for (c = first(node); c; c = next(c)). */
const parl_json *parl_json_get_first(const parl_json *node);
const parl_json *parl_json_get_next(const parl_json *node);

/* Member of an object by exact key, borrowed, or NULL. */
const parl_json *parl_json_find(const parl_json *object, const char *key);

/* Member by dotted path ("run.seed"), borrowed, or NULL. */
const parl_json *parl_json_find_path(const parl_json *root, const char *path);

/* Sets a dotted path, making objects on the way; value_text is a JSON literal, or else taken as a
 * string. Nodes borrowed from a value that is replaced become invalid.
 * Fails: EINVAL if the path crosses a value that is no object, has an empty or over 256 keys, or if
 * the text is no UTF-8; ENOMEM. The tree is untouched then. */
parl_status parl_json_set_path(parl_json *root, const char *path, const char *value_text);

/* Deep merge of object `over` into `base`: objects merge, everything else replaces. Nodes borrowed
 * from `base` become invalid. Fails: EINVAL if either is no object, ENOMEM; base is untouched. */
parl_status parl_json_merge(parl_json *base, const parl_json *over);

/* Removes a member of an object if present. */
void parl_json_remove(parl_json *object, const char *key);

/* Canonical text: sorted keys, no blanks, integers as integers, other numbers %.17g. Hash this.
 * Fails: like any append, by parl_text_status. Source: ours. */
void parl_json_append_canonical(const parl_json *node, parl_text *out);

/* Writer: the calls nest like the text they make. Keys stand only inside objects, one before each
 * value (PARL_CHECK). Exhausted memory shows in parl_text_status of `out`. */
typedef struct parl_json_writer {
  parl_text *out;  /* borrowed */
  int depth;       /* objects and arrays that are open */
  bool need_comma; /* a sibling stands before the next item */
  bool after_key;  /* the next value belongs to a key */
  bool pretty;     /* line breaks, and 2 blanks per depth */
} parl_json_writer;

/* Starts writing at the end of `out`. */
void parl_json_writer_init(parl_json_writer *w, parl_text *out, bool pretty);
void parl_json_begin_object(parl_json_writer *w);
void parl_json_end_object(parl_json_writer *w);
void parl_json_begin_array(parl_json_writer *w);
void parl_json_end_array(parl_json_writer *w);
void parl_json_key(parl_json_writer *w, const char *key);

/* Shortest of %.15g, %.16g, %.17g that reads back to the same double; null if not finite. */
void parl_json_number(parl_json_writer *w, double x);

/* Every digit, even beyond 2^53, where a reader that keeps doubles rounds. */
void parl_json_integer(parl_json_writer *w, int64_t x);

/* '<' becomes \u003c, so that the text may stand inside HTML; bytes that are no UTF-8, U+FFFD. */
void parl_json_string(parl_json_writer *w, const char *s);
void parl_json_bool(parl_json_writer *w, bool b);
void parl_json_null(parl_json_writer *w);

/* Inserts text that is one JSON value already; not checked. */
void parl_json_raw(parl_json_writer *w, const char *json);

/* Version of the library inside, borrowed. */
const char *parl_json_library_version(void);

#endif
