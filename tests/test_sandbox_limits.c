/* tests/test_sandbox_limits.c - limits of a sandbox where they are hard to meet: in the parser, and
 * in the middle of anything. */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "core/file.h"
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

/* Appends `n` times `piece`, where %d is the number of the time. */
static void repeat(parl_text *text, const char *piece, int n) {
  const char *place = strstr(piece, "%d");
  for (int i = 0; i < n; i++)
    if (place != NULL)
      parl_text_appendf(text, "%.*s%d%s", (int)(place - piece), piece, i, place + 2);
    else
      parl_text_append(text, piece);
}

/* Texts over which the parser takes the square of their length, far more than the limit on any
 * machine. A function has at most 32767 labels: where that comes first, there are more. */
static void long_sources_are_stopped(void **state) {
  (void)state;
  static const struct {
    const char *before, *piece;
    int n;
    const char *after;
    int n_functions;
  } list[] = {
      {"local a = 1\nif a then a = 1\n", "elseif a then\n", 200000, "end", 1},
      {"f = function() ", "::l%d:: f() ", 30000, "end ", 30},
      {"f = function() ", "goto a ::l%d:: f() ", 30000, "end ", 15},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    parl_text code = {0};
    for (int k = 0; k < list[i].n_functions; k++) {
      parl_text_append(&code, list[i].before);
      repeat(&code, list[i].piece, list[i].n);
      parl_text_append(&code, list[i].after);
    }
    assert_ok(parl_text_status(&code));
    parl_sandbox *s = make(0.1, 64, 0);
    assert_fails(run(s, parl_text_get(&code)), PARL_STATUS_ELIMIT, "ran longer than 0.1 s");
    set_call_limit(s, LONG_S);
    assert_ok(run(s, "return 1"));
    parl_sandbox_destroy(s);
    parl_text_deinit(&code);
  }
}

/* A byte order mark and a first line for the shell are no part of the program; lines keep their
 * numbers. */
static void heads_of_files_are_left_out(void **state) {
  (void)state;
  static const char *const heads[] = {"\xEF\xBB\xBF", "#!/usr/bin/env parl", "\xEF\xBB\xBF#!parl"};
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16], code[128];
  parl_test_temp_folder(folder);
  snprintf(path, sizeof path, "%s/s.lua", folder);
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    parl_sandbox *s = make(LONG_S, 8, 0);
    snprintf(code, sizeof code, "%s\nlocal a = 1\nerror('here')", heads[i]);
    assert_ok(parl_file_write(path, code, strlen(code)));
    assert_ok(parl_sandbox_load_file(s, path));
    assert_fails(parl_sandbox_call(s, 0, 0), PARL_STATUS_ESCRIPT, "s.lua:3: here");
    assert_ok(parl_file_write(path, heads[i], strlen(heads[i])));
    assert_ok(parl_sandbox_load_file(s, path)); /* nothing else */
    lua_pop(parl_sandbox_get_state(s), 1);
    parl_sandbox_destroy(s);
  }
  parl_test_remove_folder(folder);
}

/* --- a limit that is met anywhere --- */

static struct {
  int countdown; /* events until it expires */
  bool by_hook;  /* the stop's own hook is installed, too, as the signal does */
  bool has_expired;
} expiry;

static void expire(lua_State *L, lua_Debug *about) {
  (void)about;
  if (--expiry.countdown > 0) return;
  parl_watchdog *w = &parl_sandbox_of(L)->watchdog;
  expiry.has_expired = true;
  parl_watchdog_stop_here(w, PARL_STOP_TIME);
  /* The signal comes a moment later than the mark. */
  if (!expiry.by_hook) lua_sethook(L, w->hook, LUA_MASKCOUNT, 1000);
}

/* Whatever a script does when time is up, the error is that of the limit. */
static void a_limit_is_told_wherever_it_is_met(void **state) {
  (void)state;
  static const char *const codes[] = {
      "repeat local ok = pcall(error) until false",
      "repeat pcall(error, 'mine') pcall(pcall, error) until false",
      "local function f() local ok = pcall(error, {}) return f() end f()",
      "repeat pcall(table.sort, {3, 2, 1}, function() error() end) until false",
      "repeat pcall(string.gsub, 'abc', '.', error) until false",
      "repeat pcall(function() for _ in pairs({1}) do error('x', 0) end end) until false"};
  enum { N_EVENTS = 120 };
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    for (int k = 0; k < 2 * N_EVENTS; k++) {
      parl_sandbox *s = make(30, 8, 0);
      assert_ok(parl_sandbox_load(s, codes[i], strlen(codes[i]), "attack.lua"));
      expiry.countdown = k / 2 + 1;
      expiry.by_hook = k % 2;
      expiry.has_expired = false;
      lua_sethook(parl_sandbox_get_state(s), expire, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
      assert_fails(parl_sandbox_call(s, 0, 0), PARL_STATUS_ELIMIT, "ran longer than 30");
      assert_true(expiry.has_expired);
      assert_ok(run(s, "return 1"));
      parl_sandbox_destroy(s);
    }
}

/* The script's own last error stays what it is, though time is up before it is reported. */
static void an_error_before_the_limit_stays(void **state) {
  (void)state;
  static const char code[] = "local x = 1\nerror('mine')";
  for (int k = 1; k < 8; k++) {
    parl_sandbox *s = make(30, 8, 0);
    assert_ok(parl_sandbox_load(s, code, strlen(code), "attack.lua"));
    expiry.countdown = k;
    expiry.by_hook = false;
    lua_sethook(parl_sandbox_get_state(s), expire, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    assert_fails(parl_sandbox_call(s, 0, 0), PARL_STATUS_ESCRIPT, "attack.lua:2: mine");
    parl_sandbox_destroy(s);
  }
}

/* --- the host --- */

typedef struct heard {
  char text[200];
  atomic_int stop, n_stuck;
} heard;

static void hear(void *context, const char *text) {
  heard *h = context;
  const size_t used = strlen(h->text);
  snprintf(h->text + used, sizeof h->text - used, "%s|", text);
}

static void count_stuck(void *context, int stop) {
  heard *h = context;
  assert_int_equal(stop, 15);
  atomic_fetch_add(&h->n_stuck, 1);
}

static void lines_go_to_the_host(void **state) {
  (void)state;
  heard h = {.text = ""};
  const parl_script_host host = {.print = hear, .context = &h};
  const parl_sandbox_def def = {.memory_bytes = 8 << 20, .call_s = 5, .host = &host};
  parl_sandbox *s = NULL;
  assert_ok(parl_sandbox_create(&def, &s));
  assert_ok(
      run(s, "print('a', 1) print() print(nil) print(('x'):rep(1 << 20), 'cut') print('end')"));
  assert_string_equal(h.text, "a\t1||nil|cut|end|");
  parl_text kept = {0};
  parl_sandbox_take_output(s, &kept);
  assert_int_equal(kept.n, 0);
  parl_text_deinit(&kept);
  parl_sandbox_destroy(s);
}

/* nap(s), of less than a second, waits and work(s) works for so long, and neither looks up. */
static void wait_s(double seconds) {
  const struct timespec pause = {.tv_nsec = (long)(1e9 * seconds)};
  nanosleep(&pause, NULL);
}

static int nap(lua_State *L) {
  wait_s(lua_tonumber(L, 1));
  return 0;
}

static int work(lua_State *L) {
  const double seconds = lua_tonumber(L, 1);
  struct timespec now, start;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  while ((double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec) <
         seconds);
  return 0;
}

static int set_nap(lua_State *L) {
  lua_pushcfunction(L, nap);
  parl_sandbox_set_global(L, "nap");
  lua_pushcfunction(L, work);
  parl_sandbox_set_global(L, "work");
  return 0;
}

/* A thread that waits for a processor, or a process that is halted, has taken nothing. */
static void the_limit_is_processor_time(void **state) {
  (void)state;
  parl_sandbox *s = make(0.1, 8, 0);
  assert_ok(parl_sandbox_protect(s, set_nap, NULL));
  assert_ok(run(s, "nap(0.5) for i = 1, 100 do end"));
  assert_fails(run(s, "work(1) while true do end"), PARL_STATUS_ELIMIT, "ran longer than 0.1 s");
  parl_sandbox_destroy(s);
}

/* wait_told() waits until the host was told, and a while more. */
static int wait_told(lua_State *L) {
  heard *h = lua_touserdata(L, lua_upvalueindex(1));
  const int before = atomic_load(&h->n_stuck);
  while (atomic_load(&h->n_stuck) == before) sched_yield();
  wait_s(0.9);
  return 0;
}

static int set_wait_told(lua_State *L) {
  lua_pushcclosure(L, wait_told, 1);
  parl_sandbox_set_global(L, "wait_told");
  return 0;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Once, and not before a request had time to end the call. */
static void a_stuck_call_is_told(void **state) {
  (void)state;
  heard h = {.text = ""};
  const parl_script_host host = {.stop = &h.stop, .stuck = count_stuck, .context = &h};
  const parl_sandbox_def def = {.memory_bytes = 8 << 20, .call_s = LONG_S, .host = &host};
  parl_sandbox *s = NULL;
  assert_ok(parl_sandbox_create(&def, &s));
  assert_ok(parl_sandbox_protect(s, set_nap, NULL));
  assert_ok(parl_sandbox_protect(s, set_wait_told, &h));
  assert_ok(run(s, "nap(0.9)"));
  assert_int_equal(h.n_stuck, 0); /* nobody asked */
  atomic_store(&h.stop, 15);
  assert_fails(run(s, "while true do end"), PARL_STATUS_ESTOPPED, "stopped on request");
  const int before = h.n_stuck; /* 1 where this thread was starved */
  const double start = now_s();
  assert_fails(run(s, "wait_told() while true do end"), PARL_STATUS_ESTOPPED, "stopped on request");
  assert_int_equal(h.n_stuck, before + 1);
  assert_true(now_s() - start >= 0.7 + 0.9);
  parl_sandbox_destroy(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(long_sources_are_stopped),
      cmocka_unit_test(heads_of_files_are_left_out),
      cmocka_unit_test(a_limit_is_told_wherever_it_is_met),
      cmocka_unit_test(lines_go_to_the_host),
      cmocka_unit_test(the_limit_is_processor_time),
      cmocka_unit_test(a_stuck_call_is_told),
      cmocka_unit_test(an_error_before_the_limit_stays),
  };
  return cmocka_run_group_tests_name("sandbox_limits", tests, NULL, NULL);
}
