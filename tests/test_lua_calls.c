/* tests/test_lua_calls.c - the programs of the fuzz target tests/fuzz/fuzz_lua_calls.c, some
 * hundreds of them from fixed bytes. */
#include "core/rng.h"
#include "tests/fuzz/lua_calls.h"
#include "tests/support.h"

static void check_programs(int64_t instructions) {
  enum { N = 120, N_BYTES = 64 };
  parl_rng_cursor rng = {.seed = 17};
  for (int i = 0; i < N; i++) {
    uint8_t bytes[N_BYTES];
    for (int k = 0; k < N_BYTES; k++) bytes[k] = (uint8_t)parl_rng_next_below(&rng, 256);
    calls_source source = {.bytes = bytes, .n = N_BYTES};
    parl_text program = {0};
    calls_write(&source, &program);
    const char *broken = calls_run(&program, 0.1, instructions, 10);
    if (broken != NULL) fail_msg("%s in program %d:\n%s", broken, i, parl_text_get(&program));
    parl_text_deinit(&program);
  }
}

static void calls_stay_within_their_limits(void **state) {
  (void)state;
  check_programs(0);
}

static void calls_stay_within_instructions(void **state) {
  (void)state;
  check_programs(2000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_stay_within_their_limits),
      cmocka_unit_test(calls_stay_within_instructions),
  };
  return cmocka_run_group_tests_name("lua_calls", tests, NULL, NULL);
}
