/* lua/grammar_write.c - whole turns given as calls, and their tokens. */
#include "lua/grammar_internal.h"

typedef struct writer {
  parl_grammar *g; /* what is written is fed to it */
  int32_t *tokens;
  size_t n, max;
  bool done;
} writer;

static parl_status put(writer *w, int32_t token) {
  if (w->n == w->max)
    return parl_fail(PARL_STATUS_EINVAL, "the turn needs more than %zu tokens", w->max);
  PARL_TRY(parl_grammar_feed(w->g, token, &w->done));
  w->tokens[w->n++] = token;
  return PARL_STATUS_OK;
}

static parl_status put_values(writer *w, const parl_tool *signature, const parl_call *call) {
  const parl_env_spec *spec = parl_env_get_spec(w->g->env);
  for (int i = 0; i < call->n_values; i++) {
    if (call->slot[i] >= signature->n_slots)
      return parl_fail(PARL_STATUS_EINVAL, "%s has no argument %d", signature->name,
                       call->slot[i] + 1);
    const parl_family *f = &spec->families[signature->slots[call->slot[i]].family];
    if (call->values[i] < 1 || call->values[i] > f->n)
      return parl_fail(PARL_STATUS_EINVAL, "%s: %d is no value of family '%s' (1 to %d)",
                       signature->name, call->values[i], f->name, f->n);
    PARL_TRY(put(w, f->first_token + call->values[i] - 1));
  }
  return PARL_STATUS_OK;
}

static parl_status put_call(writer *w, const parl_call *call) {
  const parl_env_spec *spec = parl_env_get_spec(w->g->env);
  switch (call->kind) {
    case PARL_CALL_FINISH:
      return put(w, PARL_TOKEN_FINISH);
    case PARL_CALL_CREATE:
      PARL_REQUIRE(call->role >= 0 && call->role < spec->n_roles);
      PARL_TRY(put(w, PARL_TOKEN_CREATE));
      PARL_TRY(put(w, PARL_TOKEN_NAME_1 + call->agent_name));
      return put(w, spec->role_token[call->role]);
    case PARL_CALL_ASSIGN:
      PARL_TRY(put(w, PARL_TOKEN_ASSIGN));
      PARL_TRY(put(w, PARL_TOKEN_NAME_1 + call->agent_name));
      return put_values(w, &spec->task, call);
    case PARL_CALL_TOOL:
      PARL_REQUIRE(call->tool >= 0 && call->tool < spec->n_tools);
      PARL_TRY(put(w, spec->tools[call->tool].token));
      return put_values(w, &spec->tools[call->tool], call);
  }
  return parl_fail(PARL_STATUS_EINVAL, "call kind %d", (int)call->kind);
}

static bool is_same_call(const uint16_t *read, const parl_call *meant) {
  const bool is_tool = meant->kind == PARL_CALL_TOOL, is_create = meant->kind == PARL_CALL_CREATE;
  if (meant->kind == PARL_CALL_FINISH) return parl_packed_kind(read) == PARL_CALL_FINISH;
  const int number = is_tool ? meant->tool : meant->agent_name;
  if (read[0] != parl_pack_head(meant->kind, number, is_create ? meant->role : 0)) return false;
  if (is_create) return true;
  if (read[1] != meant->n_values) return false;
  for (int i = 0; i < meant->n_values; i++)
    if (read[PARL_PACKED_HEAD_WORDS + i] != parl_pack_value(meant->values[i], meant->slot[i]))
      return false;
  return true;
}

/* What a reader would understand must be what was meant: values in another slot order, or a list
 * that its tool does not allow, read differently. */
static parl_status compare(const parl_grammar *g, const parl_call *calls, size_t n_calls) {
  bool same = (size_t)g->n_calls == n_calls;
  const uint16_t *call = g->turn;
  for (size_t i = 0; same && i < n_calls; i++, call = parl_packed_next(call))
    same = is_same_call(call, &calls[i]);
  if (same) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "these calls cannot be written as one turn");
}

/* A turn that ends with its only call, which has no lists, needs no automaton: most turns of
 * scripts are so. False, and nothing done, if it is none of these. */
static bool take_plain(parl_grammar *g, const parl_call *call, int32_t *tokens, size_t max,
                       size_t *n) {
  const parl_env_spec *spec = parl_env_get_spec(g->env);
  const bool is_finish = call->kind == PARL_CALL_FINISH;
  if (!is_finish && (call->kind != PARL_CALL_TOOL || g->def.max_direct > 1)) return false;
  if (!is_finish && (call->tool < 0 || call->tool >= spec->n_tools)) return false;
  const parl_tool *tool = is_finish ? NULL : &spec->tools[call->tool];
  const int n_slots = is_finish ? 0 : tool->n_slots, n_words = PARL_PACKED_HEAD_WORDS + n_slots;
  if (call->n_values != n_slots || (size_t)n_slots >= max ||
      PARL_PACKED_HEAD_WORDS + n_words > g->room)
    return false;
  for (int i = 0; i < n_slots; i++) {
    const parl_family *f = &spec->families[tool->slots[i].family];
    if (call->slot[i] != i || tool->slots[i].many || call->values[i] < 1 || call->values[i] > f->n)
      return false;
    g->turn[PARL_PACKED_HEAD_WORDS + i] = parl_pack_value(call->values[i], i);
    tokens[1 + i] = f->first_token + call->values[i] - 1;
  }
  tokens[0] = is_finish ? (int32_t)PARL_TOKEN_FINISH : tool->token;
  *n = 1 + (size_t)n_slots;
  g->turn[0] = parl_pack_head(call->kind, is_finish ? 0 : call->tool, 0);
  g->turn[1] = (uint16_t)n_slots;
  g->n_words = g->n_complete = n_words;
  g->n_calls = 1;
  g->state = PARL_GRAMMAR_DONE;
  return true;
}

parl_status parl_grammar_take(parl_grammar *g, const parl_call *calls, size_t n_calls,
                              int32_t *tokens, size_t max, size_t *n) {
  PARL_REQUIRE(n_calls >= 1 && n_calls <= PARL_TURN_MAX_CALLS);
  if (n_calls == 1 && g->n_words == 0 && take_plain(g, calls, tokens, max, n))
    return PARL_STATUS_OK;
  writer w = {.g = g, .tokens = tokens, .max = max};
  for (size_t i = 0; i < n_calls; i++) PARL_TRY(put_call(&w, &calls[i]));
  if (!w.done) PARL_TRY(put(&w, PARL_TOKEN_GO));
  PARL_TRY(compare(g, calls, n_calls));
  *n = w.n;
  return PARL_STATUS_OK;
}

parl_status parl_grammar_write(const parl_grammar *g, const parl_call *calls, size_t n_calls,
                               int32_t *tokens, size_t max, size_t *n) {
  uint16_t turn[PARL_TURN_MAX_WORDS];
  parl_grammar copy = *g;
  copy.turn = turn;
  copy.room = PARL_TURN_MAX_WORDS;
  parl_grammar_clear(&copy);
  return parl_grammar_take(&copy, calls, n_calls, tokens, max, n);
}
