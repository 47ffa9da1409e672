/* parl/swarm/trace.h - what happened in one episode, written down: to compare, to hash, to show.
 *
 * A trace has one row an event, in an order that does not depend on how the episode's agents were
 * interleaved: by turn, then the orchestrator's call, then each sub-agent's rows together, then the
 * messages. Two episodes that went the same way have the same text, byte for byte.
 * Thread rule: one thread at a time. Reading order: parl_trace, add, sort, append_text. */
#ifndef PARL_PARL_SWARM_TRACE_H
#define PARL_PARL_SWARM_TRACE_H
#include "core/text.h"
#include "parl/swarm/observer.h"

typedef struct parl_trace_row {
  parl_event_kind kind; /* all but AGAINST, which is no part of what happened */
  int turn, agent, width;
  int sequence; /* number of the row as it came */
  bool has_call, finished;
  parl_call call;
  int64_t steps, critical, total;
  double r_perf;
  size_t first_token, n_tokens; /* into parl_trace.tokens */
} parl_trace_row;

/* Zero-initialise; deinit frees. */
typedef struct parl_trace {
  size_t n_rows, row_capacity;
  parl_trace_row *rows;
  size_t n_tokens, token_capacity;
  int32_t *tokens;
  size_t n_shown, shown_capacity;
  parl_shown *shown;  /* images among the tokens; of number -1: its pixels were not kept */
  parl_picture *seen; /* [n_shown] what each was, without pixels */
  size_t seen_capacity;
  parl_album album;  /* pixels, as far as an album takes them */
  size_t n_left_out; /* images of number -1 */
  bool ended;
  parl_facts facts;  /* once ended */
  parl_text details; /* JSON object of the score's named numbers, once ended */
} parl_trace;

void parl_trace_deinit(parl_trace *t);
/* Writes an event down. Fails: ENOMEM, and as the environment's `score` at the end. */
parl_status parl_trace_add(parl_trace *t, const parl_event *event);
/* Brings the rows into the order above. */
void parl_trace_sort(parl_trace *t);

/* "search row:4", "assign_task agent_1 row:2 row:3". */
void parl_trace_append_call(const parl_env *env, const parl_call *call, parl_text *out);
/* Number of the first image among the row's tokens in t->shown, and how many there are. */
size_t parl_trace_find_shown(const parl_trace *t, const parl_trace_row *row, size_t *n);
/* Names with blanks between them; an image's placeholders as "<|media_pad|>*16". */
void parl_trace_append_tokens(const parl_env *env, const int32_t *tokens, size_t n, parl_text *out);
/* One line a row with everything in it; numbers to the last bit. */
void parl_trace_append_text(const parl_trace *t, const parl_env *env, parl_text *out);
/* A JSON array of rows. */
void parl_trace_append_json(const parl_trace *t, const parl_env *env, parl_json_writer *w);

#endif
