/* tests/test_grammar.c - turns worked by hand, and properties of masked walks. */
#include <stdbool.h>

#include "core/rng.h"
#include "lua/grammar.h"
#include "tests/lua_support.h"

/* Rows 1..6; rows already taken in the turn are not legal, nor is row 6 ever for assign_task. */
static const char SCRIPT[] =
    "local tok = parl.tok\n"
    "local function legal(world, agent, tool, slot, taken)\n"
    "  if slot == 2 then return nil end\n"
    "  if world.shut then return {} end\n"
    "  local is_taken, list = {}, {}\n"
    "  for _, v in ipairs(taken) do\n"
    "    assert(not is_taken[v], 'taken twice')\n"
    "    is_taken[v] = true\n"
    "  end\n"
    "  for v = 1, tool == 'assign_task' and 5 or 6 do\n"
    "    if not is_taken[v] then list[#list + 1] = v end\n"
    "  end\n"
    "  return list\n"
    "end\n"
    "local function nothing() return {} end\n"
    "return parl.env {\n"
    "  name = 'toy', summary = 'turns',\n"
    "  params = {shut = {default = false}},\n"
    "  roles = {'worker', 'boss'},\n"
    "  families = {row = 6, word = {'a', 'b'}},\n"
    "  tools = {look = {args = {'row'}, doc = '', run = nothing},\n"
    "    nop = {args = {}, doc = '', run = nothing},\n"
    "    list = {args = {'row+', 'word', 'row+'}, max = 2, doc = '', run = nothing},\n"
    "    pair = {args = {'row', 'word'}, doc = '', run = nothing}},\n"
    "  task = {args = {'row+'}, max = 3},\n"
    "  limits = {context = 64, sub_context = 32, sub_steps = 4, max_width = 2, max_agents = 2,\n"
    "    max_turns = 20},\n"
    "  reset = function(rng, params) return {shut = params.shut} end,\n"
    "  prompt = nothing, brief = function() return {} end, deliver = nothing, legal = legal,\n"
    "  score = function() return 0, {success = 0} end,\n"
    "  optimum = function() return {critical = 0, serial = 0, r_perf = 0, bound = false} end,\n"
    "}\n";

typedef struct fixture {
  parl_env *env;
  parl_world w;
  parl_agent m;
  parl_grammar g;
  uint16_t turn[PARL_TURN_MAX_WORDS]; /* of g */
} fixture;

static fixture *make(const char *params, bool is_main, parl_grammar_def def) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_ok(make_env(SCRIPT, params, NULL, &f->env));
  assert_ok(parl_env_reset(f->env, 1, 1, &f->w, &f->m));
  parl_grammar_init(&f->g, f->env, f->w, f->m, is_main, &def, f->turn, PARL_TURN_MAX_WORDS);
  return f;
}

static parl_call get_call(const fixture *f, int i) {
  parl_call call = {0};
  parl_grammar_get_call(&f->g, i, &call);
  return call;
}

static void drop(fixture *f) {
  parl_env_destroy(f->env);
  free(f);
}

static int32_t find(const fixture *f, const char *name) {
  const int n = parl_env_get_spec(f->env)->n_tokens;
  for (int t = 0; t < n; t++)
    if (strcmp(parl_env_token_name(f->env, t), name) == 0) return t;
  fail_msg("no token %s", name);
  return -1;
}

/* The mask is exactly these names, separated by blanks, in the order of the vocabulary. */
static void check_mask(fixture *f, const char *due) {
  uint64_t mask[PARL_MASK_MAX_WORDS];
  size_t n_allowed = 0, n = 0;
  parl_text got = {0};
  assert_ok(parl_grammar_get_mask(&f->g, mask, &n_allowed));
  for (int t = 0; t < parl_env_get_spec(f->env)->n_tokens; t++) {
    if (!(mask[t / 64] >> (t % 64) & 1)) continue;
    parl_text_appendf(&got, "%s%s", n ? " " : "", parl_env_token_name(f->env, t));
    n++;
  }
  assert_string_equal(parl_text_get(&got), due);
  assert_int_equal(n, n_allowed);
  parl_text_deinit(&got);
}

static void feed(fixture *f, const char *name, bool due_done) {
  bool done = !due_done;
  assert_ok(parl_grammar_feed(&f->g, find(f, name), &done));
  assert_int_equal(done, due_done);
}

static void refuse(fixture *f, const char *name) {
  bool done = true;
  assert_fails(parl_grammar_feed(&f->g, find(f, name), &done), PARL_STATUS_EINVAL,
               "is not well formed here");
  assert_true(done); /* untouched */
}

static const parl_grammar_def FULL = {.use_legal = true, .may_launch = true, .max_direct = 1};

static void an_orchestrator_creates_then_launches(void **state) {
  (void)state;
  fixture *f = make(NULL, true, FULL);
  check_mask(f, "finish create_subagent list look nop pair");
  refuse(f, "assign_task"); /* nobody is registered */
  refuse(f, "<go>");
  refuse(f, "row:1");
  feed(f, "create_subagent", false);
  check_mask(f, "agent_1");
  refuse(f, "agent_2");
  feed(f, "agent_1", false);
  check_mask(f, "worker boss");
  refuse(f, "agent_1");
  feed(f, "boss", true); /* max_direct = 1 */
  assert_int_equal(f->g.n_calls, 1);
  assert_int_equal(get_call(f, 0).kind, PARL_CALL_CREATE);
  assert_int_equal(get_call(f, 0).agent_name, 0);
  assert_int_equal(get_call(f, 0).role, 1);
  refuse(f, "finish"); /* the turn is over */
  assert_null(strstr(parl_error_text(), "max_direct"));
  refuse(f, "look");
  assert_contains(parl_error_text(), "at most episode.max_direct = 1");
  uint64_t mask[PARL_MASK_MAX_WORDS];
  size_t n;
  assert_status(parl_grammar_get_mask(&f->g, mask, &n), PARL_STATUS_ESTATE);
  parl_grammar_next_turn(&f->g);
  assert_int_equal(f->g.created_role[0], 2);
  check_mask(f, "finish create_subagent assign_task list look nop pair");
  feed(f, "assign_task", false);
  check_mask(f, "agent_1");
  refuse(f, "agent_2");
  feed(f, "agent_1", false);
  check_mask(f, "row:1 row:2 row:3 row:4 row:5");
  refuse(f, "<go>"); /* at least one value */
  feed(f, "row:4", false);
  check_mask(f, "<go> assign_task row:1 row:2 row:3 row:5");
  refuse(f, "look"); /* launches are not mixed with direct calls */
  refuse(f, "finish");
  feed(f, "row:2", false);
  feed(f, "assign_task", false);
  feed(f, "agent_1", false);
  check_mask(f, "row:1 row:3 row:5"); /* 4 and 2 are taken in this turn */
  feed(f, "row:1", false);
  check_mask(f, "<go> row:3 row:5"); /* max_width = 2: no third launch */
  refuse(f, "assign_task");
  feed(f, "row:3", false);
  feed(f, "row:5", false); /* max = 3 values: the list ends by itself */
  check_mask(f, "<go>");
  refuse(f, "row:1");
  feed(f, "<go>", true);
  assert_int_equal(f->g.n_calls, 2);
  assert_int_equal(get_call(f, 0).n_values, 2);
  assert_int_equal(get_call(f, 0).values[0], 4);
  assert_int_equal(get_call(f, 0).values[1], 2);
  assert_int_equal(get_call(f, 1).n_values, 3);
  assert_int_equal(get_call(f, 1).values[2], 5);
  parl_grammar_next_turn(&f->g);
  feed(f, "finish", true);
  assert_int_equal(get_call(f, 0).kind, PARL_CALL_FINISH);
  drop(f);
}

static void names_run_out(void **state) {
  (void)state;
  fixture *f = make(NULL, true, FULL);
  for (int i = 0; i < 2; i++) { /* max_agents = 2 */
    feed(f, "create_subagent", false);
    check_mask(f, i ? "agent_2" : "agent_1");
    feed(f, i ? "agent_2" : "agent_1", false);
    feed(f, "worker", true);
    parl_grammar_next_turn(&f->g);
  }
  check_mask(f, "finish assign_task list look nop pair");
  refuse(f, "create_subagent");
  feed(f, "assign_task", false);
  check_mask(f, "agent_1 agent_2");
  drop(f);
}

static void several_direct_calls_fit_a_turn(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 3, 0});
  feed(f, "create_subagent", false);
  feed(f, "agent_1", false);
  feed(f, "worker", false);
  check_mask(f, "<go> create_subagent list look nop pair"); /* no launch in the same turn */
  refuse(f, "assign_task");
  feed(f, "create_subagent", false);
  check_mask(f, "agent_2"); /* the one of this turn counts */
  feed(f, "agent_2", false);
  feed(f, "boss", false);
  check_mask(f, "<go> list look nop pair");
  feed(f, "look", false);
  feed(f, "row:6", true); /* the third call ends the turn */
  parl_grammar_next_turn(&f->g);
  assert_int_equal(f->g.n_created, 2);
  feed(f, "look", false);
  feed(f, "row:6", false);
  feed(f, "look", false);
  check_mask(f, "row:1 row:2 row:3 row:4 row:5");
  feed(f, "row:6", false); /* legal is advice to the mask, not a rule of the grammar */
  feed(f, "<go>", true);
  assert_int_equal(f->g.n_calls, 2);
  drop(f);
}

static void lists_end_with_what_follows(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 2, 0});
  feed(f, "list", false);
  check_mask(f, "row:1 row:2 row:3 row:4 row:5 row:6");
  refuse(f, "word:a");
  feed(f, "row:3", false);
  check_mask(f, "row:1 row:2 row:4 row:5 row:6 word:a word:b");
  refuse(f, "<go>");
  feed(f, "word:b", false);
  check_mask(f, "row:1 row:2 row:4 row:5 row:6");
  feed(f, "row:1", false);
  check_mask(f, "<go> create_subagent list look nop pair row:2 row:4 row:5 row:6");
  feed(f, "nop", true); /* second call: no argument, and the turn is full */
  assert_int_equal(get_call(f, 0).n_values, 3);
  assert_memory_equal(get_call(f, 0).slot, ((uint8_t[]){0, 1, 2}), 3);
  parl_grammar_next_turn(&f->g);
  feed(f, "nop", false);
  feed(f, "list", false);
  feed(f, "row:1", false);
  feed(f, "row:2", false); /* max = 2: the word must come */
  check_mask(f, "word:a word:b");
  feed(f, "word:a", false);
  feed(f, "row:3", false);
  check_mask(f, "<go> row:4 row:5 row:6"); /* the turn is full but for this list */
  refuse(f, "nop");
  feed(f, "<go>", true);
  drop(f);
}

static void sub_agents_do_one_call(void **state) {
  (void)state;
  fixture *f = make(NULL, false, (parl_grammar_def){true, true, 5, 0});
  check_mask(f, "finish list look nop pair");
  refuse(f, "create_subagent");
  refuse(f, "assign_task");
  feed(f, "look", false);
  feed(f, "row:1", true);
  parl_grammar_next_turn(&f->g);
  feed(f, "finish", true);
  drop(f);
}

static void without_launching_there_is_no_create(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, false, 1, 0});
  check_mask(f, "finish list look nop pair");
  refuse(f, "create_subagent");
  drop(f);
}

/* Nothing is legal: tools with arguments are not offered, finish always is. */
static void a_mask_is_never_empty(void **state) {
  (void)state;
  fixture *f = make("{\"shut\":true}", true, FULL);
  f->g.created_role[0] = 1;
  f->g.n_created = 1;
  check_mask(f, "finish create_subagent nop");
  feed(f, "look", false); /* well formed all the same, and must end somehow */
  check_mask(f, "row:1 row:2 row:3 row:4 row:5 row:6");
  drop(f);
  f = make("{\"shut\":true}", true, (parl_grammar_def){false, true, 1, 0});
  check_mask(f, "finish create_subagent list look nop pair"); /* nobody asks legal */
  feed(f, "look", false);
  check_mask(f, "row:1 row:2 row:3 row:4 row:5 row:6");
  drop(f);
}

static void tokens_out_of_range_are_refused(void **state) {
  (void)state;
  fixture *f = make(NULL, true, FULL);
  const int32_t bad[] = {-1, 0, 100000, INT32_MAX, INT32_MIN};
  bool done;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_status(parl_grammar_feed(&f->g, bad[i], &done), PARL_STATUS_EINVAL);
  drop(f);
}

/* One random turn along the masks. Every token that a mask allows is taken by feed, the calls are
 * taken by the environment, and writing them gives the tokens back. */
static void walk_a_turn(fixture *f, parl_rng_cursor *rng) {
  int32_t tokens[1024], written[1024], observed[16];
  size_t n = 0, n_written = 0, n_observed = 0;
  const parl_env_spec *spec = parl_env_get_spec(f->env);
  for (bool done = false; !done;) {
    uint64_t mask[PARL_MASK_MAX_WORDS];
    size_t n_allowed = 0;
    assert_ok(parl_grammar_get_mask(&f->g, mask, &n_allowed));
    assert_in_range(n_allowed, 1, spec->n_tokens);
    uint64_t k = parl_rng_next_below(rng, n_allowed);
    int token = 0;
    for (;; token++)
      if ((mask[token / 64] >> (token % 64) & 1) && k-- == 0) break;
    assert_true(n < 1024);
    tokens[n++] = token;
    assert_ok(parl_grammar_feed(&f->g, token, &done));
  }
  parl_call calls[PARL_TURN_MAX_CALLS];
  for (int i = 0; i < f->g.n_calls; i++) calls[i] = get_call(f, i);
  assert_ok(parl_grammar_write(&f->g, calls, (size_t)f->g.n_calls, written, 1024, &n_written));
  /* <go> where the turn would have ended by itself is the only freedom; there is none. */
  assert_int_equal(n_written, n);
  assert_memory_equal(written, tokens, n * sizeof tokens[0]);
  for (int i = 0; i < f->g.n_calls; i++) {
    const parl_call *call = &calls[i];
    parl_agent sub;
    if (call->kind == PARL_CALL_TOOL)
      assert_ok(parl_env_call(f->env, f->w, f->m, call, observed, 16, &n_observed));
    if (call->kind != PARL_CALL_ASSIGN) continue;
    assert_ok(parl_env_brief(f->env, f->w, call, 0, 1, &sub, observed, 16, &n_observed));
    assert_ok(parl_env_deliver(f->env, f->w, sub, true, observed, 16, &n_observed));
  }
}

static void random_walks_are_well_formed(void **state) {
  (void)state;
  parl_rng_cursor rng = {.seed = 20240607, .stream = 1};
  for (int variant = 0; variant < 8; variant++) {
    const parl_grammar_def def = {.use_legal = variant & 1,
                                  .may_launch = (variant & 2) == 0,
                                  .max_direct = variant & 4 ? 4 : 1};
    fixture *f = make(NULL, variant != 3, def);
    for (int i = 0; i < 1250; i++) {
      walk_a_turn(f, &rng);
      const bool over = get_call(f, 0).kind == PARL_CALL_FINISH;
      parl_grammar_next_turn(&f->g);
      if (over)
        parl_grammar_init(&f->g, f->env, f->w, f->m, variant != 3, &def, f->turn,
                          PARL_TURN_MAX_WORDS);
    }
    drop(f);
  }
}

/* Random tokens: refused ones leave the grammar as it was. */
static void refusals_change_nothing(void **state) {
  (void)state;
  parl_rng_cursor rng = {.seed = 5, .stream = 2};
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 3, 0});
  const uint64_t n_tokens = (uint64_t)parl_env_get_spec(f->env)->n_tokens;
  int n_turns = 0;
  for (int i = 0; i < 100000; i++) {
    const int state_before = f->g.state, calls_before = f->g.n_calls, slot_before = f->g.slot;
    const int in_slot_before = f->g.n_in_slot;
    bool done = false;
    if (parl_grammar_feed(&f->g, (int32_t)parl_rng_next_below(&rng, n_tokens), &done)) {
      assert_int_equal(f->g.state, state_before);
      assert_int_equal(f->g.n_calls, calls_before);
      assert_int_equal(f->g.slot, slot_before);
      assert_int_equal(f->g.n_in_slot, in_slot_before);
    }
    if (!done) continue;
    n_turns++;
    parl_grammar_next_turn(&f->g);
  }
  assert_true(n_turns > 1000);
  drop(f);
}

static void expect_asked(fixture *f, const char *wanted) {
  parl_text said = {0};
  uint64_t mask[PARL_MASK_MAX_WORDS];
  size_t n_allowed;
  assert_ok(parl_grammar_get_mask(&f->g, mask, &n_allowed));
  parl_env_take_output(f->env, &said);
  assert_string_equal(parl_text_get(&said), wanted);
  parl_text_deinit(&said);
}

/* In a turn the same question is asked once; in the next one again. */
static void legal_is_asked_once(void **state) {
  (void)state;
  char *code = edit(SCRIPT, "  if slot == 2 then return nil end\n",
                    "  print(tool, slot, #taken) if slot == 2 then return nil end\n");
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_ok(make_env(code, NULL, NULL, &f->env));
  assert_ok(parl_env_reset(f->env, 1, 1, &f->w, &f->m));
  const parl_grammar_def def = {true, true, 2, 0};
  parl_grammar_init(&f->g, f->env, f->w, f->m, true, &def, f->turn, PARL_TURN_MAX_WORDS);
  bool done;
  for (int turn = 0; turn < 2; turn++) {
    expect_asked(f, "list\t1\t0\nlook\t1\t0\npair\t1\t0\n");
    assert_ok(parl_grammar_feed(&f->g, find(f, "look"), &done));
    expect_asked(f, "");
    assert_ok(parl_grammar_feed(&f->g, find(f, "row:3"), &done));
    if (turn == 1) {
      expect_asked(f, "list\t1\t1\nlook\t1\t1\npair\t1\t1\n");
      expect_asked(f, "");
    }
    assert_ok(parl_grammar_feed(&f->g, PARL_TOKEN_GO, &done));
    assert_true(done);
    parl_grammar_next_turn(&f->g);
  }
  free(code);
  drop(f);
}

/* The room that a specification needs, by hand; a turn that outgrows the room is refused. */
static void a_turn_has_room(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 3, 0});
  const parl_env_spec *spec = parl_env_get_spec(f->env);
  int tool = 0, task = 2;
  for (int i = 0; i < spec->n_tools; i++) {
    int n = 2;
    for (int s = 0; s < spec->tools[i].n_slots; s++) n += spec->tools[i].slots[s].max;
    tool = n > tool ? n : tool;
  }
  for (int s = 0; s < spec->task.n_slots; s++) task += spec->task.slots[s].max;
  const int launch = spec->limits.max_width * task;
  assert_int_equal(parl_grammar_get_room(spec, false, 3, 10000), tool + 2);
  assert_true(tool < launch && launch < 3 * tool);
  assert_int_equal(parl_grammar_get_room(spec, true, 1, 10000), launch + 2);
  assert_int_equal(parl_grammar_get_room(spec, true, 3, 10000), 3 * tool + 2);
  assert_int_equal(parl_grammar_get_room(spec, true, 3, 4), 2 * 4 + 2);
  const parl_call look = {.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {6}};
  int32_t tokens[16];
  size_t n = 0;
  f->g.room = 4; /* head and value of the first call, and no head more */
  assert_fails(parl_grammar_take(&f->g, (parl_call[]){look, look}, 2, tokens, 16, &n),
               PARL_STATUS_EINVAL, "more than 4 words");
  drop(f);
}

/* Taking a turn is the same as feeding what writing it gives. */
static void a_taken_turn_is_the_written_one(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 2, 0});
  const parl_call calls[] = {
      {.kind = PARL_CALL_CREATE, .role = 1},
      {.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {6}},
  };
  int32_t written[16], taken[16];
  size_t n_written = 0, n_taken = 0;
  assert_ok(parl_grammar_write(&f->g, calls, 2, written, 16, &n_written));
  assert_int_equal(f->g.n_calls, 0);
  assert_ok(parl_grammar_take(&f->g, calls, 2, taken, 16, &n_taken));
  assert_int_equal(n_taken, n_written);
  assert_memory_equal(taken, written, n_taken * sizeof taken[0]);
  assert_int_equal(f->g.n_calls, 2);
  assert_int_equal(get_call(f, 0).role, 1);
  assert_int_equal(get_call(f, 1).values[0], 6);
  parl_grammar_next_turn(&f->g);
  assert_int_equal(f->g.created_role[0], 2);
  drop(f);
}

/* Turns that are taken without the automaton leave what feeding their tokens leaves. */
static void plain_turns_need_no_automaton(void **state) {
  (void)state;
  const parl_call turns[] = {
      {.kind = PARL_CALL_FINISH},
      {.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {6}},
      {.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {1}},
  };
  for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
    fixture *f = make(NULL, false, (parl_grammar_def){true, false, 1, 0});
    int32_t tokens[16];
    size_t n = 0;
    bool done = false;
    assert_ok(parl_grammar_take(&f->g, &turns[i], 1, tokens, 16, &n));
    assert_int_equal(n, 1 + (size_t)turns[i].n_values);
    const parl_grammar taken = f->g;
    uint16_t words[8];
    memcpy(words, taken.turn, (size_t)taken.n_words * sizeof words[0]);
    parl_grammar_next_turn(&f->g);
    for (size_t k = 0; k < n; k++) {
      assert_false(done);
      assert_ok(parl_grammar_feed(&f->g, tokens[k], &done));
    }
    assert_true(done);
    assert_int_equal(f->g.n_calls, taken.n_calls);
    assert_int_equal(f->g.n_words, taken.n_words);
    assert_int_equal(f->g.n_complete, taken.n_complete);
    assert_int_equal(f->g.state, taken.state);
    assert_memory_equal(f->g.turn, words, (size_t)taken.n_words * sizeof words[0]);
    drop(f);
  }
}

static void unwritable_turns_are_refused(void **state) {
  (void)state;
  fixture *f = make(NULL, true, (parl_grammar_def){true, true, 2, 0});
  int32_t tokens[64];
  size_t n = 99;
  const parl_call finish = {.kind = PARL_CALL_FINISH};
  const parl_call create = {.kind = PARL_CALL_CREATE},
                  late = {.kind = PARL_CALL_CREATE, .agent_name = 1};
  const parl_call launch = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
  const parl_call look = {.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {6}};
  parl_call bad = look;
  bad.values[0] = 7;
  const struct {
    parl_call calls[3];
    size_t n_calls;
  } cases[] = {
      {{finish, finish}, 2},
      {{look, finish}, 2},
      {{late}, 1},
      {{launch}, 1},
      {{create, launch}, 2},
      {{look, look, look}, 3},
      {{bad}, 1},
      {{{.kind = PARL_CALL_TOOL, .tool = 99}}, 1},
      {{{.kind = PARL_CALL_CREATE, .role = 2}}, 1},
      {{{.kind = PARL_CALL_TOOL, .tool = 1}}, 1},
      {{{.kind = (parl_call_kind)9}}, 1},
      {{{.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 2, .values = {1, 2}}}, 1},
      {{{.kind = PARL_CALL_TOOL, .tool = 1, .n_values = 1, .values = {1}, .slot = {1}}}, 1},
      /* three values in a list of at most two would be read as something else */
      {{{.kind = PARL_CALL_TOOL,
         .tool = 0,
         .n_values = 5,
         .values = {1, 2, 3, 1, 4},
         .slot = {0, 0, 0, 1, 2}}},
       1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_status(parl_grammar_write(&f->g, cases[i].calls, cases[i].n_calls, tokens, 64, &n),
                  PARL_STATUS_EINVAL);
  assert_int_equal(n, 99);
  assert_status(parl_grammar_write(&f->g, &look, 0, tokens, 64, &n), PARL_STATUS_EINVAL);
  assert_fails(parl_grammar_write(&f->g, &look, 1, tokens, 2, &n), PARL_STATUS_EINVAL,
               "more than 2 tokens");
  assert_ok(parl_grammar_write(&f->g, &look, 1, tokens, 3, &n));
  assert_int_equal(n, 3); /* look row:6 <go> */
  assert_int_equal(tokens[2], PARL_TOKEN_GO);
  drop(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_orchestrator_creates_then_launches),
      cmocka_unit_test(names_run_out),
      cmocka_unit_test(several_direct_calls_fit_a_turn),
      cmocka_unit_test(lists_end_with_what_follows),
      cmocka_unit_test(sub_agents_do_one_call),
      cmocka_unit_test(without_launching_there_is_no_create),
      cmocka_unit_test(a_mask_is_never_empty),
      cmocka_unit_test(tokens_out_of_range_are_refused),
      cmocka_unit_test(random_walks_are_well_formed),
      cmocka_unit_test(refusals_change_nothing),
      cmocka_unit_test(legal_is_asked_once),
      cmocka_unit_test(a_turn_has_room),
      cmocka_unit_test(a_taken_turn_is_the_written_one),
      cmocka_unit_test(plain_turns_need_no_automaton),
      cmocka_unit_test(unwritable_turns_are_refused),
  };
  return cmocka_run_group_tests_name("grammar", tests, NULL, NULL);
}
