/* tests/test_sandbox.c - attacks on the sandbox, each stopped by its own limit; determinism. */
#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lua/expression.h"
#include "tests/sandbox_support.h"
#include "tests/support.h"

static parl_sandbox *make(double call_s, size_t mib, int64_t instructions) {
  const parl_sandbox_def def = {
      .memory_bytes = mib << 20, .call_s = call_s, .instructions = instructions};
  parl_sandbox *s = NULL;
  assert_ok(parl_sandbox_create(&def, &s));
  return s;
}

static parl_status run(parl_sandbox *s, const char *code) {
  PARL_TRY(parl_sandbox_load(s, code, strlen(code), "attack.lua"));
  return parl_sandbox_call(s, 0, 0);
}

typedef struct attack {
  const char *code;
  parl_status status;
  const char *text; /* part of the error */
} attack;

static void check_attacks(const attack *list, size_t n, double call_s) {
  for (size_t i = 0; i < n; i++) {
    parl_sandbox *s = make(call_s, 8, 0);
    const parl_status got = run(s, list[i].code);
    if (got != list[i].status) print_error("attack: %s\n", list[i].code);
    parl_test_check_status(got, list[i].status, "run", __FILE__, __LINE__);
    assert_contains(parl_error_text(), list[i].text);
    set_call_limit(s, LONG_S);
    assert_ok(run(s, "local t = {} for i = 1, 100 do t[i] = i end return #t")); /* alive */
    assert_int_equal(lua_gettop(parl_sandbox_get_state(s)), 1);
    parl_sandbox_destroy(s);
  }
}

static void hanging_scripts_are_stopped(void **state) {
  (void)state;
  static const attack list[] = {
      {"while true do end", PARL_STATUS_ELIMIT, "attack.lua:1: ran longer than 0.15 s"},
      {"while true do pcall(function() while true do end end) end", PARL_STATUS_ELIMIT, "longer"},
      {"local function f() pcall(f) while true do end end f()", PARL_STATUS_ELIMIT, "longer"},
      {"::again:: goto again", PARL_STATUS_ELIMIT, "longer"},
      {"repeat local ok = pcall(error) until false", PARL_STATUS_ELIMIT, "longer"},
      {"for i = 1, math.maxinteger do end", PARL_STATUS_ELIMIT, "longer"},
      {"for i = 1, math.huge do print(i) end", PARL_STATUS_ELIMIT, "longer"},
      {"while true do local s = ('x'):rep(100000) end", PARL_STATUS_ELIMIT, "longer"},
      {"table.sort({3, 2, 1}, function() while true do end end)", PARL_STATUS_ELIMIT, "longer"},
      {"('abc'):gsub('.', function() while true do end end)", PARL_STATUS_ELIMIT, "longer"},
      {"for _ in ('x'):rep(99):gmatch('x') do while true do end end", PARL_STATUS_ELIMIT, "longer"},
      {"while true do for _ in pairs({1, 2, 3}) do end end", PARL_STATUS_ELIMIT, "longer"},
      {"for _ in function() return 1 end do end", PARL_STATUS_ELIMIT, "longer"},
      {"local p <close> = nil while true do end", PARL_STATUS_ELIMIT, "longer"},
      {"\nreturn ('a'):rep(60):find(('a?'):rep(60) .. ('a'):rep(60))", PARL_STATUS_ELIMIT,
       "attack.lua:2: ran longer"},
      {"return ('a'):rep(5000):match('.-.-.-.-b')", PARL_STATUS_ELIMIT, "longer"},
      {"return ('a'):rep(5000):gsub('.*.*.*b', '')", PARL_STATUS_ELIMIT, "longer"},
      {"return ('()'):rep(50000):gmatch('.-.-%b()x')()", PARL_STATUS_ELIMIT, "longer"},
  };
  check_attacks(list, sizeof list / sizeof list[0], 0.15);
}

static void work_inside_c_is_bounded(void **state) {
  (void)state;
  static const attack list[] = {
      {"return (''):rep(1e15)", PARL_STATUS_ESCRIPT, "string.rep"},
      {"return ('x'):rep(1e9)", PARL_STATUS_ESCRIPT, "string.rep"},
      {"return ('x'):rep(1 << 62, 'yy')", PARL_STATUS_ESCRIPT, "string.rep"},
      {"table.move({}, 1, 1 << 50, 2)", PARL_STATUS_ESCRIPT, "more than"},
      {"table.move({}, math.mininteger, math.maxinteger, 2)", PARL_STATUS_ESCRIPT, "more than"},
      {"table.concat({}, '', 1, 1 << 50)", PARL_STATUS_ESCRIPT, "more than"},
      {"table.unpack({}, 1, 1e8)", PARL_STATUS_ESCRIPT, "more than"},
      {"table.unpack({}, 1, 1e6)", PARL_STATUS_ESCRIPT, "too many"},
      {"string.format('%99999d', 1)", PARL_STATUS_ESCRIPT, "invalid"},
      {"string.format('%p', {})", PARL_STATUS_ESCRIPT, "address"},
      {"string.format('%-10p', {})", PARL_STATUS_ESCRIPT, "address"},
  };
  check_attacks(list, sizeof list / sizeof list[0], LONG_S);
}

static void memory_is_capped(void **state) {
  (void)state;
  static const attack list[] = {
      {"local t = {} for i = 1, math.huge do t[i] = i end", PARL_STATUS_ELIMIT, "memory"},
      {"local s = 'x' while true do s = s .. s end", PARL_STATUS_ELIMIT, "memory"},
      {"local t = {} while true do t = {t} end", PARL_STATUS_ELIMIT, "memory"},
      {"local t = {} for i = 1, 1e9 do t['k' .. i] = i end", PARL_STATUS_ELIMIT, "memory"},
      {"pcall(function() local t = {} for i = 1, 1e9 do t[i] = i end end)", PARL_STATUS_ELIMIT,
       "memory"},
      {"local t = {} for i = 1, 20 do t[i] = ('x'):rep(1 << 20) end return table.concat(t)",
       PARL_STATUS_ELIMIT, "memory"},
      {"local function f(...) return 1 + f(1, ...) end f()", PARL_STATUS_ELIMIT, "memory"},
      {"local function f() return 1 + f() end f()", PARL_STATUS_ELIMIT, "memory"},
      {"local function f() return pcall(f) end return f()", PARL_STATUS_OK, ""},
  };
  check_attacks(list, sizeof list / sizeof list[0], LONG_S);
  parl_sandbox *s = make(LONG_S, 256, 0); /* Lua's own bound on its stack comes first here */
  assert_fails(run(s, "local function f() return 1 + f() end f()"), PARL_STATUS_ESCRIPT,
               "stack overflow");
  assert_ok(run(s, "return 1"));
  parl_sandbox_destroy(s);
}

static void the_host_is_out_of_reach(void **state) {
  (void)state;
  static const char *const gone[] = {
      "io",      "os",     "debug",    "package",  "load",           "loadstring",
      "require", "dofile", "loadfile", "_G",       "collectgarbage", "coroutine",
      "rawset",  "rawget", "rawlen",   "rawequal", "setmetatable",   "getmetatable",
      "next",    "xpcall", "warn",     "_VERSION"};
  for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
    parl_sandbox *s = make(LONG_S, 8, 0);
    char code[128], text[128];
    snprintf(code, sizeof code, "\nreturn %s", gone[i]);
    snprintf(text, sizeof text, "attack.lua:2: unknown global '%s'", gone[i]);
    assert_fails(run(s, code), PARL_STATUS_ESCRIPT, text);
    parl_sandbox_destroy(s);
  }
  static const attack list[] = {
      {"return string.dump(print)", PARL_STATUS_ESCRIPT, "unknown field 'string.dump'"},
      {"return ('x'):pack(1)", PARL_STATUS_ESCRIPT, "unknown field 'string.pack'"},
      {"return math.random()", PARL_STATUS_ESCRIPT, "not repeatable"},
      {"math.randomseed(1)", PARL_STATUS_ESCRIPT, "not repeatable"},
      {"return math.flor(1)", PARL_STATUS_ESCRIPT, "did you mean 'math.floor'"},
      {"x = 1", PARL_STATUS_ESCRIPT, "cannot set 'x'"},
      {"print = nil", PARL_STATUS_ESCRIPT, "cannot set 'print'"},
      {"math.pi = 3", PARL_STATUS_ESCRIPT, "cannot set 'pi'"},
      {"string.rep = nil", PARL_STATUS_ESCRIPT, "cannot set 'rep'"},
      {"table.insert(math, 1)", PARL_STATUS_ESCRIPT, "read-only"},
      {"table.sort(table)", PARL_STATUS_OK, ""},
      {"error()", PARL_STATUS_ESCRIPT, "nil value"},
      {"error({})", PARL_STATUS_ESCRIPT, "table value"},
      {"local x <const> = 1\nerror('plain', 1)", PARL_STATUS_ESCRIPT, "attack.lua:2: plain"},
      {"return 1 +", PARL_STATUS_ESCRIPT, "attack.lua:1:"},
      {"\x1bLuaT\0\x19\x93\r\n\x1a\n", PARL_STATUS_ESCRIPT, "binary"},
  };
  check_attacks(list, sizeof list / sizeof list[0], LONG_S);
}

static void a_traceback_names_the_lines(void **state) {
  (void)state;
  parl_sandbox *s = make(LONG_S, 8, 0);
  assert_fails(run(s,
                   "local function inner()\n  error('deep')\nend\nlocal function outer()\n"
                   "  inner()\nend\nouter()"),
               PARL_STATUS_ESCRIPT, "attack.lua:2: deep");
  assert_contains(parl_error_text(), "stack traceback");
  assert_contains(parl_error_text(), "attack.lua:5: in local 'outer'");
  parl_sandbox_destroy(s);
}

/* A source of brackets exhausts the parser's own limit, not the C stack. */
static void deep_sources_are_refused(void **state) {
  (void)state;
  enum { N = 200000 };
  char *code = malloc(N + 8);
  assert_non_null(code);
  static const char openers[] = {'(', '{', '-', '#'};
  for (size_t i = 0; i < sizeof openers; i++) {
    memcpy(code, "return ", 7);
    memset(code + 7, openers[i], N);
    code[N + 7] = '\0';
    if (openers[i] == '-')
      for (int k = 8; k < N + 7; k += 2) code[k] = ' ';
    parl_sandbox *s = make(LONG_S, 64, 0);
    assert_fails(run(s, code), PARL_STATUS_ESCRIPT, "attack.lua:1: ");
    parl_sandbox_destroy(s);
  }
  free(code);
}

static void definitions_are_checked(void **state) {
  (void)state;
  parl_sandbox *s = NULL;
  parl_sandbox_def def = parl_sandbox_def_default();
  def.memory_bytes = 1;
  assert_fails(parl_sandbox_create(&def, &s), PARL_STATUS_EINVAL, "memory_bytes");
  def = parl_sandbox_def_default();
  def.call_s = (double)NAN;
  assert_fails(parl_sandbox_create(&def, &s), PARL_STATUS_EINVAL, "call_s");
  def = parl_sandbox_def_default();
  def.instructions = -1;
  assert_fails(parl_sandbox_create(&def, &s), PARL_STATUS_EINVAL, "instructions");
  assert_null(s);
  parl_sandbox_destroy(NULL);
}

/* What the script prints; the caller frees. */
static char *get_output(const char *code) {
  parl_sandbox *s = make(5, 64, 0);
  assert_ok(run(s, code));
  parl_text text = {0};
  parl_sandbox_take_output(s, &text);
  parl_sandbox_destroy(s);
  return text.bytes ? text.bytes : strdup("");
}

static void check_output(const char *code, const char *due) {
  char *got = get_output(code);
  assert_string_equal(got, due);
  free(got);
}

static void pairs_is_sorted(void **state) {
  (void)state;
  check_output(
      "for k, v in pairs({b = 1, a = 2, [10] = 3, [2] = 4, [2.5] = 5, [true] = 6, "
      "[false] = 7, [-1] = 8, ab = 9, [math.huge] = 0}) do print(k, v) end",
      "-1\t8\n2\t4\n2.5\t5\n10\t3\ninf\t0\na\t2\nab\t9\nb\t1\nfalse\t7\ntrue\t6\n");
  check_output("for k in pairs({}) do print(k) end", "");
  /* Keys that go while the loop runs are not visited; new ones are not, either. */
  check_output("local t = {1, 2, 3, 4} for k, v in pairs(t) do t[k + 1] = nil t.x = 1 print(k) end",
               "1\n3\n");
  check_output(
      "local t = {} for i = 1, 300 do t['k' .. i] = i end local n, last = 0, '' "
      "for k in pairs(t) do assert(last < k) last = k n = n + 1 end print(n)",
      "300\n");
  parl_sandbox *s = make(LONG_S, 8, 0);
  assert_fails(run(s, "for k in pairs({[{}] = 1}) do end"), PARL_STATUS_ESCRIPT,
               "no deterministic order");
  assert_fails(run(s, "for k in pairs({[print] = 1}) do end"), PARL_STATUS_ESCRIPT,
               "no deterministic order");
  assert_fails(run(s, "for k in pairs(nil) do end"), PARL_STATUS_ESCRIPT, "table expected");
  parl_sandbox_destroy(s);
}

static void sort_is_stable(void **state) {
  (void)state;
  check_output(
      "local t = {} for i = 1, 1000 do t[i] = {i * 7 % 10, i} end "
      "table.sort(t, function(a, b) return a[1] < b[1] end) "
      "for i = 2, #t do assert(t[i - 1][1] < t[i][1] or "
      "(t[i - 1][1] == t[i][1] and t[i - 1][2] < t[i][2])) end print(#t)",
      "1000\n");
  check_output(
      "for n = 0, 70 do local t, u = {}, {} for i = 1, n do t[i] = i * 37 % 71 u[i] = t[i] "
      "end table.sort(t) for i = 2, n do assert(t[i - 1] <= t[i]) end end print('ok')",
      "ok\n");
  /* A comparison that contradicts itself gives some order, not a crash. */
  check_output(
      "local t = {} for i = 1, 100 do t[i] = i end "
      "table.sort(t, function() return true end) local sum = 0 "
      "for _, x in ipairs(t) do sum = sum + x end print(sum)",
      "5050\n");
  parl_sandbox *s = make(LONG_S, 8, 0);
  assert_fails(run(s, "table.sort({1, 'x'})"), PARL_STATUS_ESCRIPT, "compare");
  parl_sandbox_destroy(s);
}

static void texts_show_no_addresses(void **state) {
  (void)state;
  check_output("print({}, print, tostring({}), ('%s|%5s|%d'):format({}, print, 3), 1.5, nil, true)",
               "table\tfunction\ttable\ttable|function|3\t1.5\tnil\ttrue\n");
  check_output("print(('%s %%s %s'):format(1, 'a'), ('%5.1f'):format(2), ('%q'):format('x'))",
               "1 %s a\t  2.0\t\"x\"\n");
  check_output("print(math.huge, -math.huge, 7 // 2, 10 / 2, 1e100)",
               "inf\t-inf\t3\t5.0\t1e+100\n");
}

static void tables_behave(void **state) {
  (void)state;
  check_output(
      "local t = {1, 2, 3} table.insert(t, 4) table.insert(t, 1, 0) "
      "print(table.concat(t, ','), table.remove(t), table.remove(t, 1), #t)",
      "0,1,2,3,4\t4\t0\t3\n");
  check_output("print(table.concat(table.move({1, 2, 3, 4}, 1, 3, 2), ','))", "1,1,2,3\n");
  check_output("print(table.concat(table.move({1, 2, 3, 4}, 2, 4, 1), ','))", "2,3,4,4\n");
  check_output("local t = {1, 2, 3} print(table.concat(table.move(t, 1, 3, 2, t), ','))",
               "1,1,2,3\n");
  check_output("local t = table.pack(1, nil, 3) print(t.n, table.unpack(t, 1, 3))",
               "3\t1\tnil\t3\n");
  check_output("print(table.remove({}), #table.pack(), table.concat({}))", "nil\t0\t\n");
  check_output("print(select('#', table.unpack({}, 1, 0)), table.concat({1, 'a', 2.5}, '-', 2))",
               "0\ta-2.5\n");
  check_output("print(('a,b,,c'):gsub(',', ';'), ('key = value'):match('^(%w+)%s*=%s*(%w+)$'))",
               "a;b;;c\tkey\tvalue\n");
  check_output("for w in ('one two'):gmatch('%a+') do print(w) end", "one\ntwo\n");
}

static void print_is_kept_up_to_a_cap(void **state) {
  (void)state;
  char *got = get_output("for i = 1, 100000 do print('line') end");
  assert_in_range(strlen(got), 60000, 65536);
  free(got);
}

static void pcall_catches_plain_errors_only(void **state) {
  (void)state;
  check_output(
      "print(pcall(error, 'x')) print(pcall(function(a) return a + 1 end, 1)) "
      "local ok, e = pcall(error, {code = 7}) print(ok, e.code) print(pcall(pcall, error))",
      "false\tx\ntrue\t2\nfalse\t7\ntrue\tfalse\tnil\n");
}

static void instruction_budgets_are_deterministic(void **state) {
  (void)state;
  char *first = NULL;
  for (int i = 0; i < 3; i++) {
    parl_sandbox *s = make(60, 64, 500000);
    assert_fails(run(s,
                     "local n = 0 while true do n = n + 1 if n % 100 == 0 then "
                     "pcall(function() print(n) end) end end"),
                 PARL_STATUS_ELIMIT, "more than 500000 instructions");
    parl_text text = {0};
    parl_sandbox_take_output(s, &text);
    assert_true(text.n > 100);
    if (first != NULL) assert_string_equal(first, parl_text_get(&text));
    free(first);
    first = strdup(parl_text_get(&text));
    assert_ok(run(s, "for i = 1, 1000 do end")); /* each call has its own budget */
    parl_text_deinit(&text);
    parl_sandbox_destroy(s);
  }
  free(first);
}

static _Atomic bool interrupted;

static void *interrupt_main(void *sandbox) {
  while (!atomic_load(&interrupted)) parl_sandbox_interrupt(sandbox);
  return NULL;
}

static void a_request_stops_a_script(void **state) {
  (void)state;
  parl_sandbox *s = make(60, 8, 0);
  parl_sandbox_interrupt(s); /* nothing runs: nothing happens */
  assert_ok(run(s, "return 1"));
  pthread_t thread;
  atomic_store(&interrupted, false);
  assert_int_equal(pthread_create(&thread, NULL, interrupt_main, s), 0);
  const parl_status status = run(s, "while true do pcall(function() end) end");
  atomic_store(&interrupted, true);
  pthread_join(thread, NULL);
  assert_status(status, PARL_STATUS_ESTOPPED);
  assert_contains(parl_error_text(),
                  "stopped on request"); /* with its line, but for one in pcall itself */
  assert_null(strstr(parl_error_text(), "traceback")); /* the script did nothing wrong */
  assert_ok(run(s, "return 1"));
  parl_sandbox_destroy(s);
}

static void *hang_main(void *result) {
  const parl_sandbox_def def = {.memory_bytes = 8 << 20, .call_s = 0.05};
  parl_sandbox *s = NULL;
  parl_status status = parl_sandbox_create(&def, &s);
  for (int i = 0; i < 4 && status == PARL_STATUS_OK; i++) {
    const char *code = i % 2 ? "local x = 0 for i = 1, 100 do x = x + i end" : "while true do end";
    set_call_limit(s, i % 2 ? LONG_S : 0.05);
    status = run(s, code);
    if (i % 2 == 0) status = status == PARL_STATUS_ELIMIT ? PARL_STATUS_OK : PARL_STATUS_ESTATE;
  }
  parl_sandbox_destroy(s);
  *(parl_status *)result = status;
  return NULL;
}

static void threads_are_stopped_each_on_their_own(void **state) {
  (void)state;
  enum { N = 6 };
  pthread_t threads[N];
  parl_status results[N];
  for (int i = 0; i < N; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, hang_main, &results[i]), 0);
  for (int i = 0; i < N; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(results[i], PARL_STATUS_OK);
  }
}

/* An entry that idles long enough for the monitor to fall asleep is still guarded afterwards. */
static void the_monitor_wakes_up(void **state) {
  (void)state;
  parl_sandbox *s = make(0.02, 8, 0);
  for (int i = 0; i < 3; i++) {
    const struct timespec pause = {.tv_nsec = 60000000};
    nanosleep(&pause, NULL);
    assert_status(run(s, "while true do end"), PARL_STATUS_ELIMIT);
  }
  parl_sandbox_destroy(s);
}

static void expressions_give_one_number(void **state) {
  (void)state;
  static const char *const names[] = {"update", "r_perf"};
  double values[] = {30, 0.5}, x = -1;
  parl_expression *e = NULL;
  assert_ok(parl_expression_create("0.3 * math.max(0, 1 - update / 90)", &e));
  assert_ok(parl_expression_eval(e, names, values, 2, &x));
  assert_close(x, 0.2, 1e-15);
  values[0] = 90;
  assert_ok(parl_expression_eval(e, names, values, 2, &x));
  assert_close(x, 0, 0);
  assert_fails(parl_expression_eval(e, names, values, 0, &x), PARL_STATUS_ESCRIPT,
               "unknown global 'update'");
  assert_close(x, 0, 0); /* untouched */
  parl_expression_destroy(e);
  assert_ok(parl_expression_create("if r_perf > 0.4 then return 1 end return 0", &e));
  assert_ok(parl_expression_eval(e, names, values, 2, &x));
  assert_close(x, 1, 0);
  static const char *const taken[] = {"math"};
  assert_fails(parl_expression_eval(e, taken, values, 1, &x), PARL_STATUS_ESCRIPT, "taken");
  parl_expression_destroy(e);
  assert_fails(parl_expression_create("1 +", &e), PARL_STATUS_ESCRIPT, "expression:1:");
  parl_expression_destroy(NULL);
}

/* Whether NaN and infinity will do is the caller's to say. */
static void expressions_may_give_nan(void **state) {
  (void)state;
  parl_expression *e = NULL;
  double x = 7;
  assert_ok(parl_expression_create("0 / 0", &e));
  assert_ok(parl_expression_eval(e, NULL, NULL, 0, &x));
  assert_true(isnan(x));
  parl_expression_destroy(e);
  assert_ok(parl_expression_create("-1 / 0", &e));
  assert_ok(parl_expression_eval(e, NULL, NULL, 0, &x));
  assert_close(x, (double)-INFINITY, 0);
  parl_expression_destroy(e);
}

static void expressions_refuse_what_is_no_number(void **state) {
  (void)state;
  static const attack list[] = {{"'1'", PARL_STATUS_ESCRIPT, "gives a string"},
                                {"nil", PARL_STATUS_ESCRIPT, "gives a nil"},
                                {"math.random()", PARL_STATUS_ESCRIPT, "repeatable"},
                                {"while true do end", PARL_STATUS_ELIMIT, "longer"},
                                {"x = 1", PARL_STATUS_ESCRIPT, "read-only"}};
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    parl_expression *e = NULL;
    double x = 7;
    assert_ok(parl_expression_create(list[i].code, &e));
    assert_fails(parl_expression_eval(e, NULL, NULL, 0, &x), list[i].status, list[i].text);
    assert_close(x, 7, 0);
    parl_expression_destroy(e);
  }
}

/* An expression begins as new each time: another _ENV is refused, and gone. */
static void expressions_keep_nothing(void **state) {
  (void)state;
  static const char *const codes[] = {
      "local ok, n = pcall(function() return c end) n = ok and n or 0 _ENV = {c = n + 1, pcall = "
      "pcall} return n",
      "_ENV = {} return 1", "(function() _ENV = {a = 1} return 3 end)()", "_ENV = nil return 2"};
  static const char *const names[] = {"update"};
  const double values[] = {4};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    parl_expression *e = NULL;
    double x = 7;
    assert_ok(parl_expression_create(codes[i], &e));
    for (int k = 0; k < 3; k++)
      assert_fails(parl_expression_eval(e, names, values, 1, &x), PARL_STATUS_ESCRIPT, "_ENV");
    assert_close(x, 7, 0);
    parl_expression_destroy(e);
  }
  parl_expression *e = NULL;
  double x = 7;
  assert_ok(parl_expression_create("if update == 4 then _ENV = {} error('x') end return 5", &e));
  assert_fails(parl_expression_eval(e, names, values, 1, &x), PARL_STATUS_ESCRIPT, "error");
  assert_fails(parl_expression_eval(e, NULL, NULL, 0, &x), PARL_STATUS_ESCRIPT, "'update'");
  const double others[] = {6};
  assert_ok(parl_expression_eval(e, names, others, 1, &x));
  assert_close(x, 5, 0);
  parl_expression_destroy(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(expressions_keep_nothing),
      cmocka_unit_test(hanging_scripts_are_stopped),
      cmocka_unit_test(work_inside_c_is_bounded),
      cmocka_unit_test(memory_is_capped),
      cmocka_unit_test(the_host_is_out_of_reach),
      cmocka_unit_test(a_traceback_names_the_lines),
      cmocka_unit_test(deep_sources_are_refused),
      cmocka_unit_test(definitions_are_checked),
      cmocka_unit_test(pairs_is_sorted),
      cmocka_unit_test(sort_is_stable),
      cmocka_unit_test(texts_show_no_addresses),
      cmocka_unit_test(tables_behave),
      cmocka_unit_test(print_is_kept_up_to_a_cap),
      cmocka_unit_test(pcall_catches_plain_errors_only),
      cmocka_unit_test(instruction_budgets_are_deterministic),
      cmocka_unit_test(a_request_stops_a_script),
      cmocka_unit_test(threads_are_stopped_each_on_their_own),
      cmocka_unit_test(the_monitor_wakes_up),
      cmocka_unit_test(expressions_give_one_number),
      cmocka_unit_test(expressions_may_give_nan),
      cmocka_unit_test(expressions_refuse_what_is_no_number),
  };
  return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
