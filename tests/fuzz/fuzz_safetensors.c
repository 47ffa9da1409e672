/* tests/fuzz/fuzz_safetensors.c - any bytes: refused, or tensors that cover the data. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/safetensors.h"
#include "core/safetensors_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t check_tensor(const parl_safetensors *f, const parl_tensor_info *t) {
  size_t bytes = 0;
  if (parl_tensor_count_bytes(t->dtype, t->shape, t->n_dims, &bytes) != PARL_STATUS_OK) abort();
  if (bytes != t->bytes || (uintptr_t)t->data % parl_dtype_bytes(t->dtype) != 0) abort();
  if (parl_safetensors_find(f, t->name) != t) abort();
  unsigned sum = 0; /* the sanitizer sees a read outside */
  for (size_t i = 0; i < bytes; i++) sum += ((const volatile uint8_t *)t->data)[i];
  (void)sum;
  return bytes;
}

static void check(const uint8_t *data, size_t size) {
  parl_safetensors *f = NULL;
  const parl_status s = parl_safetensors_parse(data, size, "fuzz", &f);
  if (s != PARL_STATUS_OK && s != PARL_STATUS_EFORMAT) abort();
  if ((s == PARL_STATUS_OK) != (f != NULL)) abort();
  if (f == NULL) return;
  size_t n_header = 0, total = 0;
  for (int i = 7; i >= 0; i--) n_header = n_header << 8 | data[i];
  for (size_t i = 0; i < parl_safetensors_get_count(f); i++)
    total += check_tensor(f, parl_safetensors_get(f, i));
  if (total != size - 8 - n_header) abort();
  parl_safetensors_get_metadata(f, "format");
  parl_safetensors_close(f);
}

/* The bytes as they are; then as a header and four data bytes, so that the fuzzer need not learn to
 * write lengths. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check(data, size);
  enum { N_DATA = 4 };
  uint8_t *file = malloc(8 + size + N_DATA);
  if (file == NULL) return 0;
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)size >> 8 * i);
  if (size > 0) memcpy(file + 8, data, size);
  memset(file + 8 + size, 0x7F, N_DATA);
  check(file, 8 + size);
  check(file, 8 + size + N_DATA);
  free(file);
  return 0;
}
