/* tests/test_env_legal.c - what `legal` sees of a call that is being written, and what is said of
 * arguments that do not fit. */
#include "lua/grammar.h"
#include "tests/env_toy.h"

/* What `legal` is told of the arguments before: the list of a `+`, and nothing once it is over. */
static void legal_sees_earlier_arguments(void **state) {
  (void)state;
  char *code = edit(TOY, "  prompt = ",
                    "  legal = function(world, agent, tool, slot, taken, given)\n"
                    "    agent.state.given = given\n"
                    "    if slot == 1 then assert(#given == 0) return {1, 2, 3} end\n"
                    "    assert(slot == 2 and #given == 1 and #given[1] > 0)\n"
                    "    agent.state.rows = given[1]\n"
                    "    return {given[1][#given[1]] == 3 and 2 or 1} end,\n  prompt = ");
  char *shown = edit(code, "{tok.row[row], tok.word.ok}",
                     "{tok.row[1 + #agent.state.given + #agent.state.rows]}");
  parl_env *env = NULL;
  assert_ok(make_env(shown, NULL, NULL, &env));
  const parl_env_spec *spec = parl_env_get_spec(env);
  const int row = spec->families[0].first_token, word = spec->families[1].first_token;
  parl_world w;
  parl_agent m;
  assert_ok(parl_env_reset(env, 1, 1, &w, &m));
  uint16_t turn[PARL_TURN_MAX_WORDS];
  parl_grammar g;
  const parl_grammar_def def = {.use_legal = true, .may_launch = true, .max_direct = 4};
  parl_grammar_init(&g, env, w, m, true, &def, turn, PARL_TURN_MAX_WORDS);
  static const int rows[] = {3, 1, 3}; /* the same question, but for what was given */
  for (size_t i = 0; i < 3; i++) {
    uint64_t mask[PARL_MASK_MAX_WORDS];
    size_t n;
    bool done;
    assert_ok(parl_grammar_feed(&g, spec->tools[find_tool(env, "many")].token, &done));
    assert_ok(parl_grammar_feed(&g, row + rows[i] - 1, &done));
    assert_ok(parl_grammar_get_mask(&g, mask, &n));
    const int due = word + (rows[i] == 3), other = word + (rows[i] != 3);
    assert_true(mask[due / 64] >> (due % 64) & 1);
    assert_false(mask[other / 64] >> (other % 64) & 1);
    assert_ok(parl_grammar_feed(&g, due, &done));
  }
  int32_t tokens[16];
  size_t n;
  assert_ok(call(env, w, m, "look", 1, tokens, &n));
  assert_int_equal(tokens[0], row); /* both lists are empty by now */
  parl_env_destroy(env);
  free(shown);
  free(code);
}

/* What an expert returned, and what was due. */
static void arguments_that_do_not_fit_are_shown(void **state) {
  (void)state;
  static const refusal list[] = {
      {"return {{'look', 1}}", "return {{'assign_task', 1}}",
       "due are row+ (integers of the "
       "families); given are nothing"},
      {"return {{'look', 1}}", "return {{'assign_task', 1, {1, 'x', 2}, 7}}",
       "given are {1, a string, 2}, 7"},
      {"return {{'look', 1}}", "return {{'assign_task', 1, {1.5}}}", "given are {1.5}"},
      {"return {{'look', 1}}", "return {{'many', 3, {{}}}}",
       "of many do not fit its `args`: due are row+, word (integers of the families); given are 3, "
       "{a table}"},
      {"return {{'look', 1}}", "return 'launch', 1, {{1}, {0/0}}", "given are {nan}"},
      {"return {{'look', 1}}", "return {{'look\\0x', 1}}", "unknown tool ''"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    check_callback(list[i].from, list[i].to, list[i].text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(legal_sees_earlier_arguments),
      cmocka_unit_test(arguments_that_do_not_fit_are_shown),
  };
  return cmocka_run_group_tests_name("env_legal", tests, NULL, NULL);
}
