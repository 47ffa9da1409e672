/* tests/lua_support.h - scripts from text, for tests of lua/. */
#ifndef PARL_TESTS_LUA_SUPPORT_H
#define PARL_TESTS_LUA_SUPPORT_H
#include "core/file.h"
#include "core/text.h"
#include "lua/env.h"
#include "tests/support.h"

/* Writes `code` to a new file; the caller removes its folder. */
static inline void write_script(const char *code, char folder[PARL_TEST_PATH_BYTES],
                                char path[PARL_TEST_PATH_BYTES + 16]) {
  parl_test_temp_folder(folder);
  snprintf(path, PARL_TEST_PATH_BYTES + 16, "%s/script.lua", folder);
  assert_ok(parl_file_write(path, code, strlen(code)));
}

/* An environment from text. The result is the status of parl_env_create. */
static inline parl_status make_env(const char *code, const char *params,
                                   const parl_env_options *options, parl_env **out) {
  char folder[PARL_TEST_PATH_BYTES], path[PARL_TEST_PATH_BYTES + 16];
  parl_json *json = NULL;
  if (params) assert_ok(parl_json_parse(params, strlen(params), "test", &json));
  write_script(code, folder, path);
  const parl_status status = parl_env_create(path, json, options, out);
  parl_json_destroy(json);
  parl_test_remove_folder(folder);
  return status;
}

/* Text with the one occurrence of `from` replaced; freed by the caller. */
static inline char *edit(const char *text, const char *from, const char *to) {
  const char *at = strstr(text, from);
  assert_non_null(at);
  assert_null(strstr(at + 1, from));
  const size_t n = strlen(text) - strlen(from) + strlen(to) + 1;
  char *out = malloc(n);
  assert_non_null(out);
  snprintf(out, n, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  return out;
}

#endif
