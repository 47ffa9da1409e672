/* parl/swarm/trace.c - rows of an episode, their order, their text. */
#include "parl/swarm/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void parl_trace_deinit(parl_trace *t) {
  free(t->rows);
  free(t->tokens);
  free(t->shown);
  free(t->seen);
  parl_album_deinit(&t->album);
  parl_text_deinit(&t->details);
  memset(t, 0, sizeof *t);
}

/* Makes room for `more` items of `bytes` behind n. */
static parl_status grow(void **items, size_t n, size_t more, size_t bytes, size_t *capacity) {
  if (n + more <= *capacity) return PARL_STATUS_OK;
  const size_t wanted = 2 * (n + more) + 16;
  void *grown = realloc(*items, wanted * bytes);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "trace: no memory for %zu items", wanted);
  *items = grown;
  *capacity = wanted;
  return PARL_STATUS_OK;
}

static parl_status end(parl_trace *t, const parl_event *event) {
  double r_perf, success;
  t->ended = true;
  t->facts = *event->facts;
  return parl_env_score(event->env, event->world, &r_perf, &success, &t->details);
}

/* The images among the event's tokens, which are not added yet. Who watches sees all contexts, the
 * episode keeps those that are learned from: so an album that is full is no error here. */
static parl_status add_shown(parl_trace *t, const parl_env_shown *from) {
  void *shown = t->shown, *seen = t->seen;
  PARL_TRY(grow(&shown, t->n_shown, from->n, sizeof *t->shown, &t->shown_capacity));
  t->shown = shown;
  PARL_TRY(grow(&seen, t->n_shown, from->n, sizeof *t->seen, &t->seen_capacity));
  t->seen = seen;
  for (size_t i = 0; i < from->n; i++) {
    const parl_picture *picture = &from->album->items[from->items[i].picture];
    parl_shown *to = &t->shown[t->n_shown];
    *to = from->items[i];
    to->at += (int32_t)t->n_tokens;
    t->seen[t->n_shown] = *picture;
    t->seen[t->n_shown].image.rgb = NULL;
    const parl_status s = parl_album_add(&t->album, picture, &to->picture);
    if (s != PARL_STATUS_OK && s != PARL_STATUS_ELIMIT) return s;
    if (s == PARL_STATUS_ELIMIT) {
      to->picture = -1;
      t->n_left_out++;
    }
    t->n_shown++;
  }
  return PARL_STATUS_OK;
}

size_t parl_trace_find_shown(const parl_trace *t, const parl_trace_row *row, size_t *n) {
  const size_t end = row->first_token + row->n_tokens;
  size_t first = 0;
  while (first < t->n_shown && (size_t)t->shown[first].at < row->first_token) first++;
  *n = 0;
  while (first + *n < t->n_shown && (size_t)t->shown[first + *n].at < end) ++*n;
  return first;
}

parl_status parl_trace_add(parl_trace *t, const parl_event *event) {
  if (event->kind == PARL_EVENT_AGAINST) return PARL_STATUS_OK;
  void *rows = t->rows, *tokens = t->tokens;
  PARL_TRY(grow(&rows, t->n_rows, 1, sizeof *t->rows, &t->row_capacity));
  t->rows = rows;
  PARL_TRY(grow(&tokens, t->n_tokens, event->n_tokens, sizeof *t->tokens, &t->token_capacity));
  t->tokens = tokens;
  if (event->shown.n > 0) PARL_TRY(add_shown(t, &event->shown));
  parl_trace_row *row = &t->rows[t->n_rows];
  *row = (parl_trace_row){.kind = event->kind,
                          .turn = event->turn,
                          .agent = event->agent,
                          .width = event->width,
                          .sequence = (int)t->n_rows,
                          .has_call = event->call != NULL,
                          .finished = event->finished,
                          .steps = event->steps,
                          .critical = event->critical,
                          .total = event->total,
                          .r_perf = event->r_perf,
                          .first_token = t->n_tokens,
                          .n_tokens = event->n_tokens};
  if (event->call != NULL) row->call = *event->call;
  if (event->n_tokens > 0)
    memcpy(t->tokens + t->n_tokens, event->tokens, event->n_tokens * sizeof *t->tokens);
  t->n_rows++;
  t->n_tokens += event->n_tokens;
  return event->kind == PARL_EVENT_END ? end(t, event) : PARL_STATUS_OK;
}

/* Within a turn: the orchestrator, its sub-agents, their messages. */
static int get_phase(const parl_trace_row *row) {
  if (row->kind == PARL_EVENT_END) return 3;
  if (row->kind == PARL_EVENT_DELIVER) return 2;
  return row->agent > 0 ? 1 : 0;
}

static int compare_rows(const void *left, const void *right) {
  const parl_trace_row *a = left, *b = right;
  if (a->turn != b->turn) return a->turn < b->turn ? -1 : 1;
  if (get_phase(a) != get_phase(b)) return get_phase(a) < get_phase(b) ? -1 : 1;
  if (a->agent != b->agent) return a->agent < b->agent ? -1 : 1;
  return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void parl_trace_sort(parl_trace *t) {
  if (t->n_rows > 0) qsort(t->rows, t->n_rows, sizeof *t->rows, compare_rows);
}

/* --- text --- */

static void append_values(const parl_env *env, const parl_tool *tool, const parl_call *call,
                          parl_text *out) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < call->n_values; i++) {
    const parl_family *f = &spec->families[tool->slots[call->slot[i]].family];
    parl_text_appendf(out, " %s", parl_env_token_name(env, f->first_token + call->values[i] - 1));
  }
}

void parl_trace_append_call(const parl_env *env, const parl_call *call, parl_text *out) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  switch (call->kind) {
    case PARL_CALL_FINISH:
      parl_text_append(out, "finish");
      return;
    case PARL_CALL_CREATE:
      parl_text_appendf(out, "create_subagent agent_%d %s", call->agent_name + 1,
                        spec->roles[call->role]);
      return;
    case PARL_CALL_ASSIGN:
      parl_text_appendf(out, "assign_task agent_%d", call->agent_name + 1);
      append_values(env, &spec->task, call, out);
      return;
    case PARL_CALL_TOOL:
      parl_text_append(out, spec->tools[call->tool].name);
      append_values(env, &spec->tools[call->tool], call, out);
      return;
  }
}

void parl_trace_append_tokens(const parl_env *env, const int32_t *tokens, size_t n,
                              parl_text *out) {
  const int32_t pad = parl_env_get_spec(env)->vision.first_token + PARL_MEDIA_PAD;
  for (size_t i = 0; i < n; i++) {
    size_t run = 1;
    while (tokens[i] == pad && i + 1 < n && tokens[i + 1] == pad) run++, i++;
    parl_text_appendf(out, "%s%s", i + 1 > run ? " " : "", parl_env_token_name(env, tokens[i]));
    if (tokens[i] == pad) parl_text_appendf(out, "*%zu", run);
  }
}

/* " image 16x8:0123456789abcdef" for each, of a clip 16x8x4. */
static void append_shown(const parl_trace *t, const parl_trace_row *row, parl_text *out) {
  size_t n;
  const size_t first = parl_trace_find_shown(t, row, &n);
  for (size_t i = first; i < first + n; i++) {
    const parl_picture *p = &t->seen[i];
    parl_text_appendf(out, " image %dx%d", p->image.width, p->image.height / p->frames);
    if (p->frames > 1) parl_text_appendf(out, "x%d", p->frames);
    parl_text_appendf(out, ":%016llx", (unsigned long long)p->content);
  }
}

static const char *const kind_texts[] = {
#define X(name, text) text,
    PARL_EVENT_LIST(X)
#undef X
};

void parl_trace_append_text(const parl_trace *t, const parl_env *env, parl_text *out) {
  for (size_t i = 0; i < t->n_rows; i++) {
    const parl_trace_row *row = &t->rows[i];
    parl_text_appendf(out, "turn %d agent %d %s", row->turn, row->agent, kind_texts[row->kind]);
    if (row->has_call) {
      parl_text_append(out, " ");
      parl_trace_append_call(env, &row->call, out);
    }
    parl_text_append(out, " -> ");
    parl_trace_append_tokens(env, t->tokens + row->first_token, row->n_tokens, out);
    append_shown(t, row, out);
    parl_text_appendf(out,
                      " | width %d finished %d steps %lld critical %lld total %lld r_perf %.17g\n",
                      row->width, row->finished, (long long)row->steps, (long long)row->critical,
                      (long long)row->total, row->r_perf);
  }
  if (t->ended)
    parl_text_appendf(out, "end %s %s\n", parl_end_text(t->facts.end), parl_text_get(&t->details));
}

static void write_names(const parl_env *env, const int32_t *tokens, size_t n, parl_json_writer *w) {
  parl_json_begin_array(w);
  for (size_t i = 0; i < n; i++) parl_json_string(w, parl_env_token_name(env, tokens[i]));
  parl_json_end_array(w);
}

static void write_integer(parl_json_writer *w, const char *key, int64_t x) {
  parl_json_key(w, key);
  parl_json_integer(w, x);
}

/* Images among the row's tokens: where their placeholders begin, their size, their content. */
static void write_images(const parl_trace *t, const parl_trace_row *row, parl_json_writer *w) {
  size_t n;
  const size_t first = parl_trace_find_shown(t, row, &n);
  if (n == 0) return;
  parl_json_key(w, "images");
  parl_json_begin_array(w);
  for (size_t i = first; i < first + n; i++) {
    const parl_picture *p = &t->seen[i];
    char content[17];
    snprintf(content, sizeof content, "%016llx", (unsigned long long)p->content);
    parl_json_begin_object(w);
    write_integer(w, "at", t->shown[i].at - (int64_t)row->first_token);
    write_integer(w, "width", p->image.width);
    write_integer(w, "height", p->image.height / p->frames);
    if (p->frames > 1) write_integer(w, "frames", p->frames);
    parl_json_key(w, "content");
    parl_json_string(w, content);
    parl_json_end_object(w);
  }
  parl_json_end_array(w);
}

static void write_row(const parl_trace *t, const parl_trace_row *row, const parl_env *env,
                      parl_json_writer *w) {
  parl_json_begin_object(w);
  parl_json_key(w, "event");
  parl_json_string(w, kind_texts[row->kind]);
  write_integer(w, "turn", row->turn);
  write_integer(w, "agent", row->agent);
  if (row->has_call) {
    parl_text text = {0};
    parl_trace_append_call(env, &row->call, &text);
    parl_json_key(w, "call");
    parl_json_string(w, parl_text_get(&text));
    parl_text_deinit(&text);
  }
  parl_json_key(w, "tokens");
  write_names(env, t->tokens + row->first_token, row->n_tokens, w);
  write_images(t, row, w);
  if (row->kind == PARL_EVENT_LAUNCH) write_integer(w, "width", row->width);
  if (row->kind == PARL_EVENT_DELIVER) {
    parl_json_key(w, "finished");
    parl_json_bool(w, row->finished);
  }
  if (row->agent > 0) write_integer(w, "steps", row->steps);
  write_integer(w, "critical_steps", row->critical);
  write_integer(w, "total_steps", row->total);
  parl_json_key(w, "r_perf");
  parl_json_number(w, row->r_perf);
  parl_json_end_object(w);
}

void parl_trace_append_json(const parl_trace *t, const parl_env *env, parl_json_writer *w) {
  parl_json_begin_array(w);
  for (size_t i = 0; i < t->n_rows; i++) write_row(t, &t->rows[i], env, w);
  parl_json_end_array(w);
}
