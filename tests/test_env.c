/* tests/test_env.c - the environment contract: what is refused, what is isolated, what repeats. */
#include "core/rng.h"
#include "lua/env.h"
#include "tests/lua_support.h"

/* Every test edits one line of this. */
static const char TOY[] =
    "local tok = parl.tok\n"
    "local counter, list = 0, {1, 2, {3}}\n"
    "local function look(world, agent, row)\n"
    "  return {tok.row[row], tok.word.ok}\n"
    "end\n"
    "return parl.env {\n"
    "  name = 'toy', summary = 'a toy',\n"
    "  params = {n = {default = 3, min = 1, max = 8, doc = 'rows'},\n"
    "    p = {default = 0.5, min = 0, max = 1}, hard = {default = false},\n"
    "    mode = {choice = {'easy', 'mean'}, default = 'easy'}},\n"
    "  roles = {'worker', 'boss'},\n"
    "  families = {row = 8, word = {'ok', 'no'}},\n"
    "  tools = {look = {args = {'row'}, doc = 'looks', run = look},\n"
    "    draw = {args = {}, doc = 'draws', run = function(world, agent)\n"
    "      return {tok.row[agent.rng:int(1, 8)]} end},\n"
    "    many = {args = {'row+', 'word'}, max = 3, doc = 'takes a list',\n"
    "      run = function(world, agent, rows, word)\n"
    "        return {tok.row[#rows], tok.row[rows[#rows]], tok.word[word]} end}},\n"
    "  task = {args = {'row+'}, max = 4},\n"
    "  styles = {'only'},\n"
    "  limits = {context = 64, sub_context = 32, sub_steps = 4, max_width = 4, max_agents = 2,\n"
    "    max_turns = 20},\n"
    "  reset = function(rng, params)\n"
    "    return {n = params.n, x = rng:int(1, 1000000), list = {1, 2, {3}}} end,\n"
    "  prompt = function(world) return {tok.row[world.n]} end,\n"
    "  brief = function(world, sub, task) sub.state.task = task return {tok.row[#task]} end,\n"
    "  deliver = function(world, main, sub, finished)\n"
    "    return {finished and tok.word.ok or tok.word.no} end,\n"
    "  score = function(world, main) return 0.5, {success = 0, extra = 2} end,\n"
    "  optimum = function(world)\n"
    "    return {critical = 3, serial = 5, r_perf = 1, bound = false} end,\n"
    "  expert = function(world, agent, style) return {{'look', 1}} end,\n"
    "}\n";

typedef struct refusal {
  const char *from, *to;
  const char *text; /* part of the error */
} refusal;

/* Each edit makes the file unusable, with this text and the place. */
static void check_refusals(const refusal *list, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char *code = edit(TOY, list[i].from, list[i].to);
    parl_env *env = NULL;
    const parl_status status = make_env(code, NULL, NULL, &env);
    if (status != PARL_STATUS_ESCRIPT) print_error("accepted: %s\n", list[i].to);
    assert_int_equal(status, PARL_STATUS_ESCRIPT);
    assert_contains(parl_error_text(), list[i].text);
    assert_contains(parl_error_text(), "script.lua");
    assert_null(env);
    free(code);
  }
}

static parl_env *make_toy(const char *from, const char *to) {
  char *code = edit(TOY, from, to);
  parl_env *env = NULL;
  const parl_env_options options = {.callback_s = 0.5};
  assert_ok(make_env(code, NULL, &options, &env));
  free(code);
  return env;
}

static int find_tool(const parl_env *env, const char *name) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_tools; i++)
    if (strcmp(spec->tools[i].name, name) == 0) return i;
  fail_msg("no tool %s", name);
  return -1;
}

static parl_status call(parl_env *env, parl_world w, parl_agent a, const char *tool, int value,
                        int32_t *tokens, size_t *n) {
  parl_call c = {.kind = PARL_CALL_TOOL, .tool = find_tool(env, tool)};
  if (value != 0) {
    c.n_values = 1;
    c.values[0] = (int16_t)value;
  }
  return parl_env_call(env, w, a, &c, tokens, 16, n);
}

static void a_file_is_read(void **state) {
  (void)state;
  parl_env *env = make_toy("a toy", "a toy");
  const parl_env_spec *spec = parl_env_get_spec(env);
  assert_string_equal(spec->name, "toy");
  assert_string_equal(spec->summary, "a toy");
  assert_int_equal(spec->n_tools, 3); /* sorted by name */
  assert_string_equal(spec->tools[0].name, "draw");
  assert_string_equal(spec->tools[2].name, "many");
  assert_int_equal(spec->tools[2].n_slots, 2);
  assert_true(spec->tools[2].slots[0].many);
  assert_int_equal(spec->tools[2].slots[0].max, 3);
  assert_int_equal(spec->tools[2].slots[1].max, 1);
  assert_int_equal(spec->n_tokens, PARL_N_CONTROL_TOKENS + 3 + 2 + 8 + 2);
  assert_string_equal(parl_env_token_name(env, PARL_TOKEN_GO), "<go>");
  assert_string_equal(parl_env_token_name(env, spec->tools[1].token), "look");
  assert_string_equal(parl_env_token_name(env, spec->role_token[1]), "boss");
  assert_string_equal(parl_env_token_name(env, spec->families[0].first_token + 7), "row:8");
  assert_string_equal(parl_env_token_name(env, spec->families[1].first_token), "word:ok");
  assert_string_equal(parl_env_token_name(env, -1), "?");
  assert_string_equal(parl_env_token_name(env, spec->n_tokens), "?");
  assert_int_equal(strlen(spec->script_hash), 64);
  assert_int_equal(strlen(spec->vocab_hash), 64);
  assert_false(spec->has_legal);
  assert_int_equal(spec->limits.sub_context, 32);
  assert_string_equal(parl_env_get_params(env),
                      "{\"hard\":false,\"mode\":\"easy\",\"n\":3,\"p\":0.5}");
  parl_text help = {0};
  parl_env_append_params_help(env, &help);
  assert_contains(parl_text_get(&help), "| `n` | integer | 3 | 1 to 8 | rows |");
  assert_contains(parl_text_get(&help), "| `mode` | choice | \"easy\" | easy, mean |");
  parl_text_deinit(&help);
  parl_env_destroy(env);
  parl_env_destroy(NULL);
}

static void an_episode_runs(void **state) {
  (void)state;
  parl_env *env = make_toy("a toy", "a toy");
  const parl_env_spec *spec = parl_env_get_spec(env);
  const int row = spec->families[0].first_token, word = spec->families[1].first_token;
  parl_world w;
  parl_agent m, s;
  int32_t tokens[16];
  size_t n = 0;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(parl_env_prompt(env, w, tokens, 16, &n));
  assert_int_equal(n, 1);
  assert_int_equal(tokens[0], row + 2);
  assert_ok(call(env, w, m, "look", 5, tokens, &n));
  assert_int_equal(n, 2);
  assert_int_equal(tokens[0], row + 4);
  assert_int_equal(tokens[1], word);
  parl_call c = {.kind = PARL_CALL_TOOL,
                 .tool = find_tool(env, "many"),
                 .n_values = 4,
                 .values = {7, 8, 3, 2},
                 .slot = {0, 0, 0, 1}};
  assert_ok(parl_env_call(env, w, m, &c, tokens, 16, &n));
  assert_int_equal(tokens[0], row + 2);
  assert_int_equal(tokens[1], row + 2);
  assert_int_equal(tokens[2], word + 1);
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 2, .values = {4, 5}};
  assert_ok(parl_env_brief(env, w, &task, 1, 1, &s, tokens, 16, &n));
  assert_int_equal(tokens[0], row + 1);
  assert_ok(parl_env_deliver(env, w, s, true, tokens, 16, &n));
  assert_int_equal(tokens[0], word);
  assert_status(parl_env_deliver(env, w, s, true, tokens, 16, &n), PARL_STATUS_EINVAL);
  double r = -1, success = -1;
  parl_text details = {0};
  assert_ok(parl_env_score(env, w, &r, &success, &details));
  assert_close(r, 0.5, 0);
  assert_close(success, 0, 0);
  assert_string_equal(parl_text_get(&details), "{\"extra\":2,\"success\":0}");
  parl_text_deinit(&details);
  parl_env_optimum o;
  assert_ok(parl_env_get_optimum(env, w, &o));
  assert_int_equal(o.critical_steps, 3);
  assert_int_equal(o.serial_steps, 5);
  char family[8];
  assert_ok(parl_env_get_family(env, w, family, sizeof family));
  assert_string_equal(family, "");
  uint8_t allowed[8];
  assert_ok(parl_env_legal(env, w, m, -1, 0, NULL, 0, allowed));
  assert_int_equal(allowed[7], 1);
  parl_env_release(env, w);
  assert_status(parl_env_prompt(env, w, tokens, 16, &n), PARL_STATUS_EINVAL);
  parl_env_release(env, w); /* again: nothing */
  parl_env_destroy(env);
}

static void declarations_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
      {"name = 'toy', ", "", "name: must be a string"},
      {"name = 'toy'", "name = 'to y'", "name: must be made of"},
      {"summary = 'a toy'", "sumary = 'a toy'", "did you mean 'summary'"},
      {"prompt = function", "promt = function", "did you mean 'prompt'"},
      {"  prompt = function(world) return {tok.row[world.n]} end,\n", "", "prompt: must be a fun"},
      {"  expert = function(world, agent, style) return {{'look', 1}} end,\n", "",
       "styles and expert come together"},
      {"  styles = {'only'},\n", "", "styles and expert come together"},
      {"  styles = {'only'},\n", "  styles = {'only', 'only'},\n", "listed twice"},
      {"roles = {'worker', 'boss'}", "roles = {}", "roles: at least one"},
      {"roles = {'worker', 'boss'}", "roles = {'worker', 7}", "roles: [2] must be a name"},
      {"roles = {'worker', 'boss'}", "roles = {'worker', 'look'}", "'look' is taken"},
      {"roles = {'worker', 'boss'}", "roles = {'finish'}", "'finish' is taken"},
      {"row = 8", "row = 0", "families.row: 0 values"},
      {"row = 8", "row = 3000", "families.row: 3000 values"},
      {"row = 8", "row = 2040", "more than 2048 tokens"},
      {"row = 8", "row = 2.5", "families.row: must be a number of values or"},
      {"word = {'ok', 'no'}", "word = {'ok', 'ok'}", "'ok' is listed twice"},
      {"args = {'row'}", "args = {'rwo'}",
       "tools.look.args[1]: unknown family 'rwo' (did you mean"},
      {"args = {'row'}", "args = 'row'", "tools.look: args must be a list"},
      {"args = {'row'}", "arg = {'row'}", "tools.look: unknown field 'arg' (did you mean 'args'"},
      {"run = look", "run = 3", "tools.look: run must be a function"},
      {"doc = 'looks', ", "", "tools.look: doc must be"},
      {"max = 3", "max = 0", "tools.many: max must be an integer"},
      {"max = 3", "max = 128", "at most 128"},
      {"'row+', 'word'", "'row+', 'row'", "where does that end"},
      {"'row+', 'word'", "'row', 'row', 'row', 'row', 'row'", "more than 4 arguments"},
      {"task = {args = {'row+'}, max = 4}", "task = {args = {}}", "task: needs at least one"},
      {"max_turns = 20", "max_turn = 20", "did you mean 'max_turns'"},
      {"max_turns = 20", "max_turns = 0", "max_turns must be an integer, 1 to"},
      {"max_turns = 20", "max_turns = 2.5", "max_turns must be an integer"},
      {"max_agents = 2", "max_agents = 9", "max_agents must be an integer, 1 to 8"},
      {"max_width = 4", "max_width = 129", "max_width"},
      {"limits = {context = 64,", "limits = {", "context must be an integer"},
      {"default = 3, min = 1", "default = 0, min = 1", "params.n: default 0 is outside 1 to 8"},
      {"default = 3, min = 1", "default = 3, mn = 1", "params.n: unknown field 'mn'"},
      {"min = 1, max = 8", "max = 8", "params.n: min must be a number"},
      {"default = 0.5", "default = 0/0", "params.p: default"},
      {"default = 'easy'", "default = 'esay'", "params.mode: default must be one"},
      {"hard = {default = false}", "hard = {default = {}}",
       "params.hard: default must be a number"},
      {"return parl.env {", "local e = parl.env {", "must end with `return parl.env{...}`"},
      {"local tok = parl.tok\n", "local tok = parl.tok if tok.row then end\n",
       "unknown field 'parl.tok.row'"},
      {"local tok = parl.tok\n", "local tok = parl.tock\n", "did you mean 'parl.tok'"},
      {"local tok = parl.tok\n", "x = 1\n", "cannot set 'x'"},
      {"local tok = parl.tok\n", "error('early')\n", "script.lua:1: early"},
      {"local tok = parl.tok\n", "local local\n", "script.lua:1:"},
      {"optimum = function(world)\n", "optimum = 3, family = function(world)\n",
       "optimum: must be"},
  };
  check_refusals(list, sizeof list / sizeof list[0]);
}

static void files_must_exist_and_declare(void **state) {
  (void)state;
  parl_env *env = NULL;
  assert_fails(parl_env_create("/nonexistent/x.lua", NULL, NULL, &env), PARL_STATUS_EIO, "x.lua");
  assert_fails(make_env("return 1", NULL, NULL, &env), PARL_STATUS_ESCRIPT, "must end with");
  assert_fails(make_env("return parl.env(1)", NULL, NULL, &env), PARL_STATUS_ESCRIPT, "table");
  assert_fails(make_env("while true do end", NULL, &(parl_env_options){.callback_s = 0.1}, &env),
               PARL_STATUS_ELIMIT, "longer");
  assert_null(env);
}

static void params_are_set_and_checked(void **state) {
  (void)state;
  static const struct {
    const char *params, *text;
  } bad[] = {{"{\"m\":1}", "no parameter 'm'"},
             {"{\"mod\":1}", "did you mean 'mode'"},
             {"{\"n\":9}", "'n' is 9, outside 1 to 8"},
             {"{\"n\":2.5}", "'n' is 2.5, not an integer"},
             {"{\"n\":\"3\"}", "'n' must be a number, not a string"},
             {"{\"p\":-0.1}", "'p' is -0.1, outside 0 to 1"},
             {"{\"hard\":1}", "'hard' must be true or false"},
             {"{\"mode\":\"eazy\"}", "'mode' is eazy"},
             {"{\"mode\":2}", "'mode' is no string"},
             {"[1]", "must be an object"}};
  parl_env *env = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_fails(make_env(TOY, bad[i].params, NULL, &env), PARL_STATUS_EINVAL, bad[i].text);
  assert_null(env);
  assert_ok(make_env(TOY, "{\"n\":7,\"hard\":true,\"mode\":\"mean\",\"p\":1}", NULL, &env));
  assert_string_equal(parl_env_get_params(env),
                      "{\"hard\":true,\"mode\":\"mean\",\"n\":7,\"p\":1}");
  parl_env_destroy(env);
}

static void limits_may_follow_from_params(void **state) {
  (void)state;
  parl_env *env = make_toy(
      "limits = {context = 64, sub_context = 32, sub_steps = 4, max_width = 4, "
      "max_agents = 2,\n    max_turns = 20}",
      "limits = function(params) return {context = 10 * params.n, "
      "sub_context = 32, sub_steps = 4, max_width = 4, max_agents = 2, "
      "max_turns = 20} end");
  assert_int_equal(parl_env_get_spec(env)->limits.context, 30);
  parl_env_destroy(env);
}

/* Runs the callback that the edit broke; its failure has the text and the place. */
static void check_callback(const char *from, const char *to, const char *text) {
  parl_env *env = make_toy(from, to);
  parl_world w = -1;
  parl_agent m = -1, s;
  int32_t tokens[16];
  size_t n = 0;
  double r, success;
  parl_env_optimum o;
  char family[8];
  uint8_t allowed[8];
  parl_call calls[4];
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
  parl_status status = parl_env_reset(env, 1, 1, &w, &m);
  if (!status) status = parl_env_prompt(env, w, tokens, 16, &n);
  if (!status) status = parl_env_legal(env, w, m, find_tool(env, "look"), 0, NULL, 0, allowed);
  if (!status) status = call(env, w, m, "look", 2, tokens, &n);
  if (!status) status = parl_env_brief(env, w, &task, 0, 1, &s, tokens, 16, &n);
  if (!status) status = parl_env_expert(env, w, m, "only", calls, 4, &n);
  if (!status) status = parl_env_deliver(env, w, s, false, tokens, 16, &n);
  if (!status) status = parl_env_score(env, w, &r, &success, NULL);
  if (!status) status = parl_env_get_optimum(env, w, &o);
  if (!status) status = parl_env_get_family(env, w, family, sizeof family);
  if (status != PARL_STATUS_ESCRIPT) print_error("edit: %s: %s\n", to, parl_error_text());
  assert_int_equal(status, PARL_STATUS_ESCRIPT);
  assert_contains(parl_error_text(), text);
  assert_contains(parl_error_text(), "script.lua:");
  /* The environment lives on: a breach leaves nothing on the stack. */
  if (w >= 0) parl_env_release(env, w);
  parl_env_destroy(env);
}

static void results_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
      {"return {tok.row[row], tok.word.ok}", "return {tok.row[row], 999}", "look: token 2 is 999"},
      {"return {tok.row[row], tok.word.ok}", "return {-1}", "look: token 1 is -1"},
      {"return {tok.row[row], tok.word.ok}", "return {1.5}", "look: token 1 is 1.5"},
      {"return {tok.row[row], tok.word.ok}", "return {'x'}", "look: token 1 is a string"},
      {"return {tok.row[row], tok.word.ok}", "return {1, nil, 3}", "look: token 2 is a nil"},
      {"return {tok.row[row], tok.word.ok}", "return 3",
       "must return a list of tokens, not number"},
      {"return {tok.row[row], tok.word.ok}", "return", "must return a list of tokens, not nil"},
      {"return {tok.row[row], tok.word.ok}", "local t = {} for i = 1, 17 do t[i] = 1 end return t",
       "returned 17 tokens; at most 16"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.rwo[row]}",
       "did you mean 'parl.tok.row'"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.row[9]}",
       "parl.tok.row[9] does not exist"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.word.okay}", "parl.tok.word.okay"},
      {"return {tok.row[row], tok.word.ok}", "return {agent.stat}", "did you mean 'agent.state'"},
      {"return {n = params.n,", "return 1, {", "reset must return a table, not number"},
      {"return {n = params.n,", "return {n = params.m,", "did you mean"},
      {"return {n = params.n,", "return {n = print,", "world.n is a function"},
      {"return {n = params.n,", "return {n = rng,", "world.n is a userdata"},
      {"return {n = params.n,", "return {n = {{[{}] = 1}},", "world.n[1] has a key"},
      {"return 0.5, {success", "return 1.5, {success", "r_perf is 1.5, outside 0 to 1"},
      {"return 0.5, {success", "return 0/0, {success", "outside 0 to 1"},
      {"return 0.5, {success", "return '1', {success", "r_perf must be a number, not string"},
      {"success = 0,", "", "success=0 or success=1"},
      {"success = 0,", "success = 0.5,", "success=0 or success=1"},
      {"extra = 2", "extra = 1/0", "detail 'extra'"},
      {"extra = 2", "extra = {}", "detail 'extra'"},
      {"return 0.5, {success = 0, extra = 2}", "return 0.5", "must return r_perf and {success"},
      {"critical = 3", "critical = 3.5", "wrong: critical"},
      {"critical = 3", "critcal = 3", "wrong: critcal"},
      {"critical = 3", "critical = -1", "wrong: critical"},
      {"critical = 3, ", "", "optimum: must return"},
      {"r_perf = 1,", "r_perf = 2,", "wrong: r_perf"},
      {"return {{'look', 1}}", "return {}", "list of 1 to 4 calls"},
      {"return {{'look', 1}}", "return {{'lok', 1}}", "did you mean 'look'"},
      {"return {{'look', 1}}", "return {{'look'}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'look', 1, 2}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'look', 9}}", "family 'row' has values 1 to 8"},
      {"return {{'look', 1}}", "return {{'look', 1.5}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'many', 1, 1}}", "arguments of many do not fit"},
      {"return {{'look', 1}}", "return {{'many', {1, 2, 3, 4}, 1}}", "has 4 values; 1 to 3"},
      {"return {{'look', 1}}", "return {{'assign_task', 0, {1}}}", "name is a number, 1 to 8"},
      {"return {{'look', 1}}", "return {{'create_subagent', 1, 'bos'}}", "one of `roles`"},
      {"return {{'look', 1}}", "return {1}", "must be a list such as"},
      {"  expert =", "  family = function() return 7 end,\n  expert =",
       "family: must return a name"},
      {"  expert =", "  family = function() return 'a b' end,\n  expert =", "family: must return"},
      {"  expert =", "  legal = function() return 3 end,\n  expert =", "legal: must return a list"},
      {"  expert =", "  legal = function() return {9} end,\n  expert =", "legal: item 1 is no"},
      {"  expert =", "  legal = function() return {'a'} end,\n  expert =", "legal: item 1 is no"},
      {"  expert =", "  legal = function(w, a, t, s, k) k[1] = 1 end,\n  expert =", "read-only"},
      {"  expert =", "  legal = function(w, a) a.rng:int(1, 2) end,\n  expert =", "no chance here"},
      {"return 0.5, {success", "main.rng:uniform() return 0.5, {success", "no chance here"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    check_callback(list[i].from, list[i].to, list[i].text);
}

static void calls_are_checked(void **state) {
  (void)state;
  parl_env *env = make_toy("a toy", "a toy");
  parl_world w;
  parl_agent m, s;
  int32_t tokens[16];
  size_t n;
  parl_call calls[2];
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_fails(call(env, w, m, "look", 9, tokens, &n), PARL_STATUS_EINVAL,
               "look: argument 1 is 9; family 'row' has values 1 to 8");
  assert_fails(call(env, w, m, "look", -1, tokens, &n), PARL_STATUS_EINVAL, "argument 1 is -1");
  assert_fails(call(env, w, m, "look", 0, tokens, &n), PARL_STATUS_EINVAL, "has 0 values");
  assert_fails(call(env, w, m, "draw", 1, tokens, &n), PARL_STATUS_EINVAL, "slot 1");
  assert_fails(call(env, w, m, "many", 1, tokens, &n), PARL_STATUS_EINVAL, "argument 2 has 0");
  assert_status(call(env, w + 1, m, "look", 1, tokens, &n), PARL_STATUS_EINVAL);
  assert_status(call(env, w, m + 1, "look", 1, tokens, &n), PARL_STATUS_EINVAL);
  assert_status(call(env, -1, m, "look", 1, tokens, &n), PARL_STATUS_EINVAL);
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {9}};
  assert_fails(parl_env_brief(env, w, &task, 0, 1, &s, tokens, 16, &n), PARL_STATUS_EINVAL,
               "assign_task: argument 1 is 9");
  assert_status(parl_env_brief(env, w, &task, 2, 1, &s, tokens, 16, &n), PARL_STATUS_EINVAL);
  assert_fails(parl_env_expert(env, w, m, "onl", calls, 2, &n), PARL_STATUS_EINVAL,
               "did you mean 'only'");
  parl_env_destroy(env);
}

/* A callback that would pass something on gets an error instead. */
static void worlds_and_agents_are_isolated(void **state) {
  (void)state;
  static const refusal list[] = {
      {"return {tok.row[row], tok.word.ok}", "world.n = 2", "cannot set 'n': world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "world.list[3][1] = 2", "world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "world.new = 2", "world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "table.insert(world.list, 2)", "world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "table.sort(world.list[3])", "world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "agent.rng:shuffle(world.list)", "world is read-only"},
      {"return {tok.row[row], tok.word.ok}", "agent.seen = 1", "agent is read-only"},
      {"return {tok.row[row], tok.word.ok}", "agent.state = {}", "agent is read-only"},
      {"return {tok.row[row], tok.word.ok}", "list[1] = 7", "script's data is read-only"},
      {"return {tok.row[row], tok.word.ok}", "list[3].x = 7", "script's data is read-only"},
      {"return {tok.row[row], tok.word.ok}", "tok.row[1] = 7", "parl.tok is read-only"},
      {"return {tok.row[row], tok.word.ok}", "shared = 7", "globals is read-only"},
      {"return {tok.row[row], tok.word.ok}", "agent.rng.int = 7", "index"},
      {"return {n = params.n,", "params.n = 3 return {n = params.n,", "params is read-only"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    check_callback(list[i].from, list[i].to, list[i].text);
}

static void a_variable_that_survives_is_found(void **state) {
  (void)state;
  static const char *const edits[] = {"counter = counter + 1 return {1}", "list = {1} return {1}",
                                      "tok = parl.tok counter = nil return {1}",
                                      "look = nil return {1}"};
  for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
    parl_env *env = make_toy("return {tok.row[row], tok.word.ok}", edits[i]);
    parl_world w;
    parl_agent m;
    int32_t tokens[16];
    size_t n;
    assert_ok(parl_env_reset(env, 1, 2, &w, &m));
    assert_ok(call(env, w, m, "look", 1, tokens, &n));
    assert_fails(parl_env_reset(env, 1, 2, &w, &m), PARL_STATUS_ESCRIPT, "of the function at");
    assert_contains(parl_error_text(), "script.lua:3 was changed by a callback");
    parl_env_destroy(env);
  }
}

/* reset's stream must not be kept for later. */
static void the_stream_of_reset_ends(void **state) {
  (void)state;
  parl_env *env = make_toy("return {n = params.n,", "counter = rng return {n = params.n,");
  parl_world w;
  parl_agent m;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_status(parl_env_reset(env, 1, 2, &w, &m), PARL_STATUS_ESCRIPT);
  parl_env_destroy(env);
}

static void frozen_worlds_read_like_tables(void **state) {
  (void)state;
  parl_env *env =
      make_toy("return {tok.row[row], tok.word.ok}",
               "assert(#world.list == 3 and world.list[2] == 2 and world.list[3][1] == 3) "
               "local keys = '' for k in pairs(world) do keys = keys .. k .. ' ' end "
               "assert(keys == 'list n x ', keys) local n = 0 for i, v in ipairs(world.list) do n "
               "= n + i end "
               "assert(n == 6) assert(select('#', table.unpack(world.list)) == 3) "
               "assert(table.concat(world.list[3], ',') == '3') assert(world.nothing == nil) "
               "assert(type(world) == 'table' and tostring(world) == 'table') "
               "assert(world.list == world.list and #list == 3 and list[3][1] == 3) "
               "assert(agent.id == 0 and agent.main and agent.role == 'orchestrator') "
               "assert(#parl.VERSION > 0) return world.list[3]");
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 1, tokens, &n));
  assert_int_equal(n, 1);
  assert_int_equal(tokens[0], 3);
  parl_env_destroy(env);
}

static void shared_tables_and_cycles_stay(void **state) {
  (void)state;
  parl_env *env = make_toy("return {n = params.n,",
                           "local a = {} a.self = a local b = {7} return {a = a, b1 = b, b2 = b, "
                           "n = params.n,");
  char *code = NULL;
  parl_world w;
  parl_agent m;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  parl_env_destroy(env);
  code = edit(TOY, "return {n = params.n,",
              "local a = {} a.self = a local b = {7} return {a = a, b1 = b, b2 = b, n = params.n,");
  char *both = edit(code, "return {tok.row[row], tok.word.ok}",
                    "assert(world.a.self == world.a and world.b1 == world.b2) return {1}");
  assert_ok(make_env(both, NULL, NULL, &env));
  int32_t tokens[16];
  size_t n;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 1, tokens, &n));
  parl_env_destroy(env);
  free(code);
  free(both);
}

/* --- chance --- */

static void draw(parl_env *env, parl_world w, parl_agent a, int32_t *out) {
  int32_t tokens[16];
  size_t n;
  assert_ok(call(env, w, a, "draw", 0, tokens, &n));
  *out = tokens[0];
}

/* Draws of `n_worlds` worlds and a sub-agent in each, world by world or interleaved. */
static void collect(parl_env *env, bool interleaved, int32_t out[8][2][20]) {
  enum { W = 8, D = 20 };
  parl_world w[W];
  parl_agent agents[W][2];
  int32_t tokens[16];
  size_t n;
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
  if (interleaved) {
    for (int i = W - 1; i >= 0; i--) {
      assert_ok(parl_env_reset(env, 5, (uint64_t)i, &w[i], &agents[i][0]));
      assert_ok(parl_env_brief(env, w[i], &task, 0, 3, &agents[i][1], tokens, 16, &n));
    }
    for (int d = 0; d < D; d++)
      for (int a = 1; a >= 0; a--)
        for (int i = 0; i < W; i++) draw(env, w[i], agents[i][a], &out[i][a][d]);
    for (int i = 0; i < W; i++) parl_env_release(env, w[i]);
    return;
  }
  for (int i = 0; i < W; i++) {
    assert_ok(parl_env_reset(env, 5, (uint64_t)i, &w[i], &agents[i][0]));
    for (int a = 0; a < 2; a++) {
      if (a == 1) assert_ok(parl_env_brief(env, w[i], &task, 0, 3, &agents[i][1], tokens, 16, &n));
      for (int d = 0; d < D; d++) draw(env, w[i], agents[i][a], &out[i][a][d]);
    }
    parl_env_release(env, w[i]);
  }
}

static void chance_does_not_depend_on_order(void **state) {
  (void)state;
  static int32_t one[8][2][20], two[8][2][20];
  parl_env *env = make_toy("a toy", "a toy"), *other = make_toy("a toy", "a toy");
  collect(env, false, one);
  collect(other, true, two);
  assert_memory_equal(one, two, sizeof one);
  collect(other, false, two);
  assert_memory_equal(one, two, sizeof one);
  assert_memory_not_equal(one[0][0], one[1][0], sizeof one[0][0]); /* other episode */
  assert_memory_not_equal(one[0][0], one[0][1], sizeof one[0][0]); /* other agent */
  parl_env_destroy(env);
  parl_env_destroy(other);
}

/* Experts draw from a stream of their own: watching one does not change the world's chance. */
static void experts_do_not_disturb_chance(void **state) {
  (void)state;
  parl_env *env = make_toy("return {{'look', 1}}", "return {{'look', agent.rng:int(1, 8)}}");
  parl_world w;
  parl_agent m;
  parl_call calls[2];
  size_t n;
  int32_t plain[20], watched[20];
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  for (int i = 0; i < 20; i++) draw(env, w, m, &plain[i]);
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  for (int i = 0; i < 20; i++) {
    assert_ok(parl_env_expert(env, w, m, "only", calls, 2, &n));
    draw(env, w, m, &watched[i]);
  }
  assert_memory_equal(plain, watched, sizeof plain);
  parl_env_destroy(env);
}

static void rng_methods_do_what_they_say(void **state) {
  (void)state;
  parl_env *env = make_toy(
      "return {n = params.n,",
      "local sum, hits = 0, 0 for i = 1, 2000 do local u = rng:uniform() assert(u >= 0 and u < 1) "
      "local k = rng:int(-3, 3) assert(math.type(k) == 'integer' and k >= -3 and k <= 3) "
      "sum = sum + rng:normal() if rng:chance(0.25) then hits = hits + 1 end end "
      "assert(math.abs(sum / 2000) < 0.1 and math.abs(hits / 2000 - 0.25) < 0.05) "
      "local t = rng:shuffle({1, 2, 3, 4, 5}) table.sort(t) assert(table.concat(t) == '12345') "
      "local p = rng:pick({7, 7}) assert(p == 7) assert(rng:int(5, 5) == 5) "
      "rng:int(math.mininteger, math.maxinteger - 1) "
      "for _, f in ipairs({function() rng:int(2, 1) end, function() rng:chance(2) end, "
      "function() rng:chance(0/0) end, function() rng:pick({}) end, function() rng:int(1.5, 2) "
      "end, "
      "function() rng:unifrom() end, function() rng.int(1, 2) end, function() rng.int() end, "
      "function() rng:int(math.mininteger, math.maxinteger) end}) do assert(not pcall(f)) end "
      "return {n = params.n,");
  parl_world w;
  parl_agent m;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  parl_env_destroy(env);
}

static void worlds_follow_from_the_task_seed_only(void **state) {
  (void)state;
  parl_env *env = make_toy("return {tok.row[row], tok.word.ok}",
                           "return {world.x & 15, world.x >> 4 & 15, world.x >> 8 & 15}");
  int32_t tokens[3][16];
  static const uint64_t seeds[3][2] = {{1, 1}, {1, 2}, {2, 1}};
  for (int i = 0; i < 3; i++) {
    parl_world w;
    parl_agent m;
    size_t n;
    assert_ok(parl_env_reset(env, seeds[i][0], seeds[i][1], &w, &m));
    assert_ok(call(env, w, m, "look", 1, tokens[i], &n));
  }
  assert_memory_equal(tokens[0], tokens[1], 3 * sizeof tokens[0][0]);
  assert_memory_not_equal(tokens[0], tokens[2], 3 * sizeof tokens[0][0]);
  parl_env_destroy(env);
}

/* --- resources --- */

static void play(parl_env *env, uint64_t seed) {
  parl_world w;
  parl_agent m, subs[4];
  int32_t tokens[16];
  size_t n;
  double r, success;
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
  assert_ok(parl_env_reset(env, seed, seed, &w, &m));
  for (int i = 0; i < 4; i++)
    assert_ok(parl_env_brief(env, w, &task, 0, i + 1, &subs[i], tokens, 16, &n));
  for (int i = 0; i < 4; i++) {
    assert_ok(call(env, w, subs[i], "look", 1, tokens, &n));
    if (i < 3) assert_ok(parl_env_deliver(env, w, subs[i], true, tokens, 16, &n));
  }
  assert_ok(parl_env_score(env, w, &r, &success, NULL));
  parl_env_release(env, w); /* with one sub-agent still there */
}

static void memory_returns_after_release(void **state) {
  (void)state;
  parl_env *env = make_toy("a toy", "a toy");
  size_t high = 0;
  for (uint64_t i = 0; i < 200; i++) {
    play(env, i);
    if (parl_env_get_memory(env) > high) high = parl_env_get_memory(env);
  }
  for (uint64_t i = 0; i < 5000; i++) {
    play(env, i);
    assert_in_range(parl_env_get_memory(env), 1, high + high / 4);
  }
  parl_env_destroy(env);
}

static void a_failed_reset_leaves_no_world(void **state) {
  (void)state;
  parl_env *env = make_toy("return {n = params.n,",
                           "if rng:chance(0.5) then error('bad luck') end "
                           "return {n = params.n,");
  int n_bad = 0;
  for (uint64_t i = 0; i < 200; i++) {
    parl_world w = -7;
    parl_agent m = -7;
    if (parl_env_reset(env, i, i, &w, &m) == PARL_STATUS_OK) {
      assert_in_range(w, 0, 15);
      parl_env_release(env, w);
    } else {
      assert_contains(parl_error_text(), "bad luck");
      assert_int_equal(w, -7);
      n_bad++;
    }
  }
  assert_in_range(n_bad, 50, 150);
  parl_env_destroy(env);
}

/* Out of memory at any point of loading and playing: refused, never a crash. */
static void every_memory_cap_is_survived(void **state) {
  (void)state;
  int n_refused = 0, n_played = 0;
  for (size_t cap = 65536; cap < 65536 + 40000; cap += 331) {
    const parl_env_options options = {.memory_bytes = cap};
    parl_env *env = NULL;
    const parl_status status = make_env(TOY, NULL, &options, &env);
    if (status != PARL_STATUS_OK) {
      assert_status(status, PARL_STATUS_ELIMIT);
      n_refused++;
      continue;
    }
    for (uint64_t i = 0; i < 40; i++) { /* worlds pile up until the cap */
      parl_world w;
      parl_agent m;
      const parl_status reset = parl_env_reset(env, i, i, &w, &m);
      if (reset != PARL_STATUS_OK) assert_status(reset, PARL_STATUS_ELIMIT);
    }
    n_played++;
    parl_env_destroy(env);
  }
  assert_true(n_played > 0);
  (void)n_refused;
}

static void runaway_callbacks_are_stopped(void **state) {
  (void)state;
  parl_env *env = make_toy("return {tok.row[row], tok.word.ok}", "while true do end");
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  for (int i = 0; i < 2; i++)
    assert_fails(call(env, w, m, "look", 1, tokens, &n), PARL_STATUS_ELIMIT, "script.lua:4");
  assert_ok(call(env, w, m, "draw", 0, tokens, &n));
  parl_env_destroy(env);
}

static void legal_gets_what_is_taken(void **state) {
  (void)state;
  parl_env *env =
      make_toy("  expert =",
               "  legal = function(world, agent, tool, slot, taken) "
               "if tool == 'assign_task' then assert(slot == 1) local t = {} "
               "for i = 1, #taken do t[i] = taken[i] end return t end return nil end,\n  expert =");
  parl_world w;
  parl_agent m;
  uint8_t allowed[8];
  const int16_t taken[3] = {8, 2, 5};
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_true(parl_env_get_spec(env)->has_legal);
  assert_ok(parl_env_legal(env, w, m, -1, 0, taken, 3, allowed));
  assert_memory_equal(allowed, ((uint8_t[]){0, 1, 0, 0, 1, 0, 0, 1}), 8);
  assert_ok(
      parl_env_legal(env, w, m, -1, 0, taken, 1, allowed)); /* shorter: nothing is left over */
  assert_memory_equal(allowed, ((uint8_t[]){0, 0, 0, 0, 0, 0, 0, 1}), 8);
  assert_ok(parl_env_legal(env, w, m, find_tool(env, "look"), 0, taken, 3, allowed));
  assert_memory_equal(allowed, ((uint8_t[]){1, 1, 1, 1, 1, 1, 1, 1}), 8);
  assert_status(parl_env_legal(env, w, m, -1, 1, NULL, 0, allowed), PARL_STATUS_EINVAL);
  parl_env_destroy(env);
}

static void prints_reach_the_host(void **state) {
  (void)state;
  parl_env *env =
      make_toy("return {n = params.n,", "print('seen', params.n) return {n = params.n,");
  parl_world w;
  parl_agent m;
  parl_text text = {0};
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  parl_env_take_output(env, &text);
  parl_env_take_output(env, &text);
  assert_string_equal(parl_text_get(&text), "seen\t3\n");
  parl_text_deinit(&text);
  parl_env_interrupt(env); /* nothing runs */
  parl_env_destroy(env);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_read),
      cmocka_unit_test(an_episode_runs),
      cmocka_unit_test(declarations_are_checked),
      cmocka_unit_test(files_must_exist_and_declare),
      cmocka_unit_test(params_are_set_and_checked),
      cmocka_unit_test(limits_may_follow_from_params),
      cmocka_unit_test(results_are_checked),
      cmocka_unit_test(calls_are_checked),
      cmocka_unit_test(worlds_and_agents_are_isolated),
      cmocka_unit_test(a_variable_that_survives_is_found),
      cmocka_unit_test(the_stream_of_reset_ends),
      cmocka_unit_test(frozen_worlds_read_like_tables),
      cmocka_unit_test(shared_tables_and_cycles_stay),
      cmocka_unit_test(chance_does_not_depend_on_order),
      cmocka_unit_test(experts_do_not_disturb_chance),
      cmocka_unit_test(rng_methods_do_what_they_say),
      cmocka_unit_test(worlds_follow_from_the_task_seed_only),
      cmocka_unit_test(memory_returns_after_release),
      cmocka_unit_test(a_failed_reset_leaves_no_world),
      cmocka_unit_test(every_memory_cap_is_survived),
      cmocka_unit_test(runaway_callbacks_are_stopped),
      cmocka_unit_test(legal_gets_what_is_taken),
      cmocka_unit_test(prints_reach_the_host),
  };
  return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
