/* tests/test_lua_table.c - Lua recipes become JSON, or are refused with the place. */
#include "lua/table.h"
#include "tests/lua_support.h"

static parl_status load(const char *code, parl_json **out) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  write_script(code, folder, path);
  const parl_status status = parl_lua_table_load(path, out);
  parl_test_remove_folder(folder);
  return status;
}

static void check(const char *code, const char *due) {
  parl_json *json = NULL;
  parl_text text = {0};
  assert_ok(load(code, &json));
  parl_json_append_canonical(json, &text);
  assert_string_equal(parl_text_get(&text), due);
  parl_text_deinit(&text);
  parl_json_destroy(json);
}

static void tables_become_objects_and_arrays(void **state) {
  (void)state;
  check("return {}", "{}");
  check("return {a = 1, b = 'x', c = true, d = 0.5, e = {1, 2, {3}}, f = {g = {}}}",
        "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":0.5,\"e\":[1,2,[3]],\"f\":{\"g\":{}}}");
  check("return {1, 2}", "[1,2]");
  check(
      "local base = {lr = 1e-3} local function arm(l) return {lambda = l, train = base} end\n"
      "return {arms = {arm(0), arm(0.3)}}",
      "{\"arms\":[{\"lambda\":0,\"train\":{\"lr\":0.001}},"
      "{\"lambda\":0.29999999999999999,\"train\":{\"lr\":0.001}}]}");
  check("return {x = 2.0, y = -0.0, z = 1 << 53, s = 'quote \" and \\n'}",
        "{\"s\":\"quote \\\" and \\n\",\"x\":2,\"y\":0,\"z\":9007199254740992}");
  check("local t = {} for i = 1, 1000 do t[i] = i end return {n = #t, sum = t[1000]}",
        "{\"n\":1000,\"sum\":1000}");
}

static void what_json_cannot_hold_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *code, *text;
  } list[] = {
      {"return {train = {lr = print}}", "train.lr: is a function"},
      {"return {train = {lr = 0/0}}", "train.lr: is NaN"},
      {"return {train = {lr = {1, -1/0}}}", "train.lr[2]: is infinite"},
      {"return {n = math.maxinteger}", "n: an integer beyond 2^53"},
      {"return {a = {1, 2, x = 3}}", "a: has both named fields and list items"},
      {"return {a = {[1] = 1, [3] = 3}}", "a: a list with holes"},
      {"return {a = {[0] = 1}}", "a: a list with holes"},
      {"return {a = {[1.5] = 1}}", "a: a key that is neither"},
      {"return {a = {[true] = 1}}", "a: a key that is neither"},
      {"return {a = {[{}] = 1}}", "a: a key that is neither"},
      {"return {a = math}", "a: a library"},
      {"return {a = 'x\\0y'}", "a: a text with a zero byte"},
      {"local t = {} t.t = t return t", "nested too deeply, or a cycle"},
      {"return 5", "the file must return a table"},
      {"return", "the file must return a table"},
      {"", "the file must return a table"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    parl_json *json = NULL;
    assert_fails(load(list[i].code, &json), PARL_STATUS_EINVAL, list[i].text);
    assert_contains(parl_error_text(), "script.lua");
    assert_null(json);
  }
}

/* A table that is used twice is written twice: sharing may not make a small file a huge one. */
static void shared_tables_are_bounded(void **state) {
  (void)state;
  static const struct {
    const char *code, *text;
  } list[] = {
      {"local t = {'x'} for i = 1, 45 do t = {t, t} end return {name = t}", "name[1][1]"},
      {"local t = {a = 1} for i = 1, 45 do t = {a = t, b = t} end return {arms = t}", "arms.a.a"},
      {"local t = {} for i = 1, 300 do t[i] = i end local u = {} for i = 1, 400 do u[i] = t end "
       "return {list = u}",
       "list[16"},
      {"local s, t = ('x'):rep(1 << 20), {} for i = 1, 100 do t[i] = s end return {s = t}", "s[4]"},
      {"local t = {} for i = 1, 200000 do t[i] = i end return {t = t}", "t: a table of more than"},
      {"local t = {} for i = 1, 5000 do t['k' .. i] = i end return {t = t}", "t: more fields"},
      {"return {t = {[('k'):rep(1000)] = 1}}", "t: a key that is neither"},
      {"return {n = (1 << 53) + 1}", "n: an integer beyond 2^53"},
      {"return {n = -(1 << 53) - 1}", "n: an integer beyond 2^53"},
      {"return {n = math.mininteger}", "n: an integer beyond 2^53"}};
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    parl_json *json = NULL;
    assert_fails(load(list[i].code, &json), PARL_STATUS_EINVAL, list[i].text);
    assert_null(json);
  }
  check("local t = {1} return {a = t, b = {t, t}}", "{\"a\":[1],\"b\":[[1],[1]]}");
}

static void failing_files_name_the_line(void **state) {
  (void)state;
  parl_json *json = NULL;
  assert_fails(load("\nreturn {a = }", &json), PARL_STATUS_ESCRIPT, "script.lua:2:");
  assert_fails(load("\n\nerror('no')", &json), PARL_STATUS_ESCRIPT, "script.lua:3: no");
  assert_fails(load("return {a = os.time()}", &json), PARL_STATUS_ESCRIPT, "unknown global 'os'");
  assert_fails(load("return {a = math.random()}", &json), PARL_STATUS_ESCRIPT, "repeatable");
  assert_fails(load("while true do end", &json), PARL_STATUS_ELIMIT, "longer than 1");
  assert_fails(
      load("local s = ('x'):rep(1 << 23) return s .. s .. s .. s .. s .. s .. s .. s .. s", &json),
      PARL_STATUS_ELIMIT, "memory"); /* at once: a busy machine has a second for it */
  assert_fails(parl_lua_table_load("/nonexistent.lua", &json), PARL_STATUS_EIO, "nonexistent");
  assert_null(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_become_objects_and_arrays),
      cmocka_unit_test(what_json_cannot_hold_is_refused),
      cmocka_unit_test(shared_tables_are_bounded),
      cmocka_unit_test(failing_files_name_the_line),
  };
  return cmocka_run_group_tests_name("recipe_lua", tests, NULL, NULL);
}
