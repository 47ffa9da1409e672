/* tests/fuzz/fuzz_json.c - any bytes parse or are refused; what parses has one canonical text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_all(const parl_json *node) {
  (void)parl_json_get_string(node);
  (void)parl_json_get_number(node);
  for (const parl_json *c = parl_json_get_first(node); c != NULL; c = parl_json_get_next(c))
    read_all(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  parl_json *first = NULL, *second = NULL;
  if (parl_json_parse((const char *)bytes, n, "fuzz", &first) != PARL_STATUS_OK) return 0;
  read_all(first);
  parl_text once = {0}, twice = {0};
  parl_json_append_canonical(first, &once);
  const char *text = parl_text_get(&once);
  if (parl_json_parse(text, strlen(text), "canonical", &second) != PARL_STATUS_OK) abort();
  parl_json_append_canonical(second, &twice);
  if (strcmp(text, parl_text_get(&twice)) != 0) abort();
  parl_text_deinit(&once);
  parl_text_deinit(&twice);
  parl_json_destroy(first);
  parl_json_destroy(second);
  return 0;
}
