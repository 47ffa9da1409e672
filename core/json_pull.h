/* core/json_pull.h - a JSON text read value by value, for many small texts.
 *
 * core/json.h makes a tree of every value, which costs some 50 allocations for a line of a recorded
 * episode: 20 to 50 times what this takes, and more than what is done with it afterwards. Here the
 * caller asks for what it expects, nothing is allocated and nothing copied. The grammar is RFC
 * 8259, all of it is checked, skipped values too; nesting is limited.
 * Thread rule: one reader, one thread. Reading order: parl_json_pull, object and array, values. */
#ifndef PARL_CORE_JSON_PULL_H
#define PARL_CORE_JSON_PULL_H
#include <stdbool.h>
#include <stddef.h>

typedef struct parl_json_pull {
  const char *at, *end; /* borrowed: what is left; after a failure, `at` is where it is wrong */
  const char *why;      /* NULL, or what is wrong there: "a value is missing" */
} parl_json_pull;

/* A string as it stands between its quotes: UTF-8, its escapes are well formed. Borrowed. */
typedef struct parl_json_slice {
  const char *bytes;
  size_t n;
  bool is_escaped; /* has a backslash */
} parl_json_slice;

enum { PARL_JSON_PULL_MAX_DEPTH = 64 }; /* of a value that is skipped */

static inline parl_json_pull parl_json_pull_of(const char *bytes, size_t n) {
  return (parl_json_pull){.at = bytes, .end = bytes + n};
}

/* After a call that returned false `why` says why, and no further call may be made. */

/* Its first byte that is no blank; '\0' at the end. */
static inline char parl_json_pull_look(parl_json_pull *p) {
  while (p->at < p->end && (unsigned char)*p->at <= ' ' &&
         (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
    p->at++;
  return p->at < p->end ? *p->at : '\0';
}
/* The same of the next value, '0' standing for any number. */
static inline char parl_json_pull_peek(parl_json_pull *p) {
  const char c = parl_json_pull_look(p);
  return (c >= '0' && c <= '9') || c == '-' ? '0' : c;
}
/* Enters an object ('{') or an array ('['). */
bool parl_json_pull_open(parl_json_pull *p, char bracket);
/* Whether another item follows (*more), else leaves what `close`, '}' or ']', ends. *is_first is
 * true before the first item; the call clears it. */
bool parl_json_pull_more(parl_json_pull *p, char close, bool *is_first, bool *more);
/* The key of a member and its colon. */
bool parl_json_pull_key(parl_json_pull *p, parl_json_slice *out);
bool parl_json_pull_string(parl_json_pull *p, parl_json_slice *out);
/* Nearest double; infinite beyond its range. */
bool parl_json_pull_number(parl_json_pull *p, double *out);
/* true or false. */
bool parl_json_pull_bool(parl_json_pull *p, bool *out);
/* Any value. */
bool parl_json_pull_skip(parl_json_pull *p);
/* Nothing but blanks is left. */
bool parl_json_pull_end(parl_json_pull *p);

/* The text that a slice stands for, out [at least slice.n]; returns its bytes. */
size_t parl_json_pull_unescape(parl_json_slice slice, char *out);

#endif
