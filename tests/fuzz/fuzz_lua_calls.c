/* tests/fuzz/fuzz_lua_calls.c - calls of every library function with sizes at the borders, in plain
 * and in strict mode: time and memory stay within the limits. */
#include "tests/fuzz/lua_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const double CALL_S = 0.2, SLACK_S = 2; /* the sanitizers slow everything down */
  calls_source source = {.bytes = bytes, .n = n};
  parl_text program = {0};
  calls_write(&source, &program);
  const char *broken = calls_run(&program, CALL_S, 0, SLACK_S);
  if (broken == NULL) broken = calls_run(&program, CALL_S, 2000000, SLACK_S);
  if (broken != NULL) {
    fprintf(stderr, "broken: %s\n%s", broken, parl_text_get(&program));
    abort();
  }
  parl_text_deinit(&program);
  return 0;
}
