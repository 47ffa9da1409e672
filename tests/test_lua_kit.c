/* tests/test_lua_kit.c - the helpers of the global `parl`, asked by scripts. */
#include "tests/env_toy.h"

/* Runs code while a file is loaded; the toy is declared after it. */
static parl_status run(const char *code) {
  parl_text text = {0};
  parl_env *env = NULL;
  parl_text_append(&text,
                   "local same\n"
                   "function same(a, b)\n"
                   "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
                   "  for i = 1, math.max(#a, #b) do\n"
                   "    if not same(a[i], b[i]) then return false end\n"
                   "  end\n"
                   "  return true\n"
                   "end\n");
  parl_text_append(&text, code);
  parl_text_append(&text, TOY);
  assert_ok(parl_text_status(&text));
  const parl_status status = make_env(parl_text_get(&text), NULL, NULL, &env);
  parl_text_deinit(&text);
  parl_env_destroy(env);
  return status;
}

static void lists(void **state) {
  (void)state;
  assert_ok(
      run("assert(same(parl.range(3, 6), {3, 4, 5, 6}))\n"
          "assert(same(parl.range(-1, -1), {-1}) and same(parl.range(2, 1), {}))\n"
          "assert(#parl.range(math.maxinteger - 1, math.maxinteger) == 2)\n"
          "assert(same(parl.without({5, 1, 5, 2}, {5, 9}), {1, 2}))\n"
          "assert(same(parl.without({'a', 'b', true}, {'b'}), {'a', true}))\n"
          "assert(same(parl.without({}, {1}), {}) and same(parl.without({1}, {}), {1}))\n"
          "local list = {1, 2}\n"
          "assert(parl.without(list, {}) ~= list)\n"
          "assert(same(parl.split({1, 2, 3, 4, 5}, 2), {{1, 2}, {3, 4}, {5}}))\n"
          "assert(same(parl.split({1, 2}, 2), {{1, 2}}) and same(parl.split({}, 3), {}))\n"
          "assert(same(parl.split({1, 2}, math.maxinteger), {{1, 2}}))\n"));
}

static void turns(void **state) {
  (void)state;
  assert_ok(
      run("local groups = {{4}, {2, 3}, {1}}\n"
          "local calls = parl.launch(groups)\n"
          "assert(same(calls, {{'assign_task', 1, {4}}, {'assign_task', 1, {2, 3}},\n"
          "                    {'assign_task', 1, {1}}}))\n"
          "assert(calls[1][3] ~= groups[1])\n"
          "assert(same(parl.launch(groups, 1, 2), {{'assign_task', 2, {4}}}))\n"
          "assert(same(parl.launch({4, {5}}), {{'assign_task', 1, 4}, {'assign_task', 1, {5}}}))\n"
          "assert(#parl.launch(groups, 9) == 3 and #parl.launch(groups, 0) == 0)\n"
          "assert(#parl.launch(groups, -1) == 0 and #parl.launch({}) == 0)\n"));
}

static void scores_of_what_was_seen(void **state) {
  (void)state;
  assert_ok(
      run("local box = {{0, 0, 4, 4}}\n"
          "assert(parl.box_f1({{2, 0, 6, 4}}, box) == 8 / 24 and parl.box_f1({}, {}) == 1)\n"
          "assert(parl.box_f1({}, box) == 0 and parl.box_f1({{0.5, 0, 4.5, 4}}, box) > 0.7)\n"
          "assert(parl.point_f1({{1, 2}}, {{4, 6}}, 5) == math.exp(-0.5))\n"
          "assert(parl.polygon_iou({{0, 0}, {4, 0}, {0, 4}}, {{0, 0}, {4, 0}, {4, 4}, {0, 4}})\n"
          "  == 0.5)\n"
          "assert(parl.text_score('kitten', 'sitting') == 1 - 3 / 7)\n"
          "assert(parl.text_score({1, 2, 3}, {1, 3}) == 1 - 1 / 3)\n"
          "assert(parl.text_score('\xc3\xa4\xc3\xb6', '\xc3\xa4o') == 0.5)\n"
          "assert(parl.text_score('\xc3', '\xa4') == 0 and parl.text_score('A', {65}) == 1)\n"
          "assert(parl.count_score(3, 4) == 0.75 and parl.count_score(0, 0) == 1)\n"));
  static const char *const wrong[][2] = {
      {"parl.box_f1({{1, 2, 3}}, {})", "item 1 must be 4 numbers"},
      {"parl.box_f1({}, {{1, 2, 3, 0 / 0}})", "item 1 must be 4 numbers"},
      {"parl.box_f1({{1, 2, 3, 1e7}}, {})", "of at most 1000000"},
      {"parl.box_f1({{1, 2, 3, '4'}}, {})", "item 1 must be 4 numbers"},
      {"parl.box_f1({3}, {})", "item 1 is no list"},
      {"parl.box_f1(parl.range(1, 65), {})", "65 items; at most 64"},
      {"parl.box_f1({})", "table expected"},
      {"parl.point_f1({}, {}, 0)", "a scale is 0.001 to"},
      {"parl.point_f1({}, {}, 0 / 0)", "a scale is 0.001 to"},
      {"parl.polygon_iou({{1}}, {})", "item 1 must be 2 numbers"},
      {"parl.text_score(('a'):rep(1001), '')", "more than 1000 signs"},
      {"parl.text_score({}, parl.range(1, 1001))", "more than 1000 signs"},
      {"parl.text_score({1.5}, {})", "item 1 is no integer"},
      {"parl.text_score(3, '3')", "table expected"},
      {"parl.count_score(1.5, 2)", "no integer representation"},
      {"parl.count_score(1, -2)", "a count is at least 0"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char code[200];
    snprintf(code, sizeof code, "local x = %s\n", wrong[i][0]);
    assert_fails(run(code), PARL_STATUS_ESCRIPT, wrong[i][1]);
  }
}

/* Read-only tables are lists as well: those of the world. */
static void frozen_lists(void **state) {
  (void)state;
  parl_env *env = make_toy("return {tok.row[row], tok.word.ok}",
                           "local steps, groups = parl.makespan(agent.state.list or {2, 2}, 2)\n"
                           "print(steps, #groups, #parl.without(parl.tok.row, {}) > 0,\n"
                           "      #parl.split(parl.tok.row, 1) == #parl.tok.row,\n"
                           "      parl.launch({parl.tok.row})[1][3][1] == parl.tok.row[1])\n"
                           "return {tok.row[row], tok.word.ok}");
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n_tokens;
  parl_text got = {0};
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 1, tokens, &n_tokens));
  parl_env_take_output(env, &got);
  assert_string_equal(parl_text_get(&got), "2\t2\ttrue\ttrue\ttrue\n");
  parl_text_deinit(&got);
  parl_env_destroy(env);
}

/* {3, 3, 2, 2, 2} on 2: largest first gives 3+2+2 = 7, the best is 3+3 | 2+2+2 = 6. */
static void makespan_by_hand(void **state) {
  (void)state;
  assert_ok(
      run("local steps, groups, exact = parl.makespan({3, 3, 2, 2, 2}, 2)\n"
          "assert(steps == 6 and exact and same(groups, {{1, 2}, {3, 4, 5}}))\n"
          "steps, groups, exact = parl.makespan({1, 4, 2}, 1)\n"
          "assert(steps == 7 and exact and same(groups, {{1, 2, 3}}))\n"
          "steps, groups, exact = parl.makespan({1, 4, 2}, 8)\n" /* idle ones have no group */
          "assert(steps == 4 and exact and #groups <= 3)\n"
          "steps, groups, exact = parl.makespan({}, 3)\n"
          "assert(steps == 0 and exact and #groups == 0)\n"
          "steps, groups, exact = parl.makespan({0, 0}, 2)\n"
          "assert(steps == 0 and exact)\n"));
}

/* Every assignment of 1 to 7 jobs to 1 to 4 workers, 300 instances. */
static void makespan_by_brute_force(void **state) {
  (void)state;
  assert_ok(
      run("local x = 1\n"
          "local function draw(n)\n"
          "  x = (x * 1103515245 + 12345) & 0x7fffffff\n"
          "  return (x >> 16) % n\n"
          "end\n"
          "local best\n"
          "local function try(costs, load, i)\n"
          "  if i > #costs then\n"
          "    best = math.min(best, math.max(table.unpack(load)))\n"
          "    return\n"
          "  end\n"
          "  for k = 1, #load do\n"
          "    load[k] = load[k] + costs[i]\n"
          "    try(costs, load, i + 1)\n"
          "    load[k] = load[k] - costs[i]\n"
          "  end\n"
          "end\n"
          "for _ = 1, 300 do\n"
          "  local costs, load, m = {}, {}, 1 + draw(4)\n"
          "  for i = 1, 1 + draw(m == 4 and 6 or 7) do costs[i] = draw(12) end\n"
          "  for k = 1, m do load[k] = 0 end\n"
          "  best = math.maxinteger\n"
          "  try(costs, load, 1)\n"
          "  local steps, groups, exact = parl.makespan(costs, m)\n"
          "  local n, worst, is_given, first = 0, 0, {}, 0\n"
          "  for _, group in ipairs(groups) do\n"
          "    local sum = 0\n"
          "    assert(group[1] > first)\n" /* groups in the order of their first jobs */
          "    first = group[1]\n"
          "    for _, job in ipairs(group) do\n"
          "      assert(not is_given[job])\n"
          "      is_given[job], n, sum = true, n + 1, sum + costs[job]\n"
          "    end\n"
          "    worst = math.max(worst, sum)\n"
          "  end\n"
          "  assert(exact and steps == best and worst == best)\n"
          "  assert(n == #costs and #groups <= m)\n"
          "end\n"));
}

/* All costs are even and half of their sum, the bound, is odd: the search has no end in sight. */
static void makespan_says_where_it_stopped(void **state) {
  (void)state;
  assert_ok(
      run("local costs, total = {}, 0\n"
          "for i = 1, 41 do costs[i] = 2 * (i * 7 % 23 + 1) end\n"
          "for i = 1, 41 do total = total + costs[i] end\n"
          "if total // 2 % 2 == 0 then costs[1], total = costs[1] + 2, total + 2 end\n"
          "local steps, groups, exact = parl.makespan(costs, 2)\n"
          "assert(not exact and steps == total // 2 and #groups == 2)\n"));
}

static void mistakes_are_named(void **state) {
  static const char *const wrong[][2] = {
      {"parl.range(1, 1 << 20)", "more than 65536 numbers"},
      {"parl.range(math.mininteger, math.maxinteger)", "more than 65536 numbers"},
      {"parl.range(1)", "number expected, got no value"},
      {"parl.without({1}, 3)", "table expected"},
      {"parl.without(parl.range(1, 2), setmetatable)", "setmetatable"},
      {"parl.split({1}, 0)", "a group has at least one item"},
      {"parl.split(3, 1)", "table expected"},
      {"parl.launch({1, {2}, true})", "group 3 is neither a list nor a number"},
      {"parl.makespan({1, 2}, 0)", "at least one worker"},
      {"parl.makespan({1, -2}, 1)", "cost 2 must be an integer, 0 to"},
      {"parl.makespan({1.5}, 1)", "cost 1 must be an integer"},
      {"parl.makespan({1 << 30}, 1)", "cost 1 must be an integer"},
      {"parl.makespan({'x'}, 1)", "cost 1 must be an integer"},
      {"parl.makespan(parl.range(1, 257), 1)", "more than 256 jobs"},
      {"parl.makspan({1}, 1)", "makespan"},
      {"parl.worklist(3)", "table expected"},
      {"parl.worklist {tool = 't', role = 'r'}", "parl.worklist: is_open is missing"},
      {"parl.worklist {tool = 't', role = 'r', is_open = 1}",
       "is_open is a number, not a function"},
      {"parl.worklist {tool = 't', role = 1, is_open = print}", "role is a number, not a string"},
      {"parl.worklist {tool = 't', role = 'r', is_open = print, wide = 2}", "unknown key wide"},
      {"parl.project {roles = {}, stages = {}, tell = print}", "parl.project: item is missing"},
      {"parl.project {roles = 'r'}", "roles is a string, not a table"},
      {"parl.project {stage = 1}", "unknown key stage"},
      {"parl.viewing {item = 'p', answer = 'a'}", "parl.viewing: draw is missing"},
      {"parl.viewing {view = 'look'}", "unknown key view"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_fails(run(wrong[i][0]), PARL_STATUS_ESCRIPT, wrong[i][1]);
    assert_contains(parl_error_text(), "script.lua:9");
  }
}

/* An orchestrator of four items of which item 2 is done; sub-agents are given to it by state. */
#define WORKLIST                                                                                 \
  "local world, answers, asked = {n = 4}, {}, {}\n"                                              \
  "local rng = {\n"                                                                              \
  "  chance = function(_, p) asked[#asked + 1] = p return table.remove(answers, 1) end,\n"       \
  "  int = function(_, _, high) return high end,\n"                                              \
  "  pick = function(_, list) return list[#list] end,\n"                                         \
  "  shuffle = function(_, list) list[1], list[#list] = list[#list], list[1] return list end}\n" \
  "local function new(more)\n"                                                                   \
  "  local spec = {tool = 'look', role = 'r', start = function(s) s.done = {[2] = true} end,\n"  \
  "                is_open = function(_, s, item) return not s.done[item] end}\n"                \
  "  for key, value in pairs(more or {}) do spec[key] = value end\n"                             \
  "  return parl.worklist(spec), {main = true, state = {}, rng = rng}\n"                         \
  "end\n"

static void a_worklist_keeps_what_is_open(void **state) {
  (void)state;
  assert_ok(run(WORKLIST "local work, main = new()\n"
                         "local state = work.progress(main)\n"
                         "assert(state == main.state and state.created == 0 and state.done[2])\n"
                         "state.done[1] = true\n"
                         "assert(work.progress(main).done[1])\n" /* begun once */
                         "assert(same(work.open(world, main), {3, 4}))\n"
                         "local sub = {main = false, state = {task = {4, 9, 2, 1}}}\n"
                         "assert(same(work.open(world, sub), {4, 1}))\n" /* there is no item 9 */
                         "assert(same(work.turn(world, sub, 'narrow'), {{'look', 4}}))\n"
                         "sub.state.done[4], sub.state.done[1] = true, true\n"
                         "assert(same(work.turn(world, sub, 'random'), {{'finish'}}))\n"));
}

/* Each rung of the ladder, and each of the hooks that change one. */
static void a_worklist_plays_the_experts(void **state) {
  (void)state;
  assert_ok(run(
      WORKLIST
      "local function assigned(...)\n"
      "  local calls = {}\n"
      "  for i, item in ipairs({...}) do calls[i] = {'assign_task', 1, {item}} end\n"
      "  return calls\n"
      "end\n"
      "local work, main = new()\n"
      "assert(same(work.turn(world, main, 'serial'), {{'look', 1}}))\n"
      "assert(same(work.turn(world, main, 'oracle'), {{'create_subagent', 1, 'r'}}))\n"
      "assert(main.state.created == 1)\n"
      "assert(same(work.turn(world, main, 'oracle'), assigned(1, 3, 4)))\n"
      "assert(same(work.turn(world, main, 'greedy_wide'), assigned(1, 3, 4)))\n"
      "assert(same(work.turn(world, main, 'narrow'), assigned(1, 3)))\n"
      "assert(same(work.turn(world, main, 'greedy_wide', {4}), assigned(4)))\n"
      "assert(same(work.turn(world, main, 'greedy_wide', {}), {{'finish'}}))\n"
      "work, main = new {width = 1, role = {'a', 'b'},\n"
      "  alone = function(w, style, s) return w.n == 4 and style == 'oracle' and s.done[2] end,\n"
      "  launch = function(_, style, items)\n"
      "    return style == 'pair' and parl.launch(parl.split(items, 2)) or nil\n"
      "  end}\n"
      "assert(same(work.turn(world, main, 'oracle'), {{'look', 1}}))\n"
      "assert(same(work.turn(world, main, 'wide'), {{'create_subagent', 1, 'a'}}))\n"
      "assert(same(work.turn(world, main, 'wide'), assigned(1)))\n"
      "assert(same(work.turn(world, main, 'pair'),\n"
      "            {{'assign_task', 1, {1, 3}}, {'assign_task', 1, {4}}}))\n"));
}

/* The random style asks for one chance after the other; the first that comes true is its move. */
static void a_worklist_plays_at_random(void **state) {
  (void)state;
  assert_ok(run(
      WORKLIST
      "local function play(work, agent, created, ...)\n"
      "  answers, asked = {...}, {}\n"
      "  work.progress(agent).created = created\n"
      "  return work.turn(world, agent, 'random')\n"
      "end\n"
      "local work, main = new()\n"
      "assert(same(play(work, main, 0, true), {{'create_subagent', 1, 'r'}}))\n"
      "assert(same(asked, {0.3}))\n"
      "local calls = play(work, main, 1, true)\n"
      "assert(#calls == 3 and same(calls[1], {'assign_task', 1, {4}}) and same(asked, {0.5}))\n"
      "assert(same(play(work, main, 1, false, true), {{'create_subagent', 2, 'r'}}))\n"
      "assert(same(play(work, main, 2, false, true), {{'finish'}}))\n"
      "assert(same(asked, {0.5, 0.02}))\n"
      "assert(same(play(work, main, 1, false, false, false), {{'look', 4}}))\n"
      "work, main = new {in_order = true, agents = 1, launch_chance = 0.25, role = {'a', 'b'},\n"
      "  random_launch = function(_, _, items) return {{'mine', #items}} end,\n"
      "  random_call = function(_, agent) return agent.rng:chance(0.05) and {'guess'} or nil end}\n"
      "assert(same(play(work, main, 0, true), {{'create_subagent', 1, 'b'}}))\n"
      "assert(same(play(work, main, 1, true), {{'mine', 3}}))\n"
      "assert(same(play(work, main, 1, false, true), {{'guess'}}))\n"
      "assert(same(asked, {0.25, 0.05}))\n"
      "assert(same(play(work, main, 1, false, false, false), {{'look', 1}}))\n"));
}

/* A project of stages a and b, of roles r and q, in worlds that are made by hand. */
#define PROJECT                                                                                    \
  "local project = parl.project {roles = {'r', 'q'}, stages = {'a', 'b'}, item = 'row',\n"         \
  "  tell = function(_, _, job) return {100 + job} end}\n"                                         \
  "local wide = parl.project {roles = {'r', 'q'}, stages = {'a'}, item = 'row',\n"                 \
  "  tell = function() return {} end, answer = function() return {'say', 7} end}\n"                \
  "local function new(effort, suits, needs, rate)\n"                                               \
  "  return {n = #effort, effort = effort, suits = suits, needs = needs, rate = rate, slow = 2}\n" \
  "end\n"                                                                                          \
  "local function agent(role) return {main = role == nil, role = role, state = {}} end\n"

/* Roles alone take 8 and 10 steps, both 2 + 1 + 4; on one line 2 + 1 + 7. A chain: two launches,
 * 2 + (1 + 3) + (1 + 3), against 1 + 1 + 3 + 6. */
static void a_project_is_planned_by_hand(void **state) {
  (void)state;
  assert_ok(
      run(PROJECT
          "local function plan(p, w) p.plan(w) return w.critical, w.serial, w.is, w.width end\n"
          "assert(same({plan(wide, new({4, 3}, {1, 2}))}, {7, 14, 'exact', 2}))\n"
          "assert(same({plan(wide, new({4, 3}, {1, 2}, nil, 1))}, {10, 14, 'exact', 2}))\n"
          "assert(same({plan(wide, new({1}, {1}))}, {2, 2, 'exact', 0}))\n"
          "local w = new({3, 3}, {1, 2}, {{}, {1}})\n"
          "assert(same({plan(project, w)}, {10, 12, 'exact', 1}))\n"
          "assert(same(w.moves, {{shares = {{1, 1}}}, {shares = {{2, 2}}}}))\n"
          "local efforts, suits, needs = {}, {}, {}\n"
          "for job = 1, 26 do\n"
          "  efforts[job], suits[job], needs[job] = 3, 1, job > 1 and {job - 1} or {}\n"
          "end\n"
          "assert(same({plan(project, new(efforts, suits, needs))}, {80, 156, 'bound'}))\n"));
}

/* Every order of creating roles, working alone and launching, in 60 random worlds of 6 jobs. */
static void a_project_is_planned_by_brute_force(void **state) {
  (void)state;
  assert_ok(
      run(PROJECT
          "local x = 5\n"
          "local function draw(n)\n"
          "  x = (x * 1103515245 + 12345) & 0x7fffffff\n"
          "  return (x >> 16) % n\n"
          "end\n"
          "local function close(w, job, open)\n"
          "  if open[job] then return end\n"
          "  open[job] = true\n"
          "  for _, need in ipairs(w.needs[job]) do close(w, need, open) end\n"
          "end\n"
          "local function cost(w, role, job)\n"
          "  return w.effort[job] * (w.suits[job] == role and 1 or w.slow)\n"
          "end\n"
          "local function go(w, memo, done, roles)\n"
          "  if done == 126 then return 0 end\n"
          "  local key = done << 4 | roles\n"
          "  if memo[key] then return memo[key] end\n"
          "  local best, when = math.maxinteger, {}\n"
          "  for role = 1, 2 do\n"
          "    if roles >> role & 1 == 0 then\n"
          "      best = math.min(best, 1 + go(w, memo, done, roles | 1 << role))\n"
          "    end\n"
          "  end\n"
          "  for job = 1, 6 do\n"
          "    local open, is_ready = {}, done >> job & 1 == 0\n"
          "    close(w, job, open)\n"
          "    for _, need in ipairs(w.needs[job]) do\n"
          "      is_ready = is_ready and done >> need & 1 == 1\n"
          "    end\n"
          "    if is_ready then\n"
          "      best = math.min(best, cost(w, 0, job) + go(w, memo, done | 1 << job, roles))\n"
          "    end\n"
          "    for role = 1, 2 do\n"
          "      local sum = 0\n"
          "      for other in pairs(open) do\n"
          "        sum = sum + (done >> other & 1 == 0 and cost(w, role, other) or 0)\n"
          "      end\n"
          "      if roles >> role & 1 == 1 then when[job] = math.min(when[job] or sum, sum) end\n"
          "    end\n"
          "  end\n"
          "  for _, steps in pairs(when) do\n"
          "    local after = done\n"
          "    for job, needed in pairs(when) do\n"
          "      if needed <= steps then after = after | 1 << job end\n"
          "    end\n"
          "    if after ~= done then\n"
          "      best = math.min(best, 1 + steps + go(w, memo, after, roles))\n"
          "    end\n"
          "  end\n"
          "  memo[key] = best\n"
          "  return best\n"
          "end\n"
          "for _ = 1, 60 do\n"
          "  local efforts, suits, needs = {}, {}, {}\n"
          "  for job = 1, 6 do\n"
          "    efforts[job], suits[job], needs[job] = 1 + draw(5), 1 + draw(2), {}\n"
          "    for other = 1, job - 1 do\n"
          "      if draw(3) == 0 then table.insert(needs[job], other) end\n"
          "    end\n"
          "  end\n"
          "  local w = new(efforts, suits, needs)\n"
          "  w.slow = 1 + draw(3)\n"
          "  project.plan(w)\n"
          "  assert(w.is == 'exact' and w.critical == go(w, {}, 0, 0))\n"
          "end\n"));
}

/* Who suits, who waits, who knows what. Item 2 turns out to need no second stage. */
static void a_project_is_worked_on(void **state) {
  (void)state;
  assert_ok(
      run(PROJECT
          "local w = new({2, 1, 1, 0}, {1, 2, 1, 2}, {{}, {1}, {}, {3}})\n"
          "project.plan(w)\n"
          "local main, r, q = agent(), agent('r'), agent('q')\n"
          "assert(project.work(w, main, 2) == 'blocked' and project.work(w, main, 9) == 'miss')\n"
          "assert(project.work(w, r, 1) == 'part' and project.work(w, r, 1) == 'new')\n"
          "assert(project.work(w, r, 1) == 'done')\n"
          "for _ = 1, 3 do assert(project.work(w, q, 1) == 'part') end\n"
          "assert(project.work(w, q, 1) == 'new' and same(q.state.news, {1}))\n"
          "assert(project.work(w, q, 2) == 'new')\n"
          "assert(project.work(w, r, 3) == 'new' and same(r.state.news, {1, 3, 4}))\n"
          "assert(same(project.open(w, main), {1, 2, 3, 4}))\n"
          "assert(same(project.ready(w, main), {1, 3}))\n"
          "assert(same(project.deliver(w, main, r), {101, 103, 104}))\n"
          "assert(same(project.deliver(w, main, q), {102}) and project.share(w, main) == 1)\n"
          "assert(same({project.item(4)}, {2, 2}) and project.job(2, 2) == 4)\n"
          "local calls = project.turn(w, main, 'serial')\n"
          "assert(same(calls, {{'finish'}}))\n"
          "main = agent()\n"
          "assert(same(project.legal(w, main, 'a', 1, {}, {}), {1, 2}))\n"
          "assert(same(project.legal(w, main, 'b', 1, {}, {}), {}))\n"
          "assert(same(project.legal(w, main, 'assign_task', 1, {}, {}), {1, 2}))\n"
          "assert(same(project.legal(w, main, 'assign_task', 2, {1}, {2}), {2}))\n"));
}

/* The ladder, and the answer at its end. */
static void a_project_plays_the_experts(void **state) {
  (void)state;
  assert_ok(run(PROJECT
                "local w, main = new({9, 8}, {1, 2}), agent()\n"
                "wide.plan(w)\n"
                "assert(same(wide.turn(w, main, 'serial'), {{'a', 1}}))\n"
                "assert(same(wide.turn(w, main, 'narrow'), {{'create_subagent', 1, 'r'}}))\n"
                "assert(same(wide.turn(w, main, 'oracle'), {{'create_subagent', 2, 'q'}}))\n"
                "local launch = {{'assign_task', 1, {1}}, {'assign_task', 2, {2}}}\n"
                "assert(same(wide.turn(w, main, 'greedy_wide'), launch))\n"
                "assert(same(wide.turn(w, main, 'oracle'), launch))\n"
                "main.state.done = {true, true}\n"
                "assert(same(wide.turn(w, main, 'serial'), {{'say', 7}}))\n"
                "assert(same(wide.turn(w, main, 'serial'), {{'finish'}}))\n"));
}

/* Pictures of 1, 3 and 2 views; the first has a longer way too, the second a shorter one. */
#define VIEWING                                                                                    \
  "local look = {'look'}\n"                                                                        \
  "local function new(width)\n"                                                                    \
  "  return {n = 3, width = width, ways = {{{look, {'crop', 2}}, {look}},\n"                       \
  "    {{look, {'crop', 1}, {'crop', 3}}, {look, {'count'}}}, {{look, {'crop', 4}}}}}\n"           \
  "end\n"                                                                                          \
  "local viewing = parl.viewing {item = 'row', answer = 'say', value = 'row', tell = print, draw " \
  "= print, size = print,\n"                                                                       \
  "  truth = function(_, item) return 10 + item end, rate = print,\n"                              \
  "  legal = function(_, item, tool) return tool == 'say' and {item, 7} or nil end}\n"             \
  "local function agent() return {main = true, role = 'viewer', state = {}} end\n"

/* 2 + 3 + 3 steps alone; side by side the longest, or 5 where two share. */
static void a_viewing_is_planned_by_hand(void **state) {
  (void)state;
  assert_ok(run(VIEWING "local function plan(w)\n"
                        "  viewing.plan(w, {})\n"
                        "  local o = viewing.optimum(w)\n"
                        "  return {w.serial, o.critical, o.is, o.width}\n"
                        "end\n"
                        "assert(same(plan(new()), {8, 5, 'exact', 3}))\n"
                        "local w = new(2)\n"
                        "assert(same(plan(w), {8, 7, 'exact', 2}) and w.makespan == 5)\n"
                        "w = new(1)\n"
                        "assert(same(plan(w), {8, 8, 'exact', 0}))\n"
                        "w = new()\n"
                        "w.n = 2\n"
                        "assert(same(plan(w), {5, 5, 'exact', 0}))\n"));
}

/* A task of both modalities is of one, and its kind says of which. */
static void a_viewing_says_its_modality(void **state) {
  (void)state;
  assert_ok(run(VIEWING "local d = viewing.declare {name = 'pictures', params = {}}\n"
                        "local function plan(modality, sees)\n"
                        "  local w = new()\n"
                        "  viewing.plan(w, {modality = modality}, {chance = function(_, p)\n"
                        "    assert(p == 0.5)\n"
                        "    return sees\n"
                        "  end})\n"
                        "  return {w.sees, d.family(w)}\n"
                        "end\n"
                        "assert(same(plan('both', true), {true, 'pictures_image'}))\n"
                        "assert(same(plan('both', false), {false, 'pictures_text'}))\n"
                        "assert(same(plan('image', false), {true, 'pictures'}))\n"
                        "assert(same(plan('text', true), {false, 'pictures'}))\n"));
  assert_fails(run(VIEWING "viewing.plan(new(), {modality = 'both'})"), PARL_STATUS_ESCRIPT,
               "viewing.plan: params.modality = both, but the third argument, rng, is nil");
}

/* The views of the way that is the shortest from here, then the answer; the ladder. */
static void a_viewing_plays_the_experts(void **state) {
  (void)state;
  assert_ok(
      run(VIEWING
          "local w, main = new(2), agent()\n"
          "viewing.plan(w, {})\n"
          "local state = main.state\n"
          "assert(same(viewing.turn(w, main, 'serial'), {{'look', 1}}))\n"
          "assert(same(viewing.legal(w, main, 'crop', 1, {}, {}), {}))\n"
          "state.seen[1] = {look = true}\n"
          "assert(same(viewing.turn(w, main, 'serial'), {{'say', 1, 11}}))\n"
          "state.done[1] = true\n"
          "assert(same(viewing.turn(w, main, 'serial'), {{'look', 2}}))\n"
          "state.seen[2] = {look = true}\n"
          "assert(same(viewing.turn(w, main, 'serial'), {{'count', 2}}))\n"
          "state.seen[2].crop3 = true\n" /* now both ways are one view long */
          "assert(same(viewing.turn(w, main, 'serial'), {{'crop', 2, 1}}))\n"
          "assert(same(viewing.legal(w, main, 'look', 1, {}, {}), {3}))\n"
          "assert(same(viewing.legal(w, main, 'crop', 1, {}, {}), {2}))\n"
          "assert(same(viewing.legal(w, main, 'say', 2, {}, {2}), {2, 7}))\n"
          "assert(viewing.legal(w, main, 'crop', 2, {}, {2}) == nil)\n"
          "assert(viewing.legal(w, main, 'say', 2, {}, {4}) == nil)\n"
          "assert(same(viewing.legal(w, main, 'assign_task', 1, {3}, {}), {2}))\n"
          "main = agent()\n"
          "assert(same(viewing.turn(w, main, 'oracle'), {{'create_subagent', 1, 'viewer'}}))\n"
          "assert(same(viewing.turn(w, main, 'oracle'),\n"
          "            {{'assign_task', 1, {1, 2}}, {'assign_task', 1, {3}}}))\n"
          "assert(same(viewing.turn(w, main, 'greedy_wide'),\n"
          "            {{'assign_task', 1, {1}}, {'assign_task', 1, {2}}}))\n"
          "w = new(1)\n"
          "viewing.plan(w, {})\n"
          "assert(same(viewing.turn(w, main, 'oracle'), {{'look', 1}}))\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lists),
      cmocka_unit_test(turns),
      cmocka_unit_test(scores_of_what_was_seen),
      cmocka_unit_test(frozen_lists),
      cmocka_unit_test(makespan_by_hand),
      cmocka_unit_test(makespan_by_brute_force),
      cmocka_unit_test(makespan_says_where_it_stopped),
      cmocka_unit_test(mistakes_are_named),
      cmocka_unit_test(a_worklist_keeps_what_is_open),
      cmocka_unit_test(a_worklist_plays_the_experts),
      cmocka_unit_test(a_worklist_plays_at_random),
      cmocka_unit_test(a_project_is_planned_by_hand),
      cmocka_unit_test(a_project_is_planned_by_brute_force),
      cmocka_unit_test(a_project_is_worked_on),
      cmocka_unit_test(a_project_plays_the_experts),
      cmocka_unit_test(a_viewing_is_planned_by_hand),
      cmocka_unit_test(a_viewing_says_its_modality),
      cmocka_unit_test(a_viewing_plays_the_experts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
