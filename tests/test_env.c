/* tests/test_env.c - the environment contract: what is read and what is refused. */
#include "tests/env_toy.h"

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
  assert_ok(parl_env_legal(env, w, m, -1, 0, NULL, NULL, 0, allowed));
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
      {"name = 'toy'", "name = 'to y'", "name: 'to y' is no name: 1 to 40 letters"},
      {"name = 'toy'", "name = 'toy\\0x'", "name: 'toy\\x00x' is no name"},
      {"name = 'toy'", "name = 'to\\ny'", "name: 'to\\x0ay' is no name"},
      {"name = 'toy'", "name = 'to\\xffy'", "name: 'to\\xffy' is no name"},
      {"summary = 'a toy'", "summary = 'a\\ntoy'", "summary: byte 2 is 10, a control character"},
      {"summary = 'a toy'", "summary = ('x'):rep(2000)", "summary: 2000 bytes; at most 1000"},
      {"doc = 'rows'", "doc = 'ro\\27[2Jws'", "params.n: byte 3 is 27"},
      {"doc = 'looks'", "doc = ('x'):rep(1 << 24)", "tools.look: 16777216 bytes"},
      {"roles = {'worker'", "roles = {'wor\\0ker'", "roles[1]: 'wor\\x00ker' is no name"},
      {"families = {row = 8", "families = {['ro\\xc3w'] = 8", "families: 'ro\\xc3w' is no name"},
      {"word = {'ok'", "word = {'o\\tk'", "families.word[1]: 'o\\x09k' is no name"},
      {"tools = {look", "tools = {['lo\\0ok']", "tools: 'lo\\x00ok' is no name"},
      {"styles = {'only'", "styles = {('x'):rep(60)", "styles[1]: 'xxxx"},
      {"styles = {'only'", "styles = {7", "styles[1]: a number where a name is due"},
      {"choice = {'easy'", "choice = {'ea sy'", "params.mode.choice[1]: 'ea sy' is no name"},
      {"reset = function", "['re\\1set'] = function", "unknown field 're\\x01set' (did you mean"},
      {"summary = 'a toy'", "sumary = 'a toy'", "did you mean 'summary'"},
      {"prompt = function", "promt = function", "did you mean 'prompt'"},
      {"  prompt = function(world) return {tok.row[world.n]} end,\n", "", "prompt: must be a fun"},
      {"  expert = function(world, agent, style) return {{'look', 1}} end,\n", "",
       "styles and expert come together"},
      {"  styles = {'only'},\n", "", "styles and expert come together"},
      {"  styles = {'only'},\n", "  styles = {'only', 'only'},\n", "listed twice"},
      {"roles = {'worker', 'boss'}", "roles = {}", "roles: at least one"},
      {"roles = {'worker', 'boss'}", "roles = {'worker', 7}", "roles[2]: "},
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

/* ready sets variables once tokens are known; limits may use them, and nothing sets them later. */
static void ready_sets_variables(void **state) {
  (void)state;
  char *code = edit(TOY, "local counter,", "local ok, room\nlocal counter,");
  char *made = edit(code, "  limits = {context = 64,",
                    "  ready = function() ok, room = tok.word.ok, 48 end,\n"
                    "  limits = function() return {context = room,");
  char *closed = edit(made, "max_turns = 20}", "max_turns = 20} end");
  char *used = edit(closed, "return {tok.row[row], tok.word.ok}", "return ok");
  parl_env *env = NULL;
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n = 0;
  assert_ok(make_env(used, NULL, NULL, &env));
  assert_int_equal(parl_env_get_spec(env)->limits.context, 48);
  for (int i = 0; i < 2; i++) {
    assert_ok(parl_env_reset(env, 1, 2, &w, &m));
    assert_ok(call(env, w, m, "look", 5, tokens, &n));
    assert_string_equal(parl_env_token_name(env, tokens[0]), "word:ok");
  }
  parl_env_destroy(env);
  char *late = edit(closed, "return {tok.row[row], tok.word.ok}", "room = 1 return ok");
  assert_ok(make_env(late, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 5, tokens, &n));
  assert_fails(parl_env_reset(env, 1, 2, &w, &m), PARL_STATUS_ESCRIPT, "variable 'room'");
  parl_env_destroy(env);
  char *wrong = edit(closed, "tok.word.ok, 48", "tok.word.oh, 48");
  assert_fails(make_env(wrong, NULL, NULL, &env), PARL_STATUS_ESCRIPT, "did you mean");
  free(code);
  free(made);
  free(closed);
  free(used);
  free(late);
  free(wrong);
}

static void check_callbacks(const refusal *list, size_t n) {
  for (size_t i = 0; i < n; i++) check_callback(list[i].from, list[i].to, list[i].text);
}

static void observations_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
      {"return {tok.row[row], tok.word.ok}", "return {tok.row[row], 999}", "look: token 2 is 999"},
      {"return {tok.row[row], tok.word.ok}", "return {-1}", "look: token 1 is -1"},
      {"return {tok.row[row], tok.word.ok}", "return {1.5}", "look: token 1 is 1.5"},
      {"return {tok.row[row], tok.word.ok}", "return {'x'}", "look: token 1 is a string"},
      {"return {tok.row[row], tok.word.ok}", "return {1, nil, 3}", "look: token 2 is a nil"},
      {"return {tok.row[row], tok.word.ok}", "return true",
       "must return a list of tokens, not boolean"},
      {"return {tok.row[row], tok.word.ok}", "return 3",
       "must return a list of tokens, not number"},
      {"return {tok.row[row], tok.word.ok}", "return tok.row[row], 3", "look: token 2 is 3"},
      {"return {tok.row[row], tok.word.ok}", "return 999", "look: token 1 is 999"},
      {"return {tok.row[row], tok.word.ok}", "return tok.row[row], 1.5", "look: token 2 is 1.5"},
      {"return {tok.row[row], tok.word.ok}", "return tok.row[row], nil", "look: token 2 is a nil"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.row[row]}, tok.word.ok",
       "look: token 1 is a table"},
      {"return {tok.row[row], tok.word.ok}", "return", "must return a list of tokens, not nil"},
      {"return {tok.row[row], tok.word.ok}", "local t = {} for i = 1, 17 do t[i] = 1 end return t",
       "returned 17 tokens; at most 16"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.rwo[row]}",
       "did you mean 'parl.tok.row'"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.row[9]}",
       "parl.tok.row[9] does not exist"},
      {"return {tok.row[row], tok.word.ok}", "return {tok.word.okay}", "parl.tok.word.okay"},
      {"return {tok.row[row], tok.word.ok}", "return {agent.stat}", "did you mean 'agent.state'"},
  };
  check_callbacks(list, sizeof list / sizeof list[0]);
}

static void worlds_and_scores_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
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
      {"return 0.5, {success = 0, extra = 2}", "return 0.5, 2", "success=0 or success=1"},
      {"  expert =", "  details = function() return 1 end,\n  expert =", "details: must return a"},
      {"  expert =", "  details = function() return {a = {}} end,\n  expert =", "detail 'a'"},
      {"  expert =", "  details = function() return {extra = 1} end,\n  expert =",
       "'extra' is a name of score's already"},
      {"return 0.5, {success = 0, extra = 2}", "return 0.5", "must return r_perf and {success"},
  };
  check_callbacks(list, sizeof list / sizeof list[0]);
}

static void optima_and_plans_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
      {"critical = 3", "critical = 3.5", "critical is"},
      {"critical = 3", "critcal = 3", "did you mean 'critical'?"},
      {"critical = 3", "critical = -1", "critical is"},
      {"critical = 3", "critical = math.maxinteger", "optimum: critical is 9223372036854775807; "},
      {"critical = 3", "critical = (1 << 40) + 1", "at most 1099511627776"},
      {"serial = 5", "serial = math.maxinteger", "optimum: serial is 9223372036854775807; "},
      {"serial = 5", "serial = 1e300", "serial is 1.0000000000000001e+300"},
      {"serial = 5", "serial = -1", "serial is -1"},
      {"r_perf = 1,", "r_perf = 0/0,", "r_perf is nan;"},
      {"bound = false", "bound = 1", "bound is 1; true or false"},
      {"critical = 3, ", "", "optimum: must return"},
      {"critical = 3", "critical = 3, is = 'best'", "is = 'best'; \"exact\""},
      {"critical = 3", "critical = 3, is = 1", "is = 'number'"},
      {"critical = 3", "critical = 3, is = ''", "is = ''"},
      {"bound = false", "is = 'exact', bound = true", "contradict each other"},
      {"bound = false", "is = 'bound', bound = false", "contradict each other"},
      {"bound = false", "bound = 1", "bound is 1; true or false"},
      {"critical = 3", "critical = 3, width = 5", "width is 5; an integer from 0 to"},
      {"critical = 3", "critical = 3, width = -1", "width is -1"},
      {"critical = 3", "critical = 3, width = 1.5", "width is 1.5"},
      {"r_perf = 1,", "r_perf = 2,", "r_perf is 2;"},
      {"return {{'look', 1}}", "return {}", "list of 1 to 4 calls"},
      {"return {{'look', 1}}", "return {{'lok', 1}}", "did you mean 'look'"},
      {"return {{'look', 1}}", "return {{'look'}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'look', 1, 2}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'look', 9}}", "family 'row' has values 1 to 8"},
      {"return {{'look', 1}}", "return {{'look', 1.5}}", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return {{'many', 'x', 1}}", "arguments of many do not fit"},
      {"return {{'look', 1}}", "return {{'many', {1, 2, 3, 4}, 1}}", "has 4 values; 1 to 3"},
      {"return {{'look', 1}}", "return {{'assign_task', 0, {1}}}", "name is a number, 1 to 8"},
      {"return {{'look', 1}}", "return {{'create_subagent', 1, 'bos'}}", "one of `roles`"},
      {"return {{'look', 1}}", "return {1}", "must be a list such as"},
      {"return {{'look', 1}}", "return 'lok', 1", "did you mean 'look'"},
      {"return {{'look', 1}}", "return 'look'", "arguments of look do not fit"},
      {"return {{'look', 1}}", "return 'look', 9", "family 'row' has values 1 to 8"},
      {"return {{'look', 1}}", "return 'assign_task', 0, {1}", "name is a number, 1 to 8"},
      {"return {{'look', 1}}", "return 'launch', 0, {1}", "launch takes an agent's name"},
      {"return {{'look', 1}}", "return 'launch', 1, 2", "launch takes an agent's name"},
      {"return {{'look', 1}}", "return 'launch', 1, {1}, 'x'", "launch takes an agent's name"},
      {"return {{'look', 1}}", "return 'launch', 1, {}", "1 to 4 groups"},
      {"return {{'look', 1}}", "return 'launch', 1, {1}, 0", "1 to 4 groups"},
      {"return {{'look', 1}}", "return 'launch', 1, {1, 1, 1, 1, 1}", "1 to 4 groups"},
      {"return {{'look', 1}}", "return 'launch', 1, {1, 'x'}", "call 2: arguments of launch"},
      {"return {{'look', 1}}", "return 'launch', 1, {9}", "family 'row' has values 1 to 8"},
      {"return {{'look', 1}}", "return {{'launch', 1, {1}}}", "launch is a whole turn"},
  };
  check_callbacks(list, sizeof list / sizeof list[0]);
}

static void families_and_legal_are_checked(void **state) {
  (void)state;
  static const refusal list[] = {
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
  check_callbacks(list, sizeof list / sizeof list[0]);
}

/* A callback that returns values instead of a list of them says the same. */
static void plain_values_are_lists(void **state) {
  (void)state;
  char *code = edit(TOY, "return {tok.row[row], tok.word.ok}", "return tok.row[row], tok.word.ok");
  char *plain = edit(code, "score = function(world, main) return 0.5, {success = 0, extra = 2} end",
                     "score = function(world, main) return 0.5, 1 end,\n"
                     "  details = function(world, main) return {extra = main.id + 2} end");
  char *turns = edit(plain, "return {{'look', 1}}",
                     "local list = {{'look', 4}, {'assign_task', 2, 3}}\n"
                     "    if agent.rng:int(1, 1) == 2 then return list end return 'look', 7");
  parl_env *env = NULL;
  assert_ok(make_env(turns, NULL, NULL, &env));
  const int row = parl_env_get_spec(env)->families[0].first_token;
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n = 0;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 5, tokens, &n));
  assert_int_equal(n, 2);
  assert_int_equal(tokens[0], row + 4);
  double r = -1, success = -1;
  parl_text details = {0};
  assert_ok(parl_env_score(env, w, &r, &success, &details));
  assert_close(success, 1, 0);
  assert_string_equal(parl_text_get(&details), "{\"extra\":2,\"success\":1}");
  parl_text_deinit(&details);
  parl_call calls[2];
  assert_ok(parl_env_expert(env, w, m, "only", calls, 2, &n));
  assert_int_equal(n, 1);
  assert_int_equal(calls[0].kind, PARL_CALL_TOOL);
  assert_int_equal(calls[0].values[0], 7);
  parl_env_destroy(env);
  char *lists = edit(turns, "== 2 then", "== 1 then");
  assert_ok(make_env(lists, NULL, NULL, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(parl_env_expert(env, w, m, "only", calls, 2, &n));
  assert_int_equal(n, 2);
  assert_int_equal(calls[0].values[0], 4);
  assert_int_equal(calls[1].kind, PARL_CALL_ASSIGN);
  assert_int_equal(calls[1].agent_name, 1);
  assert_int_equal(calls[1].n_values, 1); /* a number for a list of one */
  assert_int_equal(calls[1].values[0], 3);
  parl_env_destroy(env);
  free(code);
  free(plain);
  free(turns);
  free(lists);
}

/* "launch", name, groups, n is what parl.launch(groups, n, name) writes out. */
static void a_launch_is_its_calls(void **state) {
  (void)state;
  static const char *const forms[] = {"return 'launch', 2, {7, {1, 4}, {3}, 5}, 3",
                                      "return parl.launch({7, {1, 4}, {3}, 5}, 3, 2)",
                                      "return 'launch', 2, {7, {1, 4}, {3}}",
                                      "return 'launch', 2, agent.state.all or {7, {1, 4}, {3}}, 9"};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    parl_env *env = make_toy("return {{'look', 1}}", forms[i]);
    parl_world w;
    parl_agent m;
    parl_call calls[4] = {{.n_values = 99}};
    size_t n = 0;
    assert_ok(parl_env_reset(env, 1, 2, &w, &m));
    assert_ok(parl_env_expert(env, w, m, "only", calls, 4, &n));
    assert_int_equal(n, 3);
    for (size_t k = 0; k < 3; k++) {
      assert_int_equal(calls[k].kind, PARL_CALL_ASSIGN);
      assert_int_equal(calls[k].agent_name, 1);
      assert_int_equal(calls[k].n_values, k == 1 ? 2 : 1);
      assert_int_equal(calls[k].slot[0], 0);
    }
    assert_int_equal(calls[0].values[0], 7);
    assert_int_equal(calls[1].values[1], 4);
    assert_int_equal(calls[2].values[0], 3);
    parl_env_destroy(env);
  }
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

static void legal_gets_what_is_taken(void **state) {
  (void)state;
  parl_env *env =
      make_toy("  expert =",
               "  legal = function(world, agent, tool, slot, taken) "
               "if tool == 'assign_task' then assert(slot == 1) local t = {} "
               "for i in pairs(taken) do t[i] = 0 end assert(#t == #taken) "
               "for i = 1, #taken do t[i] = taken[i] end return t end return nil end,\n  expert =");
  parl_world w;
  parl_agent m;
  uint8_t allowed[8];
  const int16_t taken[3] = {8, 2, 5};
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_true(parl_env_get_spec(env)->has_legal);
  assert_ok(parl_env_legal(env, w, m, -1, 0, NULL, taken, 3, allowed));
  assert_memory_equal(allowed, ((uint8_t[]){0, 1, 0, 0, 1, 0, 0, 1}), 8);
  assert_ok(parl_env_legal(env, w, m, -1, 0, NULL, taken, 1,
                           allowed)); /* shorter: nothing is left over */
  assert_memory_equal(allowed, ((uint8_t[]){0, 0, 0, 0, 0, 0, 0, 1}), 8);
  assert_ok(parl_env_legal(env, w, m, find_tool(env, "look"), 0, NULL, taken, 3, allowed));
  assert_memory_equal(allowed, ((uint8_t[]){1, 1, 1, 1, 1, 1, 1, 1}), 8);
  assert_status(parl_env_legal(env, w, m, -1, 1, NULL, NULL, 0, allowed), PARL_STATUS_EINVAL);
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
      cmocka_unit_test(ready_sets_variables),
      cmocka_unit_test(observations_are_checked),
      cmocka_unit_test(worlds_and_scores_are_checked),
      cmocka_unit_test(optima_and_plans_are_checked),
      cmocka_unit_test(families_and_legal_are_checked),
      cmocka_unit_test(plain_values_are_lists),
      cmocka_unit_test(a_launch_is_its_calls),
      cmocka_unit_test(calls_are_checked),
      cmocka_unit_test(legal_gets_what_is_taken),
      cmocka_unit_test(prints_reach_the_host),
  };
  return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
