/* tests/test_env_isolation.c - environments: what cannot leak, what repeats, what is given back. */
#include "tests/env_toy.h"

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

/* The sorted keys of a frozen table are kept: every walk finds them all, one inside another too. */
static void frozen_tables_are_walked_again(void **state) {
  (void)state;
  parl_env *env =
      make_toy("return {tok.row[row], tok.word.ok}",
               "local seen = {} for _, t in ipairs({world, list, tok.word}) do local n = 0 "
               "for round = 1, 3 do local keys = '' for k in pairs(t) do "
               "for j in pairs(t) do if j == k then keys = keys .. k .. ' ' break end end end "
               "assert(round == 1 or keys == seen[#seen]) if round == 1 then seen[#seen + 1] = "
               "keys end end end "
               "assert(table.concat(seen, '|') == 'list n x |1 2 3 |1 2 no ok ', "
               "table.concat(seen, '|')) return {tok.row[row]}");
  int32_t tokens[16];
  size_t n;
  for (uint64_t seed = 1; seed <= 3; seed++) {
    parl_world w;
    parl_agent m;
    assert_ok(parl_env_reset(env, seed, 2, &w, &m));
    for (int k = 0; k < 3; k++) assert_ok(call(env, w, m, "look", 1, tokens, &n));
    parl_env_release(env, w);
  }
  parl_env_destroy(env);
}

/* Of a tool that walks a frozen table of 60 keys over and over; *is_same: a second call takes as
 * many instructions as the first. */
static parl_status walk(int64_t instructions, bool *is_same) {
  char *code = edit(TOY, "local counter, list = 0, {1, 2, {3}}",
                    "local list = {} for i = 1, 60 do list[i] = i end local counter = 0");
  char *both = edit(code, "return {tok.row[row], tok.word.ok}",
                    "for i = 1, 100 do for k in pairs(list) do break end end return {tok.row[1]}");
  const parl_env_options options = {.callback_s = 5, .instructions = instructions};
  parl_env *env = NULL;
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n;
  assert_ok(make_env(both, NULL, &options, &env));
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  const parl_status first = call(env, w, m, "look", 1, tokens, &n);
  *is_same = call(env, w, m, "look", 1, tokens, &n) == first;
  parl_env_destroy(env);
  free(both);
  free(code);
  return first;
}

static void kept_keys_cost_as_many_instructions(void **state) {
  (void)state;
  int64_t too_few = 20000, enough = 1000000;
  bool is_same;
  assert_status(walk(too_few, &is_same), PARL_STATUS_ELIMIT);
  assert_true(is_same);
  assert_ok(walk(enough, &is_same));
  while (enough - too_few > 1) {
    const int64_t middle = (too_few + enough) / 2;
    if (walk(middle, &is_same) == PARL_STATUS_OK)
      enough = middle;
    else
      too_few = middle;
    assert_true(is_same);
  }
  assert_true(enough > 100 * 60 * 6);
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

/* What a script has kept of a sub-agent that ended does not turn into another one, however many
 * come after it in the same world; in the next world there is nothing of it. */
static void an_ended_agent_stays_itself(void **state) {
  (void)state;
  parl_env *env =
      make_toy("return {finished and tok.word.ok or tok.word.no} end",
               "if not main.state.kept then main.state.kept = sub end\n"
               "    local kept = main.state.kept\n"
               "    assert(kept.id == 1 and kept.role == 'worker' and not kept.main)\n"
               "    assert(sub.id == 1 or kept ~= sub and not kept.state and kept.rng ~= sub.rng)\n"
               "    assert(#sub.state.task == 1) return {tok.word.ok} end");
  const parl_call task = {.kind = PARL_CALL_ASSIGN, .n_values = 1, .values = {1}};
  for (int episode = 0; episode < 3; episode++) {
    parl_world w;
    parl_agent m, s;
    int32_t tokens[16];
    size_t n;
    assert_ok(parl_env_reset(env, 1, 2, &w, &m));
    for (int ordinal = 1; ordinal <= 80; ordinal++) {
      assert_ok(parl_env_brief(env, w, &task, ordinal > 1, ordinal, &s, tokens, 16, &n));
      assert_ok(parl_env_deliver(env, w, s, true, tokens, 16, &n));
      assert_status(call(env, w, s, "look", 1, tokens, &n), PARL_STATUS_EINVAL);
    }
    parl_env_release(env, w);
  }
  parl_env_destroy(env);
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
      "local low, high = 0, 0 for i = 1, 60 do local k = rng:int(math.mininteger, math.maxinteger) "
      "assert(math.type(k) == 'integer') if k < 0 then low = low + 1 else high = high + 1 end end "
      "assert(low > 10 and high > 10) assert(rng:int(math.maxinteger, math.maxinteger) == "
      "math.maxinteger) assert(rng:int(math.mininteger, math.mininteger) == math.mininteger) "
      "for _, f in ipairs({function() rng:int(2, 1) end, function() rng:chance(2) end, "
      "function() rng:chance(0/0) end, function() rng:pick({}) end, function() rng:int(1.5, 2) "
      "end, "
      "function() rng:unifrom() end, function() rng.int(1, 2) end, function() rng.int() end, "
      "function() rng:int(math.maxinteger, math.mininteger) end}) do assert(not pcall(f)) end "
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

/* What keeps a place of its own cannot be reached by a callback. */
static void iterators_of_the_file_are_refused(void **state) {
  (void)state;
  static const char *const lines[] = {
      "local counter = pairs({1, 2, 3})", "local counter = ('a b c'):gmatch('%a')",
      "local counter = {deep = {pairs({1, 2, 3})}}",
      "local kept = pairs({1, 2}) local counter = function() return kept() end",
      "local counter = (function() local inner = ('ab'):gmatch('.') return function() return "
      "inner() end end)()"};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    char *code = edit(TOY, "local counter, list = 0, {1, 2, {3}}", lines[i]);
    char *used = edit(code, "return {tok.row[world.n]}", "local c = counter return {tok.row[1]}");
    parl_env *env = NULL;
    assert_fails(make_env(used, NULL, NULL, &env), PARL_STATUS_ESCRIPT,
                 "is an iterator of pairs or gmatch");
    assert_contains(parl_error_text(), "script.lua");
    free(used);
    free(code);
  }
}

/* The list that `legal` gets says nothing once the call is over, to whoever kept it. */
static void taken_is_not_kept(void **state) {
  (void)state;
  char *code = edit(TOY, "  prompt = ",
                    "  legal = function(world, agent, tool, slot, taken)\n"
                    "    agent.state.taken = taken return taken end,\n  prompt = ");
  char *shown = edit(code, "{tok.row[row], tok.word.ok}",
                     "{tok.row[1 + #(agent.state.taken or "
                     "{})]}");
  parl_env *env = NULL;
  assert_ok(make_env(shown, NULL, NULL, &env));
  const int row = parl_env_get_spec(env)->families[0].first_token;
  parl_world w[2];
  parl_agent m[2];
  uint8_t allowed[8];
  int32_t tokens[16];
  size_t n;
  for (uint64_t i = 0; i < 2; i++) assert_ok(parl_env_reset(env, i, i, &w[i], &m[i]));
  static const int16_t given[] = {3, 5};
  for (size_t i = 0; i < 2; i++) {
    assert_ok(parl_env_legal(env, w[i], m[i], find_tool(env, "look"), 0, NULL, given, 2, allowed));
    for (int k = 0; k < 8; k++) assert_int_equal(allowed[k], k == 2 || k == 4);
  }
  assert_ok(call(env, w[0], m[0], "look", 1, tokens, &n));
  assert_int_equal(tokens[0], row);
  parl_env_destroy(env);
  free(shown);
  free(code);
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

/* Resets of the tasks 7 7 9 9 7 with `share`: what they draw, and whether reset ran. */
static void reset_all(bool share, const char *made) {
  static const uint64_t tasks[] = {7, 7, 9, 9, 7};
  char *code = edit(TOY, "x = rng:int(1, 1000000)", "x = (print('made') or 1) * rng:int(1, 8)");
  char *shown = edit(code, "{tok.row[row], tok.word.ok}", "{tok.row[world.x], tok.row[row]}");
  const parl_env_options options = {.callback_s = 0.5, .share_worlds = share};
  parl_env *env = NULL;
  parl_text said = {0};
  assert_ok(make_env(shown, NULL, &options, &env));
  parl_world w[5];
  parl_agent m[5];
  int32_t tokens[5][16];
  size_t n;
  for (size_t i = 0; i < 5; i++) assert_ok(parl_env_reset(env, tasks[i], i, &w[i], &m[i]));
  parl_env_release(env, w[0]); /* the others keep what they share */
  for (size_t i = 1; i < 5; i++) assert_ok(call(env, w[i], m[i], "look", 1, tokens[i], &n));
  assert_int_equal(tokens[1][0], tokens[4][0]);
  assert_int_equal(tokens[2][0], tokens[3][0]);
  assert_int_not_equal(tokens[1][0], tokens[2][0]);
  parl_env_take_output(env, &said);
  assert_string_equal(parl_text_get(&said), made);
  parl_text_deinit(&said);
  parl_env_destroy(env);
  free(shown);
  free(code);
}

/* How often prompt and optimum run for the tasks 7 7 9 7; what they say is the same. */
static void ask_all(bool share, const char *asked) {
  static const uint64_t tasks[] = {7, 7, 9, 7};
  char *code = edit(TOY, "return {tok.row[world.n]}", "print('p') return {tok.row[world.x]}");
  char *small = edit(code, "rng:int(1, 1000000)", "rng:int(1, 8)");
  char *shown = edit(small, "return {critical = 3", "print('o') return {critical = world.x");
  const parl_env_options options = {.callback_s = 0.5, .share_worlds = share};
  parl_env *env = NULL;
  parl_text said = {0};
  assert_ok(make_env(shown, NULL, &options, &env));
  const int row = parl_env_get_spec(env)->families[0].first_token;
  parl_world w[4];
  parl_agent m;
  int32_t tokens[16];
  size_t n = 0;
  int64_t critical[4];
  parl_env_optimum o;
  for (size_t i = 0; i < 4; i++) {
    assert_ok(parl_env_reset(env, tasks[i], i, &w[i], &m));
    assert_ok(parl_env_prompt(env, w[i], tokens, 16, &n));
    assert_ok(parl_env_get_optimum(env, w[i], &o));
    assert_int_equal(n, 1);
    critical[i] = o.critical_steps;
    assert_int_equal(tokens[0], row - 1 + (int)critical[i]);
  }
  assert_ok(parl_env_get_optimum(env, w[2], &o)); /* another is the last one now */
  assert_int_equal(o.critical_steps, critical[2]);
  assert_fails(parl_env_prompt(env, w[3], tokens, 0, &n), PARL_STATUS_ESCRIPT, "at most 0");
  assert_int_equal(critical[0], critical[1]);
  assert_int_equal(critical[0], critical[3]);
  assert_int_not_equal(critical[0], critical[2]);
  parl_env_take_output(env, &said);
  assert_string_equal(parl_text_get(&said), asked);
  parl_text_deinit(&said);
  parl_env_destroy(env);
  free(shown);
  free(small);
  free(code);
}

static void a_shared_world_is_asked_once(void **state) {
  (void)state;
  ask_all(false, "p\no\np\no\np\no\np\no\no\np\n");
  ask_all(true, "p\no\np\no\np\no\no\np\n");
}

static void neighbours_share_a_world_on_request(void **state) {
  (void)state;
  reset_all(false, "made\nmade\nmade\nmade\nmade\n");
  reset_all(true, "made\nmade\nmade\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(worlds_and_agents_are_isolated),
      cmocka_unit_test(a_variable_that_survives_is_found),
      cmocka_unit_test(the_stream_of_reset_ends),
      cmocka_unit_test(frozen_worlds_read_like_tables),
      cmocka_unit_test(frozen_tables_are_walked_again),
      cmocka_unit_test(kept_keys_cost_as_many_instructions),
      cmocka_unit_test(shared_tables_and_cycles_stay),
      cmocka_unit_test(an_ended_agent_stays_itself),
      cmocka_unit_test(chance_does_not_depend_on_order),
      cmocka_unit_test(experts_do_not_disturb_chance),
      cmocka_unit_test(rng_methods_do_what_they_say),
      cmocka_unit_test(worlds_follow_from_the_task_seed_only),
      cmocka_unit_test(neighbours_share_a_world_on_request),
      cmocka_unit_test(a_shared_world_is_asked_once),
      cmocka_unit_test(memory_returns_after_release),
      cmocka_unit_test(a_failed_reset_leaves_no_world),
      cmocka_unit_test(every_memory_cap_is_survived),
      cmocka_unit_test(iterators_of_the_file_are_refused),
      cmocka_unit_test(taken_is_not_kept),
      cmocka_unit_test(runaway_callbacks_are_stopped),
  };
  return cmocka_run_group_tests_name("env_isolation", tests, NULL, NULL);
}
