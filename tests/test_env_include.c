/* tests/test_env_include.c - environments made of others: presets, families that depend on
 * parameters, second names of families, and parl.include. */
#include "tests/env_toy.h"

static const char presets[] =
    "presets = {mean = {n = 8, p = 0.25, hard = true, mode = \"mean\"}, tiny = {n = 1}}, "
    "summary = 'a toy',";

/* The toy with some text instead of its summary. */
__attribute__((noinline)) static parl_status make_with(const char *text, const char *params,
                                                       parl_env **out) {
  char *code = edit(TOY, "summary = 'a toy',", text);
  const parl_status status = make_env(code, params, NULL, out);
  free(code);
  return status;
}

static void check_params(const char *params, const char *due) {
  parl_env *env = NULL;
  assert_ok(make_with(presets, params, &env));
  assert_string_equal(parl_env_get_params(env), due);
  parl_env_destroy(env);
}

static void presets_set_what_is_not_set(void **state) {
  (void)state;
  check_params(NULL, "{\"hard\":false,\"mode\":\"easy\",\"n\":3,\"p\":0.5,\"preset\":\"default\"}");
  check_params("{\"preset\":\"default\",\"n\":4}",
               "{\"hard\":false,\"mode\":\"easy\",\"n\":4,\"p\":0.5,\"preset\":\"default\"}");
  check_params("{\"n\":5,\"preset\":\"mean\"}",
               "{\"hard\":true,\"mode\":\"mean\",\"n\":5,\"p\":0.25,\"preset\":\"mean\"}");
  check_params("{\"preset\":\"tiny\"}",
               "{\"hard\":false,\"mode\":\"easy\",\"n\":1,\"p\":0.5,\"preset\":\"tiny\"}");
  parl_env *env = NULL;
  assert_fails(make_with(presets, "{\"preset\":\"meen\"}", &env), PARL_STATUS_EINVAL, "mean");
  assert_fails(make_with(presets, "{\"preset\":2}", &env), PARL_STATUS_EINVAL, "no string");
  assert_fails(make_env(TOY, "{\"preset\":\"mean\"}", NULL, &env), PARL_STATUS_EINVAL,
               "no parameter 'preset'");
}

static void presets_are_checked(void **state) {
  (void)state;
  static const char *const wrong[][2] = {
      {"presets = {a = {m = 1}},", "presets.a: unknown field 'm'"},
      {"presets = {a = {n = 1.5}},", "presets.a.n: must be an integer"},
      {"presets = {a = {n = 9}},", "presets.a.n: 9 is outside 1 to 8"},
      {"presets = {a = {p = \"x\"}},", "presets.a.p: must be a number"},
      {"presets = {a = {hard = 1}},", "presets.a.hard: must be true or false"},
      {"presets = {a = {mode = \"odd\"}},", "presets.a.mode: must be one of the words"},
      {"presets = {a = 3},", "presets.a: must be a table"},
      {"presets = {default = {}},", "presets.default"},
      {"presets = 3,", "presets: must be a table"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char text[256];
    parl_env *env = NULL;
    snprintf(text, sizeof text, "%s summary = 'a toy',", wrong[i][0]);
    assert_fails(make_with(text, NULL, &env), PARL_STATUS_ESCRIPT, wrong[i][1]);
  }
}

static const char families[] = "families = {row = 8, word = {'ok', 'no'}}";

__attribute__((noinline)) static parl_status make_with_families(const char *text,
                                                                const char *params,
                                                                parl_env **out) {
  char *code = edit(TOY, families, text);
  const parl_status status = make_env(code, params, NULL, out);
  free(code);
  return status;
}

static void families_may_follow_from_params(void **state) {
  (void)state;
  static const char text[] =
      "families = function(params) return {row = params.n > 4 and 16 or 8, word = {\"ok\", "
      "\"no\"}} end";
  parl_env *env = NULL;
  assert_ok(make_with_families(text, NULL, &env));
  assert_int_equal(parl_env_get_spec(env)->families[0].n, 8);
  parl_env_destroy(env);
  assert_ok(make_with_families(text, "{\"n\":5}", &env));
  assert_int_equal(parl_env_get_spec(env)->families[0].n, 16);
  assert_int_equal(parl_env_get_spec(env)->families[1].first_token,
                   parl_env_get_spec(env)->families[0].first_token + 16);
  parl_env_destroy(env);
  assert_fails(make_with_families("families = function() return 3 end", NULL, &env),
               PARL_STATUS_ESCRIPT, "families: must be a table");
}

static void families_have_second_names(void **state) {
  (void)state;
  parl_env *env = NULL;
  assert_ok(make_with_families("families = {item = 8, row = \"item\", word = {\"ok\", \"no\"}}",
                               NULL, &env));
  const parl_env_spec *spec = parl_env_get_spec(env);
  assert_int_equal(spec->n_families, 2);
  assert_int_equal(spec->n_tokens, PARL_N_CONTROL_TOKENS + 3 + 2 + 8 + 2);
  assert_string_equal(spec->families[spec->task.slots[0].family].name, "item");
  parl_world w;
  parl_agent m;
  int32_t tokens[4];
  size_t n = 0;
  assert_ok(parl_env_reset(env, 1, 2, &w, &m));
  assert_ok(parl_env_prompt(env, w, tokens, 4, &n)); /* the script writes parl.tok.row */
  assert_int_equal(tokens[0], spec->families[0].first_token + 2);
  parl_env_destroy(env);
  assert_fails(make_with_families("families = {row = \"item\", word = {\"ok\"}}", NULL, &env),
               PARL_STATUS_ESCRIPT, "families.row: unknown family 'item'");
}

/* A file that includes one named part.lua, in one folder; `part` NULL: there is none. */
static parl_status make_pair(const char *code, const char *part, parl_env **out) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  write_script(code, folder, path);
  if (part) {
    char other[PARL_TEST_PATH_BYTES + 16];
    snprintf(other, sizeof other, "%s/part.lua", folder);
    assert_ok(parl_file_write(other, part, strlen(part)));
  }
  const parl_status status = parl_env_create(path, NULL, NULL, out);
  parl_test_remove_folder(folder);
  return status;
}

static void a_sibling_is_included(void **state) {
  (void)state;
  parl_env *plain = NULL, *env = NULL, *other = NULL;
  static const char whole[] = "local t = parl.include(\"part\")\nreturn parl.env(t)\n";
  assert_ok(make_env(TOY, NULL, NULL, &plain));
  assert_ok(make_pair(whole, TOY, &env));
  assert_string_equal(parl_env_get_spec(env)->name, "toy");
  assert_string_equal(parl_env_get_spec(env)->vocab_hash, parl_env_get_spec(plain)->vocab_hash);
  char *changed = edit(TOY, "summary = 'a toy'", "summary = 'another'");
  assert_ok(make_pair(whole, changed, &other)); /* the included bytes count */
  assert_string_not_equal(parl_env_get_spec(env)->script_hash,
                          parl_env_get_spec(other)->script_hash);
  free(changed);
  parl_env_destroy(plain);
  parl_env_destroy(env);
  parl_env_destroy(other);
}

static void includes_are_checked(void **state) {
  (void)state;
  parl_env *env = NULL;
  static const char *const names[] = {"../part", "/etc/passwd", "part.lua", "", "Part", "a b"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char code[128];
    snprintf(code, sizeof code, "return parl.include(\"%s\")", names[i]);
    assert_fails(make_pair(code, TOY, &env), PARL_STATUS_ESCRIPT, "a name is 1 to 40 of");
  }
  static const char whole[] = "local t = parl.include(\"part\")\nreturn parl.env(t)\n";
  assert_fails(make_pair(whole, NULL, &env), PARL_STATUS_ESCRIPT, "part.lua");
  assert_fails(make_pair(whole, "return 3", &env), PARL_STATUS_ESCRIPT, "must end with");
  assert_fails(make_pair(whole, "return parl.include(\"part\")", &env), PARL_STATUS_ESCRIPT,
               "includes nothing");
  assert_fails(make_pair(whole, "local x = 1\nlocal y = x.z.w", &env), PARL_STATUS_ESCRIPT,
               "part.lua:2");
  assert_fails(make_pair(whole, "\x1bLua", &env), PARL_STATUS_ESCRIPT, "binary chunk");
  assert_fails(make_pair("for _ = 1, 20 do parl.include(\"part\") end", "return {}", &env),
               PARL_STATUS_ESCRIPT, "more than 16 files");
  assert_fails(make_pair("local e = parl.env(parl.include(\"part\"))\nparl.include(\"part\")\n"
                         "return e",
                         TOY, &env),
               PARL_STATUS_ESCRIPT, "before parl.env");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(presets_set_what_is_not_set),
      cmocka_unit_test(presets_are_checked),
      cmocka_unit_test(families_may_follow_from_params),
      cmocka_unit_test(families_have_second_names),
      cmocka_unit_test(a_sibling_is_included),
      cmocka_unit_test(includes_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
