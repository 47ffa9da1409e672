/* tests/test_lua_api.c - the names that scripts find are those of lua/api_list.h, and so are the
 * editor's. */
#include <lauxlib.h>

#include "core/file.h"
#include "lua/api_list.h"
#include "lua/freeze.h"
#include "lua/sandbox.h"
#include "tests/env_toy.h"

typedef struct names {
  const char *library; /* "": globals */
  const char *const *list;
  size_t n;
} names;

#define NAME(name) #name,
#define ROW(name, ...) #name,
static const char *const base[] = {PARL_BASE_LIST(NAME) "math", "string", "table", "utf8"};
static const char *const math[] = {PARL_MATH_LIST(NAME)};
static const char *const string[] = {PARL_STRING_LIST(NAME)};
static const char *const table[] = {PARL_TABLE_LIST(NAME)};
static const char *const utf8[] = {PARL_UTF8_LIST(NAME)};
static const char *const agent_fields[] = {PARL_AGENT_LIST(ROW)};
static const char *const module[] = {PARL_MODULE_LIST(ROW) PARL_KIT_LIST(ROW)};
static const char *const documented[] = {
    PARL_MODULE_LIST(ROW) PARL_KIT_LIST(ROW) PARL_RNG_LIST(ROW) PARL_AGENT_LIST(ROW)
        PARL_FIELD_LIST(ROW) PARL_CALLBACK_LIST(ROW) PARL_PARAM_LIST(ROW) PARL_TOOL_LIST(ROW)
            PARL_TASK_LIST(ROW) PARL_LIMIT_LIST(ROW) PARL_OPTIMUM_LIST(ROW) PARL_IMAGE_LIST(ROW)
                PARL_COMPONENT_LIST(ROW) PARL_WORKLIST_LIST(ROW) PARL_WORK_LIST(ROW)
                    PARL_PROJECT_LIST(ROW) PARL_JOBS_LIST(ROW) PARL_VIEWING_LIST(ROW)
                        PARL_VIEWS_LIST(ROW) PARL_VISION_LIST(ROW) PARL_TRANSFORM_LIST(ROW)
                            PARL_SOURCE_LIST(ROW)};
#undef NAME
#undef ROW
#define LIST(library, list) \
  { library, list, sizeof(list) / sizeof(list)[0] }
static const names libraries[] = {LIST("", base), LIST("math", math), LIST("string", string),
                                  LIST("table", table), LIST("utf8", utf8)};
enum { N_LIBRARIES = sizeof libraries / sizeof libraries[0] };

static bool has(const names *n, const char *name) {
  for (size_t i = 0; i < n->n; i++)
    if (strcmp(n->list[i], name) == 0) return true;
  return false;
}

/* math.random and math.randomseed exist to say why they do not. */
static bool is_refusal(const char *name) {
  return strcmp(name, "random") == 0 || strcmp(name, "randomseed") == 0;
}

/* The table at the top has the fields of n, and no other. */
static void check_table(lua_State *L, const names *n) {
  size_t count = 0;
  if (parl_freeze_unwrap(L, -1)) lua_replace(L, -2);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *name = lua_tostring(L, -2);
    if (is_refusal(name)) continue;
    if (!has(n, name)) print_error("%s.%s is not in lua/api_list.h\n", n->library, name);
    assert_true(has(n, name));
    count++;
  }
  assert_int_equal(count, n->n);
}

static int check_body(lua_State *L) {
  for (size_t i = 0; i < N_LIBRARIES; i++) {
    lua_pushglobaltable(L);
    if (parl_freeze_unwrap(L, -1)) lua_replace(L, -2);
    if (libraries[i].library[0]) lua_getfield(L, -1, libraries[i].library);
    check_table(L, &libraries[i]);
    lua_settop(L, 1);
  }
  return 0;
}

static void the_library_is_the_list(void **state) {
  (void)state;
  const parl_sandbox_def def = parl_sandbox_def_default();
  parl_sandbox *s = NULL;
  assert_ok(parl_sandbox_create(&def, &s));
  assert_ok(parl_sandbox_protect(s, check_body, NULL));
  parl_sandbox_destroy(s);
}

/* What a callback prints, sorted by pairs, against the sorted list. */
static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_printed(const char *expression, const char *const *list, size_t n) {
  char code[256];
  snprintf(code, sizeof code,
           "for k in pairs(%s) do print(k) end return {tok.row[row], tok.word.ok}", expression);
  parl_env *env = make_toy("return {tok.row[row], tok.word.ok}", code);
  parl_world w;
  parl_agent m;
  int32_t tokens[16];
  size_t n_tokens;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(call(env, w, m, "look", 1, tokens, &n_tokens));
  const char *sorted[32];
  memcpy(sorted, list, n * sizeof *list);
  qsort(sorted, n, sizeof *sorted, compare_names);
  parl_text wanted = {0}, got = {0};
  for (size_t i = 0; i < n; i++) parl_text_appendf(&wanted, "%s\n", sorted[i]);
  parl_env_take_output(env, &got);
  assert_string_equal(parl_text_get(&got), parl_text_get(&wanted));
  parl_text_deinit(&wanted);
  parl_text_deinit(&got);
  parl_env_destroy(env);
}

static void the_module_and_agents_are_the_list(void **state) {
  (void)state;
  check_printed("parl", module, sizeof module / sizeof module[0]);
  check_printed("agent", agent_fields, sizeof agent_fields / sizeof agent_fields[0]);
}

static void the_stub_names_them_all(void **state) {
  (void)state;
  char *stub = NULL;
  size_t n;
  assert_ok(parl_file_read("lua/stubs/parl.d.lua", 1 << 20, &stub, &n));
  assert_non_null(strstr(stub, "---@meta parl\n"));
  for (size_t i = 0; i < sizeof documented / sizeof documented[0]; i++) {
    char field[80], optional[80];
    snprintf(field, sizeof field, "---@field %s ", documented[i]);
    snprintf(optional, sizeof optional, "---@field %s? ", documented[i]);
    if (!strstr(stub, field) && !strstr(stub, optional)) print_error("%s\n", field);
    assert_true(strstr(stub, field) || strstr(stub, optional));
  }
  free(stub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_library_is_the_list),
      cmocka_unit_test(the_module_and_agents_are_the_list),
      cmocka_unit_test(the_stub_names_them_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
