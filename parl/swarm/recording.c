/* parl/swarm/recording.c - turns written down, and which of them are written again. */
#include "parl/swarm/recording.h"

#include "lua/env.h"

/* --- recording --- */

void parl_recording_clear(parl_recording *recording) {
  recording->n = recording->n_complete = 0;
  recording->is_cut = false;
}

void parl_recording_add(parl_recording *recording, const parl_written *item) {
  if (recording->capacity == 0) return;
  recording->is_cut = recording->is_cut || recording->n == recording->capacity;
  if (!recording->is_cut) recording->items[recording->n++] = *item;
}

void parl_recording_end_turn(parl_recording *recording) {
  recording->n_complete = recording->n;
}

/* --- replaying --- */

parl_replay_cursor parl_replay_begin(const parl_replay *replay) {
  return (parl_replay_cursor){.of = replay};
}

/* Numbers of the sub-agents of a turn whose assignments are partly left out: what is left out in
 * front of the one of `index` counts. */
static int count_left_out(const parl_replay_cursor *cursor, size_t index) {
  const parl_recording *r = cursor->of->recording;
  size_t n_kept = 0;
  int n = 0;
  for (size_t i = cursor->first; i < r->n && n_kept <= index; i++) {
    if (r->items[i].token != PARL_TOKEN_ASSIGN) continue;
    if (cursor->of->dropped[i])
      n++;
    else
      n_kept++;
  }
  return n;
}

int parl_replay_get_ordinal(const parl_replay_cursor *cursor, int n, size_t index) {
  if (cursor->of != NULL && cursor->of->edit == PARL_EDIT_DROP_TOKENS)
    return n + cursor->raised + count_left_out(cursor, index);
  return cursor->raised > 0 && n >= cursor->first_raised ? n + cursor->raised : n;
}

/* Where the turn of token `first` ends. */
static size_t find_turn_end(const parl_recording *r, size_t first) {
  size_t i = first;
  while (i < r->n && r->items[i].turn == r->items[first].turn) i++;
  return i;
}

/* Where assignment `sub` of tokens [first, end) begins, and where it ends: at the next one, or at
 * <go>. Returns how many there are. */
static int find_assignment(const parl_recording *r, size_t first, size_t end, int sub, size_t *from,
                           size_t *to) {
  int n = 0;
  for (size_t i = first; i < end; i++) {
    const int32_t token = r->items[i].token;
    const bool is_next = token == PARL_TOKEN_ASSIGN;
    if ((is_next || token == PARL_TOKEN_GO) && n == sub + 1) *to = i;
    if (is_next && n == sub) *from = i;
    n += is_next;
  }
  return n;
}

void parl_recording_mark(const parl_recording *recording, int turn, int sub, int value,
                         bool *marks) {
  size_t first = 0, from = 0, to = 0;
  while (first < recording->n && recording->items[first].turn != turn) first++;
  if (first == recording->n) return;
  find_assignment(recording, first, find_turn_end(recording, first), sub, &from, &to);
  if (value >= 0) { /* behind assign_task and the name */
    from += 2 + (size_t)value;
    to = from + 1;
  }
  for (size_t i = from; i < to; i++) marks[i] = true;
}

void parl_recording_end_marks(const parl_recording *recording, bool *marks) {
  for (size_t first = 0, end; first < recording->n; first = end) {
    size_t n = 0, n_marked = 0;
    end = find_turn_end(recording, first);
    for (size_t i = first; i < end; i++) {
      if (recording->items[i].token != PARL_TOKEN_ASSIGN) continue;
      n++;
      n_marked += marks[i];
    }
    for (size_t i = first; i < end && n > 0 && n == n_marked; i++) marks[i] = true;
  }
}

/* Passes tokens that are marked, up to one that is not or the end. */
static void pass_marked(parl_replay_cursor *c, size_t end) {
  const parl_recording *r = c->of->recording;
  for (; c->next < end; c->next++) {
    for (; r->items[c->first].turn != r->items[c->next].turn; c->first++)
      c->raised += r->items[c->first].token == PARL_TOKEN_ASSIGN && c->of->dropped[c->first];
    if (!c->of->dropped[c->next]) return;
  }
}

/* The cursor stands at the first token of the turn that is changed. */
static void apply_edit(parl_replay_cursor *c, int n_assigned) {
  const parl_recording *r = c->of->recording;
  const size_t end = find_turn_end(r, c->next);
  size_t from = c->next, to = end;
  c->is_edited = true;
  if (c->of->edit == PARL_EDIT_FINISH) {
    c->next = r->n;
    return;
  }
  const int sub = c->of->edit == PARL_EDIT_DROP_LAUNCH ? -1 : c->of->sub;
  const int n = find_assignment(r, c->next, end, sub, &from, &to);
  if (c->of->edit == PARL_EDIT_DROP_VALUE) { /* behind assign_task and the name */
    c->skip = from + 2 + (size_t)c->of->value;
    c->skip_to = c->skip + 1;
    return;
  }
  const bool is_whole = sub < 0 || n <= 1;
  c->first_raised = n_assigned + 1 + (is_whole ? 0 : sub);
  c->raised = is_whole ? n : 1;
  c->skip = is_whole ? c->next : from;
  c->skip_to = is_whole ? end : to;
  c->bans_launch = is_whole && c->of->goes_on;
}

static bool is_at_edit(const parl_replay_cursor *c, size_t end) {
  return c->of->edit != PARL_EDIT_NONE && !c->is_edited && c->next < end &&
         c->of->recording->items[c->next].turn == c->of->turn;
}

/* Whether the player takes over before token `next`. */
static bool is_handed_over(const parl_replay_cursor *c, size_t end) {
  if (!c->of->goes_on || c->of->edit == PARL_EDIT_FINISH) return false;
  if (c->of->edit == PARL_EDIT_NONE) return c->next >= end;
  return c->is_edited &&
         (c->next >= end || c->bans_launch || c->of->recording->items[c->next].turn != c->of->turn);
}

bool parl_replay_next(parl_replay_cursor *cursor, int n_assigned, int32_t *n_taken,
                      parl_written *out) {
  const parl_replay *of = cursor->of;
  if (of == NULL) return false;
  const parl_recording *r = of->recording;
  const size_t end = of->edit == PARL_EDIT_NONE ? r->n : r->n_complete;
  if (of->edit == PARL_EDIT_DROP_TOKENS)
    pass_marked(cursor, end);
  else if (is_at_edit(cursor, end))
    apply_edit(cursor, n_assigned);
  if (cursor->skip_to > 0 && cursor->next == cursor->skip && !cursor->bans_launch)
    cursor->next = cursor->skip_to;
  if (is_handed_over(cursor, end)) {
    if (cursor->next < r->n) *n_taken = r->items[cursor->next].at;
    cursor->of = NULL;
    return false;
  }
  if (cursor->next < end) {
    *out = r->items[cursor->next++];
    return true;
  }
  *out = (parl_written){.token = PARL_TOKEN_FINISH};
  if (of->edit == PARL_EDIT_NONE) cursor->of = NULL;
  return of->edit != PARL_EDIT_NONE;
}
