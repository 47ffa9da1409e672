/* lua/grammar.c - the masks and the parser of turns.
 *
 * One small automaton:
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
#include <stdio.h>
#include <string.h>

#include "lua/grammar_internal.h"

enum {
  MAX_TOKENS = PARL_MASK_MAX_WORDS * 64,
  N_ANSWERS = sizeof(((parl_grammar *)0)->answers) / sizeof(parl_legal_answer),
  VALUE_MASK = (1 << PARL_PACKED_VALUE_BITS) - 1
};
_Static_assert(PARL_ENV_MAX_SLOTS <= 1 << (16 - PARL_PACKED_VALUE_BITS) &&
                   MAX_TOKENS <= VALUE_MASK && PARL_ENV_MAX_TOOLS <= 64 &&
                   PARL_MAX_AGENT_NAMES <= 64,
               "a call fits its words");

/* --- the packed turn --- */

/* The call being written. */
static uint16_t *get_open(const parl_grammar *g) {
  return g->turn + g->n_complete;
}

static void unpack(const uint16_t *call, parl_call *out) {
  out->kind = parl_packed_kind(call);
  const bool is_tool = out->kind == PARL_CALL_TOOL;
  out->tool = is_tool ? parl_packed_number(call) : 0;
  out->agent_name = is_tool ? 0 : parl_packed_number(call);
  out->role = call[0] >> 8;
  out->n_values = call[1];
  for (int k = 0; k < out->n_values; k++) {
    out->values[k] = (int16_t)(call[PARL_PACKED_HEAD_WORDS + k] & VALUE_MASK);
    out->slot[k] = (uint8_t)(call[PARL_PACKED_HEAD_WORDS + k] >> PARL_PACKED_VALUE_BITS);
  }
}

void parl_grammar_get_call(const parl_grammar *g, int i, parl_call *out) {
  PARL_CHECK(i >= 0 && i < g->n_calls);
  const uint16_t *call = g->turn;
  for (; i > 0; i--) call = parl_packed_next(call);
  unpack(call, out);
}

static int get_call_words(const parl_tool *signature) {
  int n = PARL_PACKED_HEAD_WORDS;
  for (int s = 0; s < signature->n_slots; s++) n += signature->slots[s].max;
  return n;
}

int parl_grammar_get_room(const parl_env_spec *spec, bool is_main, int max_direct, int limit) {
  int tool = PARL_PACKED_HEAD_WORDS;
  for (int i = 0; i < spec->n_tools; i++) {
    const int n = get_call_words(&spec->tools[i]);
    if (n > tool) tool = n;
  }
  int room = (is_main ? max_direct : 1) * tool;
  const int launch = spec->limits.max_width * get_call_words(&spec->task);
  if (is_main && launch > room) room = launch;
  /* A call has a token at least, and every value one more. */
  if (room > PARL_PACKED_HEAD_WORDS * limit) room = PARL_PACKED_HEAD_WORDS * limit;
  room += PARL_PACKED_HEAD_WORDS; /* which feed wants to see free before every token */
  return room < PARL_TURN_MAX_WORDS ? room : PARL_TURN_MAX_WORDS;
}

void parl_grammar_clear(parl_grammar *g) {
  g->n_calls = g->n_creating = 0;
  g->n_words = g->n_complete = 0;
  g->state = PARL_GRAMMAR_CALL;
  g->slot = g->n_in_slot = 0;
  g->n_answers = 0;
}

void parl_grammar_init(parl_grammar *g, parl_env *env, parl_world world, parl_agent agent,
                       bool is_main, const parl_grammar_def *def, uint16_t *turn, int room) {
  PARL_CHECK(def->max_direct >= 1);
  g->env = env;
  g->world = world;
  g->agent = agent;
  g->def = *def;
  g->is_main = is_main;
  if (!is_main) g->def.max_direct = 1;
  if (g->def.max_direct > PARL_TURN_MAX_CALLS) g->def.max_direct = PARL_TURN_MAX_CALLS;
  const int widest = parl_env_get_spec(env)->limits.max_width;
  if (g->def.max_width == 0 || g->def.max_width > widest) g->def.max_width = widest;
  memset(g->created_role, 0, sizeof g->created_role);
  g->n_created = 0;
  g->turn = turn;
  g->room = room;
  parl_grammar_clear(g);
}

static const parl_env_spec *get_spec(const parl_grammar *g) {
  return parl_env_get_spec(g->env);
}

/* --- what may start with n complete calls --- */

static bool is_launch_turn(const parl_grammar *g, int n) {
  return n > 0 && parl_packed_kind(g->turn) == PARL_CALL_ASSIGN;
}

static int count_created(const parl_grammar *g) {
  return g->n_created + g->n_creating;
}

static bool may_call_tool(const parl_grammar *g, int n) {
  return !is_launch_turn(g, n) && n < g->def.max_direct;
}

static bool may_create(const parl_grammar *g, int n) {
  return g->is_main && g->def.may_launch && may_call_tool(g, n) &&
         count_created(g) < get_spec(g)->limits.max_agents;
}

static bool may_assign(const parl_grammar *g, int n) {
  return g->is_main && g->def.may_launch && g->n_created > 0 && (n == 0 || is_launch_turn(g, n)) &&
         n < g->def.max_width;
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

static void set_bits(uint64_t *mask, int first, int n) {
  for (int i = first; i < first + n;) {
    const int left = 64 - i % 64, here = first + n - i < left ? first + n - i : left;
    mask[i / 64] |= UINT64_MAX >> (64 - here) << (i % 64);
    i += here;
  }
}

static const parl_tool *get_signature(const parl_env_spec *spec, const uint16_t *call) {
  return parl_packed_kind(call) == PARL_CALL_ASSIGN ? &spec->task
                                                    : &spec->tools[parl_packed_number(call)];
}

/* Distinct values of a family given so far in this turn, the open call's included. */
static size_t collect_taken(const parl_grammar *g, int family, int16_t *taken) {
  uint64_t seen[PARL_MASK_MAX_WORDS] = {0};
  const parl_env_spec *spec = get_spec(g);
  const int n_calls = g->n_calls + (g->state == PARL_GRAMMAR_VALUE);
  size_t n = 0;
  const uint16_t *call = g->turn;
  for (int i = 0; i < n_calls; i++, call = parl_packed_next(call)) {
    if (call[1] == 0) continue;
    const parl_tool *signature = get_signature(spec, call);
    for (int k = 0; k < call[1]; k++) {
      const int value = call[PARL_PACKED_HEAD_WORDS + k] & VALUE_MASK;
      if (signature->slots[call[PARL_PACKED_HEAD_WORDS + k] >> PARL_PACKED_VALUE_BITS].family !=
          family)
        continue;
      if (seen[value / 64] >> (value % 64) & 1) continue;
      set_bit(seen, value);
      taken[n++] = (int16_t)value;
    }
  }
  return n;
}

/* An answer of this turn to the same question. While a turn is written nothing changes what `legal`
 * sees of a first slot but the list of taken values, which only grows. */
static const parl_legal_answer *find_answer(const parl_grammar *g, int tool, int slot,
                                            int n_taken) {
  const int oldest = g->n_answers > N_ANSWERS ? g->n_answers - N_ANSWERS : 0;
  for (int i = g->n_answers - 1; i >= oldest; i--) {
    const parl_legal_answer *a = &g->answers[i % N_ANSWERS];
    if (a->tool == tool && a->slot == slot && a->n_taken == n_taken) return a;
  }
  return NULL;
}

/* Asks `legal`; a family of more values than an answer holds is asked for every time. */
static parl_status ask_legal(parl_grammar *g, int tool, int slot, int family, uint8_t *allowed) {
  int16_t taken[MAX_TOKENS];
  const int n_values = get_spec(g)->families[family].n;
  const size_t n_taken = collect_taken(g, family, taken);
  const parl_legal_answer *known = slot == 0 ? find_answer(g, tool, slot, (int)n_taken) : NULL;
  if (known != NULL) {
    for (int i = 0; i < n_values; i++) allowed[i] = known->bits[i / 64] >> (i % 64) & 1;
    return PARL_STATUS_OK;
  }
  parl_call open;
  if (slot > 0) unpack(get_open(g), &open); /* of a later slot only the open call asks */
  PARL_TRY(parl_env_legal(g->env, g->world, g->agent, tool, slot, slot > 0 ? &open : NULL, taken,
                          n_taken, allowed));
  if (slot > 0) return PARL_STATUS_OK; /* depends on the call */
  parl_legal_answer answer = {(int16_t)tool, (int16_t)slot, (int16_t)n_taken, {0}};
  if (n_values > 64 * (int)(sizeof answer.bits / sizeof answer.bits[0])) return PARL_STATUS_OK;
  for (int i = 0; i < n_values; i++)
    if (allowed[i]) set_bit(answer.bits, i);
  g->answers[g->n_answers++ % N_ANSWERS] = answer;
  return PARL_STATUS_OK;
}

/* Adds the values of a slot that make sense to mask (NULL: none are added); *any tells whether
 * there are some. tool -1: assign_task. */
static parl_status add_values(parl_grammar *g, int tool, int slot, uint64_t *mask, bool *any) {
  const parl_env_spec *spec = get_spec(g);
  const parl_tool *signature = tool < 0 ? &spec->task : &spec->tools[tool];
  const int family = signature->slots[slot].family;
  const parl_family *f = &spec->families[family];
  uint8_t allowed[MAX_TOKENS];
  *any = true;
  if (!g->def.use_legal || !spec->has_legal) {
    if (mask) set_bits(mask, f->first_token, f->n);
    return PARL_STATUS_OK;
  }
  PARL_TRY(ask_legal(g, tool, slot, family, allowed));
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
static parl_status add_starts(parl_grammar *g, int n, int assign_known, uint64_t *mask) {
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

static parl_status add_value_state(parl_grammar *g, uint64_t *mask) {
  const uint16_t *call = get_open(g);
  const parl_tool *signature = get_signature(get_spec(g), call);
  const int tool = parl_packed_kind(call) == PARL_CALL_ASSIGN ? -1 : parl_packed_number(call);
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
  set_bits(mask, f->first_token, f->n);
  return PARL_STATUS_OK;
}

parl_status parl_grammar_get_mask(parl_grammar *g, uint64_t *mask, size_t *n_allowed) {
  const parl_env_spec *spec = get_spec(g);
  const size_t n_words = ((size_t)spec->n_tokens + 63) / 64;
  memset(mask, 0, n_words * sizeof *mask);
  switch ((parl_grammar_state)g->state) {
    case PARL_GRAMMAR_CALL:
      PARL_TRY(add_starts(g, g->n_calls, -1, mask));
      break;
    case PARL_GRAMMAR_CREATE_NAME:
      set_bit(mask, PARL_TOKEN_NAME_1 + count_created(g));
      break;
    case PARL_GRAMMAR_CREATE_ROLE:
      for (int i = 0; i < spec->n_roles; i++) set_bit(mask, spec->role_token[i]);
      break;
    case PARL_GRAMMAR_ASSIGN_NAME:
      for (int i = 0; i < PARL_MAX_AGENT_NAMES; i++)
        if (g->created_role[i]) set_bit(mask, PARL_TOKEN_NAME_1 + i);
      break;
    case PARL_GRAMMAR_VALUE:
      PARL_TRY(add_value_state(g, mask));
      break;
    case PARL_GRAMMAR_DONE:
      return parl_fail(PARL_STATUS_ESTATE, "the turn is complete: no token may follow");
  }
  size_t n = 0;
  for (size_t i = 0; i < n_words; i++) n += (size_t)__builtin_popcountll(mask[i]);
  PARL_CHECK(n > 0);
  *n_allowed = n;
  return PARL_STATUS_OK;
}

/* --- feeding --- */

/* Whether a token would begin one more direct call than a turn may have. */
static bool is_one_too_many(const parl_grammar *g, int32_t token) {
  const int n = g->n_calls + (g->state == PARL_GRAMMAR_VALUE);
  const bool is_direct = token == PARL_TOKEN_CREATE || find_tool(get_spec(g), token) >= 0;
  return is_direct && n >= g->def.max_direct && !is_launch_turn(g, n);
}

static parl_status refuse(const parl_grammar *g, int32_t token) {
  static const char *const expected[] = {"a call",
                                         "the lowest free agent name",
                                         "a role",
                                         "a registered agent name",
                                         "an argument value",
                                         "nothing: the turn is complete"};
  char why[96] = "";
  if (is_one_too_many(g, token) && g->is_main)
    snprintf(why, sizeof why, " (direct calls in one turn: at most episode.max_direct = %d)",
             g->def.max_direct);
  else if (is_one_too_many(g, token))
    snprintf(why, sizeof why, " (a sub-agent's turn is one call)");
  return parl_fail(PARL_STATUS_EINVAL, "token %d (%s) is not well formed here; expected is %s%s",
                   (int)token, parl_env_token_name(g->env, (int)token), expected[g->state], why);
}

/* The open call is complete. */
static void end_call(parl_grammar *g) {
  g->n_creating += parl_packed_kind(get_open(g)) == PARL_CALL_CREATE;
  g->n_complete = g->n_words;
  g->n_calls++;
  const bool full = !is_launch_turn(g, g->n_calls) && g->n_calls >= g->def.max_direct;
  g->state = full ? PARL_GRAMMAR_DONE : PARL_GRAMMAR_CALL;
}

static void begin_call(parl_grammar *g, parl_call_kind kind, int tool, int state) {
  uint16_t *call = get_open(g);
  call[0] = parl_pack_head(kind, tool, 0);
  call[1] = 0;
  g->n_words += PARL_PACKED_HEAD_WORDS;
  g->state = state;
  g->slot = g->n_in_slot = 0;
}

/* A token that may_start allows. */
static void start(parl_grammar *g, int32_t token) {
  if (token == PARL_TOKEN_GO) {
    g->state = PARL_GRAMMAR_DONE;
  } else if (token == PARL_TOKEN_FINISH) {
    begin_call(g, PARL_CALL_FINISH, 0, PARL_GRAMMAR_CALL);
    end_call(g);
    g->state = PARL_GRAMMAR_DONE;
  } else if (token == PARL_TOKEN_CREATE) {
    begin_call(g, PARL_CALL_CREATE, 0, PARL_GRAMMAR_CREATE_NAME);
  } else if (token == PARL_TOKEN_ASSIGN) {
    begin_call(g, PARL_CALL_ASSIGN, 0, PARL_GRAMMAR_ASSIGN_NAME);
  } else {
    const int tool = find_tool(get_spec(g), token);
    begin_call(g, PARL_CALL_TOOL, tool, PARL_GRAMMAR_VALUE);
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
  uint16_t *call = get_open(g);
  call[1]++;
  g->turn[g->n_words++] = parl_pack_value(value, g->slot);
  g->n_in_slot++;
  if (g->n_in_slot == signature->slots[g->slot].max) end_slot(g, signature);
}

static parl_status feed_value(parl_grammar *g, int32_t token) {
  const parl_env_spec *spec = get_spec(g);
  const parl_tool *signature = get_signature(spec, get_open(g));
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
  const bool create = g->state == PARL_GRAMMAR_CREATE_NAME;
  if (name < 0 || name >= PARL_MAX_AGENT_NAMES) return refuse(g, token);
  if (create ? name != count_created(g) : !g->created_role[name]) return refuse(g, token);
  get_open(g)[0] |= parl_pack_head(0, name, 0);
  g->state = create ? PARL_GRAMMAR_CREATE_ROLE : PARL_GRAMMAR_VALUE;
  return PARL_STATUS_OK;
}

static parl_status feed_role(parl_grammar *g, int32_t token) {
  const parl_env_spec *spec = get_spec(g);
  for (int i = 0; i < spec->n_roles; i++) {
    if (spec->role_token[i] != token) continue;
    get_open(g)[0] |= parl_pack_head(0, 0, i);
    end_call(g);
    return PARL_STATUS_OK;
  }
  return refuse(g, token);
}

parl_status parl_grammar_feed(parl_grammar *g, int32_t token, bool *turn_done) {
  parl_status status = PARL_STATUS_OK;
  if (g->n_words + PARL_PACKED_HEAD_WORDS > g->room) /* what one token adds at most */
    return parl_fail(PARL_STATUS_EINVAL, "the turn is too long: more than %d words", g->room);
  switch ((parl_grammar_state)g->state) {
    case PARL_GRAMMAR_CALL:
      if (!may_start(g, token, g->n_calls)) return refuse(g, token);
      start(g, token);
      break;
    case PARL_GRAMMAR_CREATE_NAME:
    case PARL_GRAMMAR_ASSIGN_NAME:
      status = feed_name(g, token);
      break;
    case PARL_GRAMMAR_CREATE_ROLE:
      status = feed_role(g, token);
      break;
    case PARL_GRAMMAR_VALUE:
      status = feed_value(g, token);
      break;
    case PARL_GRAMMAR_DONE:
      return refuse(g, token);
  }
  PARL_TRY(status);
  *turn_done = g->state == PARL_GRAMMAR_DONE;
  return PARL_STATUS_OK;
}

void parl_grammar_next_turn(parl_grammar *g) {
  const uint16_t *call = g->turn;
  for (int i = 0; i < g->n_calls && g->n_creating > 0; i++, call = parl_packed_next(call)) {
    if (parl_packed_kind(call) != PARL_CALL_CREATE) continue;
    g->created_role[parl_packed_number(call)] = (uint8_t)((call[0] >> 8) + 1);
    g->n_created++;
  }
  parl_grammar_clear(g);
}
