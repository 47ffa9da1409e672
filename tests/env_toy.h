/* tests/env_toy.h - a small environment whose tests edit one place each. */
#ifndef PARL_TESTS_ENV_TOY_H
#define PARL_TESTS_ENV_TOY_H
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

static inline parl_env *make_toy(const char *from, const char *to) {
  char *code = edit(TOY, from, to);
  parl_env *env = NULL;
  const parl_env_options options = {.callback_s = 0.5};
  assert_ok(make_env(code, NULL, &options, &env));
  free(code);
  return env;
}

static inline int find_tool(const parl_env *env, const char *name) {
  const parl_env_spec *spec = parl_env_get_spec(env);
  for (int i = 0; i < spec->n_tools; i++)
    if (strcmp(spec->tools[i].name, name) == 0) return i;
  fail_msg("no tool %s", name);
  return -1;
}

static inline parl_status call(parl_env *env, parl_world w, parl_agent a, const char *tool,
                               int value, int32_t *tokens, size_t *n) {
  parl_call c = {.kind = PARL_CALL_TOOL, .tool = find_tool(env, tool)};
  if (value != 0) {
    c.n_values = 1;
    c.values[0] = (int16_t)value;
  }
  return parl_env_call(env, w, a, &c, tokens, 16, n);
}

/* Runs the callback that the edit broke; its failure has the text and the place. */
static inline void check_callback(const char *from, const char *to, const char *text) {
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
  if (!status)
    status = parl_env_legal(env, w, m, find_tool(env, "look"), 0, NULL, NULL, 0, allowed);
  if (!status) status = call(env, w, m, "look", 2, tokens, &n);
  if (!status) status = parl_env_brief(env, w, &task, 0, 1, &s, tokens, 16, &n);
  if (!status) status = parl_env_expert(env, w, m, "only", calls, 4, &n);
  if (!status) status = parl_env_deliver(env, w, s, false, tokens, 16, &n);
  parl_text details = {0};
  if (!status) status = parl_env_score(env, w, &r, &success, &details);
  parl_text_deinit(&details);
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

#endif
