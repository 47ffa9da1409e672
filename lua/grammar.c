/* lua/grammar.c - the masks and the parser of turns.
 *
 * One small automaton. calls[0..n_calls) are complete; calls[n_calls] is the one being written.
 *
 *   CALL         first token of a call; <go> once there is a complete call
 *   CREATE_NAME  the lowest name that is not registered (names are interchangeable: one is enough)
 *   CREATE_ROLE  a role
 *   ASSIGN_NAME  a registered name
 *   VALUE        a value of slot `slot`, which has n_in_slot already; a `many` slot that has one
 *                may instead end, by whatever may follow it
 *   DONE         the turn is complete
 *
 * mask and feed ask the same predicates (may_*), with n = calls that are complete, or would be if
 * the open list ended here. */
#include "lua/grammar.h"

#include <string.h>

enum { MAX_TOKENS = PARL_MASK_MAX_WORDS * 64 };

typedef enum grammar_state {
  STATE_CALL,
  STATE_CREATE_NAME,
  STATE_CREATE_ROLE,
  STATE_ASSIGN_NAME,
  STATE_VALUE,
  STATE_DONE
} grammar_state;

void parl_grammar_init(parl_grammar *g, parl_env *env, parl_world world, parl_agent agent,
                       bool is_main, const parl_grammar_def *def) {
  PARL_CHECK(def->max_direct >= 1);
  g->env = env;
  g->world = world;
  g->agent = agent;
  g->def = *def;
  g->is_main = is_main;
  if (!is_main) g->def.max_direct = 1;
  if (g->def.max_direct > PARL_TURN_MAX_CALLS) g->def.max_direct = PARL_TURN_MAX_CALLS;
  memset(g->created_role, 0, sizeof g->created_role);
  g->n_created = 0;
  g->n_calls = 0;
  g->state = STATE_CALL;
  g->slot = g->n_in_slot = 0;
}

static const parl_env_spec *get_spec(const parl_grammar *g) {
  return parl_env_get_spec(g->env);
}

/* --- what may start with n complete calls --- */

static bool is_launch_turn(const parl_grammar *g, int n) {
  return n > 0 && g->calls[0].kind == PARL_CALL_ASSIGN;
}

static int count_created(const parl_grammar *g, int n) {
  int created = g->n_created;
  for (int i = 0; i < n; i++) created += g->calls[i].kind == PARL_CALL_CREATE;
  return created;
}

static bool may_call_tool(const parl_grammar *g, int n) {
  return !is_launch_turn(g, n) && n < g->def.max_direct;
}

static bool may_create(const parl_grammar *g, int n) {
  return g->is_main && g->def.may_launch && may_call_tool(g, n) &&
         count_created(g, n) < get_spec(g)->limits.max_agents;
}

static bool may_assign(const parl_grammar *g, int n) {
  return g->is_main && g->def.may_launch && g->n_created > 0 && (n == 0 || is_launch_turn(g, n)) &&
         n < get_spec(g)->limits.max_width;
}

static int find_tool(const parl_env_spec *spec, int32_t token) {
  for (int i = 0; i < spec->n_tools; i++)
    if (spec->tools[i].token == token) return i;
  return -1;
}

static bool may_start(const parl_grammar *g, int32_t token, int n) {
  switch (token) {
    case PARL_TOKEN_GO:
      return n > 0;
    case PARL_TOKEN_FINISH:
      return n == 0;
    case PARL_TOKEN_CREATE:
      return may_create(g, n);
    case PARL_TOKEN_ASSIGN:
      return may_assign(g, n);
    default:
      return find_tool(get_spec(g), token) >= 0 && may_call_tool(g, n);
  }
}

/* --- masks --- */

static void set_bit(uint64_t *mask, int token) {
  mask[token / 64] |= (uint64_t)1 << (token % 64);
}

static const parl_tool *get_signature(const parl_env_spec *spec, const parl_call *call) {
  return call->kind == PARL_CALL_ASSIGN ? &spec->task : &spec->tools[call->tool];
}

/* Distinct values of a family given so far in this turn, the open call's included. */
static size_t collect_taken(const parl_grammar *g, int family, int16_t *taken) {
  uint64_t seen[PARL_MASK_MAX_WORDS] = {0};
  const parl_env_spec *spec = get_spec(g);
  const int n_calls = g->n_calls + (g->state == STATE_VALUE);
  size_t n = 0;
  for (int i = 0; i < n_calls; i++) {
    const parl_call *call = &g->calls[i];
    if (call->kind != PARL_CALL_TOOL && call->kind != PARL_CALL_ASSIGN) continue;
    const parl_tool *signature = get_signature(spec, call);
    for (int k = 0; k < call->n_values; k++) {
      const int value = call->values[k];
      if (signature->slots[call->slot[k]].family != family) continue;
      if (seen[value / 64] >> (value % 64) & 1) continue;
      set_bit(seen, value);
      taken[n++] = call->values[k];
    }
  }
  return n;
}

/* Adds the values of a slot that make sense to mask (NULL: none are added); *any tells whether
 * there are some. tool -1: assign_task. */
static parl_status add_values(const parl_grammar *g, int tool, int slot, uint64_t *mask,
                              bool *any) {
  const parl_env_spec *spec = get_spec(g);
  const parl_tool *signature = tool < 0 ? &spec->task : &spec->tools[tool];
  const int family = signature->slots[slot].family;
  const parl_family *f = &spec->families[family];
  uint8_t allowed[MAX_TOKENS];
  if (g->def.use_legal && spec->has_legal) {
    int16_t taken[MAX_TOKENS];
    const size_t n_taken = collect_taken(g, family, taken);
    PARL_TRY(parl_env_legal(g->env, g->world, g->agent, tool, slot, taken, n_taken, allowed));
  } else {
    memset(allowed, 1, (size_t)f->n);
  }
  *any = false;
  for (int i = 0; i < f->n; i++) {
    if (!allowed[i]) continue;
    *any = true;
    if (mask) set_bit(mask, f->first_token + i);
  }
  return PARL_STATUS_OK;
}

/* What may come after n complete calls. A tool is offered only if its first slot has a value that
 * makes sense. assign_known: whether that is known of assign_task already (-1: no). */
static parl_status add_starts(const parl_grammar *g, int n, int assign_known, uint64_t *mask) {
  const parl_env_spec *spec = get_spec(g);
  bool any = true;
  if (may_start(g, PARL_TOKEN_GO, n)) set_bit(mask, PARL_TOKEN_GO);
  if (may_start(g, PARL_TOKEN_FINISH, n)) set_bit(mask, PARL_TOKEN_FINISH);
  if (may_create(g, n)) set_bit(mask, PARL_TOKEN_CREATE);
  if (may_assign(g, n)) {
    if (assign_known < 0)
      PARL_TRY(add_values(g, -1, 0, NULL, &any));
    else
      any = assign_known != 0;
    if (any) set_bit(mask, PARL_TOKEN_ASSIGN);
  }
  if (!may_call_tool(g, n)) return PARL_STATUS_OK;
  for (int i = 0; i < spec->n_tools; i++) {
    any = true;
    if (spec->tools[i].n_slots > 0) PARL_TRY(add_values(g, i, 0, NULL, &any));
    if (any) set_bit(mask, spec->tools[i].token);
  }
  return PARL_STATUS_OK;
}

static parl_status add_value_state(const parl_grammar *g, uint64_t *mask) {
  const parl_call *call = &g->calls[g->n_calls];
  const parl_tool *signature = get_signature(get_spec(g), call);
  const int tool = call->kind == PARL_CALL_ASSIGN ? -1 : call->tool;
  bool any = false;
  PARL_TRY(add_values(g, tool, g->slot, mask, &any));
  if (g->n_in_slot > 0) { /* an open list may end */
    bool next = true;
    if (g->slot + 1 < signature->n_slots)
      PARL_TRY(add_values(g, tool, g->slot + 1, mask, &next));
    else
      PARL_TRY(add_starts(g, g->n_calls + 1, tool < 0 && g->slot == 0 ? any : -1, mask));
    any = any || next;
  }
  if (any) return PARL_STATUS_OK;
  /* The call is begun, so it must be possible to end it: where `legal` leaves nothing for a later
   * slot, its advice is dropped. */
  const parl_family *f = &get_spec(g)->families[signature->slots[g->slot].family];
  for (int i = 0; i < f->n; i++) set_bit(mask, f->first_token + i);
  return PARL_STATUS_OK;
}

parl_status parl_grammar_get_mask(parl_grammar *g, uint64_t *mask, size_t *n_allowed) {
  const parl_env_spec *spec = get_spec(g);
  const size_t n_words = ((size_t)spec->n_tokens + 63) / 64;
  memset(mask, 0, n_words * sizeof *mask);
  switch ((grammar_state)g->state) {
    case STATE_CALL:
      PARL_TRY(add_starts(g, g->n_calls, -1, mask));
      break;
    case STATE_CREATE_NAME:
      set_bit(mask, PARL_TOKEN_NAME_1 + count_created(g, g->n_calls));
      break;
    case STATE_CREATE_ROLE:
      for (int i = 0; i < spec->n_roles; i++) set_bit(mask, spec->role_token[i]);
      break;
    case STATE_ASSIGN_NAME:
      for (int i = 0; i < PARL_MAX_AGENT_NAMES; i++)
        if (g->created_role[i]) set_bit(mask, PARL_TOKEN_NAME_1 + i);
      break;
    case STATE_VALUE:
      PARL_TRY(add_value_state(g, mask));
      break;
    case STATE_DONE:
      return parl_fail(PARL_STATUS_ESTATE, "the turn is complete: no token may follow");
  }
  size_t n = 0;
  for (size_t i = 0; i < n_words; i++) n += (size_t)__builtin_popcountll(mask[i]);
  PARL_CHECK(n > 0);
  *n_allowed = n;
  return PARL_STATUS_OK;
}

/* --- feeding --- */

static parl_status refuse(const parl_grammar *g, int32_t token) {
  static const char *const expected[] = {"a call",
                                         "the lowest free agent name",
                                         "a role",
                                         "a registered agent name",
                                         "an argument value",
                                         "nothing: the turn is complete"};
  return parl_fail(PARL_STATUS_EINVAL, "token %d (%s) is not well formed here; expected is %s",
                   (int)token, parl_env_token_name(g->env, (int)token), expected[g->state]);
}

/* calls[n_calls] is complete. */
static void end_call(parl_grammar *g) {
  g->n_calls++;
  const bool full = !is_launch_turn(g, g->n_calls) && g->n_calls >= g->def.max_direct;
  g->state = full ? STATE_DONE : STATE_CALL;
}

static void begin_call(parl_grammar *g, parl_call_kind kind, int tool, int state) {
  parl_call *call = &g->calls[g->n_calls];
  call->kind = kind;
  call->tool = tool;
  call->agent_name = call->role = call->n_values = 0;
  g->state = state;
  g->slot = g->n_in_slot = 0;
}

/* A token that may_start allows. */
static void start(parl_grammar *g, int32_t token) {
  if (token == PARL_TOKEN_GO) {
    g->state = STATE_DONE;
  } else if (token == PARL_TOKEN_FINISH) {
    begin_call(g, PARL_CALL_FINISH, 0, STATE_CALL);
    g->n_calls++;
    g->state = STATE_DONE;
  } else if (token == PARL_TOKEN_CREATE) {
    begin_call(g, PARL_CALL_CREATE, 0, STATE_CREATE_NAME);
  } else if (token == PARL_TOKEN_ASSIGN) {
    begin_call(g, PARL_CALL_ASSIGN, 0, STATE_ASSIGN_NAME);
  } else {
    const int tool = find_tool(get_spec(g), token);
    begin_call(g, PARL_CALL_TOOL, tool, STATE_VALUE);
    if (get_spec(g)->tools[tool].n_slots == 0) end_call(g);
  }
}

/* The value of `token` in a family, 0 if it is none. */
static int get_value(const parl_family *f, int32_t token) {
  return token >= f->first_token && token < f->first_token + f->n ? token - f->first_token + 1 : 0;
}

static void end_slot(parl_grammar *g, const parl_tool *signature) {
  g->slot++;
  g->n_in_slot = 0;
  if (g->slot == signature->n_slots) end_call(g);
}

static void add_value(parl_grammar *g, const parl_tool *signature, int value) {
  parl_call *call = &g->calls[g->n_calls];
  call->slot[call->n_values] = (uint8_t)g->slot;
  call->values[call->n_values++] = (int16_t)value;
  g->n_in_slot++;
  if (g->n_in_slot == signature->slots[g->slot].max) end_slot(g, signature);
}

static parl_status feed_value(parl_grammar *g, int32_t token) {
  const parl_env_spec *spec = get_spec(g);
  const parl_tool *signature = get_signature(spec, &g->calls[g->n_calls]);
  int value = get_value(&spec->families[signature->slots[g->slot].family], token);
  if (value > 0) {
    add_value(g, signature, value);
    return PARL_STATUS_OK;
  }
  if (g->n_in_slot == 0) return refuse(g, token);
  if (g->slot + 1 < signature->n_slots) {
    value = get_value(&spec->families[signature->slots[g->slot + 1].family], token);
    if (value == 0) return refuse(g, token);
    end_slot(g, signature);
    add_value(g, signature, value);
    return PARL_STATUS_OK;
  }
  if (!may_start(g, token, g->n_calls + 1)) return refuse(g, token);
  end_slot(g, signature);
  start(g, token);
  return PARL_STATUS_OK;
}

static parl_status feed_name(parl_grammar *g, int32_t token) {
  const int name = token - PARL_TOKEN_NAME_1;
  const bool create = g->state == STATE_CREATE_NAME;
  if (name < 0 || name >= PARL_MAX_AGENT_NAMES) return refuse(g, token);
  if (create ? name != count_created(g, g->n_calls) : !g->created_role[name])
    return refuse(g, token);
  g->calls[g->n_calls].agent_name = name;
  g->state = create ? STATE_CREATE_ROLE : STATE_VALUE;
  return PARL_STATUS_OK;
}

static parl_status feed_role(parl_grammar *g, int32_t token) {
  const parl_env_spec *spec = get_spec(g);
  for (int i = 0; i < spec->n_roles; i++) {
    if (spec->role_token[i] != token) continue;
    g->calls[g->n_calls].role = i;
    end_call(g);
    return PARL_STATUS_OK;
  }
  return refuse(g, token);
}

parl_status parl_grammar_feed(parl_grammar *g, int32_t token, bool *turn_done) {
  parl_status status = PARL_STATUS_OK;
  switch ((grammar_state)g->state) {
    case STATE_CALL:
      if (!may_start(g, token, g->n_calls)) return refuse(g, token);
      start(g, token);
      break;
    case STATE_CREATE_NAME:
    case STATE_ASSIGN_NAME:
      status = feed_name(g, token);
      break;
    case STATE_CREATE_ROLE:
      status = feed_role(g, token);
      break;
    case STATE_VALUE:
      status = feed_value(g, token);
      break;
    case STATE_DONE:
      return refuse(g, token);
  }
  PARL_TRY(status);
  *turn_done = g->state == STATE_DONE;
  return PARL_STATUS_OK;
}

void parl_grammar_next_turn(parl_grammar *g) {
  for (int i = 0; i < g->n_calls; i++) {
    if (g->calls[i].kind != PARL_CALL_CREATE) continue;
    g->created_role[g->calls[i].agent_name] = (uint8_t)(g->calls[i].role + 1);
    g->n_created++;
  }
  g->n_calls = 0;
  g->state = STATE_CALL;
  g->slot = g->n_in_slot = 0;
}

/* --- writing --- */

typedef struct writer {
  parl_grammar *check; /* what is written is fed to it */
  int32_t *tokens;
  size_t n, max;
  bool done;
} writer;

static parl_status put(writer *w, int32_t token) {
  if (w->n == w->max)
    return parl_fail(PARL_STATUS_EINVAL, "the turn needs more than %zu tokens", w->max);
  PARL_TRY(parl_grammar_feed(w->check, token, &w->done));
  w->tokens[w->n++] = token;
  return PARL_STATUS_OK;
}

static parl_status put_values(writer *w, const parl_tool *signature, const parl_call *call) {
  const parl_env_spec *spec = get_spec(w->check);
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
  const parl_env_spec *spec = get_spec(w->check);
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

static bool is_same_call(const parl_call *a, const parl_call *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == PARL_CALL_FINISH) return true;
  if (a->kind == PARL_CALL_CREATE) return a->agent_name == b->agent_name && a->role == b->role;
  if (a->kind == PARL_CALL_TOOL ? a->tool != b->tool : a->agent_name != b->agent_name) return false;
  return a->n_values == b->n_values &&
         memcmp(a->values, b->values, (size_t)a->n_values * sizeof a->values[0]) == 0 &&
         memcmp(a->slot, b->slot, (size_t)a->n_values) == 0;
}

/* What a reader would understand must be what was meant: values in another slot order, or a list
 * that its tool does not allow, read differently. */
static parl_status compare(const parl_grammar *check, const parl_call *calls, size_t n_calls) {
  bool same = (size_t)check->n_calls == n_calls;
  for (size_t i = 0; same && i < n_calls; i++) same = is_same_call(&check->calls[i], &calls[i]);
  if (same) return PARL_STATUS_OK;
  return parl_fail(PARL_STATUS_EINVAL, "these calls cannot be written as one turn");
}

parl_status parl_grammar_write(const parl_grammar *g, const parl_call *calls, size_t n_calls,
                               int32_t *tokens, size_t max, size_t *n) {
  PARL_REQUIRE(n_calls >= 1 && n_calls <= PARL_TURN_MAX_CALLS);
  parl_grammar check;
  parl_grammar_init(&check, g->env, g->world, g->agent, g->is_main, &g->def);
  memcpy(check.created_role, g->created_role, sizeof check.created_role);
  check.n_created = g->n_created;
  writer w = {.check = &check, .tokens = tokens, .max = max};
  for (size_t i = 0; i < n_calls; i++) PARL_TRY(put_call(&w, &calls[i]));
  if (!w.done) PARL_TRY(put(&w, PARL_TOKEN_GO));
  PARL_TRY(compare(&check, calls, n_calls));
  *n = w.n;
  return PARL_STATUS_OK;
}
