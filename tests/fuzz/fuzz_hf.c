/* tests/fuzz/fuzz_hf.c - any bytes as a published config, and as an index of shards. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/flops.h"
#include "engine/hf_checkpoint.h"
#include "engine/hf_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *bytes = (const char *)data;
  parl_hf_config config;
  parl_status s = parl_hf_config_parse(bytes, size, "fuzz", &config);
  if (s != PARL_STATUS_OK && s != PARL_STATUS_EFORMAT) abort();
  if (s == PARL_STATUS_OK) { /* what was read can be counted */
    parl_shape shape;
    if (parl_shape_count(&config.model, config.vocab_size, &shape) != PARL_STATUS_OK) abort();
    if (!(shape.n_params >= shape.n_active && shape.n_active > 0.0)) abort();
  }
  parl_json *index = NULL;
  s = parl_hf_index_parse(bytes, size, "fuzz", &index);
  if (s != PARL_STATUS_OK && s != PARL_STATUS_EFORMAT) abort();
  parl_json_destroy(index);
  return 0;
}
