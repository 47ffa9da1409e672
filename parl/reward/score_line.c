/* parl/reward/score_line.c - a line read by a pull parser straight into stages. */
#include "parl/reward/score_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name, *what;
  double least, most;
  size_t offset;
} fields[PARL_N_SCORE_FIELDS] = {
#define X(name, least, most, what) {#name, what, least, most, offsetof(parl_facts, name)},
    PARL_SCORE_FIELD_LIST(X)
#undef X
};

enum { VALUE_BYTES = 48 }; /* of a value that an error shows */

void parl_score_reader_deinit(parl_score_reader *r) {
  free(r->stages.items);
  free(r->stages.subs);
  free(r->tasks);
  free(r->places);
  parl_text_deinit(&r->own);
  *r = (parl_score_reader){0};
}

/* --- errors --- */

typedef struct place { /* in a line; -1: above it */
  int64_t stage, sub;
} place;

static void write_place(place at, const char *field, char *out, size_t n) {
  int used = 0;
  out[0] = '\0';
  if (at.stage >= 0) used = snprintf(out, n, "stages[%lld]", (long long)at.stage);
  if (at.sub >= 0) used += snprintf(out + used, n - (size_t)used, ".subs[%lld]", (long long)at.sub);
  if (field != NULL)
    snprintf(out + used, n - (size_t)used, "%s%s", used > 0 ? "." : "", field);
  else if (used == 0)
    snprintf(out, n, "the line");
}

static parl_status refuse_text(const parl_score_reader *r, const char *line) {
  return parl_fail(PARL_STATUS_EFORMAT, "byte %td: %s", r->pull.at - line + 1, r->pull.why);
}

/* A value that begins at `from` and is of the wrong kind or range. */
static parl_status refuse_value(parl_score_reader *r, place at, const char *field, const char *from,
                                const char *what) {
  char where[160], value[VALUE_BYTES + 4];
  parl_json_pull p = r->pull;
  p.at = from;
  p.why = NULL;
  const bool is_value = parl_json_pull_skip(&p);
  size_t n = (size_t)((is_value ? p.at : r->pull.end) - from);
  const char *dots = n > VALUE_BYTES ? "..." : "";
  n = n > VALUE_BYTES ? VALUE_BYTES : n;
  for (size_t i = 0; i < n; i++) value[i] = from[i] >= 0x20 && from[i] < 0x7F ? from[i] : '?';
  value[n] = '\0';
  write_place(at, field, where, sizeof where);
  return parl_fail(PARL_STATUS_EFORMAT, "%s: %s%s; it has to be %s", where, value, dots, what);
}

static parl_status refuse_key(place at, const char *field, const char *what) {
  char where[128];
  write_place(at, NULL, where, sizeof where);
  return parl_fail(PARL_STATUS_EFORMAT, "%s: \"%s\" %s", where, field, what);
}

/* --- values --- */

static const char *here(parl_score_reader *r) {
  (void)parl_json_pull_peek(&r->pull);
  return r->pull.at;
}

static parl_status read_number(parl_score_reader *r, place at, const char *field, double least,
                               double most, const char *what, double *out) {
  const char *const from = here(r);
  double x;
  bool truth;
  if (parl_json_pull_peek(&r->pull) == '0' && parl_json_pull_number(&r->pull, &x)) {
    if (x >= least && x <= most) return *out = x, PARL_STATUS_OK;
  } else if (most == 1 && r->pull.why == NULL && parl_json_pull_bool(&r->pull, &truth)) {
    return *out = truth, PARL_STATUS_OK; /* 0 and 1 may be said so */
  }
  return refuse_value(r, at, field, from, what);
}

static parl_status read_steps(parl_score_reader *r, place at, const char *field, int32_t *out) {
  static const char what[] = "a whole number from 0 to 2147483647";
  const char *const from = here(r);
  double x;
  PARL_TRY(read_number(r, at, field, 0, INT32_MAX, what, &x));
  if (x != floor(x)) return refuse_value(r, at, field, from, what);
  *out = (int32_t)x;
  return PARL_STATUS_OK;
}

static parl_status read_flag(parl_score_reader *r, place at, const char *field, bool *out) {
  static const char what[] = "true or false";
  const char *const from = here(r);
  double x = 0;
  PARL_TRY(read_number(r, at, field, 0, 1, what, &x));
  if (x != 0 && x != 1) return refuse_value(r, at, field, from, what);
  *out = x == 1;
  return PARL_STATUS_OK;
}

/* --- members --- */

/* A key that is known, and its bytes. */
typedef struct name {
  const char *text;
  size_t n;
} name;
#define NAME(text) \
  { text, sizeof text - 1 }

/* Place of a key among names [n], n if it is none; members mostly stand in the order of names, so
 * the search begins at `guess`. */
static size_t find_name(const name *names, size_t n, size_t guess, const char *key, size_t length) {
  for (size_t i = 0; i < n; i++) {
    const size_t at = guess + i < n ? guess + i : guess + i - n;
    if (names[at].n == length && memcmp(names[at].text, key, length) == 0) return at;
  }
  return n;
}

/* The next member's key as one of names [n]; n: another, which is skipped; *more is false behind
 * the last. seen: a bit for each name that was there. */
static parl_status next_member(parl_score_reader *r, place at, const char *line, const name *names,
                               size_t n, uint32_t *seen, bool *is_first, bool *more,
                               size_t *which) {
  parl_json_slice key;
  char text[32];
  if (!parl_json_pull_more(&r->pull, '}', is_first, more)) return refuse_text(r, line);
  if (!*more) return PARL_STATUS_OK;
  if (!parl_json_pull_key(&r->pull, &key)) return refuse_text(r, line);
  if (key.is_escaped && key.n <= 6 * sizeof text) {
    char wide[6 * sizeof text];
    key.n = parl_json_pull_unescape(key, wide);
    if (key.n <= sizeof text) memcpy(text, wide, key.n);
    key.bytes = text;
  }
  const size_t i = find_name(names, n, *which < n ? *which + (*seen != 0) : 0, key.bytes, key.n);
  *which = i;
  if (i == n) return parl_json_pull_skip(&r->pull) ? PARL_STATUS_OK : refuse_text(r, line);
  if (*seen >> i & 1) return refuse_key(at, names[i].text, "stands there twice");
  *seen |= 1u << i;
  return PARL_STATUS_OK;
}

static parl_status reserve(void **items, size_t *most, size_t n, size_t bytes) {
  if (n < *most) return PARL_STATUS_OK;
  const size_t wanted = *most > 0 ? *most * 2 : 64;
  void *grown = realloc(*items, wanted * bytes);
  if (grown == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu items", wanted);
  *items = grown;
  *most = wanted;
  return PARL_STATUS_OK;
}

/* --- tasks --- */

static const char *get_bytes(const parl_score_reader *r, const parl_score_task *t) {
  return t->is_own ? r->own.bytes + t->offset : t->bytes;
}

static uint64_t hash_of(const char *s, size_t n) {
  uint64_t h = 0xCBF29CE484222325u; /* FNV-1a; equal hashes are compared byte by byte */
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001B3u;
  return h ^ h >> 29;
}

static parl_status grow_places(parl_score_reader *r) {
  const size_t n = r->n_places > 0 ? r->n_places * 4 : 64;
  uint32_t *places = calloc(n, sizeof *places);
  if (places == NULL) return parl_fail(PARL_STATUS_ENOMEM, "no memory for %zu tasks", n);
  for (size_t i = 0; i < r->n_tasks; i++) {
    size_t at = r->tasks[i].hash & (n - 1);
    while (places[at] != 0) at = (at + 1) & (n - 1);
    places[at] = (uint32_t)i + 1;
  }
  free(r->places);
  r->places = places;
  r->n_places = n;
  return PARL_STATUS_OK;
}

/* Whether an equal text was there before in the line; else it is one of them now. */
static parl_status know_task(parl_score_reader *r, parl_score_task task, bool *known) {
  if (2 * (r->n_tasks + 1) > r->n_places) PARL_TRY(grow_places(r));
  const char *const bytes = get_bytes(r, &task);
  task.hash = hash_of(bytes, task.n);
  size_t at = task.hash & (r->n_places - 1);
  for (; r->places[at] != 0; at = (at + 1) & (r->n_places - 1)) {
    const parl_score_task *other = &r->tasks[r->places[at] - 1];
    *known = other->hash == task.hash && other->n == task.n &&
             memcmp(get_bytes(r, other), bytes, task.n) == 0;
    if (*known) return PARL_STATUS_OK;
  }
  PARL_TRY(reserve((void **)&r->tasks, &r->task_capacity, r->n_tasks, sizeof *r->tasks));
  r->tasks[r->n_tasks++] = task;
  r->places[at] = (uint32_t)r->n_tasks;
  *known = false;
  return PARL_STATUS_OK;
}

static void forget_tasks(parl_score_reader *r) {
  for (size_t i = 0; i < r->n_tasks; i++) {
    size_t at = r->tasks[i].hash & (r->n_places - 1);
    for (; r->places[at] != 0; at = (at + 1) & (r->n_places - 1)) r->places[at] = 0;
  }
  r->n_tasks = 0;
  parl_text_clear(&r->own);
}

static parl_status read_task(parl_score_reader *r, place at, bool *duplicate) {
  const char *const from = here(r);
  parl_json_slice s;
  if (!parl_json_pull_string(&r->pull, &s)) return refuse_value(r, at, "task", from, "a string");
  parl_score_task task = {.bytes = s.bytes, .n = s.n};
  if (s.is_escaped) {
    task.is_own = true;
    task.offset = r->own.n;
    parl_text_append_bytes(&r->own, s.bytes, s.n);
    PARL_TRY(parl_text_status(&r->own));
    task.n = parl_json_pull_unescape(s, r->own.bytes + task.offset);
    r->own.n = task.offset + task.n;
  }
  return know_task(r, task, duplicate);
}

/* --- sub-agents, stages, the line --- */

enum { SUB_STEPS, SUB_FINISHED, SUB_USEFUL, SUB_TASK, N_SUB_KEYS };

static parl_status read_sub(parl_score_reader *r, place at, const char *line) {
  static const name names[] = {NAME("steps"), NAME("finished"), NAME("useful"), NAME("task")};
  bool is_first = true, more = true;
  uint32_t seen = 0;
  size_t which = 0;
  parl_sub_record sub = {0};
  if (!parl_json_pull_open(&r->pull, '{')) return refuse_text(r, line);
  for (;;) {
    PARL_TRY(next_member(r, at, line, names, N_SUB_KEYS, &seen, &is_first, &more, &which));
    if (!more) break;
    if (which == SUB_STEPS) PARL_TRY(read_steps(r, at, names[which].text, &sub.steps));
    if (which == SUB_FINISHED) PARL_TRY(read_flag(r, at, names[which].text, &sub.finished));
    if (which == SUB_USEFUL) PARL_TRY(read_flag(r, at, names[which].text, &sub.useful));
    if (which == SUB_TASK) PARL_TRY(read_task(r, at, &sub.duplicate));
  }
  const bool has_useful = seen >> SUB_USEFUL & 1;
  if (!(seen >> SUB_STEPS & 1)) return refuse_key(at, "steps", "is missing");
  if (!(seen >> SUB_FINISHED & 1)) return refuse_key(at, "finished", "is missing");
  if (!has_useful && r->rules->config->finish == PARL_FINISH_USEFUL)
    return refuse_key(at, "useful", "is missing, which r_finish = useful is made of");
  r->has_useful = r->has_useful && has_useful;
  parl_stages *s = &r->stages;
  PARL_TRY(reserve((void **)&s->subs, &s->most.subs, s->n_subs, sizeof *s->subs));
  s->subs[s->n_subs++] = sub;
  return PARL_STATUS_OK;
}

static parl_status read_subs(parl_score_reader *r, place at, const char *line, uint32_t *width) {
  bool is_first = true, more = true;
  if (!parl_json_pull_open(&r->pull, '[')) return refuse_text(r, line);
  for (at.sub = 0;; at.sub++) {
    if (!parl_json_pull_more(&r->pull, ']', &is_first, &more)) return refuse_text(r, line);
    if (!more) break;
    PARL_TRY(read_sub(r, at, line));
  }
  *width = (uint32_t)at.sub;
  return PARL_STATUS_OK;
}

static parl_status read_stage(parl_score_reader *r, place at, const char *line) {
  static const name names[] = {NAME("main_steps"), NAME("subs")};
  bool is_first = true, more = true;
  uint32_t seen = 0;
  size_t which = 0;
  parl_stage_record stage = {.first_sub = (uint32_t)r->stages.n_subs};
  if (!parl_json_pull_open(&r->pull, '{')) return refuse_text(r, line);
  for (;;) {
    PARL_TRY(next_member(r, at, line, names, 2, &seen, &is_first, &more, &which));
    if (!more) break;
    if (which == 0) PARL_TRY(read_steps(r, at, names[0].text, &stage.main_steps));
    if (which == 1) PARL_TRY(read_subs(r, at, line, &stage.width));
  }
  if (!(seen & 1)) return refuse_key(at, names[0].text, "is missing");
  parl_stages *s = &r->stages;
  PARL_TRY(reserve((void **)&s->items, &s->most.stages, s->n, sizeof *s->items));
  s->items[s->n++] = stage;
  return PARL_STATUS_OK;
}

static parl_status read_stages(parl_score_reader *r, const char *line) {
  bool is_first = true, more = true;
  if (!parl_json_pull_open(&r->pull, '[')) return refuse_text(r, line);
  for (place at = {0, -1};; at.stage++) {
    if (!parl_json_pull_more(&r->pull, ']', &is_first, &more)) return refuse_text(r, line);
    if (!more) return PARL_STATUS_OK;
    PARL_TRY(read_stage(r, at, line));
  }
}

/* A string or a whole number. */
static parl_status read_id(parl_score_reader *r) {
  const place top = {-1, -1};
  const char *const from = here(r);
  parl_json_slice text;
  double number = 0.5;
  const char first = parl_json_pull_peek(&r->pull);
  const bool ok = first == '"' ? parl_json_pull_string(&r->pull, &text)
                               : parl_json_pull_number(&r->pull, &number);
  if (!ok || (first != '"' && (number != floor(number) || isinf(number))))
    return refuse_value(r, top, "id", from, "a string or a whole number");
  r->id = from;
  r->id_bytes = (size_t)(r->pull.at - from);
  return PARL_STATUS_OK;
}

static parl_status check_needs(const parl_score_reader *r, uint32_t seen) {
  const place top = {-1, -1};
  const int parallel = (int)r->rules->config->parallel;
  if (!(seen >> PARL_N_SCORE_FIELDS & 1)) return refuse_key(top, "id", "is missing");
  if (!(seen >> PARL_SCORE_FIELD_r_perf & 1)) return refuse_key(top, "r_perf", "is missing");
  if (!(seen >> (PARL_N_SCORE_FIELDS + 1) & 1)) return refuse_key(top, "stages", "is missing");
  if (parallel == PARL_PARALLEL_WIDTH && !r->is_known[PARL_SCORE_FIELD_optimum_width])
    return refuse_key(top, "optimum_width", "is missing, which r_parallel = width is made of");
  if (parallel == PARL_PARALLEL_CONCURRENCY && !r->is_known[PARL_SCORE_FIELD_cap_width])
    return refuse_key(top, "cap_width", "is missing, which r_parallel = concurrency is made of");
  for (int i = 0; i < PARL_N_SCORE_FIELDS; i++)
    if (r->rules->needs[i] && !r->is_known[i])
      return refuse_key(top, fields[i].name, "is missing, which the recipe's reward is made of");
  return PARL_STATUS_OK;
}

static parl_status read_fields(parl_score_reader *r, const char *line) {
  const place top = {-1, -1};
  static const name names[PARL_N_SCORE_FIELDS + 2] = {
#define X(field, least, most, what) NAME(#field),
      PARL_SCORE_FIELD_LIST(X)
#undef X
          NAME("id"),
      NAME("stages")};
  bool is_first = true, more = true;
  uint32_t seen = 0;
  size_t which = 0;
  if (!parl_json_pull_open(&r->pull, '{')) return refuse_text(r, line);
  for (;;) {
    PARL_TRY(
        next_member(r, top, line, names, PARL_N_SCORE_FIELDS + 2, &seen, &is_first, &more, &which));
    if (!more) break;
    if (which == PARL_N_SCORE_FIELDS) PARL_TRY(read_id(r));
    if (which == PARL_N_SCORE_FIELDS + 1) PARL_TRY(read_stages(r, line));
    if (which >= PARL_N_SCORE_FIELDS) continue;
    double *to = (double *)(void *)((char *)&r->facts + fields[which].offset);
    PARL_TRY(read_number(r, top, fields[which].name, fields[which].least, fields[which].most,
                         fields[which].what, to));
    r->is_known[which] = true;
  }
  if (!parl_json_pull_end(&r->pull)) return refuse_text(r, line);
  return check_needs(r, seen);
}

parl_status parl_score_read(parl_score_reader *r, parl_reward *reward, const char *line, size_t n) {
  forget_tasks(r);
  r->stages.n = r->stages.n_subs = 0;
  r->facts = parl_score_none();
  r->has_useful = true;
  memset(r->is_known, 0, sizeof r->is_known);
  r->pull = parl_json_pull_of(line, n);
  PARL_TRY(read_fields(r, line));
  for (size_t i = 0; i < r->stages.n; i++) r->stages.items[i].r_perf = r->facts.r_perf;
  PARL_TRY(parl_score_episode(reward, r->rules->update, &r->stages, &r->facts, r->terms));
  if (r->rules->weights != NULL)
    r->total = parl_terms_total(r->terms, r->rules->weights, parl_reward_get_table(reward)->n);
  return PARL_STATUS_OK;
}

/* --- telling --- */

enum { ROOM = 512 }; /* more than all keys and numbers of an object take */

static char *write_text(char *to, const char *text) {
  const size_t n = strlen(text);
  memcpy(to, text, n);
  return to + n;
}

static char *write_whole(char *to, const char *key, double value) {
  char digits[24];
  size_t n = 0;
  uint64_t left = (uint64_t)value;
  do digits[n++] = (char)('0' + left % 10);
  while ((left /= 10) > 0);
  to = write_text(to, key);
  while (n > 0) *to++ = digits[--n];
  return to;
}

/* Most terms are fractions of small numbers: their texts are kept. */
static char *write_number(parl_score_reader *r, char *to, const char *key, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  const size_t at = (bits * 0x9E3779B97F4A7C15u) >> 56;
  if (r->shown[at] != value || r->shown_text[at][0] == '\0') {
    parl_text text = {0};
    parl_json_writer w;
    parl_json_writer_init(&w, &text, false);
    parl_json_number(&w, value);
    snprintf(r->shown_text[at], sizeof r->shown_text[at], "%s", parl_text_get(&text));
    r->shown[at] = value;
    parl_text_deinit(&text);
  }
  return write_text(write_text(to, key), r->shown_text[at]);
}

void parl_score_append(parl_score_reader *r, parl_text *out) {
  const parl_facts *f = &r->facts;
  char text[ROOM], *to = text;
  to = write_whole(to, ",\"critical_steps\":", f->critical_steps);
  to = write_whole(to, ",\"total_steps\":", f->total_steps);
  to = write_whole(to, ",\"launches\":", f->launches);
  to = write_whole(to, ",\"assigned\":", f->assigned);
  to = write_whole(to, ",\"finished\":", f->finished);
  to = write_whole(to, ",\"max_width\":", f->max_width);
  to = write_whole(to, ",\"duplicates\":", f->duplicates);
  to = write_number(r, to, ",\"r_parallel\":", r->terms[PARL_TERM_parallel]);
  to = write_number(r, to, ",\"r_finish\":", r->terms[PARL_TERM_finish]);
  to = write_whole(to, ",\"empty_finishes\":", f->empty_finishes);
  if (r->has_useful && f->assigned > 0) to = write_whole(to, ",\"useful\":", f->useful);
  if (r->is_known[PARL_SCORE_FIELD_optimum_steps])
    to = write_number(r, to, ",\"regret\":", f->critical_steps - f->optimum_steps);
  if (r->rules->weights != NULL) to = write_number(r, to, ",\"reward\":", r->total);
  to = write_text(to, "}\n");
  parl_text_append_bytes(out, "{\"id\":", 6);
  parl_text_append_bytes(out, r->id, r->id_bytes);
  parl_text_append_bytes(out, text, (size_t)(to - text));
}
