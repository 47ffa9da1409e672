/* tests/fuzz/fuzz_lua.c - any text as a script: it ends within its limits, and the sandbox is as
 * good as new afterwards. */
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>

#include "lua/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const char check[] = "assert(#table.concat({'a', 'b'}) == 2 and math.max(1, 2) == 2)";
  const parl_sandbox_def def = {.memory_bytes = 1 << 20, .call_s = 5, .instructions = 200000};
  parl_sandbox *s = NULL;
  if (parl_sandbox_create(&def, &s) != PARL_STATUS_OK) abort();
  if (parl_sandbox_load(s, (const char *)bytes, n, "fuzz") == PARL_STATUS_OK &&
      parl_sandbox_call(s, 0, 0) != PARL_STATUS_OK && parl_error_text()[0] == '\0')
    abort();
  if (lua_gettop(parl_sandbox_get_state(s)) != 1) abort();
  /* What the script holds is garbage now, so memory suffices again. */
  if (parl_sandbox_load(s, check, sizeof check - 1, "check") != PARL_STATUS_OK ||
      parl_sandbox_call(s, 0, 0) != PARL_STATUS_OK)
    abort();
  parl_sandbox_destroy(s);
  return 0;
}
