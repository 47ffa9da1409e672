/* tests/fuzz/lua_calls.h - programs that call the functions a script has, with arguments at the
 * borders: made from bytes, run under limits of time and memory, and measured.
 *
 * Every function of the lists in lua/api_list.h is called, the helpers of `parl` and the methods of
 * an rng too; what a call gives may be an argument of the next. */
#ifndef PARL_TESTS_FUZZ_LUA_CALLS_H
#define PARL_TESTS_FUZZ_LUA_CALLS_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lua/env_internal.h"
#include "tests/sandbox_support.h"

typedef struct calls_source {
  const uint8_t *bytes;
  size_t n, at;
} calls_source;

static inline size_t calls_draw(calls_source *s, size_t below) {
  const size_t low = s->at < s->n ? s->bytes[s->at++] : 0;
  const size_t high = below > 256 && s->at < s->n ? s->bytes[s->at++] : 0;
  return (low | high << 8) % below;
}

static const char *const calls_functions[] = {
#define X(name) #name,
    PARL_BASE_LIST(X)
#undef X
#define X(name) "math." #name,
        PARL_MATH_LIST(X)
#undef X
#define X(name) "string." #name,
            PARL_STRING_LIST(X) PARL_STRING_LIST(X) /* twice as often */
#undef X
#define X(name) "table." #name,
    PARL_TABLE_LIST(X) PARL_TABLE_LIST(X)
#undef X
#define X(name) "utf8." #name,
        PARL_UTF8_LIST(X)
#undef X
#define X(name, type, doc) "parl." #name,
            PARL_KIT_LIST(X)
#undef X
#define X(name, type, doc) "rng." #name,
                PARL_RNG_LIST(X)
#undef X
#define X(name, type, doc) "image." #name,
                    PARL_IMAGE_LIST(X)
#undef X
#define X(name, type, doc) "transform." #name,
                        PARL_TRANSFORM_LIST(X)
#undef X
};

/* What stands before the calls: large things are made once. */
static const char calls_head[] =
    "local long, pair, zeros = ('a'):rep(1 << 20), ('a'):rep(300), ('\\0'):rep(4000)\n"
    "local control, cont = ('\\1'):rep(1 << 19), ('\\x80'):rep(1 << 19)\n"
    "local list, texts, same, nested = {}, {}, {}, {}\n"
    "for i = 1, 3000 do list[i] = (i * 7919) % 3001 texts[i] = 'k' .. i end\n"
    "local longer = long .. 'b'\n"
    "for i = 1, 6000 do same[i] = i % 2 == 0 and long or longer nested[i] = list end\n"
    "local r, image, dot = {}, parl.image(1024, 1024, 0x345678), parl.image(1, 1)\n"
    "local transform = parl.transform(1024, 1024):turn(1):scale(1023, 1025):flip_x()\n"
    "local function call(f, ...)\n"
    "  local ok, a = pcall(f, ...)\n"
    "  r[#r % 4 + 1] = ok and a or nil\n"
    "  if ok and type(a) == 'function' then for _ = 1, 50 do pcall(a) end end\n"
    "end\n"
    "local function endless() while true do end end\n"
    "local function fails() error() end\n";

static const char *const calls_arguments[] = {"nil",
                                              "true",
                                              "0",
                                              "1",
                                              "-1",
                                              "2",
                                              "3.5",
                                              "-0.0",
                                              "64",
                                              "255",
                                              "256",
                                              "1000",
                                              "65536",
                                              "65537",
                                              "999999",
                                              "1000000",
                                              "1000001",
                                              "1 << 24",
                                              "(1 << 24) + 1",
                                              "1 << 31",
                                              "1 << 32",
                                              "1 << 53",
                                              "1 << 62",
                                              "math.maxinteger",
                                              "math.maxinteger - 1",
                                              "math.mininteger",
                                              "1e15",
                                              "1e18",
                                              "9.3e18",
                                              "1e308",
                                              "-1e308",
                                              "math.huge",
                                              "-math.huge",
                                              "0/0",
                                              "''",
                                              "'a'",
                                              "'\\0'",
                                              "'x1'",
                                              "'0x1p4'",
                                              "'9'",
                                              "long",
                                              "pair",
                                              "zeros",
                                              "control",
                                              "cont",
                                              "long .. 'b'",
                                              "{}",
                                              "{1, 2, 3}",
                                              "{'b', 'a'}",
                                              "list",
                                              "texts",
                                              "same",
                                              "nested",
                                              "{long, long}",
                                              "('a*'):rep(20) .. 'b'",
                                              "'\\0' .. ('a*'):rep(20)",
                                              "'.-.-.-b'",
                                              "'(.-)%1'",
                                              "'%b()'",
                                              "'%f[%w]'",
                                              "'[^%z]*'",
                                              "('('):rep(40)",
                                              "('[a'):rep(9)",
                                              "('%w'):rep(9999)",
                                              "'^.-b'",
                                              "'%d'",
                                              "'%5.3f'",
                                              "'%q'",
                                              "'%s'",
                                              "'%99d'",
                                              "('%q'):rep(200)",
                                              "('%s'):rep(100)",
                                              "'%c'",
                                              "'%x%i%u'",
                                              "'%1%0%2'",
                                              "'n'",
                                              "'#'",
                                              "-2",
                                              "print",
                                              "pairs",
                                              "error",
                                              "tostring",
                                              "endless",
                                              "fails",
                                              "call",
                                              "function(a, b) return a < b end",
                                              "function() return true end",
                                              "math",
                                              "string",
                                              "r",
                                              "r[1]",
                                              "r[2]",
                                              "r[3]",
                                              "table.unpack(list, 1, 200)",
                                              "table.unpack(list, 1, 3000)",
                                              "rng",
                                              "image",
                                              "dot",
                                              "transform",
                                              "{{0, 0}, {1 << 24, 3}, {9, 1 << 24}}",
                                              "0xffffff",
                                              "4096",
                                              "utf8"};

/* Half of the first arguments of the string, utf8 and table functions, and of the second ones of
 * the string functions, are of the kind that they take. */
static const char *const calls_texts[] = {"long",
                                          "pair",
                                          "zeros",
                                          "control",
                                          "cont",
                                          "'9'",
                                          "''",
                                          "('9'):rep(1 << 20)",
                                          "('('):rep(3000)",
                                          "zeros .. 'a'"};
static const char *const calls_patterns[] = {"('a*'):rep(16) .. 'b'",
                                             "'\\0' .. ('a*'):rep(16) .. 'b'",
                                             "('a?'):rep(40) .. ('a'):rep(301)",
                                             "'.-.-.-.-b'",
                                             "'(.-)%1b'",
                                             "('\\0-'):rep(12) .. 'b'",
                                             "'%b().-.-b'",
                                             "'%f[%w].-.-b'",
                                             "'^.-.-.-b'",
                                             "'[^%z]*[^%z]*[^%z]*[^%z]*b'"};
static const char *const calls_tables[] = {"list", "texts", "same", "nested",
                                           "{}",   "r",     "math", "{long, long}"};

/* What methods of images are called with: nothing, a large one, a small one, what a call gave. */
static const char *const calls_images[] = {"", ", image", ", dot", ", r[1]", ", image", ", image"};

static const char *const calls_transforms[] = {"", ", transform", ", transform, image",
                                               ", transform", ", r[1]"};

#define CALLS_PICK(s, list) (list)[calls_draw(s, sizeof(list) / sizeof *(list))]

static inline const char *calls_argument(calls_source *s, const char *f, size_t place) {
  const bool of_text = strncmp(f, "string.", 7) == 0 || strncmp(f, "utf8.", 5) == 0;
  if (place < 2 && calls_draw(s, 2) == 0) {
    if (of_text && place == 0) return CALLS_PICK(s, calls_texts);
    if (of_text && place == 1) return CALLS_PICK(s, calls_patterns);
    if (place == 0 && (strncmp(f, "table.", 6) == 0 || strncmp(f, "parl.", 5) == 0))
      return CALLS_PICK(s, calls_tables);
  }
  return CALLS_PICK(s, calls_arguments);
}

/* The program of the source's bytes. */
static inline void calls_write(calls_source *s, parl_text *out) {
  enum { MAX_CALLS = 12, MAX_ARGUMENTS = 6 };
  parl_text_append(out, calls_head);
  parl_text_append(out, "return function()\n");
  const size_t n_calls = 1 + calls_draw(s, MAX_CALLS);
  for (size_t i = 0; i < n_calls; i++) {
    const char *f = CALLS_PICK(s, calls_functions);
    const char *self = strncmp(f, "rng.", 4) == 0 ? ", rng" : "";
    if (strncmp(f, "transform.", 10) == 0) self = CALLS_PICK(s, calls_transforms);
    if (strncmp(f, "image.", 6) == 0) self = CALLS_PICK(s, calls_images);
    parl_text_appendf(out, "call(%s%s", f, self);
    const size_t n = calls_draw(s, MAX_ARGUMENTS);
    for (size_t k = 0; k < n; k++) parl_text_appendf(out, ", %s", calls_argument(s, f, k));
    parl_text_append(out, ")\n");
  }
  parl_text_append(out, "end\n");
}

/* The helpers, and an rng. */
static inline int calls_open(lua_State *L) {
  parl_env *env = lua_touserdata(L, 1);
  lua_newtable(L);
  parl_env_open_kit(L);
  parl_sandbox_set_global(L, "parl");
  parl_env_open_rng(L);
  env->rng_methods = luaL_ref(L, LUA_REGISTRYINDEX);
  parl_env_push_rng(L, env, 1, 2, 3);
  parl_sandbox_set_global(L, "rng");
  return 0;
}

static inline double calls_cpu_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs a program; what it broke, NULL if nothing. `slack_s` of processor time is allowed beyond the
 * limit `call_s`, for collecting garbage and for a sanitizer. What stands before the calls has time
 * enough on a busy machine, too. */
static inline const char *calls_measure(parl_sandbox *s, const parl_text *program, double call_s,
                                        double slack_s) {
  if (parl_sandbox_load(s, parl_text_get(program), program->n, "calls") != PARL_STATUS_OK ||
      parl_sandbox_call(s, 0, 1) != PARL_STATUS_OK)
    return parl_error_text(); /* the generator's fault */
  set_call_limit(s, call_s);
  const double start = calls_cpu_s();
  const parl_status status = parl_sandbox_call(s, 0, 0);
  if (calls_cpu_s() - start > call_s + slack_s) return "time";
  if (status != PARL_STATUS_OK && parl_error_text()[0] == '\0') return "no error text";
  if (status != PARL_STATUS_OK && status != PARL_STATUS_ELIMIT && status != PARL_STATUS_ESCRIPT)
    return "status";
  return lua_gettop(parl_sandbox_get_state(s)) == 1 ? NULL : "stack";
}

static inline const char *calls_run(const parl_text *program, double call_s, int64_t instructions,
                                    double slack_s) {
  const parl_sandbox_def def = {
      .memory_bytes = 48 << 20, .call_s = LONG_S, .instructions = instructions};
  static const char check[] = "assert(#table.concat({'a', 'b'}) == 2 and math.max(1, 2) == 2)";
  parl_sandbox *s = NULL;
  parl_env *env = calloc(1, sizeof *env);
  if (env == NULL || parl_sandbox_create(&def, &s) != PARL_STATUS_OK ||
      parl_sandbox_protect(s, calls_open, env) != PARL_STATUS_OK)
    abort();
  const char *broken = calls_measure(s, program, call_s, slack_s);
  if (s->pool.held > def.memory_bytes + PARL_POOL_SLACK) broken = "memory";
  set_call_limit(s, LONG_S);
  if (broken == NULL && (parl_sandbox_load(s, check, sizeof check - 1, "check") != PARL_STATUS_OK ||
                         parl_sandbox_call(s, 0, 0) != PARL_STATUS_OK))
    broken = "the sandbox afterwards";
  parl_sandbox_destroy(s);
  free(env);
  return broken;
}

#endif
