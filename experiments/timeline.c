/* experiments/timeline.c - turns and sub-agents from JSON, what they called and said. */
#include "experiments/timeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MOST_STEPS = 1e12; /* of an episode */

void parl_timeline_deinit(parl_timeline *t) {
  parl_arena_deinit(&t->arena);
  memset(t, 0, sizeof *t);
}

static parl_status keep(parl_timeline *t, const char *text, const char **out) {
  char *copy;
  const size_t n = strlen(text != NULL ? text : "") + 1;
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n, &copy));
  memcpy(copy, text != NULL ? text : "", n);
  *out = copy;
  return PARL_STATUS_OK;
}

static parl_status keep_title(parl_timeline *t, const parl_timeline_title *title) {
  t->title = *title;
  PARL_TRY(keep(t, title->recipe, &t->title.recipe));
  PARL_TRY(keep(t, title->arm, &t->title.arm));
  PARL_TRY(keep(t, title->policy, &t->title.policy));
  PARL_TRY(keep(t, title->decoding, &t->title.decoding));
  PARL_TRY(keep(t, title->family, &t->title.family));
  return keep(t, title->end, &t->title.end);
}

/* --- from the store's JSON --- */

static parl_status read_steps(const parl_json *object, const char *key, int64_t *out) {
  const parl_json *node = parl_json_find(object, key);
  const double x = parl_json_get_number(node);
  if (parl_json_get_type(node) != PARL_JSON_NUMBER || !(x >= 0 && x <= MOST_STEPS) || x != floor(x))
    return parl_fail(PARL_STATUS_EFORMAT, "turns of an episode: \"%s\" is no number of steps", key);
  *out = (int64_t)x;
  return PARL_STATUS_OK;
}

static bool is_set(const parl_json *object, const char *key) {
  return parl_json_get_number(parl_json_find(object, key)) == 1;
}

static parl_status read_sub(parl_timeline *t, const parl_json *node, parl_timeline_sub *out) {
  *out = (parl_timeline_sub){.finished = is_set(node, "finished"),
                             .useful = is_set(node, "useful"),
                             .duplicate = is_set(node, "duplicate"),
                             .is_lost = is_set(node, "lost"),
                             .is_false = is_set(node, "false")};
  PARL_TRY(read_steps(node, "steps", &out->steps));
  PARL_TRY(keep(t, parl_json_get_string(parl_json_find(node, "role")), &out->role));
  return keep(t, parl_json_get_string(parl_json_find(node, "task")), &out->task);
}

static parl_status read_turn(parl_timeline *t, const parl_json *node, parl_timeline_turn *out) {
  const parl_json *subs = parl_json_find(node, "subs");
  int64_t most = 0;
  *out = (parl_timeline_turn){.begin = t->critical,
                              .r_perf = parl_json_get_number(parl_json_find(node, "r_perf")),
                              .first_sub = t->n_subs,
                              .width = parl_json_get_size(subs)};
  PARL_TRY(read_steps(node, "main", &out->main));
  out->longest = out->width;
  for (const parl_json *s = parl_json_get_first(subs); s != NULL; s = parl_json_get_next(s)) {
    parl_timeline_sub *sub = &t->subs[t->n_subs];
    PARL_TRY(read_sub(t, s, sub));
    if (sub->steps > most) {
      most = sub->steps;
      out->longest = t->n_subs - out->first_sub;
    }
    t->total += sub->steps;
    t->n_subs++;
  }
  t->critical += out->main + most;
  t->total += out->main;
  if (out->width > t->n_lanes) t->n_lanes = out->width;
  if (t->total > (int64_t)MOST_STEPS)
    return parl_fail(PARL_STATUS_EFORMAT, "turns of an episode: more than 1e12 steps");
  return PARL_STATUS_OK;
}

static parl_status read_turns(parl_timeline *t, const parl_json *list) {
  size_t n_subs = 0;
  const size_t n_turns = parl_json_get_size(list);
  if (parl_json_get_type(list) != PARL_JSON_ARRAY || n_turns == 0)
    return parl_fail(PARL_STATUS_EFORMAT, "turns of an episode: a list with a turn or more");
  for (const parl_json *n = parl_json_get_first(list); n != NULL; n = parl_json_get_next(n))
    n_subs += parl_json_get_size(parl_json_find(n, "subs"));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n_turns, &t->turns));
  PARL_TRY(PARL_ARENA_TAKE(&t->arena, n_subs + 1, &t->subs));
  for (const parl_json *n = parl_json_get_first(list); n != NULL; n = parl_json_get_next(n)) {
    PARL_TRY(read_turn(t, n, &t->turns[t->n_turns]));
    t->n_turns++;
  }
  return PARL_STATUS_OK;
}

parl_status parl_timeline_read(const parl_timeline_title *title, const char *stages, size_t n,
                               parl_timeline *out) {
  parl_json *list = NULL;
  *out = (parl_timeline){.n_turns = 0};
  parl_arena_init(&out->arena, 0);
  PARL_TRY(keep_title(out, title));
  PARL_TRY(parl_json_parse(stages, n, "the turns of an episode", &list));
  const parl_status s = read_turns(out, list);
  parl_json_destroy(list);
  return s;
}

/* --- from a trace --- */

static parl_status refuse_other(const parl_trace_row *row) {
  return parl_fail(PARL_STATUS_EINVAL,
                   "the episode that was played again is another one: turn %d, agent %d", row->turn,
                   row->agent);
}

/* "search row:2 > sure value:3", on a line of its own behind what *text has. */
static parl_status add_call(parl_timeline *t, const parl_trace *trace, const parl_trace_row *row,
                            const parl_env *env, const char **text) {
  parl_text line = {0};
  if (*text != NULL && (*text)[0] != '\0') parl_text_appendf(&line, "%s\n", *text);
  if (row->kind == PARL_EVENT_INVALID)
    parl_text_append(&line, "<invalid>");
  else if (row->has_call)
    parl_trace_append_call(env, &row->call, &line);
  if (row->n_tokens > 0) {
    parl_text_append(&line, " > ");
    parl_trace_append_tokens(env, trace->tokens + row->first_token, row->n_tokens, &line);
  }
  parl_status s = parl_text_status(&line);
  if (s == PARL_STATUS_OK) s = keep(t, parl_text_get(&line), text);
  parl_text_deinit(&line);
  return s;
}

static parl_status add_message(parl_timeline *t, const parl_trace *trace, const parl_trace_row *row,
                               const parl_env *env, parl_timeline_sub *sub) {
  parl_text text = {0};
  parl_trace_append_tokens(env, trace->tokens + row->first_token, row->n_tokens, &text);
  parl_status s = parl_text_status(&text);
  if (s == PARL_STATUS_OK) s = keep(t, parl_text_get(&text), &sub->message);
  parl_text_deinit(&text);
  return s;
}

/* The number of the first sub-agent of a turn in the trace: a turn's are numbered in a row. */
static int find_first_agent(const parl_trace *trace, int turn) {
  int first = 0;
  for (size_t i = 0; i < trace->n_rows; i++) {
    const parl_trace_row *row = &trace->rows[i];
    if (row->turn == turn && row->agent > 0 && (first == 0 || row->agent < first))
      first = row->agent;
  }
  return first;
}

static parl_status add_row(parl_timeline *t, const parl_trace *trace, const parl_trace_row *row,
                           int first_agent, const parl_env *env) {
  if (row->turn < 1 || row->kind == PARL_EVENT_END || row->kind == PARL_EVENT_START)
    return PARL_STATUS_OK;
  if ((size_t)row->turn > t->n_turns) return refuse_other(row);
  parl_timeline_turn *turn = &t->turns[row->turn - 1];
  const bool is_call = row->kind == PARL_EVENT_CALL || row->kind == PARL_EVENT_INVALID;
  if (row->agent == 0) return is_call ? add_call(t, trace, row, env, &turn->calls) : PARL_STATUS_OK;
  const size_t i = (size_t)(row->agent - first_agent);
  if (i >= turn->width) return refuse_other(row);
  parl_timeline_sub *sub = &t->subs[turn->first_sub + i];
  if (is_call) return add_call(t, trace, row, env, &sub->calls);
  return row->kind == PARL_EVENT_DELIVER ? add_message(t, trace, row, env, sub) : PARL_STATUS_OK;
}

parl_status parl_timeline_add_trace(parl_timeline *t, const parl_trace *trace,
                                    const parl_env *env) {
  int turn = 0, first_agent = 0;
  for (size_t i = 0; i < t->n_turns; i++) PARL_TRY(keep(t, "", &t->turns[i].calls));
  for (size_t i = 0; i < t->n_subs; i++) PARL_TRY(keep(t, "", &t->subs[i].calls));
  for (size_t i = 0; i < trace->n_rows; i++) {
    if (trace->rows[i].turn != turn) {
      turn = trace->rows[i].turn;
      first_agent = find_first_agent(trace, turn);
    }
    PARL_TRY(add_row(t, trace, &trace->rows[i], first_agent, env));
  }
  t->has_calls = true;
  return PARL_STATUS_OK;
}

/* --- words --- */

const char *parl_timeline_get_outcome(const parl_timeline_sub *sub) {
  if (sub->is_lost) return "lost";
  if (sub->is_false) return "false";
  if (!sub->finished) return "unfinished";
  return sub->useful ? "useful" : "finished";
}

void parl_timeline_append_name(const parl_timeline_title *title, parl_text *out) {
  parl_text_appendf(out, "%s, seed %lld, ", title->arm, (long long)title->seed);
  if (title->is_training)
    parl_text_appendf(out, "update %lld, episode %lld", (long long)title->update,
                      (long long)title->number);
  else if (title->number >= 0)
    parl_text_appendf(out, "held-out task %lld, %s", (long long)title->number, title->decoding);
  else
    parl_text_appendf(out, "task %lld, %s", (long long)title->task_seed, title->decoding);
  if (title->family[0] != '\0') parl_text_appendf(out, " (%s)", title->family);
}

void parl_timeline_append_numbers(const parl_timeline *t, parl_text *out) {
  parl_text_appendf(out, "r_perf %.4g, %lld critical steps", t->title.r_perf,
                    (long long)t->critical);
  if (isfinite(t->title.optimum_steps))
    parl_text_appendf(out, " (optimum %.4g)", t->title.optimum_steps);
  parl_text_appendf(out, ", %lld in total, %zu turn%s, %zu sub-agent%s", (long long)t->total,
                    t->n_turns, t->n_turns == 1 ? "" : "s", t->n_subs, t->n_subs == 1 ? "" : "s");
  if (t->title.end[0] != '\0') parl_text_appendf(out, ", ended by %s", t->title.end);
}

/* --- JSON --- */

static void put_text(parl_json_writer *w, const char *key, const char *value) {
  if (value == NULL) return;
  parl_json_key(w, key);
  parl_json_string(w, value);
}

static void put_integer(parl_json_writer *w, const char *key, int64_t value) {
  parl_json_key(w, key);
  parl_json_integer(w, value);
}

static void put_number(parl_json_writer *w, const char *key, double value) {
  parl_json_key(w, key);
  parl_json_number(w, value);
}

static void put_lines(parl_json_writer *w, const char *key, const char *lines) {
  if (lines == NULL) return;
  parl_json_key(w, key);
  parl_json_begin_array(w);
  while (*lines != '\0') {
    const size_t n = strcspn(lines, "\n");
    parl_text line = {0};
    parl_text_append_bytes(&line, lines, n);
    parl_json_string(w, parl_text_get(&line));
    w->out->failed |= line.failed;
    parl_text_deinit(&line);
    lines += n + (lines[n] == '\n');
  }
  parl_json_end_array(w);
}

static void write_sub(const parl_timeline_sub *sub, bool is_critical, parl_json_writer *w) {
  parl_json_begin_object(w);
  put_integer(w, "steps", sub->steps);
  put_text(w, "role", sub->role);
  put_text(w, "task", sub->task);
  put_text(w, "outcome", parl_timeline_get_outcome(sub));
  parl_json_key(w, "duplicate");
  parl_json_bool(w, sub->duplicate);
  parl_json_key(w, "critical");
  parl_json_bool(w, is_critical);
  put_lines(w, "calls", sub->calls);
  put_text(w, "message", sub->message);
  parl_json_end_object(w);
}

static void write_turn(const parl_timeline *t, const parl_timeline_turn *turn,
                       parl_json_writer *w) {
  parl_json_begin_object(w);
  put_integer(w, "begin", turn->begin);
  put_integer(w, "main", turn->main);
  put_number(w, "r_perf", turn->r_perf);
  put_lines(w, "calls", turn->calls);
  parl_json_key(w, "subs");
  parl_json_begin_array(w);
  for (size_t i = 0; i < turn->width; i++)
    write_sub(&t->subs[turn->first_sub + i], parl_timeline_is_critical(turn, i), w);
  parl_json_end_array(w);
  parl_json_end_object(w);
}

void parl_timeline_write(const parl_timeline *t, parl_json_writer *w) {
  const parl_timeline_title *title = &t->title;
  parl_json_begin_object(w);
  put_text(w, "recipe", title->recipe);
  put_text(w, "arm", title->arm);
  put_integer(w, "seed", title->seed);
  put_text(w, "policy", title->policy);
  put_text(w, "decoding", title->decoding);
  put_text(w, "family", title->family);
  put_integer(w, "update", title->update);
  put_integer(w, "episode", title->number);
  put_integer(w, "task_seed", title->task_seed);
  put_number(w, "r_perf", title->r_perf);
  put_integer(w, "critical_steps", t->critical);
  put_integer(w, "total_steps", t->total);
  put_number(w, "optimum_steps", title->optimum_steps);
  put_text(w, "end", title->end);
  parl_json_key(w, "turns");
  parl_json_begin_array(w);
  for (size_t i = 0; i < t->n_turns; i++) write_turn(t, &t->turns[i], w);
  parl_json_end_array(w);
  parl_json_end_object(w);
}
